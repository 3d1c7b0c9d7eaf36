/** The target of outbound mail: an SMTP server that accepts, discards and counts everything. */
import { freePort } from "../../test/support/binary.ts";
import type { BareHandlers } from "./bare-smtp.child.ts";
import { within } from "./child.ts";
import type { Run } from "./run.ts";
import { LoadConnection } from "./smtp-connection.ts";

export interface MailSink {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** Messages accepted so far. */
  taken(): Promise<number>;
  /** Resolves when `count` messages have been accepted in total. */
  waitFor(count: number): Promise<unknown>;
}

/** More than any benchmark opens. */
const CONNECTIONS_MAX = 1_000;
const START_TIMEOUT_MS = 5_000;
const START_POLL_MS = 20;

/** Starts Postfix's smtp-sink, which costs the least, if it is installed; otherwise a bare smtp-server. */
export async function startMailSink(run: Run): Promise<MailSink> {
  // Debian installs it in a folder that is only on root's PATH.
  const program = Bun.which("smtp-sink", { PATH: `${process.env.PATH}:/usr/sbin` });
  return program ? startSmtpSink(program, run) : startBareSink(run);
}

async function startBareSink(run: Run): Promise<MailSink> {
  const child = run.child<BareHandlers>("bare-smtp.child.ts");
  return {
    name: "a bare smtp-server, as smtp-sink is not installed",
    pid: child.pid,
    port: await child.call("start", { greets: "at once" }),
    taken: () => child.call("taken", null),
    waitFor: (count: number) => child.call("waitFor", count),
  };
}

async function startSmtpSink(program: string, run: Run): Promise<MailSink> {
  const port = await freePort();
  // As root it insists on switching to another user.
  const user = process.getuid?.() === 0 ? ["-u", "nobody"] : [];
  const sink = Bun.spawn({
    cmd: [program, ...user, "-c", "-m", `${CONNECTIONS_MAX}`, `127.0.0.1:${port}`, `${CONNECTIONS_MAX}`],
    stdio: ["ignore", "pipe", "inherit"],
  });
  const kill = () => sink.kill("SIGKILL");
  process.once("exit", kill);
  run.defer(kill);

  let taken = 0;
  let waiting: { count: number; resolve: () => void }[] = [];
  void (async () => {
    let partial = "";
    const decoder = new TextDecoder();
    for await (const chunk of sink.stdout) {
      // It overwrites one line: "sess=1 quit=0 mesg=2\r".
      const counters = (partial + decoder.decode(chunk, { stream: true })).split("\r");
      partial = counters.pop() ?? "";
      taken = Number(/mesg=(\d+)/.exec(counters.at(-1) ?? "")?.[1] ?? taken);
      for (const { count, resolve } of waiting) if (taken >= count) resolve();
      waiting = waiting.filter(({ count }) => taken < count);
    }
  })();
  await within(START_TIMEOUT_MS, "the start of smtp-sink", greeting(port));
  return {
    name: "smtp-sink",
    pid: sink.pid,
    port,
    taken: async () => taken,
    waitFor: (count) =>
      new Promise<void>((resolve) => {
        if (taken >= count) resolve();
        else waiting.push({ count, resolve });
      }),
  };
}

async function greeting(port: number): Promise<void> {
  for (;;) {
    const connection = await LoadConnection.open(port).catch(() => null);
    if (connection) return connection.close();
    await Bun.sleep(START_POLL_MS);
  }
}
