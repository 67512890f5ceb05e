// Deep links: #/stream/NAME is live, #/stream/NAME?t=TIME (RFC 3339 or seconds since 1970) goes to that time. Pure.
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
