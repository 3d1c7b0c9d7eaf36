import { useEffect, useState } from "react";

const exactFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const dayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dateFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const relativeFormat = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "5 min. ago", "in 2 days"; the date when it is more than a week away. */
export function relativeTime(at: Date, now: Date): string {
  const ms = at.getTime() - now.getTime();
  const distance = Math.abs(ms);
  if (distance < MINUTE) return ms > 0 ? "in a moment" : "just now";
  if (distance < HOUR) return relativeFormat.format(Math.trunc(ms / MINUTE), "minute");
  if (distance < DAY) return relativeFormat.format(Math.trunc(ms / HOUR), "hour");
  if (distance < 7 * DAY) return relativeFormat.format(Math.trunc(ms / DAY), "day");
  return (at.getFullYear() === now.getFullYear() ? dayFormat : dateFormat).format(at);
}

/** The exact time in the reader's own zone. */
export function exactTime(at: Date): string {
  return exactFormat.format(at);
}

const listeners = new Set<() => void>();
let ticking: ReturnType<typeof setInterval> | undefined;

/** The time, anew each half minute; one timer for all. */
export function useNow(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const tick = () => setNow(new Date());
    listeners.add(tick);
    ticking ??= setInterval(() => {
      for (const listener of listeners) listener();
    }, MINUTE / 2);
    return () => {
      listeners.delete(tick);
      if (listeners.size > 0) return;
      clearInterval(ticking);
      ticking = undefined;
    };
  }, []);
  return now;
}

/** How long ago, or how soon; the exact time on hover. */
export function RelativeTime({ at, className }: { at: string; className?: string }) {
  const now = useNow();
  const date = new Date(at);
  return (
    <time dateTime={at} title={exactTime(date)} className={className}>
      {relativeTime(date, now)}
    </time>
  );
}
