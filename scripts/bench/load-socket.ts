/** A TCP connection of a load, with minimal overhead. */
import type { Socket } from "bun";

export class LoadSocket {
  private socket!: Socket;
  private wake: (() => void) | null = null;
  private unsent: Buffer | null = null;
  private failed: Error | null = null;

  /** Connects to a loopback port; `take` gets the received data. */
  static async open(port: number, take: (data: Buffer) => void): Promise<LoadSocket> {
    const own = new LoadSocket();
    own.socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data(_socket, data) {
          take(data);
          own.wake?.();
        },
        drain: () => own.flush(),
        close: () => own.fail("the server closed the connection"),
        error: (_socket, error) => own.fail(error.message),
      },
    });
    own.socket.setNoDelay(true);
    return own;
  }

  write(bytes: Buffer): void {
    const written = this.socket.write(bytes);
    if (written < bytes.length) this.unsent = bytes.subarray(Math.max(0, written));
  }

  /** Resolves when more data has arrived; rejects when the connection is over. One caller at a time. */
  async more(): Promise<void> {
    if (this.failed) throw this.failed;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
    });
  }

  /** Sends `goodbye` and closes. */
  end(goodbye = ""): void {
    this.failed = new Error("closed");
    this.socket.end(goodbye);
  }

  private flush(): void {
    const bytes = this.unsent;
    this.unsent = null;
    if (bytes) this.write(bytes);
  }

  private fail(reason: string): void {
    this.failed ??= new Error(reason);
    this.wake?.();
  }
}
