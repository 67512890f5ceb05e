// Plays one stream in one <video>: live, or recorded time from a wall-clock time on.
//
// A recorded range is played in windows of half an hour, so that a playlist stays small however much is recorded; within
// a window a jump is a seek. The window that reaches the present is left open and grows with the stream. What is between
// footage (which window comes next, what becomes of a gap) is the caller's: `onRangeEnd` says when a window is over.
//
// Live comes by WebRTC where that works (live_ways.ts) and by HLS otherwise; while it plays by HLS, WebRTC is tried again
// behind it now and then, and takes over with its first picture. Who is not seen and not heard plays nothing (setSeen).
//
// Failures never end in silence: the status holds them in words, and the player tries again by itself.
import { playlistUrl, serverNow } from '../api.js';
import { kMinute } from '../time.js';
import { delayWords } from '../webrtc/delay.js';
import { HlsSource, type HlsFailure } from './hls_source.js';
import { type WhepTrouble, liveWays } from './live_ways.js';
import { mediaAt, wallAt, wallEnd } from './playlist.js';
import { WhepSource } from './whep_source.js';

export type Mode = 'idle' | 'live' | 'recorded';
/** How live plays, and in words why, or what its delay means. */
export interface Way {
  readonly name: 'WebRTC' | 'HLS';
  readonly words: string;
}
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
const kWhepStallMs = 30_000; // WebRTC sees to that itself: fragments of PutMedia may come whole, and be 20 s long
const kStallMs = 12_000; // without progress though there should be some: load again
const kUnseenMs = 5000; // not seen for so long: nothing needs to play

interface Target {
  readonly stream: string;
  readonly wall: number | null; // null: live
  readonly byHls?: string; // why live is to be played by HLS
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

