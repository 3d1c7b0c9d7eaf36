import { ATTACHED_DEPTH_MAX, type Defect, isMessageFile } from "../mail.ts";
import { asBuffer, findBody, scanHeaders } from "../message/headers.ts";
import type { HtmlBudget } from "../message/html/budget.ts";
import { type MimePart, scanStructure, withoutEnd } from "../message/mime/structure.ts";
import { type ReadLimits, type ReadWords, readAttachments, readWords } from "../message/read.ts";
import { squeezed } from "../message/text/clean.ts";
import { withoutQuotes } from "../message/text/reply.ts";

/** Longer than the fold that any program writes into a header. */
const unusualFold = /[ \t\r\n]{32}/;
/** Empty lines at the end of a body that cannot matter: they are far below any limit. */
const END_BYTES_MAX = 1_024;
/** Bytes of the body that are changed at once, so that all of it is never in memory as text. */
const PIECE_BYTES = 256 * 1024;
/** Attached messages that are read again, and their bytes. Few people attach more; digests do. */
const ATTACHED_MAX = 20;
const ATTACHED_BYTES_MAX = 256 * 1024;
/** Fields of one of the others. Real mail has 20 to 100. */
const ATTACHED_FIELDS_MAX = 1_000;

/**
 * Whether a message says something else without the white space that relaxed canonicalization ignores (RFC 6376 3.4.2,
 * 3.4.4): other words, other words of the writer's own, other people, files or times. If so, whoever passed the signed
 * message on may have chosen what it says. Gaps and line ends alone do not count: honest mail has them of every width.
 *
 * Takes as long as decoding the message once more, or little if it has no such white space. HTML is read again only if
 * the width of its gaps may mean something, with as much work again and the tags that are left in `budget`; if that does
 * not suffice, nobody knows, and the message counts as one that says something else. Of many attached messages, or long ones, only the
 * headers and the structure are compared.
 * @param mail What the message says as it came.
 * @param failure Why it could not be read, if so. What it then says is its header and its raw text.
 * @param budget What `mail` was read with.
 */
export async function dependsOnUnsignedSpaces(
  raw: Uint8Array,
  mail: ReadWords,
  limits: ReadLimits,
  failure: Defect | null,
  budget: HtmlBudget,
): Promise<boolean> {
  const other = withoutUnsignedSpaces(raw);
  if (other === null) return false;
  const wasSpent = budget.isSpent;
  budget.renewWork();
  if (!(await saysTheSame(mail, other, limits, failure, budget, wasSpent))) return true;
  const left = { messages: ATTACHED_MAX, bytes: ATTACHED_BYTES_MAX, budget };
  return mail.attachments.length > 0 && !(await areFilesAlike(raw, other, limits, left, ATTACHED_DEPTH_MAX));
}

/** Whether another form of a message says the same, and it is certain. */
async function saysTheSame(
  mail: ReadWords,
  other: Uint8Array,
  limits: ReadLimits,
  failure: Defect | null,
  budget: HtmlBudget,
  wasSpent = budget.isSpent,
): Promise<boolean> {
  return isSame(mail, await readWords(other, limits, failure, null, budget)) && (wasSpent || !budget.isSpent);
}

/** What is left for reading attached messages again. */
interface Left {
  messages: number;
  bytes: number;
  /** For their HTML, in both forms. */
  budget: HtmlBudget;
}

/** Whether the files of two forms of a message are the same, and the messages among them say the same. */
async function areFilesAlike(
  raw: Uint8Array,
  other: Uint8Array,
  limits: ReadLimits,
  left: Left,
  depth: number,
): Promise<boolean> {
  const [files, others] = [await readAttachments(raw, limits), await readAttachments(other, limits)];
  for (const [i, { attachment, content }] of files.entries()) {
    const otherContent = others[i]?.content ?? new Uint8Array();
    if (Buffer.compare(content, otherContent) === 0) continue;
    if (withoutSpaces(content) !== withoutSpaces(otherContent)) return false;
    if (depth === 0 || !isMessageFile(attachment)) continue;
    left.messages--;
    left.bytes -= content.length;
    if (left.messages < 0 || left.bytes < 0 || left.budget.isSpent) {
      if (!isBuiltAlike(content, otherContent, limits)) return false;
      continue;
    }
    const attached = await readWords(content, limits, null, null, left.budget);
    if (!(await saysTheSame(attached, otherContent, limits, null, left.budget))) return false;
    if (attached.attachments.length > 0 && !(await areFilesAlike(content, otherContent, limits, left, depth - 1)))
      return false;
  }
  return true;
}

/**
 * Whether two forms of an attached message have the same fields, and parts that begin and end at the same words. It
 * takes little, and finds white space that hides words in a header or between parts.
 */
