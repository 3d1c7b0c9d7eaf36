import { describe, expect, test } from "bun:test";
import { isHardBounce, readReport } from "./report.ts";

const returnPath = "bounce+0198f3a1c2d37abc8def0123456789ab.0.abcdefghijklmnopqrst@agents.example";
const ann = "ann@shop.example";

interface Bounce {
  from?: string;
  subject: string;
  body: string;
  type?: string;
}

function read({ from = "MAILER-DAEMON@mx.shop.example", subject, body, type = "text/plain" }: Bounce, sender = "") {
  const text = [
    `From: ${from}`,
    `To: ${returnPath}`,
    `Subject: =?utf-8?B?${Buffer.from(subject).toString("base64")}?=`,
    `Content-Type: ${type}; charset=utf-8`,
    "Content-Transfer-Encoding: base64",
    "",
    Buffer.from(body).toString("base64"),
  ].join("\r\n");
  return readReport(Buffer.from(text), sender, { toReturnPath: true });
}

const code = "550 5.1.1 User unknown";
/** The recipient is at the beginning of a line, after a label, or in the sentence. */
const bounces: Record<string, Bounce> = {
  German: {
    subject: "Unzustellbar: Ihre Bestellung",
    body: `Ihre Nachricht konnte nicht zugestellt werden.\n\n${ann}\n${code}\n`,
  },
  "German, in a sentence": {
    subject: "Mail konnte nicht zugestellt werden",
    body: `Ihre E-Mail an ${ann} konnte leider nicht zugestellt werden: ${code}\n`,
  },
  French: {
    subject: "Non remis : Votre commande",
    body: `Votre message n’a pas pu être remis au destinataire suivant :\n\nDestinataire : ${ann}\n${code}\n`,
  },
  Spanish: {
    subject: "No se puede entregar: Su pedido",
    body: `Su mensaje no se pudo entregar a los siguientes destinatarios:\n\n${ann}\n${code}\n`,
  },
  Italian: {
    subject: "Impossibile recapitare: ordine",
    body: `Il messaggio non è stato recapitato al destinatario:\n\n<${ann}>: ${code}\n`,
  },
  Portuguese: {
    subject: "Não entregue: pedido",
    body: `Não foi possível entregar a sua mensagem.\n\nDestinatário: ${ann}\n${code}\n`,
  },
  Dutch: {
    subject: "Onbestelbaar: bestelling",
    body: `Uw bericht kon niet worden bezorgd.\n\n${ann}\n${code}\n`,
  },
  Swedish: {
    subject: "Olevererbart: order",
    body: `Meddelandet kunde inte levereras till ${ann}. ${code}\n`,
  },
  Danish: { subject: "Ikke leveret: ordre", body: `Meddelelsen kunne ikke leveres.\n\n${ann}\n${code}\n` },
  Finnish: { subject: "Toimittamaton: tilaus", body: `Viestiä ei voitu toimittaa.\n\n${ann}\n${code}\n` },
  Polish: {
    subject: "Nie można dostarczyć: zamówienie",
    body: `Wiadomość nie mogła zostać dostarczona.\n\nOdbiorca: ${ann}\n${code}\n`,
  },
  Czech: { subject: "Nedoručitelné: objednávka", body: `Zpráva nemohla být doručena.\n\n${ann}\n${code}\n` },
  Hungarian: { subject: "Kézbesíthetetlen: rendelés", body: `Az üzenet nem kézbesíthető.\n\n${ann}\n${code}\n` },
  Romanian: { subject: "Nelivrat", body: `Mesajul nu a putut fi livrat.\n\n${ann}\n${code}\n` },
  Russian: {
    subject: "Недоставленное сообщение",
    body: `Не удалось доставить ваше письмо.\n\n${ann}\n${code}\n`,
  },
  Ukrainian: { subject: "Не доставлено", body: `Не вдалося доставити лист.\n\n${ann}\n${code}\n` },
  Greek: {
    subject: "Αδυναμία παράδοσης",
    body: `Δεν ήταν δυνατή η παράδοση του μηνύματος.\n\n${ann}\n${code}\n`,
  },
  Turkish: { subject: "Teslim edilemedi: sipariş", body: `İletiniz teslim edilemedi.\n\nAlıcı: ${ann}\n${code}\n` },
  "Chinese, QQ": {
    from: '"系统管理员" <PostMaster@qq.example>',
    subject: "系统退信/Systems bounce",
    type: "text/html",
    body:
      `<p>抱歉，您的邮件被退回来了……</p><p>原邮件信息：</p><table><tr><td>主　题：</td><td>订单</td></tr>` +
      `<tr><td>收件人：</td><td>${ann}</td></tr></table><p>退信原因：</p>` +
      `<p>收件人邮件地址（${ann}）不存在，邮件无法送达。host mx.shop.example[192.0.2.20] said: ${code}</p>`,
  },
  "Chinese, from a system of another name": {
    from: "邮件系统 <mailsystem@mail.example>",
    subject: "邮件投递状态",
    body: `您发送给 ${ann} 的邮件无法投递。\n${code}\n`,
  },
  "Chinese, traditional": {
    subject: "無法傳遞的郵件",
    body: `您的郵件無法傳遞給下列收件者：\n\n收件者：${ann}\n${code}\n`,
  },
  Japanese: { subject: "配信不能のお知らせ", body: `メールを配信できませんでした。\n\n宛先：${ann}\n${code}\n` },
  Korean: { subject: "반송된 메일", body: `메일이 전송되지 않았습니다.\n\n받는 사람: ${ann}\n${code}\n` },
  Vietnamese: { subject: "Gửi không thành công", body: `Thư của bạn không thể gửi đến ${ann}.\n${code}\n` },
  Indonesian: { subject: "Pesan tidak terkirim", body: `Pesan Anda tidak dapat dikirim.\n\n${ann}\n${code}\n` },
  Thai: { subject: "ส่งไม่สำเร็จ", body: `ไม่สามารถส่งข้อความของคุณ\n\n${ann}\n${code}\n` },
  Hebrew: { subject: "לא נמסרה הודעה", body: `לא ניתן היה למסור את ההודעה.\n\n${ann}\n${code}\n` },
  Arabic: { subject: "تعذر تسليم الرسالة", body: `تعذر تسليم رسالتك.\n\n${ann}\n${code}\n` },
  // English, of large providers
  "Outlook.com": {
    from: "postmaster@outlook.example",
    subject: "Undeliverable: Your order",
    body: `Delivery has failed to these recipients or groups:\n\n${ann}<mailto:${ann}>\nThe email address wasn't found.\n${code}\n`,
  },
  iCloud: {
    subject: "Undeliverable mail",
    body: `The following message to <${ann}> was undeliverable.\nThe reason for the problem:\n${code}\n`,
  },
  Mimecast: {
    from: "Mail Gateway <notice@gateway.example>",
    subject: "Message to you",
    body: `Your message was rejected.\n\nRecipient: ${ann}\n${code}\n`,
  },
};

