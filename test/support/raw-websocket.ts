import { connect, type Socket } from "node:net";
import { until, within } from "./until.ts";

/** Opcodes of RFC 6455 5.2. */
export const opcode = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawFrame {
  opcode: number;
  payload: Buffer;
}

/** A WebSocket client that does nothing automatically: it does not answer pings, and it can stop reading. */
export class RawWebSocket implements AsyncDisposable {
  /** Every frame so far. */
  readonly frames: RawFrame[] = [];
  /** Resolves when the connection has ended, from either side. */
  readonly ended: Promise<void>;
  private rest: Buffer = Buffer.alloc(0);
  private wake = () => {};

  private constructor(private readonly socket: Socket) {
    this.ended = new Promise((resolve) => socket.on("close", () => resolve()));
  }

  /** Connects and does the handshake; rejects with the answer if it does not open a WebSocket. */
  static async open(httpUrl: string, agent: string, headers: Record<string, string>): Promise<RawWebSocket> {
    const { hostname, port, host } = new URL(httpUrl);
    const socket = connect(Number(port), hostname);
    const client = new RawWebSocket(socket);
    socket.on("error", () => {});
    const opened = new Promise<void>((resolve, reject) => {
      socket.on("data", (data: Buffer) => {
        client.rest = Buffer.concat([client.rest, data]);
        if (client.rest.indexOf("\r\n\r\n") < 0) return;
        const end = client.rest.indexOf("\r\n\r\n") + 4;
        const head = client.rest.toString("latin1", 0, end);
        if (!head.startsWith("HTTP/1.1 101")) return reject(new Error(head));
        client.rest = client.rest.subarray(end);
        socket.removeAllListeners("data").on("data", (more: Buffer) => client.take(more));
        client.take(Buffer.alloc(0));
        resolve();
      });
      socket.on("close", () => reject(new Error("closed before the handshake was done")));
    });
    socket.write(
      [
        `GET /api/v1/agents/${agent}/ws HTTP/1.1`,
        `Host: ${host}`,
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "\r\n",
      ].join("\r\n"),
    );
    await opened;
    return client;
  }

  /** Stops reading, so that the server's bytes fill the network buffers and then wait at the server. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** The text frames so far, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads the shape that it expects, and fails if it differs.
  texts(): any[] {
    return this.frames.filter((frame) => frame.opcode === opcode.text).map(({ payload }) => JSON.parse(`${payload}`));
  }

  /** Resolves with the first frame of this kind, starting at frame `from`. */
  async until(kind: number, from = 0): Promise<RawFrame> {
    for (;;) {
      const found = this.frames.slice(from).find((frame) => frame.opcode === kind);
      if (found) return found;
      await this.more();
    }
  }

  /** Resolves when `count` text frames have arrived. */
  async reached(count: number): Promise<void> {
    while (this.texts().length < count) await this.more();
  }

  /** Resolves with the server's code and reason when its close frame has arrived. */
  async closed(): Promise<{ code: number; reason: string }> {
    const { payload } = await this.until(opcode.close);
    return { code: payload.readUInt16BE(0), reason: payload.toString("utf8", 2) };
  }

  /** Sends frames at once, each with a mask of zero (RFC 6455 5.3). */
  send(kind: number, ...payloads: string[]): void {
    this.socket.write(
      Buffer.concat(
        payloads.map((payload) => {
          const bytes = Buffer.from(payload);
          if (bytes.length > 125) throw new Error("longer frames are not built");
          return Buffer.concat([Buffer.from([0x80 | kind, 0x80 | bytes.length, 0, 0, 0, 0]), bytes]);
        }),
      ),
    );
  }

  /** Resolves when everything sent has left this process. */
  async sent(): Promise<void> {
    await until("all is sent", () => this.socket.writableLength === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.ended;
  }

  private more(): Promise<void> {
    const more = new Promise<void>((resolve, reject) => {
      this.wake = resolve;
      void this.ended.then(() => reject(new Error("the connection is gone")));
    });
    return within(more, () => `more than ${this.frames.length} frames`);
  }

  private take(data: Buffer): void {
    this.rest = Buffer.concat([this.rest, data]);
    for (let frame = this.first(); frame; frame = this.first()) this.frames.push(frame);
    this.wake();
  }

  /** Removes the first complete frame from the received bytes; a server's frames are not masked. */
  private first(): RawFrame | null {
    const { rest } = this;
    if (rest.length < 2) return null;
    const short = rest.readUInt8(1);
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.length < start) return null;
    const size = short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    if (rest.length < start + size) return null;
    this.rest = rest.subarray(start + size);
    return { opcode: rest.readUInt8(0) & 0x0f, payload: rest.subarray(start, start + size) };
  }
}
