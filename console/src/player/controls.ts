// The picture with what is written over it, the line of facts under it, and the row of buttons. Shows and asks; decides
// nothing.
import { h, icon, iconButton, setHidden, setIcon, setText } from '../dom.js';
import { FaceOverlay } from '../faces/overlay.js';
import { kMinute, kSecond } from '../time.js';
import type { Way } from './player.js';

export interface Actions {
  toggle: () => void;
  jump: (ms: number) => void;
  previous: () => void;
  next: () => void;
  live: () => void;
  rate: (rate: number) => void;
  mute: () => void;
  lowDelay: () => void;
  fullscreen: () => void;
  goTo: (value: string) => void;
}

export const kRates = [0.5, 1, 1.5, 2, 4, 8] as const;

export interface Shown {
  readonly badge: 'live' | 'recorded' | 'none';
  readonly clock: string; // the picture's time of day; empty while there is none
  readonly date: string;
  readonly behind: string; // "2.1 s behind"
  readonly way: Way | null; // how live plays
  readonly message: string; // over the picture; empty: none
  readonly action: string; // of the button under the message; empty: none
  readonly busy: boolean;
  readonly facts: readonly string[];
  readonly paused: boolean;
  readonly muted: boolean;
  readonly hasAudio: boolean;
  readonly rate: number;
  readonly isLive: boolean;
  readonly canGoLive: boolean;
}

export class PlayerPanel {
  readonly video = h('video', { playsInline: true, muted: true, className: 'video' });
  readonly faces = new FaceOverlay(this.video);
  readonly screen: HTMLElement;
  readonly facts = h('p', { className: 'facts' });
  readonly controls: HTMLElement;
  readonly timeInput = h('input', { type: 'datetime-local', step: '1', className: 'time-input' });

  private readonly badge = h('span', { className: 'badge' });
  private readonly clock = h('span', { className: 'clock' });
  private readonly date = h('span', { className: 'date' });
  private readonly behind = h('span', { className: 'behind' });
  private readonly way = h('span', { className: 'way' });
  private readonly message = h('p', { className: 'message' });
  private readonly action = h('button', { type: 'button', className: 'primary' });
  private readonly notice = h('div', { className: 'notice', hidden: true }, this.message, this.action);
  private readonly spinner = h('div', { className: 'spinner', hidden: true });
  private readonly play: HTMLButtonElement;
  private readonly sound: HTMLButtonElement;
  private readonly unmute: HTMLButtonElement;
  private readonly live: HTMLButtonElement;
  private readonly lowDelay: HTMLButtonElement;
  private readonly rate = h('select', { className: 'rate', title: 'Speed (< >)' },
    ...kRates.map((rate) => h('option', { value: String(rate) }, `${rate}×`)));

