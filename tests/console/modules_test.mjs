// The console's pure modules: times, links, the timeline's arithmetic, coverage, playlists, the rows of the list.
process.env.TZ = 'Europe/Berlin'; // before the first Date: one with summer time

import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { kModulesDir } from './harness.mjs';

const load = (name) => import(pathToFileURL(path.join(kModulesDir, name)).href);
const time = await load('time.js');
const view = await load('timeline/view.js');
const intervals = await load('timeline/intervals.js');
const playlist = await load('player/playlist.js');
const faces = await load('faces/sightings.js');
const hash = await load('hash.js');
const rows = await load('cameras/rows.js');
const words = await load('player/words.js');
const streams = await load('streams/format.js');
const delay = await load('webrtc/delay.js');
const fragment = await load('webrtc/fragment.js');
const ways = await load('player/live_ways.js');
const devices = await load('publish/devices.js');

const kHour = 3_600_000;
const at = (text) => Date.parse(text);

describe('time', () => {
  it('formats durations with the two largest units', () => {
    const cases = [[0, '0 s'], [420, '0.4 s'], [2000, '2 s'], [9940, '9.9 s'], [9960, '10 s'], [59_400, '59 s'], [60_000, '1 min'],
      [245_000, '4 min 5 s'], [12_000_000, '3 h 20 min'], [187_200_000, '2 d 4 h'], [86_400_000, '1 d'], [-5, '0 s']];
    for (const [ms, text] of cases) assert.equal(time.formatDuration(ms), text);
  });
  it('formats local times', () => {
    assert.equal(time.formatDateTime(at('2026-07-01T12:00:03Z')), '2026-07-01 14:00:03');
    assert.equal(time.formatDateTime(at('2026-11-21T12:00:03Z')), '2026-11-21 13:00:03');
    assert.equal(time.formatNear(at('2026-11-21T12:00:03Z'), at('2026-11-21T20:00:00Z')), '13:00:03');
    assert.equal(time.formatNear(at('2026-11-20T12:00:03Z'), at('2026-11-21T20:00:00Z')), '2026-11-20 13:00:03');
    assert.equal(time.formatClock(at('2026-11-21T12:00:03.250Z'), true), '13:00:03.250');
  });
  it('reads the times of links and of the API, and nothing else', () => {
    assert.equal(time.parseTime('2026-11-21T14:03:00.250Z'), at('2026-11-21T14:03:00.250Z'));
    assert.equal(time.parseTime('2026-11-21T14:03:00+02:00'), at('2026-11-21T12:03:00Z'));
    assert.equal(time.parseTime('1795269780.5'), 1795269780500);
    for (const bad of ['', null, undefined, 'yesterday', '2026-11-21', '2026-11-21T14:03', '2026-13-41T99:00:00Z', '-5', '1e9',
      '12345678901234567890']) assert.equal(time.parseTime(bad), null, String(bad));
  });
  it('goes through the input and back', () => {
    const ms = at('2026-03-29T00:59:59Z');
    assert.equal(time.fromInputValue(time.toInputValue(ms)), ms);
    for (const bad of ['', '2026-11-21', 'T12:00', '2026-99-21T14:03:00']) assert.equal(time.fromInputValue(bad), null, bad);
  });
  it('formats sizes and rates', () => {
    assert.deepEqual([0, 999, 1000, 1_234_000, 734_000_000, 5.2e12].map(time.formatBytes),
      ['0 B', '999 B', '1.0 kB', '1.2 MB', '734 MB', '5.2 TB']);
    assert.deepEqual([64_000, 999_400, 999_600, 4_100_000].map(time.formatBitrate),
      ['64 kbit/s', '999 kbit/s', '1.0 Mbit/s', '4.1 Mbit/s']);
  });
});

describe('links', () => {
  it('go out and come back', () => {
    for (const place of [{ stream: 'front-door', time: null }, { stream: 'a.b_c-1', time: at('2026-11-21T14:03:00.250Z') },
      { stream: 'sp ace/ü', time: null }]) assert.deepEqual(hash.readHash(hash.writeHash(place)), place);
  });
  it('are refused when they are none', () => {
    for (const bad of ['', '#', '#/', '#/stream/', '#/stream/a/b', '#/camera/a', '#/stream/%E0%A4%A', 'stream/a']) {
      assert.equal(hash.readHash(bad), null, bad);
    }
  });
  it('with a time that is none are live', () => {
    assert.deepEqual(hash.readHash('#/stream/a?t=soon'), { stream: 'a', time: null });
  });
});

