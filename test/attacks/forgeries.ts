/**
 * Forged identities, as data. The forger owns `evil.test` and every other name that is not a victim's, and claims to be
 * the victim. Each forgery is tried against every kind of victim; the server must not believe any of them.
 *
 * In all texts `{V}` is the victim's domain, `{W}` the same with a full-width first letter, `{A}` the A-label of `{W}`
 * as a program without UTS 46 makes it, and `{S}` the victim's domain with a soft hyphen in it.
 */
import punycode from "punycode/punycode.es6.js";
import type { Zone } from "../support/dns-server.ts";
import { forgeryKey, signatureLine } from "./forgery-mail.ts";

/** `shared` and `customer` are hosted by the server under attack. */
export type VictimKind = "plain" | "monitored" | "strict" | "shared" | "customer";

export const victims: Record<VictimKind, string> = {
  plain: "plain.test",
  monitored: "monitored.test",
  strict: "strict.test",
  shared: "shared.test",
  customer: "customer.test",
};

/** The IP addresses of forger and victim. Servers under attack must trust the PROXY header that carries them. */
export const clients = { forger: "192.0.2.66", victim: "192.0.2.1" } as const;

export interface Signature {
  /** The literal tags, such as `d={V}; s=sel`. */
  tags: string;
  /** Whose key signs. The forger's key is published for every name that is not a victim's. */
  by: "forger" | "victim";
  /** The signed fields. Default: all. */
  fields?: readonly string[];
  /** The signed body, if it is not the one that is sent. */
  body?: string;
}

export interface Forgery {
  name: string;
  /** Default `mail.evil.test`. */
  helo?: string;
  /** "" is the null reverse-path, for which SPF checks the HELO name. Default `x@evil.test`. */
  mailFrom?: string;
  client?: keyof typeof clients;
  /** The From field's value. Default `CEO <ceo@{V}>`. */
  from?: string;
  /** Header lines above the others, under the signatures. */
  extra?: readonly string[];
  signatures?: readonly Signature[];
  /** Header lines added on top after signing. */
  onTop?: readonly string[];
  /** A field whose line is rewritten after signing. */
  rewritten?: { field: string; write(name: string, value: string): string };
  /** The victims of the attack. Default: all. */
  against?: readonly VictimKind[];
  /** Whether the server should believe the mail. */
  verified: boolean;
}

const everyField = ["From", "To", "Subject", "Date", "Message-ID"];
const byForger = (tags: string, more: Partial<Signature> = {}): Signature => ({ tags, by: "forger", ...more });
const byVictim = (more: Partial<Signature> = {}): Signature => ({ tags: "d={V}; s=good", by: "victim", ...more });
const proven = [byForger("d=evil.test; s=sel")];
const hosted = ["shared", "customer"] as const;

/** Text after which a URL parser, a name mapping or a C string may stop, so that only the victim's part counts. */
const separators: [name: string, text: string][] = [
  ["a slash", "/"],
  ["a slash and an at-sign", "/@"],
  ["a question mark", "?"],
  ["a question mark and an at-sign", "?@"],
  ["a number sign", "#"],
  ["a number sign and an at-sign", "#@"],
  ["a back-slash", "\\"],
  ["a back-slash and an at-sign", "\\@"],
  ["a colon", ":"],
  ["a port and an at-sign", ":25@"],
  ["a semicolon", ";"],
  ["a comma", ","],
  ["a bar", "|"],
  ["an ampersand", "&"],
  ["an equals sign", "="],
  ["an encoded slash", "%2f"],
  ["an encoded NUL", "%00"],
  ["an encoded dot", "%2e"],
  ["a bare percent sign", "%"],
  ["NUL", "\u0000"],
  ["a tab", "\t"],
  ["an escape", "\u001b"],
  ["a non-character", "\ufdd0"],
  ["another non-character", "\uffff"],
  ["a full-width slash", "\uff0f"],
  ["a full-width question mark", "\uff1f"],
  ["a full-width number sign", "\uff03"],
  ["a full-width at-sign", "\uff20"],
  ["a full-width colon", "\uff1a"],
  ["a fraction slash", "\u2044"],
  ["a division slash", "\u2215"],
  ["an account-of sign", "\u2100"],
  ["a no-break space", "\u00a0"],
  ["a line separator", "\u2028"],
  ["an underscore", "_"],
];

