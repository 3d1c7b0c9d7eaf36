/**
 * Every way in which a message could carry a secret out. The gate's rule `patterns: ["secrets"]` must hold each of
 * them, and must pass the same message with an ordinary word in place of the secret.
 */

/** One way out. */
export interface Leak {
  channel: string;
  /** The place that the hold's reason names. */
  place: string;
  /** The members of a request to `POST /send`, without `from`, with the word planted. */
  body(word: string): Record<string, unknown>;
}

/** A harmless word in a form that every channel accepts. */
export const harmlessWord = "Thursday-afternoon";

/** Makes text that looks like a GitLab token at run time, so that no file contains one. */
export function plantedSecret(): string {
  const random = crypto.getRandomValues(new Uint8Array(20));
  const alphabet = "abcdefghijkmnpqrstuvwxyz23456789";
  const letters = Array.from(random, (byte) => alphabet[byte % alphabet.length]).join("");
  // Digits at fixed positions: if spaces were removed, the gate requires digits to recognize a token.
  return `${"glp"}at-7${letters.slice(0, 6)}4${letters.slice(6, 12)}9${letters.slice(12, 17)}`;
}

const mail = { to: ["ann@outside.example"], subject: "Plans", body: "Good day." };
const base64 = (content: string | Uint8Array) => Buffer.from(content).toString("base64");
const file = (filename: string, content_type: string, content: string | Uint8Array) => ({
  ...mail,
  attachments: [{ filename, content_type, data: base64(content) }],
});
const html = (markup: string) => ({ ...mail, html_body: markup });
const split = (word: string, gap: string) => word.split("").join(gap);
const hex = (word: string, before: string, after = "") =>
  word.replace(/./g, (c) => `${before}${c.charCodeAt(0).toString(16).padStart(2, "0")}${after}`);
const fullWidth = (word: string) => word.replace(/[!-~]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0));
const wide = (text: string, bigEndian = false) => {
  const bytes = Buffer.from(text, "utf16le");
  return bigEndian ? bytes.swap16() : bytes;
};

const css = (word: string) => hex(word, "\\0000");
/** POSIX uuencode of up to 45 bytes. */
const uuencoded = (word: string) => {
  const bytes = Buffer.from(`It is ${word}.`);
  const digits = bytes
    .toString("binary")
    .match(/[\s\S]{1,3}/g)
    ?.map((three) => {
      const [a = 0, b = 0, c = 0] = Buffer.from(three, "binary");
      const bits = (a << 16) | (b << 8) | c;
      return [18, 12, 6, 0]
        .map((shift) => String.fromCharCode(((bits >> shift) & 0x3f) + 0x20).replace(" ", "`"))
        .join("");
    });
  return `begin 644 note.txt\r\n${String.fromCharCode(bytes.length + 0x20)}${digits?.join("")}\r\n\`\r\nend\r\n`;
};

/** A message as a file, with its header and body. */
const eml = (head: string[], body: string) =>
  file(
    "note.eml",
    "message/rfc822",
    ["From: bob@outside.example", "To: ann@outside.example", "MIME-Version: 1.0", ...head, "", body].join("\r\n"),
  );
const multipart = 'Content-Type: multipart/mixed; boundary="cut"';
const part = (head: string[], body: string) =>
  ["--cut", "Content-Type: text/plain", "", "Hello", "--cut", ...head, "", body, "--cut--", ""].join("\r\n");
/** A message nested inside `depth` others. */
function nested(word: string, depth: number): string {
  if (depth === 0) return `Subject: Plans\r\n\r\nThe word is ${word}.\r\n`;
  const inner = base64(nested(word, depth - 1));
  return [
    "Subject: Plans",
    multipart,
    "",
    part(["Content-Type: message/rfc822", "Content-Transfer-Encoding: base64"], inner),
  ].join("\r\n");
}

