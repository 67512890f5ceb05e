// A live stream by WHEP: one connection, from the offer until it is closed or over, with what is measured of it.
import { ApiError, Unreachable, whepUrl } from '../api.js';
import { type Counted, type Delay, delayOf, readStats } from '../webrtc/delay.js';
import { WebrtcSession } from '../webrtc/session.js';
import type { WhepTrouble } from './live_ways.js';

const kSlowMs = 3000; // from the connection on: cameras show a picture sooner
// What PutMedia brings comes a fragment at a time, of 20 s at most: the first picture with the next one, from the connection on.
const kFirstPictureMs = 25_000;
const kStallMs = 25_000; // no picture for so long, though connected
const kLookMs = 1000;
const kLookSoonMs = 200;

export interface WhepEvents {
  ready: (media: MediaStream) => void; // pictures come
  slow: () => void; // it is connected, and the first picture is yet to come: at most once
  measured: () => void; // once a second from then on
  failed: (trouble: WhepTrouble, words: string) => void; // at most once; nothing comes afterwards
}

/** What went wrong with an offer, by the server's answer. */
function troubleOf(error: unknown): [WhepTrouble, string] {
  if (error instanceof Unreachable) return ['lost', 'The server does not answer.'];
  if (!(error instanceof ApiError)) return ['refused', `The browser does not take the server’s answer: ${String(error)}`];
  switch (error.status) {
    case 406: return ['unfit', error.message];
    case 409: return ['away', error.message];
    case 503: return ['full', error.message];
    default: return ['refused', error.message];
  }
}

export class WhepSource {
  static isSupported(): boolean {
    return 'RTCPeerConnection' in window;
  }

  delay: Delay | null = null;
  counted: Counted | null = null;
  /** Bits per second; 0: not known yet. */
  bitrate = 0;
  private readonly media = new MediaStream();
  private readonly opening = new AbortController();
  private session: WebrtcSession | null = null;
  private timer = 0;
  private closed = false;
  private showing = false;
  private framesAt = 0; // performance.now() of the last look that found more pictures

  constructor(stream: string, private readonly events: WhepEvents) {
    void this.open(whepUrl(stream));
  }

  close(): void {
    this.closed = true;
    this.opening.abort();
    window.clearTimeout(this.timer);
    this.session?.close();
    this.session = null;
  }

  private async open(url: string): Promise<void> {
    try {
      const session = await WebrtcSession.open(url, (connection) => this.setUp(connection), {
        connected: () => {
          if (this.showing) return; // the first picture was faster than the news
          this.timer = window.setTimeout(() => {
            this.timer = window.setTimeout(() => this.fail('unshown', 'No picture came by WebRTC.'), kFirstPictureMs - kSlowMs);
            this.events.slow();
          }, kSlowMs);
        },
        ended: (wasConnected) => {
          if (wasConnected) this.fail('lost', 'The WebRTC connection was lost.');
          else this.fail('path', 'WebRTC finds no way to the server: UDP may be blocked.');
        },
      }, this.opening.signal);
      if (this.closed) session.close();
      else this.session = session;
    } catch (error) {
      this.fail(...troubleOf(error));
    }
  }

  private setUp(connection: RTCPeerConnection): void {
    connection.addTransceiver('video', { direction: 'recvonly' });
    connection.addTransceiver('audio', { direction: 'recvonly' });
    connection.addEventListener('track', ({ track }) => {
      this.media.addTrack(track);
      track.addEventListener('unmute', () => this.arrived(track.kind));
    });
  }

  private arrived(kind: string): void {
    if (this.closed || this.showing || (kind === 'audio' && this.media.getVideoTracks().length > 0)) return;
    this.showing = true;
    this.framesAt = performance.now();
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.look(), kLookSoonMs);
    this.events.ready(this.media);
  }

  private async look(): Promise<void> {
    const report = await this.session?.connection.getStats();
    if (this.closed || !report) return;
    const now = readStats([...report.values()] as Record<string, unknown>[], Date.now());
    const before = this.counted;
    this.delay = delayOf(now, before) ?? this.delay;
    if (before && now.at > before.at) {
      const bits = ((now.bytes - before.bytes) * 8000) / (now.at - before.at);
      this.bitrate = this.bitrate === 0 ? bits : this.bitrate * 0.8 + bits * 0.2;
    }
    if (now.frames !== before?.frames || this.media.getVideoTracks().length === 0) this.framesAt = performance.now();
    this.counted = now;
    if (performance.now() - this.framesAt > kStallMs) {
      this.fail('lost', 'No pictures came by WebRTC any more.');
      return;
    }
    this.timer = window.setTimeout(() => void this.look(), this.delay === null ? kLookSoonMs : kLookMs);
    this.events.measured();
  }

  private fail(trouble: WhepTrouble, words: string): void {
    if (this.closed) return;
    this.close();
    this.events.failed(trouble, words);
  }
}
