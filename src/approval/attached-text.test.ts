import { expect, test } from "bun:test";
import { attachedTexts, newFileBudget } from "./attached-text.ts";

const read = (filename: string, contentType: string, content: string | Uint8Array) =>
  attachedTexts({ filename, contentType, content: Buffer.from(content) }, "the file", newFileBudget());
const binary = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 13, 0xff, 0xfe, 0xfd]);
const mixed = (...parts: string[]) =>
  `MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${parts.map((one) => `--b\r\n${one}\r\n`).join("")}--b--\r\n`;
const base64Part = (type: string, content: Buffer, name = "x") =>
  `Content-Type: ${type}; name=${name}\r\nContent-Disposition: attachment; filename=${name}\r\nContent-Transfer-Encoding: base64\r\n\r\n${content.toString("base64").replace(/.{76}/g, "$&\r\n")}`;

const hidden = "https://evil.example/x";
test.each([
  ["behind what looks like the mark of UTF-16", "iso-8859-1", `\xff\xfe${hidden} more`],
  ["behind what looks like an escape of ISO-2022-JP", "utf-8", `Hi \x1b$B${hidden} more`],
])("words %s are searched", async (_name, charset, content) => {
  const encoded = Buffer.from(content, "latin1").toString("base64");
  const fields = `Content-Type: text/plain; charset=${charset}\r\nContent-Transfer-Encoding: base64`;
  for (const body of [encoded, `${encoded.slice(0, 4)}\r\n\r\n${encoded.slice(4)}`]) {
    const { texts, unsearched } = await read("a.eml", "message/rfc822", `${fields}\r\n\r\n${body}`);
    expect(texts.some(({ text }) => text.includes(hidden))).toBe(true);
    // Programs differ in what they show of escapes that nothing declares.
    expect(unsearched).toEqual(charset === "utf-8" ? [{ name: "the file", why: "unreadable" }] : []);
  }
});

test("words in base64 with other characters between, which decoders ignore, are searched", async () => {
  const encoded = Buffer.from(`Hi ${hidden} more`).toString("base64");
  for (const body of [encoded.replace(/./g, "$&!"), encoded.replace(/.{8}/g, "$& -\r\n")]) {
    const { texts } = await read("a.eml", "message/rfc822", `Content-Transfer-Encoding: base64\r\n\r\n${body}`);
    expect(texts.some(({ text }) => text.includes(hidden))).toBe(true);
  }
});

/** Base64 of `hidden` and words around it, which only some decoders read so. */
const whole = Buffer.from(`Hi?>@0 ${hidden} and ~~~???`).toString("base64");
const damaged: [string, string][] = [
  ["with a hyphen inside, for those that ignore it", `${whole.slice(0, 5)}-${whole.slice(5)}`],
  ["with hyphens inside, for those that ignore them", `${whole.slice(0, 5)}--_-${whole.slice(5)}`],
  ["for those that know its other alphabet", `SGk-${whole.replaceAll("+", "-").replaceAll("/", "_")}`],
  ["with a '=' after one digit of four, for those that ignore it", `${whole.slice(0, 5)}=${whole.slice(5)}`],
  ["with a '=' after two digits of four, for those that ignore it", `${whole.slice(0, 6)}=${whole.slice(6)}`],
  ["with a '=' after three digits of four, for those that ignore it", `${whole.slice(0, 7)}=${whole.slice(7)}`],
  ["after a group that is not filled up, for those that end it at '='", `QQ=${whole}`],
  ["after one that is, for those that begin anew", `QQ==\r\n${whole}`],
  ["with '=' for 'A', for those that take it for zero", whole.replace("A", "=")],
  ["with a NUL inside", `${whole.slice(0, 5)}\0${whole.slice(5)}`],
];

test.each(damaged)("words in base64 %s, are searched, and the part is named", async (_, body) => {
  const fields = "Content-Type: text/plain; charset=windows-1252\r\nContent-Transfer-Encoding: base64";
  const found = await read("a.eml", "message/rfc822", `${fields}\r\n\r\n${body.replace(/.{64}/g, "$&\r\n")}`);
  expect(found.texts.filter(({ form }) => form !== "raw").some(({ text }) => text.includes(hidden))).toBe(true);
  expect(found.unsearched).toContainEqual({ name: "the file", why: "unreadable" });
  const card = await read(
    "a.vcf",
    "text/vcard",
    `BEGIN:VCARD\r\nKEY;ENCODING=b:${body.replace(/\s/g, "")}\r\nEND:VCARD`,
  );
  expect(card.texts.some(({ text }) => text.includes(hidden))).toBe(true);
});

