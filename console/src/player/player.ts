// Plays one stream in one <video>: live, or recorded time from a wall-clock time on.
//
// A recorded range is played in windows of half an hour, so that a playlist stays small however much is recorded; within
// a window a jump is a seek. The window that reaches the present is left open and grows with the stream. What is between
// footage (which window comes next, what becomes of a gap) is the caller's: `onRangeEnd` says when a window is over.
//
// Failures never end in silence: the status holds them in words, and the player tries again by itself.
import Hls, { ErrorTypes, Events } from 'hls.js/light';
import type { ErrorData, HlsConfig, LevelDetails, Loader, PlaylistLoaderContext } from 'hls.js/light';
import { ApiError, playlistUrl, serverNow, whyNot } from '../api.js';
import { kMinute } from '../time.js';
import { type Piece, mediaAt, readPlaylist, wallAt, wallEnd, withStart } from './playlist.js';
import { failureWords, unplayable } from './words.js';

export type Mode = 'idle' | 'live' | 'recorded';
export type Phase = 'idle' | 'loading' | 'playing' | 'paused' | 'buffering' | 'failed';

export interface Quality {
  codecs: string[]; // RFC 6381, video first
  width: number;
  height: number;
  frameRate: number; // 0: not known yet
  bitrate: number; // bits per second of what was played; 0: not known yet
}

const kLeadMs = kMinute; // a window begins this much before the time asked for: small steps back are seeks
const kWindowMs = 30 * kMinute;
const kRetryMs = [1000, 2000, 4000, 8000, 15000] as const;
const kStallMs = 12_000; // without progress though there should be some: load again

interface Target {
  readonly stream: string;
  readonly wall: number | null; // null: live
}

export class Player {
  onChange: () => void = () => {};
  /** A window of recorded time has been played to its end, which is at `wall`. */
  onRangeEnd: (wall: number) => void = () => {};
  /** Playback went over a hole: from `from` to `to`. */
  onSkip: (from: number, to: number) => void = () => {};

  mode: Mode = 'idle';
  phase: Phase = 'idle';
  stream: string | null = null;
  /** What keeps the picture away, in words; null when nothing does. */
  message: string | null = null;
  /** The answer was that there is no footage (as opposed to a failure). */
  empty = false;

  private hls: Hls | null = null;
  private target: Target | null = null;
  private pieces: Piece[] = [];
  private codecs: string[] = []; // as the playlist names them
  private rangeEnded = false; // the window's playlist is complete
  private rate = 1;
  private wantsPlay = true;
  private retries = 0;
  private retryTimer = 0;
  private decodeRetried = false;
  private lastWall: number | null = null;
  private pausedAt = 0; // performance.now()
  private progressAt = 0;
  private progressTime = -1;
  private bits = { bytes: 0, seconds: 0 };
  private frames: { time: number; count: number }[] = [];

  constructor(readonly video: HTMLVideoElement) {
    video.muted = true; // browsers start nothing by itself that is loud
    const on = (type: keyof HTMLMediaElementEventMap, run: () => void): void => video.addEventListener(type, run);
    on('playing', () => this.enter('playing'));
    on('pause', () => {
      if (!video.ended && this.phase !== 'loading' && this.phase !== 'failed') this.enter('paused');
    });
    on('waiting', () => {
      if (this.phase === 'playing' || this.phase === 'paused') this.enter('buffering');
    });
    on('seeking', () => {
      // A wish, not a skip; but hls.js also seeks, over holes between two pieces of footage.
      if (Math.abs(video.currentTime - this.progressTime) > 2) this.lastWall = null;
    });
    on('timeupdate', () => this.progressed());
    on('volumechange', () => this.onChange());
    on('ended', () => {
      const end = wallEnd(this.pieces);
      if (this.mode === 'recorded' && end !== null) this.onRangeEnd(end);
    });
    on('error', () => {
      if (!this.hls && video.error) this.fail('The browser could not play this stream.');
    });
  }

  playLive(stream: string): void {
    this.open({ stream, wall: null });
  }

  /** Plays from the footage that shows `wall`, or the first after it. */
  playFrom(stream: string, wall: number): void {
    if (this.mode === 'recorded' && stream === this.stream && this.phase !== 'failed' && this.seekWithin(wall)) return;
    this.open({ stream, wall });
  }

