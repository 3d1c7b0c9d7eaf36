/** The server as users of the command line see it, for tests: the real server with an account, behind a proxy. */

import { deliver } from "../../../test/smtp/smtp-client.ts";
import { mailFor } from "../../../test/store/rows.ts";
import { type ApiProxy, startApiProxy } from "../../../test/support/api-proxy.ts";
import { type ApiAnswer, startTestApp, type TestApp, type TestAppOptions } from "../../../test/support/app.ts";
import { until } from "../../../test/support/until.ts";

/** The agent of the account. */
export const bot = "bot@e2a.localhost";

/** The parts of a message that matter to a test. */
export interface Received {
  from?: string;
  subject?: string;
  verified?: boolean;
  auto_submitted?: string;
  list_id?: string;
  precedence?: string;
}

/** The id of the nth message. */
export function idOf(n: number): string {
  return `msg_${n.toString(16).padStart(32, "0")}`;
}

function readIn(body: unknown): boolean {
  return (body as { status?: string }).status === "read";
}

export interface World extends AsyncDisposable {
  readonly app: TestApp;
  /** All requests of the command line pass through it. */
  readonly proxy: ApiProxy;
  /** The environment of the account's owner. */
  readonly env: Record<string, string>;
  /** Calls the server directly, as the owner; throws if the call fails. The path is below /api/v1. */
  api(method: string, path: string, body?: unknown): Promise<ApiAnswer["body"]>;
  /** From now on the server answers this to a GET of this path. */
  shows(path: string, answer: unknown): void;
  /** From now on the server answers this to every request; null restores its own answers. */
  refuses(refusal: [status: number, problem: Record<string, unknown>, headers?: Record<string, string>] | null): void;
  /** Delivers the nth message, from a verified sender unless `more` says otherwise; `idOf(n)` is its id. */
  receive(n: number, more?: Received): Promise<void>;
  /** Ids of messages that clients marked read by PATCH, in order. */
  marked(): string[];
  /** Resolves when that many were marked read by PATCH. */
  read(count: number): Promise<void>;
  /** Sends a mail from outside; returns its id in the agent's mailbox. */
  mail(subject: string, fields?: string): Promise<string>;
}

/** Starts a world with one agent, `bot`, unless `agents` lists other slugs. */
export async function startWorld({
  agents = ["bot"],
  ...options
}: TestAppOptions & { agents?: string[] } = {}): Promise<World> {
  const app = await startTestApp({ ...options, set: { "limits.api_requests_per_minute": 100_000, ...options.set } });
  const proxy = startApiProxy(app.app.httpUrl);
  const shown = new Map<string, unknown>();
  proxy.instead = ({ method, path }) => (method === "GET" && shown.has(path) ? Response.json(shown.get(path)) : null);
  const usual = proxy.instead;

  async function api(method: string, path: string, body?: unknown): Promise<ApiAnswer["body"]> {
    const answer = await app.api(method, `/api/v1${path}`, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  const marked = () =>
    proxy.requests
      .filter(({ method, status, body }) => method === "PATCH" && status === 200 && readIn(body))
      .map(({ path }) => path.split("/").at(-1) ?? "");

  for (const slug of agents) await api("POST", "/agents", { slug, agent_mode: "local" });
  return {
    ...{ app, proxy, api },
    env: { E2A_URL: proxy.url, E2A_API_KEY: app.key },
    shows: (path, answer) => void shown.set(path, answer),
    refuses(refusal) {
      if (refusal === null) {
        proxy.instead = usual;
        return;
      }
      const [status, problem, headers] = refusal;
      const document = { type: "about:blank", title: "Refused", status, request_id: "req_1", ...problem };
      proxy.instead = () =>
        Response.json(document, { status, headers: { ...headers, "content-type": "application/problem+json" } });
    },
    async receive(n, { from = "alice@example.com", subject = `Hello ${n}`, verified = true, ...marks } = {}) {
      const text = `Text ${n}`;
      const { verdict, ...mail } = mailFor(bot, {
        ...{ from: [{ address: from, name: "" }], subject, snippet: text, receivedAt: new Date() },
        ...{ content: { text, replyText: text, headers: [{ name: "Subject", value: subject }] } },
        autoSubmitted: marks.auto_submitted ?? null,
        ...{ listId: marks.list_id ?? null, precedence: marks.precedence ?? null },
        recipients: [{ address: bot, mailbox: bot, messageId: idOf(n) }],
      });
      const { authentication } = verdict;
      const doubted = { authentication: { ...authentication, spf: { result: "none", domain: "" } as const } };
      const unproven = { ...verdict, ...doubted, verified: false, verifiedDomain: null };
      const proven = { ...verdict, verifiedDomain: "example.com" };
      await app.app.store.acceptInbound({ ...mail, verdict: verified ? proven : unproven });
    },
    marked,
    read: (count) => until(`${count} are marked read`, () => marked().length >= count),
    async mail(subject, fields = "From: alice@example.com\r\n") {
      const message = `${fields}Subject: ${subject}\r\n\r\n${subject}\r\n`;
      const { code, lines } = await deliver(app.app.smtp.port, { from: "alice@example.com", to: bot, message });
      if (code !== 250) throw new Error(lines.join("\n"));
      const { messages } = await api("GET", `/agents/${bot}/messages?status=all&sort=desc&page_size=1`);
      return messages[0].message_id;
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}