test.each([
  ["in the header", (word: string) => `Subject: ${word}\r\n\r\nHi`],
  [
    "in the name of a file",
    (word: string) => mixed("\r\nHi", `Content-Disposition: attachment; filename="${word}"\r\n\r\nHi`),
  ],
])("a message is named if programs differ about an encoded word %s", async (_, message) => {
  const { unsearched } = await read("a.eml", "message/rfc822", message(`=?utf-8?B?${whole}?=`));
  expect(unsearched).toEqual([]);
  for (const [, body] of damaged) {
    const { unsearched } = await read("a.eml", "message/rfc822", message(`=?utf-8?B?${body.replace("\r\n", "")}?=`));
    expect(unsearched).toContainEqual({ name: "the file", why: "unreadable" });
  }
});

test.each(["hz-gb-2312", "iso-2022-kr", "iso-2022-cn", "utf-7"])(
  "words in shifts of %s are searched",
  async (charset) => {
    for (const content of [`~{${hidden}~}`, `\x1b$)C\x0e${hidden}\x0f`]) {
      const fields = `Content-Type: text/plain; charset=${charset}\r\nContent-Transfer-Encoding: base64`;
      const message = `${fields}\r\n\r\n${Buffer.from(content).toString("base64")}`;
      const { texts } = await read("a.eml", "message/rfc822", message);
      expect(texts.some(({ text }) => text.includes(hidden))).toBe(true);
    }
  },
);

test.each(["text/x-amp-html", "text/watch-html", "text/enriched"])(
  "an alternative of type %s is searched",
  async (type) => {
    const other = `Content-Type: ${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n${Buffer.from(hidden).toString("base64")}`;
    const { texts } = await read("a.eml", "message/rfc822", mixed("\r\nHi", other).replace("/mixed", "/alternative"));
    expect(texts.some(({ text }) => text.includes(hidden))).toBe(true);
  },
);

