// What is known of one stream's coverage, fetched as the timeline needs it and kept fresh where it can change: at its end.
import { getCoverage } from '../api.js';
import { kMinute } from '../time.js';
import { type Interval, replaced } from './intervals.js';
import { type View, spanOf } from './view.js';

const kFullRefreshMs = kMinute; // retention takes footage away, too
const kTailMs = 2 * kMinute;

export class Coverage {
  intervals: Interval[] = [];
  /** The one range that is known; null before the first answer. */
  known: View | null = null;

  private busy = false;
  private fullAt = 0;

  constructor(readonly stream: string) {}

  knows(time: number): boolean {
    return this.known !== null && time >= this.known.start && time < this.known.end;
  }

  /** Some of the view (its past) is not known. */
  lacks(view: View, now: number): boolean {
    const end = Math.min(view.end, now) - kTailMs; // the newest is refreshed in its own time
    return this.known === null || view.start < this.known.start || end > this.known.end;
  }

  /** Fetches what the view (and a little around it) lacks, and what may have changed. False: nothing new. Throws as the API does. */
  async refresh(view: View, now: number): Promise<boolean> {
    if (this.busy) return false;
    const margin = spanOf(view) / 2;
    const wanted = { start: view.start - margin, end: Math.min(view.end + margin, now) };
    if (wanted.end <= wanted.start) return false;
    const known = this.known;
    const apart = known === null || wanted.end < known.start || wanted.start > known.end;
    const full = apart || performance.now() - this.fullAt > kFullRefreshMs;
    this.busy = true;
    try {
      if (full) {
        await this.load(wanted.start, wanted.end, true);
        this.fullAt = performance.now();
        return true;
      }
      let changed = false;
      if (wanted.start < known.start) {
        await this.load(wanted.start, known.start, false);
        changed = true;
      }
      if (wanted.end > known.end - kTailMs) {
        await this.load(Math.max(wanted.start, known.end - kTailMs), wanted.end, false);
        changed = true;
      }
      return changed;
    } finally {
      this.busy = false;
    }
  }

  /** Coverage of a range whether known or not, straight from the server. */
  fetch(start: number, end: number): Promise<Interval[]> {
    return end <= start ? Promise.resolve([]) : getCoverage(this.stream, start, end);
  }

  private async load(start: number, end: number, forget: boolean): Promise<void> {
    const fresh = await getCoverage(this.stream, start, end);
    this.intervals = replaced(forget ? [] : this.intervals, start, end, fresh);
    this.known = forget || !this.known
      ? { start, end } : { start: Math.min(start, this.known.start), end: Math.max(end, this.known.end) };
  }
}
