import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

export interface RawServer extends Disposable {
  readonly port: number;
  /** Every connection so far, open or not. */
  readonly connections: Socket[];
  /** Resolves when `count` connections have been closed since the start. */
  closed(count: number): Promise<void>;
}

/** A TCP server on loopback with a test's own handler for received bytes. `using` closes it with all connections. */
export function serveRaw(
  onData: (socket: Socket, text: string) => void,
  host = "127.0.0.1",
  server: Server = createServer(),
  event: "connection" | "secureConnection" = "connection",
): Promise<RawServer> {
  const connections: Socket[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let closed = 0;
  const tell = () => {
    for (const one of waiting) if (closed >= one.count) one.resolve();
  };
  server.on(event, (socket: Socket) => {
    connections.push(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      closed++;
      tell();
    });
    socket.on("data", (data) => onData(socket, data.toString("utf8")));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, host, () =>
      resolve({
        port: (server.address() as AddressInfo).port,
        connections,
        closed: (count) =>
          new Promise((done) => {
            waiting.push({ count, resolve: done });
            tell();
          }),
        [Symbol.dispose]() {
          for (const socket of connections) socket.destroy();
          server.close();
        },
      }),
    );
  });
}
