/**
 * Mail that tries to overload a server: small input that costs disproportionate time or memory. Each entry builds input
 * of about the requested size, so that sizes can be compared.
 */

/** Default limits of the server: for a message, for its header, and for the HTML that is read. */
export const messageBytesMax = 25 * 1024 * 1024;
export const headerBytesMax = 1024 * 1024;

/** Builds text of about `chars` characters. */
export type Builder = (chars: number) => string;

const repeat =
  (piece: string, before = "", behind = ""): Builder =>
  (chars) =>
    before + piece.repeat(Math.max(1, Math.floor((chars - before.length - behind.length) / piece.length))) + behind;

/** Text made of distinct pieces: `piece(0)`, `piece(1)` … */
const numbered =
  (piece: (i: number) => string, before = "", behind = ""): Builder =>
  (chars) => {
    const parts = [before];
    for (let length = before.length + behind.length, i = 0; length < chars; i++) {
      const one = piece(i);
      parts.push(one);
      length += one.length;
    }
    return parts.join("") + behind;
  };

/** Text made of two parts, each half of the characters. */
const halves =
  (first: Builder, second: Builder): Builder =>
  (chars) =>
    first(chars / 2) + second(chars / 2);

const opening = (piece: string, closing: string): Builder => halves(repeat(piece), repeat(closing));

