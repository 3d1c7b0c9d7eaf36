import { describe, expect, test } from "bun:test";
import { codesOf } from "../../test/support/defects.ts";
import { superlinear } from "../../test/support/growth.ts";
import type { OutboundAttachment, OutboundMail } from "../mail.ts";
import { compose, isFreeField } from "./compose.ts";
import { scanHeaders } from "./headers.ts";
import { readAttachment, readMail } from "./read.ts";

const limits = { maxParts: 100, maxDepth: 10, maxHeaderBytes: 256 * 1024 };

function mail(changes: Partial<OutboundMail> = {}): OutboundMail {
  return {
    from: { address: "bot@agents.example.com", name: "Bot" },
    replyTo: [],
    to: [{ address: "alice@example.com", name: "" }],
    cc: [],
    bcc: [],
    subject: "Hello",
    text: "Hi Alice,\n\nhow are you?\n",
    html: null,
    attachments: [],
    messageId: "<1@agents.example.com>",
    date: new Date("2026-05-15T12:00:00Z"),
    inReplyTo: null,
    references: [],
    headers: [],
    ...changes,
  };
}

function file(changes: Partial<OutboundAttachment> = {}): OutboundAttachment {
  return { filename: "notes.txt", contentType: "text/plain", content: Buffer.from("one\ntwo"), ...changes };
}

/** Composes a message, checks what holds for every message, and reads it back with the reader for incoming mail. */
async function roundTrip(changes: Partial<OutboundMail> = {}) {
  const raw = await compose(mail(changes));
  const text = raw.toString("latin1");
  expect(text).not.toMatch(/\r(?!\n)|(?<!\r)\n|\0/);
  expect(Math.max(...text.split("\r\n").map((line) => line.length))).toBeLessThanOrEqual(998);
  expect(text.slice(0, text.indexOf("\r\n\r\n"))).not.toMatch(/\r\n[ \t]*(?=\r\n)/);
  const read = await readMail(raw, limits);
  // A lone surrogate in the input becomes U+FFFD, which the reader takes for a wrong charset. A name with an address in
  // it can be read in two ways; agents cannot have one.
  // API clients cannot send a Subject that lists cut, either.
  const expected =
    /^(?:characters_invalid|from_ambiguous|subject_truncated|subject_controls_removed|filename_changed)$/;
  expect(codesOf(read).filter((code) => !expected.test(code))).toEqual([]);
  return { raw, text, read, fields: scanHeaders(raw).fields.map((field) => field.name) };
}

const plainFields = [
  ...["From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted", "X-Auto-Response-Suppress"],
  ...["Content-Transfer-Encoding", "MIME-Version", "Content-Type"],
];

test("a plain message is readable as it stands", async () => {
  const { text } = await roundTrip();
  expect(text.split("\r\n")).toEqual([
    "From: Bot <bot@agents.example.com>",
    "To: alice@example.com",
    "Subject: Hello",
    "Message-ID: <1@agents.example.com>",
    "Date: Fri, 15 May 2026 12:00:00 +0000",
    "Auto-Submitted: auto-generated",
    "X-Auto-Response-Suppress: All",
    "Content-Transfer-Encoding: 7bit",
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "",
    "Hi Alice,",
    "",
    "how are you?",
    "",
  ]);
});

