// The page: what is chosen, what the server says, what the player does, put together. Everything that shows lives in
// the parts; this is the wiring and the decisions that need more than one of them.
import { Unreachable, serverNow } from './api.js';
import { cameraDialog, purgeDialog, removeDialog } from './cameras/dialogs.js';
import { CameraList, emptyState } from './cameras/list.js';
import { type Row, retryWords, rowsOf, wordsOf } from './cameras/rows.js';
import { h, iconButton, setHidden, setText } from './dom.js';
import { type Place, kPublishHash, kWallHash, readHash, readStreamsHash, writeHash, writeStreamsHash } from './hash.js';
import { FaceWindow } from './faces/face_window.js';
import { boxesAt } from './faces/sightings.js';
import { helpDialog } from './help.js';
import { listen } from './keys.js';
import { Player } from './player/player.js';
import { PlayerPanel, type Shown, kRates } from './player/controls.js';
import { liveWays } from './player/live_ways.js';
import { codecName, formatDelay } from './player/words.js';
import { PublishPage } from './publish/publish_page.js';
import { Poll } from './poll.js';
import { StreamsPage } from './streams/page.js';
import { nextTheme, theme } from './theme.js';
import {
  formatBitrate, formatClock, formatDate, formatDuration, formatNear, fromInputValue, kDay, kHour, kMinute, kSecond,
  parseTime, toInputValue,
} from './time.js';
import { Coverage } from './timeline/coverage.js';
import { intervalAt, isRecorded, nextRecorded, nextStart, previousStart } from './timeline/intervals.js';
import { Timeline } from './timeline/timeline.js';
import { spanOf } from './timeline/view.js';
import { WallPage } from './wall/wall_page.js';

const kTickMs = 250;
const kCoverageMs = 6 * kSecond; // how often what is seen is asked for again
const kCoverageSoonMs = 500; // after the view has moved to what is not known
const kFacesMs = kSecond; // how often faces around the picture are asked for
const kFacesSeenMs = 4 * kSecond; // and those in the timeline
const kFacesSpanMax = 6 * kHour; // a longer timeline shows those that are known
const kLiveEdgeMs = 4 * kSecond; // closer to now than this is live: its fragment may still be open
// Faces are found once their fragment is whole: by WebRTC the picture would be gone before its boxes come.
const kFacesByHls = 'faces are found some seconds later, and their boxes would miss the picture; “Low delay” plays it all the same.';
const kSpans: readonly (readonly [string, number])[] = [
  ['10 min', 10 * kMinute], ['1 h', kHour], ['6 h', 6 * kHour], ['1 d', kDay], ['7 d', 7 * kDay],
];

type Page = 'cameras' | 'wall' | 'publish' | 'streams';

export class App {
  private readonly poll = new Poll((back) => this.answered(back));
  private readonly list = new CameraList(() => this.add());
  private readonly timeline = new Timeline();
  private readonly panel: PlayerPanel;
  private readonly player: Player;
  private readonly banner = h('div', { className: 'banner', hidden: true });
  private readonly toast = h('div', { className: 'toast', hidden: true });
  private readonly title = h('h1', { className: 'stream-name' });
  private readonly state = h('p', { className: 'stream-state' });
  private readonly change = h('button', { type: 'button' }, 'Change');
  private readonly remove = h('button', { type: 'button' }, 'Remove');
  private readonly stage = h('section', { className: 'stage', hidden: true });
  private readonly empty = emptyState(() => this.add());
  private readonly range = h('span', { className: 'range' });
  private readonly spans = kSpans.map(([label, ms]) =>
    h('button', { type: 'button', className: 'span', onclick: () => this.timeline.setSpan(ms) }, label));
  private readonly streams = new StreamsPage((words) => this.say(words));
  private readonly wall = new WallPage();
  private readonly publish = new PublishPage();
  private readonly pages: Readonly<Record<Page, HTMLAnchorElement>> = {
    cameras: h('a', { href: '#', className: 'page-link' }, 'Cameras'),
    wall: h('a', { href: kWallHash, className: 'page-link' }, 'Wall'),
    publish: h('a', { href: kPublishHash, className: 'page-link' }, 'Publish'),
    streams: h('a', { href: writeStreamsHash(), className: 'page-link' }, 'Data streams'),
  };
  private readonly menu = iconButton('menu', 'Cameras', '', () => this.openMenu(!document.body.classList.contains('menu-open')));
  private readonly cameras = h('div', { className: 'body' });
  private readonly themeButton = iconButton('theme', 'Theme', '', () => this.switchTheme());

