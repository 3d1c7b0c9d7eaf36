/** Outbound mail, from the API call to an upstream or to another agent's webhook, beside nodemailer's pool alone. */
import { startMailSink } from "./mail-sink.ts";
import { type BareRound, bareRound } from "./outbound-bare.ts";
import { type OutboundOptions, readers } from "./outbound-load.ts";
import { type Counts, type ProductRound, productRound, raisedLimits, type Sample } from "./outbound-product.ts";
import { settingsText, startRun } from "./run.ts";
import type { SendersHandlers } from "./senders.child.ts";
import type { SinkHandlers } from "./sink.child.ts";
import { median, medians } from "./statistics.ts";

/** The product's rate to the sink as a share of nodemailer's. */
export interface Shares {
  waiting: { ofUnsigned: number; ofSigned: number };
  queued: { ofUnsigned: number; ofSigned: number };
}

export interface OutboundResult {
  benchmark: "outbound";
  conditions: Record<string, string | number>;
  /** Sums over all rounds. */
  counts: Counts;
  sample: Sample;
  median: { bare: BareRound; product: ProductRound; shares: Shares };
  rounds: { bare: BareRound; product: ProductRound }[];
}

/** Runs all rounds to one sink, alternating between bare and product. Leaves no process and no file behind. */
export async function benchOutbound(options: OutboundOptions): Promise<OutboundResult> {
  await using run = await startRun(options);
  const mailSink = await startMailSink(run);
  const webhooks = run.child<SinkHandlers>("sink.child.ts");
  const senders = run.child<SendersHandlers>("senders.child.ts");

  const counts: Counts = {
    outsideCalls: 0,
    outsideSent: 0,
    outsideTaken: 0,
    relayCalls: 0,
    relayDelivered: 0,
    webhooks: 0,
    duplicates: 0,
  };
  let sample: Sample = { bytes: 0, signatures: [] };
  const rounds: OutboundResult["rounds"] = [];
  for await (const round of run.rounds()) {
    const bench = { options, senders, webhooks, mailSink, ...round };
    const bare = await bareRound(bench, run);
    const { sample: seen, ...product } = await productRound(bench, run, counts);
    sample = seen;
    rounds.push({ bare, product });
  }
  return {
    benchmark: "outbound",
    conditions: {
      ...run.conditions(),
      senders: options.senders,
      recipients: readers.length,
      sink: mailSink.name,
      raised_limits: settingsText(raisedLimits),
    },
    counts,
    sample,
    median: {
      bare: medians(rounds.map((round) => round.bare)),
      product: medians(rounds.map((round) => round.product)),
      shares: { waiting: sharesOf("waiting", rounds), queued: sharesOf("queued", rounds) },
    },
    rounds,
  };
}

function sharesOf(series: "waiting" | "queued", rounds: OutboundResult["rounds"]) {
  const share = (transport: keyof BareRound) =>
    median(rounds.map(({ bare, product }) => product[series].messagesPerSecond / bare[transport].messagesPerSecond));
  return { ofUnsigned: share("unsigned"), ofSigned: share("signed") };
}
