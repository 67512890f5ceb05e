// "Publish from this device": camera and microphone, their preview, a name for the stream, and what becomes of it. Publishing
// goes on while other pages of the console are looked at.
import { field } from '../dialog.js';
import { h, setHidden, setText } from '../dom.js';
import { writeHash } from '../hash.js';
import { codecName } from '../player/words.js';
import { formatBitrate, formatDuration } from '../time.js';
import { type DeviceChoice, constraintsOf, deviceFailure, listDevices, whyNoDevices } from './devices.js';
import { Publisher } from './publisher.js';

const kNone = 'none';

type WakeLock = Pick<EventTarget, 'addEventListener'> & { release: () => Promise<void> };
const kSizes = [['360', '640 × 360'], ['720', '1280 × 720'], ['1080', '1920 × 1080']] as const;

function select(options: readonly DeviceChoice[], chosen: string): HTMLOptionElement[] {
  return options.map(({ id, label }) => h('option', { value: id, selected: id === chosen }, label));
}

export class PublishPage {
  readonly element = h('div', { className: 'body publish-body', hidden: true }); // has its parts while it is shown
  /** Something is published, or not any more. */
  onChange: () => void = () => {};
  private readonly publisher = new Publisher();
  private readonly video = h('video', { playsInline: true, muted: true, autoplay: true, className: 'video' });
  private readonly badge = h('span', { className: 'badge' });
  private readonly notice = h('div', { className: 'notice' });
  private readonly name = h('input', { type: 'text', spellcheck: false, autocapitalize: 'off', autocomplete: 'off', maxLength: 256, required: true, value: 'phone' });
  private readonly camera = h('select', null, h('option', { value: '' }, 'The browser’s choice'), h('option', { value: kNone }, 'No camera'));
  private readonly microphone = h('select', null, h('option', { value: '' }, 'The browser’s choice'), h('option', { value: kNone }, 'No microphone'));
  private readonly size = h('select', null, ...kSizes.map(([value, label]) => h('option', { value, selected: value === '720' }, label)));
  private readonly state = h('p', { className: 'publish-state' });
  private readonly error = h('p', { className: 'form-error', hidden: true });
  private readonly go = h('button', { type: 'submit', className: 'primary' }, 'Start');
  private readonly preview = h('button', { type: 'button' }, 'Preview');
  private readonly watch = h('a', { className: 'watch', hidden: true }, 'Watch it');
  private readonly parts: readonly HTMLElement[];
  private media: MediaStream | null = null;
  private choosing = false; // devices are asked for in the place of others
  private asking = 0; // numbers the questions to the browser: a late answer is not wanted
  private timer = 0;
  private askingLock = false;
  private lock: WakeLock | null = null; // a phone's screen stays on

