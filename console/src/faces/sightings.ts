// What the face analyzer saw, as the console uses it: analysed frames in order of time, each with its boxes. Pure.
import type { View } from '../timeline/view.js';

export interface FaceBox {
  readonly left: number; // as parts of the picture's width and height
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly confidence: number; // 0 to 100
  readonly track?: string; // the same from frame to frame
  readonly name?: string; // of the person in a collection who matches best
  readonly similarity?: number; // to them, 0 to 100
}

export interface Analysed {
  readonly time: number; // of the frame, ms since 1970, by the producer's clock
  readonly boxes: readonly FaceBox[]; // none: no face was seen
}

const kHoldMs = 1500; // how long a box stands when no later frame was analysed
const kBetweenMs = 12_000; // frames further apart say nothing of the time between them

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The track, and who it is: the first of the matches, which come best first. */
function whoIs(face: unknown, detected: Record<string, unknown>): Pick<FaceBox, 'track' | 'name' | 'similarity'> {
  const track = detected['TrackId'];
  const matches = isObject(face) ? face['MatchedFaces'] : null;
  const best: unknown = Array.isArray(matches) ? matches[0] : null;
  const known = isObject(best) ? best['Face'] : null;
  const name = isObject(known) ? known['ExternalImageId'] : null;
  return {
    ...(typeof track === 'string' && track !== '' ? { track } : {}),
    ...(typeof name === 'string' && name !== '' && isObject(best) ? { name, similarity: Number(best['Similarity']) || 0 } : {}),
  };
}

/** One record of the data stream (Rekognition's form); null for another kind, or one that is no analysed frame. */
export function readRecord(record: unknown): Analysed | null {
  if (!isObject(record) || !isObject(record['InputInformation']) || !Array.isArray(record['FaceSearchResponse'])) return null;
  const video = record['InputInformation']['KinesisVideo'];
  if (!isObject(video)) return null;
  const time = Math.round((Number(video['ProducerTimestamp']) + Number(video['FrameOffsetInSeconds'])) * 1000);
  if (!Number.isFinite(time)) return null;
  const boxes: FaceBox[] = [];
  for (const face of record['FaceSearchResponse'] as unknown[]) {
    const detected = isObject(face) ? face['DetectedFace'] : null;
    const box = isObject(detected) ? detected['BoundingBox'] : null;
    if (!isObject(detected) || !isObject(box)) continue;
    const [left, top, width, height] = ['Left', 'Top', 'Width', 'Height'].map((key) => Number(box[key])) as [number, number, number, number];
    if (![left, top, width, height].every(Number.isFinite) || width <= 0 || height <= 0) continue;
    boxes.push({ left, top, width, height, confidence: Number(detected['Confidence']) || 0, ...whoIs(face, detected) });
  }
  return { time, boxes };
}

/** Index of the last one at or before `time`; -1 when there is none. */
function indexAt(list: readonly Analysed[], time: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]!.time <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function overlap(a: FaceBox, b: FaceBox): number {
  const width = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const height = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  return width > 0 && height > 0 ? (width * height) / Math.min(a.width * a.height, b.width * b.height) : 0;
}

const between = (from: number, to: number, part: number): number => from + (to - from) * part;

/** What stays of two sightings of one face: the track, and the name that it has by then. */
function nameOf(before: FaceBox, after: FaceBox): Pick<FaceBox, 'track' | 'name' | 'similarity'> {
  const { track } = before;
  const { name, similarity } = before.name === undefined ? after : before;
  return { ...(track === undefined ? {} : { track }), ...(name === undefined ? {} : { name, similarity: similarity ?? 0 }) };
}

/**
 * The boxes for the picture at `time`. Of a face that was seen before and after it, the place between; of one that was
 * seen in one of the two only, its place, for the half of the time that is nearer to it.
 */
export function boxesAt(list: readonly Analysed[], time: number): FaceBox[] {
  const index = indexAt(list, time);
  const before = list[index];
  const after = list[index + 1];
  if (before?.time === time) return [...before.boxes];
  const joined = before && after && after.time - before.time <= kBetweenMs;
  if (!joined) return before && time - before.time <= kHoldMs ? [...before.boxes] : [];
  const part = (time - before.time) / (after.time - before.time);
  const left = new Set(after.boxes);
  const shown: FaceBox[] = [];
  for (const box of before.boxes) {
    // The one of the same track; or the best partner, a face's width away at most: faces move between two key frames.
    let partner: FaceBox | null = null;
    let best = -Infinity;
    for (const other of left) {
      if (box.track !== undefined && other.track !== undefined) {
        if (box.track !== other.track) continue;
        partner = other;
        break;
      }
      const away = Math.hypot(other.left + other.width / 2 - box.left - box.width / 2, other.top + other.height / 2 - box.top - box.height / 2);
      const reach = Math.max(box.width, box.height, other.width, other.height) * 2;
      const alike = Math.min(box.width, other.width) / Math.max(box.width, other.width);
      const score = overlap(box, other) - away / reach;
      if (away <= reach && alike > 0.5 && score > best) [partner, best] = [other, score];
    }
    if (partner) {
      left.delete(partner);
      shown.push({
        left: between(box.left, partner.left, part), top: between(box.top, partner.top, part),
        width: between(box.width, partner.width, part), height: between(box.height, partner.height, part),
        confidence: Math.min(box.confidence, partner.confidence), ...nameOf(box, partner),
      });
    } else if (part < 0.5) shown.push(box);
  }
  return part < 0.5 ? shown : [...shown, ...left];
}

/** `list` with what it says of [start, end) replaced by `fresh`, in order; one entry for each time. */
export function replaced(list: readonly Analysed[], start: number, end: number, fresh: readonly Analysed[]): Analysed[] {
  const all = [...list.filter((one) => one.time < start || one.time >= end), ...fresh].sort((a, b) => a.time - b.time);
  // Another version of the analyzer may have looked at the same frame: the later record is the newer one.
  return all.filter((one, i) => all[i + 1]?.time !== one.time);
}

/** Where faces were seen, as bars of the timeline; what is closer than two pixels is one bar, none is shorter than two. */
export function faceRuns(list: readonly Analysed[], view: View, width: number): { x: number; width: number }[] {
  const scale = width / (view.end - view.start);
  const runs: { x: number; width: number }[] = [];
  for (let i = Math.max(0, indexAt(list, view.start - kHoldMs)); i < list.length && list[i]!.time < view.end; i += 1) {
    const one = list[i]!;
    if (one.boxes.length === 0) continue;
    const until = Math.min(list[i + 1]?.time ?? Infinity, one.time + kHoldMs);
    if (until <= view.start) continue;
    const from = Math.max(0, (one.time - view.start) * scale);
    const to = Math.min(width, Math.max((until - view.start) * scale, from + 2));
    const last = runs[runs.length - 1];
    if (last && from - (last.x + last.width) < 2) last.width = Math.max(last.width, to - last.x);
    else runs.push({ x: from, width: to - from });
  }
  return runs;
}
