import { TELLTALE_CHARS_MAX } from "./introduction.ts";

/** Letterheads of companies have some ten lines. */
const SIGNATURE_LINES_MAX = 15;
const SIGNATURE_LINE_CHARS_MAX = 100;
/** How far the words of a disclaimer are looked for in a line. */
const DISCLAIMER_CHARS_MAX = 1_000;

/** How the lines of telephones and programs begin, in lower case, and how they end. */
const sentBeginnings = [
  ...["sent from ", "sent using ", "sent via ", "sent with ", "get outlook ", "get bluemail ", "download outlook "],
  ...["gesendet von ", "gesendet mit ", "gesendet über ", "von meinem ", "von meiner "],
  ...["diese nachricht wurde von meine", "outlook für ", "holen sie sich outlook ", "envoyé de ", "envoyé depuis "],
  ...["envoyé à partir de ", "envoyé avec ", "télécharger outlook ", "obtenez outlook ", "enviado desde "],
  ...["enviado do ", "enviado de ", "enviado a partir do ", "enviado pelo ", "obtener outlook "],
  ...["obter o outlook ", "inviato da ", "inviato dal ", "inviato con ", "scarica outlook ", "verzonden vanaf "],
  ...["verzonden met ", "verstuurd vanaf ", "skickat från ", "sendt fra ", "lähetetty ", "wysłane z "],
  ...["wysłano z ", "pobierz outlook ", "odesláno z ", "odoslané z ", "trimis de pe ", "elküldve "],
  ...["отправлено с ", "отправлено из ", "надіслано з ", "изпратено от ", "στάλθηκε από ", "נשלח מה", "أُرسلت من "],
  ...["ارسال شده از ", "从我的", "发自我的", "來自我的", "從我的", "發自我的"],
  ...["iphoneから", "ipadから", "나의 ", "내 "],
];
const sentEndings = [" gönderildi", "から送信"];
/** What such a line names. */
const brand =
  /iphone|ipad|ipod|\bios\b|android|galaxy|samsung|huawei|xiaomi|redmi|oneplus|motorola|nokia|xperia|pixel|blackberry|windows|outlook|yahoo|gmail|gmx|web\.de|mail\.ru|proton|\bspark\b|thunderbird|bluemail|superhuman|mailspring|\btuta\b|почты mail/i;
const owned = /\b(?:my|meine[mr]|mon|ma|mi|meu|min|mit|mijn|mio|mojego)\b|моего|我的|나의|내/i;
const device =
  /phone|mobile?|handy|tablet|telefon|téléphone|teléfono|móvil|celular|cellulare|telefoon|device|gerät|移动|手机|手機|스마트폰/i;

const closing = new RegExp(
  `^(?:${[
    /(?:cheers|best wishes|bien . vous),?!?/,
    /(?:\w{1,20} )?(?:and )?regards,?!?！?/,
    /(?:\w{1,20} )?cordialement,?!?/,
    /bonne (?:journ.e|soir.e)!?/,
  ]
    .map(({ source }) => source)
    .join("|")})$`,
);
/** Closings that mail programs put below the separator by default. */
const greeting =
  /^(?:с уважением|з повагою|mit freundlichen grüßen|viele grüße|best regards|kind regards|s pozdravem)(?!\p{L})/iu;