describe('view', () => {
  const one = { start: 0, end: 1000_000 };
  it('maps times to pixels and back', () => {
    assert.equal(view.xOf(one, 500, 250_000), 125);
    assert.equal(view.timeAt(one, 500, 125), 250_000);
  });
  it('zooms about a time that stays in place', () => {
    const zoomed = view.zoomed(one, 0.5, 250_000);
    assert.equal(view.spanOf(zoomed), 500_000);
    assert.equal(view.xOf(zoomed, 1, 250_000), 0.25);
  });
  it('zooms no further than its limits', () => {
    assert.equal(view.spanOf(view.zoomed(one, 1e-9, 0)), view.kSpanMin);
    assert.equal(view.spanOf(view.zoomed(one, 1e9, 0)), view.kSpanMax);
  });
  it('is kept where there is something to see', () => {
    const span = 100;
    for (const wanted of [{ start: -1e6, end: -1e6 + span }, { start: 1e6, end: 1e6 + span }, { start: 500, end: 600 }]) {
      const { start, end } = view.clamped(wanted, 0, 1000);
      assert.equal(end - start, span);
      assert.ok(end > 0 && start < 1000, `${start} to ${end}`);
    }
  });
  it('has ticks at round local times, far enough apart, at every zoom', () => {
    for (let span = 30_000; span < 60 * 24 * kHour; span *= 1.7) {
      const start = at('2026-11-21T03:17:11.5Z');
      const shown = { start, end: start + span };
      const ticks = view.ticksOf(shown, 1000, 80);
      assert.ok(ticks.length >= 1 && ticks.length <= 13, `${ticks.length} ticks in ${span}`);
      for (const [i, tick] of ticks.entries()) {
        assert.ok(tick.time >= shown.start && tick.time <= shown.end);
        assert.equal(tick.time % 1000, 0);
        if (i > 0) assert.ok(view.xOf(shown, 1000, tick.time) - view.xOf(shown, 1000, ticks[i - 1].time) >= 79);
      }
    }
  });
  it('has ticks at midnight on the days when the clock is put forward and back', () => {
    for (const [day, hours] of [['2026-03-29', 23], ['2026-10-25', 25]]) {
      const midnight = new Date(`${day}T00:00:00`).getTime();
      const ticks = view.ticksOf({ start: midnight - 1, end: midnight + hours * kHour }, 4000, 80);
      const major = ticks.filter((tick) => tick.major).map((tick) => tick.time);
      assert.deepEqual(major, [midnight, midnight + hours * kHour]);
    }
  });
  it('does not move its ticks when it is panned by less than a step', () => {
    const start = at('2026-11-21T03:17:11Z');
    const before = view.ticksOf({ start, end: start + 40 * 24 * kHour }, 1000, 80).map((tick) => tick.time);
    const after = view.ticksOf({ start: start + kHour, end: start + kHour + 40 * 24 * kHour }, 1000, 80).map((tick) => tick.time);
    for (const tick of after.slice(0, -1)) assert.ok(before.includes(tick));
  });
});

