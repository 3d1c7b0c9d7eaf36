/** The load: sends prepared messages over SMTP and notes when each was sent and taken. */
import { answerCalls, wallMs } from "./child.ts";
import { mailFrom, signedMails } from "./mail.ts";
import { LoadConnection, type Sent } from "./smtp-connection.ts";

export interface LoadOrder {
  port: number;
  to: string;
  connections: number;
  pipelined: boolean;
  /** The first message, and how many; past the last prepared one it starts over. */
  first: number;
  count: number;
  /** Whether a connection carries all its messages or one. */
  connection: "kept" | "for each message";
  /** Messages begun a second, whether the server keeps up or not; without it, as fast as it goes. */
  perSecond?: number;
}

export interface LoadResult {
  /** By `wallMs`, from the first command to the last 250. */
  startedAt: number;
  endedAt: number;
  sent: Sent[];
  /** CPU seconds of the load itself: near the duration means that the load was the limit. */
  cpuSeconds: number;
}

let mails: Buffer[] = [];

async function run(order: LoadOrder): Promise<LoadResult> {
  const { port, to, connections, count, perSecond } = order;
  const sent: Sent[] = [];
  let next = 0;
  const kept = order.connection === "kept";
  const open = kept ? await Promise.all(Array.from({ length: connections }, () => LoadConnection.open(port))) : [];
  const cpuBefore = process.cpuUsage();
  const startedAt = wallMs();

  async function work(own: LoadConnection | undefined) {
    for (let n = next++; n < count; n = next++) {
      if (perSecond) await Bun.sleep(Math.max(0, startedAt + (n / perSecond) * 1000 - wallMs()));
      const connection = own ?? (await LoadConnection.open(port));
      sent.push(
        await connection.send(mailFrom, to, mails[(order.first + n) % mails.length] as Buffer, order.pipelined),
      );
      if (!own) connection.close();
    }
  }
  await Promise.all(Array.from({ length: connections }, (_, i) => work(open[i])));

  const endedAt = wallMs();
  const cpu = process.cpuUsage(cpuBefore);
  for (const connection of open) connection.close();
  return { startedAt, endedAt, sent, cpuSeconds: (cpu.user + cpu.system) / 1e6 };
}

const handlers = {
  /** Makes the messages; returns the size of one in bytes. */
  async prepare(input: { count: number; privateKey: string; to: string }) {
    mails = await signedMails(input.count, input.privateKey, input.to);
    return mails[0]?.length ?? 0;
  },
  run,
};

export type LoadHandlers = typeof handlers;

answerCalls(handlers);
