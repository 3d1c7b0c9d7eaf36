import EmailReplyParser from "email-reply-parser";

/**
 * The library's patterns take time that grows with the third or fourth power of what they match: two kilobytes of
 * `1111from<>` cost a second. So it never sees whole messages. Lines that may mean something to it are shown as they
 * are, within the bounds below; each run of other lines is one placeholder.
 */
const shownMax = 400;
/** Names, addresses and dates of a quote's introduction fit; the worst such line costs about a millisecond. */
const telltaleCharsMax = 200;
const telltalesMax = 12;

/** Lines that may introduce a quote or be a signature, in the languages that the library knows. */
const telltale = new RegExp(
  [
    /^\s*-*\s*(?:On|Le|El|Il|Em|Am|Op|W dniu|Dnia|Den|pe|ср,|在|20\d\d|In data)\s?/,
    /wrote|écrit|escribió|scritto|escreveu|schrieb|schreef|pisze|napisał|skrev|kirjoitti|写道|작성|メッセージ/,
    /^\s*(?:From|Von|De|Van|Da)\s?:/,
    /^-{1,12} ?(?:original|oprindelig|message|ursprüngliche)/i,
    /^\s*(?:[-_+=]{2,4}|_{32}|-- )$/,
    /^(?:sent from|get outlook|cheers|best wishes|von|gesendet|sendt|envoyé|télécharger|bien|bonne|enviado|verzonden|verstuurd)/i,
    /regards|cordialement/i,
  ]
    .map((pattern) => pattern.source)
    .join("|"),
  "i",
);

/** Private use characters: a line that holds them becomes a placeholder itself. */
const placeholder = /\uE000(\d+)\uE001/g;

/**
 * The new part of a plain text body: without the quoted message, its introduction, and the signature, as far as
 * email-reply-parser knows them. Lines of `text` end in LF. Behind 400 runs of lines, only lines quoted with ">" are
 * taken out, or everything, when the 400th is part of a quote. Time is linear in the text.
 */
export function replyText(text: string): string {
  const lines = collapseBlankLines(text.split("\n"));
  const shown: string[] = [];
  /** The lines behind each placeholder. */
  const runs: string[][] = [];
  let telltales = 0;
  let runKind = "";
  let read = 0;
  for (; read < lines.length && shown.length < shownMax; read++) {
    const line = lines[read] as string;
    const short = line.length <= telltaleCharsMax && !/[\uE000\uE001]/.test(line);
    const tells = short && telltales < telltalesMax && !line.startsWith(">") && telltale.test(line);
    if (tells) telltales++;
    if (tells || line === "") {
      shown.push(line);
      runKind = "";
      continue;
    }
    const kind = line.startsWith(">") ? ">" : "plain";
    if (kind === runKind) {
      runs.at(-1)?.push(line);
      continue;
    }
    shown.push(`${kind === ">" ? ">" : ""}\uE000${runs.length}\uE001`);
    runs.push([line]);
    runKind = kind;
  }
  const unquoted = (line: string) => !line.startsWith(">");
  const rest = lines.slice(read);
  if (telltales === 0 && shown.every(unquoted)) {
    return [...lines.slice(0, read), ...rest.filter(unquoted)].join("\n").trim();
  }
  const fragments = new EmailReplyParser().read(shown.join("\n")).getFragments();
  const visible = fragments.filter((fragment) => !fragment.isHidden()).map((fragment) => fragment.getContent());
  const reply = visible.join("\n").replace(placeholder, (_, run: string) => runs[Number(run)]?.join("\n") ?? "");
  const quoteGoesOn = fragments.findLast((fragment) => !fragment.isEmpty())?.isHidden();
  return [reply, ...(quoteGoesOn ? [] : rest.filter(unquoted))].join("\n").trim();
}

/** At most one empty line in a row, and no white space alone on a line. */
function collapseBlankLines(lines: string[]): string[] {
  const kept: string[] = [];
  for (const line of lines) {
    const blank = line.trim() === "";
    if (blank && kept.at(-1) === "") continue;
    // "-- " keeps its space: it is how a signature begins (RFC 3676 4.3).
    kept.push(blank ? "" : line);
  }
  return kept;
}
