import { type Difference, type Field, htmlWords } from "./differences.ts";

/** Why two parsers differ, and which of them is right. */
export interface Rule {
  name: string;
  right: "e2a" | "postal-mime" | "either";
  fields: readonly Field[];
  /** One sentence. */
  reason: string;
  explains: (difference: Difference) => boolean;
}

const people: Field[] = ["from", "to", "cc", "replyTo"];
const headerFields: Field[] = [...people, "subject", "messageId", "inReplyTo", "references", "date"];
const names: Field[] = [...people, "subject", "file name"];
const contents: Field[] = ["text", "html", "file", "file content"];

/** Labels of charsets that the Encoding Standard does not have, and others that postal-mime does not find. */
const rareCharset =
  /(?:charset\*?\d*\*?\s*=\s*["']?|=\?)(?:(?:unicode-1-1-)?utf-7|iso-2022-kr|hz-gb-2312|(?:ibm|cp)(?:437|850)|maccenteuro|x-mac-ce|latin-9|utf-?16)\b/i;
/** A transfer encoding in a form that only a forgiving reader knows. */
const oddEncoding = /^content-transfer-encoding\s*:[^\n]*\b(?:base-64|quoted[ _]printable)/im;
const parameterFields = /^content-(?:type|disposition)[ \t]*:[^\n]*(?:\r?\n[ \t][^\n]*)*/gim;
const addressFields = /^(?:to|cc)[ \t]*:[^\n]*(?:\r?\n[ \t][^\n]*)*/gim;
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;

const says = ({ ours }: Difference, words: string) => ours.mail.defects.some(({ code }) => code.startsWith(words));
const isAmbiguous = (difference: Difference) => says(difference, "part_ambiguous");
const withoutEndingBlanks = (content: Buffer | undefined) =>
  content
    ?.toString("latin1")
    .replace(/[ \t\r]*(?:\n|$)/g, "\n")
    .trim();
/** Words in ASCII, in order: what is left if letters of another charset are read differently. */
const asciiWords = (text: string) => (text.match(/[A-Za-z0-9]{3,}/g) ?? []).join(" ");
const headOf = (raw: string) => raw.slice(0, /\r?\n\r?\n/.exec(raw)?.index ?? raw.length);
const fieldOf = (reading: Difference["ours"] | Difference["theirs"], field: Field) =>
  JSON.stringify((reading as unknown as Record<string, unknown>)[field] ?? "");

export const rules: readonly Rule[] = [
  {
    name: "line ends of files without an encoding",
    right: "e2a",
    fields: ["file content"],
    reason: "postal-mime writes LF for every line end and adds one; e2a keeps the bytes as they were sent.",
    explains: ({ ourFile, theirFile }) => ourFile?.sha256OfLines === theirFile?.sha256OfLines,
  },
  {
    name: "a name for files without one",
    right: "either",
    fields: ["file name"],
    reason: "e2a names every file, so that it can be saved; postal-mime says null.",
    explains: ({ ourFile, theirFile }) => theirFile?.name === "" && /^attachment-\d+\./.test(ourFile?.name ?? ""),
  },
  {
    name: "characters that no file system takes",
    right: "either",
    fields: ["file name"],
    reason: "e2a replaces them in names and says so; postal-mime leaves that to its caller.",
    explains: (d) => says(d, "filename_changed"),
  },
  {
    name: "charsets outside the Encoding Standard",
    right: "e2a",
    fields: [...names, "text", "html"],
    reason: "postal-mime reads UTF-7, HZ, ISO-2022-KR, code pages of DOS and others as Windows-1252.",
    explains: ({ raw, ours, theirs, field }) =>
      rareCharset.test(raw) &&
      (field === "file name" || asciiWords(fieldOf(ours, field)) !== "" || fieldOf(theirs, field) !== ""),
  },
  {
    name: "raw bytes in header fields",
    right: "e2a",
    fields: names,
    reason: "Bytes that are not UTF-8 follow the charset of the body; postal-mime shows U+FFFD.",
    explains: ({ raw, field }) => /[\x80-\xff]/.test(field === "file name" ? raw : headOf(raw)),
  },
  {
    name: "transfer encodings that are spelled wrong",
    right: "e2a",
    fields: contents,
    reason: "e2a decodes `base-64` and `quoted printable`, and says so; postal-mime hands out the code.",
    explains: ({ raw }) => oddEncoding.test(raw),
  },
  {
    name: "white space behind soft line ends",
    right: "e2a",
    fields: contents,
    reason: "RFC 2045 6.7 says to ignore it; postal-mime shows `= ` and a line end.",
    explains: ({ raw }) => /=[ \t]+\r?\n/.test(raw),
  },
  {
    name: "white space at the ends of lines in quoted-printable",
    right: "e2a",
    fields: ["file content"],
    reason: "RFC 2045 6.7 says that it was added on the way; postal-mime keeps it.",
    explains: ({ ourFile, theirFile }) =>
      withoutEndingBlanks(ourFile?.content) === withoutEndingBlanks(theirFile?.content),
  },
  {
    name: "Content-Type that cannot be read",
    right: "e2a",
    fields: [...contents, "file type"],
    reason: "e2a reads the text, as RFC 2045 5.2 says; postal-mime makes it a file of an unknown type.",
    explains: ({ theirs }) =>
      theirs.files.some(({ type }) => !mediaType.test(type) || /^(?:plain|html)\/text$/.test(type)),
  },
  {
    name: "letters of a charset that is declared wrongly or not at all",
    right: "e2a",
    fields: ["text", "html"],
    reason: "e2a looks at the bytes and says what it found; postal-mime believes the declaration.",
    explains: ({ ours, theirs, field }) => {
      const [our, their] = field === "html" ? [htmlWords(ours.html), htmlWords(theirs.html)] : [ours.text, theirs.text];
      if (/\$\)C|\ufffd/.test(their) && !/\$\)C|\ufffd/.test(our)) return true;
      return (
        our !== their &&
        /[^\x00-\x7f]/.test(our + their) &&
        asciiWords(our.replace(/[^\x00-\x7f]+/g, "\u00e4")) === asciiWords(their.replace(/[^\x00-\x7f]+/g, "\u00e4"))
      );
    },
  },
  {
    name: "a text with the name of a file",
    right: "either",
    fields: ["text", "file"],
    reason: "It is a file to e2a, as in the programs of Apple and Microsoft; to postal-mime it is text.",
    explains: ({ ours, theirs }) =>
      ours.files.some(
        ({ type, content }) =>
          /^text\/(?:plain|html)$/.test(type) && !theirs.files.some((file) => file.content.includes(content)),
      ),
  },
  {
    name: "alternatives for watches and web mail",
    right: "e2a",
    fields: ["file"],
    reason: "They say again what the text says; postal-mime lists them as files.",
    explains: ({ ourFile, theirFile }) =>
      ourFile === null && /^text\/(?:x-amp-html|watch-html|enriched)$/.test(theirFile?.type ?? ""),
  },
  {
    name: "words around the parts",
    right: "e2a",
    fields: contents,
    reason:
      "If the parts have no words, e2a shows those before and behind them, and says so; postal-mime shows nothing.",
    explains: (d) => says(d, "text_outside"),
  },
  {
    name: "a header without its empty line",
    right: "e2a",
    fields: contents,
    reason: "e2a reads the lines that are not fields as text, and says so; postal-mime makes fields of them.",
    explains: (d) => says(d, "header_unterminated"),
  },
  {
    name: "a multipart without a boundary",
    right: "e2a",
    fields: contents,
    reason: "e2a shows it as it is, and says so; postal-mime shows nothing.",
    explains: (d) => says(d, "boundary_missing"),
  },
  {
    name: "other content in base64",
    right: "e2a",
    fields: contents,
    reason: "e2a ends the data before a footer or another part, and says so; postal-mime decodes everything.",
    explains: (d) => ["base64_tail_removed", "base64_invalid", "base64_damaged"].some((code) => says(d, code)),
  },
  {
    name: "parts whose header is broken",
    right: "either",
    fields: [...contents, "file name", "file type", "file id"],
    reason:
      "There is more than one way to repair it; e2a chooses the one that shows most, and says that there are others.",
    explains: isAmbiguous,
  },
  {
    name: "names in raw bytes of the body's charset",
    right: "e2a",
    fields: ["file name"],
    reason: "e2a decodes them like the body; postal-mime shows U+FFFD.",
    explains: ({ theirFile }) => theirFile?.name.includes("\ufffd") === true,
  },
  {
    name: "bytes in ids that are no UTF-8",
    right: "either",
    fields: ["messageId", "inReplyTo", "references"],
    reason: "RFC 5322 forbids them; e2a shows a letter and says so, and postal-mime shows U+FFFD.",
    explains: (d) => says(d, "header_charset_unknown"),
  },
  {
    name: "control characters",
    right: "e2a",
    fields: [...headerFields, ...contents, "file name", "file type", "file id"],
    reason: "e2a ignores them in the names of fields and removes them from values; terminals would obey them.",
    explains: ({ raw }) => /[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]|\x1b(?!\$|\()/.test(raw),
  },
  {
    name: "lines of a header without a fold or a colon",
    right: "either",
    fields: headerFields,
    reason:
      "e2a takes them for the rest of the field above, because programs forget the fold, and says so; postal-mime for fields.",
    explains: ({ raw }) =>
      headOf(raw)
        .split(/\r?\n/)
        .some((line) => line !== "" && !/^[ \t]/.test(line) && !line.includes(":")),
  },
  {
    name: "words that are no address",
    right: "e2a",
    fields: people,
    reason:
      "e2a leaves out what no server takes for an address, and finds the one in quotes or brackets; postal-mime shows such words.",
    explains: ({ ours, theirs, field }) => {
      const list = theirs[field as "from"];
      const known = ours[field as "from"];
      return (
        (known.length > 0 && list.length === 0) ||
        list.some(({ address }) => !/^[^\s<>"[\]:@?=]+@[^\s<>"[\]:@]*[^\s<>"[\]:@.]$/.test(address))
      );
    },
  },
  {
    name: "content that may still be encoded",
    right: "either",
    fields: contents,
    reason: "A damaged delimiter or field hides where a part begins or how it is encoded; e2a says that it looks so.",
    explains: (d) => says(d, "content_encoded"),
  },
  {
    name: "texts in an alternative",
    right: "e2a",
    fields: ["text", "html"],
    reason: "e2a shows one form of an alternative; postal-mime joins all texts in it.",
    explains: ({ raw, ours, theirs }) => /multipart\/alternative/i.test(raw) && theirs.text.startsWith(ours.text),
  },
  {
    name: "a text without a header",
    right: "e2a",
    fields: contents,
    reason: "What has no field of mail is text to e2a, and a header to postal-mime.",
    explains: (d) => says(d, "from_missing") && says(d, "date_missing"),
  },
  {
    name: "a field that is there twice",
    right: "either",
    fields: headerFields,
    reason: "RFC 5322 3.6 forbids it; e2a says so.",
    explains: (d) => says(d, "field_repeated"),
  },
  {
    name: "a parameter whose quote is never closed",
    right: "either",
    fields: ["file name", "file type", "text", "html", "file"],
    reason: "Nobody can tell where it ends; the content is the same.",
    explains: ({ raw }) =>
      (raw.match(parameterFields) ?? []).some((field) => field.replace(/\\./g, "").split('"').length % 2 === 0),
  },
  {
    name: "a name that ends inside a code",
    right: "either",
    fields: ["file name"],
    reason: "The message ends there.",
    explains: ({ theirFile }) => /%[0-9A-Fa-f]?$/.test(theirFile?.name ?? ""),
  },
  {
    name: "a delimiter directly behind the header of a part",
    right: "e2a",
    fields: contents,
    reason: "The part is empty; postal-mime loses the next one.",
    explains: ({ raw }) => /^(?:content-|[ \t])[^\n]*\n--/im.test(raw),
  },
  {
    name: "a list of addresses with a quote that is never closed",
    right: "either",
    fields: ["to", "cc"],
    reason: "Nobody can tell where the name ends; both have the addresses.",
    explains: ({ raw }) =>
      (headOf(raw).match(addressFields) ?? []).some((field) => field.replace(/\\./g, "").split('"').length % 2 === 0),
  },
  {
    name: "an id that lacks its end",
    right: "either",
    fields: ["messageId", "inReplyTo", "references"],
    reason: "The header is cut there; e2a closes the bracket, and an id that nobody knows finds no conversation.",
    explains: ({ ours, theirs, field }) => fieldOf(theirs, field).length < fieldOf(ours, field).length,
  },
];

/** The first rule that explains a difference. */
export function ruleOf(difference: Difference): Rule | null {
  return rules.find((rule) => rule.fields.includes(difference.field) && rule.explains(difference)) ?? null;
}