/** Names that some programs read as the victim's. */
const disguises: [name: string, text: string][] = [
  ["a full-width letter", "{W}"],
  ["the A-label of a full-width letter", "{A}"],
  ["a soft hyphen", "{S}"],
  ["a zero-width space", "{V}\u200b"],
  ["a zero-width joiner", "{V}\u200d"],
  ["a word joiner first", "\u2060{V}"],
  ["a byte order mark", "\ufeff{V}"],
  ["a root dot", "{V}."],
  ["two root dots", "{V}.."],
  ["an ideographic dot at the end", "{V}\u3002"],
  ["a dot first", ".{V}"],
  ["a URL", "http://{V}/x.evil.test"],
  ["a URL without a scheme", "//{V}/x.evil.test"],
  ["a URL with a user", "http://x@{V}/.evil.test"],
  ["a user", "x.evil.test@{V}"],
  ["brackets", "[{V}]"],
  ["angle brackets", "<{V}>"],
  ["quotes", '"{V}"'],
];

const byHelo = (text: string): Partial<Forgery> => ({ mailFrom: "", helo: text });
const byMailFrom = (text: string): Partial<Forgery> => ({ mailFrom: `x@${text}` });
const byDkim = (text: string): Partial<Forgery> => ({ signatures: [byForger(`d=${text}; s=sel`)] });

const names: Forgery[] = [
  ...separators.map(([name, text]) => [name, `{V}${text}x.evil.test`] as const),
  ...separators.map(([name, text]) => [`${name} in a label`, `{V}${text}.evil.test`] as const),
  ...disguises,
].flatMap(([name, text]) => [
  { name: `HELO with ${name}`, ...byHelo(text), verified: false },
  { name: `MAIL FROM with ${name}`, ...byMailFrom(text), verified: false },
  { name: `DKIM d= with ${name}`, ...byDkim(text), verified: false },
]);

const envelopes: Forgery[] = [
  { name: "nothing but the claim", verified: false },
  { name: "HELO of the victim from elsewhere", ...byHelo("{V}"), verified: false },
  { name: "HELO of the victim in capitals", ...byHelo("{V}".toUpperCase()), verified: false },
  { name: "MAIL FROM of the victim from elsewhere", ...byMailFrom("{V}"), verified: false },
  { name: "HELO of the victim's parent", ...byHelo("test"), verified: false },
  { name: "HELO that ends as the victim does", ...byHelo("x{V}"), verified: false },
  { name: "HELO that begins as the victim does", ...byHelo("{V}.evil.test"), verified: false },
  { name: "HELO that is an address", ...byHelo("[192.0.2.66]"), verified: false },
  { name: "HELO that is a bare address", ...byHelo("192.0.2.66"), verified: false },
  { name: "HELO of one label", ...byHelo("localhost"), verified: false },
  { name: "HELO with a label that is too long", ...byHelo(`${"a".repeat(64)}.{V}`), verified: false },
  { name: "HELO that is too long", ...byHelo(`${"a.".repeat(130)}{V}`), verified: false },
  { name: "MAIL FROM with the victim's address quoted", mailFrom: '"ceo@{V}"@evil.test', verified: false },
  { name: "MAIL FROM with a percent hack", mailFrom: "ceo%{V}@evil.test", verified: false },
  { name: "MAIL FROM with two at-signs", mailFrom: "ceo@{V}@evil.test", verified: false },
  { name: "MAIL FROM with a route", mailFrom: "@{V}:x@evil.test", verified: false },
  { name: "MAIL FROM without a domain", mailFrom: "{V}", verified: false },
  { name: "MAIL FROM of the forger, HELO of the victim", helo: "{V}", verified: false },
  {
    name: "HELO of a sub-domain that the victim handed to somebody",
    ...{ ...byHelo("tenant.{V}"), against: ["strict", ...hosted], verified: false },
  },
  {
    name: "MAIL FROM of a sub-domain that the victim handed to somebody",
    ...{ ...byMailFrom("tenant.{V}"), against: ["strict", ...hosted], verified: false },
  },
];

