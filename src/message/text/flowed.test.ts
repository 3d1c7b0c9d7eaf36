import { expect, test } from "bun:test";
import { unflowed } from "./flowed.ts";

test.each<[name: string, text: string, joinsWords: boolean, expected: string]>([
  ["lines that go on", "one \r\ntwo \r\nthree\r\nfour", false, "one two three\nfour"],
  ["DelSp", "one \r\ntwo", true, "onetwo"],
  ["an empty line ends a paragraph", "one \n\ntwo", false, "one \ntwo"],
  ["a line of white space does, too", "one\n  \ntwo", false, "one\n \ntwo"],
  [
    "a stuffed line",
    " From here\n >quoted in the text\n  indented",
    false,
    "From here\n>quoted in the text\n indented",
  ],
  ["quotes of the same depth", "> one \n> two\n>> deep \n>> er\nend", false, "> one two\n>> deep er\nend"],
  ["a depth that changes ends a paragraph", "> one \ntwo", false, "> one \ntwo"],
  ["the separator of a signature", "words \n-- \nAnn", false, "words \n-- \nAnn"],
])("%s", (_name, text, joinsWords, expected) => {
  expect(unflowed(text, joinsWords)).toBe(expected);
});
