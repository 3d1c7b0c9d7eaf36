import { expect, test } from "bun:test";
import type { Authentication } from "./mail.ts";
import { type Judged, verdictLine } from "./verdict.ts";

const signature = { domain: "example.com", selector: "s1", algorithm: "rsa-sha256" };
const none: Authentication = {
  spf: { result: "none", domain: "example.com" },
  dkim: [],
  dmarc: { result: "none", policy: null, aligned_by: [] },
  arc: { result: "none" },
};

const cases: [judged: Partial<Judged>, line: string][] = [
  [
    { verified: false, authentication: { ...none, dmarc: { result: "permerror", policy: null, aligned_by: [] } } },
    "not proven: the From field or its domain's DMARC record is broken; SPF none for example.com, no DKIM signature",
  ],
  [
    {
      verified: true,
      authentication: {
        ...none,
        dmarc: { result: "pass", policy: "reject", aligned_by: ["dkim"] },
        unsigned: ["Reply-To", "Subject"],
      },
    },
    "proven: example.com (DMARC by DKIM; not signed: Reply-To, Subject)",
  ],
  [
    { verified: true, authentication: { ...none, dmarc: { result: "pass", policy: "reject", aligned_by: ["dkim"] } } },
    "proven: example.com (DMARC by DKIM)",
  ],
  [
    {
      verified: true,
      authentication: { ...none, dmarc: { result: "pass", policy: "none", aligned_by: ["spf", "dkim"] } },
    },
    "proven: example.com (DMARC by SPF and DKIM)",
  ],
  [
    { verified: true, authentication: { ...none, dkim: [{ ...signature, result: "pass", aligned: true }] } },
    "proven: example.com (aligned DKIM, no DMARC record)",
  ],
  [
    { verified: true, authentication: { ...none, spf: { result: "pass", domain: "example.com" } } },
    "proven: example.com (aligned SPF, no DMARC record)",
  ],
  [{ verified: true }, "proven: example.com"],
  [
    {
      verified: false,
      authentication: {
        ...none,
        spf: { result: "fail", domain: "evil.example" },
        dmarc: { result: "fail", policy: "reject", aligned_by: [] },
      },
    },
    "not proven: DMARC fails (the domain asks to reject such mail); SPF fail for evil.example, no DKIM signature",
  ],
  [
    {
      verified: false,
      authentication: { ...none, dkim: [{ ...signature, domain: "other.example", result: "pass", aligned: false }] },
    },
    "not proven: no DMARC record; SPF none for example.com, DKIM pass for other.example",
  ],
  [
    { verified: false, authentication: { ...none, dmarc: { result: "temperror", policy: null, aligned_by: [] } } },
    "not proven: DNS gave no answer in time; SPF none for example.com, no DKIM signature",
  ],
  [{}, "not examined"],
];

for (const [judged, line] of cases) {
  test(line, () => expect(verdictLine({ from: "alice@example.com", ...judged })).toBe(line));
}
