import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { heldOf } from "../../../test/support/held-review.ts";
import type { Review } from "../../approval/review.ts";
import { approvalMarkup, approvalPage, type Outcome, outcomePage } from "./approval-pages.ts";

const review: Review = {
  messageId: "msg_0198f3a1c2d37abc8def0123456789ab",
  agent: { address: "support@agents.example", name: "Support" },
  from: { address: "support@agents.example", name: "Support" },
  to: [{ address: "ann@example.com", name: "Ann" }],
  ...{ cc: [], bcc: [{ address: "dan@example.com", name: "" }], replyTo: [] },
  firstTime: ["ann@example.com"],
  subject: "Your order",
  text: "Hello Ann.",
  html: null,
  held: heldOf("", null),
  attachments: [{ index: 0, filename: "invoice.pdf", content_type: "application/pdf", size: 84_213 }],
  hold: { rule: "first_time", reason: "The agent never wrote to ann@example.com before." },
  createdAt: new Date("2026-03-09T10:00:00Z"),
  expiresAt: new Date("2026-03-10T10:00:00Z"),
  onExpiry: "reject",
  contentHash: "0f".repeat(32),
  approveUrl: "https://e2a.example/api/v1/approve?t=OTHER-A",
  rejectUrl: "https://e2a.example/api/v1/reject?t=OTHER-R",
  reviewUrl: null,
};
const exchange = {
  inPieces: (pieces: Iterator<Uint8Array>) =>
    new Blob([...Iterator.from(pieces)] as Uint8Array<ArrayBuffer>[]).stream(),
};
const at = new Date("2026-03-09T12:00:00Z");

interface Element {
  name: string;
  attributes: Record<string, string>;
}
function elements(html: string): Element[] {
  const found: Element[] = [];
  new HTMLRewriter()
    .on("*", { element: (e) => void found.push({ name: e.tagName, attributes: Object.fromEntries(e.attributes) }) })
    .transform(html);
  return found;
}
const named = (html: string, name: string) => elements(html).filter((element) => element.name === name);
const open = (action: "approve" | "reject", change: Partial<Review> = {}) =>
  approvalPage(
    exchange,
    approvalMarkup({
      review: { ...review, held: heldOf(change.text ?? "", change.html ?? null), ...change },
      ...{ action, token: "THE-TOKEN" },
    }),
  ).text();

describe.each(["approve", "reject"] as const)("the page to %s", (action) => {
  test("shows what would leave, why it waits, and until when", async () => {
    const html = await open(action);
    for (const fact of ["ann@example.com, named “Ann”", "First time", "dan@example.com", "Your order", "Hello Ann."])
      expect(html).toContain(fact);
    for (const fact of ["invoice.pdf, application/pdf, 84.2 KB", "never wrote to", "Tue, 10 Mar 2026, 10:00 UTC"])
      expect(html).toContain(fact);
  });

  test("has one form, which posts its token to the page's own path", async () => {
    const html = await open(action);
    expect(named(html, "form").map(({ attributes }) => attributes)).toEqual([{ id: "decide", method: "post", action }]);
    const hidden = named(html, "input").map(({ attributes }) => attributes);
    expect(hidden).toEqual([{ type: "hidden", name: "t", value: "THE-TOKEN" }]);
    expect(named(html, "button")).toHaveLength(1);
  });

  test("has no token of the other action", async () => {
    const html = await open(action);
    expect(html).not.toContain("OTHER-");
    expect(html).toContain("use the other link in the email");
  });

  test("works without scripts and loads nothing", async () => {
    const html = await open(action, { html: '<img src="https://evil.example/p.gif"><script>alert(1)</script>' });
    expect(html).not.toMatch(/<(?:script|img|link|iframe|object|meta http-equiv)/i);
    expect(
      elements(html).filter(({ attributes }) => Object.keys(attributes).some((a) => /^(?:src|on)/.test(a))),
    ).toEqual([]);
  });
});

test("a rejection may have a reason of 1,000 characters, under a label", async () => {
  const html = await open("reject");
  const [area] = named(html, "textarea");
  expect(area?.attributes).toMatchObject({ name: "reason", maxlength: "1000", id: "reason" });
  expect(area?.attributes.required).toBeUndefined();
  expect(named(html, "label").map(({ attributes }) => attributes.for)).toEqual(["reason"]);
  expect(named(await open("approve"), "textarea")).toEqual([]);
});

