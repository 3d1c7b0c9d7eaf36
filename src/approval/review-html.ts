import { html, raw, type SafeHtml } from "../util/html.ts";
import type { Review, ShownReview } from "./review.ts";

/**
 * The styles that Outlook needs are inline, because it ignores most of a style sheet. The sheet only sets the colours
 * for dark mode. No tables, no pictures, no remote content.
 */
const font = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const look = {
  body: `margin:0;padding:16px;background:#f4f4f5;color:#18181b;${font};font-size:16px;line-height:1.5`,
  card: "max-width:640px;margin:0 auto;padding:20px;background:#ffffff;border:1px solid #e4e4e7;border-radius:8px",
  title: "margin:0 0 12px;font-size:20px;line-height:1.3;overflow-wrap:anywhere",
  line: "margin:0 0 8px;overflow-wrap:anywhere",
  label: "margin:16px 0 4px;font-size:13px;font-weight:bold;color:#52525b",
  muted: "margin:8px 0;font-size:14px;color:#52525b;overflow-wrap:anywhere",
  quote:
    "margin:0 0 4px;padding:8px 12px;background:#f4f4f5;border-left:4px solid #a1a1aa;white-space:pre-wrap;overflow-wrap:anywhere;word-break:break-word;overflow:hidden",
  note: "margin:0 0 8px 16px;font-size:14px;font-weight:bold;color:#92400e;overflow-wrap:anywhere",
  buttons: "margin:20px 0 4px",
  // Outlook draws the border instead of a padding.
  approve:
    "display:inline-block;margin:0 8px 8px 0;border:10px solid #166534;border-left-width:18px;border-right-width:18px;border-radius:6px;background:#166534;color:#ffffff;font-weight:bold;text-decoration:none",
  reject:
    "display:inline-block;margin:0 8px 8px 0;border:10px solid #e4e4e7;border-left-width:18px;border-right-width:18px;border-radius:6px;background:#e4e4e7;color:#991b1b;font-weight:bold;text-decoration:none",
  code: "margin:4px 0;font-family:ui-monospace,Consolas,monospace;font-size:13px;overflow-wrap:anywhere",
  entry: "margin:16px 0 0;padding:16px 0 0;border-top:1px solid #e4e4e7",
};

const darkSheet = `
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
.body { background: #18181b !important; color: #f4f4f5 !important; }
.card { background: #27272a !important; border-color: #3f3f46 !important; }
.muted { color: #a1a1aa !important; }
.quote { background: #18181b !important; border-left-color: #71717a !important; }
.note { color: #fbbf24 !important; }
.approve { background: #15803d !important; border-color: #15803d !important; }
.reject { background: #3f3f46 !important; border-color: #3f3f46 !important; color: #fca5a5 !important; }
.entry { border-top-color: #3f3f46 !important; }
.link { color: #93c5fd !important; }
}
`;

/** Writes the HTML of the mail about one held message. */
export function reviewHtml(review: Review, { who, why, expiry, facts, bodies }: ShownReview): string {
  const links = buttons([
    { label: "Approve…", url: review.approveUrl, kind: "approve" },
    { label: "Reject…", url: review.rejectUrl, kind: "reject" },
  ]);
  return document(
    "An email is waiting for your decision",
    html`<p style="${look.line}"><b>${who}</b> wants to send the email below.</p>
<p style="${look.line}"><b>Why it is held:</b> ${why}</p>
<p style="${look.line}">${expiry}</p>
${links}
<p class="muted" style="${look.muted}">Each opens a page that shows the email again and asks you to confirm.</p>
${facts.map(
  ({ label, lines }) =>
    html`${heading(label)}${lines.map(({ text, notes }) => html`${quote(text)}${notes.map(note)}`)}`,
)}
${bodies.map(
  ({ label, text, notes }) => html`${heading(label)}${text.trim() === "" ? "" : quote(text)}${notes.map(note)}`,
)}
<p class="muted" style="${look.muted}">End of the held email. The boxes quote it; this server wrote everything else.</p>
${links}
${
  review.reviewUrl === null
    ? ""
    : html`<p style="${look.line}"><a class="link" href="${review.reviewUrl}">Edit it or view it in the dashboard</a></p>
`
}<p class="muted" style="${look.muted}">On the command line:</p>
<p style="${look.code}">e2a pending approve ${review.messageId}</p>
<p style="${look.code}">e2a pending reject ${review.messageId} --reason "…"</p>`,
  );
}

/** One hold in a digest. `subject` and `recipients` quote the held mail. */
export interface DigestEntry {
  agent: string;
  recipients: string;
  subject: string;
  why: string;
  expiry: string;
  age: string;
  messageId: string;
  /** Pages that show the whole mail. Opening a page decides nothing. */
  pages: { label: string; url: string }[];
}

/** Writes the HTML of a digest. */
export function digestHtml(title: string, entries: readonly DigestEntry[], more: string | null): string {
  return document(
    title,
    html`<p style="${look.line}">Each email has its own page, where you decide. Opening a page decides nothing.</p>
${entries.map(
  (entry) => html`<div class="entry" style="${look.entry}">
<p style="${look.line}"><b>${entry.agent}</b></p>
${quote(`To: ${entry.recipients}\nSubject: ${entry.subject}`)}
<p class="muted" style="${look.muted}">${entry.why}<br>${entry.age} ${entry.expiry}</p>
${entry.pages.map(
  ({ label, url }) => html`<p style="${look.line}"><a class="link" href="${url}">${label}</a></p>
`,
)}<p style="${look.code}">e2a pending show ${entry.messageId}</p>
</div>
`,
)}${more === null ? "" : html`<p class="entry" style="${look.entry}">${more}</p>`}`,
  );
}

function document(title: string, content: SafeHtml): string {
  const { text } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${title}</title>
<style>${raw(darkSheet)}</style>
</head>
<body class="body" style="${look.body}">
<div class="body" style="${look.body.replace("padding:16px", "padding:0")}">
<div class="card" style="${look.card}">
<h1 style="${look.title}">${title}</h1>
${content}
</div>
</div>
</body>
</html>
`;
  return text;
}

function heading(label: string): SafeHtml {
  return html`<p class="muted" style="${look.label}">${label}</p>
`;
}

/** The held mail's own words. */
function quote(text: string): SafeHtml {
  return html`<div class="quote" dir="auto" style="${look.quote}">${text}</div>
`;
}

/** The server's words about the text above. */
function note(text: string): SafeHtml {
  return html`<p class="note" style="${look.note}">${text}</p>
`;
}

function buttons(links: readonly { label: string; url: string; kind: "approve" | "reject" }[]): SafeHtml {
  return html`<p style="${look.buttons}">${links.map(
    ({ label, url, kind }) => html`<a class="${kind}" style="${look[kind]}" href="${url}">${label}</a>`,
  )}</p>`;
}
