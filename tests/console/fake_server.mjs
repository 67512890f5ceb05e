// A small stand-in for `millrace serve`: the API of docs/http-api.md with made-up cameras, and real fMP4 HLS made at test
// time by ffmpeg. It serves the built console under the content security policy that the server uses.
//
// The footage is one loop of one-second fragments (key frame each, B-frames, AAC); fragment n of a stream shows second n
// since 1970, so a fragment's number says its time. Where a stream has footage is a list of intervals.
//
//   node fake_server.mjs CONSOLE_DIST [PORT]      serves until it is stopped; prints its address
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { FakeDataStreams } from './fake_data_streams.mjs';
import { FakeWebrtc } from './fake_webrtc.mjs';

const kLoopSeconds = 20;
export const kFaceSeconds = 15; // of each loop's 20: a face is in the picture
const kLiveWindow = 20; // fragments in a live playlist
export const kPolicy = "default-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'; "
  + "img-src 'self' data: blob:; style-src 'self'";

const kTypes = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** One loop of footage: { init: Buffer, fragments: Buffer[] }. */
function makeFootage(directory) {
  const made = spawnSync('ffmpeg', [
    '-hide_banner', '-loglevel', 'error', '-y',
    '-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=25:duration=${kLoopSeconds}`,
    '-f', 'lavfi', '-i', `sine=frequency=440:sample_rate=48000:duration=${kLoopSeconds}`,
    '-c:v', 'libx264', '-preset', 'veryfast', '-profile:v', 'main', '-pix_fmt', 'yuv420p', '-g', '25', '-bf', '2',
    '-sc_threshold', '0', '-x264-params', 'open-gop=0', '-b:v', '800k', '-c:a', 'aac', '-b:a', '64k',
    '-f', 'hls', '-hls_time', '1', '-hls_list_size', '0', '-hls_playlist_type', 'vod', '-hls_segment_type', 'fmp4',
    '-hls_fmp4_init_filename', 'init.mp4', '-hls_segment_filename', path.join(directory, '%03d.m4s'),
    path.join(directory, 'index.m3u8'),
  ], { encoding: 'utf8', timeout: 180_000 });
  if (made.status !== 0) throw new Error(`ffmpeg: ${made.stderr}`);
  const fragments = [];
  for (let i = 0; i < kLoopSeconds; i += 1) {
    fragments.push(fs.readFileSync(path.join(directory, `${String(i).padStart(3, '0')}.m4s`)));
  }
  return { init: fs.readFileSync(path.join(directory, 'init.mp4')), fragments };
}

/** Calls visit(type, start, end) for each box in [start, end), and descends into the containers named. */
function walkBoxes(bytes, start, end, containers, visit) {
  for (let at = start; at + 8 <= end;) {
    const size = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (size < 8) return;
    visit(type, at + 8, at + size);
    if (containers.includes(type)) walkBoxes(bytes, at + 8, at + size, containers, visit);
    at += size;
  }
}

/** Track number to timescale. */
function timescales(init) {
  const scales = new Map();
  let track = 0;
  walkBoxes(init, 0, init.length, ['moov', 'trak', 'mdia'], (type, at) => {
    if (type === 'tkhd') track = init.readUInt32BE(at + (init[at] === 1 ? 20 : 12));
    if (type === 'mdhd') scales.set(track, init.readUInt32BE(at + (init[at] === 1 ? 20 : 12)));
  });
  return scales;
}

/** The fragment with its decode times `seconds` later. */
function shifted(fragment, scales, seconds) {
  const bytes = Buffer.from(fragment);
  let track = 0;
  walkBoxes(bytes, 0, bytes.length, ['moof', 'traf'], (type, at) => {
    if (type === 'tfhd') track = bytes.readUInt32BE(at + 4);
    if (type === 'tfdt') {
      const add = seconds * scales.get(track);
      if (bytes[at] === 1) bytes.writeBigUInt64BE(bytes.readBigUInt64BE(at + 4) + BigInt(add), at + 4);
      else bytes.writeUInt32BE(bytes.readUInt32BE(at + 4) + add, at + 4);
    }
  });
  return bytes;
}