describe('intervals', () => {
  const recorded = (start, end) => ({ start, end, state: 'recorded' });
  const list = [recorded(100_000, 200_000), recorded(300_000, 400_000), recorded(400_000, 500_000), recorded(900_000, 1000_000)];
  it('are found by time, start included and end not', () => {
    assert.equal(intervals.intervalAt(list, 99_999), null);
    assert.equal(intervals.intervalAt(list, 100_000), list[0]);
    assert.equal(intervals.intervalAt(list, 200_000), null);
    assert.equal(intervals.intervalAt(list, 400_000), list[2]);
    assert.equal(intervals.intervalAt([], 5), null);
  });
  it('lead to the next footage', () => {
    assert.equal(intervals.nextRecorded(list, 0), 100_000);
    assert.equal(intervals.nextRecorded(list, 150_000), 150_000);
    assert.equal(intervals.nextRecorded(list, 200_000), 300_000);
    assert.equal(intervals.nextRecorded(list, 1000_000), null);
    assert.equal(intervals.nextRecorded([{ start: 0, end: 9, state: 'camera_unreachable' }], 1), null);
  });
  it('know the hole around a time', () => {
    assert.deepEqual(intervals.gapAt(list, 250_000), { start: 200_000, end: 300_000 });
    assert.deepEqual(intervals.gapAt(list, 0), { start: null, end: 100_000 });
    assert.deepEqual(intervals.gapAt(list, 2000_000), { start: 1000_000, end: null });
    assert.equal(intervals.gapAt(list, 350_000), null);
  });
  it('have edges only where footage begins or ends', () => {
    assert.deepEqual(intervals.edgesOf(list), [100_000, 200_000, 300_000, 500_000, 900_000, 1000_000]);
    assert.equal(intervals.nextStart(list, 150_000), 300_000);
    assert.equal(intervals.nextStart(list, 950_000), null);
    assert.equal(intervals.previousStart(list, 450_000), 300_000);
    assert.equal(intervals.previousStart(list, 301_000), 100_000);
    assert.equal(intervals.previousStart(list, 100_000), null);
  });
  it('are replaced by what is newer, and joined', () => {
    assert.deepEqual(intervals.replaced([recorded(0, 100)], 50, 200, [recorded(50, 180)]), [recorded(0, 180)]);
    assert.deepEqual(intervals.replaced([recorded(0, 100)], 50, 200, []), [recorded(0, 50)]);
    assert.deepEqual(intervals.replaced([recorded(0, 300)], 100, 200, [{ start: 0, end: 900, state: 'purged' }]),
      [recorded(0, 100), { start: 100, end: 200, state: 'purged' }, recorded(200, 300)]);
    assert.deepEqual(intervals.replaced([], 0, 10, [recorded(20, 30)]), []);
  });
  it('become bars, clipped, never thinner than a pixel, joined where nobody could see between', () => {
    const shown = { start: 0, end: 1000_000 };
    assert.deepEqual(intervals.runsOf(list, shown, 1000), [{ x: 100, width: 100 }, { x: 300, width: 200 }, { x: 900, width: 100 }]);
    assert.deepEqual(intervals.runsOf([recorded(500_000, 500_001)], shown, 1000), [{ x: 500, width: 1 }]);
    assert.deepEqual(intervals.runsOf([recorded(-5, 5e6)], shown, 1000), [{ x: 0, width: 1000 }]);
    const many = Array.from({ length: 10_000 }, (_, i) => recorded(i * 100, i * 100 + 99));
    assert.equal(intervals.runsOf(many, shown, 1000).length, 1);
  });
});