  private hls: HlsSource | null = null;
  private byHls = false; // HLS plays, or is about to
  private whep: WhepSource | null = null; // plays
  private coming: WhepSource | null = null; // is tried, and plays from its first picture on
  private shownAt: { time: number; wall: number } | null = null; // by WebRTC: which media time was when
  private whyHls = ''; // live does not come by WebRTC
  private upgradeTimer = 0;
  private target: Target | null = null;
  private seen = true;
  private unseenTimer = 0;
  private asleep = false;
  private rate = 1;
  private wantsPlay = true;
  private retries = 0;
  private retryTimer = 0;
  private lastWall: number | null = null;
  private pausedAt = 0; // performance.now()
  private progressAt = 0;
  private progressTime = -1;
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
      const end = wallEnd(this.hls?.pieces ?? []);
      if (this.mode === 'recorded' && end !== null) this.onRangeEnd(end);
    });
    on('error', () => {
      if (!this.hls && !this.whep && video.error) this.fail('The browser could not play this stream.');
    });
  }

  /** `byHls`: why it is to be played by HLS alone. */
  playLive(stream: string, byHls?: string): void {
    this.open({ stream, wall: null, ...(byHls === undefined ? {} : { byHls }) });
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
    if (this.whep) return this.shownAt && this.shownAt.wall + (mediaTime - this.shownAt.time) * 1000;
    if (!this.hls) {
      const start = (this.video as { getStartDate?: () => Date }).getStartDate?.().getTime() ?? Number.NaN;
      return Number.isNaN(start) || this.mode === 'idle' ? null : start + mediaTime * 1000;
    }
    if (this.video.readyState < 1) return null;
    return wallAt(this.hls.pieces, mediaTime);
  }

  /** Where playback is: the picture's time, or the time asked for while there is no picture. null: live, without one. */
  position(): number | null {
    const wanted = this.target?.wall ?? null;
    return this.phase === 'loading' || this.phase === 'failed' ? (wanted ?? this.wall()) : (this.wall() ?? wanted);
  }

  /** How far the picture is behind the present, in ms. */
  latency(): number | null {
    if (this.whep && this.wantsPlay) return this.whep.delay?.ms ?? null;
    const wall = this.wall();
    return wall === null ? null : Math.max(0, serverNow() - wall);
  }

  /** How live plays; null: it does not. */
  way(): Way | null {
    if (this.mode !== 'live' || this.phase === 'idle' || this.phase === 'loading' || this.phase === 'failed') return null;
    if (this.whep) return { name: 'WebRTC', words: this.whep.delay ? delayWords(this.whep.delay) : 'WebRTC. The delay is being measured.' };
    const why = this.whyHls === '' ? '' : ` Not by WebRTC: ${this.whyHls}`;
    return { name: 'HLS', words: `HLS. The delay is the present less the producer’s time of the picture on the screen.${why}` };
  }

  quality(): Quality | null {
    const { hls, whep, video } = this;
    if (this.mode === 'idle' || video.videoWidth === 0) return null;
    const first = this.frames[0];
    const last = this.frames[this.frames.length - 1];
    const seconds = first && last ? last.time - first.time : 0;
    const measured = seconds > 1 && first && last ? (last.count - first.count) / seconds : 0;
    return {
      codecs: whep ? [...whep.counted?.codecs ?? []] : [hls?.videoCodec, hls?.audioCodec].filter((codec): codec is string => !!codec),
      width: video.videoWidth,
      height: video.videoHeight,
      frameRate: whep ? whep.counted?.frameRate ?? 0 : hls?.frameRate || measured,
      bitrate: (whep ?? hls)?.bitrate ?? 0,
    };
  }

  get hasAudio(): boolean {
    if (this.whep) return this.whep.counted?.hasAudio ?? false;
    return this.hls ? !!this.hls.audioCodec : this.mode !== 'idle';
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
    this.lastWall = null;
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
    if (this.target && !this.asleep && (this.phase === 'failed' || this.phase === 'loading')) this.reopen();
  }

  /** Whether anybody looks. What is neither seen nor heard for a while is not played, and plays again when it is seen. */
  setSeen(seen: boolean): void {
    if (seen === this.seen) return;
    this.seen = seen;
    window.clearTimeout(this.unseenTimer);
    if (seen) {
      if (this.asleep) this.reopen();
    } else {
      this.unseenTimer = window.setTimeout(() => this.sleep(), kUnseenMs);
    }
  }

  private sleep(): void {
    if (this.mode !== 'live' || !this.target || !this.wantsPlay || !this.video.muted) return;
    this.close();
    this.asleep = true;
    this.enter('loading');
  }

  /** To be called now and then while the page is seen and the server answers. `expected`: new footage should be coming. */
  watch(expected: boolean): void {
    if (!this.wantsPlay || this.asleep || this.mode === 'idle' || this.phase === 'failed') return;
    if ((this.mode === 'live' || this.reachesPresent) && !expected) return;
    const patience = this.whep || this.coming ? kWhepStallMs : kStallMs;
    if (performance.now() - this.progressAt > patience) this.reopen();
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
    if (!this.hls || this.hls.pieces.length === 0 || this.video.readyState < 1) return false;
    const time = mediaAt(this.hls.pieces, wall);
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
    window.clearTimeout(this.upgradeTimer);
    this.retryTimer = 0;
    this.hls?.destroy();
    this.hls = null;
    this.coming?.close();
    this.coming = null;
    this.whep?.close();
    this.whep = null;
    this.byHls = false;
    if (this.video.srcObject) this.video.srcObject = null;
    this.shownAt = null;
    this.asleep = false;
    this.lastWall = null;
    this.frames = [];
    this.message = null;
    this.empty = false;
    this.progressAt = performance.now();
    this.progressTime = -1;
  }

  private open(target: Target): void {
    this.close();
    this.target = target;
    this.stream = target.stream;
    this.mode = target.wall === null ? 'live' : 'recorded';
    this.enter('loading');
    this.whyHls = target.byHls ?? '';
    if (target.wall === null && target.byHls === undefined && WhepSource.isSupported()) {
      const reason = liveWays.whyHls(target.stream, Date.now());
      this.whyHls = reason?.words ?? '';
      if (reason === null) {
        this.tryWhep(target);
        return;
      }
      this.tryWhepAt(target, reason.until);
    }
    this.openHls(target);
  }

  private openHls(target: Target): void {
    this.byHls = true;
    let range: { start: number; end: number | null } | undefined;
    if (target.wall !== null) {
      const end = target.wall + kWindowMs;
      range = { start: target.wall - kLeadMs, end: end < serverNow() ? end : null };
    }
    const url = playlistUrl(target.stream, range);
    if (HlsSource.isSupported()) {
      this.hls = new HlsSource(this.video, url, target.wall, {
        ready: () => { if (this.wantsPlay) void this.start(); },
        failed: (failure) => this.hlsFailed(failure),
      });
    } else if (this.video.canPlayType('application/vnd.apple.mpegurl') !== '') {
      this.openNatively(url, target);
    } else {
      this.fail('This browser can play no HLS: it has neither Media Source Extensions nor HLS of its own.', false);
    }
  }

  /** Live by WebRTC, as soon as it brings a picture; until then what plays goes on. */
  private tryWhep(target: Target): void {
    const whep = new WhepSource(target.stream, {
      ready: (media) => this.showWhep(whep, media),
      slow: () => this.showMeanwhile(target),
      measured: () => this.measured(whep),
      failed: (trouble, words) => this.whepFailed(target, trouble, words),
    });
    this.coming = whep;
  }

  /** HLS until WebRTC brings a picture. */
  private showMeanwhile(target: Target): void {
    if (this.byHls) return;
    this.whyHls = 'No picture came by WebRTC yet.';
    this.openHls(target);
  }

  private tryWhepAt(target: Target, time: number): void {
    window.clearTimeout(this.upgradeTimer);
    this.upgradeTimer = window.setTimeout(() => {
      // Nothing is changed behind a picture that stands still, and what fails is tried again anyway.
      if (!this.wantsPlay || this.phase === 'failed') this.tryWhepAt(target, Date.now() + kStallMs);
      else this.tryWhep(target);
    }, Math.max(0, time - Date.now()));
  }

  private showWhep(whep: WhepSource, media: MediaStream): void {
    liveWays.connected();
    window.clearTimeout(this.retryTimer); // it may show what HLS could not
    this.hls?.destroy();
    this.hls = null;
    this.coming = null;
    this.byHls = false;
    this.whep = whep;
    this.whyHls = '';
    this.frames = [];
    this.lastWall = null;
    this.video.removeAttribute('src');
    this.video.srcObject = media;
    this.progressAt = performance.now();
    if (this.wantsPlay) void this.start();
    this.onChange();
  }

  private measured(whep: WhepSource): void {
    if (whep !== this.whep || this.video.paused || !whep.delay) return;
    this.shownAt = { time: this.video.currentTime, wall: serverNow() - whep.delay.ms };
    this.onChange();
  }

  private whepFailed(target: Target, trouble: WhepTrouble, words: string): void {
    const played = this.whep !== null;
    const reason = liveWays.failed(target.stream, trouble, words, Date.now());
    this.coming = null;
    if (played) {
      // HLS while the connection is mended; the last picture stays until then.
      this.whep = null;
      this.reopen();
      return;
    }
    this.whyHls = words;
    this.tryWhepAt(target, reason.until);
    if (this.hls) return;
    window.clearTimeout(this.retryTimer);
    this.openHls(target);
  }

  private openNatively(url: string, target: Target): void {
    this.video.src = url;
    this.video.addEventListener('loadedmetadata', () => {
      const start = this.wall();
      if (target.wall !== null && start !== null) this.video.currentTime += Math.max(0, (target.wall - start) / 1000);
      if (this.wantsPlay) void this.start();
    }, { once: true });
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

  private hlsFailed(failure: HlsFailure): void {
    this.empty = failure.empty;
    this.fail(failure.words, failure.again);
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
    if (this.coming && this.target) {
      this.openHls(this.target); // WebRTC still waits for its first picture, and is not begun anew for HLS' sake
      return;
    }
    const { message, empty } = this;
    this.reopen();
    this.message = message;
    this.empty = empty;
    this.onChange();
  }

  /** The footage of the window that is played reaches to the present. */
  get reachesPresent(): boolean {
    return this.mode === 'recorded' && !(this.hls?.ended ?? false);
  }
}
