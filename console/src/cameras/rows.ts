// The rows of the list: cameras and streams as one, each with its state in words. Pure.
import type { Camera, Stream } from '../api.js';
import { codecName } from '../player/words.js';
import { formatBitrate, formatBytes, formatDuration } from '../time.js';

export interface Row {
  readonly key: string; // unique in the list
  readonly name: string; // what is shown: the camera's name, or the stream's when none feeds it
  readonly streamName: string;
  readonly camera: Camera | null;
  readonly stream: Stream | null; // null: nothing has come yet
}

export type Tone = 'good' | 'busy' | 'bad' | 'off';

export interface Words {
  readonly tone: Tone;
  readonly state: string; // one or two words
  readonly detail: string; // a line; may be empty
}

/** Cameras in their order, then the streams that no camera feeds. */
export function rowsOf(cameras: readonly Camera[], streams: readonly Stream[]): Row[] {
  const byName = new Map(streams.map((stream) => [stream.name, stream]));
  const fed = new Set<string>();
  const rows: Row[] = cameras.map((camera) => {
    fed.add(camera.stream);
    return {
      key: `camera/${camera.name}`, name: camera.name, streamName: camera.stream, camera,
      stream: byName.get(camera.stream) ?? null,
    };
  });
  for (const stream of streams) {
    if (fed.has(stream.name)) continue;
    rows.push({ key: `stream/${stream.name}`, name: stream.name, streamName: stream.name, camera: null, stream });
  }
  return rows;
}

/** Rows whose name, stream, address or labels hold every word of `filter`. */
export function filtered(rows: readonly Row[], filter: string): Row[] {
  const words = filter.toLowerCase().split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) return [...rows];
  return rows.filter((row) => {
    const labels = Object.entries(row.camera?.labels ?? {}).flat();
    const text = [row.name, row.streamName, row.camera?.url ?? '', row.camera?.state ?? '', ...labels].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** "next try in 12 s"; empty when none is planned. */
export function retryWords(nextRetry: string | null, now: number): string {
  if (nextRetry === null) return '';
  const left = Date.parse(nextRetry) - now;
  if (Number.isNaN(left)) return '';
  return left < 1000 ? 'next try now' : `next try in ${formatDuration(Math.ceil(left / 1000) * 1000)}`;
}

/** "H.264 · 1920×1080 · 25 fps · 4.1 Mbit/s", as far as known. */
export function pictureWords(camera: Camera): string {
  const video = camera.tracks.find((track) => track.kind === 'video');
  const parts: string[] = [];
  if (video?.width && video.height) parts.push(`${video.width}×${video.height}`);
  if (camera.frame_rate) parts.push(`${Math.round(camera.frame_rate * 10) / 10} fps`);
  if (camera.bitrate_bps) parts.push(formatBitrate(camera.bitrate_bps));
  if (video && video.codec !== 'h264') parts.unshift(codecName(video.codec));
  return parts.join(' · ');
}

const joined = (...parts: (string | null)[]): string => parts.filter((part) => part).join('; ');

/** What a row says about itself at `now` (the server's clock). */
export function wordsOf(row: Row, now: number): Words {
  const { camera, stream } = row;
  if (!camera) {
    const size = stream && stream.bytes > 0 ? formatBytes(stream.bytes) : 'empty';
    return stream?.live
      ? { tone: 'good', state: 'Receiving', detail: size }
      : { tone: 'off', state: 'Footage only', detail: size };
  }
  const retry = retryWords(camera.next_retry, now);
  switch (camera.state) {
    case 'recording': return { tone: 'good', state: 'Recording', detail: pictureWords(camera) };
    case 'connecting': return { tone: 'busy', state: 'Connecting', detail: camera.last_error ?? '' };
    case 'waiting': return { tone: 'bad', state: 'Waiting', detail: joined(camera.last_error, retry) };
    case 'unauthorized':
      return { tone: 'bad', state: 'Unauthorized', detail: joined(camera.last_error ?? 'user or password is wrong', retry) };
    case 'failed': return { tone: 'bad', state: 'Failed', detail: joined(camera.last_error, retry) };
    case 'disabled': return { tone: 'off', state: 'Disabled', detail: '' };
    default: return { tone: 'busy', state: String(camera.state), detail: joined(camera.last_error, retry) };
  }
}
