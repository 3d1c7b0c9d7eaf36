/** The server's side of its children's tasks: one function per task, with its fallback if the task kills its child. */

import type { Outgoing } from "../approval/outgoing.ts";
import { plainReviewMail, unknownLinks, unknownReview } from "../approval/plain-review.ts";
import type { Review } from "../approval/review.ts";
import type { ReviewMail } from "../approval/review-mail.ts";
import { foundNothing, type Search, type SearchRequest } from "../approval/search.ts";
import type { IsHosted } from "../inbound/authenticate.ts";
import type { Examination, Examined, ExamineSettings } from "../inbound/examine.ts";
import type { Defect, OutboundMail, ReadMail } from "../mail.ts";
import type { TextReader } from "../mcp/body.ts";
import { defect } from "../message/defects.ts";
import type { ShownLink } from "../message/html/shown-links.ts";
import type { WholeAttachment } from "../message/read.ts";
import { limitKey } from "../net/client-address.ts";
import type { DnsType, Resolver } from "../net/dns.ts";
import type { HeldReview } from "../store/schema.ts";
import { Failure } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import type { HostFunctions } from "../workers/child.ts";
import type { Bytes } from "../workers/frames.ts";
import { type Pool, TaskLost, type TaskOptions } from "../workers/pool.ts";
import type { DnsSettings, TaskName, TaskShapes } from "./tasks.ts";

/** Shorter text is searched for links in this process: a child costs more, even if the search were quadratic. */
const INLINE_CHARS_MAX = 1_000;
/** A shorter text is read for a model in this process: that takes under two milliseconds. */
const INLINE_READ_CHARS_MAX = 4 * 1024;
/** More than the trace fields of a message take. */
const TRACE_BYTES_MAX = 16 * 1024;
/** A shorter message without attachments is composed in this process: that takes linear time, under a millisecond. */
const INLINE_COMPOSE_CHARS_MAX = 2 * 1024;

export interface Offload {
  /**
   * Examines a message. A message that kills two children is only authenticated; it is read as raw text, and its
   * defects say so. Failures: `mail_loop`, `overloaded`, and `unavailable` if that kills a child too.
   */
  examine(pieces: readonly Uint8Array[], job: Examination): Promise<Examined>;
  /** Reads a stored message anew, without the signatures of return paths, with the same fallback as `examine`. Failures: `overloaded`, `unavailable`. */
  read(raw: Uint8Array): Promise<ReadMail>;
  /** One attachment by its path; null if it does not exist. Failures: `overloaded`, `unavailable`. */
  attachment(raw: Uint8Array, path: number[]): Promise<WholeAttachment | null>;
  /** All attachments in order, as they were sent or with what is packed in them. Fails like `attachment`. */
  attachments(raw: Uint8Array, how?: { opens: boolean }): Promise<WholeAttachment[]>;
  /** An attached message by its path, with the same fallback as `examine`; null if there is none. Fails like `attachment`. */
  attachedMessage(raw: Uint8Array, path: number[]): Promise<ReadMail | null>;
  /** Sanitizes a mail's HTML; `raw` is the message with the images that `cid:` refers to. Failure `overloaded`. */
  safeHtml(html: string, options: { images: boolean; raw: Uint8Array | null }): Promise<string>;
  /** A mail's HTML for a quote, with the pictures of these Content-IDs; null if it is too complex. */
  quotableHtml(html: string, contentIds: string[]): Promise<string | null>;
  /** Reads texts for models. Fails like `attachment`. */
  reader: TextReader;
  /** All links of a mail. If the search fails, the list has one entry that says so. Failure `overloaded`. */
  links(text: string, html: string | null): Promise<ShownLink[]>;
  /** What reviewers see of a held message. If it cannot be made, it says so. Failure `overloaded`. */
  heldReview(message: Outgoing, contentHash: string): Promise<HeldReview>;
  /** Searches a message for the gate. A message that cannot be searched counts as too long. Failure `overloaded`. */
  searchOutgoing(request: SearchRequest): Promise<Search>;
  /** Mail to a reviewer about held messages; without their content if it kills a child. Failure `overloaded`. */
  reviewMail(reviews: Review[], now: Date): Promise<ReviewMail>;
  /** The page behind a reviewer's link. Fails like `attachment`. */
  approvalPage(page: { review: Review; action: "approve" | "reject"; token: string }): Promise<string>;
  /** A message as bytes, with the hash that decisions refer to. Failures: `overloaded`, `unavailable`. */
  compose(mail: OutboundMail): Promise<{ raw: Buffer; contentHash: string }>;
  /** A composed message in 7 bits; null if that takes too much time or memory. Failure `overloaded`. */
  sevenBit(raw: Uint8Array): Promise<Uint8Array | null>;
}

