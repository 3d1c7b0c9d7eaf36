/**
 * The SMTP door (RFC 5321): takes mail for the mailboxes that live here, relays nothing, offers no AUTH.
 * smtp-server speaks the protocol, Session decides, this file joins the two.
 * The 250 after DATA means that the message is stored.
 */
import type { AddressInfo, Socket } from "node:net";
import { createSecureContext, type TLSSocket } from "node:tls";
import { SMTPServer, type SMTPServerAddress, type SMTPServerDataStream, type SMTPServerSession } from "smtp-server";
import { SMTPConnection, type SMTPConnectionOptions } from "smtp-server/lib/smtp-connection.js";
import { limitKey, networkTest, plainAddress } from "../net/client-address.ts";
import type { TlsPair } from "../net/tls.ts";
import { ByteBudget, IntakeScheduler, MessageBuffer, overloaded } from "./message-buffer.ts";
import { ClientCounts, type ClientLimits } from "./smtp-limits.ts";
import { readPath } from "./smtp-path.ts";
import { correctedReply, replyText } from "./smtp-reply.ts";
import { type AcceptedRecipient, type Path, Session, type SessionSettings } from "./smtp-session.ts";

export interface SmtpOptions extends ClientLimits, SessionSettings {
  listen: { host: string; port: number };
  /** Our name in the greeting. */
  hostname: string;
  tls: TlsPair;
  maxMessageBytes: number;
  /** All messages on their way in together, in all the copies that exist of each here. */
  maxBytesInHand: number;
  /** The longest silence of a client that owes us input. */
  idleTimeoutMs: number;
  /** The longest a connection may last, whatever it does. */
  sessionTimeoutMs: number;
  /** Networks (CIDR) whose connections start with a PROXY header, version 1. */
  proxyTrusted: readonly string[];
}

export interface SmtpListener {
  readonly address: string;
  readonly port: number;
  /** Sessions from now on use this pair. Throws, and keeps the old one, when the two do not fit. */
  updateTls(tls: TlsPair): void;
  connections(): number;
  /** Takes no new connections, dismisses idle ones, finishes messages in hand; what is left after `graceMs` is cut. */
  close(graceMs: number): Promise<void>;
}

/** Listens, and resolves when connections are taken. Rejects when the address cannot be bound. */
export async function startSmtp(options: SmtpOptions): Promise<SmtpListener> {
  const server = new Server(options);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.listen.port, options.listen.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  // Clients that hang up in the middle of a message and handshakes that fail: theirs, not ours.
  server.on("error", (error: Error & { code?: string; remoteAddress?: string }) =>
    options.log.debug("smtp.client_error", { client: error.remoteAddress, code: error.code, message: error.message }),
  );
  const bound = server.server.address() as AddressInfo;
  let drained: Promise<void> | undefined;
  return {
    address: bound.address,
    port: bound.port,
    updateTls(tls) {
      // The library drops its old pair before it looks at the new one.
      createSecureContext(tls);
      server.updateSecureContext({ ...tls });
    },
    connections: () => server.connections.size,
    close(graceMs) {
      drained ??= server.drain(graceMs);
      return drained;
    },
  };
}

/** RFC 5321 4.5.3.1.4 asks for 512 octets; MAIL and RCPT parameters and long SMTPUTF8 addresses need more. */
const MAX_COMMAND_BYTES = 2048;

/** Commands refused for their form or order before a connection is closed. Mail servers do not get there. */
const REFUSED_COMMANDS_MAX = 20;
/** The replies to such commands (RFC 5321 4.2.2, 4.1.1.11). */
const refusals: readonly number[] = [500, 501, 502, 503, 504, 555];

type Callback<T = void> = (error?: Error | null, result?: T) => void;

class Server extends SMTPServer {
  private readonly clients: ClientCounts;
  private readonly memory: ByteBudget;
  private readonly turns = new IntakeScheduler();
  private readonly isProxy: (address: string) => boolean;
  private readonly connectionOf = new WeakMap<SMTPServerSession, Connection>();
  private readonly accepted = new WeakMap<SMTPServerAddress, AcceptedRecipient>();

  constructor(private readonly settings: SmtpOptions) {
    super({
      name: settings.hostname,
      banner: "e2a",
      heloResponse: "%s greets %s",
      cert: settings.tls.cert,
      key: settings.tls.key,
      minVersion: "TLSv1.2",
      size: settings.maxMessageBytes,
      maxRecipients: settings.maxRecipients,
      socketTimeout: settings.idleTimeoutMs,
      maxCommandLength: MAX_COMMAND_BYTES,
      hideENHANCEDSTATUSCODES: false,
      disabledCommands: ["AUTH", "XCLIENT", "XFORWARD", "WIZ", "SHELL", "KILL"],
      // A PTR look-up would stand between the client and its greeting.
      disableReverseLookup: true,
      logger: false,
    });
    this.clients = new ClientCounts(settings, settings.clock);
    this.memory = new ByteBudget(settings.maxBytesInHand, settings.clock);
    this.isProxy = networkTest(settings.proxyTrusted);
  }