  private rows: Row[] = [];
  private page: Page = 'cameras';
  private lowDelay: boolean | null = null; // asked for, or not wanted, by a person; null: as is best for the stream
  private place: Place | null = null;
  private coverage: Coverage | null = null;
  private coverageAt = -Infinity; // performance.now() of the last question; -Infinity: ask at once
  private near: FaceWindow | null = null; // faces around the picture
  private seen: FaceWindow | null = null; // faces in the timeline
  private facesAt = -Infinity; // performance.now() of the last question, for each of them
  private facesSeenAt = -Infinity;
  private pictureAt: number | null = null; // media time of the picture on the screen, seconds
  private going = 0; // numbers the jumps: a slow answer must not overtake a later wish
  private continuedAt: number | null = null; // where the last window ended
  private toastTimer = 0;

  constructor() {
    this.panel = new PlayerPanel({
      toggle: () => this.toggle(),
      jump: (ms) => this.jump(ms),
      previous: () => void this.edge(-1),
      next: () => void this.edge(1),
      live: () => this.live(),
      rate: (rate) => this.setRate(rate),
      mute: () => this.mute(),
      lowDelay: () => this.switchDelay(),
      fullscreen: () => this.fullscreen(),
      goTo: (value) => this.goToInput(value),
    }, () => this.messageAction());
    this.player = new Player(this.panel.video);
  }

  start(): void {
    this.build();
    this.player.onChange = () => this.render();
    this.player.onRangeEnd = (wall) => void this.continueAfter(wall);
    this.player.onSkip = (from, to) => this.say(`Skipped ${formatDuration(to - from)} without footage.`);
    this.timeline.onGo = (time) => void this.go(time, true);
    this.timeline.onView = () => this.renderRange();
    window.addEventListener('popstate', () => this.follow());
    const keys = this.keys();
    // Other pages show no one picture: only what names none works there.
    const anywhere = ['s', 'w', '?'];
    listen(Object.fromEntries(Object.entries(keys).map(([key, run]) =>
      [key, () => { if (this.page === 'cameras' || anywhere.includes(key)) run(); }])));
    this.watchPictures();
    document.addEventListener('visibilitychange', () => this.player.setSeen(document.visibilityState === 'visible'));
    this.publish.onChange = () => this.renderPublishing();
    window.setInterval(() => this.tick(), kTickMs);
    this.showPage(this.pageOf(location.hash));
    void this.poll.now();
  }