describe("a bounce in prose names its recipient and the status", () => {
  for (const [name, bounce] of Object.entries(bounces))
    test(name, () => {
      const report = read(bounce);
      if (report?.kind !== "delivery") throw new Error(`read as ${report?.kind}`);
      const [only] = report.recipients;
      expect(report.recipients).toHaveLength(1);
      expect(only).toMatchObject({ finalRecipient: ann, action: "failed", status: "5.1.1" });
      expect(only?.diagnostic).toContain(code);
      expect(isHardBounce(only as never)).toBe(true);
    });
});

const others: Record<string, [Bounce, sender: string]> = {
  "a vacation note": [
    { from: ann, subject: "Abwesenheitsnotiz", body: "Ich bin bis Montag nicht da. Zimmer 550." },
    "",
  ],
  "a vacation note of a postmaster": [
    {
      from: "postmaster@shop.example",
      subject: "Automatische Antwort: Bestellung",
      body: "Ihre Mail konnte nicht zugestellt werden, weil ich 550 5.1.1 bin.",
    },
    "",
  ],
  "a vacation note, Chinese": [{ from: ann, subject: "自动回复: 订单", body: "我不在，信件可能被退回 550。" }, ""],
  "a vacation note without a known subject": [{ from: ann, subject: "Danke", body: "Ich bin bis Montag weg." }, ""],
  "a challenge": [{ from: ann, subject: "Please confirm", body: "Click to have your mail delivered." }, ""],
  "a person who writes about a bounce": [
    { from: ann, subject: "Nicht zugestellt?", body: "Unsere Mail konnte nicht zugestellt werden: 550 5.1.1" },
    ann,
  ],
};
describe("this is none", () => {
  for (const [name, [mail, sender]] of Object.entries(others))
    test(name, () => {
      expect(read(mail, sender)).toBeNull();
    });
});

test("mail that has not arrived yet is delayed, unless a server refused it for good", () => {
  const body = `Ihre Nachricht wurde noch nicht zugestellt.\n\n${ann}\n`;
  const subject = "Zustellung verzögert: Bestellung";
  expect(read({ subject, body })).toMatchObject({ recipients: [{ finalRecipient: ann, action: "delayed" }] });
  const refused = read({ subject, body: `${body}550 5.1.1 User unknown\n` });
  expect(refused).toMatchObject({ recipients: [{ finalRecipient: ann, action: "failed" }] });
});

test("one status in a bounce about several recipients is nobody's", () => {
  const about = (failed: string) => {
    const fields = [
      `X-Failed-Recipients: ${failed}`,
      "From: MAILER-DAEMON@mx.shop.example",
      "Subject: Undelivered mail",
    ];
    const raw = Buffer.from([...fields, "", `Your message could not be delivered: ${code}`, ""].join("\r\n"));
    return readReport(raw, "", { toReturnPath: true });
  };
  expect(about(ann)).toMatchObject({ recipients: [{ finalRecipient: ann, status: "5.1.1" }] });
  expect(about(`${ann}, ben@shop.example`)).toMatchObject({
    recipients: [
      { finalRecipient: ann, status: null },
      { finalRecipient: "ben@shop.example", status: null },
    ],
  });
});

test("a text that names several addresses in its sentences names no recipient", () => {
  const body = `Ihre Nachricht an ${ann} oder ben@shop.example konnte nicht zugestellt werden: ${code}`;
  expect(read({ subject: "Unzustellbar", body })).toMatchObject({ recipients: [{ finalRecipient: null }] });
});
