/** Mail in, from the final dot to the webhook, beside a bare smtp-server that throws everything away. */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Child, startChild } from "./child.ts";
import type { DnsHandlers } from "./dns.child.ts";
import { type BareRound, bareRound } from "./inbound-bare.ts";
import { agent, type InboundOptions, partOf, warmUpMessages } from "./inbound-load.ts";
import { type Counts, type ProductRound, productRound, raisedLimits } from "./inbound-product.ts";
import type { LoadHandlers } from "./load.child.ts";
import { newSender } from "./mail.ts";
import type { SinkHandlers } from "./sink.child.ts";
import { median, medians } from "./statistics.ts";

export interface InboundResult {
  benchmark: "inbound";
  conditions: Record<string, string | number>;
  /** Over all rounds. */
  counts: Counts;
  median: { bare: BareRound; product: ProductRound; share: number };
  rounds: { bare: BareRound; product: ProductRound }[];
}

/** Runs all rounds, bare and product in turn. Leaves no process and no file behind. */
export async function benchInbound(options: InboundOptions): Promise<InboundResult> {
  const startedAt = new Date();
  await using cleanUp = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "e2a-bench-"));
  const remove = () => rmSync(root, { recursive: true, force: true });
  process.once("exit", remove);
  cleanUp.defer(remove);
  const child = <H extends Record<string, (argument: never) => unknown>>(file: string): Child<H> => {
    const started = startChild<H>(file);
    cleanUp.defer(() => started.stop());
    return started;
  };
  const dns = child<DnsHandlers>("dns.child.ts");
  const sink = child<SinkHandlers>("sink.child.ts");
  const load = child<LoadHandlers>("load.child.ts");

  const { privateKey, zone } = newSender();
  const dnsAddress = await dns.call("start", zone);
  const count = warmUpMessages + options.messages + 2 * partOf(options.messages);
  options.progress(`signing ${count} messages`);
  const messageBytes = await load.call("prepare", { count, privateKey, to: agent });

  const counts: Counts = { replies: 0, stored: 0, verified: 0, webhooks: 0, duplicates: 0 };
  const rounds: InboundResult["rounds"] = [];
  for (let number = 1; number <= options.rounds; number++) {
    const folder = join(root, `round-${number}`);
    await mkdir(folder);
    const say = (text: string) => options.progress(`round ${number} of ${options.rounds}: ${text}`);
    const bench = { options, load, sink, dns, dnsAddress, folder, say };
    rounds.push({ bare: await bareRound(bench), product: await productRound(bench, counts) });
  }
  const shares = rounds.map(({ bare, product }) => product.messagesPerSecond / bare.messagesPerSecond);
  return {
    benchmark: "inbound",
    conditions: {
      started_at: startedAt.toISOString(),
      seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
      cores: navigator.hardwareConcurrency,
      bun: Bun.version,
      product: options.command.join(" "),
      database: options.database,
      message_bytes: messageBytes,
      messages: options.messages,
      connections: options.connections,
      pipelining: options.pipelined ? "on" : "off",
      raised_limits: Object.entries(raisedLimits)
        .map(([name, value]) => `${name}=${value}`)
        .join(" "),
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
