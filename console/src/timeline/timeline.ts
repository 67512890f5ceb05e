// The timeline: a canvas that shows what is recorded around the picture that plays, and takes clicks, drags, the wheel,
// pinches and keys. It draws when told or touched, never by itself; the arithmetic is view.ts and intervals.ts.
import { h, setHidden, setText } from '../dom.js';
import { type Analysed, boxesAt, faceRuns } from '../faces/sightings.js';
import { formatDateTime, formatDuration, formatNear, kHour, kMinute } from '../time.js';
import type { Coverage } from './coverage.js';
import { gapAt, intervalAt, isRecorded, runsOf } from './intervals.js';
import { type View, clamped, contains, panned, spanOf, ticksOf, timeAt, withTimeAt, xOf, zoomed } from './view.js';

const kHeight = 76;
const kBarTop = 28;
const kBarHeight = 36;
const kFacesHeight = 5; // at the bar's foot
const kDragSlop = 4; // CSS pixels a click may wander

export class Timeline {
  readonly element: HTMLElement;
  /** A time was chosen. */
  onGo: (time: number) => void = () => {};
  /** The view moved or was zoomed, by a person or by following. */
  onView: () => void = () => {};

  view: View = { start: Date.now() - 30 * kMinute, end: Date.now() };
  private readonly canvas = h('canvas', { tabIndex: 0, className: 'timeline-canvas' });
  private readonly tip = h('div', { className: 'tip', hidden: true });
  private readonly wrap: HTMLElement;
  private coverage: Coverage | null = null;
  private faces: readonly Analysed[] = [];
  private now = Date.now();
  private first = this.now - kHour;
  private playhead: number | null = null;
  private following = true;
  private hover: number | null = null; // a time
  private cursor: number | null = null; // the keyboard's mark, a time
  private readonly pointers = new Map<number, number>(); // pointer id to x
  private dragged = false;
  private downX = 0;
  private colors: Record<string, string> = {};

  constructor() {
    this.tip.setAttribute('aria-hidden', 'true');
    this.wrap = h('div', { className: 'timeline' }, this.canvas, this.tip);
    this.element = this.wrap;
    const c = this.canvas;
    c.setAttribute('role', 'slider');
    c.setAttribute('aria-label', 'Timeline');
    c.addEventListener('pointerdown', (e) => this.down(e));
    c.addEventListener('pointermove', (e) => this.moved(e));
    c.addEventListener('pointerup', (e) => this.up(e));
    c.addEventListener('pointercancel', (e) => this.pointers.delete(e.pointerId));
    c.addEventListener('pointerleave', () => this.setHover(null));
    c.addEventListener('wheel', (e) => this.wheel(e), { passive: false });
    c.addEventListener('keydown', (e) => this.key(e));
    c.addEventListener('blur', () => { this.cursor = null; this.draw(); });
    new ResizeObserver(() => this.draw()).observe(this.wrap);
    this.readColors();
  }

  setCoverage(coverage: Coverage | null): void {
    this.coverage = coverage;
    this.draw();
  }

  /** Drawn with the next update. */
  setFaces(faces: readonly Analysed[]): void {
    this.faces = faces;
  }

  /** `first`: the oldest footage, if any; `playhead`: the picture's time. */
  update(now: number, first: number | null, playhead: number | null): void {
    this.now = now;
    this.first = first ?? now - kHour;
    this.playhead = playhead;
    if (this.following && this.pointers.size === 0) {
      const mark = playhead ?? now;
      // Near the present the present stays at the right; else the mark wanders, and the view turns like a page.
      if (now - mark < spanOf(this.view) * 0.3) this.view = withTimeAt(this.view, now, 0.96);
      else if (!contains(this.view, mark) || xOf(this.view, 1, mark) > 0.92) this.view = withTimeAt(this.view, mark, 0.3);
    }
    this.draw();
  }

  /** Shows the playhead again, and stays with it. */
  follow(): void {
    this.following = true;
  }

  setSpan(ms: number): void {
    const anchor = this.anchor();
    this.setView(zoomed(this.view, ms / spanOf(this.view), anchor));
    if (!contains(this.view, anchor)) this.setView(withTimeAt(this.view, anchor, 0.5));
  }

  zoom(factor: number): void {
    this.setView(zoomed(this.view, factor, this.anchor()));
  }

  themeChanged(): void {
    this.readColors();
    this.draw();
  }

  /** What zooming by key or button keeps in place: the mark when it is seen, else the middle. */
  private anchor(): number {
    const mark = this.cursor ?? this.playhead;
    if (mark !== null && contains(this.view, mark)) return mark;
    if (this.following) return this.now;
    return (this.view.start + this.view.end) / 2;
  }

  private setView(view: View): void {
    this.view = clamped(view, this.first, this.now);
    this.draw();
    this.onView();
  }

  private width(): number {
    return Math.max(1, this.wrap.clientWidth);
  }