test.each<[string, string, string, string | Uint8Array, string[]]>([
  ["text", "a.txt", "text/plain", "Hello", []],
  ["text of no known type", "a", "application/octet-stream", "Hello", []],
  ["an empty file", "a.bin", "application/octet-stream", "", []],
  ["a picture", "a.png", "image/png", binary, ["binary"]],
  ["a picture that says it is text", "a.txt", "text/plain", binary, ["unreadable"]],
  ["a PDF of ASCII alone", "a.pdf", "application/pdf", "%PDF-1.4\nHello", ["binary"]],
  ["an archive by its first bytes", "a.txt", "text/plain", "PK\x03\x04Hello", ["binary"]],
  ["rich text", "a.rtf", "application/rtf", "{\\rtf1 Hello}", ["binary"]],
  ["rich text without a version", "a.doc", "text/plain", "\n{\\rt Hello}", ["binary"]],
  ["a PDF behind other text", "a.txt", "text/plain", `${" x".repeat(300)}\n%PDF-1.4\nHello`, ["binary"]],
  ["PostScript", "a.txt", "text/plain", "%!PS\n(Hello) show", ["binary"]],
  ["a page in a charset that browsers do not know", "a.html", "text/html", "<meta charset=utf-7>+AGc-", ["unreadable"]],
  ["a drawing in such a charset", "a.svg", "", "<?xml version='1.0' encoding='cp037'?><svg/>", ["unreadable"]],
  [
    "a page of many charsets",
    ...(["a.html", "text/html"] as const),
    ["gbk", "big5", "euc-jp", "euc-kr", "koi8-r"].map((label) => `<meta charset=${label}>`).join(""),
    ["unreadable"],
  ],
  ["a page in its own charset", "a.html", "text/html", Buffer.from("<meta charset=latin1>Gr\xfc\xdfe", "latin1"), []],
  ["a page that cannot be in its own charset", "a.html", "text/html", '<meta charset="utf-16">Hello', []],
  ["text in UTF-16", "a.txt", "application/octet-stream", Buffer.from("\ufeffplain words 😀", "utf16le"), []],
  [
    "an archive behind text in UTF-16",
    ...(["a.bin", "application/octet-stream"] as const),
    Buffer.concat([
      Buffer.from("plain words ".repeat(400), "utf16le"),
      Buffer.from("PK\x03\x04\xff\xde\xff\xdf", "latin1"),
    ]),
    ["unreadable"],
  ],
  ["entities", "a.svg", "image/svg+xml", '<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', ["unreadable"]],
  ["a charset that nobody knows", "a.txt", "text/plain; charset=utf-7", "+AGcAaABw-", ["unreadable"]],
  ["a charset in pieces", "a.txt", "text/plain; charset*0=utf; charset*1=-7", "+AGcAaABw-", ["unreadable"]],
  ["an encrypted file", "a.gpg", "application/octet-stream", binary, ["encrypted"]],
  ["an S/MIME envelope", "smime.p7m", "application/pkcs7-mime", binary, ["encrypted"]],
  ["a long text", "a.txt", "text/plain", "x".repeat(1_100_000), ["too large"]],
  ["a message", "a.eml", "message/rfc822", "Subject: Hi\r\n\r\nHello\r\n", []],
  ["a message with a picture", "a.eml", "message/rfc822", mixed(base64Part("image/png", binary)), ["binary"]],
  [
    "a large message with a picture",
    "a.eml",
    "message/rfc822",
    mixed(base64Part("image/png", Buffer.concat([binary, Buffer.alloc(1_500_000)]))),
    ["searched in part", "binary"],
  ],
  [
    "a message in a charset that nobody knows",
    "a.eml",
    "message/rfc822",
    "Content-Type: text/plain; charset=utf-7\r\n\r\n+AGc-",
    ["unreadable"],
  ],
  [
    "a message with such a part",
    "a.eml",
    "message/rfc822",
    mixed("Content-Type: text/plain; charset=utf-7\r\n\r\n+AGc-"),
    ["unreadable"],
  ],
  [
    "a message with such a subject",
    "a.eml",
    "message/rfc822",
    "Subject: =?utf-7?Q?+AGc-?=\r\n\r\nHello\r\n",
    ["unreadable"],
  ],
  [
    "a message in an encoding that nobody knows",
    "a.eml",
    "message/rfc822",
    "Content-Transfer-Encoding: x-yenc\r\n\r\nHello\r\n",
    ["unreadable"],
  ],
  [
    "parts without the message that they are parts of",
    "a",
    "multipart/mixed; boundary=b",
    `--b\r\n${base64Part("image/png", binary)}\r\n--b--\r\n`,
    ["binary"],
  ],
  [
    "a page saved with its pictures",
    "a.mht",
    "application/octet-stream",
    mixed(base64Part("image/png", binary)),
    ["binary"],
  ],
  ["a message that is a part of one", "a.eml", "message/partial", "Subject: Hi\r\n\r\nHello\r\n", ["unreadable"]],
  [
    "a message with two encodings",
    "a.eml",
    "message/rfc822",
    "Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: 7bit\r\n\r\nHello\r\n",
    ["unreadable"],
  ],
  [
    "a part with an encoding within a field",
    "a.eml",
    "message/rfc822",
    mixed("X-A: b\r\nContent-Transfer-Encoding\r\n \r\n : base64\r\n\r\nHello"),
    ["unreadable"],
  ],
  [
    "a multipart that is encoded as a whole",
    "a.eml",
    "message/rfc822",
    "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\nLS1i\r\n",
    ["unreadable"],
  ],
  [
    "a multipart with two boundaries",
    "a.eml",
    "message/rfc822",
    "Content-Type: multipart/mixed; boundary=a; boundary=b\r\n\r\n--a\r\n\r\nA\r\n--a--\r\n--b\r\n\r\nB\r\n--b--\r\n",
    ["unreadable"],
  ],
  [
    "a message whose letters are not in its charset",
    ...(["a.eml", "message/rfc822"] as const),
    Buffer.from("Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xfc\xdfe aus K\xf6ln", "latin1"),
    ["unreadable"],
  ],
  [
    "a message in UTF-16 of unknown order",
    ...(["a.eml", "message/rfc822"] as const),
    `Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\nMEIwRA==`,
    ["unreadable"],
  ],
  [
    "a message with text behind base64",
    ...(["a.eml", "message/rfc822"] as const),
    "Content-Transfer-Encoding: base64\r\n\r\nSGk=\r\nand more\r\n",
    ["unreadable"],
  ],
  ["a message of too many parts", "a.eml", "message/rfc822", mixed(...Array(600).fill("\r\nx")), ["unreadable"]],
])("of %s it is said what is not searched", async (_, filename, contentType, content, why) => {
  const { unsearched } = await read(filename, contentType, content);
  expect(unsearched.map((one) => one.why)).toEqual(why as (typeof unsearched)[number]["why"][]);
});

