/** Inbound mail, from the final dot to the webhook, beside a bare smtp-server that discards everything. */
import type { DnsHandlers } from "./dns.child.ts";
import { type BareRound, bareRound } from "./inbound-bare.ts";
import { agent, type InboundOptions } from "./inbound-load.ts";
import { type Counts, type ProductRound, productRound, raisedLimits } from "./inbound-product.ts";
import type { LoadHandlers } from "./load.child.ts";
import { newSender } from "./mail.ts";
import { settingsText, startRun } from "./run.ts";
import { partOf, WARM_UP_MESSAGES } from "./series.ts";
import type { SinkHandlers } from "./sink.child.ts";
import { median, medians } from "./statistics.ts";

export interface InboundResult {
  benchmark: "inbound";
  conditions: Record<string, string | number>;
  /** Sums over all rounds. */
  counts: Counts;
  median: { bare: BareRound; product: ProductRound; share: number };
  rounds: { bare: BareRound; product: ProductRound }[];
}

/** Runs all rounds, alternating between bare and product. Leaves no process and no file behind. */
export async function benchInbound(options: InboundOptions): Promise<InboundResult> {
  await using run = await startRun(options);
  const dns = run.child<DnsHandlers>("dns.child.ts");
  const sink = run.child<SinkHandlers>("sink.child.ts");
  const load = run.child<LoadHandlers>("load.child.ts");

  const { privateKey, zone } = newSender();
  const dnsAddress = await dns.call("start", zone);
  const count = WARM_UP_MESSAGES + options.messages + 2 * partOf(options.messages);
  options.progress(`signing ${count} messages`);
  const messageBytes = await load.call("prepare", { count, privateKey, to: agent });

  const counts: Counts = { replies: 0, stored: 0, verified: 0, webhooks: 0, duplicates: 0 };
  const rounds: InboundResult["rounds"] = [];
  for await (const round of run.rounds()) {
    const bench = { options, load, sink, dns, dnsAddress, ...round };
    rounds.push({ bare: await bareRound(bench), product: await productRound(bench, counts) });
  }
  const shares = rounds.map(({ bare, product }) => product.messagesPerSecond / bare.messagesPerSecond);
  return {
    benchmark: "inbound",
    conditions: {
      ...run.conditions(),
      message_bytes: messageBytes,
      pipelining: options.pipelined ? "on" : "off",
      raised_limits: settingsText(raisedLimits),
    },
    counts,
    median: {
      bare: medians(rounds.map((round) => round.bare)),
      product: medians(rounds.map((round) => round.product)),
      share: median(shares),
    },
    rounds,
  };
}
