import { describe, expect, test } from "bun:test";
import { hostileStructures } from "../../../test/attacks/hostile-mails.ts";
import { codesOf } from "../../../test/support/defects.ts";
import { superlinear } from "../../../test/support/growth.ts";
import { scanHeaders } from "../headers.ts";
import { readAttachments, readMail } from "../read.ts";
import { readBody } from "./body.ts";
import { scanStructure } from "./structure.ts";

const limits = { maxParts: 50, maxDepth: 10, maxHeaderBytes: 64 * 1024 };
const dated = ["From: alice@example.com", "Date: Fri, 15 May 2026 12:00:00 +0000"];
const ambiguous = "part_ambiguous";
const read = (...lines: string[]) => readMail(Buffer.from([...dated, ...lines].join("\r\n")), limits);
const mixed = (...parts: string[][]) => [
  "Content-Type: multipart/mixed; boundary=b",
  ...["", ...parts.flatMap((part) => ["--b", ...part]), "--b--", ""],
];

describe("a Content-Type that is not as it should be", () => {
  test.each([
    ["Content-Type: text", "Grüße", ambiguous],
    ["Content-Type: plain/text; charset=utf-8", "Grüße", ambiguous],
    ['Content-Type: text/plain charset="utf-8"', "Grüße", ambiguous],
    ["Content-Type: text/plain, charset=utf-8", "Grüße", ambiguous],
    ["Content-Type: text/plain charset=iso-8859-1", "GrÃ¼Ã\u009fe", ambiguous],
    ["Content-Type: ;", "Grüße", null],
    ["Content-Type:", "Grüße", null],
    ["Content-Type: text/plain; charset=", "Grüße", null],
  ])("%s", async (field, text, defect) => {
    const mail = await read(field, "", "Grüße");
    expect(mail).toMatchObject({ text: text.replace("\u009f", "Ÿ"), attachments: [] });
    expect(codesOf(mail)).toEqual(defect === null ? [] : [defect]);
  });

  test.each(["text/html charset=utf-8", "html", "html/text", "TEXT/HTML;charset=utf-8"])("%s is HTML", async (type) => {
    expect(await read(`Content-Type: ${type}`, "", "<p>Grüße</p>")).toMatchObject({ text: "Grüße", attachments: [] });
  });

  test.each([
    'Content-Type: text/plain; charset="utf-8"; charset=big5',
    "Content-Type: text/plain; charset=utf-8; charset*=us-ascii''big5",
    'Content-Type: multipart/mixed; boundary=a; boundary="b"',
  ])("a parameter given twice can be read in two ways: %s", async (field) => {
    expect(codesOf(await read(field, "", "--a", "", "Hi", "--a--"))).toContain(ambiguous);
  });

  test("of a file leaves it a file", async () => {
    const part = ["Content-Type: nonsense", "Content-Disposition: attachment; filename=a.xyz", "", "data"];
    const { attachments } = await read(...mixed(["", "Hi"], part));
    expect(attachments).toEqual([{ index: 0, filename: "a.xyz", content_type: "application/octet-stream", size: 4 }]);
  });

  test("a multipart without a boundary is read as it is", async () => {
    expect((await read("Content-Type: multipart/mixed", "", "--b", "", "words", "--b--")).text).toContain("words");
  });
});

describe("a transfer encoding that is not as it should be", () => {
  test.each([
    ["quoted-printable;", "Gr=C3=BC=C3=9Fe"],
    ["quoted printable", "Gr=C3=BC=C3=9Fe"],
    ['"quoted-printable"', "Gr=C3=BC=C3=9Fe"],
    ["base-64", "R3LDvMOfZQ=="],
    ["base64; charset=utf-8", "R3LDvMOfZQ=="],
    ["base64 charset=utf-8", "R3LDvMOfZQ=="],
    ["8 bit", "Grüße"],
    ["8bits", "Grüße"],
  ])("%s", async (encoding, content) => {
    const mail = await read(`Content-Transfer-Encoding: ${encoding}`, "", content);
    expect(mail).toMatchObject({ text: "Grüße", defects: [{ code: ambiguous }] });
  });

  test("with a comment it is right", async () => {
    const mail = await read("Content-Transfer-Encoding: base64 (RFC 2045)", "", "R3LDvMOfZQ==");
    expect(mail).toMatchObject({ text: "Grüße", defects: [] });
  });
});