test("every member arrives, and Bcc does not", async () => {
  const names = ["Jörg Müller", "Doe, John", 'Bob "The Builder" O\\Neil', "山田太郎", "👩‍💻 Dev", "a@b.example", ""];
  const to = names.map((name, i) => ({ address: `to${i}@example.com`, name }));
  const { read, text } = await roundTrip({
    from: { address: "bot@agents.example.com", name: "Größe & Söhne" },
    replyTo: [{ address: "help@example.com", name: "Help: desk" }],
    to,
    cc: [{ address: "jörg@xn--bcher-kva.example", name: "" }],
    bcc: [{ address: "secret@example.com", name: "Secret" }],
    subject: `Grüße 👋 ${"и так далее ".repeat(20)}end`,
    inReplyTo: "<b@example.com>",
    references: ["<a@example.com>", "<b@example.com>"],
    headers: [
      { name: "List-Unsubscribe", value: "<https://example.com/u?a=?b&c=d>, <mailto:u@example.com>" },
      { name: "X-Task", value: "№ 5" },
    ],
  });
  expect(read).toMatchObject({
    from: [{ address: "bot@agents.example.com", name: "Größe & Söhne" }],
    replyTo: [{ address: "help@example.com", name: "Help: desk" }],
    to,
    cc: [{ address: "jörg@xn--bcher-kva.example", name: "" }],
    subject: `Grüße 👋 ${"и так далее ".repeat(20)}end`,
    messageId: "<1@agents.example.com>",
    date: new Date("2026-05-15T12:00:00Z"),
    inReplyTo: ["<b@example.com>"],
    references: ["<a@example.com>", "<b@example.com>"],
    text: "Hi Alice,\n\nhow are you?\n",
    html: null,
    attachments: [],
  });
  expect(read.headers).toContainEqual({ name: "X-Task", value: "№ 5" });
  expect(text).toContain("List-Unsubscribe: <https://example.com/u?a=?b&c=d>, <mailto:u@example.com>\r\n");
  expect(text).not.toMatch(/secret|bcc|mailer|nodemailer|NmP/i);
});

test("8-bit bytes are only in addresses that need them", async () => {
  const changes = {
    from: { address: "bot@bücher.example", name: "Bücher" },
    subject: "Ü",
    text: "ü\n",
    html: "<p>ü</p>",
  };
  expect((await roundTrip(changes)).text).not.toMatch(/[\x80-\xff]/);
  expect((await roundTrip({ to: [{ address: "ü@bücher.example", name: "" }] })).raw.toString()).toContain(
    "To: ü@xn--bcher-kva.example\r\n",
  );
});

test.each([
  ["nothing at all", ""],
  ["no line end", "Hi"],
  ["lines of any length", `${"word ".repeat(2_000)}\n${"x".repeat(5_000)}\n`],
  ["dots, dashes and From at line starts", ".\n..\n--\n--=_\nFrom me\n"],
  ["trailing spaces", "a  \n\tb\t\n"],
  ["any script", "Привет 你好 שלום 👋🏽\n"],
  ["what looks encoded", "=?utf-8?q?=41?= =20 a=3Db\n"],
])("text arrives unchanged: %s", async (_name, text) => {
  const { read, text: raw } = await roundTrip({ text });
  expect(read.text.trimEnd()).toBe(text.trimEnd());
  expect(raw).toEndWith("\r\n");
});

test("lone CR, NUL and other controls in a text stay in the text", async () => {
  const { read, fields } = await roundTrip({ text: "a\rb\0c\x1bd\r\n\r\r\n.\r\nBcc: x@example.com" });
  expect(read.text.trimEnd()).toBe("a\nbcd\n\n\n.\nBcc: x@example.com");
  expect(fields).toEqual(plainFields);
});

