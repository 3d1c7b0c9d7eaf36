import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { version } from "../../package.json" with { type: "json" };

/** The compiled binary under test; `npm test` and `bun run test` build it first. */
export function binaryPath(): string {
  const path = join(import.meta.dir, "../../dist", process.platform === "win32" ? "e2a.exe" : "e2a");
  if (!existsSync(path)) throw new Error(`There is no binary at dist/ (e2a ${version}); build it with: bun run build`);
  return path;
}

export interface ServeProcess extends AsyncDisposable {
  /** The line that `serve` writes to a pipe when it is ready. */
  readonly ready: { http: string; smtp: string; sign_in: string; data_dir: string };
  readonly smtpPort: number;
  /** Sends SIGKILL. */
  kill(): Promise<void>;
  /** Sends SIGTERM; resolves with the exit code. */
  stop(): Promise<number>;
  readonly process: Bun.Subprocess<"ignore", "pipe", "pipe">;
}

/** Starts `e2a serve` from the compiled binary with these E2A_* variables; resolves when it is ready. */
export async function startBinary(
  env: Record<string, string>,
  program: string | string[] = binaryPath(),
): Promise<ServeProcess> {
  const child = Bun.spawn([...[program].flat(), "serve"], {
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...env },
    // A folder without config.yaml.
    cwd: import.meta.dir,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const errors = new Response(child.stderr).text();
  const line = await firstLine(child.stdout);
  if (line === null) throw new Error(`e2a serve ended before it was ready:\n${await errors}`);
  const ready = JSON.parse(line) as ServeProcess["ready"];
  const kill = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return {
    ready,
    smtpPort: Number(ready.smtp.split(":").at(-1)),
    process: child,
    kill,
    async stop() {
      child.kill("SIGTERM");
      return await child.exited;
    },
    [Symbol.asyncDispose]: kill,
  };
}

/** Runs one command of the compiled binary until it exits. */
export async function runBinary(
  args: string[],
  env: Record<string, string>,
  binary = binaryPath(),
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = Bun.spawn([binary, ...args], {
    env: { PATH: process.env.PATH ?? "", HOME: env.HOME ?? "/nonexistent", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/** A port that was free a moment ago, for a server that must restart on the same port. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string | null> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return null;
    text += decoder.decode(value, { stream: true });
    const end = text.indexOf("\n");
    if (end >= 0) {
      reader.releaseLock();
      return text.slice(0, end);
    }
  }
}