describe('playlist', () => {
  const text = ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-TARGETDURATION:10', '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=6.5',
    '#EXT-X-MAP:URI="init-1.mp4"', '#EXT-X-PROGRAM-DATE-TIME:2026-11-21T14:00:00.000Z', '#EXTINF:2.000,', '1.m4s', '#EXTINF:2.5,', '2.m4s',
    '#EXT-X-DISCONTINUITY', '#EXT-X-PROGRAM-DATE-TIME:2026-11-21T15:00:00.000+01:00', '#EXTINF:1,', '3.m4s',
    '#EXT-X-PROGRAM-DATE-TIME:2026-11-21T15:00:00.000Z', '#EXTINF:4,', '4.m4s', '#EXT-X-ENDLIST', ''].join('\r\n');
  const facts = playlist.readPlaylist(text);
  const t = at('2026-11-21T14:00:00Z');
  it('is read for its times', () => {
    assert.deepEqual(facts.pieces.map((p) => [p.start, p.wall - t]), [[0, 0], [2, 2000], [4.5, 0], [5.5, kHour]]);
    assert.deepEqual([facts.total, facts.longest, facts.holdBack, facts.ended, facts.hasStart], [9.5, 4, 6.5, true, false]);
  });
  it('without sense is no times', () => {
    for (const bad of ['', '#EXTM3U', 'not a playlist\nat all', '#EXTM3U\n#EXTINF:x,\n1.m4s', '#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:soon\n#EXTINF:1,\na']) {
      assert.deepEqual(playlist.readPlaylist(bad).pieces, [], bad);
    }
  });
  it('maps media time to wall-clock time across a gap', () => {
    assert.equal(playlist.wallAt(facts.pieces, 3), t + 3000);
    assert.equal(playlist.wallAt(facts.pieces, 5.5), t + kHour);
    assert.equal(playlist.wallAt(facts.pieces, 7), t + kHour + 1500);
    assert.equal(playlist.wallAt(facts.pieces, 99), t + kHour + 5000);
    assert.equal(playlist.wallAt([], 0), null);
  });
  it('maps wall-clock time to media time; what is in a gap is what comes after it', () => {
    const pieces = playlist.readPlaylist(text.replace('2026-11-21T15:00:00.000+01:00', '2026-11-21T14:30:00Z')).pieces;
    assert.equal(playlist.mediaAt(pieces, t + 1500), 1.5);
    assert.equal(playlist.mediaAt(pieces, t + 10_000), 4.5);
    assert.equal(playlist.mediaAt(pieces, t + kHour), 5.5);
    assert.equal(playlist.mediaAt(pieces, t - 1), null);
    assert.equal(playlist.mediaAt(pieces, t - 500, 1000), 0);
    assert.equal(playlist.mediaAt(pieces, t + kHour + 4000), null);
  });
  it('is given a start, in place of one it had', () => {
    const once = playlist.withStart(text, 3);
    assert.match(once, /^#EXTM3U\r\n#EXT-X-START:TIME-OFFSET=3\.000,PRECISE=YES\n/);
    const twice = playlist.withStart(once, 4.5);
    assert.equal(twice.match(/EXT-X-START/g).length, 1);
    assert.ok(playlist.readPlaylist(twice).hasStart);
  });
});

describe('rows', () => {
  const now = at('2026-11-21T14:00:00Z');
  const camera = (name, more = {}) => ({
    name, stream: name, url: 'rtsp://10.0.0.9/x', state: 'recording', last_error: null, next_retry: null, labels: {}, tracks: [],
    frame_rate: null, bitrate_bps: null, ...more,
  });
  const stream = (name, more = {}) => ({ name, bytes: 1_500_000, live: false, ...more });
  it('are cameras, then the streams that no camera feeds', () => {
    const list = rows.rowsOf([camera('a', { stream: 's' }), camera('b')], [stream('old'), stream('s')]);
    assert.deepEqual(list.map((r) => [r.name, r.streamName, r.stream?.name ?? null]), [['a', 's', 's'], ['b', 'b', null], ['old', 'old', 'old']]);
  });
  it('are filtered by every word, in names, addresses and labels', () => {
    const list = rows.rowsOf([camera('front-door', { labels: { place: 'Hall' } }), camera('garden')], []);
    for (const [filter, names] of [['', 2], ['FRONT', 1], ['hall door', 1], ['hall garden', 0], ['10.0.0.9', 2]]) {
      assert.equal(rows.filtered(list, filter).length, names, filter);
    }
  });
  it('say their state, the last error and the time to the next try', () => {
    const say = (more) => Object.values(rows.wordsOf(rows.rowsOf([camera('a', more)], [])[0], now));
    const retry = '2026-11-21T14:00:12.000Z';
    assert.deepEqual(say({ state: 'waiting', last_error: 'connection refused', next_retry: retry }),
      ['bad', 'Waiting', 'connection refused; next try in 12 s']);
    assert.deepEqual(say({ state: 'unauthorized', next_retry: retry }), ['bad', 'Unauthorized', 'user or password is wrong; next try in 12 s']);
    assert.deepEqual(say({ state: 'failed', last_error: 'no video' }), ['bad', 'Failed', 'no video']);
    assert.deepEqual(say({ state: 'disabled' }), ['off', 'Disabled', '']);
    assert.deepEqual(say({ tracks: [{ kind: 'video', codec: 'h265', width: 1920, height: 1080 }], frame_rate: 25, bitrate_bps: 4_100_000 }),
      ['good', 'Recording', 'H.265 · 1920×1080 · 25 fps · 4.1 Mbit/s']);
    assert.deepEqual(say({ state: 'brand_new_state' })[1], 'brand_new_state');
    assert.equal(rows.retryWords('2026-11-21T13:59:00Z', now), 'next try now');
    assert.equal(rows.retryWords('soon', now), '');
  });
});

