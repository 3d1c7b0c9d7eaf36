import { expect, test } from "bun:test";
import { readMail } from "../read.ts";
import { decodeWords } from "./words.ts";

const limits = { maxParts: 50, maxDepth: 10, maxHeaderBytes: 64 * 1024 };

test.each([
  ["=?iso-8859-1?Q?K=F6ln?=", "Köln"],
  ["=?latin-9?Q?20_=A4?=", "20 €"],
  ["=?latin5?Q?=FDl=FDk?=", "ılık"],
  ["=?hz-gb-2312?B?fntEejpDfn0=?=", "您好"],
  ["=?utf-7?Q?K+APY-ln?=", "Köln"],
  ["=?utf-7?Q?Gr+APwA3w?= =?utf-7?Q?e?=", "Grüße"],
  ["=?cp850?Q?Gr=81=E1e?= aus =?cp850?Q?K=94ln?=", "Grüße aus Köln"],
  // A character that is cut between two words.
  ["=?euc-jp?B?uKvA0b0=?=\r\n =?euc-jp?B?8Q==?=", "見積書"],
  ["=?utf-8?Q?K=C3?= =?utf-8?Q?=B6ln?=", "Köln"],
  // Words that cannot be joined, because one of them does not return to ASCII.
  ["=?iso-2022-jp?B?GyRCJCI=?= =?iso-2022-jp?B?IQ==?=", "あ!"],
  // Bytes that the charset cannot hold, and charsets that nobody knows.
  ["=?x-unknown?Q?K=F6ln?=", "K\ufffdln"],
  ["=?utf-8?Q?half a word", "=?utf-8?Q?half a word"],
])("%s", (text, decoded) => {
  expect(decodeWords(text)).toBe(decoded);
});

test("names in address fields are decoded as other text is", async () => {
  const name = "=?iso-2022-kr?B?GyQpQw4+SDNnGw8=?=";
  const mail = await readMail(
    Buffer.from(
      `From: =?hz-gb-2312?B?fntEejpDfn0=?= <a@example.test>\r\nTo: "=?latin-9?Q?A_=A4?=" <b@example.test>\r\nCc: ${name} <c@example.test>\r\n\r\nHi`,
    ),
    limits,
  );
  expect([mail.from, mail.to].flat().map((one) => one.name)).toEqual(["您好", "A €"]);
  expect(mail.cc[0]?.name).toStartWith("안녕");
});