  constructor() {
    this.video.setAttribute('aria-label', 'Preview of the camera');
    this.state.setAttribute('role', 'status');
    this.error.setAttribute('role', 'alert');
    setText(this.notice, 'The preview comes when the browser has allowed it.');
    const form = h('form', { className: 'publish-form', noValidate: true },
      field('Name of the stream', this.name, 'It is made where it does not exist. Letters, digits, underscores, points and hyphens.'),
      field('Camera', this.camera), field('Microphone', this.microphone), field('Picture', this.size, 'At best, as the camera can'),
      this.error, h('div', { className: 'form-actions' }, this.watch, this.preview, this.go));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.publisher.active) this.stop();
      else void this.start();
    });
    this.preview.addEventListener('click', () => void this.open());
    for (const each of [this.camera, this.microphone, this.size]) each.addEventListener('change', () => void this.choose());
    this.parts = [h('main', null, h('section', { className: 'publish' },
      h('div', { className: 'who' }, h('h1', null, 'Publish from this device'), this.state),
      h('div', { className: 'screen' }, this.video, h('div', { className: 'stamp' }, this.badge), this.notice), form))];
    this.publisher.onChange = () => this.changed();
    // The browser lets go of the screen when the page is hidden, and is asked again when it is seen.
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') void this.keepAwake(this.publisher.active);
    });
    navigator.mediaDevices?.addEventListener('devicechange', () => { if (this.media) void this.list(); });
    this.render();
  }

  get shown(): boolean {
    return !this.element.hidden;
  }

  /** The stream that is published to now; null: none. */
  get publishing(): string | null {
    return this.publisher.active ? this.publisher.stream : null;
  }

  show(): void {
    if (this.shown) return;
    this.element.hidden = false;
    this.element.append(...this.parts);
    const why = whyNoDevices();
    if (why !== null) {
      this.fail(why);
      this.go.disabled = true;
      this.preview.disabled = true;
    }
    if (this.media) void this.video.play().catch(() => {}); // an element that was taken out stands still
    this.timer = window.setInterval(() => this.render(), 500);
    this.render();
  }

  hide(): void {
    if (!this.shown) return;
    this.element.hidden = true;
    this.element.replaceChildren();
    window.clearInterval(this.timer);
    if (!this.publisher.active) this.release();
  }

  private wanted(): Parameters<typeof constraintsOf>[0] {
    const idOf = (from: HTMLSelectElement): string | null => (from.value === kNone ? null : from.value);
    return { camera: idOf(this.camera), microphone: idOf(this.microphone), height: Number(this.size.value) };
  }

  /** Asks the browser for what is chosen. False: it does not give it, and the page says why. */
  private async open(): Promise<boolean> {
    const turn = (this.asking += 1);
    const wanted = this.wanted();
    this.error.hidden = true;
    if (wanted.camera === null && wanted.microphone === null) {
      this.fail('Choose a camera, a microphone, or both.');
      return false;
    }
    try {
      this.drop(); // phones open one camera at a time
      setText(this.notice, 'The browser asks whether this page may use them…');
      const media = await navigator.mediaDevices.getUserMedia(constraintsOf(wanted));
      if (turn !== this.asking) {
        for (const track of media.getTracks()) track.stop();
        return false;
      }
      this.take(media);
      await this.list();
      return true;
    } catch (error) {
      if (turn === this.asking) {
        setText(this.notice, 'No preview.');
        this.fail(deviceFailure(error));
      }
      return false;
    } finally {
      this.render();
    }
  }

  private drop(): void {
    for (const track of this.media?.getTracks() ?? []) track.stop();
    this.media = null;
  }

  private take(media: MediaStream): void {
    this.media = media;
    this.video.srcObject = media;
    void this.video.play().catch(() => {});
    for (const track of media.getTracks()) {
      track.addEventListener('ended', () => {
        if (media === this.media) this.lost(track);
      });
    }
  }

  private lost(track: MediaStreamTrack): void {
    this.stop();
    this.release();
    this.fail(`${track.kind === 'video' ? 'The camera' : 'The microphone'} is gone (${track.label}): publishing has ended.`);
  }

  private async list(): Promise<void> {
    const fill = async (into: HTMLSelectElement, kind: 'videoinput' | 'audioinput', none: string): Promise<void> => {
      const track = this.media?.getTracks().find((each) => each.kind === (kind === 'videoinput' ? 'video' : 'audio'));
      const chosen = into.value === kNone ? kNone : track?.getSettings().deviceId ?? into.value;
      into.replaceChildren(...select([...await listDevices(kind), { id: kNone, label: none }], chosen));
    };
    await fill(this.camera, 'videoinput', 'No camera');
    await fill(this.microphone, 'audioinput', 'No microphone');
  }

  /** Another device or size: shown at once, and sent at once where something is published. */
  private async choose(): Promise<void> {
    if (!this.media && !this.choosing) return;
    this.choosing = true; // another choice meanwhile is the one that counts
    const turn = this.asking + 1;
    const opened = await this.open();
    if (turn !== this.asking) return;
    this.choosing = false;
    if (opened) {
      if (this.media && this.publisher.active) void this.publisher.change(this.media);
    } else if (!this.media) {
      this.publisher.stop();
    }
  }

  private async start(): Promise<void> {
    const stream = this.name.value.trim();
    this.error.hidden = true;
    if (!/^[a-zA-Z0-9_.-]{1,256}$/.test(stream)) {
      this.fail('A stream’s name has 1 to 256 letters, digits, underscores, points or hyphens.');
      this.name.focus();
      return;
    }
    this.go.disabled = true;
    const opened = this.media !== null || await this.open();
    this.go.disabled = false;
    if (opened && this.media) this.publisher.start(stream, this.media);
  }

  private stop(): void {
    this.publisher.stop();
    if (!this.shown) this.release();
  }

  private release(): void {
    this.asking += 1;
    this.choosing = false;
    this.drop();
    this.video.srcObject = null;
    setText(this.notice, 'The preview comes when the browser has allowed it.');
    this.render();
  }

  private fail(words: string): void {
    setText(this.error, words);
    this.error.hidden = false;
  }

  private changed(): void {
    if (this.publisher.state === 'refused') this.fail(this.publisher.trouble);
    else if (this.publisher.state === 'connecting' || this.publisher.state === 'live') this.error.hidden = true;
    void this.keepAwake(this.publisher.active);
    this.render();
    this.onChange();
  }

  private async keepAwake(on: boolean): Promise<void> {
    const wakeLock = (navigator as { wakeLock?: { request: (type: 'screen') => Promise<WakeLock> } }).wakeLock;
    if (on && !this.lock && !this.askingLock && wakeLock) {
      this.askingLock = true; // one request at a time
      const lock = await wakeLock.request('screen').catch(() => null); // a wish: batteries may say no
      this.askingLock = false;
      this.lock = lock;
      lock?.addEventListener('release', () => { if (this.lock === lock) this.lock = null; });
      if (!this.publisher.active) void this.keepAwake(false);
    } else if (!on && this.lock) {
      const { lock } = this;
      this.lock = null;
      await lock.release().catch(() => {});
    }
  }

  private render(): void {
    const { publisher } = this;
    const { active, state } = publisher;
    setText(this.go, active ? 'Stop' : 'Start');
    this.go.className = active ? 'danger' : 'primary';
    this.name.disabled = active;
    setHidden(this.preview, this.media !== null || active);
    setHidden(this.notice, (this.media?.getVideoTracks().length ?? 0) > 0);
    if (this.media && this.media.getVideoTracks().length === 0) setText(this.notice, 'Sound only.');
    setHidden(this.watch, state !== 'live');
    this.watch.href = writeHash({ stream: publisher.stream, time: null });
    this.badge.dataset['kind'] = state === 'live' ? 'live' : 'none';
    setText(this.badge, state === 'live' ? 'LIVE' : '');
    setText(this.state, this.words());
  }

  private words(): string {
    const { publisher } = this;
    switch (publisher.state) {
      case 'connecting': return `Connecting to ${publisher.stream}…`;
      case 'live': {
        const sent = publisher.sent;
        return [`Publishing to ${publisher.stream} for ${formatDuration(Math.floor((Date.now() - publisher.since) / 1000) * 1000)}`,
          sent?.codec ? codecName(sent.codec) : '', sent?.width ? `${sent.width}×${sent.height}` : '',
          sent?.frameRate ? `${Math.round(sent.frameRate)} fps` : '', sent?.bitrate ? formatBitrate(sent.bitrate) : '']
          .filter((part) => part !== '').join(' · ');
      }
      case 'waiting': {
        const left = Math.ceil((publisher.nextTry - Date.now()) / 1000);
        return `${publisher.trouble} ${left < 1 ? 'Trying again now…' : `Trying again in ${left} s.`}`;
      }
      case 'refused': return 'Not publishing.';
      default: return this.media ? 'Ready. Nothing is sent yet.' : 'Nothing is sent before you press Start.';
    }
  }
}
