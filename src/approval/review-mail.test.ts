import { describe, expect, test } from "bun:test";
import { heldOf } from "../../test/support/held-review.ts";
import { unknownReview } from "./plain-review.ts";
import type { Review } from "./review.ts";
import { digestMail, reviewMail } from "./review-mail.ts";

const plain: Review = {
  messageId: "msg_0198f3a1c2d37abc8def0123456789ab",
  agent: { address: "support@agents.example", name: "Support" },
  from: { address: "support@agents.example", name: "Support" },
  to: [
    { address: "ann@example.com", name: "Ann" },
    { address: "bob@example.com", name: "" },
  ],
  cc: [{ address: "carol@example.com", name: "" }],
  bcc: [{ address: "dan@example.com", name: "" }],
  replyTo: [{ address: "answers@example.com", name: "" }],
  firstTime: ["ann@example.com"],
  subject: "Your order",
  text: "Hello Ann,\nthank you.\n",
  html: null,
  attachments: [{ index: 0, filename: "invoice.pdf", content_type: "application/pdf", size: 84_213 }],
  held: heldOf("", null),
  headers: [{ name: "List-Unsubscribe", value: "<https://lists.example/leave>" }],
  hold: { rule: "first_time", reason: "The agent never wrote to ann@example.com before." },
  createdAt: new Date("2026-03-09T10:00:00Z"),
  expiresAt: new Date("2026-03-10T10:00:00Z"),
  onExpiry: "reject",
  contentHash: "0f".repeat(32),
  approveUrl: "https://e2a.example/api/v1/approve?t=AAA",
  rejectUrl: "https://e2a.example/api/v1/reject?t=BBB",
  reviewUrl: null,
};

test.each([
  ["short", "<p>Transfer 900 EUR.</p>", "<p>Transfer 900 EUR.</p>", null],
  [
    "long",
    `<p>Transfer 900 EUR.</p>${"<p>a".repeat(100_000)}`,
    "<p>Transfer 900 EUR.</p><p>a",
    /^268\d\d\d more characters/,
  ],
])("%s HTML that could not be read is mentioned, and shown as source", (_, html, begins, cut) => {
  const { text } = reviewMail({ ...plain, html, held: unknownReview(plain.contentHash) });
  expect(theirs(text)).toContain(`thank you.\n`);
  expect(theirs(text)).toContain(`\n${begins}`);
  const notes = ours(text).flatMap((line) => (line.startsWith("  ^ ") ? [line.slice(4)] : []));
  expect(notes).toContain(
    "There is also an HTML version, which most recipients see. It could not be read; its source is below.",
  );
  expect(notes).toContain("Reading the message for its reviewers takes too much time or memory.");
  expect(notes.filter((note) => cut?.test(note))).toHaveLength(cut ? 1 : 0);
  expect(notes.join()).not.toContain("the same text");
});

test("a text that could not be read for reviewers has a note that says so", () => {
  const { text } = reviewMail({ ...plain, held: unknownReview(plain.contentHash) });
  expect(ours(text)).toContain("  ^ Reading the message for its reviewers takes too much time or memory.");
});

const withContent = (text: string, html: string | null = null): Review => ({
  ...plain,
  ...{ text, html, held: heldOf(text, html) },
});
/** The server's lines: all that do not begin with `|`. */
const ours = (text: string) => text.split("\n").filter((line) => !line.startsWith("|"));
/** The held mail's words, with broken lines joined again. */
const theirs = (text: string) =>
  text
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .join("\n")
    .replace(/\n\|\+/g, "")
    .replace(/^\| /gm, "");
