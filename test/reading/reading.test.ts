import { expect, test } from "bun:test";
import { charsets, utf8 } from "./charsets.ts";
import { compareReaders, handedMail } from "./run.ts";

const MESSAGES = 2_000;
const SEED = 15;
/** Some 8 s of processor time. */
const TIMEOUT_MS = 120_000;

test(
  `${MESSAGES} generated messages are read as they were written, and every difference to another parser is explained`,
  async () => {
    expect(charsets.length + [utf8].length).toBeGreaterThanOrEqual(25);
    const found = await compareReaders(MESSAGES, SEED, await handedMail());
    expect(found.wrong).toEqual([]);
    expect(found.lost).toEqual([]);
    expect(found.unexplained.map(({ field, how }) => `${field}: ${how.join("; ")}`)).toEqual([]);
    expect(found.messages).toBe(MESSAGES);
  },
  TIMEOUT_MS,
);
