import iconv from "iconv-lite";

/** A charset with text in a language that is written in it. */
export interface Letters {
  /** As a mail declares it. */
  labels: readonly string[];
  text: string;
  encode: (text: string) => Buffer;
}

const french = "Où êtes-vous ? Très bientôt, à côté du café.";
const german = "Schöne Grüße aus Köln, die Straße ist gesperrt.";
const polish = "Zażółć gęślą jaźń, proszę o szybką odpowiedź.";
const czech = "Příliš žluťoučký kůň úpěl ďábelské ódy.";
const russian = "Здравствуйте, отправляем вам счёт за октябрь.";
const ukrainian = "Доброго дня, надсилаємо вам рахунок за жовтень.";
const greek = "Καλημέρα, σας στέλνουμε το τιμολόγιο του μήνα.";
const hebrew = "שלום רב, מצורפת החשבונית עבור חודש אוקטובר";
const arabic = "السلام عليكم، تجدون الفاتورة في المرفقات";
const turkish = "Günaydın, ekteki faturayı lütfen bugün ödeyiniz, teşekkürler.";
const baltic = "Labą dieną, siunčiame jums sąskaitą už spalį.";
const thai = "สวัสดีครับ ขอส่งใบแจ้งหนี้ประจำเดือนตุลาคม";
const japanese = "お世話になっております。見積書をお送りします。";
const korean = "안녕하세요, 견적서를 보내 드립니다.";
const simplified = "您好，请查收附件中的报价单。";
const traditional = "您好，請查收附件中的報價單。";

function by(name: string): Letters["encode"] {
  return (text) => {
    const bytes = iconv.encode(text, name);
    if (iconv.decode(bytes, name) !== text) throw new Error(`${name} lacks a letter of "${text}".`);
    return bytes;
  };
}

const of = (text: string, name: string, ...labels: string[]): Letters => ({
  labels: [name, ...labels],
  text,
  encode: by(name),
});

/** Runs of bytes above 127 as two-byte characters of seven bits, between what opens and closes them. */
function shifted(euc: string, open: string, close: string, head = ""): Letters["encode"] {
  return (text) => {
    const binary = by(euc)(text).toString("latin1");
    const lines = binary.replace(
      /[\x80-\xff]+/g,
      (run) => open + run.replace(/./gs, (byte) => String.fromCharCode(byte.charCodeAt(0) & 0x7f)) + close,
    );
    return Buffer.from(head + lines, "latin1");
  };
}

export const utf8: Letters = of(`${german} ${russian} ${japanese}`, "utf-8", "UTF8", "utf8", "UTF-8");

/** All charsets but UTF-8. */
export const charsets: readonly Letters[] = [
  of(french, "iso-8859-1", "latin1", "ISO_8859-1", "l1"),
  of(polish, "iso-8859-2", "latin2"),
  of("Ĝi estas tre bona ĉevalo, ĵaŭde ni iros.", "iso-8859-3"),
  of("Labą dienā, tere päevast.", "iso-8859-4"),
  of(russian, "iso-8859-5"),
  of(arabic, "iso-8859-6"),
  of(greek, "iso-8859-7", "greek"),
  of(hebrew, "iso-8859-8", "iso-8859-8-i"),
  of(turkish, "iso-8859-9", "latin5"),
  of(baltic, "iso-8859-13"),
  of("Dia dhuit, tá an ṡráid dúnta, ŵythnos.", "iso-8859-14"),
  of(`${french} 20 €`, "iso-8859-15", "latin-9"),
  of("Bună ziua, vă trimitem factura și chitanța.", "iso-8859-16"),
  of(polish, "windows-1250", "cp1250"),
  of(russian, "windows-1251", "cp1251"),
  of(`“${german}” – 20 €`, "windows-1252", "cp1252", "x-cp1252"),
  of(greek, "windows-1253"),
  of(turkish, "windows-1254"),
  of(hebrew, "windows-1255"),
  of(arabic, "windows-1256"),
  of(baltic, "windows-1257"),
  of(thai, "windows-874", "tis-620"),
  of(russian, "koi8-r"),
  of(ukrainian, "koi8-u"),
  of(german, "macintosh", "x-mac-roman"),
  of(czech, "maccenteuro", "x-mac-ce"),
  of(russian, "cp866", "ibm866"),
  of("Schöne Grüße", "cp437", "ibm437"),
  of("Schöne Grüße", "cp850", "ibm850"),
  of(simplified, "gb2312"),
  of(simplified, "gbk", "cp936"),
  of(`${simplified} €`, "gb18030"),
  of(traditional, "big5", "big5-hkscs"),
  of(japanese, "shift_jis", "x-sjis", "cp932"),
  of(japanese, "euc-jp"),
  of(korean, "euc-kr", "ks_c_5601-1987", "cp949"),
  { labels: ["iso-2022-jp"], text: japanese, encode: shifted("euc-jp", "\x1b$B", "\x1b(B") },
  { labels: ["iso-2022-kr"], text: korean, encode: shifted("euc-kr", "\x0e", "\x0f", "\x1b$)C") },
  { labels: ["hz-gb-2312"], text: simplified, encode: shifted("gb2312", "~{", "~}") },
  {
    labels: ["utf-16"],
    text: `${german} ${japanese}`,
    encode: (text) => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, "utf16le")]),
  },
  { labels: ["utf-7", "unicode-1-1-utf-7"], text: german, encode: by("utf7") },
];