  /** Stops listening, dismisses who has nothing in hand, waits for the others at most `graceMs`. */
  drain(graceMs: number): Promise<void> {
    // 0 would mean the library's 30 seconds.
    this.options.closeTimeout = Math.max(1, graceMs);
    return new Promise((resolve) => {
      this.close(() => resolve());
      for (const connection of [...this.connections] as Connection[])
        connection.dismiss("4.3.2 The server is shutting down; try again later", "transfer");
    });
  }

  /** The library knows single addresses only; networks are ours. */
  override _expectsProxyHeader(socket: Socket): boolean {
    return this.isProxy(socket.remoteAddress ?? "");
  }

  override connect(socket: Socket, socketOptions?: SMTPConnectionOptions | null): void {
    const remoteAddress = plainAddress(socketOptions?.remoteAddress ?? socket.remoteAddress);
    const client = new Session(this.settings, this.clients, remoteAddress);
    const connection = new Connection(this, socket, { ...socketOptions, remoteAddress }, client);
    this.connections.add(connection);
    this.connectionOf.set(connection.session, connection);
    connection.on("error", (error: Error) => this.emit("error", error));
    connection.cancelExpiry = this.settings.clock.after(this.settings.sessionTimeoutMs, () =>
      connection.dismiss("4.4.2 The session has lasted too long; connect again", "storing"),
    );
    connection.init();
  }

  override onConnect(session: SMTPServerSession, callback: Callback): void {
    this.decide("CONNECT", session, callback, ({ client }) => client.enter());
  }

  override onSecure(socket: Socket | TLSSocket, session: SMTPServerSession, callback: Callback): void {
    this.decide("STARTTLS", session, callback, ({ client }) => {
      if ("getProtocol" in socket)
        client.tls = { version: socket.getProtocol() ?? "unknown", cipher: socket.getCipher().name };
    });
  }

  override onMailFrom(address: SMTPServerAddress, session: SMTPServerSession, callback: Callback): void {
    this.decide("MAIL", session, callback, ({ client }) => {
      const size = declaredBytes(address);
      // Now and not after the client has sent it all.
      const hasRoom = () => this.memory.hasRoom(size, limitKey(client.remoteAddress));
      if (size <= this.settings.maxMessageBytes && !hasRoom()) throw overloaded();
      address.address = client.mailFrom(pathOf(address, session));
    });
  }

  override onRcptTo(address: SMTPServerAddress, session: SMTPServerSession, callback: Callback): void {
    this.decide("RCPT", session, callback, async ({ client }) => {
      this.accepted.set(address, await client.rcptTo(pathOf(address, session)));
    });
  }

  override onData(stream: SMTPServerDataStream, session: SMTPServerSession, callback: Callback<string>): void {
    const connection = this.connectionOf.get(session)!;
    const { mailFrom, rcptTo } = session.envelope;
    const client = limitKey(connection.client.remoteAddress);
    const message = new MessageBuffer(this.settings.maxMessageBytes, this.memory, client, declaredBytes(mailFrom));
    connection.inHand = "transfer";
    stream.on("data", (chunk: Uint8Array) => {
      message.append(chunk);
      this.turns.took(chunk.length, stream);
    });
    // The client left before the final dot. Nothing was promised.
    stream.once("error", () => {
      message.release();
      connection.settle();
    });
    stream.once("end", () => {
      connection.inHand = "storing";
      const settle: Callback<string> = (error, reply) => {
        message.release();
        callback(error, reply);
        connection.settle();
      };
      this.decide("DATA", session, settle, ({ client }) => {
        const facts = {
          mailFrom: mailFrom ? mailFrom.address : "",
          helo: session.hostNameAppearsAs,
          protocol: protocolOf(session),
        };
        const recipients = rcptTo.map((address) => this.accepted.get(address)!);
        return client.message(facts, recipients, message.finish());
      });
    });
  }

  override onClose(session: SMTPServerSession): void {
    const connection = this.connectionOf.get(session)!;
    connection.cancelExpiry();
    connection.client.leave();
  }

  /** Takes one decision and hands its outcome to the library; what is thrown becomes the reply. */
  private decide<T>(
    command: string,
    session: SMTPServerSession,
    callback: Callback<T>,
    decision: (connection: Connection) => T | Promise<T>,
  ): void {
    const connection = this.connectionOf.get(session)!;
    (async () => decision(connection))()
      .then(
        (result) => callback(null, result),
        (error: unknown) => callback(connection.client.refusal(command, error)),
      )
      // The library failed to go on: this connection is lost, the others are not.
      .catch((error: unknown) => {
        this.settings.log.error("smtp.connection_failed", { client: connection.remoteAddress, command }, error);
        connection.close();
      });
  }
}

/** smtp-server's connection, with our greeting, our replies and an orderly way out. */
class Connection extends SMTPConnection {
  /** What a cut would lose: a message on its way in, or one that is being stored and has no reply yet. */
  inHand: "nothing" | "transfer" | "storing" = "nothing";
  cancelExpiry: () => void = () => {};
  private closeReply: string | null = null;
  private greeted = false;
  private refusedCommands = 0;