/** HTML bodies. */
export const hostileHtml: Record<string, Builder> = {
  // Style sheets
  "colour functions in each other": halves(
    (chars) => `<style>p{color:${repeat("rgb(")(chars)}</style>`,
    repeat("<p>x</p>"),
  ),
  "one rule many times for a class many times": halves(
    repeat(".a{color:#111;background:#fff}", "<style>", "</style>"),
    (chars) => `<p class="${"a ".repeat(chars / 3)}">x</p>`,
  ),
  "twenty rules for a class many times on many elements": (chars) =>
    `<style>${".a{display:block;color:red}".repeat(20)}</style>${repeat(`<p class="${"a ".repeat(100)}">`)(chars)}`,
  "a selector of many classes for an element of many classes": halves(
    repeat(".z", "<style>", "{display:none}</style>"),
    numbered((i) => `c${i} `, '<p class="', 'z">x'),
  ),
  "rules for classes that all elements have": halves(
    numbered((i) => `.c${i}{color:#00${i % 10}}`, "<style>", "</style>"),
    repeat(`<p class="${Array.from({ length: 200 }, (_, i) => `c${i}`).join(" ")}">x`),
  ),
  "one rule with many selectors and many declarations": (chars) =>
    `<style>${numbered((i) => `.c${i},`)(chars / 3)}.z{${numbered((i) => `--p${i}:x;`)(chars / 3)}}</style>${repeat('<p class="c1 c2 z">')(chars / 3)}`,
  "declarations that all elements inherit": halves(repeat("color:red;", "<style>*{", "}</style>"), repeat("<b>x</b>")),
  "a long value on all elements": halves(repeat("0 ", "<style>*{color:", "}</style>"), repeat("<b>x</b>")),
  "a comment that is never closed, begun often": repeat("/*a", "<style>", "</style>"),
  "strings that are never closed": repeat("url('", "<style>", "</style>"),
  "url and white space": repeat(" ", "<style>a{b:url(", "</style>"),
  "url in each other": repeat("url(", "<style>a{b:", "</style>"),
  "blocks in each other": repeat("a{", "<style>", "</style>"),
  "brackets in each other": repeat("[(", "<style>a{b:", "</style>"),
  imports: repeat("@import 'x';", "<style>", "</style>"),
  escapes: repeat("\\75 \\72 ", "<style>a{b:", "</style>"),
  backslashes: repeat("\\", "<style>", "</style>"),
  "selectors without end": repeat("a>b:not(.c)[d]~", "<style>", "{background:red}</style><p>x</p>"),
  commas: repeat(",", "<style>a", "{color:red}</style><p>x</p>"),
  "colons in a selector": repeat(":", "<style>a", "{background:red}</style><p>x</p>"),
  "groups of media": repeat("@media all{", "<style>", "</style>"),
  "many style elements": repeat("<style>a{b:c}</style>"),
  "style elements that are never closed": repeat("<style>"),
  "style attributes, each another": numbered((i) => `<p style="color:rgb(${i % 256},0,${i % 7})">x`),
  "a style attribute without end": repeat("color:rgb(1,", '<p style="', '">x</p>'),
  "generated words": repeat("a::before{content:'x'}", "<style>", "</style>"),
  // Tags
  ...Object.fromEntries(
    [
      ...["<b>", "<div>", "<table><tr><td>", "<ul><li>", "<li><td>", "<ul>", "<ol>", "<blockquote>", "<svg>", "<a>"],
      ...["<td><th>", "<option>", "<select>", "<p>", "</p>", "<br>", "</br>", "<hr>", "<h1>", "<form>", "<dt><dd>"],
      ...["<!--", "<!-->", "<!", "<?", "</", "<", "<a ", "<a href='", '<a x="', "<a x=", "<![CDATA[", "<![if x]>"],
      ...[
        "<textarea>",
        "<title>",
        "<script>",
        "<script></",
        "<iframe>",
        "<noscript>",
        "<template>",
        "<xmp>",
        "<plaintext>",
      ],
      ...["&", "&#", "&#x", "&amp", "&ngE;", "&#x110000;", "&lt;", "x<", "\u0000", "\r", " ", "\u00a0", "\u200b"],
      ...["<!--[if mso]>", "<!--[if ", "<![endif]-->", "<img src=cid:a>", "<base href=x>", "<pre>\n", "<button>"],
    ].map((piece) => [JSON.stringify(piece), repeat(piece)]),
  ),
  "elements opened, then closed": opening("<b>", "</b>"),
  "elements opened, then others closed": opening("<b>", "</i>"),
  "lists in lists": opening("<ul><li>x", "</li></ul>"),
  "tables in tables": opening("<table><tr><td>x", "</td></tr></table>"),
  "a wide table": repeat("<td>x</td>", "<table><tr>", "</table>"),
  "a long table": repeat("<tr><td>x</td><td>y</td></tr>", "<table>", "</table>"),
  "cells over all columns": repeat("<td colspan=1000 rowspan=1000>x", "<table><tr>"),
  "elements with names of their own": numbered((i) => `<x${i}>`),
  "attributes of one element": numbered((i) => ` a${i}=1`, "<p", ">x"),
  "one attribute many times": repeat(" style=x", "<p", ">x"),
  "an attribute without end": repeat("x", '<p title="', '">x</p>'),
  "references in an attribute": repeat("&amp;", '<p title="', '">x</p>'),
  "classes of one element": numbered((i) => `c${i} `, '<style>.c1{color:red}</style><p class="', '">x</p>'),
  "hidden elements": repeat('<p style="display:none">x</p>'),
  "hidden elements in each other": opening("<div hidden>", "x</div>"),
  // Links
  "words of a link": numbered((i) => ` w${i}.de`, '<a href="https://w.example/">', "</a>"),
  "hosts in the words of a link": numbered((i) => `http://h${i}.com `, '<a href="https://w.example/">', "</a>"),
  "www in the words of a link": repeat("www.a!", '<a href="https://w.example/">', "</a>"),
  "dots in the words of a link": repeat("a.", '<a href="https://w.example/">', "!</a>"),
  "colons and slashes in the words of a link": repeat("a.bb/", '<a href="https://w.example/">', " </a>"),
  "at signs in the words of a link": repeat("https://a", '<a href="https://w.example/">', "</a>"),
  links: numbered((i) => `<a href="https://h${i}.example/">x</a>`),
  "relative links to a long base": (chars) =>
    `<base href="https://a.example/${"b".repeat(chars / 2)}">${repeat("<a href=c>")(chars / 2)}`,
  "a long target": repeat("a", '<a href="https://x.example/', '">x</a>'),
  "a host of labels with other letters": repeat("é.", '<a href="https://', 'b">x</a>'),
  "an address of labels with other letters": repeat("é.", '<a href="mailto:a@', 'b">x</a>'),
  "a host of coded labels": repeat("xn--9ca.", '<img src="//', 'b">'),
  "a host of escapes with other letters": repeat("%C3%A9.", '<a href="\\\\', 'b">x</a>'),
  "hosts with other letters in the words of a link": repeat("é.", '<a href="https://w.example/">www.', "</a>"),
  "a long host": repeat("a.", '<a href="https://', '">x</a>'),
  "a target of escapes": repeat("%41", '<a href="https://', '">x</a>'),
  "a target of other letters": numbered(
    (i) => String.fromCharCode(0x4e00 + (i % 20_000)),
    '<a href="https://',
    '">x</a>',
  ),
  "a srcset": numbered((i) => `https://h${i}.example/p 1x, `, '<img srcset="', '">'),
  "commas in a srcset": repeat(", ", '<img srcset="', '">'),
  "a frame in an attribute": repeat("&lt;iframe srcdoc=&quot;", '<iframe srcdoc="', '">'),
  "comments with links": repeat("<!-- https://a.example/ -->"),
  "script addresses": repeat("//a", "<script>", "</script>"),
  "pictures that are shown often": repeat('<img src="cid:picture@x">'),
  "a refresh": repeat("url=", '<meta http-equiv=refresh content="', '">'),
};