  private build(): void {
    this.banner.setAttribute('role', 'alert');
    this.toast.setAttribute('role', 'status');
    this.themeButton.classList.add('theme-button');
    this.menu.classList.add('menu-button');
    this.menu.setAttribute('aria-expanded', 'false');
    this.menu.setAttribute('aria-controls', 'cameras');
    this.list.element.addEventListener('click', (event) => {
      if (event.target instanceof Element && event.target.closest('a')) this.openMenu(false);
    });
    this.change.addEventListener('click', () => {
      const camera = this.row()?.camera;
      if (camera) cameraDialog(camera, [], (message) => this.changed(message, null));
    });
    this.remove.addEventListener('click', () => {
      const row = this.row();
      if (row?.camera) removeDialog(row.camera, (message) => this.changed(message, null));
      else if (row) purgeDialog(row.streamName, (message) => this.changed(message, null));
    });
    const timelineHead = h('div', { className: 'timeline-head' }, this.range,
      h('div', { className: 'group', attributes_: { role: 'group', 'aria-label': 'Zoom' } }, ...this.spans,
        iconButton('minus', 'Zoom out', '−', () => this.timeline.zoom(2)),
        iconButton('plus', 'Zoom in', '+', () => this.timeline.zoom(0.5))));
    this.stage.append(
      h('div', { className: 'stage-head' }, h('div', { className: 'who' }, this.title, this.state),
        h('div', { className: 'group' }, this.change, this.remove)),
      this.panel.screen, this.panel.facts, this.panel.controls, timelineHead, this.timeline.element);
    // What is pressed with a pointer does not take the focus: the next key still means what it means on the page.
    this.stage.addEventListener('mousedown', (event) => {
      if (!(event.target instanceof Element) || !event.target.closest('button, canvas')) return;
      event.preventDefault();
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    });
    this.empty.hidden = true;
    const brand = h('a', { className: 'brand', href: '#' }, 'Millrace');
    document.body.append(
      this.banner,
      h('header', { className: 'top' }, this.menu, brand,
        h('nav', { className: 'pages', attributes_: { 'aria-label': 'Pages' } }, ...Object.values(this.pages)),
        h('span', { className: 'spring' }), this.themeButton, iconButton('help', 'Help', '?', helpDialog)),
      this.cameras, this.wall.element, this.publish.element, this.streams.element, this.toast);
    this.cameras.append(this.list.element, h('main', null, this.stage, this.empty));
    this.nameTheme();
  }

  private openMenu(open: boolean): void {
    document.body.classList.toggle('menu-open', open);
    this.menu.setAttribute('aria-expanded', String(open));
  }

  private keys(): Record<string, () => void> {
    return {
      Space: () => this.toggle(),
      ArrowLeft: () => this.jump(-10 * kSecond),
      ArrowRight: () => this.jump(10 * kSecond),
      'Shift+ArrowLeft': () => this.jump(-kMinute),
      'Shift+ArrowRight': () => this.jump(kMinute),
      ArrowUp: () => this.step(-1),
      ArrowDown: () => this.step(1),
      '[': () => void this.edge(-1),
      ']': () => void this.edge(1),
      l: () => this.live(),
      t: () => this.panel.timeInput.focus(),
      m: () => this.mute(),
      f: () => this.fullscreen(),
      '+': () => this.timeline.zoom(0.5),
      '=': () => this.timeline.zoom(0.5),
      '-': () => this.timeline.zoom(2),
      '−': () => this.timeline.zoom(2),
      '<': () => this.stepRate(-1),
      ',': () => this.stepRate(-1),
      '>': () => this.stepRate(1),
      '.': () => this.stepRate(1),
      a: () => this.add(),
      s: () => { location.hash = this.streams.shown ? '' : writeStreamsHash(); },
      w: () => { location.hash = this.wall.shown ? '' : kWallHash; },
      '?': helpDialog,
    };
  }

  // What the server says.

  private answered(back: boolean): void {
    const { fleet, trouble } = this.poll;
    if (fleet) this.rows = rowsOf(fleet.cameras, fleet.streams);
    setText(this.banner, trouble ?? '');
    setHidden(this.banner, trouble === null);
    document.body.classList.toggle('stale', trouble !== null);
    if (fleet && !this.place && this.page === 'cameras') this.follow();
    if (back) {
      this.say('The server is back.');
      liveWays.forget();
      this.player.retry();
      this.wall.retry();
      this.coverageAt = -Infinity;
    }
    if (trouble === null) {
      const row = this.row();
      this.player.watch(row?.stream?.live ?? false);
      // A camera that starts to record now should not wait for the player's next try.
      if (row?.stream?.live && this.player.mode === 'live' && this.player.empty) this.player.retry();
    }
    this.render();
  }