test("messages in messages are opened four deep, and what is deeper is named", async () => {
  let message = "Subject: Hi\r\n\r\nthe innermost words\r\n";
  const depths: boolean[] = [];
  for (let depth = 0; depth < 6; depth++) {
    const { texts, unsearched } = await read("a.eml", "message/rfc822", message);
    const isFound = texts.some(({ text, form }) => form !== "raw" && text.includes("the innermost words"));
    expect(unsearched.length > 0).toBe(!isFound);
    depths.push(isFound);
    message = mixed(base64Part("message/rfc822", Buffer.from(message), `m${depth}.eml`));
  }
  expect(depths).toEqual([true, true, true, true, false, false]);
});

test("many tiny texts of an attached message are searched as one, and all are found", async () => {
  const fields = Array.from({ length: 400 }, (_, i) => `X-${i}: v${i}\r\nReceived: from r${i}\r\n`).join("");
  const named = (i: number) => `Content-ID: <c${i}>\r\nContent-Disposition: attachment; filename=f${i}\r\n\r\n`;
  const nested = (i: number) => `Content-Type: multipart/mixed; boundary=n${i}\r\n\r\no${i}\r\n--n${i}--\r\np${i}`;
  const parts = Array.from({ length: 200 }, (_, i) => [named(i), nested(i)]).flat();
  const { texts } = await read("a.eml", "message/rfc822", fields + mixed(...parts));
  const decoded = texts.filter(({ text }) => !text.includes("--b"));
  const linesOf = (wanted: string) =>
    decoded
      .filter(({ form, where }) => form === wanted && where === "the file")
      .flatMap(({ text }) => text.split(/\r?\n/));
  expect(linesOf("words")).toEqual(expect.arrayContaining(["X-399: v399", "o199", "p199"]));
  expect(linesOf("data")).toEqual(expect.arrayContaining(["Received: from r399", "f199", "c199"]));
  expect(decoded.length).toBeLessThan(10);
});

test("messages of many parts are opened until there are too many in all, and the others are named", async () => {
  const whole = mixed(...Array(400).fill("\r\n"));
  const messages = Array.from({ length: 20 }, (_, i) => base64Part("message/rfc822", Buffer.from(whole), `m${i}.eml`));
  const { unsearched } = await read("a.eml", "message/rfc822", mixed(...messages));
  expect(unsearched).toContainEqual({ name: "“m19.eml” in the file", why: "too large" });
  expect(unsearched.map(({ name }) => name)).not.toContain("“m1.eml” in the file");
});

test("of the files in attached messages, the first that is one too many is named", async () => {
  const files = Array.from({ length: 400 }, (_, i) => base64Part("text/csv", Buffer.from("a"), `f${i}.csv`));
  const messages = [0, 1].map((i) => base64Part("message/rfc822", Buffer.from(mixed(...files)), `m${i}.eml`));
  const { unsearched } = await read("a.eml", "message/rfc822", mixed(...messages));
  expect(unsearched).toEqual([{ name: "“f97.csv” in “m1.eml” in the file", why: "too large" }]);
});

test.each(["\r", "\n", "\r\n"])("a message with the line ends %j is read as it leaves", async (lineEnd) => {
  const lines = ["Content-Transfer-Encoding: base64", "", Buffer.from("the inner words").toString("base64"), ""];
  const { texts } = await read("a.eml", "message/rfc822", lines.join(lineEnd));
  expect(texts.map(({ text }) => text.trim())).toContain("the inner words");
});

test.each(["\r", "\n", "\r\n"])("a calendar folded with %j is read whole, whatever its type", async (lineEnd) => {
  const calendar = ["SUMMARY:Project Fal", " con", "END:VCALENDAR"].join(lineEnd);
  const { texts } = await read("a.ics", "application/octet-stream", calendar);
  expect(texts.map(({ text }) => text).join()).toContain("Project Falcon");
});

test.each<[string, string, string]>([
  ["a.ics", "text/calendar", "SUMMARY:the inner\\, and\r\n  other\\; words"],
  ["meeting", "application/ics", "SUMMARY:the inner\\, and ot\r\n her\\; words"],
  ["card", "text/directory", "NOTE:the inner\\, and \\ot\r\n her\\; words"],
])("the words of %s (%s) are searched as programs show them", async (filename, type, text) => {
  const { texts } = await read(filename, type, text);
  expect(texts.map(({ text }) => text).join()).toContain("the inner, and other; words");
});

