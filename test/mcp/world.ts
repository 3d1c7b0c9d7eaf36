import { join } from "node:path";
import { type CallToolResult, Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { type LogFields, silentLog } from "../../src/util/log.ts";
import { deliver } from "../smtp/smtp-client.ts";
import { type ApiAnswer, startTestApp } from "../support/app.ts";
import { binaryPath, runBinary, startBinary } from "../support/binary.ts";
import { tempDir } from "../support/temp.ts";

/** Protocol of the client: `legacy` begins with initialize, `auto` finds the stateless one of 2026. */
export type Era = "legacy" | "auto";

/** A server that models talk to. */
export interface McpServer extends AsyncDisposable {
  readonly url: string;
  /** An account's key. */
  readonly key: string;
  deliver(to: string, message: string | Uint8Array): Promise<void>;
  /** Watches the next wait for mail, where the server runs in this process. */
  nextWait?(): Wait;
}

export interface Wait {
  /** When the server has begun to wait. */
  begun: Promise<void>;
  /** What its log says of the request, once it has ended. */
  ended: Promise<LogFields>;
}

/** What a call answered; the client has held structured content to the tool's output schema by then. */
export interface Answer {
  isError: boolean;
  text: string;
  content: CallToolResult["content"];
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever shape it expects and fails when it is another.
  is: any;
}

/** What the cases of one suite share: a server, and clients of it. */
export interface McpSuite {
  readonly server: McpServer;
  /** With an account's key. */
  readonly owner: Client;
  /** Whether a client takes a call back by leaving. */
  readonly leaves: boolean;
  api(method: string, path: string, body?: unknown): Promise<ApiAnswer>;
  /** Registers an agent and returns its address. */
  newAgent(settings?: object): Promise<string>;
  /** A client with a key of this agent only. */
  clientOf(agent: string): Promise<Client>;
  call(client: Client, tool: string, given?: object, signal?: AbortSignal): Promise<Answer>;
  /** A small message to the agent; returns its id. */
  receive(to: string, subject: string, lines?: string[]): Promise<string>;
}

export const outside = "ann@client.example";
export const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

/** The text outside all fences: the tools' own words. */
export function unfenced(text: string): string {
  return text.replace(/<(untrusted-[0-9a-f]+)>[\s\S]*?<\/\1>/g, "");
}

/** Calls a tool with the official client. */
export async function callTool(client: Client, tool: string, given: object, signal?: AbortSignal): Promise<Answer> {
  const result = await client.callTool({ name: tool, arguments: { ...given } }, signal ? { signal } : {});
  const [first] = result.content;
  const text = first?.type === "text" ? first.text : "";
  return { isError: result.isError === true, text, content: result.content, is: result.structuredContent };
}

/** Connects the official client with a key. */
export type Connect = (server: Pick<McpServer, "url">, key: string, era: Era) => Promise<Client>;

function newClient(era: Era): Client {
  return new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: era } });
}

export const connectHttp: Connect = async ({ url }, key, era) => {
  const client = newClient(era);
  const requestInit = { headers: { authorization: `Bearer ${key}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit }));
  return client;
};

/** By the compiled `e2a mcp`. */
export const connectStdio: Connect = async ({ url }, key, era) => {
  const client = newClient(era);
  const env = { PATH: process.env.PATH ?? "", HOME: "/nonexistent", E2A_URL: url, E2A_API_KEY: key };
  await client.connect(new StdioClientTransport({ command: binaryPath(), args: ["mcp"], env, stderr: "inherit" }));
  return client;
};

/** The application itself, on SQLite. */
export async function startMcpApp(): Promise<McpServer> {
  let begin = () => {};
  let end: (fields: LogFields) => void = () => {};
  const info = (event: string, fields: LogFields = {}) => {
    if (event === "http.request" && String(fields.path).endsWith("/messages/wait")) end(fields);
  };
  const it = await startTestApp({
    set: { "limits.api_requests_per_minute": 100_000 },
    seams: { log: { ...silentLog, info } },
  });
  const { store } = it.app;
  const { listMessages } = store;
  store.listMessages = (...asked) => {
    begin();
    return listMessages(...asked);
  };
  return {
    url: it.app.httpUrl,
    key: it.key,
    deliver: (to, message) => handOver(it.app.smtp.port, to, message),
    nextWait: () => ({
      begun: new Promise((resolve) => {
        begin = resolve;
      }),
      ended: new Promise((resolve) => {
        end = resolve;
      }),
    }),
    [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
  };
}

/** The compiled binary. */
export async function startMcpBinary(): Promise<McpServer> {
  const dir = await tempDir();
  const env = {
    HOME: dir.path,
    E2A_DATA_DIR: join(dir.path, "data"),
    E2A_SMTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_HTTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_DNS_SERVERS: "127.0.0.1:1",
    E2A_LIMITS_API_REQUESTS_PER_MINUTE: "100000",
    E2A_LOG_LEVEL: "error",
  };
  const { stdout } = await runBinary(["bootstrap", "--email", "you@example.com"], env);
  const server = await startBinary(env);
  return {
    url: server.ready.http,
    key: stdout.match(/e2a_[0-9a-f]{64}/)?.[0] ?? "",
    deliver: (to, message) => handOver(server.smtpPort, to, message),
    async [Symbol.asyncDispose]() {
      await server.stop();
      await dir[Symbol.asyncDispose]();
    },
  };
}

async function handOver(port: number, to: string, message: string | Uint8Array): Promise<void> {
  const reply = await deliver(port, { to, message });
  if (reply.code !== 250) throw new Error(`${to}: ${reply.lines.join(" ")}`);
}
