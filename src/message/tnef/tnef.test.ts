import { describe, expect, test } from "bun:test";
import { superlinear } from "../../../test/support/growth.ts";
import { readAttachedMessage, readAttachments, readMail } from "../read.ts";
import { readTnef } from "./tnef.ts";

const limits = { maxParts: 50, maxDepth: 10, maxHeaderBytes: 64 * 1024 };

/** Writes TNEF field by field, by MS-OXTNEF 2.1.3. */
const u16 = (value: number) => Buffer.from([value & 0xff, value >> 8]);
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
const attribute = (level: number, id: number, data: Buffer) => {
  const checksum = data.reduce((sum, byte) => (sum + byte) & 0xffff, 0);
  return Buffer.concat([Buffer.from([level]), u32(id), u32(data.length), data, u16(checksum)]);
};
const stream = (...attributes: Buffer[]) =>
  Buffer.concat([
    ...[u32(0x223e9f78), u16(0x0001), attribute(1, 0x00089006, u32(0x00010000))],
    ...[attribute(1, 0x00069007, Buffer.concat([u32(1252), u32(0)])), ...attributes],
  ]);
const variable = (type: number, id: number, value: Buffer) =>
  Buffer.concat([u16(type), u16(id), u32(1), u32(value.length), padded(value)]);
const unicode = (id: number, text: string) => variable(0x001f, id, Buffer.from(`${text}\0`, "utf16le"));
const string8 = (id: number, text: string) => variable(0x001e, id, Buffer.from(`${text}\0`, "latin1"));
const binary = (id: number, value: Buffer) => variable(0x0102, id, value);
const integer = (id: number, value: number) => Buffer.concat([u16(0x0003), u16(id), u32(value)]);
const properties = (...all: Buffer[]) => Buffer.concat([u32(all.length), ...all]);
const ofMessage = (...all: Buffer[]) => attribute(1, 0x00069003, properties(...all));
const file = (title: string, data: Buffer | null, ...all: Buffer[]) =>
  Buffer.concat([
    attribute(2, 0x00069002, Buffer.concat([u16(1), u32(0xffffffff), u16(0), u16(0), u32(0)])),
    ...(data ? [attribute(2, 0x0006800f, data)] : []),
    attribute(2, 0x00018010, Buffer.from(`${title}\0`, "latin1")),
    attribute(2, 0x00069005, properties(integer(0x0e20, 0), ...all)),
  ]);

/** A name of one's own, as a number and as a word; a list; values of every fixed size. */
const others = [
  Buffer.concat([u16(0x0003), u16(0x8001), Buffer.alloc(16, 1), u32(0), u32(0x8233), u32(7)]),
  Buffer.concat([
    ...[u16(0x001f), u16(0x8002), Buffer.alloc(16, 2), u32(1), u32(10), padded(Buffer.from("name\0", "utf16le"))],
    ...[u32(1), u32(4), Buffer.from("x\0", "utf16le")],
  ]),
  Buffer.concat([
    u16(0x101f),
    u16(0x3a00),
    u32(2),
    u32(6),
    padded(Buffer.from("ab\0", "utf16le")),
    u32(2),
    padded(u16(0)),
  ]),
  Buffer.concat([u16(0x1003), u16(0x3a01), u32(3), u32(1), u32(2), u32(3)]),
  Buffer.concat([u16(0x000b), u16(0x0e1b), u16(1), u16(0)]),
  Buffer.concat([u16(0x0040), u16(0x3007), Buffer.alloc(8)]),
  Buffer.concat([u16(0x0048), u16(0x3a02), Buffer.alloc(16)]),
];

