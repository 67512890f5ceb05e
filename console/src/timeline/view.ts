// The timeline's arithmetic: which time is at which pixel, zooming, panning, where the ticks stand. Pure.
// Times in milliseconds since 1970, widths in CSS pixels.
import { formatClock, formatDay, kDay, kHour, kMinute, kSecond } from '../time.js';

export interface View {
  readonly start: number;
  readonly end: number;
}

export const kSpanMin = 30 * kSecond;
export const kSpanMax = 60 * kDay;

export const spanOf = (view: View): number => view.end - view.start;

export function xOf(view: View, width: number, time: number): number {
  return ((time - view.start) / spanOf(view)) * width;
}

export function timeAt(view: View, width: number, x: number): number {
  return view.start + (x / width) * spanOf(view);
}

/** The view `factor` times as long (below 1 zooms in); the time `anchor` keeps its place. */
export function zoomed(view: View, factor: number, anchor: number): View {
  const span = Math.min(kSpanMax, Math.max(kSpanMin, spanOf(view) * factor));
  const fraction = (anchor - view.start) / spanOf(view);
  const start = anchor - fraction * span;
  return { start, end: start + span };
}

export function panned(view: View, ms: number): View {
  return { start: view.start + ms, end: view.end + ms };
}

/** The view of the same length with `time` at `fraction` of its width. */
export function withTimeAt(view: View, time: number, fraction: number): View {
  const start = time - fraction * spanOf(view);
  return { start, end: start + spanOf(view) };
}

export function contains(view: View, time: number): boolean {
  return time >= view.start && time <= view.end;
}

/** Keeps a view within sense: some of it is before `last` (now) and some after `first` (the oldest footage). */
export function clamped(view: View, first: number, last: number): View {
  const span = spanOf(view);
  const start = Math.min(Math.max(view.start, first - span * 0.9), last - span * 0.1);
  return { start, end: start + span };
}

export interface Tick {
  readonly time: number;
  readonly label: string;
  readonly major: boolean; // a new day (or, in a view of days, a new week)
}

const kSteps = [
  kSecond, 2 * kSecond, 5 * kSecond, 10 * kSecond, 15 * kSecond, 30 * kSecond,
  kMinute, 2 * kMinute, 5 * kMinute, 10 * kMinute, 15 * kMinute, 30 * kMinute,
  kHour, 2 * kHour, 3 * kHour, 6 * kHour, 12 * kHour, kDay, 2 * kDay, 7 * kDay, 14 * kDay,
];

function midnight(time: number, daysLater = 0): number {
  const d = new Date(time);
  return new Date(d.getFullYear(), d.getMonth(), d.getDate() + daysLater).getTime();
}

/**
 * The ticks of a view, at least `spacing` pixels apart and at round local times. Days are the calendar's, so that a day
 * of 23 or 25 hours still begins at its midnight.
 */
export function ticksOf(view: View, width: number, spacing: number): Tick[] {
  const wanted = (spanOf(view) / width) * spacing;
  const step = kSteps.find((s) => s >= wanted) ?? 28 * kDay;
  const ticks: Tick[] = [];
  if (step >= kDay) {
    // Counted from a fixed day, so that the ticks stay where they are while the view moves.
    const days = Math.round(step / kDay);
    const dayNumber = Math.round((midnight(view.start) - midnight(0)) / kDay);
    for (let n = Math.ceil(dayNumber / days) * days; ; n += days) {
      const time = midnight(0, n);
      if (time > view.end) return ticks;
      if (time >= view.start) ticks.push({ time, label: formatDay(time), major: new Date(time).getDay() === 1 });
    }
  }
  for (let day = midnight(view.start); day <= view.end; day = midnight(day, 1)) {
    const next = midnight(day, 1);
    const skipped = Math.max(0, Math.ceil((view.start - day) / step));
    for (let time = day + skipped * step; time < next && time <= view.end; time += step) {
      const major = time === day;
      const clock = formatClock(time);
      ticks.push({ time, label: major ? formatDay(time) : step < kMinute ? clock : clock.slice(0, 5), major });
    }
  }
  return ticks;
}
