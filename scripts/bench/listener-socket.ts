/** One agent's WebSocket of the load, with as little work and memory as possible around it (RFC 6455). */
import { wallMs } from "./child.ts";

/** A frame that announced a message. */
export interface Heard {
  /** The listener's index. */
  listener: number;
  messageId: string;
  /** When the whole frame had arrived, by `wallMs`. */
  at: number;
}

const opcodes = { text: 1, close: 8, ping: 9 } as const;
/** A pong without payload. Its mask is zero, because a client must mask (RFC 6455 5.3). */
const pong = Uint8Array.of(0x8a, 0x80, 0, 0, 0, 0);
const headEnd = Buffer.from("\r\n\r\n");

/** Received bytes that are not a whole frame yet; usually none. */
interface State {
  listener: number;
  upgraded: ((error?: Error) => void) | null;
  rest: Buffer | null;
}

export interface ListenerGroup {
  /** Connects the agent with this index; resolves when its WebSocket is open. */
  open(listener: number, agent: string): Promise<void>;
  /** How many sockets the server has closed. */
  closed(): number;
}

/** Makes connections to one server that pass each message to `hear`. */
export function createListeners(server: { port: number; key: string }, hear: (heard: Heard) => void): ListenerGroup {
  let closed = 0;
  const take = (state: State, data: Buffer): Buffer => {
    const bytes = state.rest ? Buffer.concat([state.rest, data]) : data;
    if (!state.upgraded) return bytes;
    const end = bytes.indexOf(headEnd);
    if (end < 0) return bytes;
    const head = bytes.toString("latin1", 0, end);
    state.upgraded(head.startsWith("HTTP/1.1 101") ? undefined : new Error(bytes.toString()));
    state.upgraded = null;
    return bytes.subarray(end + headEnd.length);
  };
  const socket = {
    data(connection: Bun.Socket<State>, data: Buffer) {
      const state = connection.data;
      let bytes = take(state, data);
      while (!state.upgraded) {
        const frame = firstFrame(bytes);
        if (!frame) break;
        if (frame.opcode === opcodes.ping) connection.write(pong);
        if (frame.opcode === opcodes.text) {
          const at = wallMs();
          const { message_id: messageId } = JSON.parse(frame.payload.toString()) as { message_id: string };
          hear({ listener: state.listener, messageId, at });
        }
        bytes = bytes.subarray(frame.length);
      }
      // Copy, because the runtime reuses the buffer.
      state.rest = bytes.length > 0 ? Buffer.from(bytes) : null;
    },
    close(connection: Bun.Socket<State>) {
      closed += 1;
      connection.data.upgraded?.(new Error("the server closed the connection"));
    },
    error(connection: Bun.Socket<State>, error: Error) {
      connection.data.upgraded?.(error);
    },
  };
  return {
    closed: () => closed,
    open: (listener, agent) =>
      new Promise((resolve, reject) => {
        const upgraded = (error?: Error) => (error ? reject(error) : resolve());
        const data: State = { listener, upgraded, rest: null };
        Bun.connect<State>({ hostname: "127.0.0.1", port: server.port, socket, data }).then(
          (connection) => connection.write(handshake(agent, server.key)),
          reject,
        );
      }),
  };
}

function handshake(agent: string, key: string): string {
  return [
    `GET /api/v1/agents/${encodeURIComponent(agent)}/ws HTTP/1.1`,
    "Host: localhost",
    `Authorization: Bearer ${key}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "",
    "",
  ].join("\r\n");
}

/** The first frame, or null if it is incomplete. A server's frames are not masked, and e2a's are not fragmented. */
function firstFrame(bytes: Buffer): { opcode: number; payload: Buffer; length: number } | null {
  if (bytes.length < 2) return null;
  const short = bytes.readUInt8(1) & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return null;
  const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < start + size) return null;
  return { opcode: bytes.readUInt8(0) & 0x0f, payload: bytes.subarray(start, start + size), length: start + size };
}
