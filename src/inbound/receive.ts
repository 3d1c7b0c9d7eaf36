import { createHash } from "node:crypto";
import { type Envelope, type ReadMail, splitAddress, type Verdict } from "../mail.ts";
import { type Report, tellsFate } from "../message/report/report.ts";
import { applyTraceInSteps } from "../message/trace.ts";
import { hideSignatures, type ReturnPaths } from "../return-path.ts";
import type { Accepted } from "../store/mail/inbound.ts";
import { keptOf } from "../store/mail/received.ts";
import type { Store } from "../store/store.ts";
import { giveAway } from "../store/thread-messages.ts";
import { concatInSteps } from "../util/concat.ts";
import { Failure } from "../util/errors.ts";
import { newId } from "../util/id.ts";
import type { Log } from "../util/log.ts";
import { type ReportedMessage, takeReport } from "./bounces.ts";
import type { Examination, Examined } from "./examine.ts";
import { addressedTo } from "./hidden-return-path.ts";

export interface ReceiveOptions {
  store: Store;
  log: Log;
  /** The authserv-id in the results of mail that this server wrote itself (RFC 8601 2.5). */
  hostname: string;
  /** Examines a message in another process, so that it cannot use up this one's time or memory. */
  examine(pieces: readonly Uint8Array[], job: Examination): Promise<Examined>;
  /** Its postmaster reads what comes back and is for nobody else. */
  sharedDomain: string;
  /** Recognises recipients that are not mailboxes but return paths of mail that we sent. */
  returnPaths: ReturnPaths;
  /** What to do if DNS fails and nothing else proves the sender: accept the mail and mark it, or have it sent again. */
  dnsTrouble: "accept" | "defer";
  /** What to do if a DMARC check fails for a domain with p=reject. */
  dmarcReject: "accept" | "refuse";
}

export interface Recipient {
  /** The address in the envelope. */
  address: string;
  /** The mailbox it reaches. */
  mailbox: string;
}

/** What a recipient's address is, if it is a return path, and the id of the message that it gets. */
interface Returned {
  ref: ReturnType<ReturnPaths["read"]>;
  messageId: string;
}

export type Receive = (
  envelope: Envelope,
  recipients: Recipient[],
  /** The message in one piece, or in the pieces in which it arrived. */
  raw: Uint8Array | readonly Uint8Array[],
  /** Set for mail that this server wrote itself: it is proven without DNS, because no other host handled it. */
  local?: { domain: string },
) => Promise<{ id: string; accepted: Accepted[] }>;

/**
 * Creates the function that receives one message, from the final dot to its rows.
 *
 * examine (recognise reports, authenticate, trace, read) → take reports → screen → one transaction. The promise
 * resolves only after the commit, so "250" means stored. Throws a Failure, which the SMTP side turns into a reply.
 */