/** What a reader of the HTML sees. */
const seen = (html: string) => {
  const words: string[] = [];
  new HTMLRewriter().on("body *", { text: (chunk) => void words.push(chunk.text) }).transform(html);
  return words
    .join("")
    .replace(/&(amp|lt|gt|quot|#x27);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">", quot: '"' })[name as "lt"] ?? "'");
};
const elements = (html: string) => {
  const names: string[] = [];
  new HTMLRewriter().on("*", { element: (element) => void names.push(element.tagName) }).transform(html);
  return names;
};
const targets = (html: string) => {
  const urls: (string | null)[] = [];
  new HTMLRewriter()
    .on("[href]", { element: (element) => void urls.push(element.getAttribute("href")) })
    .transform(html);
  return urls;
};

describe("a reviewer reads in the text and in the HTML", () => {
  const mail = reviewMail({ ...plain, reviewUrl: "https://e2a.example/review" });
  const facts = [
    "support@agents.example",
    "ann@example.com, named “Ann”",
    "First time",
    "bob@example.com",
    "carol@example.com",
    "dan@example.com",
    "answers@example.com",
    "Your order",
    "Hello Ann,",
    "thank you.",
    "invoice.pdf, application/pdf, 84.2 KB",
    "List-Unsubscribe: <https://lists.example/leave>",
    "The agent never wrote to ann@example.com before. (rule: first_time)",
    "it is rejected on Tue, 10 Mar 2026, 10:00 UTC and nothing is sent.",
    "e2a pending approve msg_0198f3a1c2d37abc8def0123456789ab",
    "e2a pending reject msg_0198f3a1c2d37abc8def0123456789ab",
  ];
  for (const fact of facts)
    test(fact, () => {
      expect(mail.text).toContain(fact);
      expect(seen(mail.html)).toContain(fact);
    });

  test("both links, and the dashboard's", () => {
    for (const url of [plain.approveUrl, plain.rejectUrl, "https://e2a.example/review"]) {
      expect(mail.text.split("\n")).toContain(url);
      expect(targets(mail.html)).toContain(url);
    }
  });

  test("that it is sent unasked, when the agent is set up so", () => {
    const { text } = reviewMail({ ...plain, onExpiry: "approve" });
    expect(text).toContain("it is sent as is on Tue, 10 Mar 2026, 10:00 UTC");
  });
});

test("the mark of a first time stands with its recipient, and with no other", () => {
  const lines = reviewMail(plain).text.split("\n");
  expect(lines[lines.indexOf("| ann@example.com, named “Ann”") + 1]).toContain("First time");
  expect(lines[lines.indexOf("| bob@example.com") + 1]).not.toContain("First time");
});

describe("the subject of the mail", () => {
  const cases: [string, Partial<Review>, string][] = [
    ["names subject and first recipient", {}, 'Approve? "Your order" to ann@example.com (+3)'],
    [
      "has no count for one recipient",
      { to: [{ address: "a@b.example", name: "" }], cc: [], bcc: [] },
      'Approve? "Your order" to a@b.example',
    ],
    ["says that there is none", { subject: "" }, 'Approve? "(no subject)" to ann@example.com (+3)'],
    [
      "is not ended by a quote",
      { subject: 'x" to boss@b.example' },
      `Approve? "x' to boss@b.example" to ann@example.com (+3)`,
    ],
    [
      "has no line breaks and no direction",
      { subject: "a\r\nBcc: x\u202eb" },
      'Approve? "a⟨U+000A⟩Bcc: x⟨U+202E⟩b" to ann@example.com (+3)',
    ],
    [
      "keeps the end of a long address",
      { to: [{ address: `${"l".repeat(64)}@${"d".repeat(60)}.evil.example`, name: "" }], cc: [], bcc: [] },
      `Approve? "Your order" to ${"l".repeat(20)}…${"d".repeat(26)}.evil.example`,
    ],
  ];
  for (const [name, change, subject] of cases)
    test(name, () => expect(reviewMail({ ...plain, ...change }).subject).toBe(subject));

  test("is bounded, whatever the held mail's is", () => {
    expect(reviewMail({ ...plain, subject: "😀".repeat(10_000) }).subject.length).toBeLessThan(300);
  });
});

describe("held words cannot pass for the server's", () => {
  const fake = "Approve:\nhttps://evil.example/approve";
  const cases: Record<string, string> = {
    "a copy of our lines": `${fake}\n\nEnd of the held email. To decide, use the links at the top.\n  ^ Verified.\n`,
    "a line break of another kind": `a\r${fake}\u2028${fake}\u0085${fake}\v${fake}\f${fake}`,
    "a line that the reader's program would break": `${"x ".repeat(37)}Approve: https://evil.example/approve`,
    "a long word": `${"x".repeat(200)}Approve: https://evil.example/approve`,
    "wide characters": `${"日".repeat(60)}Approve: https://evil.example/approve`,
    tabs: `${"\t".repeat(30)}Approve: https://evil.example/approve`,
  };
  for (const [name, text] of Object.entries(cases))
    test(name, () => {
      for (const review of [
        withContent(text),
        { ...plain, subject: text },
        { ...plain, to: [{ address: "a@b.example", name: text }] },
      ]) {
        const mail = reviewMail(review);
        expect(ours(mail.text).join("\n")).not.toContain("evil.example");
        expect(mail.text).not.toMatch(/[\r\u2028\u0085\v\f]/);
        for (const line of mail.text.split("\n").filter((line) => line.startsWith("|")))
          expect(Bun.stringWidth(line)).toBeLessThanOrEqual(76);
        expect(targets(mail.html)).toEqual([plain.approveUrl, plain.rejectUrl, plain.approveUrl, plain.rejectUrl]);
      }
    });

  test("and still come whole", () => {
    const text = `${"word ".repeat(100)}\n\n  indented ${"日本語 ".repeat(60)}\n${"x".repeat(500)}`;
    expect(theirs(reviewMail(withContent(text)).text)).toContain(text);
  });
});

test("markup anywhere in a held mail is shown as words", () => {
  const evil = `</div></body></title></style><script>alert(1)</script><img src=x onerror=alert(1)><a href="https://evil.example">Approve</a>" style='x'`;
  const mailbox = { address: `"${evil}"@example.com`, name: evil };
  const review: Review = {
    ...withContent(evil, evil),
    ...{
      agent: mailbox,
      from: mailbox,
      to: [mailbox],
      cc: [mailbox],
      bcc: [mailbox],
      replyTo: [mailbox],
      subject: evil,
    },
    attachments: [{ index: 0, filename: evil, content_type: evil, size: 1 }],
    headers: [{ name: evil, value: evil }],
    hold: { rule: evil, reason: evil },
  };
  const allowed = ["html", "head", "meta", "title", "style", "body", "div", "h1", "p", "b", "br", "a"];
  for (const { html } of [reviewMail(review), digestMail([review], review.createdAt)]) {
    expect(elements(html).filter((name) => !allowed.includes(name))).toEqual([]);
    expect(new Set(targets(html))).toEqual(new Set([plain.approveUrl, plain.rejectUrl]));
    expect(html).not.toMatch(/<[^>]*(?:\ssrc=|\sonerror=|url\()/);
  }
  expect(seen(reviewMail(review).html)).toContain(evil);
});

test("what nobody would see is written out", () => {
  const hidden = "a\u202eb\u200bc\u2066d\u00ade\u0000f\u{e0041}g";
  const shown = "a⟨U+202E⟩b⟨U+200B⟩c⟨U+2066⟩d⟨U+00AD⟩e⟨U+0000⟩f⟨U+E0041⟩g";
  for (const review of [
    withContent(hidden),
    // The HTML converter takes a zero width space for a space.
    withContent("other", `<p>${hidden.replace("\0", "&#x202e;").replace("\u200b", "\u2060")}</p>`),
    { ...plain, subject: hidden },
    { ...plain, cc: [{ address: "a@b.example", name: hidden }] },
    { ...plain, attachments: [{ index: 0, filename: hidden, content_type: "text/plain", size: 1 }] },
  ]) {
    const mail = reviewMail(review);
    const expected = review.html ? shown.replace("⟨U+0000⟩", "⟨U+202E⟩").replace("⟨U+200B⟩", "⟨U+2060⟩") : shown;
    expect(theirs(mail.text)).toContain(expected);
    expect(seen(mail.html)).toContain(expected);
  }
});

describe("HTML beside the text", () => {
  test("is shown when it says something else, hidden parts too", () => {
    const { text } = reviewMail(withContent("Hello.", '<p>Hello.</p><p style="display:none">Send the money.</p>'));
    expect(theirs(text)).toContain("Send the money.");
    expect(text).toContain("HTML version, as text:");
  });

  test("is mentioned when it says the same", () => {
    const { text } = reviewMail(withContent("Hello Ann,\nthank you.", "<p>Hello Ann, <b>thank</b> you.</p>"));
    expect(text).toContain("There is also an HTML version with the same text.");
    expect(text).not.toContain("HTML version, as text:");
  });

  test.each<[string, string, string, string]>([
    [
      "words outside the body",
      "Pay 100.",
      "<title>Pay 900.</title><p>Pay 100.</p>",
      "Only the HTML has the figures 900.",
    ],
    ["words after the body", "Pay 100.", "<body>Pay 100.</body><p>Or 900.</p>", "Only the HTML has the figures 900."],
    ["other figures", "Pay 110 EUR.", "<p>Pay 100 EUR.</p>", "Only the text has the figures 110."],
    ["a sign", "It grew by 5%.", "<p>It grew by -5%.</p>", "Only the HTML has the figures -5."],
    ["a hidden word", "Do not pay.", '<p>Do <b style="display:none">not</b> pay.</p>', "hides 3 of its characters"],
    ["a word struck out", "We pay 100 200.", "<p>We pay <s>100</s> 200.</p>", "change how its words read: <s>"],
    ["a direction", "Code 123", '<p>Code <b dir="rtl">123</b></p>', "change how its words read: dir"],
    ["a style sheet", "Hello", '<style>p:after{content:" 900"}</style><p>Hello</p>', "a style sheet or script"],
    ["a style", "Hello", '<p style="font-size:0;transform:scale(-1)">Hello</p>', "transform"],
    ["words of a picture", "Hello", '<p>Hello</p><img alt="Pay now">', "in place of pictures and in fields: Pay now."],
  ])("does not say the same with %s", (_, text, html, note) => {
    const mail = reviewMail(withContent(text, html));
    expect(mail.text).not.toContain("the same text");
    expect(mail.text).toContain("HTML version, as text:");
    expect(mail.text.replace(/\n/g, " ")).toContain(note);
    expect(seen(mail.html)).toContain(note);
  });

  test("says the same with the address of a link behind its words", () => {
    const html = '<p>See <a href="https://a.example/">the page</a>.</p>';
    const { text } = reviewMail(withContent("See the page <https://a.example/>.", html));
    expect(text).toContain("an HTML version with the same text.");
  });

  test("with a picture is shown, and the picture pointed out", () => {
    const { text } = reviewMail(withContent("Hello.", '<p>Hello.</p><img src="https://a.example/x">'));
    expect(text).toContain("HTML version, as text:");
    expect(text).toContain("The HTML shows a picture; text in pictures is not read.");
  });

  test("is all there is when there is no text", () => {
    const { text } = reviewMail(withContent("", "<p>Only here.</p>"));
    expect(theirs(text)).toContain("Only here.");
    expect(text).not.toContain("has no text");
  });
});

describe("links", () => {
  const note = (html: string) => {
    const lines = reviewMail(withContent("", html)).text.split("\n");
    return lines.filter((line) => line.startsWith("  ^") && !line.includes("First time")).join("\n");
  };
  test("whose words name another host are pointed out", () => {
    expect(note('<a href="https://evil.example/x">https://bank.com/login</a>')).toContain(
      "Its text names bank.com, but it leads to evil.example.",
    );
  });
  test("that look like another host are shown in A-labels and as they read", () => {
    const html = '<a href="https://p&#x430;ypal.com/">Pay</a>';
    expect(reviewMail(withContent("", html)).text).toContain("| xn--pypal-4ve.com: https://xn--pypal-4ve.com/");
    expect(note(html)).toContain("it reads “pаypal.com”");
  });
  test("with a host in front of the @", () => {
    expect(note('<a href="https://bank.com@evil.example/">Pay</a>')).toContain("leads to evil.example.");
  });
  test("that are what they say get no note", () => {
    expect(
      note('<a href="https://www.example.com/a">example.com</a> <a href="https://example.com/r">report.pdf</a>'),
    ).toBe("");
  });
  test("a recipient's domain that looks like another", () => {
    const { text } = reviewMail({ ...plain, to: [{ address: "ann@xn--pypal-4ve.com", name: "" }] });
    expect(text).toContain(
      "| ann@xn--pypal-4ve.com\n  ^ The domain has letters other than a to z: it reads “pаypal.com”.",
    );
  });
});

test("a very long mail is cut, and says so", () => {
  const mail = reviewMail(withContent("A line of the mail, é.\n".repeat(100_000), "<p>x</p>".repeat(50_000)));
  expect(mail.text.length).toBeLessThan(600 * 1024);
  expect(mail.html.length).toBeLessThan(600 * 1024);
  for (const words of [mail.text, seen(mail.html)]) {
    expect(words).toMatch(
      /Too long for this email: \d+ more bytes are not shown. The links at the top open a page that shows the rest./,
    );
    expect(words).toContain("Only the first 128 Ki characters of the HTML were compared with the text.");
    expect(words).not.toContain("\ufffd");
  }
});

test("many links are cut, and say so", () => {
  const text = Array.from({ length: 300 }, (_, i) => `https://h${i}.example/`).join("\n");
  expect(reviewMail(withContent(text)).text).toContain(
    "100 more are not shown here. The links at the top open a page that shows more of them.",
  );
});

describe("a digest", () => {
  const now = new Date(plain.createdAt.getTime() + 3 * 60_000);
  const reviews = Array.from({ length: 7 }, (_, i) => ({
    ...plain,
    subject: `Order ${i}\nApprove: https://evil.example`,
    approveUrl: `https://e2a.example/approve?t=${i}`,
    rejectUrl: `https://e2a.example/reject?t=${i}`,
    reviewUrl: `https://e2a.example/review/${i}`,
  }));

  test("lists each hold with its page, and nothing that decides about all", () => {
    const mail = digestMail(reviews, now);
    expect(mail.subject).toBe("7 emails from support@agents.example are waiting for you");
    expect(targets(mail.html)).toEqual(reviews.map(({ reviewUrl }) => reviewUrl));
    for (const [i, { reviewUrl }] of reviews.entries()) {
      expect(mail.text).toContain(`: ${reviewUrl}\n`);
      expect(theirs(mail.text)).toContain(`Subject: Order ${i}⟨U+000A⟩Approve`);
    }
    expect(mail.text).toContain("Waiting for 3 min.");
    expect(mail.text).toContain("| To: ann@example.com (+3)");
    expect(mail.text).toContain("The agent never wrote to ann@example.com before.");
    expect(ours(mail.text).join("\n")).not.toContain("evil.example");
  });

  test.each([
    [59, "for less than a minute"],
    [59 * 60 + 59, "for 59 min"],
    [60 * 60, "for 1 h"],
    [48 * 3600 - 1, "for 47 h"],
    [48 * 3600, "for 2 days"],
    [7 * 86_400 - 1, "for 6 days"],
  ])("says how long each hold has waited: %p seconds", (seconds, said) => {
    const at = new Date(plain.createdAt.getTime() + seconds * 1_000);
    expect(digestMail([plain, plain], at).text).toContain(`Waiting ${said}.`);
  });

  test("links the pages of the decisions when there is no dashboard", () => {
    const mail = digestMail(
      reviews.map((review) => ({ ...review, reviewUrl: null })),
      now,
    );
    expect(targets(mail.html)).toEqual(reviews.flatMap(({ approveUrl, rejectUrl }) => [approveUrl, rejectUrl]));
  });

  test("has an end, and says how many are left", () => {
    const many = Array.from({ length: 130 }, () => plain);
    expect(digestMail(many, now).text).toContain("30 more are not listed here. See all: e2a pending list");
  });
});
