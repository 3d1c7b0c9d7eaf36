import { expect } from "bun:test";

/**
 * Makes `toMatchObject` compare what Bun 1.4.5 takes for equal: any two Dates, Sets, Maps, RegExps, Errors, functions, and a
 * Buffer with its beginning. Loaded before every test by bunfig.toml.
 *
 * What Bun finds different stays different. Beyond that, each such value of the expected one must equal its counterpart
 * as `toEqual` says; plain objects and arrays are walked, and asymmetric matchers have spoken already.
 */

type Matcher = (this: unknown, expected: unknown) => void;
const bunToMatchObject = (Object.getPrototypeOf(expect(0)) as { toMatchObject: Matcher }).toMatchObject;

/** What a matcher of Bun's says against it; null when it passes. Throws what is no verdict, such as a wrong argument. */
function complaintOf(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    const { message } = error as Error;
    if (!message.includes("Expected") || message.includes("Matcher error")) throw error;
    // Without its heading, which names the matcher.
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
