/**
 * The tasks of the server's children: everything that takes more than a few milliseconds on untrusted bytes. Each task
 * takes and returns plain data, and loads its modules when it first runs.
 */

import type { Outgoing } from "../approval/outgoing.ts";
import type { Review } from "../approval/review.ts";
import type { ReviewMail } from "../approval/review-mail.ts";
import type { Search, SearchRequest } from "../approval/search.ts";
import type { IsHosted } from "../inbound/authenticate.ts";
import type { Examination, Examined, ExamineSettings } from "../inbound/examine.ts";
import type { Attachment, Defect, OutboundAttachment, OutboundMail, ReadMail } from "../mail.ts";
import type { AskedPart, Portion } from "../mcp/body.ts";
import type { ShownLink } from "../message/html/shown-links.ts";
import type { Quoted, QuoteRequest } from "../message/quote.ts";
import type { ReadLimits } from "../message/read.ts";
import { createResolver, type DnsAnswers, type DnsType, type Resolver, type ResolverOptions } from "../net/dns.ts";
import type { HeldReview } from "../store/schema.ts";
import { systemClock } from "../util/clock.ts";
import type { Host, TaskTable } from "../workers/serve.ts";

/** The input and output of each task, without its blobs. */
export interface TaskShapes {
  /** Blobs in: the message. */
  examine: {
    input: {
      job: Examination;
      settings: ExamineSettings;
      /** Null: the task asks the server for each DNS query. */
      dns: DnsSettings | null;
      /** Why reading the message failed before, if it did. */
      failure: Defect | null;
    };
    output: Examined;
  };
  /** Blobs in: the message as it is stored; out: without the signatures of return paths. */
  read: { input: { limits: ReadLimits; failure: Defect | null }; output: ReadMail };
  /** Blobs in: the message; out: the content of the attachment at that path, or of all attachments. */
  attachments: { input: { limits: ReadLimits; path: number[] | null; opens: boolean }; output: Attachment[] };
  /** Blobs in: the message that it is attached to. */
  attachedMessage: { input: { limits: ReadLimits; path: number[]; failure: Defect | null }; output: ReadMail | null };
  /** Blobs in: the HTML, and the message that holds the images, if any. */
  safeHtml: { input: { images: boolean; limits: ReadLimits }; output: string };
  /** Blobs in: the long texts of `own`, then those of `original`. */
  quote: {
    input: Omit<QuoteRequest, "own" | "original"> & {
      own: QuoteRequest["own"] & { texts: TextsApart };
      original: QuoteRequest["original"] & { texts: TextsApart };
    };
    output: Quoted;
  };
  /** Blobs in: the text. */
  htmlFromText: { input: null; output: string };
  /** Blobs in: the HTML. */
  htmlToText: { input: null; output: string };
  /** Blobs in: the long texts. */
  readMessage: {
    input: { text: string; html: string | null; texts: TextsApart; asked: { text: AskedPart; html: AskedPart } };
    output: { text: Portion; html: Portion | null };
  };
  /** Blobs in: the file. */
  readFile: { input: { isHtml: boolean; asked: AskedPart }; output: Portion };
  links: { input: { text: string; html: string | null; texts: TextsApart }; output: ShownLink[] };
  /** Blobs in: the attachments and long texts; the same for `searchOutgoing`. */
  heldReview: { input: { message: WithoutContents; contentHash: string }; output: HeldReview };
  searchOutgoing: { input: Omit<SearchRequest, "message"> & { message: WithoutContents }; output: Search };
  /** A digest lists the messages without their content. Blobs in: the long texts of each review. */
  reviewMail: {
    input: { reviews: (Review & { texts: TextsApart })[]; now: Date; digest: boolean };
    output: ReviewMail;
  };
  /** Blobs in: the long texts. */
  approvalPage: {
    input: { review: Review & { texts: TextsApart }; action: "approve" | "reject"; token: string };
    output: string;
  };
  /** Blobs in: the attachments and long texts; out: the message. */
  compose: {
    input: {
      mail: Omit<OutboundMail, "attachments"> & {
        attachments: Omit<OutboundAttachment, "content">[];
        texts: TextsApart;
      };
    };
    output: { contentHash: string };
  };
  /** Blobs in: the message as it was composed; out: the message in 7 bits. */
  sevenBit: { input: null; output: null };
}

