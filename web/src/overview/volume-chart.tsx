import { type KeyboardEvent, type PointerEvent, useState } from "react";
import type { Overview } from "../api/client.ts";

type Day = Overview["volume"][number];

const dayName = new Intl.DateTimeFormat(undefined, {
  weekday: "short",
  day: "numeric",
  month: "short",
  timeZone: "UTC",
});
const shortDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const nameOf = (day: Day) => dayName.format(new Date(`${day.day}T00:00:00Z`));

const series = [
  { name: "received", label: "Received", fill: "fill-accent", dot: "bg-accent" },
  { name: "sent", label: "Sent", fill: "fill-second", dot: "bg-second" },
  { name: "failed", label: "Failed", fill: "fill-bad", dot: "bg-bad" },
] as const;

/** Units of the drawing per day; the drawing is stretched to the width of the page. */
const DAY_WIDTH = 10;
const BAR_WIDTH = 3.6;
const HEIGHT = 100;
const LABEL_EVERY_DAYS = 7;

/** A round number at or above the largest value, for the end of the axis. */
function axisEnd(largest: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, largest))));
  return [1, 2, 4, 5, 10].map((factor) => factor * step).find((end) => end >= largest) ?? largest;
}

const sentence = (day: Day) => `${nameOf(day)}: ${day.received} received, ${day.sent} sent, ${day.failed} failed`;

/**
 * Mail by day: received beside sent, with failed on top of sent. Hover or arrow keys show the numbers of one day; for
 * screen readers it is a table.
 */
export function VolumeChart({ volume }: { volume: readonly Day[] }) {
  const [chosen, setChosen] = useState<number | null>(null);
  const end = axisEnd(Math.max(...volume.map((day) => Math.max(day.received, day.sent + day.failed)), 1));
  const height = (count: number) => (count / end) * HEIGHT;
  const total = (name: (typeof series)[number]["name"]) => volume.reduce((sum, day) => sum + day[name], 0);
  const last = volume.length - 1;
  const day = chosen === null ? undefined : volume[chosen];

  if (volume.every((one) => one.received + one.sent + one.failed === 0))
    return <p className="text-sm text-muted">No mail in the last {volume.length} days.</p>;

  const onKeyDown = (event: KeyboardEvent) => {
    const to = { ArrowLeft: (chosen ?? last + 1) - 1, ArrowRight: (chosen ?? -1) + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    setChosen(Math.min(last, Math.max(0, to)));
  };
  const onPointerMove = (event: PointerEvent) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    setChosen(Math.min(last, Math.max(0, Math.floor(((event.clientX - left) / width) * volume.length))));
  };

  return (
    <figure className="flex flex-col gap-3">
      <figcaption className="flex flex-wrap items-center gap-x-4 gap-y-1 text-xs text-muted">
        {series.map(({ name, label, dot }) => (
          <span key={name} className="inline-flex items-center gap-1.5">
            <span aria-hidden className={`size-2 rounded-full ${dot}`} />
            {label}{" "}
            <span className="font-medium text-ink tabular-nums">{(day?.[name] ?? total(name)).toLocaleString()}</span>
          </span>
        ))}
        <span className="flex-1" />
        <span>{day ? nameOf(day) : `last ${volume.length} days`}</span>
      </figcaption>
      <div className="flex gap-2">
        <div aria-hidden className="flex flex-col justify-between text-right text-2xs text-muted tabular-nums">
          <span className="-mt-2">{end.toLocaleString()}</span>
          <span>{end > 1 && (end / 2).toLocaleString()}</span>
          <span className="-mb-2">0</span>
        </div>
        <div
          role="slider"
          tabIndex={0}
          aria-label="Mail by day"
          aria-valuemin={1}
          aria-valuemax={volume.length}
          aria-valuenow={(chosen ?? last) + 1}
          aria-valuetext={sentence(volume[chosen ?? last] as Day)}
          onKeyDown={onKeyDown}
          onPointerMove={onPointerMove}
          onPointerLeave={() => setChosen(null)}
          onBlur={() => setChosen(null)}
          className="min-w-0 flex-1 rounded-sm"
        >
          <svg
            aria-hidden
            viewBox={`0 0 ${volume.length * DAY_WIDTH} ${HEIGHT}`}
            preserveAspectRatio="none"
            className="h-40 w-full overflow-visible"
          >
            {[0, 0.5, 1].map((part) => (
              <line
                key={part}
                x1="0"
                x2={volume.length * DAY_WIDTH}
                y1={part * HEIGHT}
                y2={part * HEIGHT}
                vectorEffect="non-scaling-stroke"
                className="stroke-line"
              />
            ))}
            {volume.map((one, place) => {
              const x = place * DAY_WIDTH + (DAY_WIDTH - 2 * BAR_WIDTH) / 2;
              const bar = (key: string, left: number, from: number, count: number, fill: string) => (
                <rect
                  key={key}
                  x={left}
                  width={BAR_WIDTH - 0.4}
                  y={HEIGHT - height(from + count)}
                  height={height(count)}
                  className={fill}
                />
              );
              return (
                <g key={one.day}>
                  {place === chosen && (
                    <rect x={place * DAY_WIDTH} width={DAY_WIDTH} y="0" height={HEIGHT} className="fill-hover" />
                  )}
                  {bar("received", x, 0, one.received, series[0].fill)}
                  {bar("sent", x + BAR_WIDTH, 0, one.sent, series[1].fill)}
                  {bar("failed", x + BAR_WIDTH, one.sent, one.failed, series[2].fill)}
                </g>
              );
            })}
          </svg>
          <div aria-hidden className="relative h-4 pt-1 text-2xs text-muted">
            {volume.map(
              (one, place) =>
                (last - place) % LABEL_EVERY_DAYS === 0 && (
                  <span
                    key={one.day}
                    className="absolute -translate-x-1/2 whitespace-nowrap last:-translate-x-full"
                    style={{ left: `${((place + (place === last ? 1 : 0.5)) / volume.length) * 100}%` }}
                  >
                    {shortDay.format(new Date(`${one.day}T00:00:00Z`))}
                  </span>
                ),
            )}
          </div>
        </div>
      </div>
      <table className="sr-only">
        <caption>Mail by day</caption>
        <thead>
          <tr>
            <th scope="col">Day</th>
            {series.map(({ name, label }) => (
              <th key={name} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {volume.map((one) => (
            <tr key={one.day}>
              <th scope="row">{nameOf(one)}</th>
              {series.map(({ name }) => (
                <td key={name}>{one[name]}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}
