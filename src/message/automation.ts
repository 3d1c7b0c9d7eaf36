import type { HeaderField } from "../mail.ts";

/** What a message says about who wrote it: a person, a program, or a person through a list. */
export interface Automation {
  /** The keyword of Auto-Submitted, lower-cased: `auto-generated`, `auto-replied` …; null when a person wrote it. */
  autoSubmitted: string | null;
  /** The identifier of a mailing list, without its angle brackets. */
  listId: string | null;
  /** `bulk`, `list`, `junk`, `auto_reply` …, lower-cased. */
  precedence: string | null;
}

/** Longer values are no keywords and no list identifiers (RFC 2919 3 allows 255 characters). */
const VALUE_CHARS_MAX = 255;

/**
 * What vacation programs set that do not know Auto-Submitted. X-Auto-Response-Suppress is not one of them: it asks
 * others not to answer, and is found on mail that people write.
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
 * Tells from the header and the reverse-path whether a program wrote the message, so that agents do not answer each
 * other, or vacation programs, for ever (RFC 3834).
 *
 * `autoSubmitted` is what Auto-Submitted says (RFC 3834 5); a field whose keyword cannot be read counts as
 * `auto-generated`, since only "no" means a person. Without the field it is `auto-replied` for the marks of vacation
 * programs and for Precedence auto_reply, and else `auto-generated` for the null reverse-path (RFC 5321 4.5.5).
 * Being a list or bulk mail does not count: people write to lists. `headers` are decoded and unfolded; values in the
 * answer have 255 characters at most and no controls.
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

/** What is in the last angle brackets, or the value itself when it is one word (RFC 2919 3). */
function listIdentifier(value: string): string | null {
  const open = value.lastIndexOf("<");
  const close = value.indexOf(">", open);
  const id = (open < 0 ? value : value.slice(open + 1, close < 0 ? undefined : close)).trim();
  return id.length <= VALUE_CHARS_MAX && /^[^\s\x00-\x1f\x7f-\x9f<>]+$/.test(id) ? id : null;
}
