/** `e2a mcp`: the server's tools for a model, on standard input and output. */
import { Command } from "commander";
import { version } from "../../util/version.ts";
import { noKey } from "../connect/connect.ts";
import { agentOption, openSession } from "../connect/session.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import { painter, plain } from "../terminal/output.ts";

/** Waiting for mail takes up to 50 s; a large mail over a slow line takes longer. */
const ANSWER_TIMEOUT_MS = 180_000;

export function mcpCommand(io: Io): Command {
  const command = new Command("mcp")
    .summary("tools for a model, by the Model Context Protocol")
    .description(
      "Gives the program that starts it tools to read and send mail, by the Model Context Protocol on standard input and output. Programs that talk to models start it by themselves: docs/mcp.md says what to write into their settings. Set E2A_URL and E2A_API_KEY there. A key of one agent sees that agent's mail only; make one with `e2a keys create`.\n\nPrograms that can reach the server by HTTP can use its /mcp instead.",
    )
    .addOption(agentOption())
    .action(async (_flags: unknown, command: Command) => {
      const { settings } = await openSession(io, command);
      const { url, api_key: key, agent } = settings;
      if (key.value === null)
        throw noKey(settings, "Set E2A_API_KEY where this command is configured; `e2a keys create` makes a key.");
      await serve(io, { url: url.value ?? "", key: key.value, agent: agent.value });
    });
  return example(command, ["e2a mcp", "e2a mcp --agent my-bot@e2a.localhost"]);
}

async function serve(io: Io, { url, key, agent }: { url: string; key: string; agent: string | null }): Promise<void> {
  // Loaded with the protocol's library only here; no other command needs it.
  const [{ answerStdio }, { remoteApi }, { textReader }] = await Promise.all([
    import("../../mcp/stdio.ts"),
    import("../../mcp/remote.ts"),
    import("../../mcp/body.ts"),
  ]);
  const say = (text: string) => void io.stderr.write(`${painter(io.colour.stderr)("dim", plain(text))}\n`);
  const interrupt = new AbortController();
  const release = io.onInterrupt(() => interrupt.abort());
  if (io.stdin.isTTY) say("This speaks the Model Context Protocol: a program starts it, not a person. Ctrl-C ends it.");
  try {
    await answerStdio(remoteApi({ url, key, agent, userAgent: `e2a-mcp/${version}`, timeoutMs: ANSWER_TIMEOUT_MS }), {
      stdin: io.stdin,
      stdout: io.stdout,
      signal: interrupt.signal,
      reader: textReader,
      onFault: (tool, error) => say(`${tool} failed: ${error instanceof Error ? error.message : String(error)}`),
    });
  } finally {
    release();
  }
}
