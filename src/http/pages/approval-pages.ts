/**
 * The pages that links in reviewer mail open: HTML without scripts or external resources. Opening one decides nothing.
 */
import { type Review, showReview, showTime } from "../../approval/review.ts";
import { visibleLine, visibleText } from "../../message/text/visible.ts";
import type { DecisionChannel } from "../../store/schema.ts";
import { html, type SafeHtml } from "../../util/html.ts";
import { pageShell } from "../../util/page.ts";
import { bodyOf } from "../framework/large-answer.ts";
import type { Exchange } from "../framework/resource.ts";

/** The longest reason for a rejection, in characters. The form enforces it, and the server must check it again. */
export const REASON_CHARS_MAX = 1_000;

/**
 * `no-referrer` keeps other servers from seeing the token, which is in the URL. It also makes the browser send the form
 * with `Origin: null` (Fetch 3.2), so the origin must not be checked: the token in the form proves the reviewer.
 */
const shell = pageShell({
  formTo: "'self'",
  style: `
:root { --soft: color-mix(in srgb, currentColor 6%, transparent); --muted: color-mix(in srgb, currentColor 72%, transparent); }
body { max-width: 44rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; }
h2 { font-size: .875rem; margin: 1.25rem 0 .25rem; color: var(--muted); }
p { margin: 0 0 .75rem; }
.quote { margin: 0 0 .25rem; padding: .5rem .75rem; border-left: 4px solid var(--line); background: var(--soft); white-space: pre-wrap; overflow: hidden; }
.note { margin: 0 0 .5rem 1rem; font-size: .875rem; font-weight: 600; color: light-dark(#92400e, #fbbf24); }
.muted { font-size: .875rem; color: var(--muted); }
.source { font: 14px/1.4 ui-monospace, monospace; }
summary { cursor: pointer; padding: .5rem 0; }
form { margin: 1.5rem 0 0; padding: 1.25rem 0 0; border-top: 1px solid var(--line); }
form + p { margin-top: 1rem; }
label { display: block; font-weight: 600; }
textarea { width: 100%; margin: .25rem 0 1rem; padding: .5rem .75rem; font: inherit; color: inherit; background: transparent; border: 1px solid color-mix(in srgb, currentColor 55%, transparent); border-radius: 6px; }
button { min-height: 3rem; padding: .625rem 1.5rem; font: inherit; font-weight: 600; color: #fff; border: 0; border-radius: 6px; cursor: pointer; }
.approve { background: #166534; }
.reject { background: #b91c1c; }
@media (max-width: 30rem) { button { width: 100%; } }
`,
});

/**
 * Writes the page that a valid link opens: the whole held mail, and below it the form for the one action of the token.
 * The form posts `t`, and for a rejection `reason` (optional, at most 1,000 characters), to the path of the page.
 */
export function approvalMarkup(page: { review: Review; action: "approve" | "reject"; token: string }): string {
  const { review, action, token } = page;
  const { who, why, expiry, facts, bodies } = showReview(review);
  return shell.markup(
    action === "approve" ? "Send this email?" : "Reject this email?",
    html`<p><b>${who}</b> wants to send it. No decision has been made yet.</p>
<p><b>Why it is held:</b> ${why}</p>
<p>${expiry}</p>
<p><a href="#decide">${action === "approve" ? "Go to the button that sends it" : "Go to the button that rejects it"}</a></p>
${facts.map(
  ({ label, lines }) =>
    html`${heading(label)}${lines.map(({ text, notes }) => html`${quote(text)}${notes.map(note)}`)}`,
)}${bodies.map(
  ({ label, text, notes }) => html`${heading(label)}${text.trim() === "" ? "" : quote(text)}${notes.map(note)}`,
)}${review.html === null ? "" : source(review.html)}
${review.attachments.map((attachment) => attached(attachment, page))}
<p class="muted">End of the email. The boxes quote it; this server wrote everything else.</p>
${action === "approve" ? approveForm(token) : rejectForm(token)}
${
  review.reviewUrl === null
    ? ""
    : html`<p class="muted"><a href="${review.reviewUrl}">Edit it or view it in the dashboard</a></p>
`
}<p class="muted">On the command line: <code>${
      action === "approve"
        ? `e2a pending approve ${review.messageId}`
        : `e2a pending reject ${review.messageId} --reason "…"`
    }</code></p>`,
  );
}

