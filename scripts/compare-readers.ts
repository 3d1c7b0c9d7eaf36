import { parseArgs } from "node:util";
import { rules } from "../test/reading/rules.ts";
import { compareReaders, handedMail } from "../test/reading/run.ts";

/**
 * Reads generated messages with our reader and with postal-mime, and counts the differences by their reasons.
 *
 *   bun scripts/compare-readers.ts [--messages 20000] [--seed 15]
 *
 * Prints a table in Markdown. Exits with 1 if a difference has no reason, if a message was read otherwise than it was
 * written, or if something was lost without a defect; these follow the table.
 */
const { values } = parseArgs({
  options: { messages: { type: "string", default: "20000" }, seed: { type: "string", default: "15" } },
});
const found = await compareReaders(Number(values.messages), Number(values.seed), await handedMail());
console.log(`| Differences | Class | Right | Why |\n|--:|---|---|---|`);
for (const rule of rules) {
  const count = found.explained.get(rule) ?? 0;
  console.log(`| ${count.toLocaleString("en")} | ${rule.name} | ${rule.right} | ${rule.reason} |`);
}
console.log(
  `\n${found.messages} messages: ${found.unexplained.length} differences unexplained, ${found.wrong.length} misread, ${found.lost.length} with losses`,
);
const unexplained = found.unexplained.map(({ field, how }) => `${field}: ${how.join("; ")}`);
const faults = [...unexplained, ...found.wrong, ...found.lost];
for (const fault of faults) console.log(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
