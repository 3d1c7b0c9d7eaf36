/** What the standards say, case by case, through the SMTP door; docs/standards.md shows the result. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { sealMessage } from "mailauth";
import type { Mailbox, ReadMail } from "../../src/mail.ts";
import { readMail } from "../../src/message/read.ts";
import { signingKey } from "../smtp/signed-mail.ts";
import type { Zone, ZoneEntry } from "../support/dns-server.ts";
import { type Detail, type DoorMail, throughTheDoor } from "./door.ts";
import { signWithTags } from "./sign.ts";

const folder = join(import.meta.dir, "../../testdata/standards");

interface Case {
  name: string;
  result: string;
  /** Our result where it differs on purpose. */
  deviates?: { result: string; why: string };
}

interface Section<C extends Case> {
  section: string;
  cases: C[];
}

async function table<S>(name: string): Promise<S[]> {
  return Bun.YAML.parse(await Bun.file(join(folder, name)).text()) as S[];
}

/** One case as a mail, what DNS needs for it, and its expected results, in words. */
interface Trial {
  mail: DoorMail;
  zone: Zone;
  said(detail: Detail): string;
  expected: string;
}

async function expectAll(trials: Trial[]): Promise<void> {
  const zone: Zone = Object.assign({}, ...trials.map((trial) => trial.zone));
  const details = await throughTheDoor(
    zone,
    trials.map(({ mail }) => mail),
  );
  const got = details.map((detail, i) => (typeof detail === "string" ? detail : trials[i]?.said(detail)));
  const named = (results: (string | undefined)[]) => trials.map(({ mail }, i) => `${mail.name}: ${results[i]}`);
  expect(named(got)).toEqual(named(trials.map(({ expected }) => expected)));
}

const ip = "192.0.2.10";
const client = { helo: "mail.client.test", ip };
const text = (from: string, body = "Hello agent\r\ntwo  spaces\r\n") =>
  `From: alice@${from}\r\nSubject: Hi there\r\n\r\n${body}`;

interface SpfCase extends Case {
  from: string;
  helo?: string;
  ip?: string;
}

async function spfTrials(): Promise<Trial[]> {
  const sections = await table<Section<SpfCase> & { zone: Zone }>("spf.yaml");
  return sections.flatMap(({ section, zone, cases }) =>
    cases.map(({ name, result, deviates, from, ...given }) => ({
      mail: { name: `${section}: ${name}`, raw: text("from.test"), from, ...client, ...given },
      zone,
      said: ({ authentication }: Detail) => authentication.spf.result,
      expected: deviates?.result ?? result,
    })),
  );
}

const keys = {
  rsa: signingKey("key.test"),
  ed25519: signingKey("key.test", { type: "ed25519" }),
  rsa1024: signingKey("key.test", { bits: 1024 }),
  rsa768: signingKey("key.test", { bits: 768 }),
};

/** The p= of a key. */
function publicKey(key: keyof typeof keys): string {
  const [record] = Object.values(keys[key].zone);
  return /p=(.*)/.exec((record as { TXT: string[] }).TXT[0] ?? "")?.[0] ?? "";
}

interface DkimCase extends Case {
  key?: keyof typeof keys;
  tags?: string;
  record?: string;
  /** Instead of the record. Null if there is none. */
  published?: ZoneEntry | null;
  edit?: [string, string];
}

const usualTags = "v=1; a=rsa-sha256; c=relaxed/relaxed; d={d}; s=s; h=from:subject";