const mailWith = (tnef: Buffer, options: { text?: string; type?: string; name?: string } = {}) => {
  const { text = "Please see the file", type = "application/ms-tnef", name = "winmail.dat" } = options;
  return Buffer.from(
    [
      ...[
        "From: alice@example.com",
        "Date: Mon, 1 Jun 2026 10:00:00 +0000",
        "Content-Type: multipart/mixed; boundary=b",
      ],
      ...["", "--b", "Content-Type: text/plain", "", text, "--b", `Content-Type: ${type}; name=${name}`],
      ...["Content-Transfer-Encoding: base64", "", tnef.toString("base64"), "--b--", ""],
    ].join("\r\n"),
  );
};
const read = async (...given: Parameters<typeof mailWith>) => {
  const raw = mailWith(...given);
  const { attachments, defects, html, text } = await readMail(raw, limits);
  const contents = await readAttachments(raw, limits);
  return {
    ...{ text, html, defects: defects.map(({ code }) => code) },
    files: attachments.map((one, i) => [one.filename, one.content_type, `${contents[i]?.content}`]),
  };
};

/**
 * Compresses RTF as MS-OXRTFCP says, with references to the dictionary's beginning, to what it says again at its end,
 * and to the place that ends it.
 */
const compressed = (rtf: string, again: [offset: number, length: number][] = []) => {
  const bytes: number[] = [];
  const start = "{\\rtf1\\ansi";
  const tokens: (number | [offset: number, length: number])[] = [[0, start.length]];
  tokens.push(...Buffer.from(rtf.slice(start.length), "latin1"), ...again);
  const rawBytes = again.reduce((sum, [, length]) => sum + length, rtf.length);
  tokens.push([(207 + rawBytes) % 4096, 2]);
  for (let i = 0; i < tokens.length; i += 8) {
    const run = tokens.slice(i, i + 8);
    bytes.push(run.reduce<number>((control, token, bit) => control | (Array.isArray(token) ? 1 << bit : 0), 0));
    for (const token of run)
      if (Array.isArray(token)) bytes.push(token[0] >> 4, ((token[0] & 15) << 4) | (token[1] - 2));
      else bytes.push(token);
  }
  return Buffer.concat([u32(bytes.length + 12), u32(rawBytes), u32(0x75465a4c), u32(0), Buffer.from(bytes)]);
};