/** Spellings of a field with the usual hash, which some readers do not recognize as that field (RFC 6376 3.4.2). */
const respelt: [how: string, write: (name: string, value: string) => string][] = [
  ["whose colon begins the next line", (name, value) => `${name}\r\n:${value}`],
  ["whose colon stands far out on the next line", (name, value) => `${name}\r\n${" ".repeat(1_200)}:${value}`],
  ["whose colon is behind a space on the next line", (name, value) => `${name}\r\n :${value}`],
];

const signatures: Forgery[] = [
  {
    name: "a sub-domain that the victim handed to somebody signs",
    ...{ ...byDkim("tenant.{V}"), against: ["strict", ...hosted], verified: false },
  },
  { name: "d= of the victim, signed by the forger", signatures: [byForger("d={V}; s=good")], verified: false },
  { name: "d= twice, the victim's last", signatures: [byForger("d=evil.test; s=sel; d={V}")], verified: false },
  { name: "d= twice, the victim's first", signatures: [byForger("d={V}; s=sel; d=evil.test")], verified: false },
  {
    name: "D= of the victim beside the forger's d=",
    signatures: [byForger("d=evil.test; s=sel; D={V}")],
    verified: false,
  },
  { name: "i= of the victim", signatures: [byForger("d=evil.test; s=sel; i=ceo@{V}")], verified: false },
  { name: "s= that leads elsewhere", signatures: [byForger("d={V}; s=sel._domainkey.evil.test")], verified: false },
  { name: "s= that ends the name", signatures: [byForger("d={V}; s=sel._domainkey.evil.test?")], verified: false },
  { name: "d= of the victim's parent", ...byDkim("test"), verified: false },
  { name: "d= that ends as the victim does", ...byDkim("x{V}"), verified: false },
  { name: "d= that begins as the victim does", ...byDkim("{V}.evil.test"), verified: false },
  { name: "d= with a comment", ...byDkim("evil.test ({V})"), verified: false },
  { name: "d= as quoted-printable", ...byDkim("{V}=2Fevil.test"), verified: false },
  { name: "a replayed signature over another body", signatures: [byVictim({ body: "Hi\r\n" })], verified: false },
  {
    name: "a replayed signature, cut short",
    signatures: [byVictim({ tags: "d={V}; s=good; l=0", body: "" })],
    verified: false,
  },
  {
    name: "a replayed signature that leaves From out",
    signatures: [byVictim({ fields: ["Subject"] })],
    verified: false,
  },
  {
    name: "a second From on top of the victim's",
    signatures: [byVictim()],
    onTop: ["From: x@evil.test"],
    verified: false,
  },
  {
    name: "a second From with a space before the colon",
    ...{ signatures: [byVictim()], onTop: ["From : x@evil.test"], verified: false },
  },
  { name: "a second Subject on top", signatures: [byVictim()], onTop: ["Subject: Pay me"], verified: false },
  ...respelt.flatMap(([how, write]) =>
    ["Subject", "To", "Date", "Message-ID"].map((field) => ({
      name: `a second ${field} on top of the signed one, ${how}`,
      ...{ signatures: [byVictim()], onTop: [`${field}: <x@evil.test>`], rewritten: { field, write }, verified: false },
    })),
  ),
  {
    name: "a signed Subject that goes on in a line without a fold",
    signatures: [byVictim()],
    rewritten: { field: "Subject", write: (name, value) => `${name}:${value.slice(0, 3)}\r\n${value.slice(3)}` },
    verified: false,
  },
  { name: "an expired signature", signatures: [byVictim({ tags: "d={V}; s=good; t=1; x=2" })], verified: false },
];