test.each<[string, string]>([
  ["a.ics", "ATTACH;FMTTYPE=application/zip;ENCODING=BASE64;VALUE=BINARY:"],
  ["a.ics", "ATTACH:data:application/zip;base64,"],
  ["a.vcf", "PHOTO;TYPE=PNG;ENCODING=b:"],
])("a file inside %s is named: %s", async (filename, before) => {
  const folded = binary.toString("base64").replace(/.{4}/g, "$&\r\n ");
  expect((await read(filename, "application/octet-stream", `${before}${folded}`)).unsearched).toEqual([
    { name: "a file inside the file", why: "binary" },
  ]);
  const words = Buffer.from("the inner words").toString("base64");
  const { texts, unsearched } = await read(filename, "application/octet-stream", `${before}${words}`);
  expect(texts.map(({ text }) => text)).toContain("the inner words");
  expect(unsearched).toEqual([]);
});

/** Words in full-width letters of charsets of East Asia. */
const gbk = Buffer.from("a3e7a3e5a3e8a3e5a3e9a3ed", "hex");
const shiftJis = Buffer.from("829382858283829282858294", "hex");

/** A word in ISO-8859-7, which nothing but its name suggests. */
const greek = Buffer.from("ecf5f3f4e9eafc", "hex");

test.each<[string, string, string, string, Buffer, string]>([
  ["a page", "a.html", "text/html", '<meta charset="GBK">', gbk, "geheim"],
  ["a page in references", "a.htm", "", "<meta charset='&#105;so-8859-7'>", greek, "μυστικό"],
  [
    "a page with the charset late",
    "a.html",
    "text/html",
    `${"<p>x".repeat(900)}<META charset = iso-8859-7>`,
    greek,
    "μυστικό",
  ],
  [
    "a page with http-equiv",
    "a.html",
    "text/html; charset=utf-8",
    "<meta content='text/html;charset =  greek' http-equiv=content-type>",
    greek,
    "μυστικό",
  ],
  ["XML", "a.xml", "", `<?xml version='1.0'${" ".repeat(600)}encoding = 'iso-8859-7' ?><a>`, greek, "μυστικό"],
  ["a style sheet", "a.css", "text/css", '@charset "ISO-8859-7"; /*', greek, "μυστικό"],
  ["a page of no charset", "a.html", "text/html", "<p>", shiftJis, "secret"],
  ["a page of no charset, damaged", "a.html", "text/html", "<p>\xff", gbk, "geheim"],
  ["a text", "a.txt", `text/plain;${" ".repeat(20)}charset=gbk`, "", gbk, "geheim"],
  ["a text of two charsets", "a.txt", "text/plain; charset=utf-8; charset=gbk", "", gbk, "geheim"],
])("the words of %s are searched in its charset", async (_, filename, type, before, words, shown) => {
  const content = Buffer.concat([Buffer.from(before, "latin1"), words]);
  const file = await read(filename, type, content);
  expect(file.unsearched).toEqual([]);
  // The same as a part of an attached message.
  const part = await read("b.eml", "message/rfc822", mixed(base64Part(type || "application/x-a", content, filename)));
  for (const { texts } of [file, part])
    expect(texts.map(({ form, text }) => (form === "raw" ? "" : text.normalize("NFKC"))).join()).toContain(shown);
});

test("a part of an attached message is read in the charset that it declares", async () => {
  const content = Buffer.from("F4E5F1F6", "hex");
  const message = mixed(base64Part("text/csv; charset=iso-8859-7", content, "a.csv"));
  expect((await read("a.eml", "message/rfc822", message)).texts.map(({ text }) => text)).toContain("τερφ");
});

test("a text in UTF-16 without a mark is read as declared", async () => {
  const { texts, unsearched } = await read("a.txt", "text/plain; charset=utf-16be", Buffer.from("ff473000ff48", "hex"));
  expect(texts.map(({ text }) => text)).toContain("ｇ　ｈ");
  expect(unsearched).toEqual([]);
});

test("a calendar is unfolded before it is decoded, and after", async () => {
  const bytes = Buffer.from("SUMMARY:Gesch\xc3\r\n \xa4ft, fal\r\n\tcon", "latin1");
  const { texts } = await read("a.ics", "text/calendar", bytes);
  expect(texts.map(({ text }) => text)).toContain("SUMMARY:Geschäft, falcon");
  const wide = Buffer.from("\ufeffSUMMARY:fal\r\n con", "utf16le");
  expect((await read("a.ics", "text/calendar", wide)).texts.map(({ text }) => text)).toContain("SUMMARY:falcon");
});