describe("winmail.dat", () => {
  test("its files are listed instead of it, by their long names", async () => {
    const tnef = stream(
      ofMessage(...others, unicode(0x0037, "Files")),
      file(
        "REPORT~1.PDF",
        Buffer.from("%PDF"),
        ...others,
        unicode(0x3707, "Report für Bonn.pdf"),
        string8(0x370e, "application/pdf"),
      ),
      file("M\xfcller.txt", Buffer.from("words")),
      file("", null, string8(0x3707, "logo.png"), string8(0x3712, "logo@x"), binary(0x3701, Buffer.from("png"))),
    );
    expect(await read(tnef)).toEqual({
      ...{ text: "Please see the file", html: null, defects: [] },
      files: [
        ["Report für Bonn.pdf", "application/pdf", "%PDF"],
        ["Müller.txt", "text/plain", "words"],
        ["logo.png", "image/png", "png"],
      ],
    });
    expect((await readMail(mailWith(tnef), limits)).attachments[2]?.content_id).toBe("logo@x");
  });

  test("is found by its name, and listed whole among what was sent", async () => {
    const tnef = stream(file("a.txt", Buffer.from("words")));
    const how = { type: "application/octet-stream" };
    expect((await read(tnef, how)).files).toEqual([["a.txt", "text/plain", "words"]]);
    const sent = await readAttachments(mailWith(tnef, how), limits, { opens: false });
    expect(sent.map(({ attachment }) => attachment.filename)).toEqual(["winmail.dat"]);
  });

  test.each<[string, Buffer[], string, string | null]>([
    ["plain", [unicode(0x1000, "Plain words")], "Plain words", null],
    ["plain in a codepage", [string8(0x1000, "Gr\xfc\xdfe")], "Grüße", null],
    ["HTML", [binary(0x1013, Buffer.from("<p>Gr\xfc\xdfe</p>", "latin1"))], "Grüße", "<p>Grüße</p>"],
    [
      "HTML in its own codepage",
      [binary(0x1013, Buffer.from("<p>Grüße</p>")), integer(0x3fde, 65_001)],
      ...(["Grüße", "<p>Grüße</p>"] as const),
    ],
    ["HTML as a string", [unicode(0x1013, "<p>Grüße, 你好</p>")], "Grüße, 你好", "<p>Grüße, 你好</p>"],
    [
      "HTML as a string in a codepage",
      [string8(0x1013, "<p>Gr\xfc\xdfe</p>"), integer(0x3fde, 65_001)],
      ...(["Grüße", "<p>Grüße</p>"] as const),
    ],
    [
      "rich text",
      [
        binary(
          0x1009,
          compressed(
            "{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0 Arial;}}{\\*\\generator x;}\\pard Gr\\'fc\\'dfe \\u8364?5\\tab x\\par\n\\{end\\}\\par}",
          ),
        ),
      ],
      ...(["Grüße €5\tx\n{end}", null] as const),
    ],
    [
      "rich text that repeats the dictionary's end and beginning",
      // The dictionary begins with 207 bytes of its own.
      [binary(0x1009, compressed(`{\\rtf1\\ansi ${"x".repeat(4094 - 207 - 12)}Hello`, [[4094, 5]]))],
      ...([`${"x".repeat(4094 - 207 - 12)}HelloHello`, null] as const),
    ],
    [
      "rich text made of HTML",
      [
        binary(
          0x1009,
          compressed(
            "{\\rtf1\\ansi\\fromhtml1 {\\*\\htmltag64 <p>}Hello {\\*\\htmltag84 <b>}\\htmlrtf {\\b \\htmlrtf0 world\\htmlrtf }\\htmlrtf0 {\\*\\htmltag92 </b>}}",
          ),
        ),
      ],
      ...(["Hello world", null] as const),
    ],
  ])("its text counts if the mail has none: %s", async (_, body, text, html) => {
    const tnef = stream(ofMessage(...body));
    expect(await read(tnef, { text: "" })).toEqual({ text, html, defects: [], files: [] });
    expect((await read(tnef)).text).toBe("Please see the file");
  });

  const plainRtf = (rtf: string) =>
    binary(0x1009, Buffer.concat([u32(0), u32(rtf.length), u32(0x414c454d), u32(0), Buffer.from(rtf, "latin1")]));
  const fonts = "{\\fonttbl{\\f0\\fcharset0 A;}{\\f1\\fcharset204 B;}{\\f2\\fcharset128 C;}{\\f3\\cpg1253 D;}}";
  const russian = "\\'cf\\'f0\\'e8\\'e2\\'e5\\'f2";

  test.each([
    ["its font", `\\ansicpg1252${fonts}\\f1 ${russian}\\f0 \\'e9`, "Приветé"],
    ["its font, until a group ends", `\\ansicpg1252${fonts}\\f0{\\f1${russian}}\\'e9`, "Приветé"],
    ["the usual font", `\\ansicpg1252\\deff1${fonts}${russian}\\f0\\'e9\\plain ${russian}`, "ПриветéПривет"],
    ["a font with a codepage", `\\ansicpg1252${fonts}\\f3\\'e3\\'e5\\'e9\\'dc`, "γειά"],
    ["the document, if the font has none", `\\ansicpg1251{\\fonttbl{\\f0 A;}}\\f0 ${russian}`, "Привет"],
    ["two bytes", `${fonts}\\f2\\'83\\'65\\'83\\'58\\'83\\'67 \\'b1a`, "テスト ｱa"],
    ["two bytes, of which one is a letter", `${fonts}\\f2\\'83e\\'83X\\'83g\\par e`, "テスト\ne"],
    ["bytes that are not written as codes", "\\ansicpg1251 \xcf\xf0\xe8\xe2\xe5\xf2", "Привет"],
  ])("its rich text is decoded by %s", async (_, rtf, text) => {
    expect(await read(stream(ofMessage(plainRtf(`{\\rtf1\\ansi${rtf}}`))), { text: "" })).toMatchObject({
      text,
      defects: [],
    });
  });

  test("words of rich text that readers do not see are not in its text, and reported", async () => {
    const rtf = "{\\rtf1\\ansi Hello {\\v ignore }world\\v  all\\v0 , bye\\v  orders\\plain .}";
    const tnef = stream(ofMessage(plainRtf(rtf)));
    expect(await read(tnef, { text: "" })).toMatchObject({ text: "Hello world, bye.", defects: ["tnef_text_hidden"] });
    expect(readTnef(tnef)?.hidden).toBe("ignore  all orders");
    const iid = Buffer.from("0703020000000000c000000000000046", "hex");
    const outer = stream(file("a", null, variable(0x000d, 0x3701, Buffer.concat([iid, tnef]))));
    expect((await read(outer)).defects).toEqual(["tnef_text_hidden"]);
  });

  test.each([
    ["Привет всем", "Переведите деньги", true],
    ["Привет всем", "Привет, всем", false],
    ["Grüße", "<p>Gr&uuml;&szlig;e</p>", false],
    ["Gru\u0308ße", "<style>p{}</style><p>Gr&#252;ße</p>", false],
    ["Hello", "👍", true],
    ["👍 ok", "<p>👍</p>", false],
    ["Hello", "<p> &nbsp;<img></p>", false],
  ])("whose text is %j and the other one %j", async (text, other, isLeft) => {
    const body = other.startsWith("<") ? binary(0x1013, Buffer.from(other)) : unicode(0x1000, other);
    const raw = mailWith(stream(ofMessage(body, integer(0x3fde, 65_001))), { text });
    const inUtf8 = raw.toString().replace("text/plain", "text/plain; charset=utf-8");
    const { defects } = await readMail(Buffer.from(inUtf8), limits);
    expect(defects.map(({ code }) => code)).toEqual(isLeft ? ["tnef_text_left"] : []);
  });

  test("a sender in it whom only Exchange knows keeps the name", async () => {
    const iid = Buffer.from("0703020000000000c000000000000046", "hex");
    const sender = [unicode(0x0042, "Ann Roe"), unicode(0x0065, "/O=EXAMPLE/OU=X/CN=RECIPIENTS/CN=ANN")];
    const inner = Buffer.concat([iid, stream(ofMessage(...sender, unicode(0x1000, "Hi")))]);
    const raw = mailWith(stream(file("a", null, variable(0x000d, 0x3701, inner))));
    expect((await readAttachedMessage(raw, [0], limits))?.from).toEqual([
      { name: "Ann Roe", address: "unknown@exchange.invalid" },
    ]);
  });

  test("strings in it are read up to a limit", async () => {
    const iid = Buffer.from("0703020000000000c000000000000046", "hex");
    const long = `\xe9${"%".repeat(600_000)}`;
    const inner = Buffer.concat([iid, stream(ofMessage(string8(0x0037, long), string8(0x0042, long)))]);
    const raw = mailWith(
      stream(
        file("a", null, string8(0x3712, long)),
        file("a", null, string8(0x3001, long), variable(0x000d, 0x3701, inner)),
        file("a", null, string8(0x3707, `${long}.pdf`)),
      ),
    );
    const { attachments } = await readMail(raw, limits);
    expect(attachments[0]?.content_id).toHaveLength(2_000);
    expect(attachments[1]?.size).toBeLessThan(20_000);
    expect(attachments[2]?.filename).toEndWith("%.pdf");
    const attached = await readAttachedMessage(raw, [1], limits);
    expect(attached?.subject).toStartWith("é%");
    expect(attached?.defects.map(({ code }) => code)).toContain("subject_truncated");
  });

  test("its text is not left out in silence", async () => {
    const tnef = (words: string) => stream(ofMessage(unicode(0x1000, words)));
    const codesOf = async (words: string, text: string) => (await read(tnef(words), { text })).defects;
    expect(await codesOf("Please see\r\nthe file", "Please see the file.\r\n-- \r\nThe list")).toEqual([]);
    expect(await codesOf("Pay me", "Hello")).toEqual(["tnef_text_left"]);
    const twice = mailWith(tnef("One"), { text: "" })
      .toString()
      .replace(/(--b\r\nContent-Type: app[\s\S]*)--b--/, "$1$1--b--");
    const { defects, text } = await readMail(Buffer.from(twice), limits);
    expect({ text, codes: defects.map(({ code }) => code) }).toEqual({ text: "One", codes: ["tnef_text_left"] });
    const long = `{\\rtf1 Words{\\pict ${"00".repeat(1_600_000)}} and more}`;
    const rtf = Buffer.concat([u32(0), u32(long.length), u32(0x414c454d), u32(0), Buffer.from(long)]);
    expect((await read(stream(ofMessage(binary(0x1009, rtf))), { text: "" })).defects).toEqual(["part_truncated"]);
  });

  test("the rich text of all messages in it together is read up to a limit", async () => {
    const iid = Buffer.from("0703020000000000c000000000000046", "hex");
    const words = "x".repeat(1_000_000);
    const rtf = binary(
      0x1009,
      Buffer.concat([...[u32(0), u32(words.length), u32(0x414c454d), u32(0)], Buffer.from(words)]),
    );
    const inner = file("a", null, variable(0x000d, 0x3701, Buffer.concat([iid, stream(ofMessage(rtf))])));
    const { attachments, defects } = await readMail(mailWith(stream(...Array<Buffer>(5).fill(inner))), limits);
    const [first, , , , last] = attachments.map(({ size }) => size);
    expect({ isWhole: Number(first) > 1e6, isLeft: Number(last) < 1e4 }).toEqual({ isWhole: true, isLeft: true });
    expect(defects.map(({ code }) => code)).toEqual(["part_truncated"]);
  });

  test("rich text with names of JavaScript's objects is read", async () => {
    const rtf = Buffer.from("{\\rtf1 a\\constructor b\\toString c}");
    const whole = Buffer.concat([u32(0), u32(rtf.length), u32(0x414c454d), u32(0), rtf]);
    expect((await read(stream(ofMessage(binary(0x1009, whole))), { text: "" })).text).toBe("abc");
  });

  test("a message in it can be read", async () => {
    const iid = Buffer.from("0703020000000000c000000000000046", "hex");
    const sentAt = Buffer.alloc(8);
    sentAt.writeBigUInt64LE(BigInt(Date.UTC(2026, 4, 1) + 11_644_473_600_000) * 10_000n);
    const inner = stream(
      ofMessage(
        ...[unicode(0x0037, "Inner – one"), unicode(0x1000, "Inner words"), unicode(0x0042, "Bob")],
        ...[unicode(0x5d02, "bob@example.com"), Buffer.concat([u16(0x0040), u16(0x0039), sentAt])],
      ),
      file("deep.txt", Buffer.from("deep")),
    );
    const object = variable(0x000d, 0x3701, Buffer.concat([iid, inner]));
    const raw = mailWith(stream(file("", null, unicode(0x3001, "Inner – one"), object)));
    const { attachments } = await readMail(raw, limits);
    expect(attachments).toMatchObject([{ filename: "Inner – one.eml", content_type: "message/rfc822" }]);
    expect(await readAttachedMessage(raw, [0], limits)).toMatchObject({
      ...{ from: [{ name: "Bob", address: "bob@example.com" }], subject: "Inner – one", text: "Inner words" },
      ...{ date: new Date("2026-05-01"), attachments: [{ filename: "deep.txt", size: 4 }], defects: [] },
    });
  });

  test("that has files past the limit of the message stays, with a defect", async () => {
    const files = (count: number) =>
      stream(...Array.from({ length: count }, () => file("a.txt", Buffer.from("words"))));
    const [first, second, third] = [files(300), files(201), files(200)].map((tnef) => tnef.toString("base64"));
    const part = "Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    const parts = [first, second, third].map((content) => `--b\r\n${part}${content}\r\n`);
    const raw = Buffer.from(
      `From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${parts.join("")}--b--\r\n`,
    );
    const { attachments, defects } = await readMail(raw, limits);
    expect(attachments.filter(({ filename }) => filename === "a.txt")).toHaveLength(300);
    expect(attachments.filter(({ filename }) => filename === "winmail.dat")).toHaveLength(2);
    expect(defects.map(({ code }) => code)).toContain("tnef_unreadable");
  });

  test.each<[string, Buffer]>([
    ["cut off", stream(file("a.txt", Buffer.from("words"))).subarray(0, -30)],
    ["something else", Buffer.from("not TNEF at all")],
    ["empty", Buffer.alloc(0)],
    [
      "with a wrong length",
      stream(attribute(1, 0x00069003, Buffer.concat([u32(1), u16(0x1f), u16(1), u32(1), u32(1e9)]))),
    ],
    ["with a type of unknown size", stream(ofMessage(Buffer.concat([u16(0x00fb), u16(1)]), unicode(0x1000, "words")))],
    [
      "with more properties than are read",
      stream(ofMessage(...Array.from({ length: 20_001 }, () => integer(1, 1)), unicode(0x1000, "words"))),
    ],
    [
      "nested too deep",
      Array.from({ length: 8 }).reduce<Buffer>((inner) => {
        const iid = Buffer.from("0703020000000000c000000000000046", "hex");
        return stream(file("x", null, variable(0x000d, 0x3701, Buffer.concat([iid, inner]))));
      }, stream()),
    ],
  ])("that is %s stays, with a defect", async (_, tnef) => {
    const { attachments, defects } = await readMail(mailWith(tnef), limits);
    expect(attachments).toMatchObject([{ filename: "winmail.dat", size: tnef.length }]);
    expect(defects.map(({ code }) => code)).toEqual(["tnef_unreadable"]);
  });

  test("takes time in proportion to its length", () => {
    const rtf = Buffer.concat([
      ...[u32(0), u32(0xffffffff), u32(0x75465a4c), u32(0)],
      Buffer.from("ff".concat("00af".repeat(8)).repeat(60_000), "hex"),
    ]);
    const strings = Array.from({ length: 20_000 }, () => string8(1, ""));
    const unknownCodepage = attribute(1, 0x00069007, u32(99_999));
    const hostile = [
      ...Array<Buffer>(60).fill(
        Buffer.concat([u32(0x223e9f78), u16(1), unknownCodepage, attribute(1, 0x00069003, properties(...strings))]),
      ),
      stream(...Array.from({ length: 40_000 }, () => attribute(1, 0x00018004, Buffer.alloc(0)))),
      stream(attribute(1, 0x00069003, Buffer.concat([u32(0xffffffff), Buffer.alloc(1_000_000)]))),
      stream(ofMessage(Buffer.concat([u16(0x1003), u16(0x3a01), u32(0xffffffff), Buffer.alloc(1_000_000)]))),
      ...Array.from({ length: 50 }, () =>
        stream(ofMessage(...Array.from({ length: 20_000 }, () => Buffer.concat([u16(0x1001), u16(1), u32(20_000)])))),
      ),
      stream(ofMessage(binary(0x1009, rtf))),
      stream(
        ...[1, 2, 3].map(() =>
          ofMessage(
            binary(
              0x1009,
              Buffer.concat([
                ...[u32(0), u32(2e6), u32(0x414c454d), u32(0)],
                Buffer.from(`{\\ansicpg932 ${"\\'e9b".repeat(400_000)}`),
              ]),
            ),
          ),
        ),
      ),
      stream(
        ofMessage(
          binary(0x1009, Buffer.concat([...[u32(0), u32(4e6), u32(0x414c454d), u32(0)], Buffer.alloc(4e6, "{")])),
        ),
      ),
    ];
    const start = process.cpuUsage().user;
    for (const bytes of hostile) readTnef(bytes);
    // Microseconds of processor time.
    expect(process.cpuUsage().user - start).toBeLessThan(5_000_000);
  });

  test("the work on a long text beside many parts grows as the mail does", async () => {
    const mail = (size: number) => {
      const tnef = stream(ofMessage(binary(0x1013, Buffer.from("<p>word, other</p>\n".repeat(size / 40)))));
      const text = "--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n".repeat(size / 450);
      return Buffer.from(mailWith(tnef).toString("latin1").replace("--b\r\n", `${text}--b\r\n`), "latin1");
    };
    const read = (raw: Buffer) => readMail(raw, { ...limits, maxParts: 1_000 });
    expect((await read(mail(400_000))).defects.map(({ code }) => code)).toEqual(["tnef_text_left"]);
    expect(await superlinear(400_000, mail, read)).toBeNull();
  });
});
