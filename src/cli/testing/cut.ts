/** A connection to a server that breaks: the request arrives, its answer does not. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class BrokenLine {
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  /** Opens a proxy to `url` that loses its first `losses` answers. */
  static async to(url: string, losses: number): Promise<BrokenLine> {
    let left = losses;
    const server = createServer((near) => {
      const far = connect(Number(new URL(url).port), "127.0.0.1");
      const hangUp = () => void [near, far].map((socket) => socket.destroy());
      for (const socket of [near, far]) {
        line.sockets.add(socket);
        socket.on("error", hangUp).on("close", hangUp);
      }
      near.pipe(far);
      far.on("data", (chunk) => {
        if (left > 0) hangUp();
        else near.write(chunk);
        left--;
      });
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const line = new BrokenLine(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return line;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
