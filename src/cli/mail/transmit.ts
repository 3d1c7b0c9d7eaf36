/** The last step of `send`, `reply` and `forward`: posts the mail and shows the server's answer. */
import type { PostOptions } from "../../../sdks/typescript/src/index.ts";
import { CliError, exitCode } from "../connect/failure.ts";
import type { Session } from "../connect/session.ts";
import type { Sent } from "../connect/shapes.ts";
import { plain, until } from "../terminal/output.ts";
import { uploadProgress } from "../terminal/progress.ts";
import { differ, names, recipientTable, statusMark, statusWords } from "./fates.ts";
import { once } from "./once.ts";

/** Texts before and after the server's answer. */
export interface Said {
  before: string;
  behind: string;
}

const nothingMore: Said = { before: "", behind: "" };

/**
 * Posts a mail, with progress on a terminal, and shows the server's answer between the texts of `said`. Throws exit
 * code 3 if the mail is held, and 1 if a recipient's server refused it.
 */
export async function transmit<S extends Sent>(
  session: Session,
  wait: boolean,
  post: (options: PostOptions) => Promise<S>,
  said: (sent: S) => Said = () => nothingMore,
): Promise<void> {
  const progress = uploadProgress(session.io);
  const sent = await once(post, { wait, onUpload: progress.onUpload }).finally(progress.end);
  await session.show(sent, () => sentText(session, sent, said(sent)));
  // The output is complete; only the exit code is missing.
  if (sent.status === "pending_approval") throw new CliError("", { exit: exitCode.held, code: "held" });
  const recipients = sent.recipients ?? [];
  const lost = recipients.filter(({ status }) => status === "failed" || status === "bounced");
  if (lost.length === 0) return;
  const others = lost.length < recipients.length ? " Do not send it to the others again." : "";
  throw new CliError(`Not delivered to ${names(lost.map(({ address }) => address))}.`, {
    code: "not_delivered",
    fix: `\`e2a outbox ${plain(sent.message_id)}\` says why.${others}`,
  });
}

/** The server's answer as text: one line, and a table if the recipients differ. */
export function sentText(session: Session, sent: Sent, { before, behind } = nothingMore): string {
  const { paint } = session;
  const recipients = sent.recipients ?? [];
  const { mark, style } = statusMark(sent.status);
  const note = sent.fix ? `\n${paint("yellow", "!")} ${plain(sent.fix)}` : "";
  const line = `${paint(style, mark)} ${before}${sentence(sent)}${behind}${note}`;
  return differ(recipients) ? `${line}\n\n${recipientTable(session, recipients)}` : line;
}

function sentence(sent: Sent): string {
  const { status, method, hold } = sent;
  const id = plain(sent.message_id);
  const recipients = sent.recipients ?? [];
  const to = names(recipients.map(({ address }) => address));
  if (status === "pending_approval") {
    const reason = plain(hold?.reason ?? "It waits for a person's approval.");
    const expires = sent.approval_expires_at ? ` Expires ${until(sent.approval_expires_at, Date.now())}.` : "";
    const next = hold?.rule === "loop" ? `Let it go: e2a outbox ${id} --release` : `Decide: e2a pending ${id}`;
    return `Held: ${reason}${expires} ${next}`;
  }
  if (status === "queued") return `Queued${to && ` for ${to}`}, see e2a outbox ${id}`;
  if (status !== "sent") return `${statusWords(status)}: ${to} (${id})`;
  if (method === "capture") return `Kept for ${to}, not sent: this server has no upstream yet. See e2a outbox ${id}`;
  const taken = recipients.filter((recipient) => recipient.status === "sent" || recipient.status === "delivered");
  const by = method && !differ(taken) ? ` by ${plain(method)}` : "";
  return `Sent to ${names(taken.map(({ address }) => address)) || to}${by} (${id})`;
}