/** A message as it would leave, without the bytes of its attachments and without long texts. */
type WithoutContents = Omit<Outgoing, "attachments"> & {
  attachments: Omit<Outgoing["attachments"][number], "content">[];
  texts: TextsApart;
};

/** Which texts are long, and so travel in UTF-8 as blobs after the attachments. Other texts are in the message. */
export interface TextsApart {
  text: boolean;
  html: boolean;
}

/** How a child queries DNS itself. `server` identifies the server for which it caches answers. */
export type DnsSettings = Omit<ResolverOptions, "clock"> & { server: string };

export type TaskName = keyof TaskShapes;

type Tasks = {
  [Name in TaskName]: (
    input: TaskShapes[Name]["input"],
    blobs: Uint8Array[],
    host: Host,
  ) => Promise<{ output: TaskShapes[Name]["output"]; blobs?: Uint8Array[] }>;
};

const noBytes = new Uint8Array();

const byName: Tasks = {
  async examine({ job, settings, dns, failure }, [raw = noBytes], host) {
    const { examine } = await import("../inbound/examine.ts");
    const isHosted: IsHosted = (domain) => host.call("isHosted", [domain]) as Promise<boolean>;
    return {
      output: await examine(
        raw,
        job,
        settings,
        dns ? waitingFor(resolverFor(dns), host) : resolverOf(host),
        isHosted,
        failure,
      ),
    };
  },

  async read({ limits, failure }, [raw = noBytes]) {
    const { readMail } = await import("../message/read.ts");
    const { withoutReturnPaths } = await import("../inbound/hidden-return-path.ts");
    return { output: withoutReturnPaths(await readMail(raw, limits, failure)) };
  },

  async attachments({ limits, opens, path }, [raw = noBytes]) {
    const { readAttachment, readAttachments } = await import("../message/read.ts");
    if (path === null) {
      const found = await readAttachments(raw, limits, { opens });
      return { output: found.map(({ attachment }) => attachment), blobs: found.map(({ content }) => content) };
    }
    const found = await readAttachment(raw, path, limits);
    return found ? { output: [found.attachment], blobs: [found.content] } : { output: [] };
  },

  async attachedMessage({ limits, path, failure }, [raw = noBytes]) {
    const { readAttachedMessage } = await import("../message/read.ts");
    return { output: await readAttachedMessage(raw, path, limits, failure) };
  },

  async safeHtml({ images, limits }, [html = noBytes, raw]) {
    const { safeHtml } = await import("../message/html/safe.ts");
    const pictures = raw ? await picturesOf(raw, limits) : new Map<string, string>();
    return { output: safeHtml(textOf(html), { images, inline: (id) => pictures.get(id) ?? null }) };
  },

  async quote({ own, original, ...how }, blobs) {
    const { quoted } = await import("../message/quote.ts");
    const texts = withTexts(own, blobs);
    return { output: quoted({ ...how, own: texts, original: withTexts(original, blobs.slice(countOf(own.texts))) }) };
  },

  async htmlFromText(_, [text = noBytes]) {
    const { htmlFromText } = await import("../message/html/from-text.ts");
    return { output: htmlFromText(textOf(text)) };
  },

  async htmlToText(_, [html = noBytes]) {
    const { htmlToText } = await import("../message/html/text.ts");
    return { output: htmlToText(textOf(html)) };
  },

  async readMessage(given, blobs) {
    const { textReader } = await import("../mcp/body.ts");
    const { text, html, asked } = withTexts(given, blobs);
    return { output: await textReader.message(text, html, asked) };
  },

  async readFile({ isHtml, asked }, [content = noBytes]) {
    const { textReader } = await import("../mcp/body.ts");
    return { output: await textReader.file(content, isHtml, asked) };
  },

  async links(given, blobs) {
    const { linksOf } = await import("../message/html/shown-links.ts");
    const { text, html } = withTexts(given, blobs);
    return { output: linksOf(text, html) };
  },

  async heldReview({ message, contentHash }, blobs) {
    const { heldReview } = await import("../approval/reviews.ts");
    return { output: await heldReview(withContents(message, blobs), contentHash) };
  },

  async searchOutgoing({ message, ...asked }, blobs) {
    const { searchOutgoing } = await import("../approval/search.ts");
    return { output: await searchOutgoing({ ...asked, message: withContents(message, blobs) }) };
  },

  async reviewMail({ reviews, now, digest }, blobs) {
    const { digestMail, reviewMail } = await import("../approval/review-mail.ts");
    const left = blobs.slice();
    const whole = reviews.map((review) => withTexts(review, left.splice(0, countOf(review.texts))));
    const [first] = whole;
    return { output: digest || !first ? digestMail(whole, now) : reviewMail(first) };
  },

  async approvalPage({ review, action, token }, blobs) {
    const { approvalMarkup } = await import("../http/pages/approval-pages.ts");
    return { output: approvalMarkup({ review: withTexts(review, blobs), action, token }) };
  },

  async compose({ mail }, blobs) {
    const { compose } = await import("../message/compose.ts");
    const { contentHashOf } = await import("../outbound/content-hash.ts");
    const whole = withContents(mail, blobs);
    const raw = await compose(whole);
    return { output: { contentHash: await contentHashOf(whole, raw) }, blobs: [raw] };
  },

  async sevenBit(_, [raw = noBytes]) {
    const { sevenBit } = await import("../message/seven-bit.ts");
    return { output: null, blobs: [sevenBit(raw)] };
  },
};

