import { withoutEnds } from "./clean.ts";
import { TELLTALE_CHARS_MAX } from "./introduction.ts";

/** "Original message", "Reply message" between dashes, in the languages of mail programs; lower-cased. */
const original = new Set([
  ...[
    "original message",
    "original",
    "original appointment",
    "reply message",
    "replied message",
    "original email",
    "original mail",
  ],
  ...["ursprüngliche nachricht", "originalnachricht", "original-nachricht", "ursprungliche nachricht"],
  ...["message d'origine", "message d’origine", "message original", "message initial", "mensaje original"],
  ...["mensagem original", "messaggio originale", "oorspronkelijk bericht", "oorspronkelijke bericht"],
  ...["ursprungligt meddelande", "originalmeddelande", "oprindelig meddelelse", "oprindelig besked"],
  ...["opprinnelig melding", "original meddelelse", "alkuperäinen viesti", "oryginalna wiadomość"],
  ...[
    "wiadomość oryginalna",
    "původní zpráva",
    "původní e-mail",
    "pôvodná správa",
    "eredeti üzenet",
    "mesaj original",
    "mesajul original",
  ],
  ...[
    "исходное сообщение",
    "исходное письмо",
    "оригинальное сообщение",
    "вихідне повідомлення",
    "оригінальне повідомлення",
  ],
  ...["оригинално съобщение", "αρχικό μήνυμα", "özgün ileti", "orijinal mesaj", "originalna poruka", "izvorna poruka"],
  ...[
    "izvirno sporočilo",
    "原始邮件",
    "原邮件",
    "回复的原邮件",
    "原始郵件",
    "原始信件",
    "元のメッセージ",
    "원본 메시지",
  ],
  ...[
    "원본 메일",
    "הודעה מקורית",
    "الرسالة الأصلية",
    "رسالة أصلية",
    "پیام اصلی",
    "tin nhắn gốc",
    "thư gốc",
    "pesan asli",
  ],
  ...["ข้อความต้นฉบับ", "ข้อความเดิม", "missatge original"],
]);

/** "Forwarded message" between dashes or before a colon. */
const forwarded = new Set([
  ...["forwarded message", "forwarded email", "forwarded mail", "begin forwarded message", "forwarded appointment"],
  ...["weitergeleitete nachricht", "anfang der weitergeleiteten nachricht", "anfang der weitergeleiteten e-mail"],
  ...["message transféré", "message réexpédié", "début du message transféré", "début du message réexpédié"],
  ...["mensaje reenviado", "inicio del mensaje reenviado", "comienzo del mensaje reenviado"],
  ...["mensagem encaminhada", "mensagem reencaminhada", "início da mensagem encaminhada"],
  ...["início da mensagem reencaminhada", "messaggio inoltrato", "inizio messaggio inoltrato"],
  ...["doorgestuurd bericht", "begin doorgestuurd bericht", "vidarebefordrat meddelande", "vidarebefordrat brev"],
  ...["vidarebefordrat mejl", "videresendt meddelelse", "videresendt besked", "videresendt melding"],
  ...["start på videresendt besked", "videresendt e-mail", "välitetty viesti", "välitetty viesti alkaa"],
  ...["edelleenlähetetty viesti", "przekazana wiadomość", "wiadomość przekazana dalej"],
  ...["początek przekazywanej wiadomości", "początek przekazanej wiadomości", "přeposlaná zpráva"],
  ...["začátek přeposílané zprávy", "preposlaná správa", "začiatok preposlanej správy", "továbbított üzenet"],
  ...[
    "továbbított levél",
    "továbbított levél kezdete",
    "mesaj redirecționat",
    "mesaj redirecţionat",
    "mesaj retransmis",
  ],
  ...["пересылаемое сообщение", "пересланное сообщение", "начало переадресованного сообщения"],
  ...["начало пересылаемого сообщения", "переслане повідомлення", "початок переадресованого повідомлення"],
  ...["препратено съобщение", "προωθημένο μήνυμα", "iletilmiş mesaj", "iletilen mesaj", "yönlendirilmiş ileti"],
  ...["yönlendirilen ileti", "proslijeđena poruka", "прослеђена порука", "posredovano sporočilo"],
  ...["转发的邮件", "转发邮件", "转发邮件信息", "下面是被转发的邮件", "已轉寄郵件", "轉寄的郵件", "以下是轉寄的郵件"],
  ...["轉寄郵件", "転送メッセージ", "転送されたメッセージ", "전달된 메시지", "전달된 메일", "전달된 메시지 시작"],
  ...["הודעה שהועברה", "הודעה מועברת", "رسالة تم توجيهها", "رسالة معاد توجيهها", "رسالة مُعاد توجيهها"],
  ...["پیام هدایت‌شده", "پیام بازارسال شده", "thư đã chuyển tiếp", "tin nhắn đã chuyển tiếp", "pesan terusan"],
  ...["pesan yang diteruskan", "ข้อความที่ส่งต่อ", "missatge reenviat", "edasi saadetud kiri", "persiųstas laiškas"],
]);

/** "Please reply above this line", as ticket systems write it above their message. */
const replyAbove = [
  ...["reply above this line", "type your reply above this line", "write above this line", "respond above this line"],
  ...["oberhalb dieser zeile", "oberhalb dieser linie", "au-dessus de cette ligne", "por encima de esta línea"],
  ...["acima desta linha", "sopra questa riga", "sopra questa linea", "boven deze regel", "ovanför denna rad"],
  ...["over denne linje", "over denne linjen", "powyżej tej linii", "nad tento řádek", "выше этой строки"],
  ...["bu satırın üstüne", "この行より上", "在此行上方", "请在此行以上"],
];

const rule = /^[-_=*─━—]{5,120}$/;
const dashes = "-_=*#─━—~";

/** Whether a line is `-----Original Message-----`, in any language. */
export function isOriginalSeparator(line: string): boolean {
  const words = betweenDashes(line);
  return words !== null && original.has(words);
}

/** Whether a line is a few words between dashes, as programs put above a header: a separator in a language not known. */
export function isDashedTitle(line: string): boolean {
  const words = betweenDashes(line);
  return words !== null && line.startsWith("---") && words.split(/\s+/).length <= 4;
}

/** Whether a line is `---------- Forwarded message ---------` or `Begin forwarded message:`, in any language. */
export function isForwardSeparator(line: string): boolean {
  const words = betweenDashes(line) ?? (/[:：]$/.test(line) && line.length <= TELLTALE_CHARS_MAX ? line.trim() : null);
  return words !== null && forwarded.has(words.replace(/\s?[:：]$/, "").toLowerCase());
}

/** Whether a line is `##- Please type your reply above this line -##`. */
export function isReplyAboveLine(line: string): boolean {
  const words = betweenDashes(line);
  return words !== null && replyAbove.some((one) => words.includes(one));
}

/** Whether a line is nothing but a rule. */
export function isRule(line: string): boolean {
  return rule.test(line.trim());
}

/** What stands between dashes at both ends of a line, lower-cased; null if there are none. */
function betweenDashes(line: string): string | null {
  if (line.length > TELLTALE_CHARS_MAX) return null;
  const trimmed = line.trim();
  if (!dashes.includes(trimmed.charAt(0))) return null;
  const dashed = trimmed.replace(/[:：]$/, "");
  if (!dashes.includes(dashed.charAt(dashed.length - 1))) return null;
  return withoutEnds(dashed, `${dashes} \t`).toLowerCase() || null;
}
