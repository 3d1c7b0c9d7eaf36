/** One client's SMTP dialogue, decided step by step, independently of the library that speaks the protocol. */

import type { Envelope } from "../mail.ts";
import { hostName } from "../net/host-name.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import type { ClientCounts } from "./smtp-limits.ts";
import { asRefusal, Refusal } from "./smtp-reply.ts";

/** An accepted recipient: the address as given, and the mailbox it reaches. */
export interface AcceptedRecipient {
  address: string;
  mailbox: string;
}

export interface SessionSettings {
  /** MAIL commands per connection. */
  maxMessagesPerConnection: number;
  /** Recipients per message. */
  maxRecipients: number;
  clock: Clock;
  log: Log;
  /** Finds the mailbox that an address reaches, or null. `postmaster` comes without a domain. May throw Failure. */
  resolveRecipient(address: string, client: { remoteAddress: string }): Promise<{ mailbox: string } | null>;
  /**
   * Stores the message durably and resolves after the commit. The pieces live until then. Throws Failure, whose reply
   * the client gets.
   */
  receive(envelope: Envelope, recipients: AcceptedRecipient[], pieces: readonly Uint8Array[]): Promise<{ id: string }>;
}

/** The argument of MAIL or RCPT. */
export interface Path {
  address: string;
  /** Names of its ESMTP parameters, in capitals. */
  parameters: string[];
  /** Whether the transaction is SMTPUTF8 (RFC 6531). */
  utf8: boolean;
}

/** The facts about one message that the dialogue gave, besides its recipients. */
export type EnvelopeFacts = Pick<Envelope, "mailFrom" | "helo" | "protocol">;

/** Recipients permanently refused before the connection is closed. A client that guesses addresses soon gets there. */
const REFUSED_RECIPIENTS_MAX = 20;
/** RCPT commands per transaction, as a multiple of its recipient limit: repeated recipients are answered too. */
const REPEATS_MAX = 2;
const mailParameters = ["SIZE", "BODY", "SMTPUTF8"];
const rcptParameters: string[] = [];

export class Session {
  tls: Envelope["tls"];
  private messages = 0;
  private refusedRecipients = 0;
  /** RCPT commands since the last MAIL. */
  private askedRecipients = 0;
  private leaveCounts?: () => void;

  constructor(
    private readonly settings: SessionSettings,
    private readonly clients: ClientCounts,
    readonly remoteAddress: string,
  ) {}

  /** Throws a Refusal if there is no room for another connection. */
  enter(): void {
    this.leaveCounts = this.clients.enter(this.remoteAddress);
  }

  leave(): void {
    this.leaveCounts?.();
  }

  /** Checks MAIL FROM and returns the reverse-path. Throws a Refusal. */
  mailFrom(path: Path): string {
    const address = checked(path, mailParameters);
    if (this.messages >= this.settings.maxMessagesPerConnection)
      throw new Refusal(421, "4.7.0", "Too many messages on this connection; open another one");
    // Counted here and not after DATA: a transaction that fails costs the same look-ups.
    this.clients.countMessage(this.remoteAddress);
    this.messages += 1;
    this.askedRecipients = 0;
    return address;
  }

  /** Finds the mailbox. Throws a Refusal, or what the look-up threw. */
  async rcptTo(path: Path): Promise<AcceptedRecipient> {
    this.askedRecipients += 1;
    if (this.askedRecipients > REPEATS_MAX * this.settings.maxRecipients)
      throw new Refusal(421, "4.7.0", "Too many RCPT commands for one message");
    try {
      const address = checked(path, rcptParameters);
      const found = await this.settings.resolveRecipient(address, { remoteAddress: this.remoteAddress });
      if (!found) throw new Refusal(550, "5.1.1", `<${address}>: no such mailbox here; check the address`);
      return { address, mailbox: found.mailbox };
    } catch (error) {
      if (asRefusal(error).responseCode >= 500) this.refusedRecipients += 1;
      if (this.refusedRecipients < REFUSED_RECIPIENTS_MAX) throw error;
      throw new Refusal(421, "4.7.0", "Too many recipients were refused on this connection");
    }
  }

  /** Has the message stored and returns the text of the 250. Throws what `receive` throws. */
  async message(facts: EnvelopeFacts, recipients: AcceptedRecipient[], pieces: readonly Uint8Array[]): Promise<string> {
    const { clock, log, receive } = this.settings;
    const receivedAt = new Date(clock.now());
    const startedAt = clock.elapsed();
    const envelope: Envelope = {
      ...facts,
      rcptTo: recipients.map(({ address }) => address),
      remoteAddress: this.remoteAddress,
      ...(this.tls && { tls: this.tls }),
      receivedAt,
    };
    const { id } = await receive(envelope, recipients, pieces);
    log.debug("smtp.accepted", {
      message: id,
      client: this.remoteAddress,
      recipients: recipients.length,
      bytes: pieces.reduce((sum, piece) => sum + piece.length, 0),
      protocol: facts.protocol,
      ms: Math.round(clock.elapsed() - startedAt),
    });
    return `2.0.0 Ok: queued as ${id}`;
  }

  /** Makes the reply to an error of a command. Its cause is only logged. */
  refusal(command: string, error: unknown): Refusal {
    const refusal = asRefusal(error);
    const fields = { client: this.remoteAddress, command, reply: refusal.responseCode, status: refusal.enhanced };
    if (refusal.enhanced === "4.3.0") this.settings.log.error("smtp.failed", fields, error);
    else this.settings.log.info("smtp.refused", fields);
    return refusal;
  }
}

/**
 * The address as given, with an internationalised domain in A-labels. Throws a Refusal for unknown parameters (RFC 5321
 * 4.1.1.11) and for characters outside ASCII without SMTPUTF8 (RFC 6531 3.4).
 */
function checked({ address: given, parameters, utf8 }: Path, known: readonly string[]): string {
  const unknown = parameters.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Refusal(555, "5.5.4", `Parameter ${unknown} is not supported`);
  // U+FFFD stands for bytes that were not UTF-8.
  if (given.includes("\ufffd")) throw new Refusal(553, "5.6.7", "The address is not valid UTF-8");
  const address = given.toLowerCase() === "postmaster" ? "postmaster" : withAsciiDomain(given);
  if (!utf8 && !isAscii(address))
    throw new Refusal(553, "5.6.7", "An address with characters outside ASCII needs SMTPUTF8");
  return address;
}

/**
 * smtp-server always passes on U-labels; DNS and our tables use A-labels (RFC 5890 2.3.2.1). A domain without A-labels
 * of its own stays as it is: converted to another name, it would be proven by that name's records.
 */
function withAsciiDomain(address: string): string {
  const at = address.lastIndexOf("@");
  const domain = address.slice(at + 1);
  return isAscii(domain) ? address : address.slice(0, at + 1) + (hostName(domain) ?? domain);
}

function isAscii(text: string): boolean {
  return !/[^\x20-\x7e]/.test(text);
}
