/** Uses of connections that are cheap for the client and expensive for the server, as data: one row per attack. */
import { connect, type Socket } from "node:net";

/** The server under attack, as seen by a client with a key. */
export interface Target {
  readonly httpUrl: string;
  readonly key: string;
  /** The address of an agent that belongs to the key. */
  readonly agent: string;
}

export interface HostileConnections {
  /** The attack, in a few words. */
  readonly name: string;
  /** Makes the connections; when all have ended, resolves with the status codes of the answers. */
  run(target: Target): Promise<number[]>;
  /** The acceptable answers. */
  readonly answers: readonly number[];
}

const mebibyte = 1024 * 1024;

function head(target: Target, method: string, path: string, fields: readonly string[] = []): string {
  const { host } = new URL(target.httpUrl);
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, `Authorization: Bearer ${target.key}`, ...fields];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** Connects and writes; resolves with the socket once it is connected. */
function open(target: Target, text: string | Uint8Array): Promise<Socket> {
  const { hostname, port } = new URL(target.httpUrl);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ""), () => {
      socket.removeListener("error", reject).on("error", () => socket.destroy());
      resolve(socket);
    });
    socket.on("error", reject);
    socket.write(text);
  });
}

/** The length of a status line through its code; a chunk may end anywhere inside it. */
const statusLineChars = "HTTP/1.1 200 ".length;

/** The status codes of `count` answers on a connection, or of fewer if it ends before. */
async function statuses(socket: Socket, count: number): Promise<number[]> {
  const found: number[] = [];
  let rest = "";
  const take = (chunk: Buffer) => {
    const text = rest + chunk.toString("latin1");
    let end = Math.max(0, text.length - statusLineChars + 1);
    for (const match of text.matchAll(/HTTP\/1\.1 (\d{3}) /g)) {
      found.push(Number(match[1]));
      end = Math.max(end, match.index + statusLineChars);
    }
    rest = text.slice(end);
  };
  // A server that refuses a body resets the connection while the rest is still arriving.
  await new Promise<void>((resolve) => {
    socket.on("error", () => resolve()).on("close", () => resolve());
    socket.on("data", (chunk: Buffer) => {
      take(chunk);
      if (found.length >= count) resolve();
    });
  });
  return found;
}

/** Sends many pipelined requests in one segment (RFC 9112 9.3.2). */
async function pipelined(target: Target, path: string, count: number): Promise<number[]> {
  const socket = await open(target, head(target, "GET", path).repeat(count));
  try {
    return await statuses(socket, count);
  } finally {
    socket.destroy();
  }
}

/** Sends a body in chunks of one byte (RFC 9112 7.1). */
async function tinyChunks(target: Target, count: number): Promise<number[]> {
  const fields = ["Content-Type: application/json", "Transfer-Encoding: chunked"];
  const socket = await open(target, head(target, "POST", "/api/v1/send", fields));
  const answered = statuses(socket, 1);
  const start = Buffer.from('1\r\n{\r\n1\r\n"\r\n');
  const piece = Buffer.alloc(6 * 10_000, "1\r\na\r\n");
  socket.write(start);
  for (let sent = 0; sent < count && !socket.destroyed; sent += 10_000)
    if (!socket.write(piece))
      await new Promise<void>((resolve) => socket.once("drain", resolve).once("close", resolve));
    else await new Promise(setImmediate);
  socket.write('1\r\n"\r\n1\r\n:\r\n1\r\n0\r\n1\r\n}\r\n0\r\n\r\n');
  const found = await answered;
  socket.destroy();
  return found;
}

/** Starts long polls and aborts them at once, one after the other for each of many clients. */
async function abortedPolls(target: Target, clients: number, times: number, path: string): Promise<number[]> {
  const poll = head(target, "GET", path.replaceAll("{agent}", target.agent));
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let i = 0; i < times; i++) {
        const socket = await open(target, poll);
        await Bun.sleep(5);
        socket.destroy();
      }
    }),
  );
  return [];
}