const claims: Forgery[] = [
  "Authentication-Results: {V}; dmarc=pass header.from={V}",
  "ARC-Authentication-Results: i=1; evil.test; dmarc=pass header.from={V}",
  "Received-SPF: pass (evil.test: domain of ceo@{V})",
  "X-E2A-Auth-Verified: true",
  "X_E2A_Auth_Verified: true",
  "Return-Path: <ceo@{V}>",
  "Sender: ceo@{V}",
].map((line) => ({ name: `the line ${line}`, extra: [line], signatures: proven, verified: false }));

/** The forger proves his own domain, but displays the victim's address to some readers. */
const authors: Forgery[] = [
  "ceo@{V} <x@evil.test>",
  '"ceo@{V}" <x@evil.test>',
  '"<ceo@{V}>" <x@evil.test>',
  "=?utf-8?q?ceo=40{V}?= <x@evil.test>",
  "<ceo@{V}> <x@evil.test>",
  "x@evil.test <ceo@{V}>",
  "x@evil.test, ceo@{V}",
  "ceo@{V}, x@evil.test",
  "x@evil.test (ceo@{V})",
  "ceo@{V} (x@evil.test)",
  "Team: ceo@{V}, x@evil.test;",
  "<@{V}:x@evil.test>",
  "<@evil.test:ceo@{V}>",
  '"ceo@{V}"@evil.test',
  "ceo@{V}@evil.test",
  "ceo@{V}/@evil.test",
  "ceo@{V}\ufdd0.evil.test",
  "ceo@{V}%2f.evil.test",
  "ceo@{V}?.evil.test",
  "ceo@{V}\u0000.evil.test",
  "ceo@evil.test(.{V})",
].map((from) => ({ name: `From: ${from}`, from, signatures: proven, verified: false }));

const disguisedAuthors: Forgery[] = [
  {
    name: "From at a full-width letter, whose A-label the forger owns",
    from: "ceo@{W}",
    ...byDkim("{A}"),
    verified: false,
  },
  { name: "From and d= at a full-width letter", from: "ceo@{W}", ...byDkim("{W}"), verified: false },
  { name: "From and MAIL FROM at a soft hyphen", from: "ceo@{S}", ...byMailFrom("{S}"), verified: false },
];

/** Honest mail that resembles the forgeries; the server should believe each. */
const honest: Forgery[] = [
  { name: "the victim's own server", client: "victim", ...byMailFrom("{V}"), verified: true },
  { name: "the victim's own server with a null reverse-path", client: "victim", ...byHelo("{V}"), verified: true },
  { name: "the victim's own server, HELO in capitals", client: "victim", ...byHelo("{V}"), verified: true },
  { name: "the victim's signature", signatures: [byVictim()], verified: true },
  { name: "the victim's signature over From alone", signatures: [byVictim({ fields: ["From"] })], verified: true },
  { name: "the victim's signature beside the forger's", signatures: [byVictim(), ...proven], verified: true },
  {
    name: "the victim's signature behind an odd HELO",
    ...byHelo("{V}/@x.evil.test"),
    signatures: [byVictim()],
    verified: true,
  },
  { name: "a name that is the same address", from: "ceo@{V} <ceo@{V}>", signatures: [byVictim()], verified: true },
  {
    name: "a quoted name that is the same address",
    from: '"ceo@{V}" <ceo@{V}>',
    signatures: [byVictim()],
    verified: true,
  },
  { name: "a comment", from: "Joe (Sales) <ceo@{V}>", signatures: [byVictim()], verified: true },
  { name: "a comment behind a bare address", from: "ceo@{V} (Joe)", signatures: [byVictim()], verified: true },
  {
    name: "a sub-domain where alignment is relaxed",
    ...{ ...byMailFrom("tenant.{V}"), against: ["plain", "monitored"], verified: true },
  },
];

