import { hasBracketedAddress, hasDate, hasTime, TELLTALE_CHARS_MAX } from "./introduction.ts";

type Field = "from" | "date" | "to" | "subject" | "other";

/** Names of the fields that mail programs put above a quoted message, by language. */
const names: Record<Field, string[]> = {
  from: [
    ...["From", "Von", "Absender", "De", "Expéditeur", "Remitente", "Remetente", "Van", "Afzender", "Da", "Mittente"],
    ...["Från", "Avsändare", "Fra", "Afsender", "Avsender", "Lähettäjä", "Od", "Nadawca", "Odesílatel", "Odosielateľ"],
    ...["Feladó", "De la", "Expeditor", "От", "От кого", "Від", "Від кого", "Kimden", "Gönderen", "Από", "Αποστολέας"],
    ...["发件人", "寄件者", "寄件人", "差出人", "送信者", "送信元", "보낸 사람", "보낸사람", "מאת", "من", "از", "จาก"],
    ...["Từ", "Dari", "Pošiljatelj", "Nuo", "No", "Saatja", "Шаље", "प्रेषक"],
  ],
  date: [
    ...["Sent", "Date", "Gesendet", "Datum", "Envoyé", "Envoyé le", "Enviado", "Enviado el", "Enviada em"],
    ...["Enviado em", "Fecha", "Data", "Inviato", "Verzonden", "Skickat", "Sendt", "Dato", "Lähetetty", "Päiväys"],
    ...["Pvm", "Päivä"],
    ...["Wysłano", "Wysłane", "Odesláno", "Odoslané", "Dátum", "Küldve", "Elküldve", "Trimis", "Dată", "Отправлено"],
    ...["Дата", "Надіслано", "Изпратено", "Gönderildi", "Gönderme Tarihi", "Gönderilme Tarihi", "Tarih", "Στάλθηκε"],
    ...["Εστάλη", "Ημερομηνία", "Date Sent", "发送时间", "发送日期", "日期", "寄件日期", "傳送時間", "寄件時間"],
    ...["送信日時", "日付", "日時", "보낸 날짜", "보낸날짜", "날짜", "נשלח", "תאריך", "تاريخ الإرسال"],
    ...["تم الإرسال", "التاريخ"],
    ...["تاریخ", "ส่ง", "วันที่", "Đã gửi", "Ngày", "Gửi", "Dikirim", "Tanggal", "Poslano", "Послато", "Išsiųsta"],
  ],
  to: [
    ...["To", "An", "À", "A", "Para", "Aan", "Till", "Til", "Vastaanottaja", "Do", "Komu", "Címzett", "Către", "Кому"],
    ...["До", "Kime", "Alıcı", "Προς", "收件人", "收件者", "宛先", "받는 사람", "받는사람", "אל", "إلى", "به", "ถึง"],
    ...["Đến", "Tới", "Kepada", "Za", "Prima", "Kam", "Kellele"],
  ],
  subject: [
    ...["Subject", "Betreff", "Objet", "Sujet", "Asunto", "Assunto", "Oggetto", "Onderwerp", "Ämne", "Emne", "Aihe"],
    ...["Temat", "Předmět", "Predmet", "Tárgy", "Subiect", "Тема", "Относно", "Konu", "Θέμα", "主题", "主題", "主旨"],
    ...["件名", "제목", "נושא", "الموضوع", "موضوع", "เรื่อง", "หัวเรื่อง", "Chủ đề", "Tiêu đề", "Subjek", "Perihal"],
    ...["Zadeva", "Наслов", "Tema", "Teema"],
  ],
  other: [
    ...["Cc", "Bcc", "Kopie", "Copie", "Kopio", "Kopi", "Kopia", "Копия", "Копія", "抄送", "副本", "참조", "Bilgi"],
    ...["Reply-To", "Antwort an", "Répondre à", "Responder a", "Importance", "Wichtigkeit", "Priority", "Organization"],
    ...["Attachments", "Anlagen", "Pièces jointes", "Resent-From", "Sent by", "Categories"],
  ],
};
const fieldByName = new Map(
  (Object.entries(names) as [Field, string[]][]).flatMap(([field, list]) =>
    list.map((name) => [name.toLowerCase(), field] as const),
  ),
);