function approveForm(token: string): SafeHtml {
  return html`<form id="decide" method="post" action="approve">
<input type="hidden" name="t" value="${token}">
<button class="approve">Approve and send</button>
</form>
<p class="muted">To reject it, use the other link in the email. To decide later, close this page.</p>`;
}

function rejectForm(token: string): SafeHtml {
  return html`<form id="decide" method="post" action="reject">
<input type="hidden" name="t" value="${token}">
<label for="reason">Reason (optional)</label>
<p class="muted" id="reason-reader">The agent reads it and can do better next time.</p>
<textarea id="reason" name="reason" rows="4" maxlength="${String(REASON_CHARS_MAX)}" aria-describedby="reason-reader"></textarea>
<button class="reject">Reject</button>
</form>
<p class="muted">To approve it, use the other link in the email. To decide later, close this page.</p>`;
}

/** An attachment: a link to the file, and its text if it has any. */
function attached(
  { index, filename }: Review["attachments"][number],
  { review, action, token }: { review: Review; action: "approve" | "reject"; token: string },
): SafeHtml {
  const read = review.held.attachmentTexts.find((one) => one.index === index);
  const more = read?.moreChars ? `${read.moreChars} more characters are in the file.` : null;
  return html`${heading(`Attachment ${index + 1}`)}${quote(visibleLine(filename))}
<p><a href="${action}/attachments/${String(index)}?t=${encodeURIComponent(token)}" download>Download the file</a></p>
${
  read
    ? html`<details>
<summary>The file as text</summary>
${read.text.trim() === "" ? note("It has no text.") : quote(visibleText(read.text))}${more ? note(more) : ""}
</details>`
    : note("The file is not text, so it is not shown here.")
}`;
}

/** The source of the HTML as it would leave, including what no text form shows: hidden parts, styles and pictures. */
function source(markup: string): SafeHtml {
  return html`<details>
<summary>The full source of the HTML version</summary>
<div class="quote source" dir="ltr">${visibleText(markup)}</div>
</details>`;
}

/** The outcome of opening a link or pressing a button. */
export type Outcome =
  /** `undoSeconds`: how long the approval can be taken back; 0 if it cannot. */
  | { kind: "approved"; messageId: string; undoSeconds: number }
  | { kind: "rejected"; reason: string | null }
  /** `by` is an address, or `expiry`. */
  | {
      kind: "decided";
      messageId: string;
      decision: "approved" | "rejected" | "cancelled";
      by: string | null;
      how: DecisionChannel | null;
      at: Date | null;
    }
  /** The content changed after the link was made. */
  | { kind: "superseded"; reviewUrl: string | null }
  /** When the time to decide ended, and what happened then; null if the message is no longer known. */
  | { kind: "expired"; ended: { at: Date; onExpiry: "approve" | "reject" } | null }
  | { kind: "forged" }
  /** The person the link was mailed to no longer reviews this agent's mail. */
  | { kind: "dismissed" }
  /** The message is deleted. */
  | { kind: "gone" }
  /** An invalid form, such as a reason that is too long; `problem` is one sentence. Nothing was decided. */
  | { kind: "invalid"; problem: string };

/** Builds the page that says what happened, and what to do now. Status: 200, 400, 404, 409 or 410. */
export function outcomePage(outcome: Outcome): Response {
  const { status, title, sentences } = words(outcome);
  return shell.respond(
    title,
    html`${sentences.map(
      (sentence) => html`<p>${sentence}</p>
`,
    )}`,
    status,
  );
}

