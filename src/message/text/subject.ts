/** What mail programs put before the subject of an answer, by language; lower-cased, without the colon. */
const replyWords = new Set([
  // English and the many languages that took it over; Czech, Portuguese, French
  ...["re", "ré", "rép", "res", "resp", "rif", "r"],
  // German, Dutch, the Nordic languages. Finnish `VS` answers, Danish and Norwegian `VS` forwards.
  ...["aw", "antw", "antwort", "sv", "svar", "vs"],
  // Polish, Czech, Slovak, Croatian, Hungarian, Turkish, Welsh, Lithuanian
  ...["odp", "odpověď", "odpoveď", "odg", "vá", "válasz", "ynt", "yanıt", "atb", "ats"],
  // Greek, Russian, Ukrainian, Bulgarian
  ...["απ", "σχετ", "отв", "ответ", "відп", "отг"],
  // Indonesian, Vietnamese, Thai
  ...["bls", "trả lời", "ตอบ", "ตอบกลับ"],
  // Chinese, Japanese, Korean
  ...["回复", "回覆", "答复", "答覆", "回信", "返信", "답장", "회신"],
  // Hebrew, Arabic, Persian
  ...["תשובה", "השב", "رد", "پاسخ"],
]);

/** What they put before the subject of a forwarded message. */
const forwardWords = new Set([
  // English, German, Dutch, French, Spanish, Portuguese, Italian
  ...["fw", "fwd", "wg", "weitergeleitet", "doorst", "tr", "rv", "reenv", "enc", "i"],
  // Swedish, Danish, Norwegian; Finnish
  ...["vb", "vs", "vl"],
  // Polish, Hungarian, Turkish, Croatian
  ...["pd", "továbbítás", "ilt", "i̇lt", "prosl"],
  // Greek, Russian
  ...["πρθ", "пересл", "переслано"],
  // Indonesian, Vietnamese, Thai
  ...["trs", "chuyển tiếp", "ส่งต่อ"],
  // Chinese, Japanese, Korean
  ...["转发", "轉寄", "轉發", "転送", "전달"],
  // Hebrew, Arabic
  ...["הועבר", "העבר", "إعادة توجيه", "توجيه"],
]);

/** The longest word of a prefix, with its count (`Re[2]:`), and white space. */
const PREFIX_CHARS_MAX = 40;
/** `Re[2]`, `AW(3)`, `Re^2`. */
const counted = /(?:\[\d{1,4}\]|\(\d{1,4}\)|\^\d{1,4})$/;
/** Lists and filters put `[tag]` before a subject. */
const tags = /^\s{0,9}(?:\[[^\][]{1,60}\]\s{0,9}){0,3}/;

/** The subject without the prefixes of answers at its beginning, in any language. */
export function withoutReplyPrefixes(subject: string): string {
  return withoutPrefixes(subject, replyWords);
}

/** The subject without the prefixes of forwarded messages at its beginning, in any language. */
export function withoutForwardPrefixes(subject: string): string {
  return withoutPrefixes(subject, forwardWords);
}

/**
 * Whether the first prefix of a subject says that the message forwards another one: `Fwd: Re: Order` forwards and
 * `Re: Fwd: Order` answers. "perhaps" for `VS:`, which forwards in Danish and Norwegian and answers in Finnish.
 */
export function saysForward(subject: string): boolean | "perhaps" {
  const first = prefixAt(subject.replace(tags, ""), 0)?.word ?? "";
  return forwardWords.has(first) && (replyWords.has(first) ? "perhaps" : true);
}

function withoutPrefixes(subject: string, words: ReadonlySet<string>): string {
  let at = 0;
  for (let prefix = prefixAt(subject, at); prefix && words.has(prefix.word); prefix = prefixAt(subject, at))
    at = prefix.end;
  return at === 0 ? subject : subject.slice(at).trimStart();
}

/** The word before the first colon from `at` on, lower-cased and without its count. Chinese programs use a wide colon. */
function prefixAt(subject: string, at: number): { word: string; end: number } | null {
  const begin = subject.slice(at, at + PREFIX_CHARS_MAX);
  const colon = begin.search(/[:：]/);
  if (colon < 0) return null;
  const word = begin.slice(0, colon).trim().toLowerCase().replace(counted, "").trim();
  return { word, end: at + colon + 1 };
}