const ways: [channel: string, place: string, body: Leak["body"]][] = [
  ["the subject", "the subject", (w) => ({ ...mail, subject: `About ${w}` })],
  ["the text", "the text", (w) => ({ ...mail, body: `It is ${w}.` })],
  ["the text over two lines", "the text", (w) => ({ ...mail, body: `It is ${w.slice(0, 9)}\n> ${w.slice(9)} here.` })],
  ["zero-width characters", "the text", (w) => ({ ...mail, body: `It is ${split(w, "\u200b")}.` })],
  ["full-width letters", "the text", (w) => ({ ...mail, body: `It is ${fullWidth(w)}.` })],
  ["percent-encoding", "the text", (w) => ({ ...mail, body: `See /x?${hex(w, "%")}` })],
  ["quoted-printable in the text", "the text", (w) => ({ ...mail, body: `It is ${hex(w, "=")}` })],
  ["character references in the text", "the text", (w) => ({ ...mail, body: `It is ${hex(w, "&#x", ";")}` })],
  ["uuencode in the text", "a file inside the text", (w) => ({ ...mail, body: `Hello\n${uuencoded(w)}` })],
  ["base64 in the text", "the text", (w) => ({ ...mail, body: `Read this:\n${base64(`It is ${w} here.`)}\n` })],

  ["the words of the HTML", "the HTML", (w) => html(`<p>It is ${w}.</p>`)],
  ["words outside the body", "the HTML", (w) => html(`<title>${w}</title><body>Hello</body>`)],
  ["tags in the word", "the HTML", (w) => html(`<p>It is ${split(w, "<b></b>")}</p>`)],
  ["blocks in the word", "the HTML", (w) => html(`<div>${split(w, "</div><div>")}</div>`)],
  ["character references", "the HTML", (w) => html(`<p>It is ${hex(w, "&#x", ";")}</p>`)],
  ["an address in the HTML", "the HTML", (w) => html(`<img src="https://a.example/x.gif?${w}">`)],
  ["the words for a picture", "the HTML", (w) => html(`<img alt="${w}">`)],
  ["an attribute of no meaning", "the HTML", (w) => html(`<p data-x="${w}">Hello</p>`)],
  ["a comment", "the HTML", (w) => html(`<!-- ${w} --><p>Hello</p>`)],
  ["a style sheet", "the HTML", (w) => html(`<style>.a::after{content:"${w}"}</style><p>Hello</p>`)],
  ["escapes in a style sheet", "the HTML", (w) => html(`<style>.a::after{content:"${css(w)}"}</style>Hello`)],
  [
    "a style sheet that says the word in two",
    "the HTML",
    (w) => html(`<style>.a::after{content:"${w.slice(0, 9)}" /**/ "${w.slice(9)}"}</style>Hello`),
  ],
  ["a style", "the HTML", (w) => html(`<p style="font-family:${w}">Hello</p>`)],
  ["hidden words", "the HTML", (w) => html(`<p style="display:none">${w}</p><p>Hello</p>`)],
  [
    "a data: address",
    "a file inside the HTML",
    (w) => html(`<a href="data:text/plain;base64,${base64(`It is ${w}`)}">a</a>`),
  ],

  ["a display name", "a display name", (w) => ({ ...mail, to: [`${w} <ann@outside.example>`] })],
  ["a display name in Cc", "a display name", (w) => ({ ...mail, cc: [`${w} <bob@outside.example>`] })],
  ["a display name in Reply-To", "a display name", (w) => ({ ...mail, reply_to: [`${w} <bob@outside.example>`] })],
  ["a local part", "an address", (w) => ({ ...mail, to: [`${w}@outside.example`] })],
  ["a local part in Bcc", "an address", (w) => ({ ...mail, bcc: [`${w}@outside.example`] })],
  ["Reply-To", "Reply-To", (w) => ({ ...mail, reply_to: [`${w}@outside.example`] })],
  ["References", "References", (w) => ({ ...mail, references: [`<${w}@outside.example>`] })],
  ["In-Reply-To", "In-Reply-To", (w) => ({ ...mail, reply_to_message_id: `<${w}@outside.example>` })],
  ["a header field", "the header field “X-Note”", (w) => ({ ...mail, headers: { "X-Note": w } })],
  ["the name of a header field", "the name of a header field", (w) => ({ ...mail, headers: { [`X-${w}`]: "1" } })],
  [
    "List-Unsubscribe",
    "the header field “List-Unsubscribe”",
    (w) => ({ ...mail, headers: { "List-Unsubscribe": `<https://a.example/${w}>` } }),
  ],

  ["a file name", "a file name", (w) => file(`${w}.txt`, "text/plain", "Hello")],
  [
    "a Content-ID",
    "a Content-ID",
    (w) => ({
      ...html('<img src="cid:x">'),
      attachments: [{ filename: "a.txt", content_type: "text/plain", data: "YQ==", content_id: w }],
    }),
  ],
  ["a media type", "the type of an attachment", (w) => file("a.txt", `text/plain; x=${w}`, "Hello")],
  ["attached text", "the attachment “a.txt”", (w) => file("a.txt", "text/plain", `It is ${w}.`)],
  ["attached CSV", "the attachment “a.csv”", (w) => file("a.csv", "text/csv", `name,key\nann,${w}\n`)],
  ["attached JSON", "the attachment “a.json”", (w) => file("a.json", "application/json", `{"key":"${w}"}`)],
  [
    "escapes in JSON",
    "the attachment “a.json”",
    (w) => file("a.json", "application/json", `{"k":"${hex(w, "\\u00")}"}`),
  ],
  ["attached XML", "the attachment “a.xml”", (w) => file("a.xml", "application/xml", `<a><b c="${w}"/></a>`)],
  ["attached HTML", "the attachment “a.html”", (w) => file("a.html", "text/html", `<p>${split(w, "<i></i>")}</p>`)],
  [
    "attached HTML of void elements under another type",
    "the attachment “a.html”",
    (w) => file("a.html", "application/octet-stream", `It is ${split(w, "<wbr>")}`),
  ],
  [
    "attached XHTML of empty elements",
    "the attachment “a.xhtml”",
    (w) => file("a.xhtml", "text/plain", `It is ${split(w, "<b/>")}`),
  ],
  ["attached XML of empty elements", "the attachment “a”", (w) => file("a", "text/xml", `It is ${split(w, "<b/>")}`)],
  ["a comment in attached HTML", "the attachment “a.html”", (w) => file("a.html", "text/html", `<!--${w}--><p>Hi</p>`)],
  [
    "an attached drawing",
    "the attachment “a.svg”",
    (w) => file("a.svg", "image/svg+xml", `<svg><text>${w}</text></svg>`),
  ],
  [
    "a calendar with folded lines",
    "the attachment “a.ics”",
    (w) =>
      file("a.ics", "text/calendar", `BEGIN:VCALENDAR\r\nSUMMARY:${w.slice(0, 9)}\r\n ${w.slice(9)}\r\nEND:VCALENDAR`),
  ],
  [
    "an attached drawing with sections of characters",
    "the attachment “a.svg”",
    (w) =>
      file("a.svg", "image/svg+xml", `<svg><text><![CDATA[${w.slice(0, 9)}]]><![CDATA[${w.slice(9)}]]></text></svg>`),
  ],
  [
    "attached HTML that names a charset with escapes itself",
    "the attachment “a.html”",
    (w) => file("a.html", "text/html", `<meta charset=iso-2022-jp><p>${w.slice(0, 9)}\x1b(B${w.slice(9)}</p>`),
  ],
  ["attached source", "the attachment “a.py”", (w) => file("a.py", "application/octet-stream", `KEY = "${w}"\n`)],
  ["text that says it is a picture", "the attachment “a.png”", (w) => file("a.png", "image/png", `It is ${w}.`)],
  ["UTF-16 with a mark", "the attachment “a.txt”", (w) => file("a.txt", "text/plain", wide(`\ufeffIt is ${w}.`))],
  [
    "UTF-16 with a mark and no letter of one byte",
    "the attachment “a.txt”",
    (w) => file("a.txt", "text/plain", wide(`\ufeff${fullWidth(w)}`)),
  ],
  [
    "UTF-16 without a mark",
    "the attachment “a.bin”",
    (w) => file("a.bin", "application/octet-stream", wide(`It is ${w}.`)),
  ],
  [
    "UTF-16, big end first",
    "the attachment “a.txt”",
    (w) => file("a.txt", "text/plain; charset=utf-16be", wide(`It is ${w}.`, true)),
  ],
  [
    "text in Latin-1",
    "the attachment “a.txt”",
    (w) => file("a.txt", "text/plain; charset=iso-8859-1", Buffer.from(`Schlüssel: ${w}`, "latin1")),
  ],
  ["base64 in attached text", "the attachment “a.txt”", (w) => file("a.txt", "text/plain", base64(`It is ${w} here.`))],

  ["the subject of a message", "the attachment “note.eml”", (w) => eml([`Subject: ${w}`], "Hello")],
  [
    "an encoded subject of a message",
    "the attachment “note.eml”",
    (w) => eml([`Subject: =?utf-8?B?${base64(w.slice(0, 9))}?= =?utf-8?Q?${hex(w.slice(9), "=")}?=`], "Hello"),
  ],
  ["a header field of a message", "the attachment “note.eml”", (w) => eml([`X-Note: ${w}`], "Hello")],
  ["the text of a message", "the attachment “note.eml”", (w) => eml([], `It is ${w}.`)],
  [
    "quoted-printable in a message",
    "the attachment “note.eml”",
    (w) => eml(["Content-Transfer-Encoding: quoted-printable"], `It is ${w.slice(0, 9)}=\r\n${hex(w.slice(9), "=")}`),
  ],
  ["uuencode in a message", "the attachment “note.eml”", (w) => eml([], uuencoded(w))],
  [
    "base64 in a message",
    "the attachment “note.eml”",
    (w) => eml(["Content-Transfer-Encoding: base64"], base64(`It is ${w}.`).replace(/.{12}/g, "$&!\r\n")),
  ],
  [
    "HTML in a message",
    "the attachment “note.eml”",
    (w) => eml(["Content-Type: text/html"], `<p>It is ${split(w, "<b></b>")}</p>`),
  ],
  [
    "before the parts of a message",
    "the attachment “note.eml”",
    (w) => eml([multipart], `${w}\r\n${part([], "Hello")}`),
  ],
  [
    "a file in a message",
    "“a.csv” in the attachment “note.eml”",
    (w) =>
      eml(
        [multipart],
        part(
          [
            'Content-Type: text/csv; name="a.csv"',
            "Content-Transfer-Encoding: base64",
            'Content-Disposition: attachment; filename="a.csv"',
          ],
          base64(`key,${w}`),
        ),
      ),
  ],
  [
    "the name of a file in a message",
    "the attachment “note.eml”",
    (w) =>
      eml(
        [multipart],
        part(
          [
            "Content-Type: text/csv",
            `Content-Disposition: attachment;\r\n filename*0="${w.slice(0, 9)}";\r\n filename*1="${w.slice(9)}.csv"`,
          ],
          "a,b",
        ),
      ),
  ],
  ["a message in a message", "in the attachment “note.eml”", (w) => file("note.eml", "message/rfc822", nested(w, 2))],
];

export const leaks: readonly Leak[] = ways.map(([channel, place, body]) => ({ channel, place, body }));