describe("headers of parts that are broken", () => {
  test.each<[string, string[], string]>([
    ["no empty line before the words", ["Content-Type: text/plain", "Hello there.", "Bye."], "Hello there.\nBye."],
    ["no header and no empty line", ["Hello there: all is well.", "Bye."], "Hello there: all is well.\nBye."],
    ["words with a colon after a field", ["Content-Type: text/plain", "My dear: hello."], "My dear: hello."],
    ["a parameter without a fold", ["Content-Type: text/plain;", 'charset="utf-8"', "", "Grüße"], "Grüße"],
    ["a parameter without a fold or a semicolon", ["Content-Type: text/plain", "charset=utf-8", "", "Hi"], "Hi"],
  ])("%s", async (_name, part, text) => {
    const mail = await read(...mixed(part));
    expect(mail).toMatchObject({ text, attachments: [] });
    expect(codesOf(mail)).toEqual([ambiguous]);
  });

  test("a file without an empty line keeps its bytes", async () => {
    const lines = ["Content-Type: application/pdf; name=a.pdf", "Content-Transfer-Encoding: base64", "JVBERi0xLjQ="];
    const raw = Buffer.from([...dated, ...mixed(["", "Hi"], lines)].join("\r\n"));
    const files = await readAttachments(raw, limits);
    expect(files.map(({ content }) => Buffer.from(content).toString())).toEqual(["%PDF-1.4"]);
  });

  test("words before the first part are read if there are no others", async () => {
    const outside = "text_outside_parts";
    const before = (text: string, ...parts: string[][]) =>
      read("Content-Type: multipart/mixed; boundary=b", "", text, ...mixed(...parts).slice(2));
    const empty = ["Content-Type: text/plain", "", ""];
    expect(await before("All my words.", empty)).toMatchObject({ text: "All my words.", defects: [{ code: outside }] });
    const usual = "This is a multi-part message in MIME format.";
    expect(await before(usual, empty)).toMatchObject({ text: "", defects: [] });
    const left = { code: "text_outside_left" };
    expect(await before("All my words.", ["", "Hi"])).toMatchObject({ text: "Hi", defects: [left] });
    expect(await before(usual, ["", "Hi"])).toMatchObject({ text: "Hi", defects: [] });
    const pgp = "This is an OpenPGP/MIME signed message (RFC 4880 and 3156)";
    expect(await before(pgp, ["", "Hi"])).toMatchObject({ text: "Hi", defects: [] });
    expect(await before(`${pgp}\n\nAnd more.`, ["", "Hi"])).toMatchObject({ text: "Hi", defects: [left] });
  });

  test("a line that is a delimiter but for words far after it is text", async () => {
    const line = `--b${" ".repeat(1_000)}Content-Disposition: attachment`;
    expect(await read(...mixed(["", "Hi", line, "", "Bye"]))).toMatchObject({ attachments: [], defects: [] });
  });

  test.each([1, 30, 2_000])("a part's header does not end at %d spaces before a colon", async (count) => {
    const space = " ".repeat(count);
    const fields = [`Content-Type${space}: text/plain;`, `charset${space}= utf-8`, "X-A", `${space}: b`];
    expect(await read(...mixed([...fields, "", "Hi"]))).toMatchObject({ text: "Hi", attachments: [] });
    const file = ["Content-Type: text/plain", `Content-Disposition: filename${space}= a.txt`, "", "Hi"];
    expect(await read(...mixed(["", "Hello"], file))).toMatchObject({
      text: "Hello",
      attachments: [{ filename: "a.txt" }],
    });
  });

  test("a boundary with two spaces is taken as it is", async () => {
    const lines = ["--a  b", "", "Hi", "--a  b--"];
    expect(await read('Content-Type: multipart/mixed; boundary="a  b"', "", ...lines)).toMatchObject({ text: "Hi" });
  });

  test("the parts of a digest are messages", async () => {
    const { attachments } = await read(
      "Content-Type: multipart/digest; boundary=b",
      ...["", "--b", "", "Subject: One", "", "1", "--b", "", "Subject: Two", "", "2", "--b--"],
    );
    expect(attachments.map(({ content_type, filename }) => [content_type, filename])).toEqual([
      ["message/rfc822", "attachment-1.eml"],
      ["message/rfc822", "attachment-2.eml"],
    ]);
  });
});