/** Plain text bodies. */
export const hostileText: Record<string, Builder> = {
  ...Object.fromEntries(
    [
      ...[
        "x",
        "\n",
        " \n",
        " ",
        "\t",
        "\r",
        ">",
        "> ",
        ">\n",
        ">>>>\n",
        "> x\n\n",
        "-",
        "-\n",
        "--\n",
        "-- \n",
        "____\n",
      ],
      ...["On a b\n", " on at wrote:\n", "1111from<>", '10.10.2020 10.10 " <> ', "Op schreef\n", "Op schreef:x\n"],
      ...[
        "Dnia pisze\n",
        "在 写道：x\n",
        "man. skrev \n",
        "From:\n <\n",
        "Am schrieb <\n",
        "On x wrote:\n",
        "From: <a>\n",
      ],
      ...["a wrote: ", "Regards\n", "regards, ", "Cheers\n\n", "Sent from ", "-----Original Message-----\n", "PS\n"],
      ...[
        "http://",
        "https://a",
        "www.",
        "é.",
        "www.é.",
        "a.",
        "a.b ",
        "a@",
        "a@b.c ",
        "ftp:\\\\",
        "://",
        "http://a@",
        "[",
        "(",
        ")",
        "a.-",
      ],
      ...[
        "\u200b",
        "\u200d",
        "\u202e",
        "\u0301",
        "e\u0301",
        "\u0627\u200d",
        "\u0627\u064b",
        "\ufe0f",
        "👩\u200d",
        "\u{e0041}",
      ],
      ...["\ufdfa", "\ufffd", "\u0090", "\u009b1", "\u001b[", "\u001b]0;", "漢", "ﷺ", "ß", "İ", "\ud800", "\ufeff"],
      ...["__", "x_", "SG.x", "eyJa.", "key-", "AKIA", "0000:AA", "password: ", "ghp_a", "a://b:", "=?utf-8?q?", "=3D"],
      ...[
        "message you sent ",
        "--message ",
        "550 5.1.1 ",
        "user does not ",
        "mailbox full ",
        "<a@b>",
        "\u0627".repeat(3),
      ],
    ].map((piece) => [JSON.stringify(piece), repeat(piece)]),
  ),
  "lines that look like an introduction but for the end": repeat(`On ${"a b ".repeat(40)}\n`),
  "one word": repeat("x", "x", "y"),
  "links in brackets": repeat("(http://a.example/)", "", "!"),
  "an address and brackets": repeat(")", "http://x", "a"),
};