const separator = /^\s{0,8}(?:-{2,4}|_{2,4}|\+{2,4}|={2,4}|_{32})$/;
const postscript = /^\(?(?:P\.? ?){1,3}S\b|^(?:NB|N\.B\.|З\.?Ы|П\.? ?С)(?![\p{L}])/iu;
/** What only letterheads have. */
const contact =
  /[^\s@]@[^\s@]{1,200}\.[^\s@]|https?:|\bwww\.|\+\d|\b\d{3,}[ /-]\d{2,}|^(?:tel|phone|telefon|tél|fon|mobile?|mobil|fax|cell|e-?mail|web|skype)\b/i;
const disclaimer =
  /confidential|intended (?:only )?for|disclaimer|vertraulich|confidentiel|confidencial|riservat|vertrouwelijk|registered (?:office|in)|amtsgericht|handelsregister|geschäftsführer|think before|before printing|environment|viruses/i;
const particles = new Set([
  ...["and", "of", "the", "for", "at", "in", "und", "von", "van", "der", "den", "de", "da", "di", "do", "dos", "du"],
  ...["des", "la", "le", "les", "del", "el", "y", "e", "et", "für", "im", "bin", "al", "och", "og", "i", "zu", "zum"],
]);

/** Lines of programs that are whole sentences. */
const sentences =
  /^(?:diese nachricht wurde von mein\p{L}{1,3} [^.]{1,60} gesendet\.?|securely sent with tuta(?:nota|mail)?\..{0,80})$/u;

/** Whether a line is what telephones and programs put under a message: `Sent from my iPhone`. */
export function isSentFromLine(line: string): boolean {
  const words = line.trim();
  if (words.length <= 120 && sentences.test(words.toLowerCase())) return true;
  // "Sent from our warehouse on Monday." is a sentence.
  if (words.length > 120 || /[.!?…]$/.test(words)) return false;
  const linked = words.replace(/<[^<>]{0,100}>|\([^()]{0,100}\)/g, "");
  // Neither has "Sent from the Galaxy warehouse", or a line with a tracking number.
  if (linked.split(/\s+/).length > 9 || /\p{Nd}{4}|^\S+ \S+ the /u.test(linked)) return false;
  const lower = linked.toLowerCase();
  const isSent =
    sentBeginnings.some((one) => lower.startsWith(one)) || sentEndings.some((one) => lower.trimEnd().endsWith(one));
  return isSent && (brand.test(lower) || (owned.test(lower) && device.test(lower)));
}

/** Whether a line may separate a signature from the text. */
export function isSignatureSeparator(line: string): boolean {
  return separator.test(line);
}

/**
 * How many lines of a signature begin at `at`: a separator or a closing such as "Best regards,", the name, and the
 * letterhead below it. 0 if the line begins none, or if what follows is not clearly a signature, with nothing but
 * postscripts below it: then it is kept. `end` is where the text ends, or a quote begins.
 */
export function signatureAt(lines: readonly string[], at: number, end: number): number {
  const line = (lines[at] as string).trim();
  const isClosing = line.length <= TELLTALE_CHARS_MAX && closing.test(line.toLowerCase());
  if (!isClosing && !separator.test(line)) return 0;
  // "Write this on the card:", and what follows is the text of the card.
  if (/[:：]$/.test(lastWords(lines, at))) return 0;
  let i = at + 1;
  while (i < end && lines[i] === "") i++;
  if (i >= end) return end - at;
  const first = lines[i] as string;
  const isFirst =
    isName(first) ||
    isContact(first) ||
    isSentFromLine(first) ||
    greeting.test(first) ||
    (line === "--" && /^\p{L}{2,20}$/u.test(first));
  if (!isFirst) return isClosing && postscript.test(first) ? 1 : 0;
  let last = i;
  for (let paragraph = 0; i < end && i - at <= SIGNATURE_LINES_MAX; i++) {
    const text = lines[i] as string;
    if (text === "") paragraph++;
    else if (isLetterhead(text) && (paragraph === 0 || isContact(text) || (!isClosing && isName(text)))) last = i;
    else if (i === last || isSentFromLine(text) || disclaimer.test(text.slice(0, DISCLAIMER_CHARS_MAX))) last = i;
    else break;
  }
  while (i < end && lines[i] === "") i++;
  return i >= end || postscript.test(lines[i] as string) || isSentFromLine(lines[i] as string) ? last - at + 1 : 0;
}

/** The nearest line above that has words. */
function lastWords(lines: readonly string[], at: number): string {
  for (let i = at - 1; i >= 0; i--) if (lines[i] !== "") return lines[i] as string;
  return "";
}

/** A few words, each with a capital letter, as names have: `Alice de la Cruz`. */
function isName(line: string): boolean {
  const words = line.trim().split(/[\s,/|]+/);
  if (line.length > 60 || words.length > 6 || /[?!:;。？！：]$|\p{Nd}/u.test(line)) return false;
  return words.every((word) => particles.has(word.toLowerCase()) || !/^["'(]?\p{Ll}/u.test(word));
}

/** Whether a line has an address, a link or a telephone number. */
function isContact(line: string): boolean {
  return line.length <= 2 * SIGNATURE_LINE_CHARS_MAX && contact.test(line);
}

/** Whether a line may be in a letterhead: short, and no sentence. */
function isLetterhead(line: string): boolean {
  if (isContact(line)) return !/[?!？！]$/.test(line);
  if (line.length > SIGNATURE_LINE_CHARS_MAX || /[?!？！。]$/.test(line)) return false;
  const words = line.trim().split(/\s+/);
  if (/[.…]$/.test(line) && words.length > 5) return false;
  return words.filter((word) => /^\p{Ll}/u.test(word) && !particles.has(word)).length <= 1;
}