describe("what would get lost is read or reported", () => {
  const isEncoded = "content_encoded";
  const noLine = "header_unterminated";
  const tail = "R3LDvMOfZSBhdXMgS8O2bG4sIGRpZSBTdHJhw59lIGlzdCBnZXNwZXJydC4=";

  test.each<[string, string[], string, string]>([
    ["no empty line", ["Subject: Hi", "Hello Bob,", "see you."], "Hello Bob,\nsee you.", noLine],
    ["a line of white space in its place", ["Subject: Hi", " ", "Hello Bob.", "", "Bye"], "Hello Bob.\n\nBye", noLine],
    ["words that are no base64", ["Content-Transfer-Encoding: base64", "", "Hello Bob"], "Hello Bob", "base64_invalid"],
    ["base64 that does not say so", ["", tail], tail, isEncoded],
    ["quoted-printable that does not say so", ["", "=C3=BC=C3=9F=", "e"], "=C3=BC=C3=9F=\ne", isEncoded],
  ])("%s", async (_name, lines, text, defect) => {
    const mail = await read(...lines);
    expect(mail.text.trim()).toBe(text);
    expect(codesOf(mail)).toContain(defect);
  });

  test.each<[string, string[], string]>([
    [
      "a delimiter that lacks a hyphen",
      ["", "Hi", "-b", "Content-Type: image/png", "Content-Transfer-Encoding: base64", "", "AAAA"],
      isEncoded,
    ],
    ["a blank line that is not empty", [" ", "Content-Type: text/plain", "", "Hi"], ambiguous],
    [
      "a field without a colon",
      ["Content-Transfer-Encoding base64", "Content-Type: text/plain", "", "SGk="],
      ambiguous,
    ],
    [
      "the header of a part in a file",
      [
        "Content-Type: application/json",
        "Content-Disposition: attachment",
        "",
        "{}",
        "-b",
        "Content-Transfer-Encoding: base64",
        "",
        "AAAA",
      ],
      isEncoded,
    ],
  ])("%s", async (_name, part, defect) => {
    expect(codesOf(await read(...mixed(part)))).toContain(defect);
  });

  test("a line of base64 after a semicolon is no parameter", async () => {
    const part = [
      "Content-Type: application/pdf",
      "Content-Transfer-Encoding: base64;",
      "JVBERi0xLjQ=",
      "JVBERi0xLjQ=",
    ];
    expect((await read(...mixed(["", "Hi"], part))).attachments).toMatchObject([{ size: 16 }]);
  });

  test("words before the only delimiter, which is the last", async () => {
    const mail = await read(
      "Content-Type: multipart/mixed; boundary=b",
      "",
      "This is a MIME message.",
      "-b",
      "",
      "Hello",
      "--b--",
    );
    expect(mail.text).toContain("Hello");
  });
});

describe("texts with the name of a file", () => {
  test.each([
    ["Content-Disposition: inline; filename=notes.txt", "text/plain"],
    ["X-A: b", 'text/plain; name="server.log"'],
    ["Content-Disposition: inline; filename=report.html", "text/html"],
  ])("%s, %s is an attachment", async (field, type) => {
    const mail = await read(...mixed(["", "See the file."], [`Content-Type: ${type}`, field, "", "content"]));
    expect(mail).toMatchObject({ text: "See the file.", html: null });
    expect(mail.attachments).toMatchObject([{ size: 7 }]);
  });

  test("is the text too if there is no other", async () => {
    const mail = await read(...mixed(['Content-Type: text/plain; name="message.txt"', "", "All my words."]));
    expect(mail).toMatchObject({ text: "All my words.", attachments: [{ filename: "message.txt" }] });
  });

  test("the first of them is the text if all have names", async () => {
    const mail = await read(
      ...mixed(...["a", "b"].map((name) => [`Content-Type: text/plain; name=${name}.txt`, "", name])),
    );
    expect(mail).toMatchObject({ text: "a", attachments: [{ filename: "a.txt" }, { filename: "b.txt" }] });
  });

  test("an alternative and a message of one part are the message itself", async () => {
    expect(await read("Content-Type: text/plain; name=a.txt", "", "Hi")).toMatchObject({ text: "Hi", attachments: [] });
    const mail = await read(
      "Content-Type: multipart/alternative; boundary=b",
      ...["", "--b", "Content-Type: text/plain; name=a.txt", "", "Hi"],
      ...["--b", "Content-Type: text/html; name=a.html", "", "<p>Hello</p>", "--b--"],
    );
    expect(mail).toMatchObject({ text: "Hi", html: "<p>Hello</p>", attachments: [] });
  });
});