function isBuiltAlike(content: Uint8Array, other: Uint8Array, limits: ReadLimits): boolean {
  if (content.length - other.length > ATTACHED_BYTES_MAX) return false;
  const [a, b] = [builtOf(content, limits, ATTACHED_DEPTH_MAX), builtOf(other, limits, ATTACHED_DEPTH_MAX)];
  return a !== null && a === b;
}

/** The fields and parts of a message without their white space; null if white space decides what they are. */
function builtOf(raw: Uint8Array, limits: ReadLimits, depth: number): string | null {
  const block = scanHeaders(raw, { bytesMax: limits.maxHeaderBytes, fieldsMax: ATTACHED_FIELDS_MAX });
  const { excess, dependsOnSpaces, root } = scanStructure(raw, block, limits);
  if (block.cut || excess !== null || dependsOnSpaces) return null;
  const built = [block.fields.map(({ binary, key }) => `${key}:${bare(binary)}`)];
  const add = ({ bytes, end, header, parts, start }: MimePart): boolean => {
    if (parts.length > 0) return parts.every(add);
    const content = bytes.subarray(start, end);
    const isMessage = depth > 0 && isMessageFile({ content_type: header.type, filename: "" });
    const inner = isMessage ? builtOf(content, limits, depth - 1) : "";
    built.push([header.type, `${withoutSpaces(content).length}`, inner ?? ""]);
    return inner !== null;
  };
  return add(root) ? JSON.stringify(built) : null;
}

/** Whether two readings differ only in white space, and in the marks of quotes, of which each line has one. */
function isSame(a: ReadWords, b: ReadWords): boolean {
  if (factsOf(a) !== factsOf(b) || bare(a.subject) !== bare(b.subject)) return false;
  if (bare(markupOf(a)) !== bare(markupOf(b))) return false;
  // The folds of a calendar (RFC 5545 3.1) are joined without a gap.
  if (a.isDescription && b.isDescription && bare(a.text) === bare(b.text)) return true;
  // The reader of replies sees lines like this.
  if (squeezed(a.text) === squeezed(b.text)) return true;
  // In flowed text (RFC 3676), white space decides what is one line, and so which lines look like a letterhead:
  // signatures count as words.
  const own = (mail: ReadWords) => wordsOf(withoutQuotes(mail.text, mail.subject));
  return wordsOf(a.text) === wordsOf(b.text) && own(a) === own(b);
}

function factsOf({ attachments, calendar, cc, date, from, inReplyTo, messageId, references, replyTo, to }: ReadWords) {
  const files = attachments.map(({ content_id, content_type, filename }) => [filename, content_type, content_id]);
  return bare(JSON.stringify([from, to, cc, replyTo, messageId, inReplyTo, references, date, calendar, files]));
}

/** Plain text between pieces of HTML has its marks, gaps and line ends there. */
function markupOf({ html }: ReadWords): string {
  return html?.replace(/<br\/>|&gt;|&nbsp;/g, "") ?? "";
}

/** Gaps of any width are alike, but two words are not one: flowed lines may be joined without a gap (DelSp). */
function wordsOf(text: string): string {
  return text.replace(/[\s>]+/g, " ").trim();
}

function bare(text: string): string {
  return text.replace(/[\s>]+/g, "");
}

function withoutSpaces(content: Uint8Array): string {
  return asBuffer(content)
    .toString("latin1")
    .replace(/[ \t\r\n]+/g, "");
}

/** The message as a relaxed signature sees it; null if that is as it came, but for what programs usually write. */
function withoutUnsignedSpaces(raw: Uint8Array): Buffer | null {
  const bytes = asBuffer(raw);
  const { bodyStart } = findBody(bytes);
  const header = bytes.toString("latin1", 0, bodyStart);
  const body = withoutEnd(bytes, bodyStart).subarray(bodyStart);
  const endBytes = bytes.length - bodyStart - body.length;
  if (!unusualFold.test(header) && endBytes <= END_BYTES_MAX && isRelaxed(body)) return null;
  const pieces: Buffer[] = [Buffer.from(relaxed(header.replace(/\r?\n(?=[ \t])/g, "")), "latin1")];
  for (let start = 0; start < body.length; ) {
    const lineEnd = body.indexOf(0x0a, start + PIECE_BYTES);
    const end = lineEnd < 0 ? body.length : lineEnd + 1;
    const piece = body.subarray(start, end);
    pieces.push(isRelaxed(piece) ? piece : Buffer.from(relaxed(piece.toString("latin1")), "latin1"));
    start = end;
  }
  return Buffer.concat([...pieces, Buffer.from("\r\n")]);
}

function isRelaxed(lines: Buffer): boolean {
  return !["\t", "  ", " \r\n", " \n"].some((one) => lines.includes(one));
}

/** Lines end in CRLF, or in LF, which becomes CRLF when a signature is verified. */
function relaxed(lines: string): string {
  return lines
    .replace(/[ \t]+/g, " ")
    .replaceAll(" \r\n", "\r\n")
    .replaceAll(" \n", "\n");
}
