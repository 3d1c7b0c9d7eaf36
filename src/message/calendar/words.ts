import type { Calendar } from "../../mail.ts";

type Told = Omit<Calendar, "attendees" | "uid">;

/** One line that says what a calendar says: "Invitation: Lunch, 2026-06-15T12:00:00+02:00 to …, in Bonn, by al@…". */
export function calendarLine({ end, location, method, organizer, recurring, start, summary }: Told): string {
  const times = start === null ? "time unknown" : end === null || end === start ? start : `${start} to ${end}`;
  const facts = [
    ...[summary || "without a name", recurring ? `${times} and again later` : times],
    ...(location ? [`in ${location}`] : []),
    ...(organizer ? [`by ${organizer}`] : []),
  ];
  return `${kinds[method ?? ""] ?? "Event"}: ${facts.join(", ")}`;
}

/** RFC 5546 1.4. */
const kinds: Record<string, string | undefined> = {
  REQUEST: "Invitation",
  CANCEL: "Cancelled",
  REPLY: "Answer to an invitation",
  COUNTER: "Other time proposed",
  DECLINECOUNTER: "Other time declined",
};
