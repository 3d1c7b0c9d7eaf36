/** Long texts are returned in portions. */
import { Type } from "@sinclair/typebox";
import { type AskedPart, CHARS_DEFAULT, type Portion } from "./body.ts";
import { ToolFailure } from "./failure.ts";
import { given, orNull, whole } from "./tool.ts";

const CHARS_MAX = 100_000;

export const partArguments = {
  offset: given.offset,
  max_chars: Type.Optional(
    whole(100, CHARS_MAX, { default: CHARS_DEFAULT, description: "Characters of text in one answer." }),
  ),
};

/** The place of a portion in the whole text. */
export const partOutput = {
  total_chars: Type.Integer(),
  offset: Type.Integer(),
  next_offset: orNull(Type.Integer(), "The offset of the next part; null after the last."),
};

/** Returns a portion as it is shown, and what to say about it. Throws ToolFailure for an offset past the end. */
export function shownPortion({ text, totalChars, nextOffset }: Portion, { offset = 0 }: AskedPart) {
  if (offset > 0 && offset >= totalChars)
    throw new ToolFailure(`The text has ${totalChars} characters; there is nothing at offset ${offset}.`, {
      fix: "Continue from next_offset, or start at 0.",
    });
  const isWhole = offset === 0 && nextOffset === null;
  const where = `These are characters ${offset} to ${offset + text.length} of ${totalChars}.`;
  const more = nextOffset === null ? "" : ` For more, call again with offset ${nextOffset}.`;
  return {
    portion: text,
    lines: isWhole ? [] : [where + more],
    structured: { total_chars: totalChars, offset, next_offset: nextOffset },
  };
}
