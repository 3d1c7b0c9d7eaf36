import type { Calendar } from "../../mail.ts";
import { directionControls, readAddress } from "../addresses.ts";
import type { DefectCode } from "../defects.ts";
import { decodeText } from "../mime/charset.ts";
import { cleanLine } from "../text/clean.ts";
import { type Component, type Property, readComponents, textOf } from "./lines.ts";
import { instantOf, readWall, type Wall, type Zone, zoneOf } from "./zones.ts";

/** A file that may be a calendar. */
export interface CalendarFile {
  content: Buffer;
  charset: string | null;
  /** The parameter `method` of its Content-Type (RFC 6047 2.4); "" if there is none. */
  method: string;
}

/** What the calendars in a message say. */
export interface FoundCalendar {
  calendar: Calendar | null;
  /** What the event says of itself, for a message without a text. */
  description: string;
  isDescriptionCut: boolean;
  defects: DefectCode[];
}

/** An invitation with 1,000 guests has 200 KB. */
const CALENDAR_BYTES_MAX = 1024 * 1024;
/** Files looked into: real mail has the same calendar twice at most. */
const CALENDARS_MAX = 4;
/** Lengths of what is kept: Outlook allows 255 characters in most of these fields. */
const LINE_CHARS_MAX = 1_000;
const DESCRIPTION_CHARS_MAX = 64 * 1024;
const DAY_MS = 86_400_000;
/** RFC 3339 has four digits for a year. */
const YEAR_0_MS = Date.parse("0000-01-01T00:00:00Z");
const YEAR_10000_MS = Date.UTC(10_000, 0, 1);

/** Whether a file is a calendar, by its type or name (RFC 5545 8.1). */
export function isCalendar(type: string, filename: string): boolean {
  return /^(?:text\/(?:x-)?v?calendar|application\/(?:ics|icalendar|x-ical))$/.test(type) || /\.ics$/i.test(filename);
}

/**
 * Finds the event that a message is about (RFC 5546), in the first of its calendars that has one. Recurrences are not
 * expanded. Never throws; time is linear.
 */
export async function findCalendar(files: readonly CalendarFile[]): Promise<FoundCalendar> {
  const defects = new Set<DefectCode>();
  for (const [i, file] of files.entries()) {
    if (i === CALENDARS_MAX) {
      defects.add("calendar_truncated");
      break;
    }
    if (file.content.length > CALENDAR_BYTES_MAX) {
      defects.add("calendar_truncated");
      continue;
    }
    try {
      const { text } = await decodeText(file.content, file.charset, false);
      const { components, isCut } = readComponents(text);
      if (isCut) defects.add("calendar_truncated");
      const calendar = components.find(({ name }) => name === "VCALENDAR");
      if (!calendar) defects.add("calendar_unreadable");
      const found = calendar && readEvent(calendar, file.method);
      if (found) return { ...found, defects: [...new Set([...defects, ...found.defects])] };
    } catch {
      defects.add("calendar_unreadable");
    }
  }
  return { calendar: null, description: "", isDescriptionCut: false, defects: [...defects] };
}

/** The calendar's event, or of a series with exceptions its pattern; null if it has no event. */
function readEvent(calendar: Component, typeMethod: string): FoundCalendar | null {
  const events = calendar.components.filter(({ name }) => name === "VEVENT");
  const event = events.find((one) => !propertyOf(one, "RECURRENCE-ID")) ?? events[0];
  if (!event) return null;
  const defects = new Set<DefectCode>();
  const { start, end } = readTimes(event, calendar, defects);
  const organizer = propertyOf(event, "ORGANIZER");
  const shown = (text: string, property: Property | undefined) => {
    const whole = cleanLine(text.replace(directionControls, ""));
    if (property?.isCut || whole.length > LINE_CHARS_MAX) defects.add("calendar_truncated");
    return whole.slice(0, LINE_CHARS_MAX).toWellFormed();
  };
  const line = (name: string) => {
    const property = propertyOf(event, name);
    return shown(textOf(property?.value ?? ""), property);
  };
  const description = propertyOf(event, "DESCRIPTION");
  const describes = textOf(description?.value ?? "");
  const method = (propertyOf(calendar, "METHOD")?.value ?? typeMethod).trim().toUpperCase();
  return {
    calendar: {
      method: /^[A-Z-]{1,40}$/.test(method) ? method : null,
      uid: line("UID"),
      start,
      end,
      summary: line("SUMMARY"),
      location: line("LOCATION"),
      organizer: organizer ? addressOf(organizer) : null,
      organizer_name: shown(organizer?.parameters.get("CN") ?? "", organizer),
      attendees: event.properties.filter(({ name }) => name === "ATTENDEE").length,
      recurring: Boolean(propertyOf(event, "RRULE") ?? propertyOf(event, "RDATE")),
    },
    description: describes.slice(0, DESCRIPTION_CHARS_MAX).toWellFormed(),
    isDescriptionCut: description?.isCut === true || describes.length > DESCRIPTION_CHARS_MAX,
    defects: [...defects],
  };
}

