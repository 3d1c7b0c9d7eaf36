/** Shared by both sides of the outbound benchmark. */
import type { Child } from "./child.ts";
import type { MailSink } from "./mail-sink.ts";
import type { Round, RunOptions } from "./run.ts";
import type { SendersHandlers } from "./senders.child.ts";
import { sharedDomain } from "./series.ts";
import type { SinkHandlers } from "./sink.child.ts";

export interface OutboundOptions extends RunOptions {
  /** Agents that send at the same time, each over its own connection. `connections` are those to the sink. */
  senders: number;
}

/** The context of a round. */
export interface OutboundBench extends Round {
  options: OutboundOptions;
  senders: Child<SendersHandlers>;
  webhooks: Child<SinkHandlers>;
  mailSink: MailSink;
}

/** How many recipients the agents write to, in turn. */
const READERS_COUNT = 100;
export const readers = Array.from({ length: READERS_COUNT }, (_, i) => `reader-${i + 1}@outside.example`);

export const agentSlugs = (count: number) => Array.from({ length: count }, (_, i) => `sender-${i + 1}`);
export const addressOf = (slug: string) => `${slug}@${sharedDomain}`;