/** The product's tasks, for `serveTasks`. */
export const tasks: TaskTable = byName;

/** In tests one child serves many servers, each with its own DNS; in production it serves one. */
const RESOLVERS_MAX = 8;
const resolvers = new Map<string, ReturnType<typeof createResolver>>();

/** The child's own resolver: a message takes some six queries, and a call to the server costs more than a query. */
function resolverFor(dns: DnsSettings): Resolver {
  const key = JSON.stringify(dns);
  const known = resolvers.get(key);
  if (known) return known;
  for (const [oldest, resolver] of resolvers) {
    if (resolvers.size < RESOLVERS_MAX) break;
    resolvers.delete(oldest);
    resolver.close();
  }
  const { servers, timeoutMs, cacheEntries } = dns;
  const made = createResolver({ servers, timeoutMs, cacheEntries, clock: systemClock });
  resolvers.set(key, made);
  return made;
}

/** The same resolver, for a task that gives up its slot while it waits. */
function waitingFor(resolver: Resolver, host: Host): Resolver {
  return { resolve: (name, type, options) => host.wait(resolver.resolve(name, type, options)) };
}

/** The server's resolver, with the server's cache. */
function resolverOf(host: Host): Resolver {
  return {
    resolve: <T extends DnsType>(name: string, type: T, options?: { signal?: AbortSignal; fresh?: boolean }) =>
      host.call("resolve", [name, type, options?.fresh ?? false], options?.signal) as Promise<DnsAnswers[T]>,
  };
}

/** A mail's images go into its page, up to this many bytes: more would be slow to show. */
const INLINE_BYTES_MAX = 8 * 1024 * 1024;
const inlineType = /^image\/(?:png|jpeg|gif|webp|bmp|avif)$/;

/** The images of a message as data URLs, by Content-ID. */
async function picturesOf(raw: Uint8Array, limits: ReadLimits): Promise<Map<string, string>> {
  const { readAttachments } = await import("../message/read.ts");
  const found = new Map<string, string>();
  let left = INLINE_BYTES_MAX;
  for (const { attachment, content } of await readAttachments(raw, limits, { opens: true })) {
    const id = attachment.content_id;
    if (!id || !inlineType.test(attachment.content_type) || content.byteLength > left) continue;
    left -= content.byteLength;
    found.set(id, `data:${attachment.content_type};base64,${Buffer.from(content).toString("base64")}`);
  }
  return found;
}

function withContents<T extends { text: string; html: string | null; texts: TextsApart; attachments: object[] }>(
  message: T,
  blobs: readonly Uint8Array[],
) {
  const attachments = message.attachments.map((attachment, i) => ({ ...attachment, content: blobs[i] ?? noBytes }));
  return { ...withTexts(message, blobs.slice(attachments.length)), attachments } as Omit<T, "attachments" | "texts"> & {
    attachments: (T["attachments"][number] & { content: Uint8Array })[];
  };
}

function withTexts<T extends { text: string; html: string | null; texts: TextsApart }>(
  { texts, ...message }: T,
  blobs: readonly Uint8Array[],
) {
  const [first = noBytes, second = noBytes] = blobs;
  return {
    ...message,
    text: texts.text ? textOf(first) : message.text,
    html: texts.html ? textOf(texts.text ? second : first) : message.html,
  };
}

function countOf({ text, html }: TextsApart): number {
  return Number(text) + Number(html);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
