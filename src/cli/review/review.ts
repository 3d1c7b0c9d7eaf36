/** The interactive review: one held mail after another, and a key for each decision. */

import { CliError, exitCode, serverFailure } from "../connect/failure.ts";
import type { Session } from "../connect/session.ts";
import type { Approved, Bound, MailEdit, Outbound } from "../connect/shapes.ts";
import { once } from "../mail/once.ts";
import { type Said, sentText } from "../mail/transmit.ts";
import { rows, write } from "../terminal/io.ts";
import { plain } from "../terminal/output.ts";
import { isCancelled, key, text } from "../terminal/prompts.ts";
import { editAndApprove } from "./edit.ts";
import { pageText } from "./editor.ts";
import { heldText } from "./held.ts";

const outcomes = ["approved", "edited", "rejected", "skipped", "failed", "gone"] as const;
type Outcome = (typeof outcomes)[number];

const outcomeWords: Record<Outcome, string> = {
  approved: "approved",
  edited: "approved with changes",
  rejected: "rejected",
  skipped: "skipped",
  failed: "not decided because of an error",
  gone: "decided or changed elsewhere",
};

/** How often a mail that changes during its review is shown again before it is skipped. */
const SHOWN_AGAIN_MAX = 3;
/** The server refuses longer reasons. */
const REASON_CHARS_MAX = 1000;
/** Lines besides the mail's text that should fit on the screen: facts, links, the question. */
const OTHER_ROWS = 22;
/** The text gets this many lines even on a small terminal. */
const TEXT_ROWS_MIN = 10;

/**
 * Goes through held mails. Each is fetched when its turn comes, and a decision names the content that was shown. Ends
 * with a summary. Throws exit 1 if an error kept a mail from being decided, and immediately if the key may not decide.
 */
export async function review(session: Session, waiting: readonly Outbound[]): Promise<void> {
  const { io, paint } = session;
  const tally: Outcome[] = [];
  try {
    for (const [i, { id }] of waiting.entries()) {
      const outcome = await one(session, id, `${i + 1} of ${waiting.length}`);
      if (outcome === "quit") break;
      tally.push(outcome);
    }
  } finally {
    await write(io.stdout, `\n${paint("bold", summary(tally, waiting.length))}\n`);
  }
  if (tally.includes("failed")) throw new CliError("", { exit: exitCode.failed, code: "not_decided" });
}

function summary(tally: Outcome[], total: number): string {
  const count = (outcome: Outcome) => tally.filter((one) => one === outcome).length;
  const parts = outcomes.filter(count).map((outcome) => `${count(outcome)} ${outcomeWords[outcome]}`);
  const left = total - tally.length;
  if (left > 0) parts.push(`${left} not looked at`);
  const waits = left + count("skipped") + count("failed");
  const still = waits > 0 ? ` ${waits} still ${waits === 1 ? "waits" : "wait"}: e2a pending` : "";
  return `${total} held: ${parts.join(", ")}.${still}`;
}

/** Reviews one mail until it is decided or skipped. One that has changed is shown again, at most `again` times. */
async function one(session: Session, id: string, progress: string, again = SHOWN_AGAIN_MAX): Promise<Outcome | "quit"> {
  try {
    const mail = await session.client.outbox.get(id, { data: false });
    if (mail.status === "pending_approval") return await decide(session, mail, progress);
    await note(session, `${plain(mail.subject)}: ${plain(mail.status.replaceAll("_", " "))} meanwhile.`);
    return "gone";
  } catch (error) {
    if (isCancelled(error)) return "quit";
    const failure = serverFailure(error);
    const status = failure?.problem.status;
    // If the key may not decide, or the server is down, every mail would fail in the same way.
    if (failure === null || failure.exit === exitCode.auth || status === undefined) throw error;
    await note(
      session,
      [failure.message, failure.problem.fix]
        .filter(Boolean)
        .map((said) => plain(said ?? ""))
        .join(" "),
    );
    const mayShow = status === 409 && again > 0;
    if (mayShow && (await session.client.outbox.get(id, { data: false })).status === "pending_approval")
      return one(session, id, progress, again - 1);
    return status === 409 || status === 404 ? "gone" : "failed";
  }
}

