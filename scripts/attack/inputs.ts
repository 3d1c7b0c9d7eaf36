/** Small inputs that are expensive to process: over SMTP, over HTTP, and as mail held for approval. */

import { hostileConnections } from "../../test/attacks/hostile-connections.ts";
import { headerBytesMax, hostileHtml, hostileMails } from "../../test/attacks/hostile-mails.ts";
import { hostileRequests } from "../../test/attacks/hostile-requests.ts";
import { deliver } from "../../test/smtp/smtp-client.ts";
import type { Watched } from "./watch.child.ts";
import type { AttackOptions, World } from "./world.ts";
import { startWorld } from "./world.ts";

/** One attack: the answers that it got, and the server's health meanwhile. */
export interface InputRow extends Watched {
  name: string;
  seconds: number;
  /** Replies and status codes, each with its count. */
  answers: string;
  /** Whether all answers are acceptable. */
  isRight: boolean;
}

/** Small enough for a slow connection to send in a second, large enough to reveal quadratic work. */
const MAIL_BYTES = 2 * 1024 * 1024;
/** Length of a held message's HTML, which the gate and the reviewer's pages process. */
const heldChars = headerBytesMax;
/** Size of an attack by 50 concurrent senders. */
const FLOOD_BYTES = 20 * 1024 * 1024;
const FLOOD_SENDERS = 50;

export async function attackInputs(options: AttackOptions & { only?: string }): Promise<InputRow[]> {
  await using world = await startWorld(options);
  const rows: InputRow[] = [];
  const run = async (name: string, work: () => Promise<{ answers: string[]; isRight: boolean }>) => {
    if (options.only && !name.includes(options.only)) return;
    options.progress(`${options.database}: ${name}`);
    const startedAt = performance.now();
    const { result, watched } = await world.watch(work);
    const seconds = (performance.now() - startedAt) / 1000;
    rows.push({ name, seconds, answers: counted(result.answers), isRight: result.isRight, ...watched });
  };

  for (const request of hostileRequests)
    await run(`HTTP: ${request.name}`, async () => {
      const body = request.body?.();
      const path = request.path.replaceAll("{agent}", world.agent);
      const asked = Array.from({ length: request.parallel ?? 1 }, () => world.ask(request.method, path, body));
      const answers = (await Promise.all(asked)).map(({ status }) => status);
      return { answers: answers.map(String), isRight: answers.every((status) => request.answers.includes(status)) };
    });
  const target = { httpUrl: world.server.httpUrl, key: world.key, agent: world.agent };
  for (const connections of hostileConnections)
    await run(`connections: ${connections.name}`, async () => {
      const statuses = await connections.run(target);
      return {
        answers: statuses.map(String),
        isRight: statuses.every((status) => connections.answers.includes(status)),
      };
    });
  for (const [name, build] of Object.entries(hostileMails))
    await run(`mail: ${name}`, async () => {
      const reply = await deliver(world.server.smtpPort, { to: world.agent, message: build(MAIL_BYTES) });
      const read = reply.code === 250 ? await readLatest(world) : [];
      const isRight = [250, 451, 452, 550, 552, 554].includes(reply.code) && read.every(isAnswer);
      return { answers: [`${reply.code}`, ...read.map(String)], isRight };
    });
  for (const [name, build] of Object.entries(hostileHtml))
    await run(`held: ${name}`, async () => {
      const statuses = await holdAndLook(world, build(heldChars));
      return { answers: statuses.map(String), isRight: statuses.every(isAnswer) };
    });
  await run(`${FLOOD_SENDERS} senders of ${FLOOD_BYTES / 1024 / 1024} MB at once`, async () => {
    const message = Buffer.concat([
      Buffer.from("From: a@sender.example\r\nTo: target@e2a.localhost\r\nSubject: flood\r\n\r\n"),
      Buffer.alloc(FLOOD_BYTES, `${"x".repeat(76)}\r\n`),
    ]);
    const sent = Array.from({ length: FLOOD_SENDERS }, () =>
      deliver(world.server.smtpPort, { to: world.agent, message }).then(
        ({ code }) => code,
        () => 0,
      ),
    );
    const codes = await Promise.all(sent);
    return { answers: codes.map(String), isRight: codes.every((code) => code === 250 || (code >= 400 && code < 500)) };
  });
  return rows;
}

/** Does everything that an agent or a user can do with the latest mail: list it, read it, view it. */
async function readLatest(world: World): Promise<number[]> {
  const list = await world.ask("GET", `/agents/${world.agent}/messages?status=all&sort=desc&page_size=1`);
  const [latest] = (JSON.parse(list.text) as { messages?: { message_id: string }[] }).messages ?? [];
  if (!latest) return [list.status];
  const message = `/agents/${world.agent}/messages/${latest.message_id}`;
  const paths = [`${message}?peek=true`, `${message}/html`, `${message}/attachments/0`];
  const statuses = [list.status];
  for (const path of paths) statuses.push((await world.ask("GET", path)).status);
  return statuses;
}

/** Has a message with this HTML held, and makes the dashboard's requests for it. */
async function holdAndLook(world: World, html: string): Promise<number[]> {
  const mail = { from: world.held, to: ["someone@outside.example"], subject: "s", body: "b", html_body: html };
  const sent = await world.ask("POST", "/send", mail);
  const statuses = [sent.status];
  const { message_id: id } = JSON.parse(sent.text) as { message_id?: string };
  if (!id) return statuses;
  const reject = ["POST", `/messages/${id}/reject`, { reason: "hostile" }] as const;
  for (const [method, path, body] of [
    ["GET", "/messages?status=pending_approval"],
    ["GET", "/messages?status=pending_approval"],
    ["GET", `/messages/${id}`],
    reject,
  ] as const)
    statuses.push((await world.ask(method, path, body)).status);
  return statuses;
}

/** Whether a status is acceptable: a 500 is a bug, a 503 is a server that protects itself. */
function isAnswer(status: number): boolean {
  return status < 500 || status === 503;
}

function counted(answers: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return [...counts].map(([answer, count]) => (count === 1 ? answer : `${count} × ${answer}`)).join(", ");
}
