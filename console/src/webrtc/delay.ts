// How old a picture is that came by WebRTC, from what the browser counts of its connection (RTCPeerConnection.getStats). Pure.
//
// Best is the picture's own time: the server's RTCP sender reports say when each picture was taken, and what the server's clock
// was when they were sent, so that this machine's clock does not matter. Browsers tell it where there is sound too. Otherwise it
// is half of the network's round trip plus what pictures wait and are decoded for here.

export interface Delay {
  readonly ms: number;
  readonly fromCapture: boolean; // by the pictures' own time; false: from the server on
}

/** What is counted of a connection that receives, as far as it is told; counters grow. */
export interface Counted {
  readonly at: number; // ms since 1970, by this machine's clock
  readonly roundTripMs: number | null;
  readonly playoutMs: number | null; // time of the picture on the screen, by the server's clock, ms since 1970
  readonly serverAheadMs: number | null; // the server's clock less this machine's, when a report came
  readonly frames: number; // pictures decoded
  readonly processingMs: number; // of all of them, from their arrival to the screen
  readonly bytes: number;
  readonly frameRate: number;
  readonly codecs: readonly string[]; // video first: "H264", "opus"
  readonly hasAudio: boolean;
}

const kNtpEpochMs = 2_208_988_800_000; // 1900 to 1970
const kPlayoutAgeMaxMs = 60_000; // beyond it the clocks are not what they seem

type Entry = Readonly<Record<string, unknown>>;
const number = (entry: Entry | undefined, name: string): number | null =>
  typeof entry?.[name] === 'number' ? entry[name] as number : null;

/** Reads a report of getStats: its entries. */
export function readStats(entries: Iterable<Entry>, now: number): Counted {
  const all = [...entries];
  const find = (type: string, kind: string): Entry | undefined => all.find((entry) => entry['type'] === type && entry['kind'] === kind);
  const video = find('inbound-rtp', 'video');
  const audio = find('inbound-rtp', 'audio');
  const report = find('remote-outbound-rtp', 'video');
  const pair = all.find((entry) => entry['type'] === 'candidate-pair' && entry['nominated'] === true && entry['state'] === 'succeeded');
  const codecOf = (rtp: Entry | undefined): string[] => {
    const codec = all.find((entry) => entry['type'] === 'codec' && entry['id'] === rtp?.['codecId']);
    return typeof codec?.['mimeType'] === 'string' ? [codec['mimeType'].replace(/^.*\//, '')] : [];
  };
  const roundTrip = number(pair, 'currentRoundTripTime');
  const playout = number(video, 'estimatedPlayoutTimestamp');
  const [sent, received] = [number(report, 'remoteTimestamp'), number(report, 'timestamp')];
  return {
    at: now,
    roundTripMs: roundTrip === null ? null : roundTrip * 1000,
    playoutMs: playout === null || playout === 0 ? null : playout - kNtpEpochMs,
    serverAheadMs: sent === null || received === null ? null : sent - received + (roundTrip ?? 0) * 500,
    frames: number(video, 'framesDecoded') ?? 0,
    processingMs: (number(video, 'totalProcessingDelay') ?? 0) * 1000,
    bytes: (number(video, 'bytesReceived') ?? 0) + (number(audio, 'bytesReceived') ?? 0),
    frameRate: number(video, 'framesPerSecond') ?? 0,
    codecs: [...codecOf(video), ...codecOf(audio)],
    hasAudio: (number(audio, 'packetsReceived') ?? 0) > 0,
  };
}

/** The delay at `now`, `before` being an earlier look; null while nothing can be said. */
export function delayOf(now: Counted, before: Counted | null): Delay | null {
  if (now.playoutMs !== null && now.serverAheadMs !== null) {
    const ms = now.at + now.serverAheadMs - now.playoutMs;
    if (ms > -1000 && ms < kPlayoutAgeMaxMs) return { ms: Math.max(0, ms), fromCapture: true };
  }
  const since = before !== null && now.frames > before.frames ? before : { frames: 0, processingMs: 0 };
  if (now.roundTripMs === null || now.frames <= since.frames) return null;
  return { ms: now.roundTripMs / 2 + (now.processingMs - since.processingMs) / (now.frames - since.frames), fromCapture: false };
}

/** What is measured, for those who want to know. */
export function delayWords(delay: Delay): string {
  return delay.fromCapture
    ? 'WebRTC. The delay is the present less the time at which the picture on the screen was taken, by the camera’s time stamps and '
      + 'the server’s clock (RTCP sender reports).'
    : 'WebRTC. The delay is measured from the server to this screen: half of the network’s round trip, and what pictures wait and '
      + 'are decoded for here. What camera and server take before comes on top.';
}