const iso = (ms) => new Date(ms).toISOString();
const seconds = (ms) => Math.floor(ms / 1000);

export class FakeServer {
  constructor(dist) {
    this.dist = dist;
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-console-'));
    this.footage = makeFootage(this.directory);
    this.scales = timescales(this.footage.init);
    this.started = Date.now();
    this.requests = []; // "GET /path"
    this.codecs = 'avc1.4d401e,mp4a.40.2'; // what playlists say; the footage is H.264 with AAC
    this.bodies = []; // of puts
    this.key = null; // { id, secret }: who does not log in with it gets a 401
    this.forbid = null; // what everybody who has logged in may not do, in words
    this.hlsRefusal = null; // { status, code, message }: answered to every playlist
    this.refuse = null; // { status, code, message }: answered to every put and delete of a camera
    this.fleetEmpty = false;
    this.dataStreams = new FakeDataStreams();
    this.webrtc = new FakeWebrtc();
    this.reset();
  }

  /** Cameras and footage as at the start. Offsets are minutes before the start; null is "until now". */
  reset() {
    const at = (minutes) => Math.floor((this.started - minutes * 60_000) / 1000) * 1000;
    const camera = (name, more) => ({
      name, url: `rtsp://192.168.1.20/${name}`, stream: name, transport: 'tcp', analyzers: [], retention_hours: 168,
      labels: {}, enabled: true, has_credentials: false, state: 'recording', state_since: iso(at(30)), last_error: null,
      next_retry: null, connects: 1, frames: 45000, bytes: 9_000_000, bitrate_bps: 870_000, frame_rate: 25,
      last_frame: iso(Date.now()), clock: 'camera',
      tracks: [{ number: 1, kind: 'video', codec: 'h264', width: 640, height: 360 },
        { number: 2, kind: 'audio', codec: 'aac', sample_rate: 48000, channels: 1 }],
      ...more,
    });
    const still = { bitrate_bps: null, frame_rate: null, last_frame: null };
    this.cameras = new Map([
      camera('front-door', { has_credentials: true, labels: { place: 'entrance' } }),
      camera('garden', { state: 'connecting', tracks: [], ...still }),
      camera('garage', { ...still, state: 'waiting', last_error: 'connection refused by 192.168.1.23:554',
        next_retry: () => iso(Date.now() + 14_000 - (Date.now() % 14_000)) }),
      camera('gate', { ...still, state: 'unauthorized', last_error: 'the camera refuses user or password', tracks: [],
        next_retry: () => iso(Date.now() + 71_000) }),
      camera('attic', { ...still, state: 'disabled', enabled: false, tracks: [] }),
    ].map((c) => [c.name, c]));
    // Stream to the place of the face in it, as parts of the picture.
    this.faces = new Map([['front-door', { Left: 0.55, Top: 0.3, Width: 0.2, Height: 0.4 }]]);
    // Stream to footage [start, end), ms; end null: it grows.
    this.streams = new Map([
      ['front-door', [[at(300), at(200)], [at(180), at(20)], [at(15), null]]],
      ['garage', [[at(400), at(90)]]],
      ['old-porch', [[at(3000), at(2900)]]],
    ]);
  }

  async listen(port = 0) {
    this.server = http.createServer((request, response) => this.serve(request, response));
    this.server.keepAliveTimeout = 1000;
    await new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    return `http://127.0.0.1:${this.port}`;
  }

