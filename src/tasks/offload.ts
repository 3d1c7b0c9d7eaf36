/** The server's side of its children's tasks: one function per task, with its fallback if the task kills its child. */

import type { Outgoing } from "../approval/outgoing.ts";
import { plainReviewMail, unknownLinks, unknownReview } from "../approval/plain-review.ts";
import type { Review } from "../approval/review.ts";
import type { ReviewMail } from "../approval/review-mail.ts";
import { foundNothing, type Search, type SearchRequest } from "../approval/search.ts";
import type { IsHosted } from "../inbound/authenticate.ts";
import type { Examination, Examined, ExamineSettings } from "../inbound/examine.ts";
import type { Defect, OutboundMail, ReadMail } from "../mail.ts";
import type { Portion, TextReader } from "../mcp/body.ts";
import { defect } from "../message/defects.ts";
import type { ShownLink } from "../message/html/shown-links.ts";
import type { Quoted, QuoteRequest } from "../message/quote.ts";
import type { WholeAttachment } from "../message/read.ts";
import { limitKey } from "../net/client-address.ts";
import type { DnsType, Resolver } from "../net/dns.ts";
import type { HeldReview } from "../store/schema.ts";
import { Failure } from "../util/errors.ts";
import type { Log } from "../util/log.ts";
import type { Owner } from "../util/owner.ts";
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

/** Each task but `examine` has an owner, whose turn it waits for. */
export interface Offload {
  /**
   * Examines a message. A message that kills two children is only authenticated; it is read as raw text, and its
   * defects say so. Failures: `mail_loop`, `overloaded`, and `unavailable` if that kills a child too.
   */
  examine(pieces: readonly Uint8Array[], job: Examination): Promise<Examined>;
  /**
   * Reads a stored message anew, without the signatures of return paths, with the same fallback as `examine`. Failures:
   * `overloaded`, `unavailable`.
   */
  read(owner: Owner, raw: Uint8Array): Promise<ReadMail>;
  /** One attachment by its path; null if it does not exist. Failures: `overloaded`, `unavailable`. */
  attachment(owner: Owner, raw: Uint8Array, path: number[]): Promise<WholeAttachment | null>;
  /** All attachments in order, as they were sent or with what is packed in them. Fails like `attachment`. */
  attachments(owner: Owner, raw: Uint8Array, how?: { opens: boolean }): Promise<WholeAttachment[]>;
  /** An attached message by its path, with the same fallback as `examine`; null if there is none. Fails like `attachment`. */
  attachedMessage(owner: Owner, raw: Uint8Array, path: number[]): Promise<ReadMail | null>;
  /** Sanitizes a mail's HTML; `raw` is the message with the images that `cid:` refers to. Failure `overloaded`. */
  safeHtml(owner: Owner, html: string, options: { images: boolean; raw: Uint8Array | null }): Promise<string>;
  /** Quotes a message, or only its text if its HTML takes too long. Fails like `attachment`. */
  quote(owner: Owner, request: QuoteRequest): Promise<Quoted>;
  /** A text as HTML. Fails like `attachment`. */
  htmlFromText(owner: Owner, text: string): Promise<string>;
  /** HTML as text, with all its words. Fails like `attachment`. */
  htmlToText(owner: Owner, html: string): Promise<string>;
  /** What reads texts for models. Fails like `attachment`. */
  reader(owner: Owner): TextReader;
  /** All links of a mail. If the search fails, the list has one entry that says so. Failure `overloaded`. */
  links(owner: Owner, text: string, html: string | null): Promise<ShownLink[]>;
  /** What reviewers see of a held message. If it cannot be made, it says so. Failure `overloaded`. */
  heldReview(owner: Owner, message: Outgoing, contentHash: string): Promise<HeldReview>;
  /** Searches a message for the gate. A message that cannot be searched counts as too long. Failure `overloaded`. */
  searchOutgoing(owner: Owner, request: SearchRequest): Promise<Search>;
  /** Mail to a reviewer about held messages; without their content if it kills a child. Failure `overloaded`. */
  reviewMail(owner: Owner, reviews: Review[], now: Date): Promise<ReviewMail>;
  /** The page that a reviewer's link opens. Fails like `attachment`. */
  approvalPage(owner: Owner, page: { review: Review; action: "approve" | "reject"; token: string }): Promise<string>;
  /** A message as bytes, with the hash that decisions refer to. Failures: `overloaded`, `unavailable`. */
  compose(owner: Owner, mail: OutboundMail): Promise<{ raw: Buffer; contentHash: string }>;
  /** A composed message in 7 bits; null if that takes too much time or memory. Failure `overloaded`. */
  sevenBit(owner: Owner, raw: Uint8Array): Promise<Uint8Array | null>;
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

