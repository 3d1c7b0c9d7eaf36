import { createHash } from "node:crypto";
import type { Resolver } from "../dns.ts";
import { Failure } from "../errors.ts";
import { newId } from "../id.ts";
import type { Log } from "../log.ts";
import type { Envelope, ReadMail, Verdict } from "../mail.ts";
import type { Accepted } from "../store/inbound.ts";
import type { Store } from "../store/store.ts";
import { authenticate } from "./authenticate.ts";
import { type ReadLimits, readMail } from "./read.ts";
import { countReceived, withTrace } from "./trace.ts";

export interface ReceiveOptions {
  store: Store;
  resolver: Resolver;
  log: Log;
  /** Our name in trace fields, and the authserv-id of our results (RFC 8601 2.5). */
  hostname: string;
  /** Time for the whole verification with all its DNS questions. */
  verifyBudgetMs: number;
  limits: ReadLimits;
  /** Received fields a message may carry before it counts as looping (RFC 5321 6.3). */
  hopsMax: number;
  /** What DNS trouble means while nothing else proves the sender: take it marked, or have it offered again. */
  dnsTrouble: "accept" | "defer";
  /** What a failed DMARC check of a domain with p=reject means. */
  dmarcReject: "accept" | "refuse";
}

export interface Recipient {
  /** As the envelope gave it. */
  address: string;
  /** The mailbox it reaches. */
  mailbox: string;
}

export type Receive = (
  envelope: Envelope,
  recipients: Recipient[],
  raw: Uint8Array,
  /** Mail that this server wrote itself: proven without DNS, because nobody else had it in hand. */
  local?: { domain: string },
) => Promise<{ id: string; accepted: Accepted[] }>;

/**
 * The way in: one message from the final dot to its rows.
 *
 * authenticate → screen → trace → read → one transaction. The promise resolves after the commit
 * and not before, so "250" means stored. Throws a Failure that the SMTP door turns into a reply.
 */
export function createReceive(options: ReceiveOptions): Receive {
  const { store, log, hostname } = options;

  return async function receive(envelope, recipients, raw, local) {
    const hops = countReceived(raw);
    if (hops > options.hopsMax)
      throw new Failure("mail_loop", `The message has passed ${hops} hosts; it seems to loop.`);

    const verdict = local
      ? localVerdict(local.domain, hostname)
      : await authenticate(raw, envelope, {
          resolver: options.resolver,
          budgetMs: options.verifyBudgetMs,
          authservId: hostname,
        });
    screen(verdict, options);

    // Each recipient has a message id of its own; the first one is the queue id the sender sees.
    const addressed = recipients.map((recipient) => ({ ...recipient, messageId: newId("msg") }));
    const queueId = addressed[0]?.messageId ?? "";
    const [only, ...others] = recipients;
    const stored = withTrace(raw, {
      envelope,
      hostname,
      id: queueId,
      verdict,
      ...(only && others.length === 0 ? { recipient: only.address } : {}),
    });
    // Read is what is stored: a field that was removed as forged must not come back by another way.
    const mail = await readMail(stored, options.limits);

    const accepted = await store.acceptInbound({
      envelopeFrom: envelope.mailFrom,
      recipients: addressed,
      raw: { sha256: sha256(stored), bytes: stored },
      content: {
        text: mail.text,
        html: mail.html,
        replyText: mail.replyText,
        headers: mail.headers,
        attachments: mail.attachments,
        defects: mail.defects,
      },
      emailMessageId: mail.messageId,
      references: [...mail.references, ...mail.inReplyTo],
      from: mail.from,
      to: mail.to,
      cc: mail.cc,
      replyTo: mail.replyTo,
      subject: mail.subject,
      snippet: mail.snippet,
      entityType: local ? "agent" : "human",
      verdict,
      dedupeKey: dedupeKey(envelope, mail, raw, verdict),
      receivedAt: envelope.receivedAt,
    });
    if (accepted.length === 0)
      throw new Failure("unavailable", "The mailbox is going away; try again later.", {
        cause: new Error("every mailbox of the message was deleted between RCPT and commit"),
      });

    for (const { message, fresh } of accepted)
      log.info(fresh ? "message.received" : "message.offered_again", {
        message: message.id,
        agent: message.agentId,
        verified: message.verified,
        checks: message.domainCheck,
        client: envelope.remoteAddress,
        protocol: envelope.protocol,
        bytes: raw.byteLength,
        defects: mail.defects.length,
      });
    const first = accepted.find(({ message }) => message.id === queueId) ?? accepted[0];
    return { id: first?.message.id ?? queueId, accepted };
  };
}

/** Refuses what the operator wants refused; by default everything is taken and marked, and agents decide. */
function screen(verdict: Verdict, options: ReceiveOptions) {
  const { spf, dkim, dmarc } = verdict.authentication;
  const trouble = [spf.result, dmarc.result, ...dkim.map((signature) => signature.result)].includes("temperror");
  if (!verdict.verified && trouble && options.dnsTrouble === "defer")
    throw new Failure("dns_trouble", "The sender could not be verified because DNS did not answer; try again later.");
  if (dmarc.result === "fail" && dmarc.policy === "reject" && options.dmarcReject === "refuse")
    throw new Failure("message_refused", "The From domain's DMARC policy asks to refuse mail that fails its check.");
}

/**
 * Names a message as its sender offers it, so that the same offer after a lost "250" finds the
 * first copy. Without a Message-ID two equal messages may both be meant. The verdict is part of
 * it: a copy that somebody forged earlier must not hide the proven one.
 */
function dedupeKey(envelope: Envelope, mail: ReadMail, raw: Uint8Array, verdict: Verdict): string | null {
  if (!mail.messageId) return null;
  const parts = [envelope.mailFrom.toLowerCase(), mail.messageId, sha256(raw), String(verdict.verified)];
  return sha256(parts.join("\n"));
}

function localVerdict(domain: string, hostname: string): Verdict {
  return {
    authentication: {
      spf: { result: "none", domain },
      dkim: [],
      dmarc: { result: "none", policy: null, aligned_by: [] },
      arc: { result: "none" },
    },
    verified: true,
    verifiedDomain: domain,
    domainCheck: "local=pass",
    authenticationResults: `${hostname}; none`,
  };
}

function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}
