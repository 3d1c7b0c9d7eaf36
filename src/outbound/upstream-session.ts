/** One connection to an upstream: set up, used for transactions, closed. Knows at every failure what was sent. */
import { isAscii } from "node:buffer";
import type { Socket } from "node:net";
import { Readable, type Transform, type Writable } from "node:stream";
import { createSecureContext, rootCertificates, type SecureContext, TLSSocket } from "node:tls";
import type { NodemailerError } from "nodemailer";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import { findBody } from "../message/headers.ts";
import type { UpstreamSettings } from "./upstream-settings.ts";
import { explainUnreachable, oneLine, type SetUpStep } from "./upstream-trouble.ts";

/** Texts are one line of at most 500 characters. */
export type SendOutcome =
  /** The 2yz reply after the final dot. */
  | { kind: "accepted"; reply: string }
  /** 4yz at any point, or the connection failed during the transaction before the final dot. */
  | { kind: "deferred"; reply: string }
  /**
   * 5yz at any point, or the server lacks SMTPUTF8 or accepts only smaller messages. `isOfSender`: to MAIL FROM, before
   * the server knew the recipient.
   */
  | { kind: "refused"; reply: string; isOfSender?: true }
  /** The final dot may have been sent, but no answer came: the message may have arrived. */
  | { kind: "unknown"; error: string }
  /** Shows nothing about this message: DNS, connect, TLS, greeting, sign-in failed. Names host:port, cause, remedy. */
  | { kind: "unreachable"; error: string };

/** `eight-bit`: nothing was sent, because the server takes 7-bit mail only (RFC 6152). */
export type EightBit = { kind: "eight-bit" };

/** `stale`: the connection was gone before the server said anything about this message, so another one can try. */
export type TransactionOutcome = SendOutcome | EightBit | { kind: "stale"; error: string };

/**
 * How far a transaction got. In `envelope`, no byte of the message has left; in `body`, the final dot has not, so the
 * server must not deliver (RFC 5321 4.1.1.4); from `dot` on, the server may have the whole message.
 */
type Phase = "envelope" | "body" | "dot";

/** Bytes of a message written at a time. */
const PIECE_BYTES = 64 * 1024;

/** The wait for the answer to QUIT, which nothing depends on. */
const QUIT_MS = 1_000;

export class UpstreamSession {
  /** Transactions so far. */
  transactions = 0;
  /** When it last became idle, by `performance.now()`. */
  idleSince = 0;
  /** Resolves when the connection is gone for any reason; never rejects. */
  readonly ended: Promise<void>;
  /** Null without TLS. */
  tlsVersion: string | null = null;
  isSignedIn = false;

  private connection: SMTPConnection | null = null;
  private fault: NodemailerError | null = null;
  /** Fails the step under way; nodemailer calls back only for some failures. */
  private giveUp: ((error: NodemailerError) => void) | null = null;
  private markEnded!: () => void;
  private extensions = { smtpUtf8: false, eightBit: false, maxBytes: 0 };
  private gone = false;
  private asksForUtf8 = false;

  constructor(private readonly settings: UpstreamSettings) {
    this.ended = new Promise((resolve) => {
      this.markEnded = resolve;
    });
  }

  get isAlive(): boolean {
    return !this.gone;
  }

  /** Connects, encrypts and signs in. Rejects with an Error whose message is for people; the session is then over. */
  async open(): Promise<void> {
    const { username, password } = this.settings;
    let step: SetUpStep = "connect";
    try {
      const connection = await this.prepare();
      await this.step((done) => connection.connect(done));
      this.readExtensions(connection.lastServerResponse || "");
      if (connection._socket instanceof TLSSocket) this.tlsVersion = connection._socket.getProtocol();
      if (username !== null && password !== null) {
        step = "sign-in";
        if (!connection.allowsAuth)
          throw new Explained(
            `${this.settings.name} offers no sign-in. Use its port for submission (587 or 465), or remove user name and password.`,
          );
        if (!connection.secure && this.settings.tls !== "off")
          throw new Explained(`${this.settings.name} is not encrypted, so the password is not sent.`);
        await this.step((done) => connection.login({ credentials: { user: username, pass: password } }, done));
        this.isSignedIn = true;
      }
    } catch (error) {
      this.destroy("it could not be set up");
      if (error instanceof Explained) throw error;
      if (this.connection?.stage === "connected" && this.connection.lastServerResponse === false) step = "greeting";
      // Without the cause: it holds the server's words, which may repeat the user name, and the log prints causes.
      throw new Error(explainUnreachable(error as NodemailerError, step, this.settings));
    }
  }

