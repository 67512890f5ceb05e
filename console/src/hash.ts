// Deep links: #/stream/NAME is live, #/stream/NAME?t=TIME (RFC 3339 or seconds since 1970) goes to that time;
// #/streams is the data streams' page, #/streams/NAME one of them; #/wall shows all live pictures, #/publish is the page that
// publishes from this device. Pure.
import { parseTime, toApiTime } from './time.js';

export interface Place {
  readonly stream: string;
  readonly time: number | null; // null: live
}

export function readHash(hash: string): Place | null {
  const match = /^#\/stream\/([^/?]+)(?:\?(.*))?$/.exec(hash);
  if (!match) return null;
  let stream: string;
  try {
    stream = decodeURIComponent(match[1]!);
  } catch {
    return null; // a broken escape: no name of ours
  }
  return { stream, time: parseTime(new URLSearchParams(match[2] ?? '').get('t')) };
}

export function writeHash(place: Place): string {
  const base = `#/stream/${encodeURIComponent(place.stream)}`;
  return place.time === null ? base : `${base}?t=${toApiTime(place.time)}`;
}

/** The data streams' page: the stream that is chosen there, '' for none; null: the link is another page's. */
export function readStreamsHash(hash: string): string | null {
  const match = /^#\/streams(?:\/([^/?]*))?$/.exec(hash);
  if (!match) return null;
  try {
    return decodeURIComponent(match[1] ?? '');
  } catch {
    return '';
  }
}

export function writeStreamsHash(name = ''): string {
  return name === '' ? '#/streams' : `#/streams/${encodeURIComponent(name)}`;
}

export const kWallHash = '#/wall';
export const kPublishHash = '#/publish';
