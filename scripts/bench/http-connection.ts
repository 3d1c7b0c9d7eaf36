/** One HTTP keep-alive connection of the load, with one request at a time (RFC 9112). */
import { LoadSocket } from "./load-socket.ts";

export class HttpConnection {
  private socket!: LoadSocket;
  private received = "";

  static async open(port: number): Promise<HttpConnection> {
    const connection = new HttpConnection();
    connection.socket = await LoadSocket.open(port, (data) => {
      connection.received += data.toString("latin1");
    });
    return connection;
  }

  /** Sends a JSON body and waits for the whole answer, which must have a Content-Length. */
  async post(path: string, headers: readonly string[], json: string): Promise<{ status: number; body: string }> {
    const body = Buffer.from(json);
    const head = [
      `POST ${path} HTTP/1.1`,
      "Host: localhost",
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
      ...headers,
    ].join("\r\n");
    this.socket.write(Buffer.concat([Buffer.from(`${head}\r\n\r\n`), body]));
    let headEnd = this.received.indexOf("\r\n\r\n");
    while (headEnd < 0) {
      await this.socket.more();
      headEnd = this.received.indexOf("\r\n\r\n");
    }
    const length = /^content-length: *(\d+)/im.exec(this.received.slice(0, headEnd))?.[1];
    if (length === undefined) throw new Error(`an answer without a length: ${this.received.slice(0, headEnd)}`);
    const end = headEnd + 4 + Number(length);
    while (this.received.length < end) await this.socket.more();
    const answer = {
      status: Number(this.received.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length)),
      body: Buffer.from(this.received.slice(headEnd + 4, end), "latin1").toString(),
    };
    this.received = this.received.slice(end);
    return answer;
  }

  close(): void {
    this.socket.end();
  }
}
