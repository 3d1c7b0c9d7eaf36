import { expect, test } from "bun:test";
import { superlinear } from "../../test/support/growth.ts";
import type { OutgoingText } from "./outgoing.ts";
import { findPatterns, readPattern } from "./patterns.ts";

/** Repeatable text that looks random, so that no source file contains anything in the form of a key. */
function random(length: number, alphabet: string): string {
  let state = length * 7919 + alphabet.length;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return alphabet[Math.floor((state / 2 ** 32) * alphabet.length)];
  }).join("");
}
const hex = "0123456789abcdef";
const alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const github = `ghp_${random(36, alnum)}`;

interface Searched {
  subject?: string;
  text?: string;
  html?: string;
  filenames?: string[];
}
const textsOf = ({ subject = "", text = "", html = "", filenames = [] }: Searched): OutgoingText[] => [
  ...[subject, text, ...filenames].map((one) => ({ where: "the text", text: one, form: "words" as const })),
  { where: "the HTML", text: html, form: "html" },
];
const secretsIn = (searched: Searched) => findPatterns(["secrets"], textsOf(searched)).secrets;
const isIn = (pattern: string, searched: Searched) => findPatterns([pattern], textsOf(searched)).patterns.length > 0;

test.each<[string, string]>([
  ["-----BEGIN RSA PRIVATE KEY-----", "a private key"],
  ["-----BEGIN PRIVATE KEY-----", "a private key"],
  ["—–BEGIN OPENSSH\nPRIVATE KEY—–", "a private key"],
  ["-----BEGIN PGP PRIVATE KEY BLOCK-----", "a private key"],
  [`AGE-SECRET-KEY-1${random(58, base32)}`, "a private key"],
  [`b3BlbnNzaC1rZXktdjE${random(40, alnum)}`, "a private key"],
  [`AKIA${random(16, base32)}`, "an AWS access key"],
  [`AWS_SECRET_ACCESS_KEY=${random(40, alnum)}`, "an AWS secret key"],
  [`"SecretAccessKey": "${random(40, alnum)}"`, "an AWS secret key"],
  [github, "a GitHub token"],
  [`github_pat_${random(82, alnum)}`, "a GitHub token"],
  [`glpat-${random(20, alnum)}`, "a GitLab token"],
  [`xoxb-${random(12, "0123456789")}-${random(24, alnum)}`, "a Slack token"],
  [`https://hooks.slack.com/services/T${random(44, alnum)}`, "the secret address of a chat webhook"],
  [`sk_live_${random(24, alnum)}`, "a Stripe key"],
  [`whsec_${random(32, alnum)}`, "a webhook signing secret"],
  [`AIza${random(35, alnum)}`, "a Google key"],
  [`sk-ant-api03-${random(95, alnum)}`, "an Anthropic key"],
  [`sk-proj-${random(74, alnum)}`, "an OpenAI key"],
  [`sk-${random(48, alnum)}`, "an AI service's key"],
  [`hf_${random(34, alnum)}`, "an AI service's key"],
  [`e2a_${random(64, hex)}`, "a key of this server"],
  [`npm_${random(36, alnum)}`, "a package registry's token"],
  [`SG.${random(22, alnum)}.${random(43, alnum)}`, "a mail or telephone service's key"],
  [`SK${random(32, hex)}`, "a mail or telephone service's key"],
  [`${random(9, "123456789")}:AA${random(33, alnum)}`, "a Telegram bot token"],
  [`shpat_${random(32, hex)}`, "an API token"],
  [`eyJ${random(33, alnum)}.eyJ${random(60, alnum)}.${random(43, alnum)}`, "a JSON web token"],
  ["postgres://app:hK3vTq9z@db.example/app", "a URL with a password"],
  ["https://ann:hK3vTq9z@a.example/", "a URL with a password"],
  ["Password: hK3vTq9z", "a password"],
  ["your api key is hK3vTq9zLm", "a password"],
  ['"client_secret": "hK3vTq9zLm"', "a password"],
  ["Authorization: Bearer hK3vTq9zLmA2", "a password"],
])("%p holds %p", (text, kind) => {
  expect(secretsIn({ text: `Hello,\nhere it is: ${text} and so on.` })).toContain(kind);
  expect(secretsIn({ subject: text })).toContain(kind);
  expect(secretsIn({ html: `<p>It is</p><p>${text.replaceAll('"', "&quot;")}</p>` })).toContain(kind);
});

test.each([
  "The password must be reset: see https://a.example/password-reset?id=12345678",
  "Password: ask me. API key is required. Password: ********1a",
  "postgres://user:password@localhost/db and https://a.example:8080/@x",
  "AKIAIOSFODNN7EXAMPLE, ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, sk-your-key-here",
  "tokens that begin with ghp_ are GitHub tokens and should never be sent to anybody at all in mail",
  `commit ${random(40, hex)}, order 1234567890, id ${random(8, hex)}-1234-5678-9abc-${random(12, hex)}`,
  "ASIA PACIFIC SALES REPORT FOR THE SECOND QUARTER OF THE YEAR, TASK-FORCE DISK-BASED RISK-AVERSE",
  "-----BEGIN CERTIFICATE----- -----BEGIN PUBLIC KEY-----",
  "The secret: we begin private keynotes at noon. The token economy: 12 talks.",
  "msg_0123456789abcdef0123456789abcdef from bot@agents.example.com at 2026-05-15T12:00:00Z",
])("%p holds no secret", (text) => {
  expect(secretsIn({ subject: text, text, html: `<p>${text}</p>` })).toEqual([]);
});

