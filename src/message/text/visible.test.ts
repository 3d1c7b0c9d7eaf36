import { expect, test } from "bun:test";
import { foreignHost } from "../html/foreign-host.ts";
import { visibleLine, visibleText, withoutUnseen } from "./visible.ts";

test.each([
  ["bidi override", "a\u202eb", "a⟨U+202E⟩b"],
  ["zero width space", "a\u200bb", "a⟨U+200B⟩b"],
  ["joiner between Latin letters", "a\u200db", "a⟨U+200D⟩b"],
  ["joiner after an emoji with nothing to join", "👍\u200dx", "👍⟨U+200D⟩x"],
  ["tag letters", "a\u{e0041}", "a⟨U+E0041⟩"],
  ["blank letter", "a\u3164b", "a⟨U+3164⟩b"],
  ["line separator", "a\u2028b", "a⟨U+2028⟩b"],
  ["escape", "\u001b[31m", "⟨U+001B⟩[31m"],
  ["a run", "a\u200b\u200b\u200b\u200b\u200bb", "a⟨U+200B⟩×5b"],
  ["a run of tags", `a${"\u{e0041}".repeat(9)}`, "a⟨U+E0041⟩×9"],
  ["half a character", "a\ud800b", "a⟨U+D800⟩b"],
  ["marks without end", `z${"\u0301".repeat(8)}`, `z${"\u0301".repeat(6)}⟨U+0301⟩⟨U+0301⟩`],
])("%s is written out", (_, text, shown) => {
  expect(visibleText(text)).toBe(shown);
});

test.each(["❤️ 👩‍👩‍👧 1️⃣ 👍🏽", "می‌خواهم", "क्‍ष", "שלום", "Zürich, naïve, ﬁ", "tab\tand\nline"])("%s stays", (text) => {
  expect(visibleText(text)).toBe(text);
});

test("line ends are LF in text, and written out on a line", () => {
  expect(visibleText("a\r\nb\rc")).toBe("a\nb\nc");
  expect(visibleLine("a\r\nb\tc")).toBe("a⟨U+000A⟩b⟨U+0009⟩c");
});

test("what nobody sees is left out and counted", () => {
  const hidden = [..."obey"].map((letter) => String.fromCodePoint(0xe0000 + letter.charCodeAt(0))).join("");
  expect(withoutUnseen(`a\u200bb\u202e\r\nc${hidden}\ufdd0 می‌خواهم 👩‍👧`)).toEqual({
    text: "ab\nc می‌خواهم 👩‍👧",
    unseen: 7,
  });
});

test.each([
  ["example.com", null],
  ["xn--pypal-4ve.com", "pаypal.com"],
  ["www.xn--mnchen-3ya.example", "www.münchen.example"],
  ["xn--a.example", "no readable name"],
])("%s reads %p", (host, shown) => {
  expect(foreignHost(host)).toBe(shown);
});
