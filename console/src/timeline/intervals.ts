// Intervals of coverage: where footage exists, and (as the server comes to know it) why it does not. Pure.
// A list is in order of time and does not overlap; an interval holds its start and not its end.
import type { View } from './view.js';

export interface Interval {
  readonly start: number; // ms since 1970
  readonly end: number;
  readonly state: string; // "recorded", "pending" (frames come in, not stored yet), or the cause of a gap
}

export const isRecorded = (interval: Interval): boolean => interval.state === 'recorded';

/** Index of the last interval that starts at or before `time`; -1 when there is none. */
function indexAt(list: readonly Interval[], time: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]!.start <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The interval that holds `time`. */
export function intervalAt(list: readonly Interval[], time: number): Interval | null {
  const found = list[indexAt(list, time)];
  return found && time < found.end ? found : null;
}

/** `time` itself when it is recorded, else the start of the next footage, else null. */
export function nextRecorded(list: readonly Interval[], time: number): number | null {
  const here = intervalAt(list, time);
  if (here && isRecorded(here)) return time;
  for (let i = indexAt(list, time) + 1; i < list.length; i += 1) {
    if (isRecorded(list[i]!)) return list[i]!.start;
  }
  return null;
}

/** The hole around `time`: from the end of the footage before it to the start of that after it (either may be unknown). */
export function gapAt(list: readonly Interval[], time: number): { start: number | null; end: number | null } | null {
  const here = intervalAt(list, time);
  if (here && isRecorded(here)) return null;
  let before = indexAt(list, time);
  while (before >= 0 && !isRecorded(list[before]!)) before -= 1;
  return { start: before >= 0 ? list[before]!.end : null, end: nextRecorded(list, time) };
}

/** Starts and ends of footage, in order. Pieces that touch (or nearly: `slack` ms) have no edge between them. */
export function edgesOf(list: readonly Interval[], slack = 500): number[] {
  const edges: number[] = [];
  for (const interval of list) {
    if (!isRecorded(interval)) continue;
    if (edges.length > 0 && interval.start - edges[edges.length - 1]! <= slack) edges[edges.length - 1] = interval.end;
    else edges.push(interval.start, interval.end);
  }
  return edges;
}

/** The first start of footage after `time`. (Its ends are no place to play from.) */
export function nextStart(list: readonly Interval[], time: number): number | null {
  return edgesOf(list).find((edge, i) => i % 2 === 0 && edge > time) ?? null;
}

/**
 * The start of the footage that is being played, or, within `grace` of that start, of the footage before it: pressing
 * twice walks back, as in any player.
 */
export function previousStart(list: readonly Interval[], time: number, grace = 3000): number | null {
  const starts = edgesOf(list).filter((edge, i) => i % 2 === 0 && edge < time - grace);
  return starts[starts.length - 1] ?? null;
}

/** `list` with what it says about [start, end) replaced by `fresh`; touching intervals of one state become one. */
export function replaced(
  list: readonly Interval[], start: number, end: number, fresh: readonly Interval[],
): Interval[] {
  const before = list.filter((i) => i.start < start).map((i) => ({ ...i, end: Math.min(i.end, start) }));
  const after = list.filter((i) => i.end > end).map((i) => ({ ...i, start: Math.max(i.start, end) }));
  const inside = fresh
    .filter((i) => i.end > start && i.start < end)
    .map((i) => ({ ...i, start: Math.max(i.start, start), end: Math.min(i.end, end) }));
  const joined: Interval[] = [];
  for (const interval of [...before, ...inside, ...after]) {
    const last = joined[joined.length - 1];
    if (interval.end <= interval.start) continue;
    if (last && last.state === interval.state && last.end >= interval.start) {
      joined[joined.length - 1] = { ...last, end: Math.max(last.end, interval.end) };
    } else {
      joined.push(interval);
    }
  }
  return joined;
}

export interface Run {
  readonly x: number; // CSS pixels from the left edge
  readonly width: number;
}

/** Footage as bars, clipped to the view. What is closer than a pixel is one bar; the shortest bar is one pixel wide. */
export function runsOf(list: readonly Interval[], view: View, width: number): Run[] {
  const scale = width / (view.end - view.start);
  const runs: { x: number; width: number }[] = [];
  for (const interval of list) {
    if (!isRecorded(interval) || interval.end <= view.start || interval.start >= view.end) continue;
    const from = Math.max(0, (interval.start - view.start) * scale);
    const to = Math.min(width, (interval.end - view.start) * scale);
    const last = runs[runs.length - 1];
    if (last && from - (last.x + last.width) < 1) last.width = Math.max(last.width, to - last.x);
    else runs.push({ x: from, width: Math.max(1, to - from) });
  }
  return runs;
}