test.each<[string, Searched]>([
  ["zero-width characters", { text: github.split("").join("\u200b") }],
  ["soft hyphens", { text: github.split("").join("\u00ad") }],
  ["direction controls", { text: `\u202e${github.slice(0, 9)}\u2066${github.slice(9)}` }],
  ["full-width letters", { text: github.replace(/[!-~]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0)) }],
  ["a line break", { text: `${github.slice(0, 12)}\r\n> ${github.slice(12)}` }],
  ["spaces", { text: github.split("").join(" ") }],
  [
    "percent-encoding",
    { text: `https://a.example/?k=${github.replace(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`)}` },
  ],
  ["character references", { html: github.replace(/./g, (c) => `&#${c.charCodeAt(0)};`) }],
  ["tags", { html: github.split("").join("<b></b>") }],
  ["block tags", { html: github.split("").join("</div><div>") }],
  ["comments in the word", { html: github.split("").join("<!-- -->") }],
  ["an attribute", { html: `<img src="https://a.example/x.gif?${github}">` }],
  ["a comment", { html: `<!-- ${github} -->` }],
  ["a style", { html: `<style>/* ${github} */</style>` }],
  ["a doctype", { html: `<!doctype ${github}>` }],
  ["an unfinished tag", { html: `<p>x<a href="${github}` }],
  ["line breaks of quoted-printable", { text: `${github.slice(0, 9)}=\r\n${github.slice(9)}` }],
  ["quoted-printable", { text: github.replace(/./g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase()}`) }],
  ["character references in a text", { text: github.replace(/./g, (c) => `&#x${c.charCodeAt(0).toString(16)};`) }],
  ["escapes of JSON", { text: `{"k": "${github.replace(/./g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)}"}` }],
  ["invisible characters in percent-encoding", { text: `https://a.example/?k=gh%E2%80%8B${github.slice(2)}` }],
  ["invisible characters in quoted-printable", { text: `gh=C2=  \n=AD${github.slice(2)}` }],
  ["invisible characters in Latin-1", { text: `gh%AD${github.slice(2)}` }],
  ["escapes of JavaScript", { text: `"\\u{67}\\u{0068}${github.slice(2)}"` }],
  ["base64", { text: `Here: ${btoa(`The token is ${github}.`)}` }],
  ["lines of base64", { text: `${btoa(`The token is ${github}.`).replace(/.{24}/g, "$&\r\n")}\r\nThanks` }],
  ["lines of base64 that are padded each", { text: `${btoa("Good morning, Ann")}\r\n${btoa(`It is ${github}.`)}` }],
  ["base64 with hyphens", { text: btoa(`The token is ${github}.`).replace(/.{5}/g, "$&-") }],
  ["base64 of UTF-16", { text: Buffer.from(`The token is ${github}.`, "utf16le").toString("base64") }],
  ["a file name", { filenames: [`${github}.txt`] }],
])("a token hidden by %s is found", (_, searched) => {
  expect(secretsIn(searched)).toEqual(["a GitHub token"]);
});

test.each([
  // A token without digits counts only if no other words have run together with it.
  [`ghp_${random(36, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")}`, "a GitHub token"],
  [`Password: hK3vTq9z`, "a password"],
  ["https://ann:hK3vTq9z@a.example/", "a URL with a password"],
  [btoa(`The token is ${github}.`), "a GitHub token"],
])("%p with block tags between its characters holds %p", (text, kind) => {
  expect(secretsIn({ html: `<div>${[...text].join("</div><div>")}</div>` })).toEqual([kind]);
});

test.each<[string, string, boolean]>([
  ["top secret", "This is TOP\n  Secret!", true],
  ["top secret", "This is topsecret", false],
  ["acme*merger", "The Acme / Globex merger", true],
  ["acme*merger", "Acme.\nThe merger", false],
  ["acme * merger", "acmemerger", true],
  ["acme*merger", `acme${"-".repeat(200)}merger`, true],
  ["acme*merger", `acme${"-".repeat(201)}merger`, false],
  ["acme*merger", `acme${"-".repeat(300)}acme merger`, true],
  ["a*b*c", "a b\nb c a c b", false],
  ["a*b*c", "a b\nb c a b c", true],
  ["**draft**", "a DRAFT b", true],
  ["CONFIDENTIAL", "con\u00adfi\u200bdential", true],
  ["機密", "これは機密です", true],
  ["straße", "STRASSE", false],
  ["a.c", "abc", false],
  ["(a+)+$", "aaaa", false],
  ["*secrets", "trade secrets", true],
  ["straße 5", "Stra%C3%9Fe%205, %FF", true],
  ["straße 5", "Stra%DFe%205", true],
  ["straße 5", "Stra=C3=9Fe=205", true],
  ["geschäftsgeheimnis", Buffer.from("Ein Geschäftsgeheimnis", "utf16le").toString("base64"), true],
  ["geschäftsgeheimnis", Buffer.from("Ein Geschäftsgeheimnis", "latin1").toString("base64"), true],
  ["a*b*c*d*e*f*g*h*i", "a b c d e f g h i", true],
])("the pattern %p in %p: %p", (pattern, text, found) => {
  expect(readPattern(pattern)).toBeNull();
  expect(isIn(pattern, { text })).toBe(found);
  expect(isIn(pattern, { html: text.replaceAll("\n", "<br>") })).toBe(found);
});

test.each([
  "</>",
  "</title>",
  "</table>",
  "</script>",
  "<head>",
  "<!>",
  "<!->",
  '<p style="display:inline">',
  '<br style="display:none">',
  "<svg><style><b>",
  "<svg><style></svg><!-- -->",
  "<math><style><mi></mi>",
  "<math><textarea><!-- -->",
  "<math><mi><![CDATA[]]>",
  "<svg><desc><![CDATA[]]>",
  '<i ="><b>',
  "<textarea>&shy;",
  "<div><svg><style></div>",
])("words with %p inside, where browsers break no line, are found", (tag) => {
  expect(isIn("falcon", { html: `<p>fal${tag}con<i></i></p>` })).toBe(true);
  expect(isIn("project falcon*", { html: `<p>project fal${tag}con<i></i></p>` })).toBe(true);
});

test("words of two blocks that make a short word, or a line, by chance are not found", () => {
  const html = "<table><tr><td>Class</td><td>Name</td></tr></table>";
  expect([isIn("ssn", { html }), isIn("class*name", { html }), isIn("class", { html })]).toEqual([false, false, true]);
});

test.each<[string, string]>([
  ["", "nothing to look for"],
  ["   ", "nothing to look for"],
  ["*", "nothing to look for"],
  ["* * *", "nothing to look for"],
  ["\u200b", "nothing to look for"],
  ["＊", "nothing to look for"],
  ["a\nb", "line break"],
  ["a\0", "control character"],
  ["a*b*c*d*e*f*g*h*i*j", "more than 8 *"],
  ["*a*b*c*d*e*f*g*h*", "more than 8 *"],
  ["x".repeat(201), "longer than 200"],
])("%p is no pattern: it %p", (pattern, problem) => {
  expect(readPattern(pattern)?.problem).toContain(problem);
});

const big = 250_000;
const hostile = [
  ...[
    "a",
    "ab ",
    "eyJ",
    "eyJa.",
    ".eyJ",
    "sk-",
    "sk-ant-",
    "ghp_",
    "https://",
    "a://b:",
    "://a:b",
    "password:",
    "api key is ",
  ],
  ...[
    "BEGIN ",
    "BEGIN RSA ",
    "secret",
    "SG.",
    "1",
    "12345678:AA",
    "xox",
    "\n> ",
    " ",
    "\u200b",
    "ﷺ",
    "ㆠ%41",
    "<b>",
    "&#65;",
  ],
  ...["aws_secret_access_key = ", "authorization: bearer ", "AccountKey=", "a1Q~", "-us", "hooks.slack.com/services/"],
];

test.each(hostile)("the work on a quarter of a megabyte of %p grows as the text does", async (piece) => {
  const build = (size: number) => piece.repeat(Math.ceil(size / piece.length)).slice(0, size);
  const read = (text: string) => findPatterns(["secrets", "a*a*a*a*a*a*a*a*z", "ab*zz"], textsOf({ text, html: text }));
  expect(await superlinear(big, build, read)).toBeNull();
});

test("a search with many pieces that are everywhere ends, and names the texts that it did not get through", () => {
  const patterns = Array.from({ length: 50 }, (_, i) => `a*a*a*a*a*a*a*a*${i}z`);
  const text = (where: string, text: string): OutgoingText => ({ where, text, form: "words" });
  const texts = [
    text("the subject", "aaaaaaaa3z"),
    text("the text", "a".repeat(500_000)),
    text("a file", "aaaaaaaa4z"),
  ];
  const { patterns: found, unsearched } = findPatterns(patterns, texts);
  expect({ found, unsearched }).toEqual({ found: patterns.slice(3, 4), unsearched: ["the text", "a file"] });
  expect(findPatterns(patterns, texts.toSpliced(1, 1)).unsearched).toEqual([]);
});

test("random mixtures of hostile pieces neither throw nor take long", async () => {
  let state = 1;
  const below = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  for (let round = 0; round < 100; round++) {
    const pieces = Array.from({ length: 1 + below(6) }, () => hostile[below(hostile.length)]);
    const mixture = Array.from({ length: 1_000 }, () => pieces[below(pieces.length)]);
    const growth = await superlinear(
      mixture.length,
      (count) => mixture.slice(0, count).join(""),
      (text) => findPatterns(["secrets", "a*1*b*:", "*"], textsOf({ text, html: text })),
    );
    expect({ pieces, growth }).toEqual({ pieces, growth: null });
  }
});
