/** Questions in a terminal. The prompt library is loaded with the first question, because most commands ask none. */
import { CliError, usageError } from "../connect/failure.ts";
import { canAsk, type InputStream, type Io } from "./io.ts";
import { plain } from "./output.ts";

export interface Choice<T extends string> {
  value: T;
  label?: string;
  hint?: string;
}

/** Asks for one of several values. */
export async function select<T extends string>(io: Io, message: string, choices: Choice<T>[]): Promise<T> {
  const clack = await import("@clack/prompts");
  const options = choices.map(({ value, label, hint }) => ({
    value: value as string,
    label: plain(label ?? value),
    ...(hint ? { hint: plain(hint) } : {}),
  }));
  return answer<T>(await clack.select({ message, options, ...streams(io) }));
}

/** Asks for a line of text. `check` returns what is wrong with it, or undefined. */
export async function text(
  io: Io,
  message: string,
  options: { placeholder?: string; initialValue?: string; check?: (value: string) => string | undefined } = {},
): Promise<string> {
  const clack = await import("@clack/prompts");
  const { check, ...rest } = options;
  const validate = (value: string | undefined) => check?.((value ?? "").trim());
  return answer<string>(await clack.text({ message, validate, ...rest, ...streams(io) })).trim();
}

/** Asks for a secret; the input is not shown. */
export async function secret(io: Io, message: string): Promise<string> {
  const clack = await import("@clack/prompts");
  const validate = (value: string | undefined) => (value?.trim() ? undefined : "Paste the key here.");
  return answer<string>(await clack.password({ message, validate, ...streams(io) })).trim();
}

/** Asks for confirmation. In a pipe, which cannot answer, `--yes` is required. */
export async function confirmDeletion(io: Io, message: string, yes: boolean | undefined): Promise<void> {
  if (yes) return;
  if (!canAsk(io)) throw usageError("There is no terminal to confirm the deletion.", "Add --yes.");
  const clack = await import("@clack/prompts");
  const sure = await clack.confirm({ message: plain(message), initialValue: false, ...streams(io) });
  if (answer<boolean>(sure) === false) throw new CliError("Nothing was deleted.", { code: "cancelled" });
}

/** Asks yes or no. */
export async function confirm(io: Io, message: string, initialValue: boolean): Promise<boolean> {
  const clack = await import("@clack/prompts");
  return answer<boolean>(await clack.confirm({ message: plain(message), initialValue, ...streams(io) }));
}

/**
 * Asks for one of several letters, read without Enter; Enter alone chooses the first. Keys typed before the question do
 * not answer it, so that the user approves only what was shown.
 */
export async function key<T extends string>(io: Io, message: string, choices: Choice<T>[]): Promise<T> {
  const clack = await import("@clack/prompts");
  const options = choices.map(({ value, label, hint }) => ({
    value: value as string,
    label: plain(label ?? value),
    ...(hint ? { hint: plain(hint) } : {}),
  }));
  await forgetTyped(io.stdin);
  const given = answer<T | undefined>(await clack.selectKey({ message, options, ...streams(io) }));
  return given ?? (choices[0] as Choice<T>).value;
}

/** Longer than the interval at which a held key repeats, shorter than it takes to read. */
const QUIET_MS = 100;

/** Drops typed keys until no more arrive. */
async function forgetTyped(stdin: InputStream): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let timer = setTimeout(resolve, QUIET_MS);
  const dropped = (typed: Buffer | string) => {
    clearTimeout(timer);
    if (typed.includes(interruptKey)) reject(cancelled());
    else timer = setTimeout(resolve, QUIET_MS);
  };
  // Without raw mode the terminal holds a line back until Enter.
  stdin.setRawMode?.(true);
  stdin.on("data", dropped);
  try {
    await promise;
  } finally {
    stdin.off("data", dropped);
    stdin.setRawMode?.(false);
  }
}

/** What Ctrl-C sends in raw mode. */
const interruptKey = "\x03";

function cancelled(): CliError {
  return new CliError("Cancelled.", { code: "cancelled" });
}

/** Whether the user cancelled a question. */
export function isCancelled(error: unknown): boolean {
  return error instanceof CliError && error.problem.code === "cancelled";
}

function streams(io: Io) {
  return { input: io.stdin, output: io.stdout };
}

/** Clack returns a symbol for Ctrl-C and Escape. */
function answer<T>(given: unknown): T {
  if (typeof given === "symbol") throw cancelled();
  return given as T;
}
