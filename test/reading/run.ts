import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Glob } from "bun";
import { altered, damages, respellings } from "./altered.ts";
import { composed } from "./composed.ts";
import { Dice } from "./dice.ts";
import { type Difference, differencesOf, htmlWords } from "./differences.ts";
import type { Kept, Made, Truth } from "./made.ts";
import { type OurReading, readByPostalMime, readByUs } from "./readings.ts";
import { type Rule, ruleOf } from "./rules.ts";

/** What a run over generated messages found. */
export interface Found {
  messages: number;
  /** Differences between the two parsers by the rule that explains them. */
  explained: Map<Rule, number>;
  unexplained: Difference[];
  /** Messages that our reader reads otherwise than they were written. */
  wrong: string[];
  /** Words and files that our reader lost without a defect. */
  lost: string[];
}

const folder = join(import.meta.dir, "../../testdata/mail");

/** Mail in the forms of real programs, by name: the other messages to start from. */
export async function handedMail(): Promise<Map<string, Buffer>> {
  const names = [...new Glob("**/*.eml").scanSync(folder)].sort();
  const read = names.map(async (name): Promise<[string, Buffer]> => [name, await readFile(join(folder, name))]);
  return new Map(await Promise.all(read));
}

/** Reads generated messages with both parsers. The same count and seed give the same messages. */
export async function compareReaders(count: number, seed: number, handed: ReadonlyMap<string, Buffer>): Promise<Found> {
  const found: Found = { messages: 0, explained: new Map(), unexplained: [], wrong: [], lost: [] };
  const names = [...handed.keys()];
  for (let i = 0; i < count; i++) {
    const dice = new Dice(seed * 1_000_003 + i);
    const name = names[i % names.length] as string;
    // One half as composed, a quarter damaged, and a quarter out of mail that was handed in.
    const isHanded = i % 4 === 3;
    const base: Made = isHanded
      ? { how: [name], raw: handed.get(name) as Buffer, truth: {}, kept: [] }
      : composed(seed * 1_000_003 + i, i % 2 === 1);
    const table = isHanded && dice.once(3) ? respellings : i % 2 === 1 ? damages : null;
    const change = table && altered(base.raw, table, dice);
    const raw = change?.raw ?? base.raw;
    const how = change ? [...base.how, change.how] : base.how;
    const where = `message ${i} of seed ${seed}: ${how.join("; ")}`;
    const ours = await readByUs(raw);
    found.messages++;
    if (!change) found.wrong.push(...mistakes(base.truth, ours).map((mistake) => `${where}\n  ${mistake}`));
    if (change && table === respellings) {
      const before = await readByUs(base.raw);
      found.wrong.push(...changes(before, ours).map((mistake) => `${where}\n  ${mistake}`));
    }
    const lost = await lostOf(base.kept, raw, ours);
    if (lost.length > 0 && bodyDefects(ours).length === 0) found.lost.push(`${where}\n  ${lost.join(", ")}`);
    for (const difference of differencesOf(raw, how, ours, await readByPostalMime(raw))) {
      const rule = ruleOf(difference);
      if (rule) found.explained.set(rule, (found.explained.get(rule) ?? 0) + 1);
      else found.unexplained.push(difference);
    }
  }
  return found;
}

/** Defects of the parts of a message; those of its header excuse no loss. */
function bodyDefects({ mail }: OurReading): string[] {
  const ofHeader = /^(?:header_(?!unterminated)|field_|addresses_|from_|date_|subject_)/;
  return mail.defects.map(({ code }) => code).filter((code) => !ofHeader.test(code));
}

function mistakes(truth: Truth, ours: OurReading): string[] {
  const { files, ...fields } = truth;
  const wrong = Object.entries(fields).flatMap(([field, said]) => {
    const read = ours[field as keyof typeof fields];
    return said === undefined || isDeepStrictEqual(read, said)
      ? []
      : [`${field}: ${shown(read)} is not ${shown(said)}`];
  });
  const read = ours.files.map((one, i) => ({
    name: files?.[i]?.name === undefined ? undefined : one.name,
    type: one.type,
    sha256: one.sha256,
    contentId: one.contentId || undefined,
  }));
  if (files && !isDeepStrictEqual(read, files)) wrong.push(`files: ${shown(read)} is not ${shown(files)}`);
  return wrong;
}

/** What a change that means nothing changed. */
function changes(before: OurReading, after: OurReading): string[] {
  const fields = [
    "from",
    "to",
    "cc",
    "replyTo",
    "subject",
    "messageId",
    "inReplyTo",
    "references",
    "date",
    "text",
  ] as const;
  const wrong = fields.flatMap((field) =>
    isDeepStrictEqual(before[field], after[field])
      ? []
      : [`${field}: ${shown(after[field])} was ${shown(before[field])}`],
  );
  const filesOf = (reading: OurReading) => reading.files.map((file) => [file.name, file.type, file.contentId]);
  if (!isDeepStrictEqual(filesOf(before), filesOf(after))) wrong.push(`files: ${shown(filesOf(after))}`);
  if (htmlWords(before.html) !== htmlWords(after.html)) wrong.push("html");
  return wrong;
}

/** The words and files whose parts are whole in the message and that nothing in the reading shows. */
async function lostOf(kept: readonly Kept[], raw: Buffer, ours: OurReading): Promise<string[]> {
  const lost: string[] = [];
  const decoded = ours.files.map(({ content }) => content.toString("latin1")).join("\n");
  const seen = new Set(`${ours.text} ${htmlWords(ours.html)} ${decoded}`.match(/\w+/g) ?? []);
  // Attached messages are read by the same reader, and have their own defects.
  for (const { type, content } of ours.files) {
    const inner = type === "message/rfc822" ? await readByUs(content) : null;
    if (inner && bodyDefects(inner).length > 0) return [];
  }
  for (const { wire, words, bytes } of kept) {
    if (wire.length === 0 || !raw.includes(wire)) continue;
    const gone = words.filter((word) => !seen.has(word));
    if (bytes === null) lost.push(...gone);
    else if (!ours.files.some(({ content }) => content.includes(bytes)) && (words.length === 0 || gone.length > 0))
      lost.push(`a file of ${bytes.length} bytes`);
  }
  return lost;
}

function shown(value: unknown): string {
  return JSON.stringify(value);
}
