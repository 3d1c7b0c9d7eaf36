import { expect, test } from "bun:test";
import fc from "fast-check";
import { holds } from "../test/support/property.ts";
import { createReturnPaths } from "./return-path.ts";

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const id = fc.stringMatching(/^msg_[0-9a-f]{32}$/);
const recipient = fc.nat(36 ** 3 - 1);
const host = "mx.agents.example";

test("a return path says whom it was made for, in any case of letters, and fits in an envelope", () =>
  holds(
    fc.property(key, id, recipient, fc.func(fc.boolean()), (bytes, messageId, n, upper) => {
      const paths = createReturnPaths(bytes, host);
      const made = paths.make(messageId, n);
      expect(made.indexOf("@")).toBeLessThanOrEqual(64);
      const spelled = [...made].map((letter, i) => (upper(i) ? letter.toUpperCase() : letter)).join("");
      expect(paths.read(spelled)).toEqual({ messageId, recipient: n });
    }),
  ));

test("a return path with any character changed, left out, doubled or added is nobody's", () =>
  holds(
    fc.property(
      key,
      id,
      recipient,
      fc.nat(200),
      fc.string({ maxLength: 2 }),
      fc.nat(1),
      (bytes, messageId, n, at, put, cut) => {
        const paths = createReturnPaths(bytes, host);
        const made = paths.make(messageId, n);
        const place = at % made.length;
        const changed = made.slice(0, place) + put + made.slice(place + cut);
        fc.pre(changed.toLowerCase() !== made);
        // The domain follows the last "@". Both "forged" and null are refused.
        expect(["forged", null]).toContain(paths.read(changed) as string | null);
      },
    ),
  ));

test("a return path of another key or another domain is forged, or none of ours", () =>
  holds(
    fc.property(key, key, id, recipient, (one, other, messageId, n) => {
      fc.pre(Buffer.compare(one, other) !== 0);
      const made = createReturnPaths(one, host).make(messageId, n);
      expect(createReturnPaths(other, host).read(made)).toBe("forged");
      expect(createReturnPaths(one, `x.${host}`).read(made)).toBeNull();
      expect(createReturnPaths(one, `x.${host}`).read(made.replace("@", "@x."))).toBe("forged");
    }),
  ));