  /** A task of incoming mail: it waits for DNS, and the mail's sender has minutes. */
  async function examined(
    input: TaskShapes["examine"]["input"],
    pieces: readonly Uint8Array[],
    how: TaskOptions,
  ): Promise<Examined> {
    return (await pool.run("examine", input, [pieces], { ...how, host })).output as Examined;
  }

  /** A task that a person or a program waits for. */
  async function run<Name extends Exclude<TaskName, "examine">>(
    { userId, agentId }: Owner,
    name: Name,
    input: TaskShapes[Name]["input"],
    blobs: readonly Bytes[] = [],
  ): Promise<{ output: TaskShapes[Name]["output"]; blobs: Uint8Array[] }> {
    const how = { isUrgent: true, owner: userId, part: agentId ?? "" };
    const { output, blobs: results } = await pool.run(name, input, blobs, how);
    return { output: output as TaskShapes[Name]["output"], blobs: results };
  }

  const unparsed = unreadable(
    "The message takes too much time or memory to parse.",
    "Download the raw message with /raw.",
  );

  async function attachments(owner: Owner, raw: Uint8Array, path: number[] | null, opens: boolean) {
    const { output, blobs } = await run(owner, "attachments", { limits, opens, path }, [raw]).catch(unparsed);
    return output.map((attachment, i) => ({ attachment, content: blobs[i] ?? new Uint8Array() }));
  }

  const tooHeavy = unreadable("The text takes too much time or memory to read.");

  async function readMessage(owner: Owner, ...[text, html, asked]: Parameters<TextReader["message"]>) {
    if (html === null && text.length <= INLINE_READ_CHARS_MAX) {
      const { textReader } = await import("../mcp/body.ts");
      return textReader.message(text, html, asked);
    }
    const read = async (version: string | null) => {
      const { rest, blobs } = await withoutTexts({ text, html: version });
      return run(owner, "readMessage", { ...rest, asked }, blobs);
    };
    if (html === null) return (await read(null).catch(tooHeavy)).output;
    const textAlone = async () => {
      const { output } = await read(null);
      return { output: { ...output, html: unreadHtml }, blobs: [] };
    };
    return (await read(html).catch(lostTo(textAlone)).catch(tooHeavy)).output;
  }

  async function readFile(owner: Owner, ...[content, isHtml, asked]: Parameters<TextReader["file"]>) {
    return (await run(owner, "readFile", { isHtml, asked }, [content]).catch(tooHeavy)).output;
  }

  async function readHtml(owner: Owner, ...[html, asked]: Parameters<TextReader["html"]>) {
    return (await run(owner, "readFile", { isHtml: true, asked }, [await utf8(html)]).catch(tooHeavy)).output;
  }