  /** Away: the port refuses, as when the process is gone. listen(port) brings it back. */
  async away() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  async close() {
    await this.away();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  intervals(stream) {
    // What is being recorded ends a second ago: the fragment after that is open.
    const edge = seconds(Date.now()) * 1000 - 1000;
    return (this.streams.get(stream) ?? []).map(([start, end]) => [start, end ?? edge]);
  }

  live(stream) {
    return (this.streams.get(stream) ?? []).some(([, end]) => end === null);
  }

  serve(request, response) {
    const url = new URL(request.url, 'http://127.0.0.1');
    this.requests.push(`${request.method} ${request.url}`);
    const parts = url.pathname.split('/').slice(1).map(decodeURIComponent);
    const json = (status, body) => {
      const text = JSON.stringify(body);
      response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store' });
      response.end(text);
    };
    const error = (status, code, message) => json(status, { error: { code, message } });
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      try {
        const text = Buffer.concat(chunks).toString();
        if (parts[0] === 'v1' && !this.admits(request, url, text, response, error)) return;
        if (parts[0] === 'v1' && parts[1] === 'data-streams') this.dataStreams.get(parts.slice(2), url.searchParams, json, error);
        else if (request.method === 'POST' && url.pathname === '/') this.dataStreams.call(request.headers['x-amz-target'], JSON.parse(text), json);
        else if (parts[0] === 'v1') this.api(request.method, parts.slice(1), url.searchParams, text, json, error);
        else if (parts[0] === 'whip' || parts[0] === 'whep') void this.webrtc.serve(request, parts, text, response, error);
        else if (parts[0] === 'hls') this.hls(parts[1], parts[2], url, response, error);
        else this.file(url.pathname, response, error);
      } catch (problem) {
        error(500, 'internal', String(problem?.stack ?? problem));
      }
    });
  }

  /** False: it is answered. A session is a cookie that says whose it is, as of a server with users. */
  admits(request, url, text, response, error) {
    if (!this.key) return true;
    if (url.pathname === '/v1/session') {
      const login = JSON.parse(text);
      if (login.access_key_id !== this.key.id || login.secret_access_key !== this.key.secret) {
        error(401, 'unauthenticated', 'there is no such access key, or its secret is another');
      } else {
        response.writeHead(200, { 'content-type': 'application/json', 'set-cookie': `millrace_session=${this.key.id}; Path=/; HttpOnly; SameSite=Strict` });
        response.end(JSON.stringify({ user: 'ann', token: 't', expires: iso(Date.now() + 1000) }));
      }
      return false;
    }
    const known = (request.headers.cookie ?? '').includes(`millrace_session=${this.key.id}`);
    if (!known) error(401, 'unauthenticated', 'MissingAuthenticationTokenException: Missing Authentication Token');
    else if (this.forbid) error(403, 'permission_denied', this.forbid);
    return known && !this.forbid;
  }

  api(method, parts, query, body, json, error) {
    const cameraJson = (camera) => Object.fromEntries(
      Object.entries(camera).map(([key, value]) => [key, typeof value === 'function' ? value() : value]));
    const streamJson = (name) => {
      const list = this.intervals(name);
      return {
        name, created: iso(this.started - 86_400_000), retention_hours: 168, fragments: list.length * 60, bytes: 734_000_000,
        first: list.length > 0 ? iso(list[0][0]) : null, last: list.length > 0 ? iso(list[list.length - 1][1]) : null,
        live: this.live(name), camera: [...this.cameras.values()].find((c) => c.stream === name)?.name ?? null,
      };
    };
    const [what, name, more] = parts;
    if (this.fleetEmpty && method === 'GET' && !name) return json(200, { [what]: [] });
    if (what === 'cameras' && !name) return json(200, { cameras: [...this.cameras.values()].map(cameraJson) });
    if (what === 'cameras' && method === 'PUT') {
      if (this.refuse) return error(this.refuse.status, this.refuse.code, this.refuse.message);
      const settings = JSON.parse(body);
      this.bodies.push(settings);
      if (!/^rtsps?:\/\//.test(settings.url ?? '')) {
        return error(400, 'invalid_argument', `url '${settings.url ?? ''}' is not rtsp:// or rtsps://: give the camera's RTSP address`);
      }
      const { username, password, ...rest } = settings;
      const old = this.cameras.get(name);
      const camera = { ...(old ?? { ...this.cameras.get('attic'), name, state: 'connecting', connects: 0 }), stream: name, ...rest };
      if (username !== undefined) camera.has_credentials = username !== '';
      if (password !== undefined && password.length === 0 && username) return error(400, 'invalid_argument', 'the password is empty');
      this.cameras.set(name, camera);
      return json(old ? 200 : 201, cameraJson(camera));
    }
    if (what === 'cameras' && method === 'DELETE') {
      if (!this.cameras.delete(name)) return error(404, 'not_found', `camera '${name}' does not exist; GET /v1/cameras lists them`);
      if (query.get('footage') === 'purge') this.streams.delete(name);
      return json(200, { footage: query.get('footage') ?? 'keep', kept_until: query.get('footage') === 'purge' ? null : iso(Date.now() + 6048e5) });
    }
    if (what === 'streams' && !name) return json(200, { streams: [...this.streams.keys()].sort().map(streamJson) });
    if (what === 'streams' && !this.streams.has(name)) return error(404, 'not_found', `stream '${name}' does not exist; GET /v1/streams lists them`);
    if (what === 'streams' && method === 'DELETE') {
      this.streams.delete(name);
      return json(200, {});
    }
    if (what === 'streams' && !more) return json(200, streamJson(name));
    if (what === 'streams' && more === 'coverage') {
      const end = Date.parse(query.get('end') ?? iso(Date.now()));
      const start = Date.parse(query.get('start') ?? iso(end - 86_400_000));
      const intervals = [];
      let at = start;
      for (const [from, to] of this.intervals(name).filter(([from, to]) => to > start && from < end)) {
        if (from > at) intervals.push({ start: iso(at), end: iso(from), state: 'gap', cause: 'network_loss', detail: 'as told' });
        intervals.push({ start: iso(from), end: iso(to), state: 'recorded' });
        at = to;
      }
      if (at < end) intervals.push({ start: iso(at), end: iso(end), state: 'gap', cause: 'server_down' });
      return json(200, { start: iso(start), end: iso(end), intervals });
    }
    if (what === 'streams' && more === 'faces') return json(200, this.facesPage(name, query));
    return error(404, 'not_found', `there is no ${method} /v1/${parts.join('/')}`);
  }

  /** As the face analyzer would have written them: a frame a second; of each 20 s the first 15 show one face. */
  facesPage(stream, query) {
    const [start, end] = ['start', 'end'].map((key) => Date.parse(query.get(key)));
    const limit = Number(query.get('limit') ?? 100);
    const from = query.has('next') ? Number(query.get('next')) : Math.ceil(start / 1000);
    const records = [];
    let next = null;
    const has = (n) => (this.faces.get(stream) ?? false) && this.intervals(stream).some(([a, b]) => n * 1000 >= a && n * 1000 < b);
    for (let n = from; n * 1000 < end; n += 1) {
      if (!has(n)) continue;
      if (records.length === limit) {
        next = String(n);
        break;
      }
      const face = { DetectedFace: { BoundingBox: this.faces.get(stream), Confidence: 91.2, Landmarks: [] }, MatchedFaces: [] };
      records.push({
        InputInformation: { KinesisVideo: { StreamArn: '', FragmentNumber: String(n).padStart(47, '0'), ServerTimestamp: n + 0.2,
          ProducerTimestamp: n, FrameOffsetInSeconds: 0 } },
        StreamProcessorInformation: { Status: 'RUNNING' },
        FaceSearchResponse: n % kLoopSeconds < kFaceSeconds ? [face] : [],
      });
    }
    return { records, next };
  }

  hls(stream, file, url, response, error) {
    if (!this.streams.has(stream)) return error(404, 'not_found', `stream '${stream}' does not exist; GET /v1/streams lists them`);
    const send = (type, body, cache) => {
      response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body), 'cache-control': cache });
      response.end(body);
    };
    const playlist = 'application/vnd.apple.mpegurl';
    if (file === 'index.m3u8') {
      if (this.hlsRefusal) return error(this.hlsRefusal.status, this.hlsRefusal.code, this.hlsRefusal.message);
      if (this.fragments(stream, url.searchParams).length === 0) {
        return error(404, 'not_found', `stream '${stream}' has no footage in that time`);
      }
      return send(playlist, '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n'
        + `#EXT-X-STREAM-INF:BANDWIDTH=1000000,CODECS="${this.codecs}",RESOLUTION=640x360,FRAME-RATE=25.000\n`
        + `media.m3u8${url.search}\n`, 'no-cache');
    }
    if (file === 'media.m3u8') return send(playlist, this.mediaPlaylist(stream, url.searchParams), 'no-cache');
    if (file === 'init-1.mp4') return send('video/mp4', this.footage.init, 'max-age=31536000, immutable');
    const number = Number(/^(\d+)\.m4s$/.exec(file)?.[1] ?? Number.NaN);
    const time = number * 1000;
    if (!this.intervals(stream).some(([start, end]) => time >= start && time < end)) {
      return error(404, 'not_found', `fragment ${file} does not exist`);
    }
    // The media's clock begins days before the footage, so that it is neither zero nor the wall clock.
    const loops = Math.floor(number / kLoopSeconds) - Math.floor(seconds(this.started) / kLoopSeconds) + 20_000;
    return send('video/mp4', shifted(this.footage.fragments[number % kLoopSeconds], this.scales, loops * kLoopSeconds),
      'max-age=31536000, immutable');
  }

  /** Numbers of the fragments that a playlist with this query lists. */
  fragments(stream, query) {
    const start = query.has('start') ? Date.parse(query.get('start')) : null;
    const end = query.has('end') ? Date.parse(query.get('end')) : Date.now();
    const numbers = [];
    for (const [from, to] of this.intervals(stream)) {
      const first = seconds(Math.max(from, (start ?? to - kLiveWindow * 1000)));
      for (let n = first; n < seconds(to) && n * 1000 < end; n += 1) numbers.push(n);
    }
    return start === null ? numbers.slice(-kLiveWindow) : numbers;
  }

  mediaPlaylist(stream, query) {
    const numbers = this.fragments(stream, query);
    const recorded = query.has('start');
    const over = recorded && (query.has('end') || !this.live(stream));
    const lines = ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-TARGETDURATION:2', `#EXT-X-MEDIA-SEQUENCE:${numbers[0] ?? 0}`,
      '#EXT-X-INDEPENDENT-SEGMENTS'];
    if (recorded) lines.push(`#EXT-X-PLAYLIST-TYPE:${over ? 'VOD' : 'EVENT'}`);
    lines.push('#EXT-X-MAP:URI="init-1.mp4"');
    numbers.forEach((number, i) => {
      if (i > 0 && number !== numbers[i - 1] + 1) lines.push('#EXT-X-DISCONTINUITY');
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${iso(number * 1000)}`, '#EXTINF:1.000,', `${number}.m4s`);
    });
    if (over) lines.push('#EXT-X-ENDLIST');
    return `${lines.join('\n')}\n`;
  }

  file(name, response, error) {
    const file = path.join(this.dist, path.normalize(name === '/' ? '/index.html' : name));
    if (!file.startsWith(this.dist) || !fs.existsSync(file) || !fs.statSync(file).isFile()) {
      return error(404, 'not_found', `there is no ${name}`);
    }
    const body = fs.readFileSync(file);
    const hashed = file.includes(`${path.sep}assets${path.sep}`);
    response.writeHead(200, {
      'content-type': kTypes[path.extname(file)] ?? 'application/octet-stream', 'content-length': body.length,
      'cache-control': hashed ? 'max-age=31536000, immutable' : 'no-cache', 'content-security-policy': kPolicy,
      'x-content-type-options': 'nosniff',
    });
    return response.end(body);
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const server = new FakeServer(path.resolve(process.argv[2] ?? 'dist'));
  console.log(await server.listen(Number(process.argv[3] ?? 0)));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close().then(() => process.exit(0)));
}
