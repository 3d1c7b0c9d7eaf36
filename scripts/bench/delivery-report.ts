import type { DeliveryResult } from "./delivery.ts";
import type { EndpointsRound } from "./delivery-endpoints.ts";
import type { SocketsRound } from "./delivery-sockets.ts";
import { cpu, mark, type Row, table, times, whole } from "./table.ts";

/** How much slower live endpoints may get beside the pile, at the 99th percentile. */
const P99_RATIO_MAX = 1.5;

/** The result as readable tables. */
export function deliveryReport(result: DeliveryResult): string {
  const { conditions, median, counts } = result;
  const { sockets, endpoints } = median;
  return [
    `Delivery, median of ${result.rounds.length}: ${conditions.message_bytes} byte messages, text and HTML, rsa-2048 DKIM, ` +
      `${conditions.connections} SMTP connections, ${conditions.database}`,
    `${conditions.product} · Bun ${conditions.bun} · ${conditions.cores} cores · ${conditions.seconds} s`,
    ...(sockets ? ["", ...table(socketRows(sockets, Number(conditions.listeners)), 2)] : []),
    ...(endpoints ? ["", ...table(endpointRows(endpoints, Number(conditions.waiting)), 3)] : []),
    "",
    ...(sockets
      ? [
          `each message one frame at its own listener, no listener closed: ${mark(socketsAreComplete(counts.sockets))} ` +
            `(${counts.sockets.messages} messages, ${counts.sockets.frames} frames, ${counts.sockets.doubles} twice, ` +
            `${counts.sockets.strays} astray, ${counts.sockets.closed} listeners closed)`,
        ]
      : []),
    ...(endpoints
      ? [
          `each message one verified webhook: ${mark(endpointsAreComplete(counts.endpoints))} ` +
            `(${counts.endpoints.messages} messages, ${counts.endpoints.webhooks} webhooks, ${counts.endpoints.duplicates} twice)`,
        ]
      : []),
    `limits raised: ${conditions.raised_limits}`,
  ].join("\n");
}

function socketRows(sockets: SocketsRound, listeners: number): Row[] {
  const { rssMB, broadcast, burst } = sockets;
  return [
    [`${whole(listeners)} WebSockets`, ""],
    ["RSS before / with all connected, MB", `${whole(rssMB.before)} / ${whole(rssMB.connected)}`],
    ["  for each connection, kB", sockets.kBPerConnection.toFixed(1)],
    ["RSS after the bursts / peak, MB", `${whole(rssMB.afterBursts)} / ${whole(rssMB.peak)}`],
    ["cores with all connected and nothing to say", sockets.quietCores.toFixed(3)],
    ["handshakes/s", whole(sockets.handshakesPerSecond)],
    ["  GET /api/health meanwhile, p50 / p99 ms", times(sockets.healthMs)],
    ["one message to 1,000 agents: commit → frame, p50 / p99 ms", times(broadcast.commitToFrameMs)],
    ["  → last frame, ms", broadcast.lastFrameMs.toFixed(1)],
    ["1,000 messages to 1,000 agents, messages/s", whole(burst.messagesPerSecond)],
    ["  commit → frame, p50 / p99 ms", times(burst.commitToFrameMs)],
    ["  final dot → frame, p50 / p99 ms", times(burst.dotToFrameMs)],
    ["cores used by programs not ours", `${broadcast.otherCores.toFixed(2)} / ${burst.otherCores.toFixed(2)}`],
  ];
}

function endpointRows({ empty, piled, claimMs, p99Ratio, deadAttemptsPerSecond }: EndpointsRound, pile: number): Row[] {
  const aim = `≤ ${P99_RATIO_MAX} × ${mark(p99Ratio <= P99_RATIO_MAX)} (${p99Ratio.toFixed(2)})`;
  return [
    ["webhooks of live endpoints", "empty queue", `beside ${whole(pile)} for dead ones`, "aim"],
    ["commit → webhook, p50 / p99 ms", times(empty.commitToWebhookMs), times(piled.commitToWebhookMs), aim],
    ["one claim of 16, p50 / p99 ms", fine(claimMs.empty), fine(claimMs.piled)],
    ["first 200 messages after the start, s", empty.warmUpSeconds.toFixed(1), piled.warmUpSeconds.toFixed(1)],
    ["attempts/s at dead endpoints", "", whole(deadAttemptsPerSecond)],
    ["cores, all threads / main", cpu(empty.cores), cpu(piled.cores)],
    ["cores used by programs not ours", empty.otherCores.toFixed(2), piled.otherCores.toFixed(2)],
  ];
}

const fine = ({ p50, p99 }: { p50: number; p99: number }) => `${p50.toFixed(2)} / ${p99.toFixed(2)}`;

/** Whether each message arrived once, at the right place, and no listener was disconnected. */
export function isComplete({ counts }: DeliveryResult): boolean {
  return socketsAreComplete(counts.sockets) && endpointsAreComplete(counts.endpoints);
}

function socketsAreComplete({ messages, frames, doubles, strays, closed }: DeliveryResult["counts"]["sockets"]) {
  return messages === frames && doubles === 0 && strays === 0 && closed === 0;
}

function endpointsAreComplete({ messages, webhooks, duplicates }: DeliveryResult["counts"]["endpoints"]) {
  return messages === webhooks && duplicates === 0;
}
