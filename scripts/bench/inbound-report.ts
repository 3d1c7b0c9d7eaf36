import type { InboundResult } from "./inbound.ts";
import { atLeast, below, cores, cpu, mark, percent, type Row, table, times, whole } from "./table.ts";

/** The goals for the product on any machine, relative to the bare server on the same machine. */
const aims = { shareMin: 0.2, tenthWebhookP50MsMax: 15, idleMBMax: 90, readyMsMax: 300 };

/** The result as a readable table. */
export function inboundReport(result: InboundResult): string {
  const { bare, product, share } = result.median;
  const { counts, conditions } = result;
  const rows: Row[] = [
    ["", "bare smtp-server", "e2a", "aim"],
    ["messages/s (250s), connections kept", whole(bare.messagesPerSecond), whole(product.messagesPerSecond)],
    ["  share of the bare server", "", percent(share), atLeast(share, aims.shareMin)],
    ["webhooks/s", "", whole(product.webhooksPerSecond)],
    [
      "messages/s, one per connection",
      oneEach(bare.onePerConnection),
      whole(product.onePerConnection.messagesPerSecond),
    ],
    ["final dot → 250, p50 / p99 ms", times(bare.dotToReplyMs), times(product.dotToReplyMs)],
    ["final dot → webhook, p50 / p99 ms", "", times(product.dotToWebhookMs)],
    [`at a tenth (${whole(product.tenth.messagesPerSecond)}/s)`, "", ""],
    ["  final dot → 250, p50 / p99 ms", "", times(product.tenth.dotToReplyMs)],
    [
      "  final dot → webhook, p50 / p99 ms",
      "",
      times(product.tenth.dotToWebhookMs),
      below(product.tenth.dotToWebhookMs.p50, aims.tenthWebhookP50MsMax, "ms"),
    ],
    ["CPU ms per message, all threads / main", cpu(bare.cpuMsPerMessage), cpu(product.cpuMsPerMessage)],
    ["cores at full speed, all threads / main", "", cpu(product.cores)],
    ["cores used by the load / by programs not ours", cores(bare), cores(product)],
    ["RSS idle, MB", "", whole(product.rssMB.idle), below(product.rssMB.idle, aims.idleMBMax, "MB")],
    [
      "RSS after load / peak, MB",
      `– / ${whole(bare.rssPeakMB)}`,
      `${whole(product.rssMB.afterLoad)} / ${whole(product.rssMB.peak)}`,
    ],
    [
      "ready after, ms: empty folder",
      "",
      whole(product.readyMs.first),
      below(product.readyMs.first, aims.readyMsMax, "ms"),
    ],
    [
      "ready after, ms: started again",
      "",
      whole(product.readyMs.again),
      below(product.readyMs.again, aims.readyMsMax, "ms"),
    ],
  ];
  const each = result.rounds.map(
    ({ bare, product }) => `${whole(product.messagesPerSecond)} of ${whole(bare.messagesPerSecond)}`,
  );
  return [
    `Inbound, median of ${result.rounds.length}: ${conditions.message_bytes} byte messages, text and HTML, rsa-2048 DKIM, ` +
      `${conditions.connections} connections, pipelining ${conditions.pipelining}, ${conditions.database}`,
    `${conditions.product} · Bun ${conditions.bun} · ${conditions.cores} cores · ${conditions.seconds} s`,
    "",
    ...table(rows, 3),
    "",
    `each round, messages/s: ${each.join(", ")}`,
    `every 250 is stored, verified and delivered once: ${mark(isComplete(result))} ` +
      `(${counts.replies} × 250, ${counts.stored} in the API, ${counts.verified} of them verified, ` +
      `${counts.webhooks} verified webhooks, ${counts.duplicates} twice)`,
    `DNS questions per round: ${whole(product.dnsQuestions)}`,
    `limits raised: ${conditions.raised_limits}`,
  ].join("\n");
}

/** Whether no message was lost, duplicated or left unverified. */
export function isComplete({ counts }: InboundResult): boolean {
  const { replies, stored, verified, webhooks, duplicates } = counts;
  return replies === stored && replies === verified && replies === webhooks && duplicates === 0;
}

const oneEach = ({ paused, prompt }: { paused: number; prompt: number }) =>
  `${whole(prompt)} (with its pause ${whole(paused)})`;