test.each<[string, string]>([
  ["a.ics", "application/octet-stream"],
  ["a.vcf", ""],
  ["a", "text/directory"],
  ["a.txt", "application/octet-stream"],
])("programs make links of bare names in %s (%s)", async (filename, type) => {
  const { texts } = await read(filename, type, "DESCRIPTION:see www.evil.example");
  expect(texts.map(({ form }) => form)).toEqual(["words"]);
});

test.each<[string, string, string]>([
  ["a.ics", "text/calendar", "X-ALT-DESC;FMTTYPE=text/html:se&shy\\;cret"],
  ["a.md", "application/octet-stream", "*se&shy;cret*"],
])("HTML inside %s is searched as such", async (filename, type, content) => {
  const { texts } = await read(filename, type, content);
  expect(texts.some(({ form, text }) => form === "html" && text.includes("se&shy;cret"))).toBe(true);
});

const zip = Buffer.concat([
  Buffer.from("PK\x03\x04\x14\0\x08\0", "latin1"),
  Buffer.from([1, 2, 3, 250, 251, 252, 9, 200]),
]);
const packed = zip.toString("base64");
const quotedPrintable = [...zip].map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, "0")}`);

test.each<[string, string, "binary" | "unreadable"]>([
  // Every program reads these alike.
  ["RFC 2426", `PHOTO;ENCODING=b;TYPE=ZIP:${packed}`, "binary"],
  ["a group", `item1.PHOTO;ENCODING=B:${packed}`, "binary"],
  ["parameters in another order", `ATTACH;VALUE=BINARY;FMTTYPE=a/b;ENCODING=BASE64:${packed}`, "binary"],
  ["no ENCODING", `ATTACH;VALUE=BINARY:${packed}`, "binary"],
  ["quotes", `PHOTO;ENCODING="b";X=" ; ":${packed}`, "binary"],
  ["white space", `PHOTO ; ENCODING  =        b : ${packed.replace(/.{3}/g, "$& \t")}`, "binary"],
  ["vCard 2.1", `PHOTO;BASE64;JPEG:\r\n ${packed}\r\n\r\nEND:VCARD`, "binary"],
  ["vCard 2.1 without folding", `PHOTO;JPEG;BASE64:\n\n${packed.replace(/.{6}/g, "$&\n")}\n\nEND:VCARD`, "binary"],
  ["a folded parameter", `PHOTO;ENCO\r\n  DING=b:${packed}`, "binary"],
  ["an unknown property", `X-FILE;ENCODING=b:${packed}`, "binary"],
  ["CR line ends", `BEGIN:VCARD\rPHOTO;ENCODING=b:${packed}\rEND:VCARD\r`, "binary"],
  ["no parameters", `a.LOGO:${packed}`, "binary"],
  ["a URL", `PHOTO;VALUE=uri:data:;base64,${packed}`, "binary"],
  ["an escaped URL", `PHOTO:data:application/x\\;base64\\,${packed}`, "binary"],
  ["a URL without base64", `PHOTO:data:,${quotedPrintable.join("").replaceAll("=", "%")}`, "binary"],
  ["a URL in a parameter", `DESCRIPTION;ALTREP="data:;base64,${packed}":Hi`, "binary"],
  ["a URL in a text", `DESCRIPTION:See data:;base64,${packed} for more`, "binary"],
  ["quoted-printable", `PHOTO;ENCODING=QUOTED-PRINTABLE:${quotedPrintable.join("=\r\n")}`, "binary"],
  ["quoted-printable, folded", `PHOTO;QUOTED-PRINTABLE:${quotedPrintable.join("\r\n ")}`, "binary"],
  ["quotes around a part of a parameter", `PHOTO;QUOTED-"PRINTABLE":${quotedPrintable.join("")}`, "binary"],
  ["white space in a parameter", `X-FILE;ENCODING=B A\tSE\x0164:${packed}`, "binary"],
  ["escapes in a scheme", `PHOTO;VALUE=uri:d\\at\\a:;base64,${packed}`, "binary"],
  ["a message", `ATTACH;FMTTYPE=message/rfc822;ENCODING=BASE64:${btoa(mixed(base64Part("a/b", zip)))}`, "binary"],
  [
    "a message by its name",
    `ATTACH;X-FILENAME="a.eml";ENCODING=BASE64:${btoa(mixed(base64Part("a/b", zip)))}`,
    "binary",
  ],
  ["a calendar", `ATTACH;FMTTYPE=text/calendar;ENCODING=BASE64:${btoa(`ATTACH;ENCODING=BASE64:${packed}`)}`, "binary"],
  // Programs may take these in two ways.
  ["a comma behind it", `PHOTO;ENCODING=b:${packed},`, "unreadable"],
  ["a colon behind it", `PHOTO;ENCODING=b:${packed}:`, "unreadable"],
  ["a second value", `ATTACH;ENCODING=BASE64:${packed},QUJD`, "unreadable"],
  ["a comma inside", `PHOTO;ENCODING=b:${packed.slice(0, 9)},${packed.slice(9)}`, "unreadable"],
  ["padding inside", `PHOTO;ENCODING=b:QQ==${packed}`, "unreadable"],
  ["the alphabet of URLs", `PHOTO;ENCODING=b:${zip.toString("base64url")}_`, "unreadable"],
  ["a colon in quotes", `PHOTO;X="a:b";ENCODING=b:${packed}`, "unreadable"],
  ["a quote left open", `PHOTO;X="a;ENCODING=b:${packed}`, "unreadable"],
  ["an escaped quote", `PHOTO;X="a\\":b";ENCODING=b:${packed}`, "unreadable"],
  ["a card in a property", `AGENT:BEGIN:VCARD\\nPHOTO\\;ENCODING=b:${packed}\\nEND:VCARD\\n`, "unreadable"],
  ["both kinds of line end", `FN:Ann\r\nPHOTO;ENCODING=b:QUJD\rNOTE:${packed}`, "unreadable"],
  ["both kinds of line end around it", `PHOTO;ENCODING=b:\rNOTE:${packed}\r\nEND:VCARD`, "unreadable"],
  ["a line without a name", `PHOTO;ENCODING=BASE64:\r\nX Y:${packed}`, "unreadable"],
  ["a line of an unknown name", `PHOTO;ENCODING=BASE64:QUJD\r\nX-FO:${packed}${packed}`, "unreadable"],
  ["no parameters and a comma", `PHOTO:${packed.repeat(4)},`, "unreadable"],
  ["a URL with a second one", `PHOTO:data:;base64,${packed},data:;base64,${packed}`, "unreadable"],
  ["a percent-encoded URL", `PHOTO:data:;base64,${packed.replaceAll("=", "%3D")}%20`, "unreadable"],
  ["an encoding that nobody knows", `PHOTO;ENCODING=UUENCODE:${packed}`, "unreadable"],
])("an archive in an address book is named, whatever programs make of it: %s", async (_, line, why) => {
  const { unsearched } = await read("a.vcf", "text/vcard", line);
  expect(unsearched.map((one) => one.why)).toContain(why);
  if (why === "binary") expect(new Set(unsearched.map((one) => one.why))).toEqual(new Set([why]));
});

