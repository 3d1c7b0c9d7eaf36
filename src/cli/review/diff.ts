/** The changes of an edit, line by line. */
import { visibleText } from "../../message/text/visible.ts";
import { compareLines } from "../../util/line-diff.ts";
import { type Paint, plainLines } from "../terminal/output.ts";

/** Unchanged lines shown around a change, as in diff -u. */
const CONTEXT_LINES = 3;

/**
 * Makes a unified diff of two texts without file names, safe for a terminal; "" if they are equal. Invisible characters
 * are written out.
 */
export function unifiedDiff(before: string, after: string, paint: Paint): string {
  const steps = compareLines(before.split("\n"), after.split("\n"));
  const near = steps.map((_, i) =>
    steps.slice(Math.max(0, i - CONTEXT_LINES), i + CONTEXT_LINES + 1).some(([sign]) => sign !== " "),
  );
  const lines: string[] = [];
  let [oldLine, newLine] = [1, 1];
  steps.forEach(([sign, line], i) => {
    if (near[i] && !near[i - 1]) lines.push(paint("cyan", `@@ -${oldLine} +${newLine} @@`));
    const text = plainLines(`${sign}${visibleText(line)}`);
    if (near[i]) lines.push(sign === " " ? text : paint(sign === "-" ? "red" : "green", text));
    if (sign !== "+") oldLine++;
    if (sign !== "-") newLine++;
  });
  return lines.join("\n");
}