  private row(): Row | null {
    return this.rows.find((row) => row.streamName === this.place?.stream) ?? null;
  }

  private changed(message: string, stream: string | null): void {
    this.say(message);
    if (stream !== null) this.navigate({ stream, time: null }, 'push');
    void this.poll.now();
  }

  private add(): void {
    const names = this.rows.flatMap((row) => (row.camera ? [row.camera.name] : []));
    cameraDialog(null, names, (message, stream) => this.changed(message, stream));
  }

  // Where we are: the link in the address says it, and every way of going somewhere comes through here.

  private navigate(place: Place, how: 'push' | 'replace'): void {
    const hash = writeHash(place);
    if (how === 'push' && hash !== location.hash) history.pushState(null, '', hash);
    else history.replaceState(null, '', hash);
    this.show(place);
  }

  private pageOf(hash: string): Page {
    if (hash === kWallHash) return 'wall';
    if (hash === kPublishHash) return 'publish';
    return readStreamsHash(hash) === null ? 'cameras' : 'streams';
  }

  private follow(): void {
    this.showPage(this.pageOf(location.hash));
    if (this.page !== 'cameras') return;
    const place = readHash(location.hash);
    if (place) {
      this.show(place);
      return;
    }
    const first = this.rows.find((row) => row.camera?.state === 'recording') ?? this.rows[0];
    if (first) this.navigate({ stream: first.streamName, time: null }, 'replace');
    else this.leave();
  }

