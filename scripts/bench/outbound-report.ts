import type { OutboundResult, Shares } from "./outbound.ts";
import { atLeast, cores, cpu, mark, percent, type Row, table, times, whole } from "./table.ts";

/** The goal: this share of the rate of nodemailer's pool, on the same machine in the same run. */
const SHARE_MIN = 0.7;

/** The goal relative to a transport that does not sign, and to one that signs like the product. */
const aim = ({ ofUnsigned, ofSigned }: Shares["waiting"]) =>
  `${atLeast(ofUnsigned, SHARE_MIN)}, of the signing one ${mark(ofSigned >= SHARE_MIN)}`;

/** The result as a readable table. */
export function outboundReport(result: OutboundResult): string {
  const { bare, product, shares } = result.median;
  const { counts, conditions, sample } = result;
  const { waiting, queued, relayed, tenth } = product;
  const rows: Row[] = [
    ["", "nodemailer", "nodemailer, rsa", "e2a", "aim"],
    [
      "messages/s to the sink, call answered when sent",
      whole(bare.unsigned.messagesPerSecond),
      whole(bare.signed.messagesPerSecond),
      whole(waiting.messagesPerSecond),
    ],
    [
      "  share of the bare transport",
      percent(shares.waiting.ofUnsigned),
      percent(shares.waiting.ofSigned),
      "",
      aim(shares.waiting),
    ],
    ["  call → answer, p50 / p99 ms", "", "", times(waiting.answerMs)],
    ["messages/s to the sink, call answered when queued", "", "", whole(queued.messagesPerSecond)],
    [
      "  share of the bare transport",
      percent(shares.queued.ofUnsigned),
      percent(shares.queued.ofSigned),
      "",
      aim(shares.queued),
    ],
    ["  calls accepted/s", "", "", whole(queued.acceptedPerSecond)],
    ["  call → accepted, p50 / p99 ms", "", "", times(queued.acceptMs)],
    ["messages/s agent → agent, to the webhook", "", "", whole(relayed.messagesPerSecond)],
    ["  call → answer, p50 / p99 ms", "", "", times(relayed.answerMs)],
    ["  call → webhook, p50 / p99 ms", "", "", times(relayed.callToWebhookMs)],
    [`at a tenth (${whole(tenth.messagesPerSecond)}/s)`],
    ["  call → accepted, p50 / p99 ms", "", "", times(tenth.acceptMs)],
    ["  call → sent, p50 / p99 ms", "", "", times(tenth.sentMs)],
    [
      "CPU ms per message, all threads / main: when sent",
      cpu(bare.unsigned.cpuMsPerMessage),
      cpu(bare.signed.cpuMsPerMessage),
      cpu(waiting.cpuMsPerMessage),
    ],
    ["  when queued", "", "", cpu(queued.cpuMsPerMessage)],
    ["  agent → agent", "", "", cpu(relayed.cpuMsPerMessage)],
    ["cores, all threads / main: when sent", "", "", cpu(waiting.cores)],
    [
      "cores used by the load / by programs not ours",
      `– / ${bare.unsigned.otherCores.toFixed(2)}`,
      `– / ${bare.signed.otherCores.toFixed(2)}`,
      cores(waiting),
    ],
    ["RSS idle, MB", "", "", whole(product.rssMB.idle)],
    [
      "RSS after load / peak, MB",
      `– / ${whole(bare.unsigned.rssPeakMB)}`,
      `– / ${whole(bare.signed.rssPeakMB)}`,
      `${whole(product.rssMB.afterLoad)} / ${whole(product.rssMB.peak)}`,
    ],
  ];
  const each = result.rounds.map(
    ({ bare, product }) =>
      `${whole(product.waiting.messagesPerSecond)} and ${whole(product.queued.messagesPerSecond)} of ` +
      `${whole(bare.unsigned.messagesPerSecond)} (${whole(bare.signed.messagesPerSecond)} signed)`,
  );
  return [
    `Outbound, median of ${result.rounds.length}: ${sample.bytes} byte messages, DKIM ${sample.signatures.join(" and ")}, ` +
      `${conditions.senders} senders, ${conditions.connections} connections to ${conditions.sink}, ${conditions.database}`,
    `${conditions.product} · Bun ${conditions.bun} · ${conditions.cores} cores · ${conditions.seconds} s`,
    "",
    ...table(rows, 4),
    "",
    `each round, messages/s: ${each.join(", ")}`,
    `nothing lost, nothing doubled: ${mark(isComplete(result))} ` +
      `(${counts.outsideCalls} calls to the outside: ${counts.outsideSent} sent by the API, ${counts.outsideTaken} at the sink; ` +
      `${counts.relayCalls} to an agent: ${counts.relayDelivered} delivered by the API, ` +
      `${counts.webhooks} verified webhooks, ${counts.duplicates} twice)`,
    `limits raised: ${conditions.raised_limits}`,
  ].join("\n");
}

/**
 * Whether no message was lost, duplicated or left unsigned. The API shows a message as sent if the sink accepted it at
 * least once. So if the sink accepted no more messages than the API shows, it accepted each once.
 */
export function isComplete({ counts, sample }: OutboundResult): boolean {
  const { outsideCalls, outsideSent, outsideTaken, relayCalls, relayDelivered, webhooks, duplicates } = counts;
  const outside = outsideCalls === outsideSent && outsideCalls === outsideTaken;
  const relay = relayCalls === relayDelivered && relayCalls === webhooks && duplicates === 0;
  return outside && relay && sample.signatures.length > 0;
}
