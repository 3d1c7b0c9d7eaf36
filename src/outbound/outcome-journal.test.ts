import { expect, test } from "bun:test";
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../test/support/temp.ts";
import { Failure } from "../util/errors.ts";
import { silentLog } from "../util/log.ts";
import { openOutcomeJournal, type Unrecorded } from "./outcome-journal.ts";

let made = 0;
const sent = (reply = "250 2.0.0 Ok"): Unrecorded => ({
  recipient: { messageId: `msg_${made++}`, n: 0, leaseToken: crypto.randomUUID() },
  outcome: { kind: "sent", method: "smtp", status: "sent", reply },
  at: new Date("2026-05-15T12:00:00.123Z"),
});
const byId = (entries: readonly Unrecorded[]) =>
  entries.toSorted((a, b) => a.recipient.messageId.localeCompare(b.recipient.messageId));

test("what was noted and not removed is there at the next start, whatever else came and went", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "outcomes.journal");
  const first = openOutcomeJournal(path, silentLog);
  const waiting: Unrecorded[] = [];
  for (let i = 0; i < 1_000; i++) {
    const entry = sent(i % 7 === 0 ? `250 ${"x".repeat(i * 3)}` : undefined);
    first.note(entry);
    if (i % 10 === 0) waiting.push(entry);
    else first.remove(entry);
  }
  // The first journal was not closed or synced, as if its process was killed.
  const second = openOutcomeJournal(path, silentLog);
  expect(byId(second.left)).toEqual(byId(waiting));
  const more = sent();
  second.note(more);
  const third = openOutcomeJournal(path, silentLog);
  expect(byId(third.left)).toEqual(byId([...waiting, more]));
  third.forgetLeft();
  const last = openOutcomeJournal(path, silentLog);
  expect(last.left).toEqual([]);
  for (const journal of [first, second, third, last]) await journal.close();
});

test("the file does not grow with the mail that passes through it", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "outcomes.journal");
  const journal = openOutcomeJournal(path, silentLog);
  const size = statSync(path).size;
  const inHand: Unrecorded[] = [];
  for (let i = 0; i < 2_000; i++) {
    const entry = sent();
    journal.note(entry);
    if (inHand.push(entry) > 50) journal.remove(inHand.shift() as Unrecorded);
  }
  expect(statSync(path).size).toBe(size);
  await journal.close();
});

test.skipIf(process.platform === "win32")("the file is its owner's alone", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "outcomes.journal");
  await openOutcomeJournal(path, silentLog).close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a closed journal does not write to another file that got its descriptor", async () => {
  await using dir = await tempDir();
  const journal = openOutcomeJournal(join(dir.path, "outcomes.journal"), silentLog);
  const [early, late] = [sent(), sent()];
  journal.note(early);
  await journal.close();
  const path = join(dir.path, "another file");
  const others = Array.from({ length: 50 }, () => openSync(path, "w"));
  journal.keep(late);
  journal.remove(early);
  journal.forgetLeft();
  for (const fd of others) closeSync(fd);
  expect(readFileSync(path, "utf8")).toBe("");
});

test("a line that was cut short takes no other with it", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "outcomes.journal");
  const journal = openOutcomeJournal(path, silentLog);
  const entries = [sent(), sent("250 ü"), sent()];
  for (const entry of entries) journal.note(entry);
  const bytes = Buffer.from(await Bun.file(path).arrayBuffer());
  bytes.fill(0, 100, 512);
  await Bun.write(path, bytes);
  const again = openOutcomeJournal(path, silentLog);
  expect(again.left).toEqual(entries.slice(1));
  for (const one of [journal, again]) await one.close();
});

test("a journal that cannot be opened names the file", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "outcomes.journal");
  mkdirSync(path);
  const open = () => openOutcomeJournal(path, silentLog);
  expect(open).toThrow(Failure);
  expect(open).toThrow(path);
});
