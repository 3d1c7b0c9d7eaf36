import { expect, test } from "bun:test";
import { type Outgoing, outgoingTexts } from "../../src/approval/outgoing.ts";
import { quotableHtml, safeHtml } from "../../src/message/html/safe.ts";
import { linksOf } from "../../src/message/html/shown-links.ts";
import { readAttachments, readEveryPart, readMail } from "../../src/message/read.ts";
import { readReport } from "../../src/message/report/report.ts";

/** Every JavaScript object has members of these names. A table that is looked up with words of a mail must not. */
const names = ["constructor", "__proto__", "toString", "hasOwnProperty", "__defineGetter__"];

const limits = { maxParts: 50, maxDepth: 10, maxHeaderBytes: 64 * 1024 };

const html = (name: string) => [
  `<${name} id=a ${name}=b>word</${name}><p ${name}=x id=${name} class=${name} dir=${name} lang=${name} hidden=${name}>`,
  `<ol type="${name}" style="list-style-type:${name}"><li value=${name}>word</ol><font color=${name} size=${name}>a</font>`,
  `<table bgcolor=${name} width=${name}><col width=${name}><td align=${name}>a</table><input type=${name} value=a>`,
  `<a href="${name}:x" target=${name}>a</a><img src="cid:${name}" alt=${name} width=${name}>&${name};<meta charset=${name}>`,
  `<math><${name}>a</${name}></math><svg><${name} ${name}=1>a</${name}></svg><![${name}[a]]><!--[if ${name}]>a<![endif]-->`,
  ...[
    "color",
    "background",
    "background-color",
    "display",
    "font",
    "font-size",
    "opacity",
    "clip",
    "transform",
    name,
  ].map(
    (property) =>
      `<p style="${property}:${name}">a</p><p style="${property}:${name}(1)">a</p><p style="${property}:1${name}">a</p>`,
  ),
  `<p style="color:color(${name} 1 1 1)">a</p><p style="color:hsl(1${name} 1% 1%)">a</p><p style="width:calc(1${name})">a</p>`,
  `<style>${name},.${name},#${name},:${name},:${name}(p),::${name}{color:red}[${name}],[${name}=x]{display:none}</style>word`,
  `<style>@${name} x{p{color:red}}@media (${name}:1${name}),${name}{p{color:red}}@supports (${name}:x){p{color:red}}</style>`,
  `<style>@layer ${name}{p{color:red}}@import ${name};@font-face{${name}:x}p{--${name}:var(--${name})}</style><p>word`,
];

const entities = (name: string) => [
  `Content-Type: ${name}/${name}; ${name}=a; charset=${name}; name=${name}\r\nContent-Transfer-Encoding: ${name}\r\n\r\nword`,
  `Content-Type: text/plain; charset=${name}; format=${name}; delsp=${name}\r\n\r\nword =?${name}?q?a?=`,
  `Content-Type: multipart/${name}; boundary=${name}; type=${name}\r\n\r\n--${name}\r\n\r\nword\r\n--${name}--\r\n`,
  `Content-Type: text/calendar; method=${name}\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:${name}\r\nBEGIN:${name}\r\n${name}:a\r\n` +
    `BEGIN:VEVENT\r\nDTSTART;TZID=${name};VALUE=${name}:20260101T000000\r\nATTENDEE;PARTSTAT=${name};${name}=a:mailto:a@b.test\r\n` +
    `RRULE:FREQ=${name};${name}=1\r\nSTATUS:${name}\r\nATTACH;ENCODING=${name};FMTTYPE=${name}:YQ==\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n`,
  `Content-Type: text/vcard\r\n\r\nBEGIN:VCARD\r\n${name}.${name};${name}=${name};ENCODING=${name};CHARSET=${name}:a\r\nEND:VCARD\r\n`,
  `Content-Type: text/html; charset=${name}\r\n\r\n<meta charset=${name}>word`,
  `Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nword\r\n--b\r\n` +
    `Content-Type: message/delivery-status\r\n\r\n${name}: a\r\n\r\nAction: ${name}\r\nStatus: ${name}\r\n` +
    `Final-Recipient: ${name}; ${name}\r\n--b--\r\n`,
];

const head = (name: string) =>
  `From: ${name} <${name}@example.com>\r\nTo: ${name}: a@example.com;\r\nSubject: =?${name}?b?YQ==?=\r\n${name}: a\r\n` +
  `Auto-Submitted: ${name}\r\nPrecedence: ${name}\r\nDate: Mon, 1 ${name} 2026 10:00:00 ${name}\r\nMIME-Version: 1.0\r\n`;

const outgoing = (name: string, set: Partial<Outgoing>): Outgoing => ({
  ...{ replyTo: [], to: [{ name, address: `${name}@example.com` }], cc: [], bcc: [] },
  ...{ subject: name, text: name, html: null, inReplyTo: null, references: [], attachments: [] },
  headers: [{ name: "X-A", value: name }],
  ...set,
});

test.each(names)("mail may use the name %s anywhere", async (name) => {
  for (const one of html(name)) {
    const raw = Buffer.from(`${head(name)}Content-Type: text/html\r\n\r\n<p>seen</p>${one}`);
    const { defects, text } = await readMail(raw, limits);
    expect({ one, text }).toEqual({ one, text: expect.stringContaining("seen") });
    expect({ one, failed: defects.filter(({ code }) => code === "reading_failed") }).toEqual({ one, failed: [] });
    safeHtml(one, { images: true, inline: () => null });
    quotableHtml(one, [name]);
    linksOf("", one);
    await outgoingTexts(outgoing(name, { html: one }));
  }
  for (const one of entities(name)) {
    const raw = Buffer.from(`${head(name)}${one}`);
    await readMail(raw, limits);
    await readAttachments(raw, limits);
    await readEveryPart(raw, limits);
    readReport(raw, "", { toReturnPath: true, block: null });
    await outgoingTexts(
      outgoing(name, { attachments: [{ filename: "a", contentType: "message/rfc822", content: raw }] }),
    );
  }
});
