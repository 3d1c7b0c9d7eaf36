import { describe, expect, test } from "bun:test";
import iconv from "iconv-lite";
import type { Defect } from "../../mail.ts";
import { defect } from "../defects.ts";
import { decodeText, isCharset } from "./charset.ts";

describe("a declared charset", () => {
  test.each<[charset: string, text: string, encoding?: string]>([
    ["iso-8859-1", "“Grüße” – 5 €", "windows-1252"],
    ["'UTF-8'", "Grüße", "utf8"],
    ["utf8", "Grüße", "utf8"],
    ["koi8-r", "Привет"],
    ["gb2312", "订单已发货", "gbk"],
    ["big5", "訂單"],
    ["x-sjis", "ご注文", "shift_jis"],
    ["ks_c_5601-1987", "안녕", "euc-kr"],
    ["cp437", "Grüße ░"],
    ["ibm850", "Grüße", "cp850"],
    ["x-mac-ce", "Zażółć", "maccenteuro"],
    ["macintosh", "Grüße", "macroman"],
    ["utf-16le", "Grüße"],
  ])("%s", async (charset, text, encoding = charset) => {
    expect(await decodeText(iconv.encode(text, encoding), charset, false)).toEqual({ text, defect: null });
  });

  test.each([
    ["iso-2022-jp", "\x1b$B$3$s$K$A$O\x1b(B!", "こんにちは!"],
    ["iso-2022-kr", "\x1b$)C\x0e>H3g\x0f hi", "안녕 hi"],
    ["hz-gb-2312", "one ~{<:Ky~} two ~~~\nthree", "one 己所 two ~three"],
    ["utf-7", "Hi Mom -+Jjo--! A+ImIDkQ. 1 +- 2", "Hi Mom -☺-! A≢Α. 1 + 2"],
    ["unicode-1-1-utf-7", "+AGcAaABw-", "ghp"],
  ])("of seven bits: %s", async (charset, bytes, text) => {
    expect(await decodeText(Buffer.from(bytes, "latin1"), charset, false)).toEqual({ text, defect: null });
  });

  test.each(["utf-7", "csutf7", "x-utf-7", "unicode-2-0-utf-7", "hz-gb-2312", "csiso2022jp", "iso-2022-jp"])(
    "no more than 2 MiB of %s are decoded",
    async (charset) => {
      const { text, defect } = await decodeText(Buffer.alloc(3 * 1024 * 1024, "a"), charset, false);
      expect([text.length, defect?.code]).toEqual([2 * 1024 * 1024, "part_truncated"]);
    },
  );

  test.each(["utf-8", "UTF8", "unicode-1-1-utf-8"])("other bytes under %s fall back", async (charset) => {
    expect((await decodeText(Buffer.from("Gr\xfc\xdfe aus K\xf6ln", "latin1"), charset, false)).text).toBe(
      "Grüße aus Köln",
    );
  });

  test("a byte order mark of UTF-16 counts without another one, that of UTF-8 always", async () => {
    const wide = Buffer.from("\ufeffGrüße", "utf16le");
    for (const charset of [null, "utf-16", "utf-16le"])
      expect(await decodeText(wide, charset, false)).toEqual({ text: "Grüße", defect: null });
    const letters = Buffer.from("\xff\xfewords", "latin1");
    expect(await decodeText(letters, "iso-8859-1", false)).toEqual({ text: "ÿþwords", defect: null });
    expect((await decodeText(Buffer.from("\ufeffGrüße"), "iso-8859-1", false)).text).toBe("Grüße");
  });

  test("UTF-16 without a mark is read in the order that Western text shows", async () => {
    const little = Buffer.from("Grüße", "utf16le");
    expect(await decodeText(little, "utf-16", false)).toEqual({ text: "Grüße", defect: null });
    const big = Buffer.from(little).swap16();
    expect(await decodeText(big, "utf-16", false)).toEqual({ text: "Grüße", defect: null });
    expect(await decodeText(Buffer.from([0x8a, 0x9e]), "utf-16", false)).toEqual({
      ...{ text: "語", defect: defect("byte_order_unknown") },
    });
  });

  test("letters that cannot be UTF-16 are not read as that", async () => {
    const wrong = defect("charset_wrong", "A text part is not in the charset that it declares; it was read as utf-8.");
    for (const charset of ["utf-16", "utf-16be", "utf-32", "unicode"])
      expect(await decodeText(Buffer.from("Hello you"), charset, false)).toEqual({ text: "Hello you", defect: wrong });
  });

  test("escapes of ISO-2022 in UTF-8 are what they are", async () => {
    const text = "Price: \x1b$B1,000";
    expect(await decodeText(Buffer.from(text), "utf-8", false)).toEqual({
      text,
      defect: defect("charset_escapes"),
    });
  });

  test("names of no charset", () => {
    for (const label of ["klingon", "base64", "base-64", "hex", "he-x", "", "8bit", "__proto__", "constructor"])
      expect([label, isCharset(label)]).toEqual([label, false]);
  });
});