test.each<[string, string]>([
  [
    "a.vcf",
    "N:Doe;Ann\r\nSOUND;X-IRMC-N:Dou;Ann;;;\r\nNOTE:In base64, b: see ;b:x\r\nPHOTO;VALUE=uri:http://a.example/b",
  ],
  ["a.vcf", "KEY:OPENPGP4FPR:ABCDEF0123456789ABCDEF0123456789ABCDEF01\r\nLOGO:none\r\nPHOTO:\r\nEND:VCARD"],
  ["a.vcf", `${"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=E4=BD=A0;=E5=A5=BD\r\n".repeat(600)}END:VCARD`],
  [
    "a.ics",
    `UID:${"040000008200E00074C5".repeat(5)}\r\nATTACH:CID:1.8D4C@a.example\r\nATTENDEE;CN="b:c":mailto:a@a.example`,
  ],
  ["a.ics", "METADATA:data:b, c\r\nURL:https://a.example/?a;b:c"],
])("an address book or calendar without files (%s) is searched whole", async (filename, content) => {
  expect((await read(filename, "", content)).unsearched).toEqual([]);
});

test("words in quoted-printable that are not ASCII are searched", async () => {
  for (const [charset, words] of [
    ["UTF-8", "Gr=C3=BC=C3=9Fe =\r\n aus K=C3=B6ln"],
    ["ISO-8859-1", "Gr=FC=DFe =\r\n aus K=F6ln"],
  ]) {
    const { texts } = await read("a.vcf", "", `NOTE;CHARSET=${charset};ENCODING=QUOTED-PRINTABLE:${words}\r\n`);
    expect(texts.map(({ text }) => text).join()).toContain("Grüße  aus Köln");
  }
});

