import { describe, expect, test } from "bun:test";
import { decodeTransfer } from "./transfer.ts";

describe("base64", () => {
  const encoded = (text: string) => Buffer.from(text).toString("base64");
  const long = "A line of text that is long enough to fill more than one line of base64.\n".repeat(4);
  const lines = encoded(long).replace(/.{76}/g, "$&\r\n");
  test.each<[string, string, string, ...("hasTail" | "isDamaged" | "isPlain")[]]>([
    ["in lines", lines, long],
    ["in lines, with blanks at their ends", lines.replaceAll("\r\n", " \t\r\n"), long],
    ["with line ends after it", `${lines}\r\n\r\n\r\n`, long],
    ["without padding", encoded("Hi you!").replaceAll("=", ""), "Hi you!"],
    ["with too much padding", "SGk====", "Hi"],
    ["in uneven lines", "aGVsb\r\nG8=\r\n", "hello"],
    ["a list footer after it", `${lines}\r\n_____\r\nlist footer here\r\n`, long, "hasTail"],
    ["a list footer after data without padding", `${encoded("Hello!")}\r\n_____\r\na footer\r\n`, "Hello!", "hasTail"],
    ["a footer of one word after padding", `${encoded("Hello!!")}\r\nUnsubscribe\r\n`, "Hello!!", "hasTail"],
    [
      "a footer of one long word after padding",
      `${encoded("Hello!!")}\r\nSent/by/the/mailing/list/of/gardeners/\r\n`,
      "Hello!!",
      "hasTail",
    ],
    [
      "a footer after an empty line",
      `${encoded("Hello!")}\r\n\r\nDISCLAIMER: this may be secret.\r\n`,
      "Hello!",
      "hasTail",
    ],
    [
      "encoded piece by piece",
      `${encoded("one ")}\r\n${encoded("two, and so on")}\r\n`,
      "one two, and so on",
      "isDamaged",
    ],
    ["with an empty line in it", "SGVs\r\n\r\nbG8g\r\neW91\r\nIQ==", "Hello you!"],
    ["with a line of white space in it", "SGVs\r\n \t\r\nbG8g\r\neW91\r\nIQ==", "Hello you!"],
    ["in two blocks", `${lines}\r\n\r\n${lines}`, long + long, "isDamaged"],
    ["a line damaged on the way", lines.replace("\r\n", "!\r\n"), long, "isDamaged"],
    ["no base64 at all", "Hello you", "Hello you", "isPlain"],
    ["a rule of hyphens and a footer after it", `${lines}\r\n${"-".repeat(70)}\r\na footer here\r\n`, long, "hasTail"],
    ["a hyphen inside", lines.replace("5", "5-"), long, "isDamaged"],
    ["padding inside that completes no group", "SG=VsbG8h", "Hello!", "isDamaged"],
    ["padding with a blank", "SGk =\r\n", "Hi"],
    ["line ends of old Macs", "SGVs\rbG8h", "Hello!"],
    ["nothing", "", ""],
  ])("%s", (_, text, expected, ...flags) => {
    const { content, ...found } = decodeTransfer(Buffer.from(text), "base64");
    expect(content.toString()).toBe(expected);
    expect(Object.keys(found).filter((flag) => found[flag as keyof typeof found])).toEqual(flags);
  });
});

describe("quoted-printable", () => {
  test.each<[string, string, string]>([
    ["codes in either case", "Gr=C3=bc=c3=9fe", "Grüße"],
    ["soft line ends", "one =\r\ntwo=\nthree", "one twothree"],
    ["soft line ends with blanks after the sign", "one= \t\r\ntwo", "onetwo"],
    ["a soft line end at the end", "one=", "one"],
    ["blanks that were added to the ends of lines", "one \t\r\ntwo  \nthree ", "one\r\ntwo\nthree"],
    ["blanks within a line", "one  two", "one  two"],
    ["an encoded blank at the end of a line", "one=20\r\ntwo", "one \r\ntwo"],
    ["signs that are no codes", "a=b, 1=2 =ZZ =", "a=b, 1=2 =ZZ "],
  ])("%s", (_name, text, expected) => {
    expect(decodeTransfer(Buffer.from(text), "quoted-printable").content.toString()).toBe(expected);
  });
});

test("other encodings change nothing", () => {
  const bytes = Buffer.from([0, 61, 32, 13, 10, 255]);
  expect(decodeTransfer(bytes, "identity")).toMatchObject({
    content: bytes,
    hasTail: false,
    isPlain: false,
    isDamaged: false,
  });
});
