import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { tempDir } from "../support/temp.ts";

/** Where disk.c can be built and preloaded; on other machines tests that need it are skipped, but in CI they fail. */
export const canInjectFaults =
  (process.platform === "linux" && Bun.which("cc") !== null) || process.env.CI !== undefined;

/** errno of Linux. */
export const errno = { ENOSPC: 28, EROFS: 30 } as const;

/** The words of the file `switches`, in the order of disk.c. */
const words = [
  "failLogSync",
  "failDatabaseSync",
  "writeError",
  "logSyncs",
  "databaseSyncs",
  "failures",
  "leakPercent",
] as const;
type Word = (typeof words)[number];
const WORD_BYTES = 4;

/** A folder on a disk that fails when it is told to. */
export interface FaultyDisk extends AsyncDisposable {
  /** The data folder. */
  readonly folder: string;
  /** Environment of a program that lives on this disk. */
  readonly env: Record<string, string>;
  /**
   * `failLogSync`, `failDatabaseSync`: the sync that fails next, counted from 1; 0 for none. `writeError`: what every
   * write fails with. `leakPercent`: pages that reach the platter without a sync.
   */
  set(word: Word, value: number): void;
  get(word: Word): number;
  /** What is on the platter is all that is left. The program must be dead. */
  cutPower(): void;
}

/** Makes an empty folder on a disk of its own; builds the library that it needs. */
export async function faultyDisk(): Promise<FaultyDisk> {
  const dir = await tempDir();
  const library = join(dir.path, "disk.so");
  const source = join(import.meta.dir, "disk.c");
  const built = Bun.spawnSync(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-lpthread"]);
  if (built.exitCode !== 0) throw new Error(`disk.c does not build (it needs a C compiler):\n${built.stderr}`);
  const [folder, platter] = [join(dir.path, "data"), join(dir.path, "platter")];
  mkdirSync(folder, { mode: 0o700 });
  mkdirSync(platter);
  const switches = join(dir.path, "platter", "switches");
  const fd = openSync(switches, "wx+");
  writeSync(fd, Buffer.alloc(words.length * WORD_BYTES));

  return {
    folder,
    env: { LD_PRELOAD: library, FAULTS_FOLDER: folder, FAULTS_DISK: platter },
    set(word, value) {
      const bytes = Buffer.alloc(WORD_BYTES);
      bytes.writeInt32LE(value);
      writeSync(fd, bytes, 0, WORD_BYTES, words.indexOf(word) * WORD_BYTES);
    },
    get(word) {
      const bytes = Buffer.alloc(WORD_BYTES);
      readSync(fd, bytes, 0, WORD_BYTES, words.indexOf(word) * WORD_BYTES);
      return bytes.readInt32LE();
    },
    cutPower() {
      // Keys and certificates are written once, and no test is about them: they stay.
      for (const name of readdirSync(folder))
        if (name.startsWith("e2a.db") || name.endsWith(".journal")) rmSync(join(folder, name));
      for (const name of readdirSync(platter))
        if (name.startsWith("e2a.db") || name.endsWith(".journal"))
          copyFileSync(join(platter, name), join(folder, name));
      if (!existsSync(join(folder, "e2a.db"))) throw new Error("Nothing of the database had reached the disk.");
    },
    async [Symbol.asyncDispose]() {
      closeSync(fd);
      await dir[Symbol.asyncDispose]();
    },
  };
}