test("pieces are joined in order, each read in its own form", async () => {
  const mail = await read(
    ...mixed(
      ["", "PLAIN"],
      ["Content-Type: text/html", "", "<html><body>HTML</body></html>"],
      ["Content-Type: text/html", "", ""],
      ["", "FOOTER"],
    ),
  );
  expect(mail).toMatchObject({ text: "PLAIN\n\nHTML\n\nFOOTER", defects: [] });
});

test("alternatives in each other cost what their text costs, however many there are", async () => {
  const build = hostileStructures["alternatives in each other, around a text"] as (bytes: number) => Uint8Array;
  const deep = { ...limits, maxDepth: 50 };
  expect((await readMail(build(100_000), deep)).html).toEndWith("a&lt;</p><br/>\n<p>x");
  expect(await superlinear(256 * 1024, build, (raw) => readMail(raw, deep))).toBeNull();
});

test("HTML is made of no more text than the server keeps", async () => {
  const text = ["Content-Transfer-Encoding: base64", "", Buffer.from("a<\n".repeat(500_000)).toString("base64")];
  const within = (type: string, ...parts: string[][]) => [
    ...[`Content-Type: multipart/${type}; boundary=${type}`, ""],
    ...[...parts.flatMap((part) => [`--${type}`, ...part]), `--${type}--`],
  ];
  const html = ["Content-Type: text/html", "", "<p>x</p>"];
  const alternative = within("alternative", ["", "Hi"], within("related", text, html));
  const raw = Buffer.from([...dated, ...within("mixed", alternative, alternative)].join("\r\n"));
  const kept = 4 * 1024 * 1024;
  const mail = await readMail(raw, limits);
  expect([mail.text, mail.html?.length]).toEqual(["Hi\nHi", kept]);
  expect(codesOf(mail)).toEqual(["text_truncated"]);
  const { root } = scanStructure(raw, scanHeaders(raw, { bytesMax: 1_000, fieldsMax: 10 }), limits);
  const { pieces, room } = await readBody(root, { limits, opens: true, wanted: null });
  expect(pieces.map(({ html }) => html?.length ?? 0).reduce((sum, length) => sum + length)).toBeLessThan(kept + 100);
  expect(room.left).toBeLessThan(0);
});

test("alternatives for watches and web mail are neither text nor attachments", async () => {
  const alternative = (type: string) => ["--b", `Content-Type: ${type}`, "", "<p>OTHER</p>"];
  const mail = await read(
    "Content-Type: multipart/alternative; boundary=b",
    ...["", "--b", "", "Hi", ...alternative("text/x-amp-html"), ...alternative("text/watch-html")],
    ...[...alternative("text/enriched"), "--b--"],
  );
  expect(mail).toMatchObject({ text: "Hi", html: null, attachments: [], defects: [] });
});

test.each(["text/richtext", "text/enriched", "text/watch-html", "text/x-amp-html"])(
  "a file of type %s beside alternatives is an attachment",
  async (type) => {
    const part = [`Content-Type: ${type}`, "Content-Disposition: attachment; filename=contract.rtf", "", "contract"];
    const mail = await read(
      "Content-Type: multipart/alternative; boundary=b",
      ...["", "--b", "", "Hi", "--b", ...part, "--b--", ""],
    );
    expect(mail).toMatchObject({ text: "Hi", attachments: [{ filename: "contract.rtf", size: 8 }], defects: [] });
    const alone = await read("Content-Type: multipart/alternative; boundary=b", "", "--b", ...part, "--b--", "");
    expect(alone).toMatchObject({ text: "", attachments: [{ filename: "contract.rtf" }] });
  },
);

