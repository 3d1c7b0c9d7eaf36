/** One SMTP connection of the load. */
import { wallMs } from "./child.ts";
import { LoadSocket } from "./load-socket.ts";

/** The timeline of one message, by `wallMs`. */
export interface Sent {
  /** Just before the bytes with the final dot were written to the socket. */
  dotAt: number;
  /** When the 250 had arrived. */
  replyAt: number;
  /** The last word of the 250, in which some servers name the message. */
  queueId: string;
}

const finalDot = Buffer.from(".\r\n");

export class LoadConnection {
  private socket!: LoadSocket;
  private partial = "";
  private replies: string[] = [];

  /** Connects, waits for the greeting and sends EHLO. */
  static async open(port: number): Promise<LoadConnection> {
    const connection = new LoadConnection();
    connection.socket = await LoadSocket.open(port, (data) => connection.take(data.toString("latin1")));
    await connection.expect("220");
    connection.socket.write(Buffer.from("EHLO bounces.sender.example\r\n"));
    await connection.expect("250");
    return connection;
  }

  /**
   * Sends one message to one address or several, and waits for its 250. Rejects on any other reply.
   * @param pipelined Send MAIL, RCPT and DATA at once, as mail servers do (RFC 2920); else each after the previous
   * reply.
   */
  async send(from: string, to: string | readonly string[], message: Buffer, pipelined: boolean): Promise<Sent> {
    const recipients = [to].flat().map((address) => `RCPT TO:<${address}>\r\n`);
    const commands = [`MAIL FROM:<${from}>\r\n`, ...recipients, "DATA\r\n"];
    if (pipelined) this.socket.write(Buffer.from(commands.join("")));
    for (const command of commands) {
      if (!pipelined) this.socket.write(Buffer.from(command));
      await this.expect(command === "DATA\r\n" ? "354" : "250");
    }
    const bytes = Buffer.concat([message, finalDot]);
    const dotAt = wallMs();
    this.socket.write(bytes);
    const reply = await this.expect("250");
    return { dotAt, replyAt: wallMs(), queueId: reply.slice(reply.lastIndexOf(" ") + 1) };
  }

  close(): void {
    this.socket.end("QUIT\r\n");
  }

  private take(text: string): void {
    const lines = (this.partial + text).split("\r\n");
    this.partial = lines.pop() ?? "";
    // Only the last line of a reply has a space after its code (RFC 5321 4.2.1).
    for (const line of lines) if (line[3] === " ") this.replies.push(line);
  }

  private async expect(code: string): Promise<string> {
    while (this.replies.length === 0) await this.socket.more();
    const reply = this.replies.shift() as string;
    if (!reply.startsWith(code)) throw new Error(`expected ${code}, got: ${reply}`);
    return reply;
  }
}