  stop(): void {
    this.close();
    this.target = null;
    this.mode = 'idle';
    this.stream = null;
    this.enter('idle');
  }

  /** Shows words in place of a picture, for what is known without asking: no footage at that time. */
  showMessage(stream: string, words: string): void {
    this.close();
    this.target = null;
    this.mode = 'recorded';
    this.stream = stream;
    this.message = words;
    this.empty = true;
    this.enter('failed');
  }

  /** The wall-clock time of the picture shown. */
  wall(): number | null {
    return this.wallOf(this.video.currentTime);
  }

  /** The wall-clock time of the picture at this media time (seconds). */
  wallOf(mediaTime: number): number | null {
    if (!this.hls) {
      const start = (this.video as { getStartDate?: () => Date }).getStartDate?.().getTime() ?? Number.NaN;
      return Number.isNaN(start) || this.mode === 'idle' ? null : start + mediaTime * 1000;
    }
    if (this.video.readyState < 1) return null;
    return wallAt(this.pieces, mediaTime);
  }

  /** Where playback is: the picture's time, or the time asked for while there is no picture. null: live, without one. */
  position(): number | null {
    const wanted = this.target?.wall ?? null;
    return this.phase === 'loading' || this.phase === 'failed' ? (wanted ?? this.wall()) : (this.wall() ?? wanted);
  }

  /** How far the picture is behind the present, in ms. */
  latency(): number | null {
    const wall = this.wall();
    return wall === null ? null : Math.max(0, serverNow() - wall);
  }

  quality(): Quality | null {
    if (this.mode === 'idle' || this.video.videoWidth === 0) return null;
    const level = this.hls?.levels[Math.max(0, this.hls.currentLevel)];
    const first = this.frames[0];
    const last = this.frames[this.frames.length - 1];
    const seconds = first && last ? last.time - first.time : 0;
    const measured = seconds > 1 && first && last ? (last.count - first.count) / seconds : 0;
    return {
      codecs: [level?.videoCodec, level?.audioCodec].filter((codec): codec is string => !!codec),
      width: this.video.videoWidth,
      height: this.video.videoHeight,
      frameRate: level?.frameRate || measured,
      bitrate: this.bits.seconds > 0 ? (this.bits.bytes * 8) / this.bits.seconds : 0,
    };
  }

  get hasAudio(): boolean {
    const level = this.hls?.levels[Math.max(0, this.hls.currentLevel)];
    return this.hls ? !!level?.audioCodec : this.mode !== 'idle';
  }

  get paused(): boolean {
    return !this.wantsPlay;
  }

  pause(): void {
    this.wantsPlay = false;
    this.pausedAt = performance.now();
    this.video.pause();
    this.onChange();
  }

  /** Goes on playing. Live that was paused for a while goes on from where it was, as recorded time. */
  resume(): void {
    const away = performance.now() - this.pausedAt;
    const wall = this.wall();
    this.wantsPlay = true;
    if (this.mode === 'live' && away > 5000 && wall !== null && this.stream) this.playFrom(this.stream, wall);
    else void this.start();
    this.onChange();
  }

  setRate(rate: number): void {
    this.rate = rate;
    this.video.playbackRate = this.mode === 'live' ? 1 : rate;
    this.onChange();
  }

  getRate(): number {
    return this.mode === 'live' ? 1 : this.rate;
  }

  /** Tries again at once when there is something to try: the server is back. */
  retry(): void {
    if (this.target && (this.phase === 'failed' || this.phase === 'loading')) this.reopen();
  }

  /** To be called now and then while the page is seen and the server answers. `expected`: new footage should be coming. */
  watch(expected: boolean): void {
    if (!this.wantsPlay || this.mode === 'idle' || this.phase === 'failed') return;
    if ((this.mode === 'live' || this.reachesPresent) && !expected) return;
    if (performance.now() - this.progressAt > kStallMs) this.reopen();
  }

  private enter(phase: Phase): void {
    this.phase = phase;
    if (phase === 'playing') {
      this.message = null;
      this.retries = 0;
    }
    this.onChange();
  }

