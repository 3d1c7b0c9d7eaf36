/** A line that was kept, removed or added. */
export type Step = readonly [sign: " " | "-" | "+", line: string];

/** Above this many comparisons the lines that differ are shown as one block: nobody would wait for, or read, more. */
const COMPARISONS_MAX = 4_000_000;

/** How `before` becomes `after`: each line (or word) that was kept, removed or added, in order. */
export function compareLines(before: string[], after: string[]): Step[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let [endBefore, endAfter] = [before.length, after.length];
  while (endBefore > start && endAfter > start && before[endBefore - 1] === after[endAfter - 1]) {
    endBefore--;
    endAfter--;
  }
  const same = (line: string): Step => [" ", line];
  return [
    ...before.slice(0, start).map(same),
    ...differing(before.slice(start, endBefore), after.slice(start, endAfter)),
    ...before.slice(endBefore).map(same),
  ];
}

/** Uses the longest common subsequence: `common[i][j]` is its length for the lines from i and from j on. */
function differing(before: string[], after: string[]): Step[] {
  const gone = before.map((line): Step => ["-", line]);
  const come = after.map((line): Step => ["+", line]);
  if (before.length * after.length > COMPARISONS_MAX) return [...gone, ...come];
  const width = after.length + 1;
  const common = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--)
      common[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const steps: Step[] = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      steps.push([" ", before[i] ?? ""]);
      i++;
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) steps.push(gone[i++] as Step);
    else steps.push(come[j++] as Step);
  }
  return [...steps, ...gone.slice(i), ...come.slice(j)];
}
