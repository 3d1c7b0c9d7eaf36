import type { Component } from "./lines.ts";
import { windowsZone } from "./windows-zones.ts";

/** A wall-clock time, as milliseconds of the same date and time in UTC. */
export type Wall = number;

/** A time zone: by how many milliseconds its clocks are ahead of UTC at an instant. */
export type Zone = (instant: number) => number;

/** Observances of a time zone that are read. A zone that changed its rules every year for a century has as many. */
const OBSERVANCES_MAX = 200;
const DATES_MAX = 200;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * The zone that a calendar means by a TZID: by the calendar's own definition, or by the name in the IANA database or in
 * Windows. Null if it is unknown.
 */
export function zoneOf(id: string, calendar: Component): Zone | null {
  const own = calendar.components.find((one) => one.name === "VTIMEZONE" && textIn(one, "TZID") === id);
  return (own && definedZone(own)) ?? namedZone(id);
}

/**
 * The instant at which the clocks of a zone show a time (RFC 5545 3.3.5): the first one if they show it twice; if they
 * skip it, the one at which they would show it without the change.
 */
export function instantOf(wall: Wall, zone: Zone): number {
  // No clock is a day ahead of UTC or behind it.
  const before = zone(wall - DAY_MS);
  if (zone(wall - before) === before) return wall - before;
  const after = zone(wall + DAY_MS);
  return zone(wall - after) === after ? wall - after : wall - before;
}

function textIn(component: Component, name: string): string | undefined {
  return component.properties.find((property) => property.name === name)?.value.trim();
}

/** Some programs write the path of their own database before the name: "/example.org/Europe/Berlin". */
function namedZone(id: string): Zone | null {
  const words = id.split("/").slice(-3);
  for (const name of [id, words.join("/"), words.slice(1).join("/"), words.slice(2).join("/"), windowsZone(id)])
    if (name) {
      const zone = ianaZone(name);
      if (zone) return zone;
    }
  return null;
}

function ianaZone(timeZone: string): Zone | null {
  try {
    const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
    return (instant) => {
      const said = format.formatToParts(instant).find(({ type }) => type === "timeZoneName")?.value ?? "";
      return readOffset(said.replace(/^GMT/, "")) ?? 0;
    };
  } catch {
    return null;
  }
}

