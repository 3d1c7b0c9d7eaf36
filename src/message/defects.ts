import type { Defect } from "../mail.ts";

/**
 * What can be wrong with a message as it was read. Codes are part of the API and stay; a detail is a sentence for people
 * and may change.
 */
const details = {
  // The header.
  header_truncated: "The header is too large; fields are missing.",
  header_charset_unknown: "The header has 8-bit characters that are not UTF-8.",
  header_line_invalid: "The header has a line that is not a field.",
  header_unterminated: "The header does not end in an empty line.",
  field_repeated: "The header has a field more than once that it may have only once.",
  addresses_truncated: "The message names more addresses than are shown; the rest are in its header.",
  from_missing: "The message has no From field.",
  from_without_address: "The From field has no address.",
  from_multiple: "The message has more than one From address.",
  from_ambiguous: "The From field can be read in more than one way.",
  date_missing: "The message has no Date field.",
  date_invalid: "The Date field cannot be read.",
  subject_controls_removed: "The Subject had characters that change the direction of text; they were removed.",
  subject_truncated: "The Subject is too long; the rest is in the header.",
  // The structure.
  multipart_unclosed: "A multipart is not closed.",
  boundary_missing: "A multipart has no boundary.",
  part_ambiguous: "How a part is encoded can be read in two ways.",
  parts_exceeded: "The message has too many parts.",
  depth_exceeded: "The message has multiparts nested too deep.",
  lines_exceeded: "The message has too many lines.",
  boundaries_exceeded: "The message has too many lines that may be boundaries.",
  part_headers_exceeded: "The headers of the parts are too large.",
  // The parts.
  encoding_unknown: "A part has an unknown transfer encoding.",
  base64_truncated: "A base64 part is cut off.",
  base64_damaged: "A base64 part has other characters in it, which programs read in different ways.",
  base64_tail_removed: "Text after the end of a base64 part was left out.",
  base64_invalid: "A part is not in base64, as its header says it is.",
  content_encoded: "A part has content that may still be encoded.",
  charset_unknown: "A text part has an unknown charset.",
  charset_missing: "A text part declares no charset.",
  charset_wrong: "A text part is not in the charset that it declares.",
  charset_escapes: "A text part has escapes of ISO-2022, which it does not declare.",
  charset_utf7: "A text part is in UTF-7, which most programs do not decode.",
  byte_order_unknown: "A text part is in UTF-16, and nothing says in which byte order.",
  part_truncated: "A text part is too long to be read whole.",
  filename_changed: "The name of an attachment was changed.",
  tnef_unreadable: "A file in Microsoft's TNEF (winmail.dat) cannot be opened.",
  tnef_text_left: "A file in Microsoft's TNEF (winmail.dat) has other words, which are not in the text.",
  tnef_text_hidden:
    "A file in Microsoft's TNEF (winmail.dat) has words that readers do not see; they are not in the text.",
  signature_unchecked: "The text is inside an S/MIME signature, which was not verified.",
  signed_unreadable: "A file that is signed with S/MIME cannot be opened.",
  message_encrypted: "A part is encrypted and cannot be read.",
  calendar_unreadable: "A calendar file cannot be read.",
  calendar_truncated: "A calendar file is too long to be read whole.",
  calendar_time_invalid: "A time in a calendar file cannot be read.",
  calendar_zone_unknown: "A calendar file names an unknown time zone.",
  // The text.
  text_outside_parts: "The text comes from before or after the parts of the message.",
  text_outside_left: "Words before or after the parts of the message are not in the text.",
  characters_invalid: "The text has bytes that its charset cannot hold.",
  text_truncated: "The text is too long; the rest is in the raw message.",
  html_text_hidden: "The HTML has characters that readers do not see; they are not in the text.",
  html_too_complex: "The HTML is too complex to tell what it hides from readers.",
  body_undecoded: "The body is shown as it was received.",
  reading_failed: "Only part of the message was read.",
} as const satisfies Record<string, string>;

export type DefectCode = keyof typeof details;

export const defectCodes = Object.keys(details) as DefectCode[];

/** A defect, with a sentence that says more than the usual one for its code. */
export function defect(code: DefectCode, detail: string = details[code]): Defect {
  return { code, detail };
}

/** Collects defects; one that is the same as another counts once. */
export class Defects {
  private readonly byDetail = new Map<string, Defect>();

  add(code: DefectCode, detail?: string): void {
    this.take(defect(code, detail));
  }

  take(found: Defect): void {
    this.byDetail.set(found.detail, found);
  }

  get list(): Defect[] {
    return [...this.byDetail.values()];
  }
}
