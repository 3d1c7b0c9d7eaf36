/** A WebSocket whose frames a test awaits one by one. */
export class SocketClient implements AsyncDisposable {
  private readonly frames: Record<string, unknown>[] = [];
  private readonly waiting: PromiseWithResolvers<Record<string, unknown>>[] = [];
  /** Resolves when the connection has closed. */
  readonly closed: Promise<{ code: number; reason: string }>;

  private constructor(private readonly socket: WebSocket) {
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(String(data)) as Record<string, unknown>;
      const waiter = this.waiting.shift();
      if (waiter) waiter.resolve(frame);
      else this.frames.push(frame);
    };
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason }) => {
        for (const waiter of this.waiting) waiter.reject(new Error(`closed with ${code} ${reason}`));
        resolve({ code, reason });
      };
    });
  }

  /** Connects with a key, or with other headers. */
  static async open(url: string, key: string | null, others: Record<string, string> = {}): Promise<SocketClient> {
    const socket = connect(url, key, others);
    const client = new SocketClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error(`${url} was refused`));
    });
    return client;
  }

  /** The status with which a handshake is refused. */
  static async refusal(url: string, key: string): Promise<number> {
    const response = await fetch(url.replace(/^ws/, "http"), {
      headers: {
        authorization: `Bearer ${key}`,
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
      },
    });
    return response.status;
  }

  /** The next frame, parsed. */
  next(): Promise<Record<string, unknown>> {
    const frame = this.frames.shift();
    if (frame) return Promise.resolve(frame);
    const waiter = Promise.withResolvers<Record<string, unknown>>();
    this.waiting.push(waiter);
    return waiter.promise;
  }

  send(frame: string | Uint8Array): void {
    this.socket.send(frame as string);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

function connect(url: string, key: string | null, others: Record<string, string>): WebSocket {
  const headers: Record<string, string> = { ...others, ...(key === null ? {} : { authorization: `Bearer ${key}` }) };
  // Bun's WebSocket takes headers; the browsers' does not, so the type lacks them.
  return new WebSocket(url, { headers } as unknown as string[]);
}