async function dkimTrials(): Promise<Trial[]> {
  const sections = await table<Section<DkimCase>>("dkim.yaml");
  const cases = sections.flatMap(({ section, cases }) => cases.map((one) => ({ ...one, section })));
  return cases.map((one, i) => {
    const { key = "rsa", tags = usualTags, record = "v=DKIM1; ", published, edit } = one;
    const domain = `d${i}.dkim.test`;
    const here = (words: string) => words.replaceAll("{d}", domain);
    const signed = signWithTags(text(domain), here(tags), keys[key].privateKey);
    const raw = edit ? signed.replace(here(edit[0]), () => here(edit[1])) : signed;
    const entry = published === undefined ? { TXT: [record + publicKey(key)] } : published;
    return {
      mail: { name: `${one.section}: ${one.name}`, raw, from: "bounce@client.test", ...client },
      zone: entry === null ? {} : { [`s._domainkey.${domain}`]: entry },
      said: ({ authentication }: Detail) => authentication.dkim.map(({ result }: { result: string }) => result).join(),
      expected: one.deviates?.result ?? one.result,
    };
  });
}

interface ArcCase extends Case {
  sets: number;
  key?: string;
  edit?: [string, string];
}

async function arcTrials(): Promise<Trial[]> {
  const sections = await table<Section<ArcCase>>("arc.yaml");
  const cases = sections.flatMap(({ section, cases }) => cases.map((one) => ({ ...one, section })));
  const zone: Zone = {
    "s._domainkey.sealer.arc.test": { TXT: [`v=DKIM1; ${publicKey("rsa")}`] },
    "away._domainkey.sealer.arc.test": "SERVFAIL",
  };
  return Promise.all(
    cases.map(async ({ section, name, sets, key = "s", edit, result }) => {
      let raw = text("arc.test");
      for (let i = 0; i < sets; i++) {
        const authResults = "sealer.arc.test; spf=fail smtp.mailfrom=client.test";
        const seal = { signingDomain: "sealer.arc.test", selector: key, privateKey: keys.rsa.privateKey, authResults };
        const resolver = async () => [[`v=DKIM1; ${publicKey("rsa")}`]];
        const options = { ...seal, cv: i === 0 ? "none" : "pass", i: i + 1, resolver } as never;
        raw = (await sealMessage(Buffer.from(raw), options)).toString() + raw;
      }
      if (edit) raw = raw.replace(new RegExp(edit[0]), edit[1]);
      return {
        mail: { name: `${section}: ${name}`, raw, from: "bounce@client.test", ...client },
        zone,
        said: ({ authentication }: Detail) => authentication.arc.result,
        expected: result,
      };
    }),
  );
}

interface DmarcCase extends Case {
  from?: string;
  records?: Record<string, string | string[]>;
  spf?: string;
  openSpf?: string;
  dkim?: string[];
  open?: string[];
  policy?: string | null;
  by?: string;
}

async function dmarcTrials(): Promise<Trial[]> {
  const sections = await table<Section<DmarcCase>>("dmarc.yaml");
  const cases = sections.flatMap(({ section, cases }) => cases.map((one) => ({ ...one, section })));
  return cases.map((one, i) => {
    const { from = "{d}", records = {}, spf, openSpf, dkim = [], open = [], policy, by = "" } = one;
    const domain = `dmarc${i}.test`;
    const here = (words: string) => words.replaceAll("{d}", domain);
    const zone: Zone = {};
    for (const [prefix, record] of Object.entries(records)) {
      const name = `_dmarc.${prefix === "" ? domain : `${prefix}.${domain}`}`;
      zone[name] = record === "SERVFAIL" ? record : { TXT: [record].flat() };
    }
    let raw = text(here(from));
    const sign = (selector: string) => (name: string) => {
      const tags = `v=1; a=rsa-sha256; c=relaxed/relaxed; d=${here(name)}; s=${selector}; h=from:subject`;
      raw = signWithTags(raw, tags, keys.rsa.privateKey);
      zone[`${selector}._domainkey.${here(name)}`] =
        selector === "away" ? "SERVFAIL" : { TXT: [`v=DKIM1; ${publicKey("rsa")}`] };
    };
    dkim.forEach(sign("s"));
    open.forEach(sign("away"));
    const sender = here(spf ?? openSpf ?? "client.test");
    if (spf) zone[sender] = { TXT: [`v=spf1 ip4:${ip} -all`] };
    if (openSpf) zone[sender] = "SERVFAIL";
    const shown = (result: string, policy: string | null, by: string) =>
      [result, ...(one.policy === undefined ? [] : [policy]), ...(by === "" ? [] : [`by ${by}`])].join(" ");
    return {
      mail: { name: `${one.section}: ${one.name}`, raw, from: `bounce@${sender}`, ...client },
      zone,
      said: ({ authentication: { dmarc } }: Detail) => shown(dmarc.result, dmarc.policy, dmarc.aligned_by.join(" ")),
      expected: shown(one.deviates?.result ?? one.result, policy ?? null, by),
    };
  });
}