describe("another form alone is the text", () => {
  test.each([
    ["text/enriched", "<bold>Pay</bold>\r\n5 <<now>", "Pay 5 <now>"],
    ["text/enriched", "<color><param>red</param>one</color>\r\n\r\ntwo", "one\ntwo"],
    ["text/richtext", "one<nl>two <lt>", "one\ntwo <"],
    ["text/x-amp-html", "<html amp4email><body>Pay 5</body></html>", "Pay 5"],
  ])("%s: %s", async (type, content, text) => {
    const parts = ["--b", `Content-Type: ${type}`, "", content, "--b--"];
    const within = await read("Content-Type: multipart/alternative; boundary=b", "", ...parts);
    const alone = await read(`Content-Type: ${type}`, "", content);
    for (const mail of [within, alone]) expect(mail).toMatchObject({ text, attachments: [], defects: [] });
  });
});

describe("an attached message whose header follows its part's without an empty line", () => {
  const inner = ["From: z@example.com", "Subject: inner", "Content-Type: text/html", "", "<p>body</p>"];
  const within = (type: string, ...part: string[]) => [
    `Content-Type: ${type}; boundary=b`,
    ...["", "--b", ...part, "--b--", ""],
  ];
  const contents = async (lines: string[]) => {
    const raw = Buffer.from([...dated, ...lines].join("\r\n"));
    const { attachments, defects } = await readMail(raw, limits);
    const files = await readAttachments(raw, limits);
    return [
      attachments.map((file) => file.content_type),
      files.map((file) => `${file.content}`),
      defects.map(({ code }) => code),
    ];
  };

  test.each([
    ["in a digest", within("multipart/digest", ...inner), inner, [ambiguous]],
    ["with its type", within("multipart/mixed", "Content-Type: message/rfc822", ...inner), inner, [ambiguous]],
    ["as it should be", within("multipart/digest", "", ...inner), inner, []],
    [
      "and a field in the part's header that is of messages",
      within("multipart/mixed", "Content-Type: message/rfc822", "Date: now", "", ...inner),
      inner,
      [],
    ],
  ])("%s", async (_, lines, content, defects) => {
    expect(await contents(lines)).toEqual([["message/rfc822"], [content.join("\r\n")], defects]);
  });
});

describe("names of files", () => {
  const named = async (...fields: string[]) => {
    const part = ["Content-Type: application/pdf", ...fields, "", "data"];
    const text = ["Content-Type: text/plain; charset=shift_jis", "", "Hi"];
    const raw = Buffer.from([...dated, ...mixed(text, part)].join("\r\n"), "latin1");
    const mail = await readMail(raw, limits);
    return [mail.attachments[0]?.filename, codesOf(mail)];
  };
  const inShiftJis = Buffer.from([0x8c, 0xa9, 0x90, 0xcf, 0x8f, 0x91]).toString("latin1");
  const changed = "filename_changed";

  test.each<[string, string, string[]]>([
    ["Content-Disposition: attachment; filename=a.pdf", "a.pdf", []],
    ["Content-Disposition: attachment; filename*0=one; filename*1=two.pdf", "onetwo.pdf", []],
    ["Content-Disposition: attachment; filename*=utf-8''%E2%82%AC.pdf", "€.pdf", []],
    ['Content-Disposition: attachment; filename="=?utf-8?B?4oKs?=.pdf"', "€.pdf", []],
    [`Content-Disposition: attachment; filename="${inShiftJis}.pdf"`, "見積書.pdf", []],
    ["Content-Description: Offer 4711.pdf", "Offer 4711.pdf", []],
    ["Content-Description: an offer", "attachment-1.pdf", []],
    ['Content-Disposition: filename="alone.pdf"', "alone.pdf", []],
    ["Content-Disposition: attachment; name=other.pdf", "other.pdf", []],
    ["Content-Disposition: attachment; filename=a;b.pdf", "a;b.pdf", []],
    ['Content-Disposition: attachment; filename="a/b.pdf"', "a_b.pdf", [changed]],
  ])("%s", async (field, name, defects) => {
    expect(await named(field)).toEqual([name, defects]);
  });
});