  private x(event: MouseEvent): number {
    return event.clientX - this.canvas.getBoundingClientRect().left;
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.x(event));
    if (this.pointers.size === 1) {
      this.downX = this.x(event);
      this.dragged = false;
    }
  }

  private moved(event: PointerEvent): void {
    const x = this.x(event);
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) {
      this.setHover(timeAt(this.view, this.width(), x));
      return;
    }
    if (this.pointers.size === 2) this.pinch(event.pointerId, before, x);
    else if (this.dragged || Math.abs(x - this.downX) > kDragSlop) {
      this.following = false;
      this.setHover(null);
      // The whole way since the press, once it is a drag: the time under the pointer stays under it.
      const from = this.dragged ? before : this.downX;
      this.dragged = true;
      this.setView(panned(this.view, ((from - x) / this.width()) * spanOf(this.view)));
    }
    this.pointers.set(event.pointerId, x);
  }

  private pinch(id: number, before: number, x: number): void {
    const other = [...this.pointers].find(([key]) => key !== id)![1];
    const old = Math.max(10, Math.abs(before - other));
    this.dragged = true;
    this.following = false;
    this.setView(zoomed(this.view, old / Math.max(10, Math.abs(x - other)), timeAt(this.view, this.width(), other)));
  }

  private up(event: PointerEvent): void {
    if (!this.pointers.delete(event.pointerId) || this.dragged) return;
    this.go(timeAt(this.view, this.width(), this.x(event)));
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.deltaY) || event.shiftKey) {
      this.following = false;
      this.setView(panned(this.view, ((sideways * unit) / this.width()) * spanOf(this.view)));
    } else {
      const anchor = timeAt(this.view, this.width(), this.x(event));
      this.following = false;
      this.setView(zoomed(this.view, Math.exp(event.deltaY * unit * 0.002), anchor));
    }
    this.setHover(timeAt(this.view, this.width(), this.x(event)));
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = spanOf(this.view) / (event.shiftKey ? 10 : 100);
    const move = (to: number): void => {
      this.cursor = Math.min(to, this.now);
      this.following = false;
      if (!contains(this.view, this.cursor)) this.setView(withTimeAt(this.view, this.cursor, 0.5));
      this.draw();
    };
    const from = this.cursor ?? this.playhead ?? this.now;
    if (event.key === 'ArrowLeft') move(from - step);
    else if (event.key === 'ArrowRight') move(from + step);
    else if (event.key === 'PageUp') move(from - spanOf(this.view));
    else if (event.key === 'PageDown') move(from + spanOf(this.view));
    else if (event.key === 'Home') move(this.first);
    else if (event.key === 'End') move(this.now);
    else if (event.key === 'Enter' && this.cursor !== null) this.go(this.cursor);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private go(time: number): void {
    this.cursor = null;
    this.following = true;
    this.onGo(Math.min(time, this.now));
  }

  private setHover(time: number | null): void {
    this.hover = time;
    this.draw();
  }

  /** "2026-11-21 14:03:22" and whether there is footage. */
  private words(time: number): [string, string] {
    if (time > this.now) return ['', 'the future'];
    const when = formatNear(time, this.now);
    if (!this.coverage?.knows(time)) return [when, ''];
    const list = this.coverage.intervals;
    const here = intervalAt(list, time);
    if (here && isRecorded(here)) return [when, this.faceWords(time)];
    if (here?.state === 'pending') return [when, 'being recorded'];
    const gap = gapAt(list, time);
    const length = gap?.start != null && gap.end !== null ? ` for ${formatDuration(gap.end - gap.start)}` : '';
    return [when, `no footage${length}${here ? `: ${here.state.replaceAll('_', ' ')}` : ''}`];
  }

  private faceWords(time: number): string {
    const count = boxesAt(this.faces, time).length;
    return count === 0 ? '' : count === 1 ? 'a face' : `${count} faces`;
  }

  private readColors(): void {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['text', 'muted', 'line', 'track', 'recorded', 'hatch', 'mark', 'live', 'panel', 'face']) {
      this.colors[name] = style.getPropertyValue(`--${name}`).trim();
    }
  }

  private draw(): void {
    const width = this.width();
    const ratio = window.devicePixelRatio || 1;
    const c = this.canvas;
    if (c.width !== Math.round(width * ratio) || c.height !== Math.round(kHeight * ratio)) {
      c.width = Math.round(width * ratio);
      c.height = Math.round(kHeight * ratio);
    }
    const g = c.getContext('2d');
    if (!g) return;
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, kHeight);
    this.drawTrack(g, width);
    this.drawTicks(g, width);
    this.drawMarks(g, width);
    this.describe(width);
  }

  private drawTrack(g: CanvasRenderingContext2D, width: number): void {
    const nowX = Math.min(width, Math.max(0, xOf(this.view, width, this.now)));
    g.fillStyle = this.colors['track']!;
    g.fillRect(0, kBarTop, nowX, kBarHeight);
    const known = this.coverage?.known;
    if (!this.coverage || !known) return;
    // Known to be without footage: hatched, so that it differs from what has not been asked for yet.
    const from = Math.max(0, xOf(this.view, width, known.start));
    const to = Math.min(nowX, xOf(this.view, width, known.end));
    g.save();
    g.beginPath();
    g.rect(from, kBarTop, Math.max(0, to - from), kBarHeight);
    g.clip();
    g.strokeStyle = this.colors['hatch']!;
    g.lineWidth = 1;
    g.beginPath();
    for (let x = Math.floor(from / 8) * 8 - kBarHeight; x < to; x += 8) {
      g.moveTo(x, kBarTop + kBarHeight);
      g.lineTo(x + kBarHeight, kBarTop);
    }
    g.stroke();
    g.restore();
    g.fillStyle = this.colors['recorded']!;
    for (const run of runsOf(this.coverage.intervals, this.view, width)) {
      g.clearRect(run.x, kBarTop, run.width, kBarHeight);
      g.fillRect(run.x, kBarTop, run.width, kBarHeight);
    }
    g.fillStyle = this.colors['face']!;
    for (const run of faceRuns(this.faces, this.view, width)) {
      g.fillRect(run.x, kBarTop + kBarHeight - kFacesHeight, run.width, kFacesHeight);
    }
  }

  private drawTicks(g: CanvasRenderingContext2D, width: number): void {
    const style = getComputedStyle(this.wrap);
    const size = Number.parseFloat(style.fontSize); // larger on a wall screen
    g.font = `${Math.round(size * 0.8)}px ${style.fontFamily}`;
    g.textBaseline = 'middle';
    g.textAlign = 'center';
    for (const tick of ticksOf(this.view, width, size * 6)) {
      const x = Math.round(xOf(this.view, width, tick.time)) + 0.5;
      g.strokeStyle = this.colors['line']!;
      g.lineWidth = 1;
      g.beginPath();
      g.moveTo(x, tick.major ? 4 : 20);
      g.lineTo(x, kBarTop);
      g.moveTo(x, kBarTop + kBarHeight);
      g.lineTo(x, kBarTop + kBarHeight + 4);
      g.stroke();
      const half = g.measureText(tick.label).width / 2;
      if (x - half < 2 || x + half > width - 2) continue; // a cut label says less than none
      g.fillStyle = this.colors[tick.major ? 'text' : 'muted']!;
      g.fillText(tick.label, x, 11);
    }
  }

  private drawMarks(g: CanvasRenderingContext2D, width: number): void {
    const line = (time: number, color: string, from: number, to: number, thick: number): void => {
      const x = xOf(this.view, width, time);
      if (x < -1 || x > width + 1) return;
      g.fillStyle = color;
      g.fillRect(x - thick / 2, from, thick, to - from);
    };
    line(this.now, this.colors['live']!, kBarTop - 2, kBarTop + kBarHeight + 2, 1);
    const pointer = this.cursor ?? this.hover;
    if (pointer !== null) line(pointer, this.colors['muted']!, 20, kHeight - 4, 1);
    if (this.playhead === null) return;
    line(this.playhead, this.colors['panel']!, kBarTop - 4, kHeight - 4, 4);
    line(this.playhead, this.colors['mark']!, kBarTop - 4, kHeight - 4, 2);
    const x = xOf(this.view, width, this.playhead);
    g.beginPath();
    g.moveTo(x - 5, kHeight);
    g.lineTo(x + 5, kHeight);
    g.lineTo(x, kHeight - 7);
    g.fill();
  }

  /** The tip beside the pointer, and the same in words for those who do not see it. */
  private describe(width: number): void {
    const pointer = this.cursor ?? this.hover;
    setHidden(this.tip, pointer === null);
    if (pointer !== null) {
      const [when, what] = this.words(pointer);
      setText(this.tip, [when, what].filter((part) => part !== '').join(' · '));
      const half = this.tip.offsetWidth / 2;
      const x = Math.min(width - half, Math.max(half, xOf(this.view, width, pointer)));
      this.tip.style.transform = `translateX(${Math.round(x - half)}px)`;
    }
    const value = this.cursor ?? this.playhead ?? this.now;
    const set = (name: string, text: string): void => {
      if (this.canvas.getAttribute(name) !== text) this.canvas.setAttribute(name, text);
    };
    const seconds = (ms: number): string => String(Math.round(ms / 1000));
    set('aria-valuemin', seconds(Math.min(this.first, value)));
    set('aria-valuemax', seconds(Math.max(this.now, value)));
    set('aria-valuenow', seconds(value));
    const footage = this.words(value)[1];
    set('aria-valuetext', `${formatDateTime(value)}${footage ? `, ${footage}` : ''}`);
  }
}