export function createReceive(options: ReceiveOptions): Receive {
  const { store, log, hostname } = options;

  return async function receive(envelope, recipients, raw, local) {
    const pieces = raw instanceof Uint8Array ? [raw] : raw;
    const sorted = recipients.map((recipient) => ({
      ...recipient,
      // The server itself never writes reports.
      ref: local ? null : options.returnPaths.read(recipient.address),
      // Each recipient has its own message id; the first is the queue id that the client sees.
      messageId: newId("msg"),
    }));
    const mailboxes = sorted.filter(({ ref }) => ref === null).map(({ ref: _, ...recipient }) => recipient);
    const refs = sorted.flatMap(({ ref }) => (ref && ref !== "forged" ? [ref] : []));
    const queueId = (mailboxes[0] ?? sorted[0])?.messageId ?? newId("msg");
    const { report, message } = await options.examine(pieces, {
      envelope,
      queueId,
      toReturnPath: refs.length > 0,
      toMailbox: mailboxes.length > 0 || refs.length === 0,
      ...(local ? { verdict: localVerdict(local.domain, hostname) } : {}),
    });
    await take(report, refs, envelope);
    const isReport = report !== null && report.kind !== "disposition";
    const answers = report === null || !tellsFate(report) ? await answersTo(sorted, report) : [];
    const addressed = [...(isReport ? mailboxes.map(toPostmaster) : mailboxes), ...answers];
    if (message === null || addressed.length === 0) return { id: newId("msg"), accepted: [] };
    const { verdict, storedSha256, receivedSha256 } = message;
    const [answer] = answers;
    const mail = answer ? addressedTo(answer.mailbox, message.mail, options.returnPaths) : message.mail;
    const kept = refs.length > 0 ? [await unsigned(pieces)] : pieces;
    const bytes = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    screen(verdict, options);

    const accepted = await store.acceptInbound({
      envelopeFrom: envelope.mailFrom,
      recipients: addressed,
      raw: { sha256: storedSha256, bytes: giveAway(await applyTraceInSteps(kept, message.trace)) },
      ...keptOf(mail),
      entityType: local ? "agent" : "human",
      verdict,
      autoSubmitted: message.autoSubmitted,
      listId: message.listId,
      precedence: message.precedence,
      dedupeKey: dedupeKey(envelope, mail, receivedSha256, verdict),
      receivedAt: envelope.receivedAt,
    });
    // There is nobody left to answer.
    if (accepted.length === 0 && addressed.length === answers.length) return { id: newId("msg"), accepted };
    if (accepted.length === 0)
      throw new Failure("unavailable", "The mailbox is being deleted; try again later.", {
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
        bytes,
        defects: mail.defects.length,
      });
    const first = accepted.find(({ message }) => message.id === queueId) ?? accepted[0];
    return { id: first?.message.id ?? queueId, accepted };
  };

  /**
   * Whom mail is for that came to signed return paths and does not say what became of a message. A vacation notice, a
   * challenge, a person's answer, a bounce that nobody can read and a read receipt are for the agent that wrote, in the
   * conversation of its message. Reports in a form that cannot be read, and what is about mail that the server wrote
   * itself or has no more, are for the postmaster.
   */
  async function answersTo(recipients: (Omit<Recipient, "mailbox"> & Returned)[], report: Report | null) {
    const answers: (Recipient & { messageId: string; conversationId?: string })[] = [];
    for (const { ref, messageId } of recipients) {
      if (!ref || ref === "forged") continue;
      const sender = await store.senderOf(ref.messageId);
      const isForAgent = report === null || report.kind === "disposition";
      // The row names the mailbox, and nowhere the signed address, which its own reports could use.
      if (sender && isForAgent) {
        const { agentId, conversationId } = sender;
        answers.push({ address: agentId, mailbox: agentId, messageId, conversationId });
      } else {
        const domain = (sender && splitAddress(sender.agentId)?.domain) ?? options.sharedDomain;
        answers.push({ address: `postmaster@${domain}`, mailbox: `postmaster@${domain}`, messageId });
      }
    }
    return answers;
  }

  /**
   * Takes reports of other mail systems, which are not mail for an agent. Those that come to a signed return path are
   * about one of our messages and are recorded. Others, which anyone may have written, go to the domain's postmaster.
   */
  async function take(report: Report | null, refs: ReportedMessage[], envelope: Envelope): Promise<void> {
    const context = { store, log, now: envelope.receivedAt };
    // Complaints come to an address that the domain's owner gave to the provider; the copy inside has the return path.
    const complainedOf = report?.kind === "complaint" && options.returnPaths.read(report.returnPath ?? "");
    if (complainedOf && complainedOf !== "forged" && refs.length === 0) await takeReport(report, complainedOf, context);
    if (report) for (const ref of refs) await takeReport(report, ref, context);
  }
}

/** The message without the signatures of return paths, as `examine` read it. */
async function unsigned(pieces: readonly Uint8Array[]): Promise<Buffer> {
  const bytes = await concatInSteps(pieces);
  for (const _ of hideSignatures(bytes)) await new Promise(setImmediate);
  return bytes;
}

function toPostmaster<R extends Recipient>(recipient: R): R {
  return { ...recipient, mailbox: `postmaster@${splitAddress(recipient.mailbox)?.domain}` };
}

/** Refuses what the operator wants refused. By default everything is accepted and marked, and agents decide. */
function screen(verdict: Verdict, options: ReceiveOptions) {
  const { spf, dkim, dmarc } = verdict.authentication;
  const trouble = [spf.result, dmarc.result, ...dkim.map((signature) => signature.result)].includes("temperror");
  if (!verdict.verified && trouble && options.dnsTrouble === "defer")
    throw new Failure("dns_trouble", "The sender could not be verified because DNS did not answer; try again later.");
  if (dmarc.result === "fail" && dmarc.policy === "reject" && options.dmarcReject === "refuse")
    throw new Failure("message_refused", "The From domain's DMARC policy asks to refuse mail that fails its check.");
}

/**
 * A key for a message as its client offers it, so that a repeated offer after a lost "250" finds the first copy.
 * Without a Message-ID, two equal messages may both be intended. The verdict is part of the key: an earlier forged copy
 * must not hide the proven one.
 */
function dedupeKey(envelope: Envelope, mail: ReadMail, receivedSha256: string, verdict: Verdict): string | null {
  if (!mail.messageId) return null;
  const parts = [envelope.mailFrom.toLowerCase(), mail.messageId, receivedSha256, String(verdict.verified)];
  return createHash("sha256").update(parts.join("\n")).digest("hex");
}

function localVerdict(domain: string, hostname: string): Verdict {
  return {
    authentication: {
      spf: { result: "none", domain },
      dkim: [],
      dmarc: { result: "none", policy: null, aligned_by: [] },
      arc: { result: "none" },
      unsigned: [],
    },
    verified: true,
    verifiedDomain: domain,
    domainCheck: "local=pass",
    authenticationResults: `${hostname}; none`,
  };
}
