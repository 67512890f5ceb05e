// The HTTP API as the console uses it (docs/http-api.md). Every call has a deadline and fails in one of two ways:
// ApiError is an answer of the server, with its own words; Unreachable means that there was none.
import { toApiTime } from './time.js';
import { type Analysed, readRecord } from './faces/sightings.js';
import type { Interval } from './timeline/intervals.js';

export type CameraState = 'connecting' | 'recording' | 'waiting' | 'unauthorized' | 'failed' | 'disabled';

export interface Track {
  readonly number: number;
  readonly kind: 'video' | 'audio';
  readonly codec: string;
  readonly width?: number;
  readonly height?: number;
  readonly sample_rate?: number;
  readonly channels?: number;
}

export interface CameraSettings {
  url: string;
  stream?: string;
  transport?: 'tcp' | 'udp';
  username?: string;
  password?: string;
  analyzers?: readonly string[];
  retention_hours?: number;
  labels?: Readonly<Record<string, string>>;
  enabled?: boolean;
}

export interface Camera {
  readonly name: string;
  readonly url: string;
  readonly stream: string;
  readonly transport: 'tcp' | 'udp';
  readonly analyzers: readonly string[];
  readonly retention_hours: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly enabled: boolean;
  readonly has_credentials: boolean;
  readonly state: CameraState;
  readonly state_since: string | null;
  readonly last_error: string | null;
  readonly next_retry: string | null;
  readonly bitrate_bps: number | null;
  readonly frame_rate: number | null;
  readonly last_frame: string | null;
  readonly tracks: readonly Track[];
  readonly clock: 'camera' | 'arrival' | null;
}

export interface Stream {
  readonly name: string;
  readonly retention_hours: number;
  readonly bytes: number;
  readonly first: string | null;
  readonly last: string | null;
  readonly live: boolean;
  readonly camera: string | null;
}

export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }
}

export class Unreachable extends Error {}

const kDeadlineMs = 8000;

// Server time less this machine's, in ms, from the answers' Date (whole seconds: small differences are not one).
let clockOffset = 0;

/** Now, by the server's clock. */
export const serverNow = (): number => Date.now() + clockOffset;

function noteDate(date: string | null): void {
  const server = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(server)) return;
  const difference = server + 500 - Date.now();
  clockOffset = Math.abs(difference) > 2000 ? difference : 0;
}

/** The event that says that the server asks who we are. */
export const kUnauthenticated = 'millrace-unauthenticated';
const kWhoAreYou = ['unauthenticated', 'MissingAuthenticationTokenException', 'ExpiredTokenException'];

/** Whether the server refused because it does not know who we are; the event was sent then. */
export const asksWhoWeAre = (error: ApiError): boolean => kWhoAreYou.includes(error.code);

const kJsonType = { 'content-type': 'application/json' };

async function call<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = kJsonType): Promise<T> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method,
      cache: 'no-store',
      signal: AbortSignal.timeout(kDeadlineMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers }),
    });
    text = await response.text();
  } catch (error) {
    throw new Unreachable(String(error));
  }
  noteDate(response.headers.get('date'));
  let answer: unknown = null;
  try {
    answer = text === '' ? null : JSON.parse(text);
  } catch {
    // Not JSON, so not the server itself: a proxy between us, most likely.
    if (response.status >= 502 && response.status <= 504) throw new Unreachable(`a proxy answers ${response.status}`);
    throw new ApiError(response.status, 'internal', `the answer to ${method} ${path} is not JSON (HTTP ${response.status})`);
  }
  if (!response.ok) {
    // Our own errors, or those of the Data Streams protocol.
    const { error, __type: type, message } = (answer ?? {}) as { error?: { code?: string; message?: string }; __type?: string; message?: string };
    const code = error?.code ?? type ?? 'internal';
    if (kWhoAreYou.includes(code) && path !== kSessionPath) window.dispatchEvent(new Event(kUnauthenticated));
    throw new ApiError(response.status, code, error?.message ?? message ?? `HTTP ${response.status}`);
  }
  return answer as T;
}

const kSessionPath = '/v1/session';

/** Shows an access key, for a session by cookie. */
export async function logIn(id: string, secret: string): Promise<void> {
  await call('POST', kSessionPath, { access_key_id: id, secret_access_key: secret });
}

