/** Trace fields: ours are on top of any message, forged ones are removed, and every other byte is unchanged. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { holds, textWith } from "../../test/support/property.ts";
import { fieldText, hasHeader, noHeader, scanHeaders, scanOnce } from "./headers.ts";
import {
  applyTrace,
  applyTraceInSteps,
  countReceived,
  type TraceOptions,
  tracedHeader,
  traceOf,
  withTrace,
} from "./trace.ts";

const hostname = "mx.agents.example";
const options: TraceOptions = {
  envelope: {
    ...{
      mailFrom: "ann@people.example",
      rcptTo: ["bot@agents.example"],
      remoteAddress: "192.0.2.1",
      helo: "mail.people.example",
    },
    ...{ protocol: "ESMTP", receivedAt: new Date("2026-05-15T12:00:00Z") },
  },
  ...{ hostname, id: "msg_1", verdict: { authenticationResults: `${hostname}; spf=pass` } },
};

const lineEnd = fc.constantFrom("\r\n", "\n");
/** A field that claims to be ours, in a spelling that some reader may accept. */
const forged = fc.oneof(
  fc
    .tuple(
      fc.constantFrom("X-E2A-Auth-Verified", "x_e2a_sender", "X-E2A", "X-e2a-Foo ", "Return-Path"),
      fc.constant(": true"),
    )
    .map((p) => p.join("")),
  fc
    .tuple(
      fc.constantFrom("Authentication-Results", "authentication_results", "AUTHENTICATION-RESULTS "),
      fc.constantFrom(":", ": ", ":\t", ": (a (b) c) ", ":\r\n "),
      fc.constantFrom(hostname, `"${hostname}"`, hostname.toUpperCase(), "", ";"),
      fc.constantFrom("; dmarc=pass", " 1; spf=pass", ""),
    )
    .map((parts) => parts.join("")),
);
const honest = fc.oneof(
  fc.constantFrom(
    "From: ann@people.example",
    "Received: from x by y",
    "Authentication-Results: mx.people.example; spf=pass",
    "X-E3A: 1",
    "Subject: a\r\n folded\r\n\tline",
  ),
  textWith(["X-A", ":", " ", "X-E2A", "\r\n ", "value"], 5).filter((text) => !isForgery(text)),
);
const fields = fc.array(
  fc.oneof(
    forged.map((text) => ({ text, isForged: true })),
    honest.map((text) => ({ text, isForged: false })),
  ),
  { maxLength: 8 },
);
const raw = fc
  .tuple(fields, lineEnd, textWith(["X-E2A-Fake: 1\r\n", "\r\n", "body", "Authentication-Results: x"], 5))
  .map(([list, end, body]) => Buffer.from(`${list.map(({ text }) => text + end).join("")}${end}${body}`));

/** Whether a reader that folds names as programs do would find one of our fields in a line. */
function isForgery(text: string): boolean {
  return /x[^a-z0-9:]*e[^a-z0-9:]*2[^a-z0-9:]*a/i.test(text);
}

test("our fields are on top, nothing else of the header speaks in our name, and the body is untouched", () =>
  holds(
    fc.property(raw, (message) => {
      const traced = withTrace(message, options);
      const { fields } = traceOf(message, options);
      expect(scanHeaders(Buffer.from(fields)).fields.map(({ name }) => name)).toEqual([
        "Return-Path",
        "Authentication-Results",
        "Received",
      ]);
      expect(Buffer.from(traced).toString("latin1")).toStartWith(fields);
      const rest = Buffer.from(traced).subarray(fields.length);
      const [before, after] = [hasHeader(message) ? scanHeaders(message) : noHeader, scanHeaders(traced)];
      expect(Buffer.from(traced).subarray(after.bodyStart)).toEqual(message.subarray(before.bodyStart));
      for (const field of after.fields.slice(3)) {
        const name = field.key.replace(/[^a-z0-9]/g, "");
        expect(name).not.toStartWith("xe2a");
        if (name === "authenticationresults") expect(fieldText(field).toLowerCase()).not.toContain(hostname);
      }
      // The rest is the message without whole fields: those that stay are in their order, byte for byte.
      const tail = message.subarray(before.fields.at(-1)?.end ?? 0);
      const isLeft = (i: number, at: number): boolean => {
        const field = before.fields[i];
        if (!field) return rest.subarray(at).equals(tail);
        const bytes = message.subarray(field.start, field.end);
        if (rest.indexOf(bytes, at) === at && isLeft(i + 1, at + bytes.byteLength)) return true;
        return (
          /^(?:xe2a|returnpath$|authenticationresults$)/.test(field.key.replace(/[^a-z0-9]/g, "")) && isLeft(i + 1, at)
        );
      };
      expect(isLeft(0, 0)).toBe(true);
    }),
    { share: 5 },
  ));

test("tracing twice removes what the first time wrote", () =>
  holds(
    fc.property(raw, (message) => {
      const once = withTrace(message, options);
      const twice = withTrace(once, options);
      // Only one Received field is added: each pass is a hop.
      expect(countReceived(twice, 1_000)).toBe(countReceived(once, 1_000) + 1);
      expect(scanHeaders(twice).fields.filter(({ key }) => key.startsWith("x-e2a"))).toEqual([]);
      const results = scanHeaders(twice).fields.filter((field) => fieldText(field).startsWith(`${hostname};`));
      expect(results).toHaveLength(1);
    }),
  ));

test("in pieces of any sizes, in steps, or with a header that was scanned before, it is the same message", () =>
  holds(
    fc.asyncProperty(raw, fc.array(fc.nat(60), { maxLength: 6 }), async (message, cuts) => {
      const whole = withTrace(message, options);
      const pieces: Uint8Array[] = [];
      let from = 0;
      for (const size of cuts) {
        pieces.push(message.subarray(from, from + size));
        from = Math.min(message.byteLength, from + size);
      }
      pieces.push(message.subarray(from));
      const block = scanOnce(message);
      const trace = traceOf(message, options, block);
      expect(applyTrace(pieces, trace)).toEqual(Buffer.from(whole));
      expect(await applyTraceInSteps(pieces, trace)).toEqual(Buffer.from(whole));
      const header = block && tracedHeader(message, block, trace);
      if (header) expect(header).toEqual(scanHeaders(whole) as typeof header);
    }),
    { share: 3 },
  ));

test("nothing that a client says becomes a field of its own, or makes a line too long", () =>
  holds(
    fc.property(
      fc.record({
        mailFrom: anything(),
        helo: anything(),
        remoteAddress: anything(),
        protocol: anything(),
        recipient: anything(),
      }),
      ({ recipient, ...said }) => {
        const traced = withTrace(Buffer.from("Subject: x\r\n\r\nbody"), {
          ...{ ...options, envelope: { ...options.envelope, ...said }, recipient, returnPath: true },
        });
        const text = Buffer.from(traced).toString();
        expect(text).not.toMatch(/\r(?!\n)|(?<!\r)\n|\0/);
        for (const line of text.split("\r\n")) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(998);
        expect(scanHeaders(traced).fields.map(({ name }) => name)).toEqual([
          ...["Return-Path", "Authentication-Results", "Received", "Subject"],
        ]);
      },
    ),
  ));

function anything() {
  return textWith(
    [
      "ann@people.example",
      "\r\nX-E2A-Auth-Verified: true",
      "<",
      ">",
      "[192.0.2.1]",
      "mail.people.example",
      "\r\n\r\n",
      "é",
      ")",
      "(",
      ";",
    ],
    6,
  );
}