/** "+0130", "-01:30" or "+013015", in milliseconds (RFC 5545 3.3.14). */
function readOffset(text: string): number | null {
  const [, sign, hours, minutes, seconds = "0"] = /^([+-])([01]\d|2[0-3]):?([0-5]\d):?([0-5]\d)?$/.exec(text) ?? [];
  if (sign === undefined) return null;
  const value = (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * 1_000;
  return sign === "-" ? -value : value;
}

interface Observance {
  to: number;
  from: number;
  /** Its latest beginning at or before an instant; null if it begins later. */
  latest(instant: number): number | null;
  first: number;
}

/**
 * The zone of a VTIMEZONE (RFC 5545 3.6.5); null if it has a rule that is not one of those that zones have, or more
 * observances or dates than are read.
 */
function definedZone(definition: Component): Zone | null {
  const observances: Observance[] = [];
  if (definition.components.length > OBSERVANCES_MAX) return null;
  for (const one of definition.components) {
    const observance = readObservance(one);
    if (observance === null) return null;
    observances.push(observance);
  }
  const [earliest] = observances.toSorted((a, b) => a.first - b.first);
  if (!earliest) return null;
  return (instant) => {
    let offset = earliest.from;
    let latest = Number.NEGATIVE_INFINITY;
    for (const observance of observances) {
      const began = observance.latest(instant);
      if (began === null || began < latest) continue;
      latest = began;
      offset = observance.to;
    }
    return offset;
  };
}

function readObservance(component: Component): Observance | null {
  const first = readWall(textIn(component, "DTSTART") ?? "");
  const to = readOffset(textIn(component, "TZOFFSETTO") ?? "");
  const from = readOffset(textIn(component, "TZOFFSETFROM") ?? "");
  if (first === null || to === null || from === null) return null;
  const dates = component.properties
    .filter(({ name }) => name === "RDATE")
    .flatMap(({ value }) => value.split(","))
    .map((value) => readWall(value.trim()) ?? Number.NaN);
  if (dates.length > DATES_MAX) return null;
  const written = textIn(component, "RRULE");
  const rule = written === undefined ? null : readRule(written, first, from);
  if (written !== undefined && rule === null) return null;
  // It begins by the clocks of the time before it.
  const latest = (instant: number) => {
    const wall = instant + from;
    const begun = [first, ...dates, ...(rule?.(wall) ?? [])].filter((one) => one <= wall);
    return begun.length === 0 ? null : Math.max(...begun) - from;
  };
  return { to, from, latest, first: first - from };
}

const weekdays = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

/**
 * A yearly rule, as a function to its last two dates up to a time. They are computed, not counted up to, so that a rule
 * from the year 1601 costs no more. Null for other rules.
 */
function readRule(text: string, first: Wall, from: number): ((wall: Wall) => Wall[]) | null {
  const parts = new Map(text.split(";").map((part) => part.toUpperCase().split("=", 2) as [string, string]));
  const known = ["FREQ", "BYMONTH", "BYDAY", "BYMONTHDAY", "UNTIL", "COUNT", "INTERVAL", "WKST"];
  if (parts.get("FREQ") !== "YEARLY" || (parts.get("INTERVAL") ?? "1") !== "1") return null;
  if ([...parts.keys()].some((key) => !known.includes(key))) return null;
  const start = new Date(first);
  const month = parts.has("BYMONTH") ? Number(parts.get("BYMONTH")) - 1 : start.getUTCMonth();
  const [, nth, day] = /^([+-]?[1-5])?([A-Z]{2})$/.exec(parts.get("BYDAY") ?? "") ?? [];
  const weekday = day === undefined ? -1 : weekdays.indexOf(day);
  if (parts.has("BYDAY") && weekday < 0) return null;
  const days = (parts.get("BYMONTHDAY") ?? String(start.getUTCDate())).split(",").slice(0, 31).map(Number);
  if (!(month >= 0 && month <= 11) || days.some((one) => !(one >= 1 && one <= 31))) return null;
  const until = parts.has("UNTIL") ? readWall(parts.get("UNTIL") ?? "") : Number.POSITIVE_INFINITY;
  const count = parts.has("COUNT") ? Number(parts.get("COUNT")) : Number.POSITIVE_INFINITY;
  if (until === null || Number.isNaN(count)) return null;
  const inUtc = /Z$/.test(parts.get("UNTIL") ?? "");
  const timeOfDay = first - Math.floor(first / DAY_MS) * DAY_MS;

  const inYear = (year: number): Wall => {
    const monthStart = Date.UTC(year, month, 1);
    if (weekday < 0) return Date.UTC(year, month, days[0] as number) + timeOfDay;
    if (nth === undefined) {
      const matching = days.find((one) => new Date(Date.UTC(year, month, one)).getUTCDay() === weekday);
      return matching === undefined ? Number.NaN : Date.UTC(year, month, matching) + timeOfDay;
    }
    if (Number(nth) > 0) {
      const ahead = (weekday - new Date(monthStart).getUTCDay() + 7) % 7;
      return monthStart + (ahead + (Number(nth) - 1) * 7) * DAY_MS + timeOfDay;
    }
    const monthEnd = Date.UTC(year, month + 1, 0);
    const back = (new Date(monthEnd).getUTCDay() - weekday + 7) % 7;
    return monthEnd - (back + (-Number(nth) - 1) * 7) * DAY_MS + timeOfDay;
  };
  const isOn = (one: Wall) => one >= first && (inUtc ? one - from : one) <= until;
  return (wall) => {
    const last = Math.min(
      new Date(wall).getUTCFullYear(),
      until === Number.POSITIVE_INFINITY ? until : new Date(until).getUTCFullYear(),
      start.getUTCFullYear() + count - 1,
    );
    return [last, last - 1].map(inYear).filter((one) => isOn(one) && one <= wall);
  };
}

/** "20260615T100000", perhaps with a Z, as a wall-clock time; null if it is no date and time. */
export function readWall(text: string): Wall | null {
  const [, year, month, day, hour = "0", minute = "0", second = "0"] =
    /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?Z?)?$/i.exec(text) ?? [];
  if (year === undefined) return null;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  if (date.getUTCDate() !== Number(day) || date.getUTCMonth() !== Number(month) - 1) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null;
  return date.getTime() + (Number(hour) * 60 + Number(minute)) * MINUTE_MS + Number(second) * 1_000;
}