/** Header lines, without the last line end. Each entry is one field, folded if that is part of the attack. */
export const hostileFields: Record<string, Builder> = {
  "To: many": numbered((i) => `a${i}@example.com, `, "To: "),
  "References: many": numbered((i) => ` <m${i}@example.com>\r\n`, "References:", " <z@example.com>"),
  "References: open": repeat("<", "References: "),
  "References: words": repeat("a@b,", "References: "),
  "Message-ID: long": repeat("a", "Message-ID: <", "@x>"),
  "Received: many": repeat("Received: from a by b\r\n", "", "X-End: 1"),
  "fields without a name": repeat("x\r\n", "", "X-End: 1"),
  "a folded name": repeat(" \r\n", "X\r\n", ":x"),
  "spaces before a colon": repeat(" ", "X", ":x"),
  "many fields": numbered((i) => `X-${i}: y\r\n`, "", "X-End: 1"),
  "Content-Type: parameters": numbered((i) => `; p${i}=x`, "Content-Type: text/plain"),
  "Content-Type: continuations": numbered((i) => `;\r\n name*${i}*=%41`, "Content-Type: text/plain"),
  "Content-Type: comments": repeat("(", "Content-Type: text/plain; "),
  "Content-Type: quotes": repeat('"', "Content-Type: text/plain; name="),
  "Content-Type: semicolons": repeat(";", "Content-Type: text/plain"),
  "Content-Type: boundary": repeat("b", 'Content-Type: multipart/mixed; boundary="', '"'),
  "Content-Type: charset": repeat("u", "Content-Type: text/plain; charset="),
  "Authentication-Results: comments": repeat("(", "Authentication-Results: "),
  "Date: comments": repeat("(", "Date: "),
  "Date: digits": repeat("1", "Date: "),
  "Date: closed comments": repeat("()", "Date: "),
  "List-Id: open": repeat("<", "List-Id: "),
  "Auto-Submitted: comments": repeat("()", "Auto-Submitted: "),
  ...Object.fromEntries(
    [
      ...[
        "(",
        ")",
        "()",
        '"',
        '\\"',
        "<",
        ">",
        "<>",
        ":",
        ";",
        ":;",
        "a:",
        ",",
        "@",
        "a@",
        "a@b,",
        "<a@b>,",
        " ",
        "\\",
      ],
      ...[
        "=?",
        "=?utf-8?q?",
        "=?utf-8?q?a?=",
        "=?utf-8?q?a?= ",
        "=?utf-8?b?QQ==?= ",
        "=?utf-8?b?",
        "=?a?b?c?= =?",
        "=?x?q?=41?=",
      ],
      ...[
        "=?iso-2022-jp?b?GyRC?= ",
        "=?utf-7?q?+AGE-?= ",
        "a b <c@d>,",
        "group: a@b;",
        "(a)b@c,",
        '"a" <a@b>,',
        "é",
        "漢",
        "\u00ad",
      ],
    ].flatMap((piece) =>
      ["From", "Subject"].map((name) => [`${name}: ${JSON.stringify(piece)}`, repeat(piece, `${name}: `)] as const),
    ),
  ),
  "To: one domain of other letters": numbered((i) => String.fromCharCode(0x4e00 + (i % 20_000)), "To: a@"),
  "To: one domain of labels": repeat("a.", "To: a@", "b"),
  "From: one domain of labels with other letters": repeat("é.", "From: a@", "b"),
};

const crlf = (text: string) => text.replace(/\r?\n/g, "\r\n");
const from = "From: Ann <ann@example.com>\r\nTo: bot@example.com\r\nSubject: x\r\nDate: Mon, 9 Mar 2026 10:00:00 +0000";
const message = (header: string, body: string): Uint8Array => Buffer.from(`${header}\r\n\r\n${crlf(body)}\r\n`);