describe('words', () => {
  it('name codecs', () => {
    const cases = [['avc1.64001f', 'H.264'], ['h264', 'H.264'], ['hvc1.1.6.L93.B0', 'H.265'], ['mp4a.40.2', 'AAC'], ['opus', 'Opus'],
      ['vp09.00.10.08', 'VP9'], ['av01.0.04M.08', 'AV1'], ['xyz1', 'xyz1']];
    for (const [codec, name] of cases) assert.equal(words.codecName(codec), name);
  });
  it('say what a browser cannot play, and only that', () => {
    assert.equal(words.unplayable(['avc1.64001f', 'mp4a.40.2'], () => true), null);
    assert.match(words.unplayable(['hvc1.1.6.L93.B0', ''], () => false), /cannot play H\.265\..*no decoder.*Safari.*export.*H\.264/);
    assert.doesNotMatch(words.unplayable(['av01.0.04M.08'], () => false), /Safari/);
  });
});

describe('faces', () => {
  const box = (left, more = {}) => ({ left, top: 0.2, width: 0.1, height: 0.2, confidence: 90, ...more });
  const record = (seconds, offset, boxes) => ({
    InputInformation: { KinesisVideo: { ProducerTimestamp: seconds, FrameOffsetInSeconds: offset } },
    FaceSearchResponse: boxes.map((b) => ({
      DetectedFace: { BoundingBox: { Left: b.left, Top: b.top, Width: b.width, Height: b.height }, Confidence: b.confidence },
    })),
  });

  it('are read from the records', () => {
    assert.deepEqual(faces.readRecord(record(1795269780.25, 0.04, [box(0.3)])), { time: 1795269780290, boxes: [box(0.3)] });
    assert.deepEqual(faces.readRecord(record(5, 0, [])), { time: 5000, boxes: [] });
  });
  it('are not read from anything else', () => {
    for (const bad of [null, 7, 'x', [], {}, { FaceSearchResponse: [] }, { InputInformation: {}, FaceSearchResponse: [] },
      { InputInformation: { KinesisVideo: {} }, FaceSearchResponse: [] }, { ...record(5, 0, []), FaceSearchResponse: 'none' },
      { InputInformation: { KinesisVideo: { ProducerTimestamp: 5, FrameOffsetInSeconds: 0 } }, StreamProcessorInformation: { Status: 'SKIPPED' } }]) {
      assert.equal(faces.readRecord(bad), null, JSON.stringify(bad));
    }
    const crooked = record(5, 0, [box(0.1), box(Number.NaN), box(0.1, { width: -1 })]);
    crooked.FaceSearchResponse.push(null, {}, { DetectedFace: {} });
    assert.deepEqual(faces.readRecord(crooked).boxes, [box(0.1)]);
  });
  it('say who they are, where somebody is known', () => {
    const known = record(5, 0, [box(0.1), box(0.5)]);
    known.FaceSearchResponse[0].DetectedFace.TrackId = 'one';
    known.FaceSearchResponse[0].MatchedFaces = [{ Similarity: 97.4, Face: { ExternalImageId: 'ada' } }, { Similarity: 81, Face: { ExternalImageId: 'leo' } }];
    assert.deepEqual(faces.readRecord(known).boxes, [{ ...box(0.1), track: 'one', name: 'ada', similarity: 97.4 }, box(0.5)]);
    for (const bad of [null, 'ada', [null], [{}], [{ Face: null }], [{ Face: { ExternalImageId: 7 } }]]) {
      known.FaceSearchResponse[0].MatchedFaces = bad;
      assert.deepEqual(faces.readRecord(known).boxes[0], { ...box(0.1), track: 'one' }, JSON.stringify(bad));
    }
  });
  it('are followed by their tracks, however far they went', () => {
    const list = [{ time: 1000, boxes: [box(0.1, { track: 'a', name: 'ada', similarity: 90 }), box(0.8, { track: 'b' })] },
      { time: 3000, boxes: [box(0.1, { track: 'b' }), box(0.8, { track: 'a' })] }];
    assert.deepEqual(faces.boxesAt(list, 1500).map((b) => [b.track, b.name, Math.round(b.left * 1000)]),
      [['a', 'ada', 275], ['b', undefined, 625]]);
    const other = [{ time: 1000, boxes: [box(0.1, { track: 'a' })] }, { time: 3000, boxes: [box(0.12, { track: 'c' })] }];
    assert.deepEqual(faces.boxesAt(other, 1900).map((b) => b.track), ['a']);
  });
  it('stand where they were seen, and between two places while they go from one to the other', () => {
    const list = [{ time: 1000, boxes: [box(0.2)] }, { time: 3000, boxes: [box(0.3)] }, { time: 5000, boxes: [] }];
    const left = (time) => faces.boxesAt(list, time).map((b) => Math.round(b.left * 1000) / 1000);
    assert.deepEqual([999, 1000, 2000, 2500, 3000, 3900, 4100, 5000].map(left),
      [[], [0.2], [0.25], [0.275], [0.3], [0.3], [], []]);
    assert.deepEqual(faces.boxesAt([], 5), []);
  });
  it('do not stay for ever, nor jump from one person to another', () => {
    const alone = [{ time: 1000, boxes: [box(0.2)] }];
    assert.equal(faces.boxesAt(alone, 2400).length, 1);
    assert.equal(faces.boxesAt(alone, 2600).length, 0);
    const apart = [{ time: 1000, boxes: [box(0.1)] }, { time: 3000, boxes: [box(0.8)] }];
    assert.deepEqual(faces.boxesAt(apart, 1800).map((b) => b.left), [0.1]);
    assert.deepEqual(faces.boxesAt(apart, 2200).map((b) => b.left), [0.8]);
    const two = [{ time: 1000, boxes: [box(0.1), box(0.6)] }, { time: 3000, boxes: [box(0.7), box(0.2)] }];
    assert.deepEqual(faces.boxesAt(two, 2000).map((b) => Math.round(b.left * 100)), [15, 65]);
    const long = [{ time: 0, boxes: [box(0.1)] }, { time: 60_000, boxes: [box(0.1)] }];
    assert.deepEqual(faces.boxesAt(long, 30_000), []);
  });
  it('are replaced, each time once', () => {
    const list = [1, 2, 3, 4].map((n) => ({ time: n * 1000, boxes: [] }));
    const fresh = [{ time: 2500, boxes: [box(0.1)] }, { time: 2500, boxes: [box(0.2)] }];
    assert.deepEqual(faces.replaced(list, 2000, 4000, fresh).map((one) => [one.time, one.boxes[0]?.left]),
      [[1000, undefined], [2500, 0.2], [4000, undefined]]);
  });
  it('become bars of the timeline', () => {
    const list = [0, 1, 2, 10, 11, 50].map((n) => ({ time: n * 1000, boxes: n === 11 ? [] : [box(0.1)] }));
    assert.deepEqual(faces.faceRuns(list, { start: 0, end: 100_000 }, 1000),
      [{ x: 0, width: 35 }, { x: 100, width: 10 }, { x: 500, width: 15 }]);
    assert.deepEqual(faces.faceRuns(list, { start: 60_000, end: 90_000 }, 1000), []);
    assert.deepEqual(faces.faceRuns([{ time: 5000, boxes: [box(0.1)] }], { start: 0, end: 100_000_000 }, 1000)
      .map((run) => [run.x.toFixed(3), run.width.toFixed(3)]), [['0.050', '2.000']]);
  });
});