test("SPF, DKIM, ARC and DMARC say what their RFCs ask for", async () => {
  const tables = await Promise.all([spfTrials(), dkimTrials(), arcTrials(), dmarcTrials()]);
  await expectAll(tables.flat());
});

interface MessageCase extends Omit<Case, "result"> {
  mail?: string;
  /** A message with this field instead. */
  subject?: string;
  from?: string;
  /** A message with a file whose Content-Disposition has these parameters. */
  file?: string;
  door?: boolean;
  reads: Record<string, unknown>;
}

const limits = { maxParts: 100, maxDepth: 10, maxHeaderBytes: 256 * 1024 };

function messageOf({ mail, subject = "x", from = "a@b.test", file }: MessageCase): string {
  const header = `From: ${from}\nSubject: ${subject}\n`;
  const parts = [
    "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nHi\n--b\nContent-Type: application/x-stuff",
    `Content-Disposition: attachment; ${file}\n\nstuff\n--b--\n`,
  ];
  const text = mail ?? header + (file === undefined ? "\nHi\n" : parts.join("\n"));
  return text.replaceAll("\n", "\r\n");
}

const shownMailbox = ({ name, address }: Mailbox) => (name === "" ? address : `${name} <${address}>`);

/** The members of a read message that the case names, in the words of the table. */
function shownAs(mail: ReadMail, wanted: Record<string, unknown>): Record<string, unknown> {
  const files = wanted.files as string[] | undefined;
  const shown: Record<string, unknown> = {
    ...mail,
    ...Object.fromEntries((["from", "to", "cc", "replyTo"] as const).map((key) => [key, mail[key].map(shownMailbox)])),
    text: mail.text.trimEnd(),
    html: mail.html?.trimEnd(),
    date: mail.date?.toISOString().replace(".000Z", "Z"),
    files: mail.attachments.map(({ filename, content_type, size }, i) =>
      [filename, content_type, ...(files?.[i]?.endsWith(` ${size}`) ? [size] : [])].join(" "),
    ),
  };
  return Object.fromEntries(Object.keys(wanted).map((key) => [key, shown[key]]));
}

test("messages in the forms of their RFCs are read", async () => {
  const sections = await table<{ section: string; cases: MessageCase[] }>("message.yaml");
  const cases = sections.flatMap(({ section, cases }) => cases.map((one) => ({ ...one, section })));
  const named = (results: unknown[]) =>
    cases.map(({ section, name }, i) => ({ case: `${section}: ${name}`, is: results[i] }));
  const read = await Promise.all(
    cases.map(async (one) => shownAs(await readMail(Buffer.from(messageOf(one)), limits), one.reads)),
  );
  expect(named(read)).toEqual(named(cases.map(({ reads }) => reads)));

  const atDoor = cases.filter(({ door }) => door);
  const details = await throughTheDoor(
    {},
    atDoor.map((one) => ({ name: one.name, raw: messageOf(one), from: "a@b.test", ...client })),
  );
  const bare = (shown: unknown) => (shown as string[]).map((one) => /<(.*)>$/.exec(one)?.[1] ?? one);
  for (const [i, { reads }] of atDoor.entries()) {
    const { from, to, subject, text } = details[i];
    if (reads.from) expect([from]).toEqual(bare(reads.from));
    if (reads.to) expect(to).toEqual(bare(reads.to));
    if (reads.subject) expect(subject).toBe(reads.subject as string);
    if (reads.text) expect(text.trimEnd()).toBe(reads.text);
  }
});