describe("structure", () => {
  const png = file({
    filename: "logo.png",
    contentType: "image/png",
    contentId: "logo@e2a",
    content: Buffer.of(0, 13, 255),
  });
  const html = '<p>Hi <img src="cid:logo@e2a"></p>';
  test.each<[string, Partial<OutboundMail>, string[]]>([
    ["text", {}, ["text/plain"]],
    ["nothing", { text: "" }, ["text/plain"]],
    ["html", { text: "", html }, ["text/html"]],
    ["text and html", { html }, ["multipart/alternative", "text/plain", "text/html"]],
    ["text and a file", { attachments: [file()] }, ["multipart/mixed", "text/plain", "text/plain"]],
    ["only a file", { text: "", attachments: [file()] }, ["multipart/mixed", "text/plain", "text/plain"]],
    ["an inline part without html is a file", { attachments: [png] }, ["multipart/mixed", "text/plain", "image/png"]],
    [
      "all of it",
      { html, attachments: [png, file()] },
      [
        ...["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"],
        "text/plain",
      ],
    ],
  ])("%s", async (_name, changes, types) => {
    const { text, read } = await roundTrip(changes);
    expect([...text.matchAll(/^Content-Type: ([\w/]+)/gm)].map((match) => match[1] as string)).toEqual(types);
    expect(read.attachments).toHaveLength(changes.attachments?.length ?? 0);
    expect(read.html?.trim()).toBe(changes.html ?? undefined);
  });

  test("an inline part is found by its Content-ID", async () => {
    const { text, read, raw } = await roundTrip({ html, attachments: [png] });
    expect(read.attachments).toMatchObject([
      { filename: "logo.png", content_type: "image/png", size: 3, content_id: "logo@e2a" },
    ]);
    expect(text).toContain("Content-Disposition: inline; filename=logo.png\r\n");
    expect((await readAttachment(raw, 0, limits))?.content).toEqual(Buffer.of(0, 13, 255));
  });

  test("a part that no HTML shows is a file, and mail programs list it", async () => {
    const { text } = await roundTrip({ attachments: [png] });
    expect(text).toContain("Content-Disposition: attachment; filename=logo.png\r\n");
    expect(text).not.toMatch(/^Content-ID:/im);
  });

  test("boundaries are new each time, the rest is not", async () => {
    const changes = { html, attachments: [png] };
    const [one, two] = [await roundTrip(changes), await roundTrip(changes)];
    const boundaries = ({ text }: { text: string }) =>
      [...text.matchAll(/=_-([0-9a-f]{32})-/g)].map((match) => match[1] as string);
    expect(boundaries(one).length).toBeGreaterThan(3);
    expect(boundaries(one)).not.toEqual(boundaries(two));
    const [first = "", second = ""] = [boundaries(one)[0], boundaries(two)[0]];
    expect(one.text.replaceAll(first, second)).toBe(two.text);
  });
});

test.each([
  ["отчёт за май.pdf", "отчёт за май.pdf"],
  ['a"b;c=d\\e.txt', "a_b;c=d_e.txt"],
  ["../../etc/passwd", "_.._etc_passwd"],
  ["x\r\nContent-Type: text/html\r\n\r\n<b>.txt", "x Content-Type_ text_html _b_.txt"],
  ["=?utf-8?q?=0D=0Ax?=.txt", "=_utf-8_q_=0D=0Ax_=.txt"],
  ["gpj\u202e.exe", "gpj.exe"],
  [`${"long name ".repeat(100)}.txt`, `${"long name ".repeat(100).slice(0, 196)}.txt`],
  ["", "attachment-1"],
])("file name %p arrives as %p", async (filename, expected) => {
  const { read } = await roundTrip({ attachments: [file({ filename })] });
  expect(read.attachments.map((attachment) => attachment.filename)).toEqual([expected]);
});

test.each([
  ["text/csv; charset=utf-8", "text/csv", "text/csv; charset=utf-8"],
  ["text/csv;      CHARSET=utf-8; charset=gbk; x=y", "text/csv", "text/csv; charset=utf-8; name=data"],
  ["TEXT/Calendar; METHOD=REQUEST; name=x.ics", "text/calendar", "text/calendar; method=REQUEST"],
  ["multipart/mixed; boundary=x", "application/octet-stream", "application/octet-stream"],
  ["message/partial; id=x; number=1", "application/octet-stream", "application/octet-stream"],
  ["text/html\r\nBcc: x@example.com", "application/octet-stream", "application/octet-stream"],
  ["text/plain; charset=utf-8\r\n\r\nx", "text/plain", "text/plain;"],
  ["", "application/octet-stream", "application/octet-stream"],
])("content type %p", async (contentType, read, written) => {
  const content = Buffer.from("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n");
  const result = await roundTrip({ attachments: [file({ filename: "data", contentType, content })] });
  expect(result.read.attachments.map((attachment) => attachment.content_type)).toEqual([read]);
  expect(result.text).toContain(`Content-Type: ${written}`);
});