describe('data streams', () => {
  const record = (more) => ({ text: null, hex: null, truncated: false, ...more });
  it('have links of their own', () => {
    for (const name of ['', 'events', 'a/b ü']) assert.equal(hash.readStreamsHash(hash.writeStreamsHash(name)), name);
    for (const other of ['', '#/', '#/stream/streams', '#/streamsx', '#/streams/a/b']) assert.equal(hash.readStreamsHash(other), null, other);
    assert.equal(hash.readStreamsHash('#/streams/%ff'), '');
    assert.equal(hash.readHash('#/streams/events'), null);
  });
  it('are put into words', () => {
    assert.deepEqual([0, 1 / 3, 0.125, 1, 0.0001].map(streams.formatShare), ['0%', '33.3%', '12.5%', '100%', '0.01%']);
    assert.deepEqual([0, 0.44, 340, 12_000, 3e6].map(streams.formatCount), ['0', '0.4', '340', '12.0 k', '3.0 M']);
    assert.equal(streams.shortShard('shardId-000000000010'), '10');
    assert.equal(streams.shortShard('shardId-000000000000'), '0');
    assert.equal(streams.formatRate({ records_per_second: null, bytes_per_second: null }), '');
  });
  it('are split in the middle, and merged with the next open shard', () => {
    const shard = { first_hash_key: '0', last_hash_key: String(2n ** 128n - 1n), open: true };
    assert.equal(streams.middleOf(shard), String(2n ** 127n));
    const [a, b] = [{ first_hash_key: '0', last_hash_key: '9', open: true }, { first_hash_key: '10', last_hash_key: '19', open: true }];
    assert.equal(streams.nextOf(a, [a, b]), b);
    assert.equal(streams.nextOf(b, [a, b]), null);
    assert.equal(streams.nextOf(a, [a, { ...b, open: false }]), null);
  });
  it('show their records as JSON, text or bytes', () => {
    assert.deepEqual(streams.previewOf(record({ text: '{"a":[1]}' })), { line: '{"a":[1]}', whole: '{\n  "a": [\n    1\n  ]\n}', kind: 'JSON' });
    assert.equal(streams.previewOf(record({ text: '{"a":' })).kind, 'text');
    assert.equal(streams.previewOf(record({ text: '[1]', truncated: true })).kind, 'text');
    assert.equal(streams.previewOf(record({ text: 'a\nb\tc' })).line, 'a b c');
    assert.deepEqual(streams.previewOf(record({ hex: '00ff10' })), { line: '00 ff 10', whole: '00 ff 10', kind: 'bytes' });
    assert.equal(streams.previewOf(record({ hex: 'ab'.repeat(32) })).whole.split('\n').length, 2);
    assert.equal(Buffer.from(streams.toBase64('grün\u0000'), 'base64').toString(), 'grün\u0000');
  });
});

