import { bodyReview } from "../../src/approval/reviews.ts";
import type { HeldReview } from "../../src/store/schema.ts";

/** The stored review of a held message with these bodies and no attachments. */
export function heldOf(text: string, html: string | null, changes: Partial<HeldReview> = {}): HeldReview {
  return { contentHash: "", ...bodyReview(text, html), attachmentTexts: [], unsearched: [], ...changes };
}