  constructor(actions: Actions, onAction: () => void) {
    const stamp = h('div', { className: 'stamp' }, this.badge, this.clock, this.date, this.behind, this.way);
    this.video.setAttribute('aria-label', 'Picture of the camera');
    this.video.disablePictureInPicture = false;
    this.notice.setAttribute('role', 'status');
    this.action.addEventListener('click', onAction);
    this.unmute = h('button', { type: 'button', className: 'unmute', hidden: true, onclick: actions.mute },
      icon('muted'), 'Unmute');
    this.screen = h('div', { className: 'screen' }, this.video, this.faces.element, this.spinner, stamp, this.notice, this.unmute);
    this.video.addEventListener('click', actions.toggle);
    this.video.addEventListener('dblclick', actions.fullscreen);

    this.play = iconButton('pause', 'Pause', 'Space', actions.toggle);
    this.play.classList.add('play');
    this.sound = iconButton('muted', 'Unmute', 'M', actions.mute);
    this.live = h('button', { type: 'button', className: 'live-button', title: 'Live (L)', onclick: actions.live },
      h('span', { className: 'dot' }), 'Live');
    this.lowDelay = h('button', { type: 'button', className: 'low-delay', onclick: actions.lowDelay }, 'Low delay');
    this.rate.setAttribute('aria-label', 'Speed');
    let pointed = false; // chosen with a pointer: the keys go back to the page
    this.rate.addEventListener('pointerdown', () => { pointed = true; });
    this.rate.addEventListener('keydown', () => { pointed = false; });
    this.rate.addEventListener('change', () => {
      actions.rate(Number(this.rate.value));
      if (pointed) this.rate.blur();
    });
    this.timeInput.setAttribute('aria-label', 'Go to time');
    const jump = (label: string, name: string, key: string, ms: number): HTMLButtonElement => {
      const button = h('button', { type: 'button', className: 'jump', title: `${name} (${key})`, onclick: () => actions.jump(ms) }, label);
      button.setAttribute('aria-label', name);
      return button;
    };
    const go = h('form', { className: 'go-form' }, this.timeInput, h('button', { type: 'submit' }, 'Go'));
    go.addEventListener('submit', (event) => {
      event.preventDefault();
      actions.goTo(this.timeInput.value);
    });
    this.controls = h('div', { className: 'controls' },
      h('div', { className: 'group' },
        iconButton('previous', 'Start of this recording', '[', actions.previous),
        jump('−1 m', 'Back 1 minute', 'Shift ←', -kMinute),
        jump('−10 s', 'Back 10 seconds', '←', -10 * kSecond),
        this.play,
        jump('+10 s', 'On 10 seconds', '→', 10 * kSecond),
        jump('+1 m', 'On 1 minute', 'Shift →', kMinute),
        iconButton('next', 'Start of the next recording', ']', actions.next)),
      h('div', { className: 'group' }, this.live, this.lowDelay, this.rate, this.sound,
        iconButton('full', 'Full screen', 'F', actions.fullscreen)),
      go);
    this.controls.setAttribute('role', 'group');
    this.controls.setAttribute('aria-label', 'Playback');
  }

  show(shown: Shown): void {
    if (this.badge.dataset['kind'] !== shown.badge) this.badge.dataset['kind'] = shown.badge;
    setText(this.badge, shown.badge === 'live' ? 'LIVE' : shown.badge === 'recorded' ? 'RECORDED' : '');
    setText(this.clock, shown.clock);
    setText(this.date, shown.date);
    setText(this.behind, shown.behind);
    setText(this.way, shown.way?.name ?? '');
    const words = shown.way?.words ?? 'Live by WebRTC, a fraction of a second behind, where that works';
    for (const each of [this.way, this.lowDelay]) if (each.title !== words) each.title = words;
    const low = String(shown.way?.name === 'WebRTC');
    if (this.lowDelay.getAttribute('aria-pressed') !== low) this.lowDelay.setAttribute('aria-pressed', low);
    setHidden(this.notice, shown.message === '');
    setText(this.message, shown.message);
    setHidden(this.action, shown.action === '');
    setText(this.action, shown.action);
    setHidden(this.spinner, !shown.busy || shown.message !== '');
    const facts = shown.facts.join(' · ');
    setText(this.facts, facts);
    if (shown.paused) setIcon(this.play, 'play', 'Play', 'Space');
    else setIcon(this.play, 'pause', 'Pause', 'Space');
    if (shown.muted) setIcon(this.sound, 'muted', 'Unmute', 'M');
    else setIcon(this.sound, 'loud', 'Mute', 'M');
    if (this.sound.disabled === shown.hasAudio) this.sound.disabled = !shown.hasAudio;
    setHidden(this.unmute, !(shown.muted && shown.hasAudio) || shown.message !== '' || shown.clock === '');
    const rate = String(shown.rate);
    if (this.rate.value !== rate) this.rate.value = rate;
    const pressed = String(shown.isLive);
    if (this.live.getAttribute('aria-pressed') !== pressed) this.live.setAttribute('aria-pressed', pressed);
    for (const each of [this.live, this.lowDelay]) if (each.disabled === shown.canGoLive) each.disabled = !shown.canGoLive;
    this.screen.dataset['mode'] = shown.badge;
  }
}