describe("a wrong declaration, or none, falls back", () => {
  const wrong = (found: string) =>
    defect("charset_wrong", `A text part is not in the charset that it declares; it was read as ${found}.`);
  const missing = (found: string) =>
    defect("charset_missing", `A text part declares no charset; it was read as ${found}.`);
  test.each<[text: string, encoding: string, declared: string | null, found: Defect | null]>([
    ["Grüße aus Köln", "utf8", "us-ascii", null],
    ["Grüße aus Köln", "utf8", null, null],
    ["こんにちは、注文の件です。", "utf8", "iso-2022-jp", null],
    ["Grüße aus Köln", "latin1", "us-ascii", wrong("windows-1252")],
    ["Grüße aus Köln", "latin1", "utf-8", wrong("windows-1252")],
    ["Grüße", "latin1", "unknown-8bit", wrong("windows-1252")],
    ["It’s € 20 – grüße", "windows-1252", null, missing("windows-1252")],
    ["Ça va très bien", "latin1", null, missing("windows-1252")],
    ["£100 due", "latin1", null, missing("windows-1252")],
    ["Zażółć gęślą jaźń", "iso-8859-2", null, missing("iso-8859-2")],
    ["Добрый день, как дела", "koi8-r", null, missing("koi8-r")],
    ["Добрый день", "windows-1251", null, missing("windows-1251")],
    ["Καλημέρα σας", "windows-1253", null, missing("windows-1253")],
    ["ご注文ありがとうございます", "shift_jis", null, missing("shift_jis")],
    ["ご注文ありがとうございます", "euc-jp", null, missing("euc-jp")],
    ["订单已发货", "gbk", null, missing("gb18030")],
    ["您好，訂單已經出貨", "big5", null, missing("big5")],
    ["안녕하세요 주문", "euc-kr", null, missing("euc-kr")],
  ])("%s in %s as %s", async (text, encoding, declared, found) => {
    expect(await decodeText(iconv.encode(text, encoding), declared, false)).toEqual({ text, defect: found });
  });

  test("ISO-2022-JP that nobody declares", async () => {
    const { text } = await decodeText(Buffer.from("\x1b$B$3$s$K$A$O\x1b(B"), null, false);
    expect(text).toBe("こんにちは");
  });

  test("UTF-8 that was cut within a character stays UTF-8", async () => {
    const bytes = Buffer.from("Grüße an alle aus Köln und Lübeck ü").subarray(0, -1);
    expect((await decodeText(bytes, "utf-8", false)).text).toBe("Grüße an alle aus Köln und Lübeck \ufffd");
  });
});

describe("HTML may name its own charset", () => {
  test.each([
    [
      '<html><head><meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS"></head>ご注文',
      "shift_jis",
      null,
    ],
    ["<META CHARSET=gbk>订单已发货", "gbk", null],
    ['<meta charset="gbk"><meta name="viewport" content="width=device-width">订单已发货', "gbk", null],
    ["<meta charset='gbk'>订单已发货", "gbk", "us-ascii"],
    ['<meta name="x"><meta content="text/html;charset=koi8-r">Привет', "koi8-r", "utf-8"],
  ])("%s", async (html, encoding, declared) => {
    expect(await decodeText(iconv.encode(html, encoding), declared, true)).toEqual({ text: html, defect: null });
  });

  test("but not against a right declaration", async () => {
    const html = '<meta charset="gbk">Привет';
    expect((await decodeText(iconv.encode(html, "koi8-r"), "koi8-r", true)).text).toBe(html);
    expect((await decodeText(Buffer.from(html), null, true)).text).toBe(html);
    const wide = iconv.encode('<meta charset="utf-16le">Grüße aus Köln', "latin1");
    expect((await decodeText(wide, null, true)).text).toContain("Grüße aus Köln");
  });
});