  private progressed(): void {
    const time = this.video.currentTime;
    if (time !== this.progressTime) {
      this.progressTime = time;
      this.progressAt = performance.now();
    }
    const wall = this.wall();
    if (wall !== null) {
      if (this.lastWall !== null && wall - this.lastWall > 5000 * Math.max(1, this.video.playbackRate)) {
        this.onSkip(this.lastWall, wall);
      }
      this.lastWall = wall;
    }
    const count = this.video.getVideoPlaybackQuality().totalVideoFrames;
    const previous = this.frames[this.frames.length - 1];
    if (previous && (time < previous.time || time - previous.time > 2)) this.frames = [];
    this.frames.push({ time, count });
    while (this.frames.length > 40) this.frames.shift();
  }

  /** A jump within what the player knows; false when the time lies outside of it. */
  private seekWithin(wall: number): boolean {
    if (!this.hls || this.pieces.length === 0 || this.video.readyState < 1) return false;
    const time = mediaAt(this.pieces, wall);
    if (time === null) return false;
    this.target = this.target ? { ...this.target, wall } : null;
    this.lastWall = null;
    this.video.currentTime = time;
    if (this.wantsPlay) void this.start();
    return true;
  }

  private reopen(): void {
    if (!this.target) return;
    // A recording goes on from where it was; what was asked for comes first while nothing has been shown.
    const wall = this.target.wall === null ? null : (this.wall() ?? this.target.wall);
    this.open({ ...this.target, wall });
  }

  private close(): void {
    window.clearTimeout(this.retryTimer);
    this.retryTimer = 0;
    this.hls?.destroy();
    this.hls = null;
    this.pieces = [];
    this.rangeEnded = false;
    this.lastWall = null;
    this.frames = [];
    this.bits = { bytes: 0, seconds: 0 };
    this.message = null;
    this.empty = false;
    this.decodeRetried = false;
    this.progressAt = performance.now();
    this.progressTime = -1;
  }

  private open(target: Target): void {
    this.close();
    this.target = target;
    this.stream = target.stream;
    this.mode = target.wall === null ? 'live' : 'recorded';
    this.enter('loading');
    let range: { start: number; end: number | null } | undefined;
    if (target.wall !== null) {
      const end = target.wall + kWindowMs;
      range = { start: target.wall - kLeadMs, end: end < serverNow() ? end : null };
    }
    const url = playlistUrl(target.stream, range);
    if (Hls.isSupported()) this.openWithHls(url, target);
    else if (this.video.canPlayType('application/vnd.apple.mpegurl') !== '') this.openNatively(url, target);
    else this.fail('This browser can play no HLS: it has neither Media Source Extensions nor HLS of its own.', false);
  }

  private openNatively(url: string, target: Target): void {
    this.video.src = url;
    this.video.addEventListener('loadedmetadata', () => {
      const start = this.wall();
      if (target.wall !== null && start !== null) this.video.currentTime += Math.max(0, (target.wall - start) / 1000);
      if (this.wantsPlay) void this.start();
    }, { once: true });
  }

