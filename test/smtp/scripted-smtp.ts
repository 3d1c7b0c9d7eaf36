/**
 * An SMTP server on loopback for tests of e2a's SMTP client: real sockets and TLS, and a script that may change, hold
 * or break any of its replies. Without a script it accepts everything.
 */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import { generate } from "selfsigned";
import type { TlsPair } from "../../src/net/tls.ts";

/**
 * The stage of the dialogue at which the script is asked. `message` is the reply to the final dot. The argument is the
 * text after the verb (EHLO name, AUTH mechanism), the bare address for `mail` and `rcpt`, otherwise "".
 */
export type Stage = "greeting" | "ehlo" | "starttls" | "auth" | "mail" | "rcpt" | "data" | "message" | "rset" | "quit";

/** What to do instead of replying, or after it. Without `say` no reply is sent. */
export interface Action {
  /** The reply, with lines separated by \n; it need not be SMTP. */
  say?: string;
  /**
   * close: FIN after the reply. reset: RST. hang: silence from here on, with the connection open. stop: the same, and
   * nothing more is read.
   */
  do: "close" | "reset" | "hang" | "stop";
}

/** A reply text (its code decides how the server continues), an action, or undefined for the normal reply. */
export type Scripted = string | Action | undefined;

export interface ScriptedMessage {
  from: string;
  to: string[];
  /** As sent, with dots unstuffed and without the final dot. */
  raw: Buffer;
  tls: boolean;
  /** The signed-in user, or null. */
  user: string | null;
}

export interface ScriptedOptions {
  /** Default: no TLS. */
  tls?: "starttls" | "implicit";
  /** Default: one for 127.0.0.1 and localhost, made for this server; trust it by `smtp.tls.cert`. */
  certificate?: TlsPair;
  /** If given, sign-in is offered, and required before MAIL. */
  auth?: { username: string; password: string; mechanism?: "PLAIN" | "LOGIN" };
  /** Lines of the EHLO answer besides STARTTLS and AUTH. */
  extensions?: string[];
  /** Called for every reply; it may be slow, to hold a reply back. Connections are counted from 1. */
  on?: (stage: Stage, argument: string, connection: number) => Scripted | Promise<Scripted>;
  /** Default: any free port. */
  port?: number;
}

export interface ScriptedSmtp extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** The certificate in use, or null without TLS. */
  readonly tls: TlsPair | null;
  /** Every message that got a 2yz, in order. */
  readonly messages: ScriptedMessage[];
  /** Every line that clients sent outside of messages, in order; for "the password was never sent". */
  readonly lines: string[];
  /** Connections so far, open now, and the most at once. */
  readonly connections: { total: number; open: number; peak: number };
  /** Resolves with the messages once there are `count` of them. */
  received(count: number): Promise<ScriptedMessage[]>;
  /** Resolves when no connection is open. */
  quiet(): Promise<void>;
  /** Closes (FIN) or resets all connections; new ones are accepted. */
  hangUp(how?: "close" | "reset"): void;
}

/** A self-signed pair for 127.0.0.1, localhost and the names given. */
export async function loopbackTls(...names: string[]): Promise<TlsPair> {
  const made = await generate([{ name: "commonName", value: names[0] ?? "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: [
      {
        name: "subjectAltName",
        altNames: [
          { type: 7, ip: "127.0.0.1" },
          ...["localhost", ...names].map((value) => ({ type: 2 as const, value })),
        ],
      },
    ],
  });
  return { cert: made.cert, key: made.private };
}

const usualExtensions = ["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 52428800"];