async function decide(session: Session, mail: Outbound, progress: string): Promise<Outcome | "quit"> {
  const { io, paint, client, width } = session;
  const { text: shown, isCut } = await heldText(session, mail, Math.max(TEXT_ROWS_MIN, rows(io.stdout) - OTHER_ROWS));
  const title = `── ${progress} `;
  const rule = paint("cyan", title + "─".repeat(Math.max(0, width - title.length)));
  await write(io.stdout, `\n${rule}\n\n${shown}\n\n`);
  const seen = boundTo(mail);
  const approve = async (edit: MailEdit): Promise<Outcome> => {
    const changed = Object.keys(edit).length > 0;
    const decision = { ...edit, ...seen };
    const sent = await once((options) => client.approvals.approve(mail.id, decision, options), { wait: true });
    await write(io.stdout, `${sentText(session, sent, approvedWords(sent))}\n`);
    return changed ? "edited" : "approved";
  };
  for (;;) {
    const choice = await key(io, `Mail ${progress}: what now?`, [
      { value: "s", label: "Skip", hint: "it keeps waiting; also Enter" },
      { value: "a", label: "Approve", hint: "it leaves as you see it" },
      { value: "e", label: "Edit, then approve" },
      { value: "r", label: "Reject" },
      ...(isCut ? [{ value: "v" as const, label: "View all of it" }] : []),
      { value: "q", label: "Quit" },
    ]);
    if (choice === "q") return "quit";
    if (choice === "s") return "skipped";
    if (choice === "a") return approve({});
    if (choice === "v")
      await pageText(io, `${(await heldText({ ...session, paint: (_, text) => text }, mail)).text}\n`);
    const outcome = await goingBack(async () => {
      if (choice === "e") return editAndApprove(session, mail, approve);
      return choice === "r" ? reject(session, mail) : null;
    });
    if (outcome) return outcome;
  }
}

async function reject(session: Session, mail: Outbound): Promise<Outcome> {
  const { io, paint, client } = session;
  const reason = await text(io, "Why? The agent can read it. (May stay empty; Escape goes back.)", {
    check: (value) => (value.length > REASON_CHARS_MAX ? `At most ${REASON_CHARS_MAX} characters.` : undefined),
  });
  await client.approvals.reject(mail.id, { ...(reason ? { reason } : {}), ...boundTo(mail) });
  await write(io.stdout, `${paint("green", "✓")} Rejected${reason ? `: ${plain(reason)}` : "."}\n`);
  return "rejected";
}

/** Null if the user cancels a question below the first one. */
async function goingBack<T>(step: () => Promise<T | null>): Promise<T | null> {
  try {
    return await step();
  } catch (error) {
    if (isCancelled(error)) return null;
    throw error;
  }
}

/**
 * The texts for an approval: `Approved, with another subject, text. `, and how to take it back while the mail waits.
 */
export function approvedWords({ edited, edited_parts: parts = [], status, message_id: id }: Approved): Said {
  const changed = parts.map((part) => partNames[part] ?? plain(part)).join(", ");
  const how = changed ? `, with another ${changed}` : edited ? " with changes" : "";
  const behind = status === "queued" ? `; until it leaves, take it back: e2a pending undo ${plain(id)}` : "";
  return { before: `Approved${how}. `, behind };
}

const partNames: Record<string, string> = { body_text: "text", body_html: "HTML" };

/** Binds a decision to the content that was shown. */
export function boundTo({ content_hash: hash }: Outbound): Bound {
  return hash ? { content_hash: hash } : {};
}

function note({ io, paint }: Session, line: string): Promise<void> {
  return write(io.stdout, `${paint("yellow", "!")} ${line}\n`);
}