  /** Sends one message to one recipient (RFC 5321 3.3). One at a time. Never rejects. */
  send(envelope: { from: string; to: string }, raw: Uint8Array): Promise<TransactionOutcome> {
    const { connection, extensions } = this;
    if (connection === null || this.gone) return Promise.resolve({ kind: "stale", error: "The connection was closed" });
    const needsUtf8 = /[^\x00-\x7f]/.test(envelope.to + envelope.from) || !isAscii(headerOf(raw));
    if (!extensions.smtpUtf8 && needsUtf8)
      return Promise.resolve({
        kind: "refused",
        reply: `${this.settings.name} does not offer SMTPUTF8, which an address with other letters than ASCII needs`,
      });
    if (!extensions.eightBit && !extensions.smtpUtf8 && !isAscii(raw)) return Promise.resolve({ kind: "eight-bit" });
    if (extensions.maxBytes > 0 && raw.length > extensions.maxBytes)
      return Promise.resolve({
        kind: "refused",
        reply: `The message has ${raw.length} bytes; ${this.settings.name} takes ${extensions.maxBytes} at most`,
      });
    this.transactions++;
    return new Promise((resolve) => {
      let phase: Phase = "envelope";
      const finish = (error: NodemailerError | null, reply?: string) => {
        if (this.giveUp !== finish) return;
        this.giveUp = null;
        this.waitFor(this.settings.timeoutMs);
        const { outcome, isOdd } = judge(phase, error, reply ?? "", connection.lastServerResponse !== false);
        if (isOdd) this.destroy("it answered oddly");
        resolve(wantsSignIn(error) ? { kind: "unreachable", error: this.signInWanted() } : outcome);
      };
      this.giveUp = finish;
      connection.lastServerResponse = false;
      this.asksForUtf8 = needsUtf8;
      const message = new HeldMessage(raw, connection, {
        timeoutMs: this.settings.timeoutMs,
        reached: (now) => {
          phase = now;
          if (now === "dot") this.waitFor(this.settings.doneTimeoutMs);
        },
        stalled: () => this.destroy("the server stopped reading"),
      });
      connection.send(
        { from: envelope.from, to: envelope.to, size: raw.length, use8BitMime: !isAscii(raw) },
        message,
        (error, info) => finish(error, info?.response),
      );
    });
  }

  /** Sets how long the server may be silent. */
  private waitFor(ms: number): void {
    if (!this.gone) (this.connection?._socket as Socket | undefined)?.setTimeout(ms);
  }

  /** Prepares the connection for a message after one that was not accepted. Resolves when it is ready, or gone. */
  async reset(): Promise<void> {
    const { connection } = this;
    if (!connection || this.gone) return;
    await this.step((done) => connection.reset(done)).catch(() => this.destroy("RSET failed"));
  }

  /** Sends QUIT; resolves when the connection is gone, after a second at the latest. */
  async quit(): Promise<void> {
    if (!this.connection || this.gone) return this.destroy("it was not open yet");
    const timer = setTimeout(() => this.destroy("QUIT was not answered"), QUIT_MS);
    this.connection.quit();
    await this.ended;
    clearTimeout(timer);
  }

  /** Closes at once. A transaction under way ends with what is known at that point. */
  destroy(reason: string): void {
    this.fault ??= new Error(`The connection was closed here: ${reason}`);
    if (this.connection) this.connection.close();
    else this.end();
  }