describe('the delay of WebRTC', () => {
  const kNow = Date.UTC(2026, 10, 21, 14);
  const kNtp = 2_208_988_800_000;
  const video = { type: 'inbound-rtp', kind: 'video', framesDecoded: 100, totalProcessingDelay: 4, bytesReceived: 5000, framesPerSecond: 25,
    codecId: 'c1' };
  const pair = { type: 'candidate-pair', nominated: true, state: 'succeeded', currentRoundTripTime: 0.02 };
  const report = { type: 'remote-outbound-rtp', kind: 'video', timestamp: kNow - 3000, remoteTimestamp: kNow - 3000 + 90_000 };
  const codec = { type: 'codec', id: 'c1', mimeType: 'video/H264' };

  it('is that of the picture\'s own time, by the server\'s clock, however wrong this machine\'s is', () => {
    // The server is 90 s and half a round trip ahead of this machine; the picture was taken 150 ms ago.
    const shown = { ...video, estimatedPlayoutTimestamp: kNow + 90_010 - 150 + kNtp };
    const found = delay.delayOf(delay.readStats([shown, pair, report, codec], kNow), null);
    assert.deepEqual({ ...found, ms: Math.round(found.ms) }, { ms: 150, fromCapture: true });
    assert.match(delay.delayWords(found), /time stamps/);
  });
  it('is from the server on where the picture\'s time is not known, over what came since the last look', () => {
    const before = delay.readStats([video, pair], kNow);
    const now = delay.readStats([{ ...video, framesDecoded: 125, totalProcessingDelay: 5 }, pair], kNow + 1000);
    assert.deepEqual(delay.delayOf(now, before), { ms: 10 + 40, fromCapture: false });
    assert.deepEqual(delay.delayOf(before, null), { ms: 10 + 40, fromCapture: false });
    assert.match(delay.delayWords({ ms: 50, fromCapture: false }), /from the server to this screen/);
  });
  it('is not known before there is something to tell it by, or by clocks that make no sense', () => {
    assert.equal(delay.delayOf(delay.readStats([], kNow), null), null);
    assert.equal(delay.delayOf(delay.readStats([video], kNow), null), null);
    assert.equal(delay.delayOf(delay.readStats([{ ...video, framesDecoded: 0 }, pair], kNow), null), null);
    for (const playout of [0, kNow + kNtp - 3_600_000, kNow + kNtp + 900_000]) {
      const found = delay.delayOf(delay.readStats([{ ...video, estimatedPlayoutTimestamp: playout }, pair, report], kNow), null);
      assert.equal(found.fromCapture, false, `${playout}`);
    }
  });
  it('comes with what plays', () => {
    const audio = { type: 'inbound-rtp', kind: 'audio', packetsReceived: 3, bytesReceived: 70, codecId: 'c2' };
    const read = delay.readStats([video, audio, codec, { type: 'codec', id: 'c2', mimeType: 'audio/opus' }], kNow);
    assert.deepEqual([read.codecs, read.bytes, read.frameRate, read.hasAudio], [['H264', 'opus'], 5070, 25, true]);
  });
});

