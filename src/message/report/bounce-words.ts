/** What mail systems say of mail that did not arrive, in the languages of large providers; all in lower case. */
const failures = [
  // English: beside those of programs that prose.ts lists
  ...["could not be reached", "cannot be delivered", "can't be delivered", "was not delivered", "not deliverable"],
  ...["message has been rejected", "message was rejected", "mail was rejected", "address not found"],
  ...["your message did not reach", "your email did not reach", "failed permanently", "delivery attempts have failed"],
  // German, Dutch
  ...["nicht zugestellt werden", "nicht zugestellt", "unzustellbar", "nicht zustellbar", "zustellung fehlgeschlagen"],
  ...["zustellung ist fehlgeschlagen", "zustellung der nachricht ist fehlgeschlagen", "fehler bei der zustellung"],
  ...[
    "nicht ausgeliefert werden",
    "nicht übermittelt werden",
    "niet worden bezorgd",
    "niet bezorgd",
    "niet afgeleverd",
  ],
  ...["niet worden afgeleverd", "onbestelbaar", "bezorging is mislukt", "bezorging mislukt", "bezorgen is mislukt"],
  // French
  ...["n'a pas pu être", "n'a pu être", "n'ont pas pu être", "ne peut pas être remis", "ne peut être remis"],
  ...["non remis", "non distribué", "non distribuable", "non délivré", "échec de la remise", "échec de remise"],
  ...["échec de la distribution", "échec de livraison", "impossible de remettre", "impossible de distribuer"],
  ...["impossible de délivrer", "la remise a échoué", "la distribution a échoué", "n'a pas été remis"],
  // Spanish, Catalan
  ...["no se pudo entregar", "no se ha podido entregar", "no se puede entregar", "no pudo ser entregado"],
  ...["no ha podido ser entregado", "no ha sido entregado", "no fue entregado", "no entregado", "error de entrega"],
  ...["error en la entrega", "entrega fallida", "falló la entrega", "imposible entregar", "no s'ha pogut lliurar"],
  // Portuguese
  ...[
    "não foi possível entregar",
    "não pôde ser entregue",
    "não pode ser entregue",
    "não foi entregue",
    "não entregue",
  ],
  ...["falha na entrega", "falha de entrega", "a entrega falhou", "não é possível entregar"],
  // Italian
  ...["non è stato possibile consegnare", "non è stato possibile recapitare", "impossibile recapitare"],
  ...[
    "impossibile consegnare",
    "non è stato recapitato",
    "non è stato consegnato",
    "non consegnato",
    "mancato recapito",
  ],
  ...["mancata consegna", "consegna non riuscita", "recapito non riuscito", "non recapitabile", "consegna fallita"],
  // Swedish, Danish, Norwegian, Finnish
  ...[
    "kunde inte levereras",
    "kan inte levereras",
    "gick inte att leverera",
    "leveransen misslyckades",
    "olevererbart",
  ],
  ...["kunne ikke leveres", "kan ikke leveres", "ikke leveret", "ikke levert", "leveringen mislykkedes"],
  ...["levering mislykkedes", "leveringen mislyktes", "ei voitu toimittaa", "ei voida toimittaa", "ei toimitettu"],
  ...["toimitus epäonnistui", "toimittaminen epäonnistui", "toimittamaton"],
  // Polish, Czech, Slovak, Hungarian, Romanian
  ...["nie mogła zostać dostarczona", "nie można dostarczyć", "nie udało się dostarczyć", "nie została dostarczona"],
  ...["nie dostarczono", "niedostarczon", "niedostarczaln", "nie powiodło się dostarczenie", "nemohla být doručena"],
  ...["nelze doručit", "nebyla doručena", "nepodařilo doručit", "nedoručiteln", "nedoručeno", "doručení selhalo"],
  ...["nemohla byť doručená", "nebola doručená", "nemožno doručiť", "nepodarilo doručiť", "nedoručiteľn"],
  ...["nem kézbesíthető", "nem sikerült kézbesíteni", "kézbesítése nem sikerült", "kézbesíthetetlen"],
  ...["sikertelen kézbesítés", "nu a putut fi livrat", "nu a fost livrat", "imposibil de livrat", "livrarea a eșuat"],
  // Croatian, Serbian, Slovenian
  ...[
    "nije isporučena",
    "nije moguće isporučiti",
    "није испоручена",
    "није могуће испоручити",
    "ni bilo mogoče dostaviti",
  ],
  // Russian, Ukrainian, Bulgarian, Greek
  ...["не удалось доставить", "не может быть доставлен", "не было доставлено", "не доставлен", "недоставлен"],
  ...["невозможно доставить", "ошибка доставки", "не был доставлен", "не вдалося доставити", "не може бути доставлен"],
  ...["неможливо доставити", "помилка доставки", "не може да бъде доставен", "не беше доставен", "недоставен"],
  ...["δεν ήταν δυνατή η παράδοση", "δεν μπόρεσε να παραδοθεί", "δεν παραδόθηκε", "αδυναμία παράδοσης"],
  ...["η παράδοση απέτυχε", "αποτυχία παράδοσης"],
  // Turkish
  ...["teslim edilemedi", "teslim edilemiyor", "teslim edilemeyen", "iletilemedi", "teslimat başarısız"],
  // Chinese
  ...["退信", "无法投递", "无法送达", "未能送达", "投递失败", "发送失败", "被退回", "未送达", "無法投遞", "無法傳遞"],
  ...["無法送達", "未能送達", "傳送失敗", "遞送失敗", "寄送失敗", "投遞失敗", "未送達", "退件"],
  // Japanese, Korean
  ...["配信できません", "配信不能", "配送できません", "お届けできません", "届けることができません", "送信できません"],
  ...["配信に失敗", "送信に失敗", "送達できません", "配達できません", "配信されません", "不達"],
  ...[
    "배달되지 않",
    "배달하지 못",
    "배달할 수 없",
    "전달되지 않",
    "전달하지 못",
    "전송하지 못",
    "전송되지 않",
    "전송에 실패",
  ],
  ...["발송 실패", "배달 실패", "전송 실패", "반송"],
  // Vietnamese, Indonesian, Thai
  ...["không thể gửi", "không gửi được", "gửi không thành công", "không thể chuyển", "tidak dapat dikirim"],
  ...["tidak terkirim", "gagal dikirim", "gagal terkirim", "tidak dapat disampaikan", "ส่งไม่สำเร็จ", "ไม่สามารถส่ง"],
  ...["ไม่สามารถนำส่ง", "ส่งไม่ได้"],
  // Hebrew, Arabic, Persian
  ...["לא ניתן היה למסור", "לא ניתן למסור", "לא נמסרה", "המסירה נכשלה", "تعذر تسليم", "تعذّر تسليم", "لم يتم تسليم"],
  ...["فشل تسليم", "فشل التسليم", "لا يمكن تسليم", "تحویل داده نشد", "تحویل ناموفق"],
];