function words(outcome: Outcome): { status: number; title: string; sentences: (string | SafeHtml)[] } {
  switch (outcome.kind) {
    case "approved":
      return {
        status: 200,
        title: "Approved",
        sentences: [
          outcome.undoSeconds === 0
            ? "The email is sent now, exactly as you saw it. If the agent is paused, it is sent when the agent resumes."
            : html`The email is sent in ${String(outcome.undoSeconds)} seconds, exactly as you saw it. Until then, you can undo the approval in the dashboard or on the command line: ${undoCommand(outcome.messageId)}`,
          "You can close this page.",
        ],
      };
    case "rejected":
      return {
        status: 200,
        title: "Rejected",
        sentences: [
          "The email will not be sent. The agent is told that it was rejected.",
          ...(outcome.reason === null ? [] : ["It also reads your reason:", quote(visibleText(outcome.reason))]),
          "You can close this page.",
        ],
      };
    case "decided":
      return {
        status: 409,
        title: `Already ${outcome.decision}`,
        sentences: [
          `${decidedSentence(outcome)} Your click changed nothing.`,
          outcome.decision === "approved"
            ? html`An email that has left cannot be recalled. If it has not left yet, undo the approval in the dashboard or on the command line: ${undoCommand(outcome.messageId)}`
            : "Nothing was sent. If it should be sent, have the agent write it again.",
        ],
      };
    case "superseded":
      return {
        status: 409,
        title: "The email has changed",
        sentences: [
          "The email has changed since this link was created, so the link can no longer approve or reject it. The email is still waiting for a decision.",
          outcome.reviewUrl === null
            ? html`See what it says now: <code>e2a pending list</code>`
            : html`<a href="${outcome.reviewUrl}">See what it says now</a>, and decide there.`,
        ],
      };
    case "expired":
      return {
        status: 410,
        title: "This link has expired",
        sentences: [
          outcome.ended === null
            ? "The email that it was for is no longer waiting for a decision."
            : outcome.ended.onExpiry === "approve"
              ? `The time to decide ended on ${showTime(outcome.ended.at)}. No one had decided by then, so the email was sent, as the agent is configured.`
              : `The time to decide ended on ${showTime(outcome.ended.at)}. No one had decided by then, so the email was rejected and nothing was sent.`,
          outcome.ended?.onExpiry === "approve"
            ? "To hold mail back when no one decides, change what the agent does on expiry."
            : "If it should still be sent, have the agent write it again. You can give an agent's reviewers more time.",
        ],
      };
    case "forged":
      return {
        status: 400,
        title: "This link does not work",
        sentences: [
          "The link is incomplete, or this server did not create it. Nothing was decided.",
          "Open the link in the email again. If your mail program split it across two lines, copy both.",
          html`Or decide on the command line: <code>e2a pending list</code>`,
        ],
      };
    case "dismissed":
      return {
        status: 410,
        title: "You no longer review this mail",
        sentences: [
          "The address that this link was mailed to no longer reviews this agent's mail. Nothing was decided; the email is still waiting.",
          "If that is a mistake, ask the agent's owner.",
        ],
      };
    case "gone":
      return {
        status: 404,
        title: "The email is gone",
        sentences: [
          "It was deleted, by its owner or with its agent, and will not be sent. There is nothing left to decide.",
        ],
      };
    case "invalid":
      return {
        status: 400,
        title: "Nothing was decided",
        sentences: [visibleLine(outcome.problem), "Go back, change it, and press the button again."],
      };
  }
}

const channels: Record<DecisionChannel, string> = {
  api: "through the API",
  session: "in the dashboard",
  cli: "on the command line",
  link: "by a link from the email",
  expiry: "automatically, because no one decided in time",
};

function undoCommand(messageId: string): SafeHtml {
  return html`<code>e2a pending undo ${messageId}</code>`;
}

function decidedSentence({ decision, by, how, at }: Extract<Outcome, { kind: "decided" }>): string {
  const who = by === null || how === "expiry" || by === "expiry" ? "" : ` by ${visibleLine(by)}`;
  const way = how === null ? "" : `, ${channels[how]}`;
  return `This mail was ${decision}${who}${way}${at === null ? "" : `, on ${showTime(at)}`}.`;
}

function heading(label: string): SafeHtml {
  return html`<h2>${label}</h2>
`;
}

/** Words of the held mail. */
function quote(text: string): SafeHtml {
  return html`<div class="quote" dir="auto">${text}</div>
`;
}

/** The server's words about what is above. */
function note(text: string): SafeHtml {
  return html`<p class="note">${text}</p>
`;
}

/** Answers with the page that `approvalMarkup` wrote. */
export function approvalPage(exchange: Pick<Exchange, "inPieces">, markup: string): Response {
  return new Response(bodyOf(exchange, Buffer.from(markup)), { headers: shell.headers });
}
