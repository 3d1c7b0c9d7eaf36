import type { Calendar } from "../../mail.ts";

type Told = Omit<Calendar, "attendees" | "uid">;

/** One line that says what a calendar says: "Invitation: Lunch, 2026-06-15 12:00 to 13:00 +02:00, in Bonn, by al@…". */
export function calendarLine({ end, location, method, organizer, recurring, start, summary }: Told): string {
  const times = timesOf(start, end);
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

/** Splits "2026-06-15T12:00:00+02:00" into its day, its time and its offset; a day has only the first. */
const parts = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/** When an event takes place, for people: its days, the last included, or its times with their offset from UTC. */
function timesOf(start: string | null, end: string | null): string {
  if (start === null) return "time unknown";
  const [, day, time, offset] = parts.exec(start) ?? [];
  const [, lastDay, lastTime, lastOffset] = parts.exec(end ?? start) ?? [];
  if (!day || !lastDay) return end === null || end === start ? start : `${start} to ${end}`;
  if (!time || !lastTime) {
    // An event of whole days ends on the day after its last one (RFC 5545 3.6.1).
    const last = lastDay > day ? dayBefore(lastDay) : day;
    return last === day ? day : `${day} to ${last}`;
  }
  const zone = (one: string | undefined) => (one === undefined ? "" : ` ${one === "Z" ? "UTC" : one}`);
  const first = `${day} ${time}`;
  if (end === null || end === start) return `${first}${zone(offset)}`;
  if (offset !== lastOffset) return `${first}${zone(offset)} to ${lastDay} ${lastTime}${zone(lastOffset)}`;
  return `${first} to ${day === lastDay ? lastTime : `${lastDay} ${lastTime}`}${zone(offset)}`;
}

function dayBefore(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - 1);
  return date.toISOString().slice(0, 10);
}