test("held words become no markup, and hide nothing", async () => {
  const evil = `</div></title></style><form action=https://evil.example><button>Approve and send</button><script>alert(1)</script>"'\u202e`;
  const mailbox = { address: `"${evil}"@example.com`, name: evil };
  const html = await open("approve", {
    ...{ agent: mailbox, from: mailbox, to: [mailbox], replyTo: [mailbox], subject: evil, text: evil, html: evil },
    attachments: [{ index: 0, filename: evil, content_type: evil, size: 1 }],
    held: heldOf("", evil, {
      links: [{ text: evil, host: "evil.example", url: evil }],
      notes: [evil],
      attachmentTexts: [{ index: 0, text: evil, moreChars: 7 }],
      unsearched: [{ name: evil, why: evil }],
    }),
    hold: { rule: evil, reason: evil },
  });
  expect(named(html, "form")).toHaveLength(1);
  expect(named(html, "button")).toHaveLength(1);
  expect(named(html, "script")).toEqual([]);
  expect(named(html, "a").map(({ attributes }) => attributes.href)).toEqual([
    ...["#decide", "approve/attachments/0?t=THE-TOKEN"],
  ]);
  expect(html).not.toContain("\u202e");
});

test("a long text and the source of the HTML come whole", async () => {
  const text = `${"word ".repeat(100_000)}the end`;
  const html = await open("approve", { text, html: `<!-- hidden note --><p>${"x".repeat(300_000)}</p><i>last</i>` });
  for (const part of [text, "&lt;!-- hidden note --&gt;", "&lt;i&gt;last&lt;/i&gt;"]) expect(html).toContain(part);
});

const { messageId } = review;
const outcomes: [Outcome, number, string[]][] = [
  [{ kind: "approved", messageId, undoSeconds: 0 }, 200, ["Approved", "is sent now, exactly as you saw it"]],
  [
    { kind: "approved", messageId, undoSeconds: 30 },
    200,
    ["is sent in 30 seconds, exactly as you saw it", `<code>e2a pending undo ${messageId}</code>`],
  ],
  [{ kind: "rejected", reason: null }, 200, ["Rejected", "will not be sent"]],
  [{ kind: "rejected", reason: "Too <b>short</b>." }, 200, ["Too &lt;b&gt;short&lt;/b&gt;."]],
  [
    { kind: "decided", messageId, decision: "rejected", by: "ann@example.com", how: "cli", at },
    409,
    ["Already rejected", "by ann@example.com, on the command line, on Mon, 9 Mar 2026, 12:00 UTC", "changed nothing"],
  ],
  [
    { kind: "decided", messageId, decision: "approved", by: "expiry", how: "expiry", at },
    409,
    [
      "Already approved",
      "automatically, because no one decided in time, on",
      `<code>e2a pending undo ${messageId}</code>`,
    ],
  ],
  [{ kind: "decided", messageId, decision: "cancelled", by: null, how: null, at: null }, 409, ["was cancelled."]],
  [{ kind: "superseded", reviewUrl: null }, 409, ["has changed", "e2a pending list"]],
  [{ kind: "superseded", reviewUrl: "https://e2a.example/r" }, 409, ['href="https://e2a.example/r"']],
  [
    { kind: "expired", ended: { at, onExpiry: "reject" } },
    410,
    ["was rejected and nothing was sent", "write it again"],
  ],
  [{ kind: "expired", ended: { at, onExpiry: "approve" } }, 410, ["so the email was sent"]],
  [{ kind: "expired", ended: null }, 410, ["has expired", "no longer waiting"]],
  [{ kind: "forged" }, 400, ["does not work", "Open the link in the email again"]],
  [{ kind: "gone" }, 404, ["deleted"]],
  [{ kind: "invalid", problem: "The reason is too long." }, 400, ["The reason is too long.", "Go back"]],
];
for (const [outcome, status, sentences] of outcomes)
  test(`${JSON.stringify(outcome).slice(0, 70)} is a page that says what to do`, async () => {
    const response = outcomePage(outcome);
    expect(response.status).toBe(status);
    const html = await response.text();
    for (const sentence of sentences) expect(html).toContain(sentence);
    expect(named(html, "form")).toEqual([]);
  });

test("every page is private, unframed, and allowed its own style and nothing else", async () => {
  for (const response of [
    approvalPage(exchange, approvalMarkup({ review, action: "approve", token: "t" })),
    outcomePage({ kind: "forged" }),
  ]) {
    const header = (name: string) => response.headers.get(name);
    expect(header("cache-control")).toBe("no-store");
    expect(header("x-frame-options")).toBe("DENY");
    expect(header("referrer-policy")).toBe("no-referrer");
    expect(header("x-robots-tag")).toContain("noindex");
    expect(header("x-content-type-options")).toBe("nosniff");
    const policy = header("content-security-policy") ?? "";
    for (const part of ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
      expect(policy).toContain(part);
    const html = await response.text();
    const style = /<style>(.*?)<\/style>/s.exec(html)?.[1] ?? "";
    expect(policy).toContain(`'sha256-${createHash("sha256").update(style).digest("base64")}'`);
    expect(html).toMatch(/<html lang="en">[\s\S]*<title>[^<]+ · e2a<\/title>/);
    expect(elements(html).some(({ attributes }) => "style" in attributes)).toBe(false);
  }
});
