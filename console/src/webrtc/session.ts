// One WHIP or WHEP session (RFC 9725): the offer goes out by POST, candidates that are found later by PATCH, DELETE ends it.
//
// A connection is closed by whoever opened it, by the page when it is left, and by itself as soon as it is over: none is
// left behind, here or on the server.
import { ApiError, postOffer, sendWebrtc, stunServers } from '../api.js';
import { type FoundCandidate, candidatesFragment } from './fragment.js';

const kConnectMs = 8000; // ICE and DTLS; a path that takes longer is none for live pictures
const kLostMs = 4000; // "disconnected" comes and goes with the network; for so long it is over

export interface SessionEvents {
  connected: () => void;
  /**
   * At most once, and not after close(). `wasConnected`: media could have flowed before. `forgotten` says whether the server
   * had ended it itself, or could not be asked.
   */
  ended: (wasConnected: boolean, forgotten: Promise<boolean>) => void;
}

export class WebrtcSession {
  readonly connection: RTCPeerConnection;
  private candidates: FoundCandidate[] = [];
  private complete = false;
  private location: string | null = null;
  private tag = '';
  private sending = false;
  private connected = false;
  private closed = false;
  private timer = 0;
  private readonly leave = (): void => this.close();

  private constructor(iceServers: RTCIceServer[], private readonly events: SessionEvents) {
    this.connection = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' });
    this.connection.addEventListener('icecandidate', ({ candidate }) => {
      if (candidate && candidate.candidate !== '') this.candidates.push({ mid: candidate.sdpMid ?? '0', line: candidate.candidate });
      else if (!candidate) this.complete = true;
      void this.trickle();
    });
    this.connection.addEventListener('connectionstatechange', () => this.changed());
    window.addEventListener('pagehide', this.leave);
  }

  /**
   * Opens a session at `url`. `setUp` puts the media into the connection, before the offer. Throws ApiError (the server's
   * refusal), Unreachable, or what the browser says of the answer; then nothing is left of it. `signal`: it is not wanted any more.
   */
  static async open(url: string, setUp: (connection: RTCPeerConnection) => void, events: SessionEvents,
    signal: AbortSignal): Promise<WebrtcSession> {
    const iceServers = await stunServers(url);
    signal.throwIfAborted();
    const session = new WebrtcSession(iceServers, events);
    signal.addEventListener('abort', session.leave);
    try {
      setUp(session.connection);
      await session.offer(url);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  private async offer(url: string): Promise<void> {
    await this.connection.setLocalDescription();
    const answer = await postOffer(url, this.connection.localDescription!.sdp);
    this.location = answer.location === '' ? null : answer.location;
    this.tag = answer.tag;
    if (this.closed) { // it is not wanted any more
      void this.end();
      return;
    }
    await this.connection.setRemoteDescription({ type: 'answer', sdp: answer.sdp });
    this.timer = window.setTimeout(() => this.over(), kConnectMs);
    void this.trickle();
  }

  close(): void {
    void this.finish();
  }

  private async finish(): Promise<boolean> {
    if (this.closed) return false;
    this.closed = true;
    window.clearTimeout(this.timer);
    window.removeEventListener('pagehide', this.leave);
    this.connection.close();
    return this.end();
  }

  /** Tells the server. True: it knew no such session any more. */
  private async end(): Promise<boolean> {
    const { location } = this;
    this.location = null;
    try {
      if (location !== null) await sendWebrtc('DELETE', location);
      return false;
    } catch (error) {
      return error instanceof ApiError && error.status === 404; // what it was not told it notices by the silence
    }
  }

  private changed(): void {
    if (this.closed) return;
    window.clearTimeout(this.timer);
    switch (this.connection.connectionState) {
      case 'connected':
        if (!this.connected) this.events.connected();
        this.connected = true;
        break;
      case 'failed':
      case 'closed':
        this.over();
        break;
      default:
        this.timer = window.setTimeout(() => this.over(), this.connected ? kLostMs : kConnectMs);
    }
  }

  private over(): void {
    if (this.closed) return;
    this.events.ended(this.connected, this.finish());
  }

  /** Sends what was found since the last time, one request at a time. */
  private async trickle(): Promise<void> {
    if (this.sending || this.location === null || this.closed || (this.candidates.length === 0 && !this.complete)) return;
    const text = candidatesFragment(this.connection.localDescription?.sdp ?? '', this.candidates.splice(0), this.complete);
    const last = this.complete;
    this.sending = true;
    try {
      await sendWebrtc('PATCH', this.location, text, this.tag);
    } catch {
      // Candidates are an offer of more ways: where none is found the connection says so.
    }
    this.sending = false;
    if (!last) void this.trickle();
  }
}
