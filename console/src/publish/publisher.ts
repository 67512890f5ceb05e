// Publishes media into a stream by WHIP until it is stopped: opens a session, and another one when it breaks, ever later.
import { ApiError, Unreachable, getStream, whipUrl } from '../api.js';
import { WebrtcSession } from '../webrtc/session.js';

export type PublishState = 'idle' | 'connecting' | 'live' | 'waiting' | 'refused';

export interface Sent {
  readonly bitrate: number; // bits per second
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  readonly codec: string; // "H264"
}

const kRetryMs = [500, 1000, 2000, 4000, 8000, 15_000] as const;
const kLookMs = 1000;
// Requests that say the same however often they are made.
const kFinal: ReadonlySet<number> = new Set([400, 401, 403, 404, 406, 409, 415]);

/** The server takes H.264 where it is offered, which every player shows: it is asked for first. */
function preferH264(transceiver: RTCRtpTransceiver): void {
  const all = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
  const rank = (mime: string): number => (/h264/i.test(mime) ? 0 : 1);
  if ('setCodecPreferences' in transceiver) transceiver.setCodecPreferences([...all].sort((a, b) => rank(a.mimeType) - rank(b.mimeType)));
}

/** A recording whose picture changes its size falls into pieces: where the network is slow, pictures are left out instead. */
function keepSize(sender: RTCRtpSender): void {
  const parameters: RTCRtpSendParameters = { ...sender.getParameters(), degradationPreference: 'maintain-resolution' };
  void sender.setParameters(parameters).catch(() => {}); // a wish: not every browser knows it
}

export class Publisher {
  onChange: () => void = () => {};
  state: PublishState = 'idle';
  /** What is wrong, in words; '' while nothing is. */
  trouble = '';
  nextTry = 0; // ms since 1970, while waiting
  since = 0; // ms since 1970: it is live
  sent: Sent | null = null;
  stream = '';
  private media: MediaStream | null = null;
  private opening: AbortController | null = null;
  private session: WebrtcSession | null = null;
  private timer = 0;
  private retries = 0;
  private before: { at: number; bytes: number } | null = null;

  get active(): boolean {
    return this.state !== 'idle' && this.state !== 'refused';
  }

  /** `media` is the caller's: it is not stopped here. */
  start(stream: string, media: MediaStream): void {
    this.stop();
    this.stream = stream;
    this.media = media;
    this.retries = 0;
    this.trouble = '';
    void this.connect();
  }

  stop(): void {
    this.drop();
    this.media = null;
    this.trouble = '';
    this.enter('idle');
  }

  /** Sends these from now on: within the session where they are of the same kinds, else in a new one. */
  async change(media: MediaStream): Promise<void> {
    this.media = media;
    if (this.state !== 'live' && this.state !== 'connecting') return; // the next try takes them
    const senders = this.session?.connection.getSenders().filter(({ track }) => track) ?? [];
    const tracks = media.getTracks();
    const pairs = tracks.map((track) => [senders.find((sender) => sender.track?.kind === track.kind), track] as const);
    try {
      if (senders.length !== tracks.length) throw new Error('other kinds of media');
      await Promise.all(pairs.map(([sender, track]) => {
        if (!sender) throw new Error('other kinds of media');
        return sender.replaceTrack(track);
      }));
    } catch {
      if (this.media === media) void this.connect();
    }
  }

  private drop(): void {
    window.clearTimeout(this.timer);
    this.opening?.abort();
    this.opening = null;
    this.session?.close();
    this.session = null;
    this.sent = null;
    this.before = null;
  }

  private enter(state: PublishState): void {
    this.state = state;
    this.onChange();
  }

  private async connect(): Promise<void> {
    const { media } = this;
    if (!media) return;
    this.drop();
    const opening = new AbortController();
    this.opening = opening;
    this.enter('connecting');
    try {
      const session = await WebrtcSession.open(whipUrl(this.stream), (connection) => {
        for (const track of media.getTracks()) {
          const transceiver = connection.addTransceiver(track, { direction: 'sendonly', streams: [media] });
          if (track.kind !== 'video') continue;
          preferH264(transceiver);
          keepSize(transceiver.sender);
        }
      }, {
        connected: () => this.connected(),
        ended: (wasConnected, forgotten) => {
          if (wasConnected) void this.broken(forgotten);
          else this.again('There is no way to the server: UDP may be blocked.');
        },
      }, opening.signal);
      if (opening.signal.aborted) session.close();
      else this.session = session;
    } catch (error) {
      if (opening.signal.aborted) return;
      if (error instanceof ApiError && kFinal.has(error.status)) {
        this.drop();
        this.trouble = `The server refuses: ${error.message}`;
        this.enter('refused');
      } else {
        this.again(error instanceof Unreachable ? 'The server does not answer.' : error instanceof Error ? error.message : String(error));
      }
    }
  }

  private connected(): void {
    this.retries = 0;
    this.trouble = '';
    this.since = Date.now();
    this.timer = window.setTimeout(() => void this.look(), kLookMs);
    this.enter('live');
  }

  /** Two that publish to one stream would take it from each other for ever: the one that was there first gives way. */
  private async broken(forgotten: Promise<boolean>): Promise<void> {
    const { opening, stream } = this;
    const taken = await forgotten && await getStream(stream).then(({ live }) => live, () => false);
    if (opening !== this.opening) return;
    if (!taken) {
      this.again('The connection broke.');
      return;
    }
    this.drop();
    this.trouble = `Somebody else publishes to ${stream} now, or a camera records it.`;
    this.enter('refused');
  }

  private again(words: string): void {
    this.drop();
    const wait = kRetryMs[Math.min(this.retries, kRetryMs.length - 1)]!;
    this.retries += 1;
    this.trouble = words;
    this.nextTry = Date.now() + wait;
    this.timer = window.setTimeout(() => void this.connect(), wait);
    this.enter('waiting');
  }

  private async look(): Promise<void> {
    const { session } = this;
    const report = await session?.connection.getStats();
    if (!report || session !== this.session) return;
    const all = [...report.values()] as Record<string, unknown>[];
    const outgoing = all.filter((entry) => entry['type'] === 'outbound-rtp');
    const video = outgoing.find((entry) => entry['kind'] === 'video');
    const codec = all.find((entry) => entry['type'] === 'codec' && entry['id'] === video?.['codecId']);
    const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
    const now = { at: Date.now(), bytes: outgoing.reduce((sum, entry) => sum + number(entry['bytesSent']), 0) };
    const { before } = this;
    this.sent = {
      bitrate: before && now.at > before.at ? Math.max(0, ((now.bytes - before.bytes) * 8000) / (now.at - before.at)) : 0,
      width: number(video?.['frameWidth']), height: number(video?.['frameHeight']), frameRate: number(video?.['framesPerSecond']),
      codec: typeof codec?.['mimeType'] === 'string' ? codec['mimeType'].replace(/^.*\//, '') : '',
    };
    this.before = now;
    this.timer = window.setTimeout(() => void this.look(), kLookMs);
    this.onChange();
  }
}