const path = (...parts: string[]): string => '/' + parts.map(encodeURIComponent).join('/');

export async function listCameras(): Promise<Camera[]> {
  return (await call<{ cameras: Camera[] }>('GET', '/v1/cameras')).cameras;
}

export async function listStreams(): Promise<Stream[]> {
  return (await call<{ streams: Stream[] }>('GET', '/v1/streams')).streams;
}

export function getStream(name: string): Promise<Stream> {
  return call('GET', path('v1', 'streams', name));
}

export function putCamera(name: string, settings: CameraSettings): Promise<Camera> {
  return call('PUT', path('v1', 'cameras', name), settings);
}

export function removeCamera(name: string, footage: 'keep' | 'purge'): Promise<{ kept_until: string | null }> {
  return call('DELETE', `${path('v1', 'cameras', name)}?footage=${footage}`);
}

export async function purgeStream(name: string): Promise<void> {
  await call('DELETE', path('v1', 'streams', name));
}

interface CoverageAnswer {
  intervals: { start: string; end: string; state: string; cause?: string }[];
}

const kIntervalsMax = 10_000; // of one answer

/** Coverage of [start, end), however many answers it takes (within sense). */
export async function getCoverage(stream: string, start: number, end: number): Promise<Interval[]> {
  const all: Interval[] = [];
  let from = start;
  for (let page = 0; page < 5; page += 1) {
    const query = new URLSearchParams({ start: toApiTime(from), end: toApiTime(end) });
    const answer = await call<CoverageAnswer>('GET', `${path('v1', 'streams', stream, 'coverage')}?${query}`);
    for (const i of answer.intervals) {
      all.push({ start: Date.parse(i.start), end: Date.parse(i.end), state: i.state === 'gap' ? i.cause ?? 'unknown' : i.state });
    }
    const last = all[all.length - 1];
    if (answer.intervals.length < kIntervalsMax || !last || last.end <= from) break;
    from = last.end;
  }
  return all;
}

const kFacesPage = 1000; // records of one answer
const kFacesPagesMax = 12;

/** The frames of [start, end) that were analysed for faces, up to `until`: all of it, or what a dozen answers hold. */
export async function getFaces(stream: string, start: number, end: number): Promise<{ frames: Analysed[]; until: number }> {
  const frames: Analysed[] = [];
  let next: string | null = null;
  for (let page = 0; page < kFacesPagesMax; page += 1) {
    const query = new URLSearchParams({ start: toApiTime(start), end: toApiTime(end), limit: String(kFacesPage) });
    if (next !== null) query.set('next', next);
    const answer: { records: unknown[]; next: string | null } =
      await call('GET', `${path('v1', 'streams', stream, 'faces')}?${query}`);
    for (const record of answer.records) {
      const frame = readRecord(record);
      if (frame) frames.push(frame);
    }
    ({ next } = answer);
    if (next === null) return { frames, until: end };
  }
  return { frames, until: frames[frames.length - 1]?.time ?? end };
}

export interface DataStream {
  readonly name: string;
  readonly mode: 'provisioned' | 'on_demand';
  readonly created: string;
  readonly retention_hours: number;
  readonly open_shards: number;
  readonly internal: boolean;
}

export interface Shard {
  readonly id: string;
  readonly parents: readonly string[];
  readonly first_hash_key: string;
  readonly last_hash_key: string;
  readonly start: number; // as a part of all hash keys, 0 to 1
  readonly end: number;
  readonly open: boolean;
  readonly records_per_second: number | null;
  readonly bytes_per_second: number | null;
}

export interface DataStreamDetail extends Omit<DataStream, 'shards'> {
  readonly shards: readonly Shard[];
}

export interface DataRecord {
  readonly shard: string;
  readonly sequence_number: string;
  readonly sub_sequence: number | null;
  readonly aggregated: number | null; // how many the aggregated record holds
  readonly time: string;
  readonly partition_key: string;
  readonly bytes: number;
  readonly text: string | null;
  readonly hex: string | null;
  readonly truncated: boolean;
}

export interface RecordsAnswer {
  readonly records: readonly DataRecord[];
  readonly skipped: boolean;
  readonly next: string;
}

