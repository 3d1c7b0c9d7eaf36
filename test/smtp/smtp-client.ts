/** A scripted SMTP client for tests: it sends exactly what it is told, in the given pieces, and checks the replies. */
import { connect as connectTcp, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

/** One reply, all its lines (RFC 5321 4.2.1). */
export interface SmtpReply {
  code: number;
  /** As received, without CRLF. */
  lines: string[];
}

export class SmtpClient {
  private readonly replies: SmtpReply[] = [];
  private readonly waiting: { resolve: (reply: SmtpReply) => void; reject: (error: Error) => void }[] = [];
  private readonly log: string[] = [];
  private partial = "";
  private lines: string[] = [];
  private ended = false;
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<void>;
  private markClosed!: () => void;

  private constructor(private socket: Socket) {
    this.closed = new Promise((resolve) => {
      this.markClosed = resolve;
    });
    this.listen(socket);
  }

  /** Connects; `first` is sent at once, before the greeting (a PROXY header, an early talker). */
  static async connect(port: number, options: { host?: string; first?: string } = {}): Promise<SmtpClient> {
    const socket = connectTcp(port, options.host ?? "127.0.0.1");
    socket.setNoDelay(true);
    const client = new SmtpClient(socket);
    if (options.first !== undefined) client.send(options.first);
    await new Promise<void>((resolve, reject) => socket.once("connect", () => resolve()).once("error", reject));
    return client;
  }

  /** Sends text or bytes unchanged, without waiting. */
  send(bytes: string | Uint8Array): void {
    this.log.push(`C ${JSON.stringify(typeof bytes === "string" ? bytes.slice(0, 200) : `${bytes.length} bytes`)}`);
    this.socket.write(bytes);
  }

  /** Sends, and resolves when the bytes have left the process: for more than memory should hold. */
  async sendSlowly(bytes: Uint8Array): Promise<void> {
    const { socket } = this;
    if (socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const go = () => {
        socket.off("drain", go);
        socket.off("close", go);
        resolve();
      };
      socket.on("drain", go);
      socket.on("close", go);
    });
  }

  /** The next reply. Rejects, with the dialogue so far, if the connection ends first. */
  reply(): Promise<SmtpReply> {
    const ready = this.replies.shift();
    if (ready) return Promise.resolve(ready);
    if (this.ended) return Promise.reject(this.problem("the connection is closed"));
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** Sends one command line and returns its reply. */
  command(line: string): Promise<SmtpReply> {
    this.send(`${line}\r\n`);
    return this.reply();
  }

  /**
   * Plays a transcript: `> line` sends the line with CRLF, `< text` takes the next reply, one line of which must start
   * with the text. Indentation and empty lines are ignored. Several `>` in a row are sent in one packet.
   */
  async play(script: string): Promise<void> {
    let unsent = "";
    for (const line of script.split("\n").map((text) => text.trimStart())) {
      if (line.startsWith(">")) unsent += `${line.slice(2)}\r\n`;
      else if (line.startsWith("<")) {
        if (unsent !== "") this.send(unsent);
        unsent = "";
        await this.expect(line.slice(2).trimEnd());
      } else if (line !== "") throw new Error(`A transcript line starts with > or <: ${line}`);
    }
    if (unsent !== "") this.send(unsent);
  }

  /** Takes the next reply and checks that one of its lines starts with `text`. */
  async expect(text: string): Promise<SmtpReply> {
    const reply = await this.reply();
    if (!reply.lines.some((line) => line.startsWith(text)))
      throw this.problem(`expected ${JSON.stringify(text)}, got ${JSON.stringify(reply.lines)}`);
    return reply;
  }

  /** STARTTLS and the handshake; certificates are not checked. `behind` is sent in plain text in the same packet. */
  async startTls(
    options: ConnectionOptions = {},
    behind = "",
  ): Promise<{ version: string; cipher: string; subject: string }> {
    this.send(`STARTTLS\r\n${behind}`);
    await this.expect("220 2.0.0");
    this.socket.removeAllListeners("data");
    const secure = connectTls({ socket: this.socket, rejectUnauthorized: false, ...options });
    await new Promise<void>((resolve, reject) => secure.once("secureConnect", () => resolve()).once("error", reject));
    this.socket = secure;
    this.listen(secure);
    return {
      version: secure.getProtocol() ?? "",
      cipher: secure.getCipher().name,
      subject: [secure.getPeerCertificate().subject.CN].flat().join(),
    };
  }

  /** Sends DATA, the message with dots stuffed (RFC 5321 4.5.2) and the final dot; returns the reply to it. */
  async data(message: string | Uint8Array): Promise<SmtpReply> {
    this.send("DATA\r\n");
    await this.expect("354");
    // One character per byte, so that binary mail arrives unchanged.
    const text = Buffer.from(message as string).toString("latin1");
    const stuffed = `${text.replace(/^\./gm, "..")}${text.endsWith("\r\n") ? "" : "\r\n"}.\r\n`;
    this.send(Buffer.from(stuffed, "latin1"));
    return this.reply();
  }

  /** Closes the connection without QUIT. */
  destroy(): void {
    this.socket.destroy();
  }

  private listen(socket: Socket): void {
    socket.on("data", (chunk) => this.take(chunk.toString()));
    socket.on("error", () => this.end());
    socket.on("close", () => this.end());
  }

  private take(text: string): void {
    const lines = (this.partial + text).split("\r\n");
    this.partial = lines.pop() ?? "";
    for (const line of lines) {
      this.log.push(`S ${line}`);
      this.lines.push(line);
      if (/^\d{3}-/.test(line)) continue;
      const reply = { code: Number(line.slice(0, 3)), lines: this.lines };
      this.lines = [];
      const waiter = this.waiting.shift();
      if (waiter) waiter.resolve(reply);
      else this.replies.push(reply);
    }
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.markClosed();
    for (const waiter of this.waiting.splice(0)) waiter.reject(this.problem("the connection closed"));
  }

  private problem(what: string): Error {
    return new Error(`${what}\n${this.log.slice(-20).join("\n")}`);
  }
}

export interface OneMessage {
  from?: string;
  to: string | string[];
  message: string | Uint8Array;
  helo?: string;
  tls?: boolean;
  /** A PROXY header line, CRLF included. */
  proxy?: string;
}

/** Delivers one message over its own connection and returns the last reply: to DATA, or to a refused command. */
export async function deliver(port: number, mail: OneMessage): Promise<SmtpReply> {
  const client = await SmtpClient.connect(port, { first: mail.proxy });
  try {
    const greeting = await client.reply();
    if (greeting.code !== 220) return greeting;
    await client.command(`EHLO ${mail.helo ?? "client.example"}`);
    if (mail.tls) {
      await client.startTls();
      await client.command(`EHLO ${mail.helo ?? "client.example"}`);
    }
    for (const line of [
      `MAIL FROM:<${mail.from ?? "sender@client.example"}>`,
      ...[mail.to].flat().map((to) => `RCPT TO:<${to}>`),
    ]) {
      const reply = await client.command(line);
      if (reply.code !== 250) return reply;
    }
    const reply = await client.data(mail.message);
    await client.command("QUIT");
    return reply;
  } finally {
    client.destroy();
  }
}
