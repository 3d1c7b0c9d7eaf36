/** Deliveries: very many WebSockets on one server, and webhooks beside a long queue for dead endpoints. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type EndpointCounts, type EndpointsRound, endpointsRound } from "./delivery-endpoints.ts";
import { type DeliveryOptions, raisedLimits } from "./delivery-load.ts";
import { type SocketCounts, type SocketsRound, socketsRound } from "./delivery-sockets.ts";
import type { DnsHandlers } from "./dns.child.ts";
import type { ListenersHandlers } from "./listeners.child.ts";
import type { LoadHandlers } from "./load.child.ts";
import { newSender } from "./mail.ts";
import { settingsText, startRun } from "./run.ts";
import type { SinkHandlers } from "./sink.child.ts";
import { medians } from "./statistics.ts";

/** Enough messages for one round: two bursts, two broadcasts, and those for webhooks. */
const MESSAGES_PER_ROUND = 5_000;

/** Parts that were not requested are absent. */
interface DeliveryRound {
  sockets?: SocketsRound;
  endpoints?: EndpointsRound;
}

export interface DeliveryResult {
  benchmark: "delivery";
  conditions: Record<string, string | number>;
  /** Sums over all rounds. */
  counts: { sockets: SocketCounts; endpoints: EndpointCounts };
  median: DeliveryRound;
  rounds: DeliveryRound[];
}

/** Runs all rounds. Leaves no process and no file behind. */
export async function benchDelivery(options: DeliveryOptions): Promise<DeliveryResult> {
  await using run = await startRun(options);
  const dns = run.child<DnsHandlers>("dns.child.ts");
  const sink = run.child<SinkHandlers>("sink.child.ts");
  const load = run.child<LoadHandlers>("load.child.ts");

  const { privateKey, zone } = newSender();
  const dnsAddress = await dns.call("start", zone);
  const count = MESSAGES_PER_ROUND * options.rounds;
  options.progress(`signing ${count} messages`);
  const messageBytes = await load.call("prepare", { count, privateKey, to: "agents@agents.example" });
  let next = 0;
  const reserve = (count: number) => {
    next += count;
    return next - count;
  };

  const counts = {
    sockets: { messages: 0, frames: 0, doubles: 0, strays: 0, closed: 0 },
    endpoints: { messages: 0, webhooks: 0, duplicates: 0 },
  };
  const rounds: DeliveryRound[] = [];
  for await (const round of run.rounds()) {
    // A new process for each round, because it counts the sockets that a server has closed.
    const listeners = run.child<ListenersHandlers>("listeners.child.ts");
    const bench = { options, load, listeners, sink, dns, dnsAddress, reserve, ...round };
    const within = async (name: string) => {
      const folder = join(round.folder, name);
      await mkdir(folder);
      return { ...bench, folder };
    };
    const measured: DeliveryRound = {};
    if (options.part !== "endpoints") measured.sockets = await socketsRound(await within("sockets"), counts.sockets);
    await listeners.stop();
    if (options.part !== "sockets")
      measured.endpoints = await endpointsRound(await within("endpoints"), run, counts.endpoints);
    rounds.push(measured);
  }
  return {
    benchmark: "delivery",
    conditions: {
      ...run.conditions(),
      listeners: options.listeners,
      waiting: options.waiting,
      message_bytes: messageBytes,
      raised_limits: settingsText(raisedLimits),
    },
    counts,
    median: medians(rounds),
    rounds,
  };
}
