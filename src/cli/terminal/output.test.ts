import { describe, expect, test } from "bun:test";
import { superlinear } from "../../../test/support/growth.ts";
import { statusWords } from "../mail/fates.ts";
import { age, fit, painter, plain, plainLines, table, toJson, verifiedMark } from "./output.ts";

const esc = "\x1b";

describe("text from mail cannot command the terminal", () => {
  const cases: [name: string, hostile: string, shown: string][] = [
    ["colours", `${esc}[31mred${esc}[0m`, "red"],
    ["cursor movement", `a${esc}[2J${esc}[1;1Hb`, "ab"],
    ["window title", `${esc}]0;owned\x07hi`, "hi"],
    ["clipboard (OSC 52)", `${esc}]52;c;ZXZpbA==${esc}\\hi`, "hi"],
    ["hyperlink (OSC 8)", `${esc}]8;;http://evil.example${esc}\\bank${esc}]8;;${esc}\\`, "bank"],
    ["device control string", `${esc}P1;2|payload${esc}\\hi`, "hi"],
    ["8-bit CSI", "\x9b31mred", "red"],
    ["8-bit OSC", "\x9d0;owned\x9chi", "hi"],
    ["unfinished sequence", `${esc}]0;title without end`, "]0;title without end"],
    ["sequence inside a sequence", `${esc}[3${esc}[1m1mx`, "[31mx"],
    ["backspace and bell", "abc\b\b\bxyz\x07", "abcxyz"],
    ["bidirectional override", "invoice\u202efdp.exe", "invoicefdp.exe"],
    ["isolates and marks", "a\u2066b\u2069\u200e\u200f\u061cc", "abc"],
    ["zero width", "exam\u200bple\ufeff.com", "example.com"],
    ["tag characters", "hi\u{e0041}\u{e0042}", "hi"],
    ["lone surrogate", "a\ud800b", "a\ufffdb"],
    ["line breaks", "one\r\nBcc: two\u2028three\tfour", "one Bcc: two three four"],
    ["what must stay", "naïve 日本 👩‍👩‍👧 می‌خواهم", "naïve 日本 👩‍👩‍👧 می‌خواهم"],
  ];
  for (const [name, hostile, shown] of cases) test(name, () => expect(plain(hostile)).toBe(shown));

  test("bodies keep their lines and tabs, and a bare CR cannot overwrite a line", () => {
    expect(plainLines(`safe\rEVIL\r\n\tnext${esc}[1A${esc}[2K`)).toBe("safe\nEVIL\n\tnext");
  });

  test("long hostile text is handled in linear time", async () => {
    const build = (times: number) => `${esc}]`.repeat(times) + `${esc}[`.repeat(times) + "0;".repeat(times);
    expect(await superlinear(200_000, build, plain)).toBeNull();
  });

  test("JSON escapes what it would leave bare, and stays the same JSON", () => {
    const value = { subject: `a${esc}[31m\x9b31m\u202eb\x7f\u200b\u{e0041}日本👩‍💻` };
    for (const isIndented of [false, true]) {
      const text = toJson(value, isIndented);
      expect(text).not.toMatch(/[\x1b\x7f-\x9f\u202e\u200b\u{e0041}]/u);
      expect(text).toContain("日本👩‍💻");
      expect(JSON.parse(text)).toEqual(value);
    }
  });

  test("a status that no server of ours has shows as text", () => {
    expect(statusWords(`pending_approval${esc}]0;title\x07\u202e`)).toBe("pending approval");
  });
});

describe("tables", () => {
  const paint = painter(false);
  const columns = [
    { title: "FROM", value: (row: string[]) => row[0] ?? "", shrinks: true },
    { title: "SUBJECT", value: (row: string[]) => row[1] ?? "", shrinks: true },
    { title: "ID", value: (row: string[]) => row[2] ?? "" },
  ];

  test("columns line up with wide characters and emoji", () => {
    const lines = table(
      columns,
      [
        ["日本", "a", "1"],
        ["👩‍👩‍👧", "b", "2"],
        ["plain", "c", "3"],
      ],
      { width: 80, paint },
    ).split("\n");
    const positions = lines.slice(1).map((line) => Bun.stringWidth(line.slice(0, line.search(/[123]$/))));
    expect(new Set(positions).size).toBe(1);
  });

  test("the widest columns give way to a narrow terminal, ids never", () => {
    const id = `msg_${"0".repeat(32)}`;
    const text = table(columns, [["someone@example.com", "日本語の件名".repeat(20), id]], { width: 72, paint });
    for (const line of text.split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(72);
    expect(text).toContain(id);
    expect(text).toContain("…");
  });

  test("cells are made safe", () => {
    expect(table(columns, [[`x${esc}[31m`, "a\nb", "1"]], { width: 80, paint }).split("\n")).toHaveLength(2);
  });

  test("a cut never exceeds its width", () => {
    for (let width = 1; width < 9; width++)
      expect(Bun.stringWidth(fit("日本👩‍👩‍👧é日本", width))).toBeLessThanOrEqual(width);
  });
});

test("ages", () => {
  const now = Date.parse("2026-05-15T12:00:00Z");
  const cases = [
    ["2026-05-15T11:59:30Z", "now"],
    ["2026-05-15T12:00:30Z", "now"],
    ["2026-05-15T11:15:00Z", "45m"],
    ["2026-05-14T00:00:00Z", "36h"],
    ["2026-05-01T12:00:00Z", "14d"],
    ["2025-05-01T12:00:00Z", "2025-05-01"],
    ["nonsense", ""],
  ] as const;
  for (const [time, shown] of cases) expect(age(time, now)).toBe(shown);
});

test("a message that nobody examined is marked neither as proven nor as not", () => {
  expect([true, false, null, undefined].map((verified) => verifiedMark(verified).mark)).toEqual(["✓", "✗", "·", "·"]);
});
