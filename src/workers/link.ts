/**
 * The two ends of the connection between the server and a child. It is a socket, which costs a tenth of two pipes
 * behind streams. On Windows, where children do not inherit sockets, it is the child's standard input and output.
 */
import { fstatSync } from "node:fs";
import type { Socket, Subprocess } from "bun";
import { type Frame, FrameReader, FrameWriter, type Sink } from "./frames.ts";

/** The file descriptor of the child's end. */
const LINK_FD = 3;

export interface Link {
  readonly writer: FrameWriter;
  /** Closes the connection after the bytes that were written; the other side sees its end. */
  end(): void;
}

/** What happens on a link. */
export interface LinkEvents {
  onFrame(frame: Frame): void;
  /** Called for each chunk, before its frames. */
  onChunk?(): void;
  /** Called once, at the end: the other side has closed the link, is gone, or has sent an invalid frame. */
  onClose(error: Error | null): void;
}

export type LinkedProcess = Subprocess<"ignore" | "pipe", "ignore" | "pipe", "pipe">;

/**
 * The child's whole environment. It gets none of the server's variables, which may hold secrets. JavaScriptCore's last
 * compiler is off, because it costs a child more than it saves: a third of its time in its first 10,000 messages.
 */
const environment = { BUN_JSC_useFTLJIT: "0" };

/** Starts a program with a link to it. Throws if the program cannot be started. */
export function startLinked(command: readonly string[], events: LinkEvents): { process: LinkedProcess; link: Link } {
  if (process.platform === "win32") {
    const child = Bun.spawn([...command], { env: environment, stdio: ["pipe", "pipe", "pipe"] });
    return { process: child, link: overStreams(child.stdin, child.stdout, events) };
  }
  const child = Bun.spawn([...command], { env: environment, stdio: ["ignore", "ignore", "pipe", "pipe"] });
  // A child must not keep this process alive.
  const onOpen = (socket: Socket) => socket.unref();
  return { process: child, link: overSocket(child.stdio[LINK_FD] as number, events, onOpen) };
}

/** The child's end. */
export function linkToParent(events: LinkEvents): Link {
  return isSocket(LINK_FD) ? overSocket(LINK_FD, events) : overStreams(Bun.stdout.writer(), Bun.stdin.stream(), events);
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}

function overSocket(
  fd: number,
  { onFrame, onChunk, onClose }: LinkEvents,
  onOpen: (socket: Socket) => void = () => {},
): Link {
  let socket: Socket | null = null;
  let isEnding = false;
  let error: Error | null = null;
  const reader = new FrameReader(onFrame);
  const writer = new FrameWriter({ write: (chunk) => Math.max(0, socket?.write(chunk) ?? 0) });
  let isClosed = false;
  const close = (cause: Error | null) => {
    if (isClosed) return;
    isClosed = true;
    writer.close();
    onClose(error ?? cause);
  };
  // Bun's types lack the socket option `fd`.
  const descriptor = { fd } as unknown as { unix: string };
  Bun.connect({
    ...descriptor,
    socket: {
      open(opened) {
        socket = opened;
        onOpen(opened);
        if (isEnding) opened.end();
        else writer.drain();
      },
      data(_, chunk) {
        onChunk?.();
        try {
          reader.push(chunk);
        } catch (broken) {
          error = broken as Error;
          socket?.terminate();
        }
      },
      drain: () => writer.drain(),
      error: (_, cause) => close(cause),
      close: () => close(null),
    },
  }).catch(close);
  return {
    writer,
    end() {
      isEnding = true;
      socket?.end();
    },
  };
}

/** The methods of Bun's FileSink that a link needs. */
interface Output {
  write(chunk: Uint8Array): unknown;
  flush(): unknown;
  end(): unknown;
}

function overStreams(output: Output, input: ReadableStream<Uint8Array>, events: LinkEvents): Link {
  let isFull = false;
  const sink: Sink = {
    write(chunk) {
      if (isFull) return 0;
      isFull = true;
      output.write(chunk);
      Promise.resolve(output.flush()).then(
        () => {
          isFull = false;
          writer.drain();
        },
        () => writer.close(),
      );
      return chunk.byteLength;
    },
  };
  const writer = new FrameWriter(sink);
  const reader = new FrameReader(events.onFrame);
  (async () => {
    for await (const chunk of input) {
      events.onChunk?.();
      reader.push(chunk);
    }
  })().then(
    () => events.onClose(null),
    (error) => events.onClose(error),
  );
  return {
    writer,
    end() {
      // The other end may be gone.
      Promise.resolve()
        .then(() => output.end())
        .catch(() => {});
    },
  };
}
