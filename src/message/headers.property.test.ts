/** The header of any bytes: its fields cover it in order, both walks see the same fields, and a value is one line. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { holds, textWith } from "../../test/support/property.ts";
import { fieldText, findBody, foldedName, scanHeaders, scanOnce, unfolded, walkFields } from "./headers.ts";

const raw = fc.oneof(
  textWith(
    ["From", "Subject", ":", ": ", " ", "\t", "\r\n", "\n", "\r\n ", "\n\t", "\r\n\r\n", "\n\n", "é", "\xa0", "value"],
    30,
  ).map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);

test("the fields are the header, byte for byte, and after the empty line is the body", () =>
  holds(
    fc.property(raw, (message) => {
      const { fields, bodyStart, cut } = scanHeaders(message);
      const { headerEnd } = findBody(message);
      expect(cut).toBe(false);
      expect([...walkFields(message, headerEnd)]).toEqual(fields);
      expect(scanOnce(message) as object).toEqual({ fields, bodyStart, cut });
      let at = 0;
      for (const { start, end, name, key, binary } of fields) {
        expect([start, end > start]).toEqual([at, true]);
        at = end;
        expect(name).toMatch(/^[\x21-\x7e]*$/);
        expect(name).not.toContain(":");
        expect(key).toBe(name.toLowerCase());
        expect(message.toString("latin1", start, end)).toEndWith(binary);
      }
      expect(at).toBe(headerEnd);
      expect(message.toString("latin1", headerEnd, bodyStart)).toMatch(/^(?:\r?\n)?$/);
      if (bodyStart === headerEnd) expect(bodyStart).toBe(message.length);
    }),
    { share: 5 },
  ));

test("the fields that pass are those that a full walk finds", () =>
  holds(
    fc.property(raw, fc.constantFrom("from", "subject", "value", "x"), (message, wanted) => {
      const { headerEnd } = findBody(message);
      const passes = (folded: string) => folded.startsWith(wanted);
      const isWanted = ({ key }: { key: string }) => passes(foldedName(key));
      expect([...walkFields(message, headerEnd, passes)].filter(isWanted)).toEqual(
        [...walkFields(message, headerEnd)].filter(isWanted),
      );
    }),
    { share: 5 },
  ));

test("a value is one line, without what folded it", () =>
  holds(
    fc.property(raw, (message) => {
      for (const field of scanHeaders(message).fields) {
        expect(unfolded(field)).not.toMatch(/[\r\n]/);
        expect(fieldText(field)).toBe(fieldText(field).trim());
        expect(unfolded(field).replace(/\s/g, "")).toBe(field.binary.replace(/\s/g, ""));
      }
    }),
    { share: 3 },
  ));

test("limits cut the header, and never move the body", () =>
  holds(
    fc.property(raw, fc.nat(60), fc.nat(5), (message, bytesMax, fieldsMax) => {
      const whole = scanHeaders(message);
      const some = scanHeaders(message, { bytesMax, fieldsMax });
      expect(some.bodyStart).toBe(whole.bodyStart);
      expect(some.fields.length).toBeLessThanOrEqual(fieldsMax);
      for (const { end } of some.fields) expect(end).toBeLessThanOrEqual(bytesMax);
      // The limit may cut the last field; the fields before it are unchanged.
      expect(some.fields.slice(0, -1)).toEqual(whole.fields.slice(0, Math.max(0, some.fields.length - 1)));
      expect(some.cut).toBe(some.fields.at(-1)?.end !== whole.fields.at(-1)?.end);
    }),
    { share: 3 },
  ));