describe("an attached message", () => {
  const attached = (content: string) =>
    file({ filename: "original.eml", contentType: "message/rfc822", content: Buffer.from(content, "latin1") });
  const original = "From: a@example.com\r\nSubject: Old\r\n\r\nText\r\n";
  test.each<[string, string, string, string]>([
    ["is not encoded", original, "7bit", original],
    ["may be 8-bit, and the message says so", `${original}\xc3\xbc\r\n`, "8bit", `${original}\xc3\xbc\r\n`],
    ["gets CRLF", "A: b\n\nx\ry\r\n", "7bit", "A: b\r\n\r\nx\r\ny\r\n"],
  ])("%s", async (_name, content, encoding, expected) => {
    const { read, text, raw } = await roundTrip({ attachments: [attached(content)] });
    expect(read.attachments).toMatchObject([{ filename: "original.eml", content_type: "message/rfc822" }]);
    expect(text).toContain(`\r\nContent-Transfer-Encoding: ${encoding}\r\n`);
    expect(/^Content-Transfer-Encoding: 8bit/m.test(text.slice(0, text.indexOf("\r\n\r\n")))).toBe(encoding === "8bit");
    const part = await readAttachment(raw, 0, limits);
    expect(
      Buffer.from(part?.content ?? [])
        .toString("latin1")
        .trimEnd(),
    ).toBe(expected.trimEnd());
  });

  test.each([
    ["NUL", `${original}\0`],
    ["a line too long for SMTP", original + "x".repeat(999)],
  ])("is a file when it has %s", async (_name, content) => {
    const { read, raw, text } = await roundTrip({ attachments: [attached(content)] });
    expect(text).toContain("Content-Type: application/octet-stream; name=original.eml\r\n");
    expect(read.attachments).toMatchObject([{ filename: "original.eml", size: content.length }]);
    expect((await readAttachment(raw, 0, limits))?.content).toEqual(Buffer.from(content, "latin1"));
  });
});

describe("references", () => {
  const ids = (count: number, length = 20) =>
    Array.from({ length: count }, (_, i) => `<${String(i).padStart(length, "0")}@example.com>`);
  test("a long chain keeps the first and the latest", async () => {
    const { read, text } = await roundTrip({ references: ids(120) });
    expect(read.references).toEqual([ids(120)[0] as string, ...ids(120).slice(-49)]);
    expect(text).toMatch(/References: <\S+>\r\n <\S+> <\S+>\r\n </);
  });
  test("long ids are bounded too", async () => {
    const { read } = await roundTrip({ references: ids(120, 800) });
    expect(read.references).toEqual([ids(120, 800)[0] as string, ...ids(120, 800).slice(-9)]);
  });
  test("what is no id is left out", async () => {
    const { fields } = await roundTrip({
      references: ["", "x", "<a b@c>", "<ü@example.com>", "<a@b>\r\nBcc: <x@y>", `<${"x".repeat(1_000)}@y>`],
      inReplyTo: "<a>\r\nBcc: x@y",
    });
    expect(fields).toEqual(plainFields);
  });
});