export function createOffload(options: {
  pool: Pool;
  resolver: Resolver;
  isHosted: IsHosted;
  settings: ExamineSettings;
  /** How children query DNS themselves; null: they call `resolver`, which tests replace. */
  dns: DnsSettings | null;
  log: Log;
}): Offload {
  const { pool, resolver, isHosted, settings, dns, log } = options;
  const { limits } = settings;
  const host: HostFunctions = {
    resolve: ([name, type, fresh], signal) =>
      resolver.resolve(name as string, type as DnsType, { signal, fresh: fresh === true }),
    isHosted: ([domain]) => isHosted(domain as string),
  };

  async function run<Name extends TaskName>(
    name: Name,
    input: TaskShapes[Name]["input"],
    blobs: readonly Bytes[] = [],
    // Urgent by default, because a user waits. Incoming mail is not: it waits for DNS, and its sender has minutes.
    how: TaskOptions = { isUrgent: true },
  ): Promise<{ output: TaskShapes[Name]["output"]; blobs: Uint8Array[] }> {
    const { output, blobs: results } = await pool.run(name, input, blobs, how);
    return { output: output as TaskShapes[Name]["output"], blobs: results };
  }

  const unparsed = () =>
    unreadable("The message takes too much time or memory to parse.", "Download the raw message with /raw.");

  async function attachments(raw: Uint8Array, path: number[] | null, opens: boolean) {
    const { output, blobs } = await run("attachments", { limits, opens, path }, [raw]).catch(unparsed());
    return output.map((attachment, i) => ({ attachment, content: blobs[i] ?? new Uint8Array() }));
  }

  const tooHeavy = unreadable("The text takes too much time or memory to read.");

  async function readMessage(...[text, html, asked]: Parameters<TextReader["message"]>) {
    if (html === null && text.length <= INLINE_READ_CHARS_MAX) {
      const { textReader } = await import("../mcp/body.ts");
      return textReader.message(text, html, asked);
    }
    const { rest, blobs } = await withoutTexts({ text, html });
    return (await run("readMessage", { ...rest, asked }, blobs).catch(tooHeavy)).output;
  }

  async function readFile(...[content, isHtml, asked]: Parameters<TextReader["file"]>) {
    return (await run("readFile", { isHtml, asked }, [content]).catch(tooHeavy)).output;
  }

  async function readHtml(...[html, asked]: Parameters<TextReader["html"]>) {
    return (await run("readFile", { isHtml: true, asked }, [await utf8(html)]).catch(tooHeavy)).output;
  }

  return {
    async examine(pieces, job) {
      // Mail between agents has no client, so each sending agent is an owner.
      const owner = job.verdict ? job.envelope.mailFrom : limitKey(job.envelope.remoteAddress);
      try {
        return (await run("examine", { job, settings, dns, failure: null }, [pieces], { host, owner })).output;
      } catch (error) {
        if (!(error instanceof TaskLost)) throw error;
        log.warn("message.not_read", { message: job.queueId, client: job.envelope.remoteAddress, why: error.loss });
        const failure = readingFailed(error);
        const alone = { host, alone: true };
        const plain = run("examine", { job, settings, dns, failure }, [pieces], alone);
        return (await plain.catch(unreadable("The message cannot be examined right now; try again later"))).output;
      }
    },

    async read(raw) {
      // What this server wrote on top took no room when the message was received.
      const stored = { ...limits, maxHeaderBytes: limits.maxHeaderBytes + TRACE_BYTES_MAX };
      try {
        return (await run("read", { limits: stored, failure: null }, [raw])).output;
      } catch (error) {
        if (!(error instanceof TaskLost)) throw error;
        const plain = run("read", { limits: stored, failure: readingFailed(error) }, [raw]);
        return (await plain.catch(unreadable("The message cannot be read right now; try again later"))).output;
      }
    },

    async attachment(raw, path) {
      return (await attachments(raw, path, true))[0] ?? null;
    },

    attachments: (raw, how) => attachments(raw, null, how?.opens ?? false),

    async attachedMessage(raw, path) {
      try {
        return (await run("attachedMessage", { limits, path, failure: null }, [raw])).output;
      } catch (error) {
        if (!(error instanceof TaskLost)) throw error;
        const plain = run("attachedMessage", { limits, path, failure: readingFailed(error) }, [raw]);
        return (await plain.catch(unparsed())).output;
      }
    },

    async safeHtml(html, { images, raw }) {
      const hasPictures = raw !== null && /cid:/i.test(html);
      const shown = run("safeHtml", { html, images, limits }, hasPictures ? [raw] : []);
      return (await shown.catch(otherwise("<p>This HTML takes too long to display safely.</p>"))).output;
    },

    async quotableHtml(html, contentIds) {
      const made = run("quotableHtml", { html, contentIds });
      return (await made.catch(otherwise(null))).output;
    },

    reader: { message: readMessage, html: readHtml, file: readFile },

    async links(text, html) {
      if (text.length + (html?.length ?? 0) <= INLINE_CHARS_MAX) {
        const { linksOf } = await import("../message/html/shown-links.ts");
        return linksOf(text, html);
      }
      const { rest, blobs } = await withoutTexts({ text, html });
      return (await run("links", rest, blobs).catch(otherwise([unknownLinks]))).output;
    },

    async heldReview(message, contentHash) {
      const { blobs, rest } = await apart(message);
      const made = run("heldReview", { message: rest, contentHash }, blobs);
      return (await made.catch(otherwise(unknownReview(contentHash)))).output;
    },

    async searchOutgoing({ message, ...asked }) {
      const { blobs, rest } = await apart(message);
      const searched = run("searchOutgoing", { ...asked, message: rest }, blobs);
      return (await searched.catch(otherwise(unsearchable))).output;
    },

    async reviewMail(reviews, now) {
      const written = run("reviewMail", { reviews, now, digest: reviews.length > 1 });
      const digest = written.catch(lostTo(() => run("reviewMail", { reviews, now, digest: true })));
      return (await digest.catch(otherwise(plainReviewMail(reviews)))).output;
    },

    async approvalPage(page) {
      const shown = run("approvalPage", page);
      return (await shown.catch(unreadable("The message takes too much time or memory to show."))).output;
    },

    async compose(mail) {
      const chars = mail.text.length + (mail.html?.length ?? 0);
      if (mail.attachments.length === 0 && chars <= INLINE_COMPOSE_CHARS_MAX) {
        const [{ compose }, { contentHashOf }] = await Promise.all([
          import("../message/compose.ts"),
          import("../outbound/content-hash.ts"),
        ]);
        const raw = await compose(mail);
        return { raw, contentHash: contentHashOf(mail, raw) };
      }
      const { rest, blobs } = await apart(mail);
      const composed = run("compose", { mail: rest }, blobs);
      const made = await composed.catch(unreadable("The message takes too much time to compose."));
      const { output } = made;
      const [raw = new Uint8Array()] = made.blobs;
      return { raw: Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength), contentHash: output.contentHash };
    },

    async sevenBit(raw) {
      const made = run("sevenBit", null, [raw], { isUrgent: false });
      return (await made.catch(otherwise(null))).blobs[0] ?? null;
    },
  };
}