/** Clients that request a large answer, and read it as slowly as a slow connection. */
async function slowReaders(target: Target, clients: number, path: string): Promise<number[]> {
  const found = await Promise.all(
    Array.from({ length: clients }, async () => {
      const socket = await open(target, head(target, "GET", path, ["Connection: close"]));
      const first = await new Promise<string>((resolve) => {
        socket.once("data", (data) => resolve(data.toString("latin1"))).once("close", () => resolve(""));
      });
      socket.pause();
      await Bun.sleep(1_000);
      socket.destroy();
      return Number(first.split(" ")[1]);
    }),
  );
  return found;
}

/** Puts a message of this size into the agent's own inbox; resolves with its id. */
async function largeMessage(target: Target, bytes: number): Promise<string> {
  const headers = { authorization: `Bearer ${target.key}`, "content-type": "application/json" };
  const data = Buffer.alloc(bytes, "e2a attachment ").toString("base64");
  const sent = await fetch(`${target.httpUrl}/api/v1/send`, {
    method: "POST",
    headers,
    body: JSON.stringify({
      ...{ from: target.agent, to: [target.agent], subject: "large", body: "b" },
      attachments: [{ filename: "a.bin", data }],
    }),
  });
  await sent.arrayBuffer();
  const list = await fetch(
    `${target.httpUrl}/api/v1/agents/${target.agent}/messages?status=all&sort=desc&page_size=1`,
    { headers },
  );
  const { messages } = (await list.json()) as { messages: { message_id: string }[] };
  return messages[0]?.message_id ?? "";
}

const largeBytes = 17 * mebibyte;

export const hostileConnections: readonly HostileConnections[] = [
  {
    name: "2,000 pipelined lists",
    run: (target) => pipelined(target, `/api/v1/agents/${target.agent}/messages?status=all`, 2_000),
    answers: [200, 503],
  },
  {
    name: "2,000 pipelined questions after health",
    run: (target) => pipelined(target, "/api/health", 2_000),
    answers: [200, 503],
  },
  { name: "2 million chunks of one byte", run: (target) => tinyChunks(target, 2_000_000), answers: [400, 413] },
  {
    name: "200 connections of 10 abandoned long polls for mail",
    run: (target) => abortedPolls(target, 200, 10, "/api/v1/agents/{agent}/messages/wait?timeout=60"),
    answers: [],
  },
  {
    name: "200 connections of 10 abandoned long polls for events",
    run: (target) => abortedPolls(target, 200, 10, "/api/v1/events?wait=60&types=domain.verified"),
    answers: [],
  },
  {
    name: "40 slow readers of a message of 24 MB",
    run: async (target) =>
      slowReaders(target, 40, `/api/v1/agents/${target.agent}/messages/${await largeMessage(target, largeBytes)}`),
    answers: [200, 503],
  },
  {
    name: "40 slow downloads of a message of 24 MB",
    run: async (target) =>
      slowReaders(target, 40, `/api/v1/agents/${target.agent}/messages/${await largeMessage(target, largeBytes)}/raw`),
    answers: [200, 503],
  },
  {
    name: "40 slow downloads of an attachment of 17 MB",
    run: async (target) =>
      slowReaders(
        target,
        40,
        `/api/v1/agents/${target.agent}/messages/${await largeMessage(target, largeBytes)}/attachments/0`,
      ),
    answers: [200, 503],
  },
  {
    name: "a call of a tool with 38 MB by the Model Context Protocol",
    run: async ({ httpUrl, key }) => {
      const call = { name: "nothing", arguments: { text: "x".repeat(38 * mebibyte) } };
      const answer = await fetch(`${httpUrl}/mcp`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${key}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: call }),
      });
      await answer.arrayBuffer();
      return [answer.status];
    },
    answers: [413],
  },
];
