/** The baseline: a bare smtp-server, which accepts every message and discards it. */
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";
import { SMTPConnection } from "smtp-server/lib/smtp-connection.js";
import { answerCalls } from "./child.ts";

/** smtp-server's own connection waits 100 ms before its greeting; this one does not. */
class PromptConnection extends SMTPConnection {
  private greeted = false;
  override init(): void {
    super.init();
    this.connectionReady();
  }
  override connectionReady(next?: () => void): void {
    if (this.greeted) return;
    this.greeted = true;
    super.connectionReady(next);
  }
}

class PromptServer extends SMTPServer {
  override connect(...[socket, options]: Parameters<SMTPServer["connect"]>): void {
    const connection = new PromptConnection(this, socket, options);
    this.connections.add(connection);
    connection.on("error", () => {});
    connection.init();
  }
}

let taken = 0;
let keepsLast = false;
let last = "";
let reached = () => {};
let wanted = Number.POSITIVE_INFINITY;

const options = {
  authOptional: true,
  disabledCommands: ["AUTH"],
  disableReverseLookup: true,
  logger: false,
  onData(stream: NodeJS.ReadableStream, _session: unknown, callback: () => void) {
    const chunks: Buffer[] | null = keepsLast ? [] : null;
    stream.on("data", (chunk: Buffer) => chunks?.push(chunk));
    stream.on("end", () => {
      if (chunks) last = Buffer.concat(chunks).toString("latin1");
      taken += 1;
      if (taken >= wanted) reached();
      callback();
    });
  },
};

const handlers = {
  /** Listens on a free loopback port and returns it. `greets`: after smtp-server's pause, or at once. */
  async start({ greets, keeps }: { greets: "after its pause" | "at once"; keeps?: "the last message" }) {
    keepsLast = keeps === "the last message";
    const server = greets === "at once" ? new PromptServer(options) : new SMTPServer(options);
    server.on("error", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.server.address() as AddressInfo).port;
  },
  /** Messages so far. */
  taken: (_: null) => taken,
  /** Resolves when `count` messages have arrived in total. */
  async waitFor(count: number) {
    if (taken >= count) return;
    wanted = count;
    await new Promise<void>((resolve) => {
      reached = resolve;
    });
    wanted = Number.POSITIVE_INFINITY;
  },
  /** The last message, one character per byte (latin1), if `keeps` asked for it. */
  last: (_: null) => last,
};

export type BareHandlers = typeof handlers;

answerCalls(handlers);
