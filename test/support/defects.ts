import type { Defect } from "../../src/mail.ts";

/** The codes of a message's defects, in order. */
export function codesOf({ defects }: { defects: readonly Defect[] }): string[] {
  return defects.map(({ code }) => code);
}