  private showPage(page: Page): void {
    this.page = page;
    this.cameras.hidden = page !== 'cameras';
    this.menu.hidden = page !== 'cameras';
    for (const [name, link] of Object.entries(this.pages)) {
      if (name === page) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    if (page !== 'wall') this.wall.hide();
    if (page !== 'publish') this.publish.hide();
    if (page !== 'streams') this.streams.hide();
    if (page === 'cameras') return;
    this.openMenu(false);
    if (this.place) this.leave();
    if (page === 'wall') this.wall.show();
    else if (page === 'publish') this.publish.show();
    else this.streams.show(readStreamsHash(location.hash) ?? '');
    this.render();
  }

  private leave(): void {
    this.going += 1;
    this.place = null;
    this.player.stop();
    this.choose(null);
    this.render();
  }

  private choose(stream: string | null): void {
    if (this.coverage?.stream === stream) return;
    this.coverage = stream === null ? null : new Coverage(stream);
    this.coverageAt = -Infinity;
    this.timeline.setCoverage(this.coverage);
    this.near = stream === null ? null : new FaceWindow(stream);
    this.seen = stream === null ? null : new FaceWindow(stream);
    this.facesAt = -Infinity;
    this.facesSeenAt = -Infinity;
    this.pictureAt = null;
  }

  private show(place: Place): void {
    const moved = place.stream !== this.place?.stream;
    this.place = place;
    this.choose(place.stream);
    if (moved) this.lowDelay = null;
    if (moved || place.time !== null) this.timeline.follow();
    this.continuedAt = null;
    if (place.time === null) {
      this.going += 1;
      if (moved || this.player.mode !== 'live' || this.player.phase === 'failed') this.startLive(place.stream);
    } else {
      void this.playAt(place.stream, place.time, moved);
    }
    this.render();
  }

  private startLive(stream: string): void {
    this.timeline.follow();
    this.player.playLive(stream, this.whyNoLowDelay());
  }

  /** Why live is to come by HLS alone; undefined: WebRTC is tried. */
  private whyNoLowDelay(): string | undefined {
    if (this.lowDelay === false) return 'low delay is switched off.';
    const finds = this.lowDelay === null && this.row()?.camera?.analyzers.includes('faces');
    return finds ? kFacesByHls : undefined;
  }

  private switchDelay(): void {
    if (!this.place) return;
    this.lowDelay = this.player.way()?.name !== 'WebRTC';
    if (this.lowDelay) liveWays.forget(this.place.stream);
    if (this.player.mode === 'live') this.startLive(this.place.stream);
    else this.live();
  }

  private live(): void {
    if (!this.place) return;
    this.navigate({ stream: this.place.stream, time: null }, this.place.time === null ? 'replace' : 'push');
    if (this.player.paused) this.player.resume();
    else if ((this.player.latency() ?? 0) > 15 * kSecond) this.startLive(this.place.stream);
  }

  private async go(time: number, push: boolean): Promise<void> {
    if (!this.place) return;
    const row = this.row();
    const wanted = Math.round(time);
    const place = { stream: this.place.stream, time: wanted };
    if (row?.stream?.live && wanted > serverNow() - kLiveEdgeMs) {
      this.live();
      return;
    }
    if (this.player.paused) this.player.resume();
    this.navigate(place, push ? 'push' : 'replace');
  }

  /** Plays footage from `time`, or from the first after it, or says that there is none. */
  private async playAt(stream: string, time: number, quiet = false): Promise<void> {
    const turn = (this.going += 1);
    let from: number | null;
    try {
      from = await this.footageFrom(time);
    } catch {
      from = time; // the player asks as well, and its failures come with words and another try
    }
    if (turn !== this.going || stream !== this.place?.stream) return;
    if (from === null) {
      const row = this.row();
      if (row?.stream?.live) this.live();
      else this.player.showMessage(stream, `No footage at ${formatNear(time, serverNow())}, and none after it.`);
      return;
    }
    if (from - time > 2 * kSecond && !quiet) {
      this.say(`No footage at ${formatNear(time, serverNow())}: playing from ${formatNear(from, serverNow())}.`);
    }
    this.player.playFrom(stream, from);
  }

  private async footageFrom(time: number): Promise<number | null> {
    const coverage = this.coverage;
    if (!coverage) return null;
    if (coverage.knows(time)) {
      const here = intervalAt(coverage.intervals, time);
      if (here && isRecorded(here)) return time;
    }
    const now = serverNow();
    const soon = Math.min(now, time + kDay);
    return nextRecorded(await coverage.fetch(time - kSecond, soon), time)
      ?? nextRecorded(await coverage.fetch(soon, now), soon);
  }

  /** A window is over: go on with the footage after it. */
  private async continueAfter(wall: number): Promise<void> {
    if (!this.place) return;
    // What ends where it ended before has nothing more to show: look further on, or its last second repeats for ever.
    const stuck = this.continuedAt !== null && wall <= this.continuedAt + kSecond;
    const from = wall + (stuck ? 5 * kSecond : 1);
    this.continuedAt = wall;
    if (this.row()?.stream?.live && from > serverNow() - kLiveEdgeMs) this.live();
    else await this.playAt(this.place.stream, from);
  }

  // What a person asks for.

  private toggle(): void {
    if (this.player.paused) this.player.resume();
    else this.player.pause();
  }

  private jump(ms: number): void {
    const from = this.player.position() ?? this.place?.time;
    if (from != null) void this.go(from + ms, false);
  }

  private async edge(direction: 1 | -1): Promise<void> {
    const from = this.player.position() ?? this.place?.time ?? serverNow();
    const { coverage } = this;
    if (!coverage) return;
    const first = parseTime(this.row()?.stream?.first) ?? serverNow() - 7 * kDay;
    try {
      const list = direction < 0 ? await coverage.fetch(first - kSecond, from) : await coverage.fetch(from - kSecond, serverNow());
      if (coverage !== this.coverage) return;
      const to = direction < 0 ? previousStart(list, from) : nextStart(list, from);
      if (to !== null) void this.go(to, true);
      else if (direction > 0 && this.row()?.stream?.live) this.live();
      else this.say(direction < 0 ? 'There is no earlier footage.' : 'There is no later footage.');
    } catch (error) {
      this.say(error instanceof Unreachable ? 'The server does not answer.' : String((error as Error).message));
    }
  }

  private step(by: 1 | -1): void {
    const index = this.rows.findIndex((row) => row.streamName === this.place?.stream);
    const next = this.rows[index + by];
    if (next) this.navigate({ stream: next.streamName, time: null }, 'push');
  }

  private setRate(rate: number): void {
    const wall = this.player.wall();
    if (this.player.mode === 'live' && rate < 1 && wall !== null) void this.go(wall - kLiveEdgeMs, true);
    if (this.player.mode === 'live' && rate > 1) this.say('Live plays at 1×: go back in time to play faster.');
    this.player.setRate(this.player.mode === 'live' && rate > 1 ? 1 : rate);
    this.render();
  }

  private stepRate(by: 1 | -1): void {
    const index = kRates.findIndex((rate) => rate === this.player.getRate());
    const rate = kRates[index + by];
    if (rate !== undefined) this.setRate(rate);
  }

  private mute(): void {
    this.panel.video.muted = !this.panel.video.muted;
  }

  private fullscreen(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    else this.panel.screen.requestFullscreen?.().catch(() => this.say('The browser refuses full screen.'));
  }

  private goToInput(value: string): void {
    const time = fromInputValue(value);
    if (time === null) this.say('Give a date and a time.');
    else if (time > serverNow()) this.say('That is in the future.');
    else void this.go(time, true);
  }

  private messageAction(): void {
    const last = parseTime(this.row()?.stream?.last);
    if (last !== null) void this.go(last - 30 * kSecond, true);
  }

  private renderPublishing(): void {
    const stream = this.publish.publishing;
    const link = this.pages.publish;
    link.classList.toggle('publishing', stream !== null);
    setText(link, stream === null ? 'Publish' : 'Publishing');
    void this.poll.now();
  }

  private switchTheme(): void {
    nextTheme();
    this.nameTheme();
    this.timeline.themeChanged();
  }

  private nameTheme(): void {
    const label = `Theme: ${theme()}`;
    this.themeButton.setAttribute('aria-label', label);
    this.themeButton.title = label;
    window.matchMedia('(prefers-color-scheme: dark)').onchange = () => this.timeline.themeChanged();
  }

  private say(words: string): void {
    window.clearTimeout(this.toastTimer);
    setText(this.toast, words);
    this.toast.hidden = false;
    this.toastTimer = window.setTimeout(() => { this.toast.hidden = true; }, 5000);
  }

  // What is shown.

  private tick(): void {
    if (document.visibilityState !== 'visible') return;
    this.render();
    const wait = this.coverage?.lacks(this.timeline.view, serverNow()) ? kCoverageSoonMs : kCoverageMs;
    if (this.coverage && performance.now() - this.coverageAt > wait) void this.refreshCoverage(this.coverage);
    if (this.place && this.poll.trouble === null && performance.now() - this.facesAt > kFacesMs) void this.refreshFaces(serverNow());
    // Fast playback that has caught up with the present goes on live.
    const { player } = this;
    if (player.reachesPresent && player.getRate() > 1 && (player.latency() ?? kHour) < 5 * kSecond && this.row()?.stream?.live) {
      player.setRate(1);
      this.live();
    }
  }

  private async refreshCoverage(coverage: Coverage): Promise<void> {
    this.coverageAt = performance.now();
    try {
      if (await coverage.refresh(this.timeline.view, serverNow()) && coverage === this.coverage) this.render();
    } catch {
      // The poll says when the server is away; the timeline keeps what it knew.
    }
  }

  /** Boxes go with the very picture that is on the screen, not with the clock of the playback. */
  private watchPictures(): void {
    const { video } = this.panel;
    const shown = (_now: number, picture: VideoFrameCallbackMetadata): void => {
      this.pictureAt = picture.mediaTime;
      this.renderFaces();
      video.requestVideoFrameCallback(shown);
    };
    if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(shown);
  }

  private async refreshFaces(now: number): Promise<void> {
    const { near, seen } = this;
    if (!near || !seen) return;
    this.facesAt = performance.now();
    const at = this.player.position() ?? now;
    const { view } = this.timeline;
    try {
      await near.refresh({ start: at - 15 * kSecond, end: at + kMinute }, now);
      const due = seen.lacks(view, now) || performance.now() - this.facesSeenAt > kFacesSeenMs;
      if (!due || spanOf(view) > kFacesSpanMax || seen !== this.seen) return;
      this.facesSeenAt = performance.now();
      await seen.refresh(view, now);
    } catch {
      // As with coverage: what was known stays.
    }
    if (seen === this.seen) this.timeline.setFaces(seen.list);
  }

  private renderFaces(): void {
    const { player, near } = this;
    const moving = player.phase === 'playing' || player.phase === 'paused' || player.phase === 'buffering';
    const wall = this.pictureAt === null ? player.wall() : player.wallOf(this.pictureAt);
    this.panel.faces.show(near && moving && wall !== null ? boxesAt(near.list, wall) : []);
  }

  private render(): void {
    const now = serverNow();
    this.list.update(this.rows, this.place?.stream ?? null, now);
    this.wall.update(this.rows, now, this.poll.trouble === null);
    const known = this.poll.fleet !== null;
    setHidden(this.empty, !known || this.rows.length > 0);
    setHidden(this.stage, this.place === null || (known && this.rows.length === 0));
    if (!this.place) {
      document.title = this.streams.title()
        ?? (this.page === 'wall' ? 'Live wall · Millrace' : this.page === 'publish' ? 'Publish · Millrace' : 'Millrace');
      return;
    }
    const row = this.row();
    const words = row ? wordsOf(row, now) : null;
    setText(this.title, row?.name ?? this.place.stream);
    // What plays has its facts under the picture; trouble has its reason up here.
    setText(this.state, !words ? '' : words.tone === 'good' || words.detail === '' ? words.state : `${words.state}: ${words.detail}`);
    if (words) this.state.dataset['tone'] = words.tone;
    setHidden(this.change, !row?.camera);
    setHidden(this.remove, !row);
    setText(this.remove, row?.camera ? 'Remove' : 'Purge');
    this.renderPlayer(row, now);
    this.renderFaces();
    this.timeline.update(now, parseTime(row?.stream?.first), this.player.position());
    this.renderRange();
    const clock = this.player.mode === 'recorded' ? 'recorded' : 'live';
    document.title = `${row?.name ?? this.place.stream} (${clock}) · Millrace`;
  }

  private renderPlayer(row: Row | null, now: number): void {
    const { player } = this;
    const wall = player.wall();
    const latency = player.latency();
    const moving = player.phase === 'playing' || player.phase === 'paused' || player.phase === 'buffering';
    const stalled = player.mode === 'live' && latency !== null && latency > 20 * kSecond;
    const message = this.message(row, now, stalled);
    const none = player.mode === 'idle' || (player.mode === 'live' && (player.phase === 'failed' || stalled || wall === null));
    const shown: Shown = {
      badge: none || player.mode === 'idle' ? 'none' : player.mode,
      clock: wall !== null && moving ? formatClock(wall) : '',
      date: wall !== null && moving ? formatDate(wall) : '',
      behind: wall === null || latency === null || !moving ? ''
        : player.mode === 'live' && !stalled ? `${formatDelay(latency)} behind` : `${formatDuration(latency)} ago`,
      way: moving && !none ? player.way() : null,
      message,
      action: message !== '' && player.mode === 'live' && row?.stream?.last && !row.stream.live ? 'Play the newest footage' : '',
      busy: player.phase === 'loading' || player.phase === 'buffering',
      facts: this.facts(row),
      paused: player.paused,
      muted: this.panel.video.muted,
      hasAudio: player.hasAudio,
      rate: player.getRate(),
      isLive: player.mode === 'live' && !none && !player.paused,
      canGoLive: this.place !== null,
    };
    this.panel.show(shown);
    const input = this.panel.timeInput;
    if (document.activeElement !== input) {
      const position = player.position();
      const value = position === null ? '' : toInputValue(position);
      if (input.value !== value) input.value = value;
    }
  }

  /** Words over the picture: why there is none, or why it stands still. */
  private message(row: Row | null, now: number, stalled: boolean): string {
    const { player } = this;
    if (this.poll.fleet && !row && this.poll.trouble === null) {
      return `There is no camera or stream '${this.place?.stream ?? ''}'. Choose one from the list.`;
    }
    if (player.mode === 'live' && row && !row.stream?.live && (player.phase !== 'playing' || stalled)) {
      return this.awayWords(row, now);
    }
    if (player.phase === 'failed' || player.message !== null) {
      return [player.message ?? '', this.poll.trouble !== null ? 'It goes on when the server is back.' : '']
        .filter((part) => part).join(' ');
    }
    if (stalled && player.phase === 'buffering') return 'No new pictures are coming.';
    return '';
  }

  private awayWords(row: Row, now: number): string {
    const { camera } = row;
    if (!camera) return 'Nothing feeds this stream: there is no live picture.';
    const retry = retryWords(camera.next_retry, now);
    const more = [camera.last_error, retry].filter((part) => part).join('; ');
    switch (camera.state) {
      case 'connecting': return `Connecting to ${row.name}…`;
      case 'recording': return `Waiting for the first pictures of ${row.name}…`;
      case 'disabled': return `${row.name} is disabled: nothing is recorded.`;
      case 'unauthorized': return `${row.name} refuses user or password${more ? ` (${more})` : ''}.`;
      default: return `${row.name} is away${more ? `: ${more}` : ''}.`;
    }
  }

  /** "H.264 + AAC · 1920×1080 · 25 fps · 4.1 Mbit/s": of what plays, filled up from what the camera says. */
  private facts(row: Row | null): string[] {
    const quality = this.player.quality();
    const tracks = row?.camera?.tracks ?? [];
    if (!quality) return [];
    const codecs = (quality.codecs.length > 0 ? quality.codecs : tracks.map((track) => track.codec)).map(codecName);
    const live = this.player.mode === 'live' ? row?.camera : null;
    const frameRate = live?.frame_rate || quality.frameRate;
    const bitrate = live?.bitrate_bps || quality.bitrate;
    const audio = tracks.find((track) => track.kind === 'audio');
    return [
      codecs.join(' + '),
      `${quality.width}×${quality.height}`,
      frameRate ? `${Math.round(frameRate * 10) / 10} fps` : '',
      bitrate ? formatBitrate(bitrate) : '',
      audio?.sample_rate ? `${audio.sample_rate / 1000} kHz${audio.channels === 1 ? ' mono' : ''}` : '',
      live?.clock === 'arrival' ? 'time of arrival: the camera has no clock' : '',
    ].filter((part) => part !== '');
  }

  private renderRange(): void {
    const { view } = this.timeline;
    const sameDay = formatDate(view.start) === formatDate(view.end);
    const end = sameDay ? formatClock(view.end) : `${formatDate(view.end)} ${formatClock(view.end)}`;
    setText(this.range, `${formatDate(view.start)} ${formatClock(view.start)} – ${end}`);
    kSpans.forEach(([, ms], i) => {
      const pressed = String(Math.abs(spanOf(view) / ms - 1) < 0.02);
      const button = this.spans[i]!;
      if (button.getAttribute('aria-pressed') !== pressed) button.setAttribute('aria-pressed', pressed);
    });
  }
}

