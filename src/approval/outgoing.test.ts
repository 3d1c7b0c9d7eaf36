import { expect, test } from "bun:test";
import { outgoingTexts, type Unsearched } from "./outgoing.ts";

const bytes = Buffer.from("504b03040001fffe80", "hex");
const zip = `data:application/zip;base64,${bytes.toString("base64")}`;
const percent = bytes.toString("hex").replace(/../g, "%$&");
const named = (why: Unsearched["why"]) => [{ name: "a file inside the HTML", why }];

const nobody = { replyTo: [], to: [], cc: [], bcc: [], inReplyTo: null, references: [], headers: [], attachments: [] };

async function unsearchedIn(html: string): Promise<Unsearched[]> {
  return (await outgoingTexts({ ...nobody, subject: "", text: "", html })).unsearched;
}

test.each([
  ["a link", `<a href="${zip}">a</a>`],
  ["a link in character references", `<a href="${zip.replace("data", "d&#97;ta")}">a</a>`],
  ["a link over two lines", `<a href="${zip.replace("data", "da\nta")}">a</a>`],
  ["one of several pictures", `<img srcset="a.png 1x, ${zip} 2x">`],
  ["an address with many parameters", `<a href="${zip.replace(";", ";a=1;b=2;c=3;d=4;e=5;f=6;")}">a</a>`],
  ["a link with blanks", `<a href="${zip.replace(";", ";        ")}">a</a>`],
  ["a link in percent-encoding", `<a href="data:application/octet-stream,${percent}">a</a>`],
  ["a style", `<p style="background:url(${zip})">a</p>`],
  ["a style in escapes", `<p style="background:\\75rl(${zip.replace("data", "d\\61 ta")})">a</p>`],
  ["a style sheet", `<style>p{background:url('${zip}')}</style>`],
  ["a style sheet in escapes", `<style>p{background:url(${zip.replace("data", "\\64 ata")})}</style>`],
])("a file in %s is opened", async (_, html) => {
  expect(await unsearchedIn(html)).toEqual(named("binary"));
});

test("files in the HTML that are too many to be opened are named", async () => {
  expect(await unsearchedIn('<img src="data:text/plain,hi">'.repeat(300))).toEqual([]);
  const many = Array.from({ length: 200 }, (_, i) => `<img src="data:text/plain,${i}">`).join("");
  expect(await unsearchedIn(`${many}<a href="${zip}">a</a>`)).toEqual(named("too large"));
});

test("HTML that programs may read as markup or as raw text is named", async () => {
  const two = [{ name: "the HTML", why: "unreadable" as const }];
  expect(await unsearchedIn("<svg><title>A logo</title><style>p{}</style></svg><p>Hi")).toEqual([]);
  expect(await unsearchedIn("<svg><desc><![CDATA[<p>]]></desc></svg>")).toEqual(two);
  expect(await unsearchedIn("<p>Hi<iframe><!-- </iframe>")).toEqual(two);
  expect(await unsearchedIn("<math><mtext><style><b></style></mtext></math>")).toEqual(two);
});

test("a file in attached HTML, and in that of an attached message, is opened", async () => {
  const html = `<a href="${zip}">a</a>`;
  const attached = (filename: string, contentType: string, content: string) => ({
    ...{ filename, contentType, content: Buffer.from(content) },
  });
  const attachments = [
    attached("a.html", "text/html", html),
    attached("b.eml", "message/rfc822", `Content-Type: text/html\r\n\r\n${html}\r\n`),
  ];
  const { unsearched } = await outgoingTexts({ ...nobody, subject: "", text: "", html: null, attachments });
  expect(unsearched).toEqual([
    { name: "a file inside the attachment “a.html”", why: "binary" },
    { name: "a file inside the attachment “b.eml”", why: "binary" },
  ]);
});

test("a file is read by the name and the type with which it leaves", async () => {
  const fold = "NOTE:a.b\r\n .example";
  const attachments = [
    { filename: "a.ics\u200b. ", contentType: "application/octet-stream", content: Buffer.from(fold) },
    { filename: "b", contentType: "text/plain;       charset=utf-16be; charset=utf-8", content: Buffer.from("\0a\0b") },
    { filename: "c", contentType: "message/rfc822; x", content: Buffer.from("Subject: c\r\n\r\nd\0") },
  ];
  const { texts } = await outgoingTexts({ ...nobody, subject: "", text: "", html: null, attachments });
  const found = texts.map(({ text }) => text);
  for (const text of ["NOTE:a.b.example", "ab", "Subject: c"]) expect(found).toContain(text);
});

test("a part that cannot be searched is named once for each reason", async () => {
  const attached = (filename: string, contentType: string, content: string | Buffer) => ({
    ...{ filename, contentType, content: Buffer.from(content) },
  });
  const page = Buffer.from("<p>Gr\xfc\xdfe</p><svg><style>a<b>c</b></style></svg><![CDATA[x]]>", "latin1");
  const attachments = [
    attached("a.html", "text/html", page),
    ...[1, 2, 3, 4].map((i) => attached(`${i}.txt`, "text/plain", "a b ".repeat(256 * 1024))),
    attached("b.eml", "message/rfc822", `${"Received: a\r\nX: b\r\n".repeat(100)}\r\nHi\r\n`),
    attached("c.zip", "application/zip", bytes),
  ];
  const { unsearched } = await outgoingTexts({ ...nobody, subject: "", text: "", html: null, attachments });
  expect(unsearched).toEqual([
    { name: "the attachment “4.txt”", why: "too large" },
    { name: "the attachment “b.eml”", why: "searched in part" },
    { name: "the attachment “b.eml”", why: "too large" },
    { name: "the attachment “c.zip”", why: "binary" },
    { name: "the attachment “a.html”", why: "unreadable" },
  ]);
});

test("the names of many files in the text are searched as one, and those left out are named once", async () => {
  const text = Array.from({ length: 600 }, (_, i) => `begin 644 f${i}\n!x\nend\n`).join("");
  const { texts, unsearched } = await outgoingTexts({ ...nobody, subject: "", text, html: null });
  const names = texts.filter(({ where }) => where === "a file name");
  expect(names.map((one) => one.text.split("\n").at(-1))).toEqual(["f599"]);
  expect(unsearched).toEqual([{ name: "a file inside the text", why: "too large" }]);
});