  return {
    async examine(pieces, job) {
      // Mail between agents has no client, so each sending agent is an owner.
      const owner = job.verdict ? job.envelope.mailFrom : limitKey(job.envelope.remoteAddress);
      try {
        return await examined({ job, settings, dns, failure: null }, pieces, { owner });
      } catch (error) {
        if (!(error instanceof TaskLost)) throw error;
        log.warn("message.not_read", { message: job.queueId, client: job.envelope.remoteAddress, why: error.loss });
        const failure = readingFailed(error);
        const plain = examined({ job, settings, dns, failure }, pieces, { owner, alone: true });
        return await plain.catch(unreadable("The message cannot be examined right now; try again later"));
      }
    },

    async read(owner, raw) {
      // What this server wrote on top took no room when the message was received.
      const stored = { ...limits, maxHeaderBytes: limits.maxHeaderBytes + TRACE_BYTES_MAX };
      const read = (failure: Defect | null) => run(owner, "read", { limits: stored, failure }, [raw]);
      const found = read(null).catch(lostTo((lost) => read(readingFailed(lost))));
      return (await found.catch(unreadable("The message cannot be read right now; try again later"))).output;
    },

    async attachment(owner, raw, path) {
      return (await attachments(owner, raw, path, true))[0] ?? null;
    },

    attachments: (owner, raw, how) => attachments(owner, raw, null, how?.opens ?? false),

    async attachedMessage(owner, raw, path) {
      const read = (failure: Defect | null) => run(owner, "attachedMessage", { limits, path, failure }, [raw]);
      return (
        await read(null)
          .catch(lostTo((lost) => read(readingFailed(lost))))
          .catch(unparsed)
      ).output;
    },

    async safeHtml(owner, html, { images, raw }) {
      const pictures = raw !== null && /cid:/i.test(html) ? [raw] : [];
      const shown = run(owner, "safeHtml", { images, limits }, [await utf8(html), ...pictures]);
      return (await shown.catch(otherwise("<p>This HTML takes too long to display safely.</p>"))).output;
    },

    async quote(owner, request) {
      const { own, original } = request;
      const isShort = own.text.length + original.text.length <= INLINE_READ_CHARS_MAX;
      if (own.html === null && original.html === null && isShort) {
        const { quoted } = await import("../message/quote.ts");
        return quoted(request);
      }
      const written = await withoutTexts(own);
      const quote = async (from: QuoteRequest["original"]) => {
        const { rest, blobs } = await withoutTexts(from);
        return run(owner, "quote", { ...request, own: written.rest, original: rest }, [...written.blobs, ...blobs]);
      };
      const made = quote(original).catch(lostTo(() => quote({ ...original, html: null })));
      return (await made.catch(unreadable("The texts take too much time or memory to quote."))).output;
    },

    async htmlFromText(owner, text) {
      if (text.length <= INLINE_READ_CHARS_MAX) {
        const { htmlFromText } = await import("../message/html/from-text.ts");
        return htmlFromText(text);
      }
      const made = run(owner, "htmlFromText", null, [await utf8(text)]);
      return (await made.catch(unreadable("The text takes too much time or memory to convert."))).output;
    },

    async htmlToText(owner, html) {
      const made = run(owner, "htmlToText", null, [await utf8(html)]);
      return (await made.catch(unreadable("The HTML takes too much time or memory to convert."))).output;
    },

    reader: (owner) => ({
      message: (...asked) => readMessage(owner, ...asked),
      html: (...asked) => readHtml(owner, ...asked),
      file: (...asked) => readFile(owner, ...asked),
    }),

    async links(owner, text, html) {
      if (text.length + (html?.length ?? 0) <= INLINE_CHARS_MAX) {
        const { linksOf } = await import("../message/html/shown-links.ts");
        return linksOf(text, html);
      }
      const { rest, blobs } = await withoutTexts({ text, html });
      return (await run(owner, "links", rest, blobs).catch(otherwise([unknownLinks]))).output;
    },

    async heldReview(owner, message, contentHash) {
      const { blobs, rest } = await apart(message);
      const made = run(owner, "heldReview", { message: rest, contentHash }, blobs);
      return (await made.catch(otherwise(unknownReview(contentHash)))).output;
    },

    async searchOutgoing(owner, { message, ...asked }) {
      const { blobs, rest } = await apart(message);
      const searched = run(owner, "searchOutgoing", { ...asked, message: rest }, blobs);
      return (await searched.catch(otherwise(unsearchable))).output;
    },

    async reviewMail(owner, reviews, now) {
      const parts = await Promise.all(reviews.map(withoutTexts<Review>));
      const input = { reviews: parts.map(({ rest }) => rest), now };
      const blobs = parts.flatMap((part) => part.blobs);
      const written = run(owner, "reviewMail", { ...input, digest: reviews.length > 1 }, blobs);
      const digest = written.catch(lostTo(() => run(owner, "reviewMail", { ...input, digest: true }, blobs)));
      return (await digest.catch(otherwise(plainReviewMail(reviews)))).output;
    },

    async approvalPage(owner, { review, ...page }) {
      const { rest, blobs } = await withoutTexts(review);
      const shown = run(owner, "approvalPage", { ...page, review: rest }, blobs);
      return (await shown.catch(unreadable("The message takes too much time or memory to show."))).output;
    },

    async compose(owner, mail) {
      const chars = mail.text.length + (mail.html?.length ?? 0);
      if (mail.attachments.length === 0 && chars <= INLINE_COMPOSE_CHARS_MAX) {
        const [{ compose }, { contentHashOf }] = await Promise.all([
          import("../message/compose.ts"),
          import("../outbound/content-hash.ts"),
        ]);
        const raw = await compose(mail);
        return { raw, contentHash: await contentHashOf(mail, raw) };
      }
      const { rest, blobs } = await apart(mail);
      const composed = run(owner, "compose", { mail: rest }, blobs);
      const made = await composed.catch(unreadable("The message takes too much time to compose."));
      const [raw = new Uint8Array()] = made.blobs;
      return { raw: Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength), ...made.output };
    },

    async sevenBit(owner, raw) {
      const made = run(owner, "sevenBit", null, [raw]);
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
  error: "fails",
} as const;

/** Stands for HTML that cannot be read: who reads the text must learn that there is another version. */
const unreadHtml: Portion = {
  text: "",
  totalChars: 0,
  nextOffset: null,
  hidden: [
    "The HTML version, which most programs show, takes too much time or memory to read. Its words are not here.",
  ],
};

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

/** For `catch`: tries something else instead of a lost task, and rethrows anything else. */
function lostTo<T>(instead: (lost: TaskLost) => Promise<T>): (error: unknown) => Promise<T> {
  return (error) => {
    if (!(error instanceof TaskLost)) throw error;
    return instead(error);
  };
}