/** Listens on 127.0.0.1. `await using` closes it with all connections. */
export async function scriptedSmtp(options: ScriptedOptions = {}): Promise<ScriptedSmtp> {
  const pair = options.tls ? (options.certificate ?? (await loopbackTls())) : null;
  const messages: ScriptedMessage[] = [];
  const lines: string[] = [];
  const connections = { total: 0, open: 0, peak: 0 };
  const sockets = new Set<Socket>();
  const waiting: { ready: () => boolean; resolve: () => void }[] = [];
  const tell = () => {
    for (const one of waiting) if (one.ready()) one.resolve();
  };
  const until = (ready: () => boolean) =>
    ready() ? Promise.resolve() : new Promise<void>((resolve) => waiting.push({ ready, resolve }));

  const welcome = (socket: Socket) => {
    connections.total++;
    connections.peak = Math.max(connections.peak, ++connections.open);
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => {
      connections.open--;
      sockets.delete(socket);
      tell();
    });
    const accept = (message: ScriptedMessage) => {
      messages.push(message);
      tell();
    };
    void converse(new Peer(socket), options, pair, { lines, accept, connection: connections.total });
  };
  const server = options.tls === "implicit" && pair ? createTlsServer(pair) : createServer();
  server.on(options.tls === "implicit" ? "secureConnection" : "connection", welcome);
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });

  return {
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    tls: pair,
    messages,
    lines,
    connections,
    async received(count) {
      await until(() => messages.length >= count);
      return messages;
    },
    quiet: () => until(() => connections.open === 0),
    hangUp(how = "close") {
      for (const socket of sockets) how === "close" ? socket.end() : socket.resetAndDestroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Ledger {
  lines: string[];
  accept(message: ScriptedMessage): void;
  connection: number;
}

/** Serves one connection from greeting to end. */
async function converse(peer: Peer, options: ScriptedOptions, pair: TlsPair | null, ledger: Ledger): Promise<void> {
  let secure = options.tls === "implicit";
  let user: string | null = null;
  let from: string | null = null;
  let to: string[] = [];

  /** Sends what the script wants, or `polite`. Resolves with the reply, or null if the dialogue is over. */
  const answer = async (stage: Stage, argument: string, polite: string): Promise<string | null> => {
    const wanted = (await options.on?.(stage, argument, ledger.connection)) ?? polite;
    if (typeof wanted === "string") {
      peer.say(wanted);
      return wanted;
    }
    if (wanted.say !== undefined) peer.say(wanted.say);
    if (wanted.do === "close") peer.close();
    if (wanted.do === "reset") peer.reset();
    if (wanted.do === "stop") peer.stop();
    return null;
  };
  const line = async () => {
    const text = await peer.line();
    if (text !== null) ledger.lines.push(text);
    return text;
  };

  if ((await answer("greeting", "", "220 scripted.example ESMTP")) === null) return;
  for (let text = await line(); text !== null; text = await line()) {
    const [, verb = "", rest = ""] = /^(\S+)\s*(.*)$/.exec(text) ?? [];
    const address = /<(.*?)>/.exec(rest)?.[1] ?? "";
    const command = verb.toUpperCase();
    let said: string | null = "";
    if (command === "EHLO" || command === "HELO") {
      const offered = [
        ...(options.tls === "starttls" && !secure ? ["STARTTLS"] : []),
        ...(options.auth ? [`AUTH ${options.auth.mechanism ?? "PLAIN LOGIN"}`] : []),
        ...(options.extensions ?? usualExtensions),
      ];
      const all = ["scripted.example", ...offered];
      said = await answer("ehlo", rest, all.map((one, at) => `250${at < all.length - 1 ? "-" : " "}${one}`).join("\n"));
    } else if (command === "STARTTLS") {
      const isOffered = pair !== null && options.tls === "starttls" && !secure;
      said = await answer("starttls", "", isOffered ? "220 2.0.0 go ahead" : "502 5.5.1 not here");
      if (pair && said?.startsWith("220")) {
        if (!(await peer.secure(pair))) return;
        secure = true;
      }
    } else if (command === "AUTH") {
      const credentials = await readCredentials(rest, { say: (reply) => peer.say(reply), line });
      if (!credentials) return;
      const isRight =
        options.auth && credentials[0] === options.auth.username && credentials[1] === options.auth.password;
      const mechanism = rest.split(" ")[0] ?? "";
      said = await answer("auth", mechanism, isRight ? "235 2.7.0 welcome" : "535 5.7.8 authentication failed");
      if (said?.startsWith("235")) user = credentials[0];
    } else if (command === "MAIL") {
      const isAllowed = !options.auth || user !== null;
      said = await answer("mail", address, isAllowed ? "250 2.1.0 ok" : "530 5.7.0 authentication required");
      if (said?.startsWith("2")) [from, to] = [address, []];
    } else if (command === "RCPT") {
      said = await answer("rcpt", address, from === null ? "503 5.5.1 MAIL first" : "250 2.1.5 ok");
      if (said?.startsWith("2")) to.push(address);
    } else if (command === "DATA") {
      const isReady = from !== null && to.length > 0;
      said = await answer("data", "", isReady ? "354 go ahead" : "503 5.5.1 nobody to send to");
      if (said?.startsWith("354")) {
        const raw = await peer.message();
        if (raw === null) return;
        said = await answer("message", "", "250 2.0.0 kept");
        if (said?.startsWith("2")) ledger.accept({ from: from ?? "", to, raw, tls: secure, user });
        [from, to] = [null, []];
      }
    } else if (command === "RSET") {
      [from, to] = [null, []];
      said = await answer("rset", "", "250 2.0.0 ok");
    } else if (command === "QUIT") {
      said = await answer("quit", "", "221 2.0.0 bye");
      if (said !== null) peer.close();
      return;
    } else peer.say("502 5.5.2 unknown command");
    if (said === null) return;
  }
}

/** Reads PLAIN with or without an initial response, or LOGIN (RFC 4954, RFC 4616). Null if the client left. */
async function readCredentials(
  rest: string,
  wire: { say(reply: string): void; line(): Promise<string | null> },
): Promise<[username: string, password: string] | null> {
  const decode = (text: string) => Buffer.from(text, "base64").toString("utf8");
  const ask = (prompt: string) => {
    wire.say(`334 ${Buffer.from(prompt).toString("base64")}`);
    return wire.line();
  };
  const [mechanism = "", initial] = rest.split(" ");
  if (mechanism.toUpperCase() === "LOGIN") {
    const username = await ask("Username:");
    const password = username === null ? null : await ask("Password:");
    return username === null || password === null ? null : [decode(username), decode(password)];
  }
  const response = initial ?? (await ask(""));
  if (response === null) return null;
  const [, username = "", password = ""] = decode(response).split("\0");
  return [username, password];
}

const loneDot = Buffer.from(".\r\n");
const finalDot = Buffer.from("\r\n.\r\n");

/** The client's side of one connection, read on demand, in order. */
class Peer {
  /** Doubles when full, so that large mail is copied only a few times. */
  private store = Buffer.allocUnsafe(16 * 1024);
  private start = 0;
  private end = 0;
  private wake: (() => void) | null = null;
  private isOver = false;

  constructor(private socket: Socket) {
    this.listen();
  }

  say(reply: string): void {
    if (this.socket.writable) this.socket.write(`${reply.replaceAll("\n", "\r\n")}\r\n`);
  }

  close(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  stop(): void {
    this.socket.pause();
  }

  /** The next line without CRLF, or null if the client has gone. */
  line(): Promise<string | null> {
    return this.take((bytes) => {
      const end = bytes.indexOf("\r\n");
      return end < 0 ? null : [bytes.toString("utf8", 0, end), end + 2];
    });
  }

  /** Everything up to the final dot, dots unstuffed (RFC 5321 4.5.2), or null if the client left before it. */
  async message(): Promise<Buffer | null> {
    let searched = 0;
    // One character per byte, so that 8-bit mail is unchanged. The CRLF that ended DATA counts for the first line.
    const stuffed = await this.take((bytes) => {
      if (bytes.subarray(0, 3).equals(loneDot)) return ["", 3];
      const end = bytes.indexOf(finalDot, searched);
      searched = Math.max(0, bytes.length - finalDot.length);
      return end < 0 ? null : [bytes.toString("latin1", 0, end + 2), end + finalDot.length];
    });
    return stuffed === null ? null : Buffer.from(`\r\n${stuffed}`.replaceAll("\r\n.", "\r\n").slice(2), "latin1");
  }

  /** The server's half of the TLS handshake. False if it fails. */
  secure(pair: TlsPair): Promise<boolean> {
    this.socket.removeAllListeners("data");
    this.start = this.end = 0;
    const secure = new TLSSocket(this.socket, { isServer: true, ...pair });
    return new Promise((resolve) => {
      secure.once("secure", () => {
        this.socket = secure;
        this.listen();
        resolve(true);
      });
      secure.once("error", () => resolve(false));
      secure.once("close", () => resolve(false));
    });
  }

  private listen(): void {
    this.socket.on("data", (chunk: Buffer) => {
      this.keep(chunk);
      this.wake?.();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.isOver = true;
      this.wake?.();
    });
  }

  private keep(chunk: Buffer): void {
    const used = this.end - this.start;
    if (this.end + chunk.length > this.store.length) {
      const roomy = Buffer.allocUnsafe(Math.max(this.store.length, 2 * (used + chunk.length)));
      this.store.copy(roomy, 0, this.start, this.end);
      [this.store, this.start, this.end] = [roomy, 0, used];
    }
    this.end += chunk.copy(this.store, this.end);
  }

  /** Calls `find` again whenever more bytes arrive; it returns what it found and how many bytes that used. */
  private async take<T>(find: (bytes: Buffer) => [found: T, used: number] | null): Promise<T | null> {
    for (;;) {
      const found = find(this.store.subarray(this.start, this.end));
      if (found) {
        this.start += found[1];
        return found[0];
      }
      if (this.isOver) return null;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
