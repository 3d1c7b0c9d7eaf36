import { generateKeyPairSync } from "node:crypto";
import { within } from "./child.ts";
import type { NodemailerHandlers } from "./nodemailer.child.ts";
import { addressOf, agentSlugs, type OutboundBench, readers } from "./outbound-load.ts";
import { type CpuUse, memoryMB, scaled, startMeter } from "./process.ts";
import type { Run } from "./run.ts";
import { perSecond, SERIES_TIMEOUT_MS, sharedDomain, WARM_UP_MESSAGES } from "./series.ts";

/** nodemailer's pooled transport in one round. */
export interface BareTransport {
  messagesPerSecond: number;
  cpuMsPerMessage: CpuUse;
  rssPeakMB: number;
  otherCores: number;
}

export interface BareRound {
  unsigned: BareTransport;
  /** Signed by nodemailer itself with one rsa-2048 key; it does not support ed25519. */
  signed: BareTransport;
}

const { privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "der" },
});

export async function bareRound(bench: OutboundBench, run: Run): Promise<BareRound> {
  bench.say("nodemailer's pool alone");
  const unsigned = await measure(bench, run, null);
  bench.say("nodemailer's pool alone, signing");
  return { unsigned, signed: await measure(bench, run, { domain: sharedDomain, privateKey }) };
}

async function measure(
  { options, mailSink }: OutboundBench,
  run: Run,
  dkim: { domain: string; privateKey: string } | null,
): Promise<BareTransport> {
  const child = run.child<NodemailerHandlers>("nodemailer.child.ts");
  await child.call("start", { port: mailSink.port, connections: options.connections, dkim });
  const from = agentSlugs(options.senders).map(addressOf);
  const send = (count: number) =>
    within(SERIES_TIMEOUT_MS, `sending ${count} messages`, child.call("run", { from, to: readers, first: 0, count }));
  await send(WARM_UP_MESSAGES);
  const readMeter = startMeter(child.pid, [mailSink.pid]);
  const series = await send(options.messages);
  const meter = readMeter();
  const rssPeakMB = memoryMB(child.pid).peak;
  await child.stop();
  return {
    messagesPerSecond: perSecond(series),
    cpuMsPerMessage: scaled(meter.server, 1000 / options.messages),
    rssPeakMB,
    otherCores: meter.otherCores,
  };
}
