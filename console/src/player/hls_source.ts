// One playlist in one <video> by hls.js, from a wall-clock time on or live, until it is destroyed or has failed.
import Hls, { ErrorTypes, Events } from 'hls.js/light';
import type { ErrorData, HlsConfig, LevelDetails, Loader, PlaylistLoaderContext } from 'hls.js/light';
import { ApiError, whyNot } from '../api.js';
import { type Piece, mediaAt, readPlaylist, withStart } from './playlist.js';
import { failureWords, unplayable } from './words.js';

export interface HlsFailure {
  readonly words: string;
  readonly again: boolean; // it may work another time
  readonly empty: boolean; // the answer was that there is no footage
}

export interface HlsEvents {
  ready: () => void; // it can be started; again when the decoder was set up anew
  failed: (failure: HlsFailure) => void; // at most once
}

export class HlsSource {
  static isSupported(): boolean {
    return Hls.isSupported();
  }

  pieces: Piece[] = [];
  /** The playlist is complete: nothing will be added. */
  ended = false;
  private readonly hls: Hls;
  private codecs: string[] = []; // as the playlist names them
  private decodeRetried = false;
  private destroyed = false;
  private bits = { bytes: 0, seconds: 0 };

  /** `wall`: where to begin, in the playlist's time; null: at the live edge. */
  constructor(video: HTMLVideoElement, url: string, private readonly wall: number | null, private readonly events: HlsEvents) {
    const source = this;
    const Base = Hls.DefaultConfig.loader as unknown as new (config: HlsConfig) => Loader<PlaylistLoaderContext>;
    // Adds to the first media playlist where to begin (EXT-X-START): nothing is loaded that will not be shown.
    class StartingLoader extends Base {
      override load(...[context, config, callbacks]: Parameters<Loader<PlaylistLoaderContext>['load']>): void {
        const onSuccess: typeof callbacks.onSuccess = (response, stats, ctx, network) => {
          if (context.type === 'level' && typeof response.data === 'string' && source.pieces.length === 0) {
            response.data = source.beginAt(response.data);
          }
          callbacks.onSuccess(response, stats, ctx, network);
        };
        super.load(context, config, { ...callbacks, onSuccess });
      }
    }
    const ahead = wall === null ? 20 : 40; // seconds; at 8x speed still 5 s of play
    this.hls = new Hls({
      pLoader: StartingLoader as unknown as NonNullable<HlsConfig['pLoader']>,
      enableWorker: false, // CMAF passes through as it is: there is nothing for a worker to do
      backBufferLength: 60,
      maxBufferLength: ahead,
      maxMaxBufferLength: ahead, // else a low bitrate would fetch ten minutes ahead
      ...(wall === null ? { liveSyncDuration: 4, liveMaxLatencyDuration: 30 } : {}),
    });
    this.listen();
    this.hls.attachMedia(video);
    this.hls.loadSource(url);
  }

  destroy(): void {
    this.destroyed = true;
    this.hls.destroy();
  }

  get videoCodec(): string | undefined {
    return this.level?.videoCodec;
  }

  get audioCodec(): string | undefined {
    return this.level?.audioCodec;
  }

  /** 0: not known. */
  get frameRate(): number {
    return this.level?.frameRate || 0;
  }

  /** Bits per second of what was played; 0: not known yet. */
  get bitrate(): number {
    return this.bits.seconds > 0 ? (this.bits.bytes * 8) / this.bits.seconds : 0;
  }

  private get level(): Hls['levels'][number] | undefined {
    return this.hls.levels[Math.max(0, this.hls.currentLevel)];
  }

  private listen(): void {
    const { hls } = this;
    const noteDetails = (details: LevelDetails | null | undefined): void => {
      if (!details) return;
      this.ended = !details.live;
      this.pieces = details.fragments
        .filter((f) => f.programDateTime !== null)
        .map((f) => ({ start: f.start, duration: f.duration, wall: f.programDateTime! }));
    };
    // Kept here: hls.js forgets what it has no decoder for.
    hls.on(Events.MANIFEST_LOADED, (_, data) => {
      this.codecs = (data.levels[0]?.attrs.CODECS ?? '').split(',').map((codec) => codec.trim());
    });
    hls.on(Events.LEVEL_LOADED, (_, data) => noteDetails(data.details));
    hls.on(Events.LEVEL_UPDATED, (_, data) => noteDetails(data.details));
    hls.on(Events.LEVEL_PTS_UPDATED, (_, data) => noteDetails(data.details));
    hls.on(Events.MANIFEST_PARSED, () => this.events.ready());
    hls.on(Events.FRAG_LOADED, (_, data) => {
      if (data.frag.type !== 'main' || !Number.isFinite(data.frag.duration) || data.frag.sn === 'initSegment') return;
      // An average that forgets: the last dozen seconds count.
      const keep = this.bits.seconds > 12 ? 0.8 : 1;
      this.bits.bytes = this.bits.bytes * keep + data.frag.stats.total;
      this.bits.seconds = this.bits.seconds * keep + data.frag.duration;
    });
    hls.on(Events.ERROR, (_, data) => this.onError(data));
  }

  private beginAt(text: string): string {
    const facts = readPlaylist(text);
    if (this.wall !== null) {
      if (facts.pieces.length === 0) return text;
      const at = mediaAt(facts.pieces, this.wall, Number.POSITIVE_INFINITY);
      return withStart(text, at ?? Math.max(0, facts.total - facts.longest));
    }
    // Live: three segments from the edge, however long the playlist's (fixed) target duration says they could be.
    const hold = Math.max(1.5, facts.holdBack ?? 3 * facts.longest);
    this.hls.config.liveSyncDuration = hold;
    this.hls.config.liveMaxLatencyDuration = Math.max(3 * hold, hold + 20);
    return facts.hasStart ? text : withStart(text, Math.max(0, facts.total - hold));
  }

  private onError(data: ErrorData): void {
    if (this.destroyed) return;
    if (data.details === 'manifestIncompatibleCodecsError' || data.details === 'bufferAddCodecError') {
      const words = unplayable(this.codecs, (codec) => MediaSource.isTypeSupported(`video/mp4; codecs="${codec}"`));
      this.fail({ words: words ?? 'This browser cannot play the codecs of this stream.', again: false, empty: false });
      return;
    }
    if (!data.fatal) return;
    if (data.type === ErrorTypes.MEDIA_ERROR && !this.decodeRetried) {
      this.decodeRetried = true;
      this.hls.recoverMediaError();
      this.events.ready();
      return;
    }
    if (data.type === ErrorTypes.NETWORK_ERROR && data.url) void this.explain(data, data.url);
    else this.fail({ words: failureWords(data.type, data.details), again: true, empty: false });
  }

  /** The server's own words say best why a playlist cannot be had. */
  private async explain(data: ErrorData, url: string): Promise<void> {
    let words = failureWords(data.type, data.details);
    let empty = false;
    try {
      const reason = data.details.startsWith('frag') ? null : await whyNot(url);
      if (reason instanceof ApiError) {
        words = reason.message;
        empty = reason.status === 404;
      }
    } catch {
      words = 'The server does not answer.';
    }
    this.fail({ words, again: true, empty });
  }

  private fail(failure: HlsFailure): void {
    if (this.destroyed) return;
    this.destroy();
    this.events.failed(failure);
  }
}