describe("nothing becomes another field", () => {
  const payloads = [
    ...["\r\nBcc: x@evil.example", "\nBcc: x@evil.example", "\rBcc: x@evil.example", "\r\n\r\nbody", "\0\r\n.\r\n"],
    ...[
      "\u2028Bcc: x@evil.example",
      "\u0085Bcc: x@evil.example",
      "\x0b\x0cBcc: x",
      "\r\n Bcc: x",
      "a@b>\r\nBcc: x@evil.example",
    ],
    ...[
      "=?utf-8?q?=0D=0ABcc:_x@evil.example?=",
      "=?utf-8?b?DQpCY2M6IHg=?=",
      "=?utf-8?q?a b?=",
      "\u202egpj.exe",
      '"\\',
      "\\\r\n",
    ],
    ...[
      "<x@evil.example>",
      '" <x@evil.example>, "',
      ", x@evil.example",
      "(",
      "group: x@evil.example;",
      "\ud800",
      " ".repeat(500),
    ],
    ...["x".repeat(3_000), "ü".repeat(3_000), `${"a ".repeat(40)}${" ".repeat(200)}b`],
  ];
  const shown = (text: string) => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
  const inMembers: [string, (payload: string) => Partial<OutboundMail>, string[]][] = [
    ["from name", (p) => ({ from: { address: "bot@agents.example.com", name: `A${p}` } }), []],
    [
      "to",
      (p) => ({
        to: [
          { address: "alice@example.com", name: p },
          { address: `x${p}`, name: "" },
          { address: `x@y.example${p}`, name: p },
        ],
      }),
      [],
    ],
    [
      "cc",
      (p) => ({
        cc: [
          { address: `x${p}@y.example`, name: p },
          { address: "cc@example.com", name: `a${p}b` },
        ],
      }),
      ["Cc"],
    ],
    ["reply-to", (p) => ({ replyTo: [{ address: "r@example.com", name: p }] }), ["Reply-To"]],
    ["subject", (p) => ({ subject: `a${p}b` }), []],
    ["in-reply-to", (p) => ({ inReplyTo: `<a@b.example>${p} ` }), []],
    ["references", (p) => ({ references: [`<a@b.example${p} >`, `${p} <a@b.example>`] }), []],
    ["header value", (p) => ({ headers: [{ name: "X-Ok", value: `a${p}b` }] }), ["X-Ok"]],
    [
      "header name",
      (p) => ({
        headers: [
          { name: `X ${p}: `, value: "a" },
          { name: `Bcc${p} `, value: "a" },
        ],
      }),
      [],
    ],
    ["text", (p) => ({ text: p }), []],
    ["html", (p) => ({ html: `<p>${p}` }), []],
    [
      "file",
      (p) => ({
        attachments: [file({ filename: p, contentType: `text/plain${p} `, contentId: p, content: Buffer.from(p) })],
      }),
      [],
    ],
    [
      "inline",
      (p) => ({ html: "x", attachments: [file({ filename: p, contentType: `${p}/plain`, contentId: `a${p}` })] }),
      [],
    ],
    [
      "attached message",
      (p) => ({ attachments: [file({ filename: p, contentType: `message/rfc822;${p}`, content: Buffer.from(p) })] }),
      [],
    ],
  ];
  test.each(inMembers)("in %s", async (_member, change, more) => {
    for (const payload of payloads) {
      const { fields, read } = await roundTrip(change(payload)).catch((error) => {
        throw new Error(`with ${JSON.stringify(shown(payload))}`, { cause: error });
      });
      const expected = [...plainFields, ...more].filter((name) => name !== "Content-Transfer-Encoding").sort();
      expect([shown(payload), fields.filter((name) => name !== "Content-Transfer-Encoding").sort()]).toEqual([
        shown(payload),
        expected,
      ]);
      expect([shown(payload), read.from.map((mailbox) => mailbox.address)]).toEqual([
        shown(payload),
        ["bot@agents.example.com"],
      ]);
      expect([...read.to, ...read.cc, ...read.replyTo].filter(({ address }) => /evil|^x@b/.test(address))).toEqual([]);
      if ("attachments" in change("")) expect(read.attachments).toHaveLength(1);
    }
  });

  test("an author or Message-ID that is none is our bug, and nothing is made", async () => {
    for (const payload of payloads) {
      const address = `a${payload}@b.example>`;
      await expect(compose(mail({ from: { address, name: "" } }))).rejects.toThrow("not an address");
      await expect(compose(mail({ messageId: `<a${payload}@b> ` }))).rejects.toThrow("not a message id");
    }
  });
});

test.each([
  ["List-Unsubscribe", true],
  ["X-Priority", true],
  ["bcc", false],
  ["Resent-From", false],
  ["Content-Type", false],
  ["DKIM-Signature", false],
  ["X-E2A-Auth-Verified", false],
  ["X Y", false],
  ["X:", false],
  ["Ä", false],
  ["", false],
])("field %p is free: %p", (name, free) => {
  expect(isFreeField(name)).toBe(free);
});

test("the work on a large attachment grows as the attachment does", async () => {
  const size = 25 * 1024 * 1024;
  const growth = await superlinear(
    size,
    (bytes) => Buffer.alloc(bytes, "0123456789"),
    async (content) => {
      const raw = await compose(mail({ attachments: [file({ content })] }));
      expect(raw.length).toBeGreaterThan((content.length * 4) / 3);
    },
  );
  expect(growth).toBeNull();
});