/** What they say of mail that has not arrived yet. */
const delays = [
  ...["noch nicht zugestellt", "verzögert sich", "verzögerte zustellung", "zustellung verzögert", "nog niet bezorgd"],
  ...["is vertraagd", "n'a pas encore été", "n'a pas encore pu", "a été retardé", "remise retardée"],
  ...["aún no se ha podido", "aún no se ha entregado", "todavía no se ha", "entrega retrasada", "se ha retrasado"],
  ...["ainda não foi entregue", "entrega atrasada", "non è ancora stato", "consegna ritardata", "ännu inte levererats"],
  ...[
    "leveransen är försenad",
    "endnu ikke leveret",
    "ennå ikke levert",
    "ei ole vielä toimitettu",
    "jeszcze nie została",
  ],
  ...["opóźnienie dostarczenia", "dosud nebyla doručena", "zatiaľ nebola doručená", "még nem sikerült kézbesíteni"],
  ...["ещё не доставлено", "пока не доставлено", "задержка доставки", "ще не доставлено", "henüz teslim edilemedi"],
  ...[
    "δεν έχει ακόμη παραδοθεί",
    "尚未送达",
    "投递延迟",
    "尚未送達",
    "傳遞延遲",
    "配信が遅れて",
    "まだ配信されて",
    "배달이 지연",
  ],
];

/** How the subjects of answers by programs begin: those are no bounces, though a mail system may send them. */
const answers = [
  ...["abwesen", "automatische antwort", "automatische rückantwort", "ich bin nicht im büro", "réponse automatique"],
  ...["absence du bureau", "absent du bureau", "respuesta automática", "fuera de la oficina", "ausente"],
  ...["risposta automatica", "fuori ufficio", "fuori sede", "resposta automática", "ausência", "automatisch antwoord"],
  ...["afwezig", "autosvar", "automatiskt svar", "automatisk svar", "frånvaro", "fravær", "automaattinen vastaus"],
  ...["poissaolo", "automatyczna odpowiedź", "odpowiedź automatyczna", "nieobecność", "automatická odpověď"],
  ...[
    "automatická odpoveď",
    "automatikus válasz",
    "házon kívül",
    "răspuns automat",
    "автоматический ответ",
    "автоответ",
  ],
  ...["автоматична відповідь", "автоматичен отговор", "αυτόματη απάντηση", "otomatik yanıt", "ofis dışında"],
  ...[
    "自动回复",
    "自動回覆",
    "自動返信",
    "不在",
    "자동 회신",
    "자동 응답",
    "부재중",
    "trả lời tự động",
    "balasan otomatis",
  ],
  ...["ตอบกลับอัตโนมัติ", "תשובה אוטומטית", "رد تلقائي", "پاسخ خودکار", "automatski odgovor", "samodejni odgovor"],
];

/** Whether a text says, in another language than English, that mail did not arrive, or was not accepted. */
export function saysFailed(text: string): boolean {
  return hasOneOf(failures, text);
}

/** Whether a text says so of mail that has not arrived yet. */
export function saysDelayed(text: string): boolean {
  return hasOneOf(delays, text);
}

/** Whether a subject begins as those of vacation programs do. */
export function isAnswerSubject(subject: string): boolean {
  const begin = plain(subject).trimStart();
  return answers.some((one) => begin.startsWith(one));
}

function hasOneOf(phrases: readonly string[], text: string): boolean {
  const lower = plain(text);
  return phrases.some((phrase) => lower.includes(phrase));
}

/** In lower case, with plain apostrophes and spaces. */
function plain(text: string): string {
  return text
    .toLowerCase()
    .replace(/[’‘ʼ]/g, "'")
    .replace(/[\s\u00a0\u202f]+/g, " ");
}
