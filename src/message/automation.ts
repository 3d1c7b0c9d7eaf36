import type { HeaderField } from "../mail.ts";

/** Whether a message says that a person, a program, or a person through a mailing list wrote it. */
export interface Automation {
  /** The keyword of Auto-Submitted, lower-cased: `auto-generated`, `auto-replied` …; null when a person wrote it. */
  autoSubmitted: string | null;
  /** The identifier of a mailing list, without its angle brackets. */
  listId: string | null;
  /** `bulk`, `list`, `junk`, `auto_reply` …, lower-cased. */
  precedence: string | null;
}

/** Longer values are neither keywords nor list identifiers (RFC 2919 3 allows 255 characters). */
const VALUE_CHARS_MAX = 255;

/**
 * Fields of vacation programs that do not set Auto-Submitted. X-Auto-Response-Suppress is not among them: it asks
 * recipients not to answer, and mail that people write has it too.
 */
const vacationFields = [
  "x-autoreply",
  "x-autorespond",
  "x-auto-reply",
  "x-autoreply-from",
  "x-auto-reply-from",
  "x-mail-autoreply",
];

/**
 * Determines from the header and the reverse-path whether a program wrote the message, so that agents do not answer
 * each other, or vacation programs, endlessly (RFC 3834).
 *
 * `autoSubmitted` is the keyword of Auto-Submitted (RFC 3834 5). A field whose keyword cannot be read counts as
 * `auto-generated`, because only "no" means a person. Without the field, it is `auto-replied` if the message has a mark
 * of vacation programs or Precedence auto_reply, and otherwise `auto-generated` if the reverse-path is null (RFC 5321
 * 4.5.5). List and bulk mail does not count as automatic: people write to lists. `headers` are decoded and unfolded.
 * Values in the result have at most 255 characters and no control characters.
 */
export function automationOf(headers: readonly HeaderField[], envelopeFrom: string): Automation {
  const valuesOf = (name: string) =>
    headers.filter((field) => field.name.toLowerCase() === name).map((field) => field.value);
  const precedence = keyword(valuesOf("precedence")[0] ?? "");
  const listId = valuesOf("list-id").map(listIdentifier).find(Boolean) ?? null;

  const declared = valuesOf("auto-submitted").map((value) => keyword(value) ?? "auto-generated");
  if (declared.length > 0) return { autoSubmitted: declared.find((word) => word !== "no") ?? null, listId, precedence };

  const repliedByMark = vacationFields.some((name) => valuesOf(name).some((value) => !/^(?:no|false|0)$/i.test(value)));
  if (repliedByMark || precedence === "auto_reply" || precedence === "auto-reply")
    return { autoSubmitted: "auto-replied", listId, precedence };
  return { autoSubmitted: envelopeFrom === "" ? "auto-generated" : null, listId, precedence };
}

/** The word before parameters and comments, or null when there is none. */
function keyword(value: string): string | null {
  const [, word] = /^(?:\([^()]*\)|\s)*([\w-]+)(?=$|[\s;(,])/.exec(value.slice(0, 4 * VALUE_CHARS_MAX)) ?? [];
  return word && word.length <= VALUE_CHARS_MAX ? word.toLowerCase() : null;
}

/** The text in the last angle brackets, or the whole value if it is one word (RFC 2919 3). */
function listIdentifier(value: string): string | null {
  const open = value.lastIndexOf("<");
  const close = value.indexOf(">", open);
  const id = (open < 0 ? value : value.slice(open + 1, close < 0 ? undefined : close)).trim();
  return id.length <= VALUE_CHARS_MAX && /^[^\s\x00-\x1f\x7f-\x9f<>]+$/.test(id) ? id : null;
}