function readingFailed({ loss }: TaskLost): Defect {
  return defect("reading_failed", `Only part of the message was read: reading it ${lossClauses[loss]}.`);
}

const lossClauses = {
  time: "takes too much time",
  memory: "takes too much memory",
  crash: "crashes the process",
} as const;

const unsearchable: Search = {
  ...foundNothing,
  isTooLong: true,
  unsearched: [{ name: "the message", why: "too large" }],
};

/** Separates a message from its attachments' bytes and long texts, which travel as blobs. */
async function apart<T extends { text: string; html: string | null; attachments: { content: Uint8Array }[] }>(
  message: T,
) {
  const attachments = message.attachments.map(({ content: _, ...attachment }) => attachment);
  const { rest, blobs } = await withoutTexts({ ...message, attachments });
  return {
    blobs: [...message.attachments.map(({ content }) => content), ...blobs],
    rest: rest as typeof rest & { attachments: Omit<T["attachments"][number], "content">[] },
  };
}

/** Shorter text travels inside its message, which is copied in one step. */
const APART_CHARS_MIN = 64 * 1024;

/** Separates a message from its long texts, as UTF-8. A lone surrogate becomes U+FFFD, as it does in any message. */
async function withoutTexts<T extends { text: string; html: string | null }>(message: T) {
  const { text, html } = message;
  const texts = { text: text.length >= APART_CHARS_MIN, html: html !== null && html.length >= APART_CHARS_MIN };
  const blobs: Bytes[] = [];
  if (texts.text) blobs.push(await utf8(text));
  if (texts.html) blobs.push(await utf8(html ?? ""));
  const rest = { ...message, text: texts.text ? "" : text, html: texts.html ? "" : html, texts };
  return { rest, blobs };
}

/** Encodes a text as UTF-8, in pieces; yields to the event loop after each. */
async function utf8(text: string): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < text.length; ) {
    const end = at + APART_CHARS_MIN;
    // Do not cut a surrogate pair in half.
    const isSplit = end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800;
    pieces.push(Buffer.from(text.slice(at, isSplit ? end + 1 : end)));
    at = isSplit ? end + 1 : end;
    await new Promise(setImmediate);
  }
  return pieces;
}

/** For `catch`: turns a lost task into Failure `unavailable`, and rethrows anything else. */
function unreadable(message: string, fix?: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof TaskLost)) throw error;
    throw new Failure("unavailable", message, { cause: error, ...(fix ? { fix } : {}) });
  };
}

/** For `catch`: replaces the result of a lost task, and rethrows anything else. */
function otherwise<T>(output: T): (error: unknown) => { output: T; blobs: Uint8Array[] } {
  return (error) => {
    if (!(error instanceof TaskLost)) throw error;
    return { output, blobs: [] };
  };
}

function lostTo<T>(instead: () => Promise<T>): (error: unknown) => Promise<T> {
  return (error) => {
    if (!(error instanceof TaskLost)) throw error;
    return instead();
  };
}
