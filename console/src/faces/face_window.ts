// What is known of the faces in one stream around some time, fetched as it is needed and kept fresh at its end, where
// results come a little after the footage.
import { getFaces } from '../api.js';
import type { View } from '../timeline/view.js';
import { type Analysed, replaced } from './sightings.js';

const kTailMs = 20_000; // results may come so late
const kListMax = 30_000; // entries; then what was known is forgotten

export class FaceWindow {
  list: readonly Analysed[] = [];
  private known: View | null = null;
  private busy = false;

  constructor(readonly stream: string) {}

  lacks(wanted: View, now: number): boolean {
    return this.known === null || wanted.start < this.known.start || Math.min(wanted.end, now - kTailMs) > this.known.end;
  }

  /** Fetches what `wanted` lacks, and what may have come since. False: nothing was asked. Throws as the API does. */
  async refresh(wanted: View, now: number): Promise<boolean> {
    const end = Math.min(wanted.end, now);
    if (this.busy || end <= wanted.start) return false;
    this.busy = true;
    try {
      const { known } = this;
      if (known === null || end < known.start || wanted.start > known.end || this.list.length > kListMax) {
        this.list = [];
        this.known = null;
        await this.load(wanted.start, end);
        return true;
      }
      let asked = false;
      if (wanted.start < known.start) {
        await this.load(wanted.start, known.start);
        asked = true;
      }
      const tail = Math.min(known.end, now - kTailMs);
      if (end > tail) {
        await this.load(Math.max(tail, wanted.start), end);
        asked = true;
      }
      return asked;
    } finally {
      this.busy = false;
    }
  }

  private async load(start: number, end: number): Promise<void> {
    const { frames, until } = await getFaces(this.stream, start, end);
    this.list = replaced(this.list, start, until, frames);
    const { known } = this;
    // What lies between two known ranges must be known, too: one range at a time.
    if (known === null || until < known.start) this.known = { start, end: until };
    else this.known = { start: Math.min(start, known.start), end: Math.max(until, known.end) };
  }
}