  private async prepare(): Promise<SMTPConnection> {
    const { host, port, tls, ca, hostname, timeoutMs } = this.settings;
    // Loaded on demand: an idle server does without it.
    const { default: Connection } = await import("nodemailer/lib/smtp-connection");
    if (this.gone) throw this.fault ?? new Error("closed");
    const connection = new Connection({
      host,
      port,
      name: hostname,
      secure: tls === "implicit",
      requireTLS: tls === "starttls",
      ignoreTLS: tls === "off",
      tls: ca === null ? {} : { secureContext: trusting(ca, this.settings) },
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      dnsTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      // Destroys at once: either QUIT was answered by then, or no answer will come.
      socketCloseTimeout: 0,
      allowInternalNetworkInterfaces: tls === "off",
      logger: false,
    });
    connection.on("error", (error: NodemailerError) => {
      this.fault ??= error;
    });
    connection.on("end", () => this.end());
    // Nodemailer looks for other letters than ASCII in the envelope only; RFC 6531 3.4 asks for the header too.
    const wire = connection as unknown as { _sendCommand(command: string, logged?: string): void };
    const sendCommand = wire._sendCommand.bind(connection);
    wire._sendCommand = (command, logged) => sendCommand(this.asksForUtf8 ? withUtf8(command) : command, logged);
    this.connection = connection;
    return connection;
  }

  private signInWanted(): string {
    const { name, username } = this.settings;
    return username === null
      ? `${name} takes mail only after a sign-in. Set user name and password of this upstream.`
      : `${name} takes no mail from this user. Check user name and tls mode of this upstream.`;
  }

  private end(): void {
    if (this.gone) return;
    this.gone = true;
    this.markEnded();
    // If nodemailer reports a step itself, with more detail, it does so right after this event.
    queueMicrotask(() => this.giveUp?.(this.fault ?? new Error("The connection was closed")));
  }

  private step(run: (done: (error?: NodemailerError | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: NodemailerError | null) => {
        this.giveUp = null;
        if (error) reject(error);
        else resolve();
      };
      this.giveUp = settle;
      run(settle);
    });
  }

  /** Reads the extensions of the last EHLO reply (RFC 5321 4.1.1.1, RFC 1870, RFC 6531). */
  private readExtensions(reply: string): void {
    const lines = reply.split("\n").slice(1);
    this.extensions = {
      smtpUtf8: lines.some((line) => /^250[- ]SMTPUTF8\b/i.test(line)),
      eightBit: lines.some((line) => /^250[- ]8BITMIME\b/i.test(line)),
      maxBytes: Number(lines.map((line) => /^250[- ]SIZE (\d+)/i.exec(line)?.[1]).find(Boolean) ?? 0),
    };
  }
}

function headerOf(raw: Uint8Array): Uint8Array {
  return raw.subarray(0, findBody(raw).bodyStart);
}

function withUtf8(command: string): string {
  const isLacking = command.startsWith("MAIL FROM:") && !command.includes(" SMTPUTF8");
  return isLacking ? `${command} SMTPUTF8` : command;
}

/** An error whose message is already written for people. */
class Explained extends Error {}

function trusting(ca: string, { name }: UpstreamSettings): SecureContext {
  try {
    return createSecureContext({ ca: [...rootCertificates, ca] });
  } catch (cause) {
    throw new Explained(`The CA certificates for ${name} cannot be read. Check ca_file: PEM is expected.`, { cause });
  }
}

/** 530 is about this server's configuration, not the message (RFC 4954 6): if it refused mail, all would be lost. */
function wantsSignIn(error: NodemailerError | null): boolean {
  return error?.command === "MAIL FROM" && error.responseCode === 530;
}

/**
 * The message as nodemailer reads it. It is written in pieces, because nodemailer looks at every byte for dots to stuff.
 * It reports how far it got, and holds the final dot back until the kernel has the body and one more look at the socket
 * shows no close. Nodemailer writes both at once, so a server that hangs up instead of reading would leave "unknown" when
 * the truth is "not sent".
 */