describe('trickled candidates', () => {
  const sdp = ['v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=ice-ufrag:u1', 'a=ice-pwd:p1', 'a=mid:0',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=ice-ufrag:u1', 'a=ice-pwd:p1', 'a=mid:1', ''].join('\r\n');
  it('stand under the media that they belong to', () => {
    assert.equal(fragment.candidatesFragment(sdp, [{ mid: '1', line: 'candidate:2' }, { mid: '0', line: 'candidate:1' }], true),
      'a=ice-ufrag:u1\r\na=ice-pwd:p1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=candidate:1\r\n'
      + 'm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=candidate:2\r\na=end-of-candidates\r\n');
  });
  it('of media that the offer does not have are left out', () => {
    assert.equal(fragment.candidatesFragment(sdp, [{ mid: '7', line: 'candidate:1' }], false), 'a=ice-ufrag:u1\r\na=ice-pwd:p1\r\n');
  });
});

describe('the ways of live', () => {
  it('are WebRTC until that has failed, and again later', () => {
    const live = new ways.LiveWays();
    assert.equal(live.whyHls('door', 0), null);
    live.failed('door', 'unfit', 'B-frames', 0);
    assert.equal(live.whyHls('door', 299_999).words, 'B-frames');
    assert.equal(live.whyHls('door', 300_001), null);
    assert.equal(live.whyHls('gate', 1), null, 'another stream may do');
    live.failed('gate', 'path', 'no way', 0);
    assert.equal(live.whyHls('yard', 1).words, 'no way', 'the network is that of all');
    live.connected();
    assert.equal(live.whyHls('yard', 1), null);
    live.forget('door');
    assert.equal(live.whyHls('door', 1), null);
  });
  it('wait longer each time, within limits, and forget what was long ago', () => {
    const live = new ways.LiveWays();
    const waits = [];
    let now = 0;
    for (let i = 0; i < 12; i += 1) {
      const { until } = live.failed('door', 'lost', 'lost', now);
      waits.push(until - now);
      now = until + 10;
    }
    assert.deepEqual(waits.slice(0, 4), [2000, 4000, 8000, 16_000]);
    assert.equal(waits.at(-1), 600_000);
    assert.equal(live.failed('door', 'lost', 'lost', now + 120_000).until - now - 120_000, 2000);
  });
});

describe('devices', () => {
  it('are asked for as they were chosen', () => {
    assert.deepEqual(devices.constraintsOf({ camera: 'c', microphone: null, height: 720 }), {
      video: { deviceId: { exact: 'c' }, width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } }, audio: false });
    assert.deepEqual(devices.constraintsOf({ camera: null, microphone: '', height: 360 }), { video: false, audio: {} });
  });
  it('that the browser does not give are explained', () => {
    for (const [name, words] of [['NotAllowedError', /allow/], ['NotFoundError', /no such/], ['NotReadableError', /another program/],
      ['OverconstrainedError', /another one/], ['AbortError', /gives no camera/]]) {
      assert.match(devices.deviceFailure(new DOMException('x', name)), words);
    }
  });
});
