import { useSyncExternalStore } from "react";

const exactFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const dayFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dateFormat = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const relativeFormat = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" });

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "5 min. ago", "in 2 days"; the date if it is more than a week away. Rounds future times, as `e2a pending` does. */
function relativeTime(at: Date, now: Date): string {
  const ms = at.getTime() - now.getTime();
  const distance = Math.abs(ms);
  const whole = ms > 0 ? Math.round : Math.trunc;
  if (distance < MINUTE) return ms > 0 ? "in a moment" : "just now";
  if (whole(distance / MINUTE) < 60) return relativeFormat.format(whole(ms / MINUTE), "minute");
  if (whole(distance / HOUR) < 24) return relativeFormat.format(whole(ms / HOUR), "hour");
  const days = whole(distance / DAY);
  if (ms > 0 ? days <= 7 : days < 7) return relativeFormat.format(whole(ms / DAY), "day");
  return (at.getFullYear() === now.getFullYear() ? dayFormat : dateFormat).format(at);
}

/** The exact time in the user's time zone. */
function exactTime(at: Date): string {
  return exactFormat.format(at);
}

const listeners = new Set<() => void>();
let ticking: ReturnType<typeof setInterval> | undefined;
/** The page's shared clock, so that a list and its open item show the same time for one instant. */
let shared = new Date();

function tick() {
  shared = new Date();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  ticking ??= setInterval(tick, MINUTE / 2);
  // A new component may show an instant that is later than the shared clock.
  if (Math.abs(Date.now() - shared.getTime()) > SECOND) tick();
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(ticking);
    ticking = undefined;
  };
}

/** The page's shared time. Updated every half minute and whenever a new component shows a time. */
export function useNow(): Date {
  return useSyncExternalStore(subscribe, () => shared);
}

/**
 * A time relative to now, with the exact time on hover. Unless it is `upcoming`, it has passed: an instant that is later
 * than the page's clock is shown as now, because the server's clock may be ahead, and the page's is up to half a minute
 * old.
 */
export function RelativeTime({ at, upcoming, className }: { at: string; upcoming?: boolean; className?: string }) {
  const now = useNow();
  const date = new Date(at);
  return (
    <time dateTime={at} title={exactTime(date)} className={className}>
      {relativeTime(upcoming || date < now ? date : now, now)}
    </time>
  );
}
