// Asks the server for its state every two seconds while the page is seen, and at once when it comes into view.
import * as api from './api.js';

const kEveryMs = 2000;

export interface Fleet {
  readonly cameras: readonly api.Camera[];
  readonly streams: readonly api.Stream[];
}

function troubleOf(error: unknown): string | null {
  if (!(error instanceof api.ApiError)) return 'The server does not answer. Trying again…';
  // The form to log in is open (login.ts), and says it all.
  return api.asksWhoWeAre(error) ? null : `The server refuses: ${error.message}`;
}

export class Poll {
  /** The last answer; null before the first. */
  fleet: Fleet | null = null;
  /** Why there is no newer one, in words; null while all is well. */
  trouble: string | null = null;
  /** When the trouble began, by this machine's clock. */
  troubleSince = 0;
  private timer = 0;
  private asking = false;

  /** `onAnswer` runs after each round; `back`: the server is there again after it was away. */
  constructor(private readonly onAnswer: (back: boolean) => void) {
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.now();
    });
  }

  async now(): Promise<void> {
    window.clearTimeout(this.timer);
    if (this.asking || document.visibilityState !== 'visible') return;
    this.asking = true;
    const hadTrouble = this.trouble !== null;
    try {
      const [cameras, streams] = await Promise.all([api.listCameras(), api.listStreams()]);
      this.fleet = { cameras, streams };
      this.trouble = null;
    } catch (error) {
      if (!hadTrouble) this.troubleSince = Date.now();
      this.trouble = troubleOf(error);
    }
    this.asking = false;
    this.timer = window.setTimeout(() => void this.now(), kEveryMs);
    this.onAnswer(hadTrouble && this.trouble === null);
  }
}
