/** What the standards say, case by case, through the SMTP door; docs/standards.md shows the result. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import type { Zone } from "../support/dns-server.ts";
import { type DoorMail, throughTheDoor } from "./door.ts";

const folder = join(import.meta.dir, "../../testdata/standards");

interface Deviation {
  result: string;
  why: string;
}

interface SpfSection {
  section: string;
  zone: Zone;
  cases: { name: string; from: string; helo?: string; ip?: string; result: string; deviates?: Deviation }[];
}

async function table<T>(name: string): Promise<T[]> {
  return Bun.YAML.parse(await Bun.file(join(folder, name)).text()) as T[];
}

test("SPF", async () => {
  const sections = await table<SpfSection>("spf.yaml");
  const zone: Zone = Object.assign({}, ...sections.map((section) => section.zone));
  const cases = sections.flatMap(({ section, cases }) => cases.map((one) => ({ ...one, section })));
  const mails = cases.map(({ name, from, helo = "mail.client.test", ip = "192.0.2.10" }): DoorMail => {
    const raw = `From: someone@from.test\r\nSubject: ${name}\r\n\r\nHi\r\n`;
    return { raw, from, helo, ip };
  });
  const details = await throughTheDoor(zone, mails);
  const got = details.map((detail, i) => `${cases[i]?.section}: ${cases[i]?.name}: ${detail.authentication?.spf.result ?? detail}`);
  expect(got).toEqual(cases.map(({ section, name, result, deviates }) => `${section}: ${name}: ${deviates?.result ?? result}`));
});