/** The longest name, with what programs put around it. */
const NAME_CHARS_MAX = 40;
/** Lines of a header; a long list of recipients goes over several. */
const HEADER_LINES_MAX = 16;
/** `**From:** …` and `| From | … |` are marks of programs that turn HTML into text. */
const ornaments = /^[\s*|]{1,12}|[\s*|]{1,12}$/g;

/** The header of a quoted message. */
export interface QuotedHeader {
  /** The lines it takes, at least one. */
  count: number;
  /** "sure" if it has what only mail programs write; "likely" if a sender with an address begins it. */
  evidence: "sure" | "likely";
}

/** Reads each line once, however often it is asked for. */
export class QuotedHeaders {
  private readonly fields: (ReturnType<typeof fieldOf> | undefined)[] = [];

  constructor(private readonly lines: readonly string[]) {}

  /** Whether a line is a field of such a header. */
  isField(at: number): boolean {
    return this.field(at) !== null;
  }

  private field(at: number): ReturnType<typeof fieldOf> {
    let read = this.fields[at];
    if (read === undefined) {
      read = fieldOf(this.lines[at] ?? "");
      this.fields[at] = read;
    }
    return read;
  }

  /**
   * Reads the header of a quoted message from line `at` on: `From: …`, `Sent: …`, `To: …`, `Subject: …` in any
   * language, in bold, in table cells or indented. Null if there is none. Lists that people write (`From: Berlin`, `To:
   * Hamburg`) and mail that they ask to send (a sender, a recipient and a subject, but no date) are no header. `lines`
   * are plain. `isIntroduced` if an introduction or a separator stands above, so that it may begin with any field.
   */
  at(at: number, isIntroduced = false): QuotedHeader | null {
    const { lines } = this;
    const first = this.field(at);
    if (!first || first.field === "other" || (first.field === "to" && !isIntroduced)) return null;
    const values = new Map<Field, string>();
    let count = 0;
    for (let i = at; i < lines.length && i < at + HEADER_LINES_MAX; i++) {
      const line = lines[i] as string;
      if (line === "") {
        // Some programs put each field into a paragraph of its own.
        if (this.field(i + 1)) continue;
        break;
      }
      const read = this.field(i);
      if (read) {
        if (!values.has(read.field)) values.set(read.field, read.value);
        count = i - at + 1;
      } else if (i > at + count + 2) break;
    }
    const from = values.get("from");
    if (from === undefined) return null;
    const date = values.get("date");
    const named = hasBracketedAddress(from) || /\S@\S/.test(from);
    const isDated = date !== undefined && hasDate(date);
    const [to, subject] = [values.has("to"), values.has("subject")];
    if (isDated && named && (to || subject)) return { count, evidence: "sure" };
    // Names without addresses: Outlook puts the time right below the sender. "From: Berlin" is followed by "To".
    const inOrder = [...values.keys()].indexOf("date") === [...values.keys()].indexOf("from") + 1;
    const isApart = at === 0 || !/[\p{L}\p{Nd}]/u.test(lines[at - 1] ?? "") || isIntroduced;
    if (isDated && to && subject && inOrder && isApart && hasTime(date) && !hasDate(from))
      return { count, evidence: "sure" };
    // A sender and a date in words, or a sender below a separator. "From: Bob <bob@example.com>" alone may be a request.
    const isWholeMail = to && subject && date === undefined;
    const ends = first.field === "from" && /[>\])][;,]?$/.test(from) && hasBracketedAddress(from);
    return ends && !isWholeMail && (date !== undefined || isIntroduced) ? { count, evidence: "likely" } : null;
  }
}

function fieldOf(line: string): { field: Field; value: string } | null {
  if (line.length > 5 * TELLTALE_CHARS_MAX) return null;
  const plain = line.replace(ornaments, "");
  const colon = plain.slice(0, NAME_CHARS_MAX).search(line.trimStart().startsWith("|") ? /[:：|]/ : /[:：]/);
  if (colon < 1) return null;
  const field = fieldByName.get(plain.slice(0, colon).replace(ornaments, "").trim().toLowerCase());
  return field
    ? {
        field,
        value: plain
          .slice(colon + 1)
          .replace(ornaments, "")
          .trim(),
      }
    : null;
}
