import { expect } from "bun:test";

/**
 * Makes `toMatchObject` compare values that Bun 1.4.5 treats as equal: any two Dates, Sets, Maps, RegExps, Errors or
 * functions, and a Buffer with its own beginning. bunfig.toml loads it before every test.
 *
 * A difference that Bun finds stays one. In addition, each such value in the expected object must equal its counterpart
 * by `toEqual`. Plain objects and arrays are walked; asymmetric matchers are left to Bun.
 */

type Matcher = (this: unknown, expected: unknown) => void;
const bunToMatchObject = (Object.getPrototypeOf(expect(0)) as { toMatchObject: Matcher }).toMatchObject;

/** The complaint of one of Bun's matchers; null if it passes. Rethrows other errors, such as a wrong argument. */
function complaintOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    const { message } = error as Error;
    if (!message.includes("Expected") || message.includes("Matcher error")) throw error;
    // Strip the heading, which names the matcher.
    return message.slice(message.indexOf("\n\n") + 2);
  }
}

const tagOf = (value: unknown) => Object.prototype.toString.call(value).slice("[object ".length, -1);

function* differences(received: unknown, expected: unknown, path: string, walked: Set<unknown>): Generator<string> {
  if ((typeof expected !== "object" && typeof expected !== "function") || expected === null) return;
  const tag = tagOf(expected);
  if (tag.startsWith("Expect") || "asymmetricMatch" in expected) return;
  if (tag !== "Object" && tag !== "Array") {
    const complaint = complaintOf(() => expect(received).toEqual(expected));
    if (complaint !== null) yield `${path || "The value itself"}:\n\n${complaint}`;
    return;
  }
  if (walked.has(expected)) return;
  walked.add(expected);
  for (const key of Reflect.ownKeys(expected)) {
    if (tag === "Array" && key === "length") continue;
    const at = tag === "Array" ? `[${String(key)}]` : `.${String(key)}`;
    yield* differences(Reflect.get(Object(received), key), Reflect.get(expected, key), path + at, walked);
  }
}

expect.extend({
  toMatchObject(received: unknown, expected: unknown) {
    const complaint = complaintOf(() => bunToMatchObject.call(expect(received), expected));
    const complaints = complaint === null ? [...differences(received, expected, "", new Set())] : [complaint];
    return {
      pass: complaints.length === 0,
      message: () => complaints.join("\n\n") || `Expected: not to match ${Bun.inspect(expected)}`,
    };
  },
});
