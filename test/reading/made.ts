import type { Mailbox } from "../../src/mail.ts";

/** What a generated message says. What is undefined can be read in more than one way, or not at all. */
export interface Truth {
  from?: Mailbox[];
  to?: Mailbox[];
  cc?: Mailbox[];
  replyTo?: Mailbox[];
  subject?: string;
  messageId?: string;
  inReplyTo?: string[];
  references?: string[];
  /** ISO 8601. */
  date?: string;
  /** With one space for each run of white space. */
  text?: string;
  files?: { name: string | undefined; type: string; sha256: string; contentId: string | undefined }[];
}

/** A part that must not get lost as long as its bytes are in the message as they were written. */
export interface Kept {
  /** The content as it was written, without its last line end. */
  wire: Buffer;
  /** The words of a text, or of a file of text. */
  words: string[];
  /** The content of a file; null for text. */
  bytes: Buffer | null;
}

export interface Made {
  /** What it was made of, and every odd choice, for reports. */
  how: string[];
  raw: Buffer;
  truth: Truth;
  kept: Kept[];
}
