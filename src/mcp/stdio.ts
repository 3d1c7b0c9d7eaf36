import type { Readable, Writable } from "node:stream";
import { StdioServerTransport, serveStdio } from "@modelcontextprotocol/server/stdio";
import type { Api } from "./api.ts";
import { createMcpServer, type McpOptions } from "./server.ts";

/** Room for a mail of 25 MiB in base64, with its JSON. */
const MESSAGE_BYTES_MAX = 40 * 1024 * 1024;

export interface StdioOptions extends McpOptions {
  stdin: Readable;
  stdout: Writable;
  /** Ends the conversation, as does the end of `stdin`. */
  signal: AbortSignal;
}

/** Speaks MCP with the client on these streams, until either side ends it. */
export async function answerStdio(api: Api, { stdin, stdout, signal, ...options }: StdioOptions): Promise<void> {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const handle = serveStdio(() => createMcpServer(api, options), {
    transport: new StdioServerTransport(stdin, stdout, { maxBufferSize: MESSAGE_BYTES_MAX }),
    maxSubscriptions: 0,
  });
  for (const event of ["end", "close", "error"]) stdin.once(event, () => end());
  stdout.once("error", () => end());
  signal.addEventListener("abort", () => end(), { once: true });
  await ended;
  await handle.close();
}