function propertyOf(component: Component, name: string): Property | undefined {
  return component.properties.find((property) => property.name === name);
}

/** The address of a calendar user (RFC 5545 3.3.3), or null. */
function addressOf({ value, parameters }: Property): string | null {
  const uri = value.trim();
  const isMail = /^mailto:/i.test(uri);
  // RFC 6068 2: fields of a header follow the address.
  const written = isMail ? unescaped(uri.slice("mailto:".length).split("?", 1)[0] as string) : uri;
  const isAddress = written.includes("@") && (isMail || !written.includes(":"));
  const read = readAddress(cleanLine(isAddress ? written : (parameters.get("EMAIL") ?? "")));
  return "address" in read ? read.address : null;
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * A time in a calendar. `zone` is null if it is local wherever one is, and for a day; its instant is then that of the
 * same time in UTC.
 */
interface Moment {
  instant: number;
  isDay: boolean;
  zone: Zone | "UTC" | null;
}

/** Start and end on the wire: RFC 3339, a day without a time, or a time without an offset if no zone is known. */
function readTimes(event: Component, calendar: Component, defects: Set<DefectCode>) {
  const read = (name: string): Moment | null => {
    const property = propertyOf(event, name);
    if (!property) return null;
    const value = property.value.trim();
    const wall = readWall(value);
    if (wall === null) {
      defects.add("calendar_time_invalid");
      return null;
    }
    if (value.length === "20260615".length) return { instant: wall, isDay: true, zone: null };
    if (/z$/i.test(value)) return { instant: wall, isDay: false, zone: "UTC" };
    const id = property.parameters.get("TZID");
    const zone = id === undefined ? null : zoneOf(id, calendar);
    if (id !== undefined && zone === null) defects.add("calendar_zone_unknown");
    return { instant: instantIn(zone, wall), isDay: false, zone };
  };
  const start = read("DTSTART");
  const duration = propertyOf(event, "DURATION")?.value.trim();
  const end = read("DTEND") ?? (start && after(start, duration, defects));
  return { start: start && written(start, defects), end: end && written(end, defects) };
}

function instantIn(zone: Moment["zone"], wall: Wall): number {
  return typeof zone === "function" ? instantOf(wall, zone) : wall;
}

function offsetOf({ instant, zone }: Moment): number {
  return typeof zone === "function" ? zone(instant) : 0;
}

/** RFC 5545 3.3.6: a week or a day is what the calendar says, an hour is what the clock measures. */
function after(start: Moment, duration: string | undefined, defects: Set<DefectCode>): Moment | null {
  // RFC 5545 3.6.1: without an end, a day is a whole day, and any other event ends when it begins.
  if (duration === undefined) return start.isDay ? { ...start, instant: start.instant + DAY_MS } : start;
  const [all, weeks, days, hours, minutes, seconds] =
    /^\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,8})S)?)?$/i.exec(duration) ?? [];
  if (all === undefined) {
    defects.add("calendar_time_invalid");
    return null;
  }
  const whole = (Number(weeks ?? 0) * 7 + Number(days ?? 0)) * DAY_MS;
  const exact = (Number(hours ?? 0) * 3_600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)) * 1_000;
  const wall = start.instant + offsetOf(start) + whole;
  // The same time on the same day may come twice.
  const instant = whole === 0 ? start.instant : instantIn(start.zone, wall);
  return { ...start, instant: instant + exact };
}

/** Null, and a defect, for a time that RFC 3339 cannot write. */
function written(moment: Moment, defects: Set<DefectCode>): string | null {
  const { isDay, zone } = moment;
  const offset = offsetOf(moment);
  const wall = moment.instant + offset;
  if (wall < YEAR_0_MS || wall >= YEAR_10000_MS) {
    defects.add("calendar_time_invalid");
    return null;
  }
  const text = new Date(wall).toISOString().slice(0, "2026-06-15T10:00:00".length);
  if (isDay) return text.slice(0, "2026-06-15".length);
  if (zone === null) return text;
  return zone === "UTC" ? `${text}Z` : `${text}${offsetText(offset)}`;
}

/** "+02:00". RFC 3339 has no seconds in offsets, which zones had before 1972. */
function offsetText(offset: number): string {
  const minutes = Math.round(Math.abs(offset) / 60_000);
  const digits = (value: number) => String(value).padStart(2, "0");
  return `${offset < 0 ? "-" : "+"}${digits(Math.floor(minutes / 60))}:${digits(minutes % 60)}`;
}
