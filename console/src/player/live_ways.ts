// Which way live plays: by WebRTC (WHEP), with a fraction of a second of delay, or by HLS, which always works. What did not
// work is remembered for a while, ever longer when it fails again, by all who play on the page. Pure but for the clock, which
// the caller gives.

export type WhepTrouble =
  | 'unfit' // the stream: B-frames, a codec that WebRTC does not play
  | 'refused' // the server does not offer it, or not to us
  | 'away' // nothing is live now
  | 'full' // as many connections as there may be
  | 'path' // no way through the network
  | 'lost' // the connection broke, or no pictures came any more
  | 'unshown'; // it is connected, and no picture comes

export interface Reason {
  readonly words: string;
  readonly until: number; // when WebRTC is worth another try, ms
}

const kFirstMs: Readonly<Record<WhepTrouble, number>> = {
  unfit: 300_000, refused: 60_000, away: 5000, full: 30_000, path: 15_000, lost: 2000, unshown: 120_000,
};
const kMostMs = 600_000;
const kSteadyMs = 60_000; // who played for so long has no trouble any more

interface Remembered extends Reason {
  readonly waitMs: number;
}

export class LiveWays {
  private readonly streams = new Map<string, Remembered>();
  private path: Remembered | null = null; // of the network, so of all streams

  /** Why `stream` is to be played by HLS at `now`; null: by WebRTC. */
  whyHls(stream: string, now: number): Reason | null {
    const reasons = [this.path, this.streams.get(stream)].filter((reason) => reason && reason.until > now) as Remembered[];
    return reasons.sort((a, b) => b.until - a.until)[0] ?? null;
  }

  /** WebRTC did not work; says from when on it is worth another try. */
  failed(stream: string, trouble: WhepTrouble, words: string, now: number): Reason {
    const before = trouble === 'path' ? this.path : this.streams.get(stream);
    const again = before !== null && before !== undefined && now - before.until < kSteadyMs;
    const waitMs = Math.min(kMostMs, again ? Math.max(before.waitMs * 2, kFirstMs[trouble]) : kFirstMs[trouble]);
    const reason = { words, until: now + waitMs, waitMs };
    if (trouble === 'path') this.path = reason;
    else this.streams.set(stream, reason);
    return reason;
  }

  /** WebRTC has shown a picture. A network that lets one stream through lets all. */
  connected(): void {
    this.path = null;
  }

  /** A stream is changed, or the server is back: what was so need not be so any more. */
  forget(stream?: string): void {
    if (stream === undefined) this.streams.clear();
    else this.streams.delete(stream);
    this.path = null;
  }
}

/** The page's own. */
export const liveWays = new LiveWays();
