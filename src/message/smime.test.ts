import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readAttachments, readMail } from "./read.ts";
import { readCms } from "./smime.ts";

const limits = { maxParts: 50, maxDepth: 10, maxHeaderBytes: 64 * 1024 };
/** Written by OpenSSL 3: in DER, in BER with lengths left open, and encrypted. */
const mailOf = (name: string) => readFileSync(join(import.meta.dir, `../../testdata/smime/${name}.eml`));

test.each(["signed", "signed-in-pieces"])("the text and files of a message that is %s are read", async (name) => {
  const { attachments, defects, text } = await readMail(mailOf(name), limits);
  expect({ text, codes: defects.map(({ code }) => code) }).toEqual({
    ...{ text: "Grüße, signed", codes: ["signature_unchecked"] },
  });
  expect(attachments.map(({ filename }) => filename)).toEqual(["smime.p7m", "a.csv"]);
  expect(`${(await readAttachments(mailOf(name), limits))[1]?.content}`).toBe("1,2");
  expect(await readAttachments(mailOf(name), limits, { opens: false })).toHaveLength(1);
});

test("a message that is encrypted says so", async () => {
  const { attachments, defects, text } = await readMail(mailOf("encrypted"), limits);
  expect({ text, files: attachments.length, codes: defects.map(({ code }) => code) }).toEqual({
    ...{ text: "", files: 1, codes: ["message_encrypted"] },
  });
});

test("a message that is encrypted with PGP says so", async () => {
  const raw = [
    ...["From: a@example.com", "Date: Mon, 1 Jun 2026 10:00:00 +0000"],
    ...['Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b', "", "--b"],
    ...["Content-Type: application/pgp-encrypted", "", "Version: 1", "--b", "Content-Type: application/octet-stream"],
    ...["", "-----BEGIN PGP MESSAGE-----", "--b--", ""],
  ];
  const { defects } = await readMail(Buffer.from(raw.join("\r\n")), limits);
  expect(defects.map(({ code }) => code)).toEqual(["message_encrypted"]);
});

/** BER by hand. */
const element = (tag: number, ...content: Buffer[]) => {
  const bytes = Buffer.concat(content);
  const length =
    bytes.length < 128 ? [bytes.length] : [0x84, ...[24, 16, 8, 0].map((by) => (bytes.length >> by) & 255)];
  return Buffer.concat([Buffer.from([tag, ...length]), bytes]);
};
const open = (tag: number, ...content: Buffer[]) =>
  Buffer.concat([Buffer.from([tag, 0x80]), ...content, Buffer.alloc(2)]);
const id = (last: number) => element(0x06, Buffer.from(`2a864886f70d0107${last.toString(16).padStart(2, "0")}`, "hex"));
const signed = (...content: Buffer[]) => {
  const inner = element(0x30, id(1), ...content);
  const data = element(0x30, element(0x02, Buffer.from([1])), open(0x31, open(0x30, id(1))), inner);
  return element(0x30, id(2), element(0xa0, data));
};
/** RFC 3274. */
const compressed = element(0x30, element(0x06, Buffer.from("2a864886f70d0109100109", "hex")), element(0xa0));
const certificates = element(0x30, element(0x02, Buffer.from([1])), element(0x31), element(0x30, id(1)));
const entity = (text: string) => Buffer.from(`Content-Type: text/plain\r\n\r\n${text}`);
const mailWith = (cms: Buffer, type = "signed-data") =>
  Buffer.from(
    [
      ...["From: a@example.com", "Date: Mon, 1 Jun 2026 10:00:00 +0000"],
      ...[`Content-Type: application/pkcs7-mime; smime-type=${type}; name=smime.p7m`],
      ...["Content-Transfer-Encoding: base64", "", cms.toString("base64"), ""],
    ].join("\r\n"),
  );

