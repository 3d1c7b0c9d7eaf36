import { expect, test } from "bun:test";
import { withNewest } from "../../web/src/api/newest.ts";
import { isWithdrawable } from "../../web/src/outbound/withdrawable.ts";

const page = (...ids: number[]) => ({ messages: ids.map((id) => ({ message_id: `msg_${id}` })) });

test.each<[name: string, fresh: number[], pages: number[][] | null]>([
  [
    "what is new goes on top of a list that was scrolled far",
    [8, 7, 6],
    [
      [8, 7, 6, 5, 4],
      [3, 2, 1],
    ],
  ],
  [
    "nothing new changes nothing",
    [6, 5, 4],
    [
      [6, 5, 4],
      [3, 2, 1],
    ],
  ],
  ["where more came than a page holds the list begins anew, without a hole", [12, 11, 10], null],
])("%s", (_name, fresh, pages) => {
  expect(withNewest([page(6, 5, 4), page(3, 2, 1)], page(...fresh))).toEqual(pages?.map((ids) => page(...ids)) ?? null);
});

test("an approval can be taken back while it stands and nobody was tried, and only if a person gave it", () => {
  const waiting = { address: "ann@x.example", status: "queued", attempts: 0 };
  const approved = { status: "queued", reviewed_at: "2026-05-15T12:00:00Z", reviewed_by: "eve@x.example" };
  const can = (changes: object, ...recipients: object[]) =>
    isWithdrawable({ ...approved, ...changes, recipients: [waiting, ...recipients] } as never);
  expect(can({})).toBe(true);
  expect(can({}, { ...waiting, status: "deferred", attempts: 1 })).toBe(false);
  expect(can({ reviewed_by: "expiry" })).toBe(false);
  expect(can({ reviewed_at: undefined })).toBe(false);
  expect(can({ status: "sent" })).toBe(false);
});
