import { createSocket } from "node:dgram";
import { connect, isIP } from "node:net";
import type { Clock } from "../util/clock.ts";

export interface ServerAddress {
  host: string;
  port: number;
}

export type SocketFailure = "ETIMEOUT" | "ECONNREFUSED" | "ECANCELLED";

/** A fresh socket with one message sent: what comes back, what goes wrong, and how to end it. */
export interface Channel {
  onMessage(take: (bytes: Buffer) => void): void;
  onError(take: (error: NodeJS.ErrnoException) => void): void;
  close(): void;
}

/** Resolves with the first reply that `accept` recognizes, or with why none came in time. Always closes the channel. */
export function replyOn<Reply>(
  channel: Channel,
  accept: (bytes: Buffer) => Reply | null,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<Reply | SocketFailure> {
  return new Promise((resolve) => {
    const finish = (result: Reply | SocketFailure) => {
      cancelTimer();
      signal.removeEventListener("abort", cancel);
      channel.close();
      resolve(result);
    };
    const cancel = () => finish("ECANCELLED");
    const cancelTimer = clock.after(timeoutMs, () => finish("ETIMEOUT"));
    signal.addEventListener("abort", cancel, { once: true });
    channel.onMessage((bytes) => {
      const reply = accept(bytes);
      if (reply !== null) finish(reply);
    });
    channel.onError((error) => finish(error.code === "ECONNREFUSED" ? "ECONNREFUSED" : "ETIMEOUT"));
  });
}

/** Sends over UDP. Connects, so that the kernel drops datagrams of other hosts and reports a closed port. */
export function openUdp(server: ServerAddress, message: Buffer): Channel {
  const socket = createSocket(isIP(server.host) === 6 ? "udp6" : "udp4");
  let onError: (error: NodeJS.ErrnoException) => void = () => {};
  socket.on("error", (error) => onError(error));
  socket.connect(server.port, server.host, () => {
    // The caller may have closed the channel while the socket was opening.
    try {
      socket.send(message);
    } catch (error) {
      onError(error as NodeJS.ErrnoException);
    }
  });
  return {
    onMessage: (take) => socket.on("message", take),
    onError(take) {
      onError = take;
    },
    close() {
      onError = () => {};
      try {
        socket.close();
      } catch {
        // An error has already closed the socket.
      }
    },
  };
}

/**
 * Sends the message over TCP. Each message follows its length in two bytes (RFC 7766 8). The first message closes the
 * connection, whatever it holds, so a server can send at most 64 KiB.
 */
export function openTcp(server: ServerAddress, message: Buffer): Channel {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  const socket = connect(server.port, server.host, () => socket.write(Buffer.concat([length, message])));
  return {
    onMessage(take) {
      let chunks: Buffer[] = [];
      let received = 0;
      const read = (chunk: Buffer) => {
        // Concatenate at most twice, for the length and for the whole message: a server may send byte by byte.
        chunks.push(chunk);
        received += chunk.length;
        if (received < 2) return;
        if (chunks[0] && chunks[0].length < 2) chunks = [Buffer.concat(chunks)];
        const whole = 2 + (chunks[0] as Buffer).readUInt16BE(0);
        if (received < whole) return;
        socket.off("data", read);
        socket.destroy();
        take(Buffer.concat(chunks).subarray(2, whole));
      };
      socket.on("data", read);
    },
    onError(take) {
      socket.on("error", take);
      socket.on("close", () => take(new Error("closed without an answer")));
    },
    close() {
      socket.destroy();
    },
  };
}