describe("a signed file", () => {
  const words = element(0xa0, element(0x04, entity("words")));
  test.each<[string, Buffer, string | null]>([
    ["whole", signed(words), "words"],
    [
      "in pieces of pieces",
      signed(open(0xa0, open(0x24, open(0x24, element(0x04, entity("wo"))), element(0x04, Buffer.from("rds"))))),
      "words",
    ],
    ["without content", signed(), null],
    ["with certificates only", element(0x30, id(2), element(0xa0, element(0x30))), null],
    ["of another kind", compressed, null],
  ])("%s", (_, bytes, text) => {
    const cms = readCms(bytes);
    expect(cms?.kind === "signed" ? `${cms.content}`.split("\r\n\r\n")[1] : null).toBe(text);
  });

  test.each<[string, Buffer]>([
    ["cut off", signed(words).subarray(0, -5)],
    ["nothing", Buffer.alloc(0)],
    ["a length of four gigabytes", Buffer.from("3084ffffffff06", "hex")],
    [
      "strings in strings",
      signed(
        element(
          0xa0,
          [...Array(9)].reduce<Buffer>((inner) => open(0x24, inner), element(0x04)),
        ),
      ),
    ],
    ["open lengths without an end", Buffer.from("3080".repeat(1_000_000), "hex")],
  ])("that is broken stays a file, with a defect: %s", async (_, bytes) => {
    const { attachments, defects } = await readMail(mailWith(bytes), limits);
    expect({ files: attachments.length, codes: defects.map(({ code }) => code) }).toEqual({
      ...{ files: 1, codes: ["signed_unreadable"] },
    });
  });

  test.each<[string, Buffer, string[]]>([
    ["compressed-data", compressed, ["signed_unreadable"]],
    ["signed-data", signed(), ["signed_unreadable"]],
    ["certs-only", element(0x30, id(2), element(0xa0, certificates)), []],
    ["authEnveloped-data", Buffer.from("?"), ["message_encrypted"]],
    ["enveloped-data", Buffer.from("?"), ["message_encrypted"]],
  ])("without words to read, %s", async (type, bytes, codes) => {
    const { attachments, defects, text } = await readMail(mailWith(bytes, type), limits);
    expect({ text, files: attachments.length, codes: defects.map(({ code }) => code) }).toEqual({
      ...{ text: "", files: 1, codes },
    });
  });

  test("with a multipart in it: words around its parts are like those of any message", async () => {
    const around = (part: string) =>
      Buffer.from(
        ["Content-Type: multipart/mixed; boundary=i", "", "BEFORE", "--i", "", part, "--i--", "AFTER"].join("\r\n"),
      );
    const mail = (part: string) => readMail(mailWith(signed(element(0xa0, element(0x04, around(part))))), limits);
    const { text, defects } = await mail("words");
    expect({ text, codes: defects.map(({ code }) => code) }).toEqual({
      ...{ text: "words", codes: ["signature_unchecked", "text_outside_left"] },
    });
    expect(await mail("")).toMatchObject({ text: "BEFORE\nAFTER" });
  });

  test("with the defects of the mail around it: each is said once", async () => {
    const inner = Buffer.from("Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nx");
    const part = mailWith(signed(element(0xa0, element(0x04, inner))))
      .toString()
      .split("\r\n")
      .slice(2);
    const head = ["From: a@example.com", "Date: Mon, 1 Jun 2026 10:00:00 +0000"];
    const raw = [...head, "Content-Type: multipart/mixed; boundary=b", "", "--b", ...part].join("\r\n");
    const { defects } = await readMail(Buffer.from(raw), limits);
    expect(defects.map(({ code }) => code).toSorted()).toEqual(["multipart_unclosed", "signature_unchecked"]);
  });

  const several = (count: number, content: (i: number) => Buffer) => {
    const part = (i: number) => mailWith(signed(element(0xa0, element(0x04, content(i))))).toString();
    const parts = Array.from({ length: count }, (_, i) => `--b\r\n${part(i).split("\r\n").slice(2).join("\r\n")}`);
    const head = ["From: a@example.com", "Date: Mon, 1 Jun 2026 10:00:00 +0000"];
    const raw = [...head, "Content-Type: multipart/mixed; boundary=b", "", ...parts, "--b--", ""].join("\r\n");
    return readMail(Buffer.from(raw), limits);
  };

  test("beside others is opened, however many there are", async () => {
    const { defects, text } = await several(9, (i) => entity(`words ${i}`));
    expect(text.match(/words \d/g)).toHaveLength(9);
    expect(defects.map(({ code }) => code)).toEqual(["signature_unchecked"]);
  });

  test("beside others has no more parts than a message, all together", async () => {
    const inner = (i: number) =>
      Buffer.from(`Content-Type: multipart/mixed; boundary=i\r\n\r\n${`--i\r\n\r\n${i}\r\n`.repeat(20)}--i--\r\n`);
    const { defects, text } = await several(4, inner);
    expect(text.split(/\s+/).filter((word) => /^\d$/.test(word))).toHaveLength(40);
    expect(defects.map(({ code }) => code)).toContain("parts_exceeded");
  });

  test("in signed files is opened three times", async () => {
    let inner = entity("deepest");
    for (let i = 0; i < 5; i++) inner = mailWith(signed(element(0xa0, element(0x04, inner))));
    const { attachments, defects, text } = await readMail(inner, limits);
    expect({ text, files: attachments.length, codes: defects.map(({ code }) => code).toSorted() }).toEqual({
      ...{ text: "", files: 4, codes: ["signature_unchecked", "signed_unreadable"] },
    });
  });

  test("in the shortest pieces is put together without a list of them", () => {
    const bytes = signed(element(0xa0, element(0x24, Buffer.alloc(8_000_000, Buffer.from([4, 0])))));
    const start = process.cpuUsage().user;
    expect(readCms(bytes)).toEqual({ kind: "signed", content: Buffer.alloc(0) });
    // Microseconds of processor time.
    expect(process.cpuUsage().user - start).toBeLessThan(1_500_000);
  });
});