  private openWithHls(url: string, target: Target): void {
    const player = this;
    const Base = Hls.DefaultConfig.loader as unknown as new (config: HlsConfig) => Loader<PlaylistLoaderContext>;
    // Adds to the first media playlist where to begin (EXT-X-START): nothing is loaded that will not be shown.
    class StartingLoader extends Base {
      override load(...[context, config, callbacks]: Parameters<Loader<PlaylistLoaderContext>['load']>): void {
        const onSuccess: typeof callbacks.onSuccess = (response, stats, ctx, network) => {
          if (context.type === 'level' && typeof response.data === 'string' && player.pieces.length === 0) {
            response.data = player.beginAt(response.data, target);
          }
          callbacks.onSuccess(response, stats, ctx, network);
        };
        super.load(context, config, { ...callbacks, onSuccess });
      }
    }
    const ahead = target.wall === null ? 20 : 40; // seconds; at 8x speed still 5 s of play
    const hls = new Hls({
      pLoader: StartingLoader as unknown as NonNullable<HlsConfig['pLoader']>,
      enableWorker: false, // CMAF passes through as it is: there is nothing for a worker to do
      backBufferLength: 60,
      maxBufferLength: ahead,
      maxMaxBufferLength: ahead, // else a low bitrate would fetch ten minutes ahead
      ...(target.wall === null ? { liveSyncDuration: 4, liveMaxLatencyDuration: 30 } : {}),
    });
    this.hls = hls;
    const noteDetails = (details: LevelDetails | null | undefined): void => {
      if (!details) return;
      this.rangeEnded = !details.live;
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
    hls.on(Events.MANIFEST_PARSED, () => {
      if (this.wantsPlay) void this.start();
    });
    hls.on(Events.FRAG_LOADED, (_, data) => {
      if (data.frag.type !== 'main' || !Number.isFinite(data.frag.duration) || data.frag.sn === 'initSegment') return;
      // An average that forgets: the last dozen seconds count.
      const keep = this.bits.seconds > 12 ? 0.8 : 1;
      this.bits.bytes = this.bits.bytes * keep + data.frag.stats.total;
      this.bits.seconds = this.bits.seconds * keep + data.frag.duration;
    });
    hls.on(Events.ERROR, (_, data) => this.failed(hls, data));
    hls.attachMedia(this.video);
    hls.loadSource(url);
  }

  private beginAt(text: string, target: Target): string {
    const facts = readPlaylist(text);
    if (target.wall !== null) {
      if (facts.pieces.length === 0) return text;
      const at = mediaAt(facts.pieces, target.wall, Number.POSITIVE_INFINITY);
      return withStart(text, at ?? Math.max(0, facts.total - facts.longest));
    }
    // Live: three segments from the edge, however long the playlist's (fixed) target duration says they could be.
    const hold = Math.max(1.5, facts.holdBack ?? 3 * facts.longest);
    if (this.hls) {
      this.hls.config.liveSyncDuration = hold;
      this.hls.config.liveMaxLatencyDuration = Math.max(3 * hold, hold + 20);
    }
    return facts.hasStart ? text : withStart(text, Math.max(0, facts.total - hold));
  }

  private async start(): Promise<void> {
    this.video.playbackRate = this.getRate();
    try {
      await this.video.play();
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotAllowedError') {
        this.wantsPlay = false;
        this.message = 'The browser does not start video by itself: press play.';
        this.enter('paused');
      } // AbortError: another source was loaded meanwhile, which starts by itself
    }
  }

  private failed(hls: Hls, data: ErrorData): void {
    if (hls !== this.hls) return;
    if (data.details === 'manifestIncompatibleCodecsError' || data.details === 'bufferAddCodecError') {
      const words = unplayable(this.codecs, (codec) => MediaSource.isTypeSupported(`video/mp4; codecs="${codec}"`));
      this.fail(words ?? 'This browser cannot play the codecs of this stream.', false);
      return;
    }
    if (!data.fatal) return;
    if (data.type === ErrorTypes.MEDIA_ERROR && !this.decodeRetried) {
      this.decodeRetried = true;
      hls.recoverMediaError();
      if (this.wantsPlay) void this.start();
      return;
    }
    if (data.type === ErrorTypes.NETWORK_ERROR && data.url) void this.explain(hls, data);
    else this.fail(failureWords(data.type, data.details));
  }

  /** The server's own words say best why a playlist cannot be had. */
  private async explain(hls: Hls, data: ErrorData): Promise<void> {
    let words = failureWords(data.type, data.details);
    try {
      const reason = data.details.startsWith('frag') ? null : await whyNot(data.url!);
      if (hls !== this.hls) return;
      if (reason instanceof ApiError) {
        words = reason.message;
        this.empty = reason.status === 404;
      }
    } catch {
      words = 'The server does not answer.';
    }
    if (hls === this.hls) this.fail(words);
  }

  private fail(words: string, again = true): void {
    const { empty } = this;
    const wall = this.wall();
    if (this.target?.wall != null && wall !== null) this.target = { ...this.target, wall };
    this.hls?.destroy();
    this.hls = null;
    this.message = words;
    this.empty = empty;
    this.enter('failed');
    if (!again) return;
    const wait = kRetryMs[Math.min(this.retries, kRetryMs.length - 1)]!;
    this.retries += 1;
    this.retryTimer = window.setTimeout(() => this.reopenQuietly(), wait);
  }

  /** Tries again without taking the words off the screen: they go when there is a picture. */
  private reopenQuietly(): void {
    const { message, empty } = this;
    this.reopen();
    this.message = message;
    this.empty = empty;
    this.onChange();
  }

  /** The footage of the window that is played reaches to the present. */
  get reachesPresent(): boolean {
    return this.mode === 'recorded' && !this.rangeEnded;
  }
}