export const forgeries: readonly Forgery[] = [
  ...[...names, ...envelopes, ...signatures, ...claims, ...authors, ...disguisedAuthors],
  ...honest,
];

const keys = { forger: forgeryKey(), victim: forgeryKey() };

/** The DNS data while the forgeries run: the victims' zones, and the forger's records for all other names. */
export function forgeryZone(): Zone {
  const forger = { TXT: [keys.forger.record, "v=spf1 +all"], A: [clients.forger] };
  const zone: Zone = { "*.test": forger, "evil.test": forger, "*.evil.test": forger };
  for (const domain of Object.values(victims)) {
    zone[domain] = { TXT: [`v=spf1 ip4:${clients.victim} -all`], A: [clients.victim] };
    zone[`good._domainkey.${domain}`] = { TXT: [keys.victim.record] };
    zone[`tenant.${domain}`] = forger;
    zone[`*.tenant.${domain}`] = forger;
  }
  zone[`_dmarc.${victims.monitored}`] = { TXT: ["v=DMARC1; p=none"] };
  zone[`_dmarc.${victims.strict}`] = { TXT: ["v=DMARC1; p=reject; adkim=s; aspf=s"] };
  // A hosted domain is strict whatever its owner publishes.
  zone[`_dmarc.${victims.customer}`] = { TXT: ["v=DMARC1; p=none; adkim=r; aspf=r"] };
  return zone;
}

/** A forgery as it is sent over SMTP. */
export interface ForgedMail {
  client: string;
  helo: string;
  mailFrom: string;
  raw: Buffer;
}

/** Makes the mail of a forgery against one victim; `id` makes it a distinct message. */
export function forgedMail(forgery: Forgery, kind: VictimKind, to: string, id: string): ForgedMail {
  const victim = victims[kind];
  const wide = String.fromCodePoint((victim.codePointAt(0) as number) + 0xfee0) + victim.slice(1);
  const fill = (text: string) =>
    text
      .replaceAll("{V}", victim)
      .replaceAll("{W}", wide)
      .replaceAll("{A}", punycodeOf(wide))
      .replaceAll("{S}", `${victim.slice(0, 2)}\u00ad${victim.slice(2)}`);
  const body = "Please pay.\r\n";
  const header = [
    ...(forgery.extra ?? []),
    `From: ${forgery.from ?? "CEO <ceo@{V}>"}`,
    `To: ${to}`,
    `Subject: ${id}`,
    "Date: Fri, 15 May 2026 12:00:00 +0000",
    `Message-ID: <${id}@mail.evil.test>`,
  ].map(fill);
  const signed = (forgery.signatures ?? []).map(({ tags, by, fields = everyField, body: other = body }) =>
    signatureLine({ header, body: other }, keys[by], fill(tags), fields),
  );
  const { rewritten } = forgery;
  const sent = header.map((line) => {
    const [name = "", value = ""] = line.split(/:(.*)/s);
    return name === rewritten?.field ? rewritten.write(name, value) : line;
  });
  return {
    client: clients[forgery.client ?? "forger"],
    helo: fill(forgery.helo ?? "mail.evil.test"),
    mailFrom: fill(forgery.mailFrom ?? "x@evil.test"),
    raw: Buffer.from([...(forgery.onTop ?? []).map(fill), ...signed, ...sent, "", body].join("\r\n")),
  };
}

/** Encodes each label's code points without any mapping (RFC 3492). */
function punycodeOf(domain: string): string {
  return domain
    .split(".")
    .map((label) => (/[^\x00-\x7f]/.test(label) ? `xn--${punycode.encode(label)}` : label))
    .join(".");
}
