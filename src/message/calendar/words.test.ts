import { expect, test } from "bun:test";
import { calendarLine } from "./words.ts";

const line = (start: string | null, end: string | null) =>
  calendarLine({
    ...{ method: "REQUEST", summary: "Lunch", location: "", organizer: null, organizer_name: "", recurring: false },
    ...{ start, end },
  });

test.each([
  ["2026-12-24", "2026-12-25", "2026-12-24"],
  ["2026-12-24", "2026-12-27", "2026-12-24 to 2026-12-26"],
  ["2026-12-30", "2027-01-01", "2026-12-30 to 2026-12-31"],
  ["2026-12-24", null, "2026-12-24"],
  ["2026-12-24", "2026-12-24", "2026-12-24"],
])("an event of whole days from %p to before %p takes its last day too", (start, end, shown) => {
  expect(line(start, end)).toBe(`Invitation: Lunch, ${shown}`);
});

test.each([
  ["2026-12-03T14:00:00+01:00", "2026-12-03T15:30:00+01:00", "2026-12-03 14:00 to 15:30 +01:00"],
  ["2026-12-03T22:00:00Z", "2026-12-04T02:00:00Z", "2026-12-03 22:00 to 2026-12-04 02:00 UTC"],
  ["2026-10-25T01:00:00+02:00", "2026-10-25T04:00:00+01:00", "2026-10-25 01:00 +02:00 to 2026-10-25 04:00 +01:00"],
  ["2026-12-03T14:00:00", "2026-12-03T15:00:00", "2026-12-03 14:00 to 15:00"],
  ["2026-12-03T14:00:00Z", "2026-12-03T14:00:00Z", "2026-12-03 14:00 UTC"],
  ["2026-12-03T14:00:00Z", null, "2026-12-03 14:00 UTC"],
  [null, null, "time unknown"],
])("an event from %p to %p is shown by its times and their offset", (start, end, shown) => {
  expect(line(start, end)).toBe(`Invitation: Lunch, ${shown}`);
});