/** A part of an outer multipart whose boundary is `b`. */
const part = (header: string, body: string) => `--b\r\n${header}\r\n\r\n${body}\r\n`;
const multipart = `${from}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b`;

/** Messages whose MIME structure or encoding is the attack, of about `bytes` bytes. */
export const hostileStructures: Record<string, (bytes: number) => Uint8Array> = {
  "a file name of dots": (bytes) =>
    message(
      multipart,
      `${part("Content-Type: text/plain", "hi")}${part(`Content-Disposition: attachment; filename="x${".".repeat(Math.min(bytes, headerBytesMax / 2))}x"`, "hi")}--b--`,
    ),
  "a file name of spaces and dots": (bytes) =>
    message(
      multipart,
      `${part("Content-Type: text/plain", "hi")}${part(`Content-Disposition: attachment; filename="x${". ".repeat(Math.min(bytes, headerBytesMax / 2) / 2)}x"`, "hi")}--b--`,
    ),
  "a file name in pieces": (bytes) =>
    message(
      multipart,
      part(
        `Content-Disposition: attachment${numbered((i) => `;\r\n filename*${i}*=%2e`)(Math.min(bytes, headerBytesMax / 2))}`,
        "hi",
      ),
    ),
  parts: (bytes) => message(multipart, repeat(part("Content-Type: text/plain", "x"))(bytes)),
  "empty parts": (bytes) => message(multipart, repeat("--b\r\n\r\n")(bytes)),
  attachments: (bytes) => message(multipart, repeat(part("Content-Disposition: attachment; filename=a.b", "x"))(bytes)),
  "HTML parts": (bytes) => message(multipart, repeat(part("Content-Type: text/html", "<p style=x>x"))(bytes)),
  "text parts": (bytes) => message(multipart, repeat(part("Content-Type: text/plain", "> x"))(bytes)),
  "multiparts in each other": (bytes) =>
    message(
      multipart,
      numbered((i) => `--${i ? `b${i}` : "b"}\r\nContent-Type: multipart/mixed; boundary=b${i + 1}\r\n\r\n`)(bytes),
    ),
  "alternatives in each other, around a text": (bytes) => {
    const depth = Math.min(48, Math.ceil((bytes / 40_000) ** 2));
    const outer = Array.from({ length: depth }, (_, i) => `multipart/alternative; boundary=a${i}z\r\n\r\n--a${i}z`);
    return message(
      `${from}\r\n${[...outer, "multipart/mixed; boundary=b"].map((type) => `Content-Type: ${type}`).join("\r\n")}`,
      `${part("Content-Type: text/plain", repeat("a<\r\n")(bytes))}${part("Content-Type: text/html", "<p>x")}--b--`,
    );
  },
  "messages in each other": (bytes) =>
    message(multipart, repeat(part("Content-Type: message/rfc822", "Content-Type: message/rfc822\r\n"))(bytes)),
  "lines that are almost a boundary": (bytes) => message(multipart, repeat("--b-\r\n")(bytes)),
  dashes: (bytes) => message(multipart, repeat("--\r\n")(bytes)),
  "a boundary and white space": (bytes) => message(multipart, repeat(" ", "--b", "x")(bytes)),
  "boundaries of which one begins the other": (bytes) =>
    message(
      `${from}\r\nContent-Type: multipart/mixed; boundary=${"b".repeat(60)}`,
      repeat(`--${"b".repeat(61)}\r\n`)(bytes),
    ),
  "a part with a long header": (bytes) =>
    message(multipart, part(numbered((i) => `X-${i}: y\r\n`)(bytes).trimEnd(), "hi")),
  "no line end": (bytes) => message(from, repeat("x")(bytes)),
  "line ends": (bytes) => message(from, repeat("\n")(bytes)),
  base64: (bytes) =>
    message(`${from}\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64`, repeat("QUFB")(bytes)),
  "base64 in short lines": (bytes) =>
    message(`${from}\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64`, repeat("PGI+\n")(bytes)),
  "base64 of other characters": (bytes) =>
    message(`${from}\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64`, repeat("=-_")(bytes)),
  "quoted-printable": (bytes) =>
    message(`${from}\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable`, repeat("=3D")(bytes)),
  "quoted-printable with soft line breaks": (bytes) =>
    message(`${from}\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable`, repeat("=\n")(bytes)),
  "quoted-printable of equals signs": (bytes) =>
    message(`${from}\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable`, repeat("=")(bytes)),
  "flowed text": (bytes) =>
    message(`${from}\r\nContent-Type: text/plain; format=flowed; delsp=yes`, repeat("> x \n")(bytes)),
  "flowed text of spaces": (bytes) =>
    message(`${from}\r\nContent-Type: text/plain; format=flowed`, repeat(" \n")(bytes)),
  ...Object.fromEntries(
    ["iso-2022-jp", "shift_jis", "gb18030", "big5", "euc-kr", "utf-16", "utf-7", "hz-gb-2312", "x-none"].map(
      (charset) => [
        `charset ${charset}`,
        (bytes: number) => {
          const header = Buffer.from(`${from}\r\nContent-Type: text/plain; charset=${charset}\r\n\r\n`);
          const body = Buffer.from([0x1b, 0x24, 0x42, 0x81, 0xfe, 0x2b, 0x41, 0x7e, 0x7b]);
          return Buffer.concat([header, Buffer.alloc(bytes, body)]);
        },
      ],
    ),
  ),
  "bytes that are no UTF-8": (bytes) => Buffer.concat([Buffer.from(`${from}\r\n\r\n`), Buffer.alloc(bytes, 0xff)]),
  "zero bytes": (bytes) => Buffer.concat([Buffer.from(`${from}\r\n\r\n`), Buffer.alloc(bytes)]),
  "no header": (bytes) => Buffer.from(repeat("x\r\n")(bytes)),
  "a report with many recipients": (bytes) =>
    message(
      `${from}\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b`,
      `${part("Content-Type: text/plain", "failed")}${part("Content-Type: message/delivery-status", numbered((i) => `Final-Recipient: rfc822; a${i}@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n`)(bytes))}--b--`,
    ),
  "a bounce in prose": (bytes) =>
    message(
      "From: MAILER-DAEMON@example.com\r\nTo: bot@example.com\r\nSubject: Undeliverable",
      repeat(`--${"message you sent t".repeat(50)}\r\n`, "Delivery has failed to these recipients\r\n\r\n")(bytes),
    ),
  signatures: (bytes) =>
    message(
      repeat(
        "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=x; h=From; bh=x; b=x\r\n",
        "",
        from,
      )(Math.min(bytes, headerBytesMax / 2)),
      "hi",
    ),
};

/** Every attack as a message of about `bytes` bytes. */
export const hostileMails: Record<string, (bytes: number) => Uint8Array> = {
  ...Object.fromEntries(
    Object.entries(hostileHtml).map(([name, build]) => [
      `HTML: ${name}`,
      (bytes: number) => message(`${from}\r\nContent-Type: text/html; charset=utf-8`, build(bytes)),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(hostileText).map(([name, build]) => [
      `text: ${name}`,
      (bytes: number) => message(`${from}\r\nContent-Type: text/plain; charset=utf-8`, build(bytes)),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(hostileFields).map(([name, build]) => [
      `field: ${name}`,
      (bytes: number) => message(`${build(Math.min(bytes, headerBytesMax / 2))}\r\n${from}`, "hi"),
    ]),
  ),
  ...Object.fromEntries(Object.entries(hostileStructures).map(([name, build]) => [`structure: ${name}`, build])),
};