export async function listDataStreams(internal: boolean): Promise<DataStream[]> {
  return (await call<{ data_streams: DataStream[] }>('GET', `/v1/data-streams${internal ? '?internal=true' : ''}`)).data_streams;
}

export function getDataStream(name: string): Promise<DataStreamDetail> {
  return call('GET', path('v1', 'data-streams', name));
}

/** The newest records, or with `after` (the last answer's `next`) those that came since. */
export function getRecords(name: string, after: string | null): Promise<RecordsAnswer> {
  return call('GET', `${path('v1', 'data-streams', name, 'records')}${after ? `?${new URLSearchParams({ after })}` : ''}`);
}

/** An operation of the Data Streams protocol. */
export function dataStreams<T>(operation: string, request: Readonly<Record<string, unknown>>): Promise<T> {
  return call('POST', '/', request, { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `Kinesis_20131202.${operation}` });
}

/** The HLS playlist of a stream: live, or from `start` (to `end`, or growing with the stream). */
export function playlistUrl(stream: string, range?: { start: number; end: number | null }): string {
  const base = `${path('hls', stream)}/index.m3u8`;
  if (!range) return base;
  const query = new URLSearchParams({ start: toApiTime(range.start) });
  if (range.end !== null) query.set('end', toApiTime(range.end));
  return `${base}?${query}`;
}

/** Why a playlist cannot be had, in the server's words; null when it can be after all. Throws Unreachable. */
export async function whyNot(url: string): Promise<ApiError | null> {
  try {
    const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(kDeadlineMs) });
    if (response.ok) return null;
    return await refusal(response);
  } catch (error) {
    throw new Unreachable(String(error));
  }
}

const kOfferMs = 12_000; // the server gathers candidates before it answers

export interface WebrtcAnswer {
  readonly sdp: string;
  readonly location: string; // of the session
  readonly tag: string; // its ETag
}

export const whepUrl = (stream: string): string => path('whep', stream);
export const whipUrl = (stream: string): string => path('whip', stream);

async function refusal(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => null)) as { error?: { code?: string; message?: string } } | null;
  const error = new ApiError(response.status, body?.error?.code ?? '', body?.error?.message ?? `HTTP ${response.status}`);
  if (asksWhoWeAre(error)) window.dispatchEvent(new Event(kUnauthenticated));
  return error;
}

/** Opens a WHIP or WHEP session. Throws ApiError or Unreachable. It is not cut short: who has no answer cannot end the session. */
export async function postOffer(url: string, sdp: string): Promise<WebrtcAnswer> {
  let response: Response;
  let text = '';
  try {
    response = await fetch(url, {
      method: 'POST', cache: 'no-store', signal: AbortSignal.timeout(kOfferMs), headers: { 'content-type': 'application/sdp' }, body: sdp,
    });
    if (response.status === 201) text = await response.text();
  } catch (error) {
    throw new Unreachable(String(error));
  }
  if (response.status !== 201) throw await refusal(response);
  return { sdp: text, location: response.headers.get('location') ?? '', tag: response.headers.get('etag') ?? '' };
}

/** Candidates for a session (PATCH), or its end (DELETE), which the page may send while it is left. */
export async function sendWebrtc(method: 'PATCH' | 'DELETE', location: string, fragment?: string, tag?: string): Promise<void> {
  const response = await fetch(location, {
    method, keepalive: method === 'DELETE', signal: AbortSignal.timeout(kDeadlineMs),
    ...(fragment === undefined ? {} : { body: fragment, headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': tag ?? '' } }),
  });
  if (!response.ok) throw await refusal(response);
}

let stun: Promise<RTCIceServer[]> | null = null;

/** The STUN servers that the server names (RFC 9725 section 4.6), asked for once. Never fails: none are needed in most networks. */
export function stunServers(url: string): Promise<RTCIceServer[]> {
  stun ??= fetch(url, { method: 'OPTIONS', cache: 'no-store', signal: AbortSignal.timeout(2000) }).then(
    (response) => [...(response.headers.get('link') ?? '').matchAll(/<(stuns?:[^>]+)>\s*;\s*rel="ice-server"/g)]
      .map((match) => ({ urls: match[1]! })),
    () => {
      stun = null;
      return [];
    });
  return stun;
}