class HeldMessage extends Readable {
  constructor(
    private readonly raw: Uint8Array,
    private readonly connection: SMTPConnection,
    private readonly how: {
      timeoutMs: number;
      reached(phase: Phase): void;
      /** Called if the server has read nothing for `timeoutMs`: the socket's own time limit is about what it sends. */
      stalled(): void;
    },
  ) {
    super({ autoDestroy: false });
  }

  /** Nodemailer calls this after the 354; `to` stuffs dots and adds the final one at its end. */
  override pipe<T extends NodeJS.WritableStream>(to: T): T {
    this.how.reached("body");
    this.writeFrom(0, to as unknown as Transform);
    return to;
  }

  private writeFrom(at: number, to: Transform): void {
    if (this.connection.destroyed) return;
    const end = Math.min(at + PIECE_BYTES, this.raw.length);
    const isTaken = to.write(this.raw.subarray(at, end));
    // The event loop reports a close in the turn between these two.
    if (end === this.raw.length) setImmediate(() => setImmediate(() => this.finish(to)));
    else if (isTaken) setImmediate(() => this.writeFrom(end, to));
    else this.onDrain(to, () => this.writeFrom(end, to));
  }

  private finish(to: Transform): void {
    if (this.connection.destroyed) return;
    const socket = this.connection._socket as Socket;
    // Less than the high-water mark may still wait: "unknown" may then begin a little early, never late.
    if (socket.writableNeedDrain) this.onDrain(socket, () => this.finish(to));
    else if (to.writableLength > 0 || to.readableLength > 0) setImmediate(() => this.finish(to));
    else {
      this.how.reached("dot");
      to.end();
    }
  }

  private onDrain(stream: Writable, then: () => void): void {
    const timer = setTimeout(this.how.stalled, this.how.timeoutMs);
    const settle = () => clearTimeout(timer);
    stream.once("drain", () => {
      settle();
      then();
    });
    this.connection.once("end", settle);
  }
}

/** What a reply or failure in a phase says about the message, and whether the connection can send another. */
function judge(
  phase: Phase,
  error: NodemailerError | null,
  reply: string,
  isAnswered: boolean,
): { outcome: TransactionOutcome; isOdd: boolean } {
  const said = oneLine(error ? (error.response ?? "") : reply);
  const isReply = said !== "" && error?.command !== "CONN";
  // A reply while the body is still being sent leaves the dialogue out of step.
  const isOdd = phase === "body";
  if (isReply && error === null && phase === "dot" && /^2\d\d\b/.test(said))
    return { outcome: { kind: "accepted", reply: said }, isOdd };
  // Meant for the connection, not for this message (RFC 5321 3.8).
  if (isReply && error?.command === "MAIL FROM" && /^421\b/.test(said))
    return { outcome: { kind: "stale", error: said }, isOdd: true };
  const isOfSender = error?.command === "MAIL FROM" ? { isOfSender: true as const } : {};
  if (isReply && error && /^5\d\d\b/.test(said))
    return { outcome: { kind: "refused", reply: said, ...isOfSender }, isOdd };
  if (isReply && error && /^4\d\d\b/.test(said)) return { outcome: { kind: "deferred", reply: said }, isOdd };
  // Nodemailer rejected the address before it sent anything.
  if (error?.code === "EENVELOPE" && !isReply)
    return { outcome: { kind: "refused", reply: "The address cannot be written in SMTP" }, isOdd };
  const what = isReply ? `The server said "${said}"` : describe(error);
  if (phase === "dot")
    return { outcome: { kind: "unknown", error: `${what} instead of an answer to the whole message` }, isOdd: true };
  if (phase === "envelope" && !isAnswered)
    return { outcome: { kind: "stale", error: `${what} before any answer` }, isOdd: true };
  return { outcome: { kind: "deferred", reply: `${what} before the message was complete` }, isOdd: true };
}

function describe(error: NodemailerError | null): string {
  if (error?.code === "ETIMEDOUT") return "The server fell silent";
  if (error?.response) return `The server left saying "${oneLine(error.response)}"`;
  return `The connection was lost (${error?.originalCode ?? error?.code ?? error?.message ?? "no cause given"})`;
}