test("an address book with too many files is named once", async () => {
  const words = (i: number) => `NOTE;ENCODING=b:${btoa(`number ${i}`)}\r\n`;
  const { unsearched } = await read("a.vcf", "", Array.from({ length: 600 }, (_, i) => words(i)).join(""));
  expect(unsearched).toEqual([{ name: "a file inside the file", why: "too large" }]);
});

test("an address book with too many values that are no files is named once", async () => {
  const { unsearched } = await read("a.vcf", "", "NOTE;ENCODING=b:-\n".repeat(10_001));
  expect(unsearched.map(({ why }) => why).sort()).toEqual(["too large", "unreadable"]);
});

test("one picture of many people counts once", async () => {
  const picture = `PHOTO;ENCODING=b:${Buffer.from("GIF89a").toString("base64")}\r\n`;
  const { texts, unsearched } = await read("a.vcf", "", picture.repeat(600));
  expect(texts).toHaveLength(2);
  expect(unsearched).toEqual([]);
});

test("the values of an address book count once, even if it is read in several charsets", async () => {
  const lines = Buffer.from("NOTE;X=\xe4;ENCODING=b:-\n".repeat(6_000), "latin1");
  expect((await read("a.vcf", "", lines)).unsearched).toEqual([{ name: "a file inside the file", why: "unreadable" }]);
});

test("a file in an address book is found even if only one charset shows it", async () => {
  const { unsearched } = await read("a.vcf", "", `X-FILE;ENCODING=\x1b(Bb:${packed}`);
  expect(unsearched.map(({ why }) => why)).toContain("binary");
});

/** TNEF by MS-OXTNEF 2.1.3 that begins with text in UTF-16, with a file, and a message's rich text in hexadecimal. */
function winmail(words: string): Buffer {
  const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
  const attribute = (level: number, id: number, data: Buffer) =>
    Buffer.concat([Buffer.from([level]), u32(id), u32(data.length), data, Buffer.alloc(2)]);
  const codes = [...Buffer.from(words)].map((byte) => `\\'${byte.toString(16)}`).join("");
  const rtf = Buffer.concat([u32(0), u32(codes.length), u32(0x414c454d), u32(0), Buffer.from(codes)]);
  const property = Buffer.concat([
    Buffer.from("02010910", "hex"),
    u32(1),
    u32(rtf.length),
    rtf,
    Buffer.alloc(-rtf.length & 3),
  ]);
  return Buffer.concat([
    ...[u32(0x223e9f78), Buffer.alloc(2), attribute(1, 0x00069fff, Buffer.from("plain words ".repeat(400), "utf16le"))],
    ...[attribute(1, 0x00069003, Buffer.concat([u32(1), property])), attribute(2, 0x00069002, Buffer.alloc(14))],
    ...[attribute(2, 0x0006800f, Buffer.from(`${words} in a file`))],
  ]);
}

test.each<[string, string, Buffer | string]>([
  ["winmail.dat", "application/ms-tnef", winmail("the inner words")],
  ["winmail.dat", "text/plain", winmail("the inner words")],
  [
    "a.eml",
    "message/rfc822",
    mixed("\r\nHi", base64Part("application/ms-tnef", winmail("the inner words"), "winmail.dat")),
  ],
])("what is packed in %s (%s) is searched, and it is named", async (filename, type, content) => {
  const { texts, unsearched } = await read(filename, type, content);
  const all = texts.map(({ text }) => text.trim());
  expect(all).toContain("the inner words");
  expect(all).toContain("the inner words in a file");
  expect(unsearched.map(({ why }) => why)).toContain("binary");
});

test("the parameters of text/enriched, which some programs show, are searched", async () => {
  const content = Buffer.from(`Hi <color><param>${hidden}</param>there</color>`).toString("base64");
  const message = `Content-Type: text/enriched\r\nContent-Transfer-Encoding: base64\r\n\r\n${content}`;
  const { texts } = await read("a.eml", "message/rfc822", message);
  expect(texts.some(({ form, text }) => form !== "raw" && text.includes(hidden))).toBe(true);
});

test("a file's name is repeated unless it is long or looks like a secret", async () => {
  const secret = `${"glp"}at-7abcdef4ghijkm9nopqr`;
  const names = ["x.png", `${secret}.png`, `${"n".repeat(61)}.png`];
  const { unsearched } = await read(
    "a.eml",
    "message/rfc822",
    mixed(...names.map((name) => base64Part("image/png", binary, name))),
  );
  expect(unsearched.map(({ name }) => name)).toEqual([
    ...["“x.png” in the file", "attachment 2 in the file", "attachment 3 in the file"],
  ]);
});