  constructor(
    server: Server,
    socket: Socket,
    options: SMTPConnectionOptions,
    readonly client: Session,
  ) {
    super(server, socket, options);
  }

  /**
   * Greets at once. smtp-server waits 100 ms to catch clients that talk before the greeting. Measured on loopback
   * with one 4 KB message per connection: with the pause 102 ms each and 96 messages/s over ten connections, without
   * it 0.4 ms and 3,350/s. What the pause catches are the crudest senders only, and here a message is judged by what
   * is proven about it; that is not worth 100 ms to every honest sender.
   */
  override init(): void {
    super.init();
    this.connectionReady();
  }

  override connectionReady(next?: () => void): void {
    // The library's own timer comes by a second time.
    if (this.greeted) return;
    this.greeted = true;
    super.connectionReady(next);
  }

  /**
   * Takes one command a turn of the event loop, so that a client that pipelines thousands keeps no other socket waiting.
   * smtp-server takes up to 100 a turn of those that it answers at once, and reading a long one takes a millisecond.
   */
  override _onCommand(command: Buffer, callback: () => void = () => {}): void {
    super._onCommand(command, () => setImmediate(callback));
  }

  /**
   * Reads quoted local parts and domains with underscores, which smtp-server refuses. It still checks the domain, and
   * reads the parameters.
   */
  override _parseAddressCommand(
    name: string,
    command: Buffer | string,
  ): ReturnType<SMTPConnection["_parseAddressCommand"]> {
    const text = command.toString();
    const colon = text.indexOf(":") + 1;
    const path = readPath(text.slice(colon));
    if (!path) return false;
    const { local, domain, rest } = path;
    const stand = local === null ? domain : `x@${domain.replaceAll("_", "x")}`;
    const parsed = super._parseAddressCommand(name, `${text.slice(0, colon)}<${stand}>${rest}`);
    if (!parsed || local === null) return parsed;
    return { ...parsed, address: `${local}@${domain.startsWith("[") ? parsed.address.slice("x@".length) : domain}` };
  }

  override handler_EHLO(command: Buffer, callback: () => void): void {
    this.takeName(command, callback, (oneWord, done) => super.handler_EHLO(oneWord, done));
  }

  override handler_HELO(command: Buffer, callback: () => void): void {
    this.takeName(command, callback, (oneWord, done) => super.handler_HELO(oneWord, done));
  }

  /** Accepts a name with white space in it, such as that of a printer; smtp-server takes one word only. */
  private takeName(command: Buffer, callback: () => void, greet: (command: Buffer, done: () => void) => void): void {
    const [verb = "", ...words] = command.toString().trim().split(/\s+/);
    greet(Buffer.from([verb, words.join("_")].join(" ")), () => {
      // As it was given: joined, it could pass for a host name.
      if (words.length > 1 && this.hostNameAppearsAs) {
        this.hostNameAppearsAs = words.join(" ").toLowerCase();
        this.session.hostNameAppearsAs = this.hostNameAppearsAs;
      }
      callback();
    });
  }

  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    if (typeof data !== "string") {
      super.send(code, data, context);
      return;
    }
    if (refusals.includes(code)) this.refusedCommands++;
    const reply =
      this.refusedCommands > REFUSED_COMMANDS_MAX
        ? { basic: 421, text: "4.7.0 Too many commands were refused on this connection", own: true }
        : correctedReply(code, data, context);
    const text = replyText(reply.text, this.session.envelope?.smtpUtf8 === true);
    super.send(reply.basic, text, reply.own ? false : context);
  }

  /**
   * Ends the session with a 421: at once or, when something worth keeping is in hand, after its reply.
   * @param keep "transfer" lets a message on its way in finish, "storing" only one that is here whole.
   */
  dismiss(text: string, keep: "transfer" | "storing"): void {
    if (this.inHand === "storing" || this.inHand === keep) this.closeReply = text;
    else this.send(421, text);
  }

  /** The message in hand has its reply or its end; a postponed 421 is due. */
  settle(): void {
    this.inHand = "nothing";
    if (this.closeReply !== null) this.send(421, this.closeReply);
  }
}

function pathOf(address: SMTPServerAddress, session: SMTPServerSession): Path {
  return {
    address: address.address,
    parameters: Object.keys(address.args || {}),
    utf8: session.envelope.smtpUtf8 === true,
  };
}

/** SIZE of MAIL FROM (RFC 1870), 0 when it was not given. */
function declaredBytes(mailFrom: SMTPServerAddress | false): number {
  const { SIZE } = (mailFrom || undefined)?.args || {};
  return Number(SIZE ?? 0);
}

/** The `with` of a Received field (RFC 3848, RFC 6531 4.3). */
function protocolOf({ secure, openingCommand, envelope }: SMTPServerSession): string {
  if (envelope.smtpUtf8) return secure ? "UTF8SMTPS" : "UTF8SMTP";
  if (secure) return "ESMTPS";
  return openingCommand === "EHLO" ? "ESMTP" : "SMTP";
}
