/** Long texts are returned in portions. */
import { Type } from "@sinclair/typebox";
import { ToolFailure } from "./failure.ts";
import { given, orNull, whole } from "./tool.ts";

/** About 5,000 tokens. */
export const CHARS_DEFAULT = 20_000;
const CHARS_MAX = 100_000;

export const partArguments = {
  offset: given.offset,
  max_chars: Type.Optional(
    whole(100, CHARS_MAX, { default: CHARS_DEFAULT, description: "Characters of text in one answer." }),
  ),
};

export interface AskedPart {
  offset?: number;
  max_chars?: number;
}

/** The place of a portion in the whole text. */
export const partOutput = {
  total_chars: Type.Integer(),
  offset: Type.Integer(),
  next_offset: orNull(Type.Integer(), "The offset of the next part; null after the last."),
};

/** Returns the requested portion, and what to say about it. Throws ToolFailure for an offset past the end. */
export function askedPortion(text: string, { offset = 0, max_chars = CHARS_DEFAULT }: AskedPart) {
  if (offset > 0 && offset >= text.length)
    throw new ToolFailure(`The text has ${text.length} characters; there is nothing at offset ${offset}.`, {
      fix: "Continue from next_offset, or start at 0.",
    });
  const { text: portion, nextOffset } = portionOf(text, offset, max_chars);
  const isWhole = offset === 0 && nextOffset === null;
  const where = `These are characters ${offset} to ${offset + portion.length} of ${text.length}.`;
  const more = nextOffset === null ? "" : ` For more, call again with offset ${nextOffset}.`;
  return {
    portion,
    lines: isWhole ? [] : [where + more],
    structured: { total_chars: text.length, offset, next_offset: nextOffset },
  };
}

/** Returns a portion of a text, and the offset of the next one; null if it was the last. Never splits a character. */
export function portionOf(text: string, offset: number, limit: number): { text: string; nextOffset: number | null } {
  const isInside = (at: number) => /[\udc00-\udfff]/.test(text[at] ?? "");
  const start = isInside(offset) ? offset + 1 : offset;
  const end = Math.min(text.length, start + limit);
  const whole = isInside(end) ? end + 1 : end;
  return { text: text.slice(start, whole), nextOffset: whole < text.length ? whole : null };
}
