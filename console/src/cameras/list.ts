// The list of cameras: one link a row, updated in place so that focus, hover and scrolling survive every poll.
import { h, icon, iconButton, setHidden, setText } from '../dom.js';
import { writeHash } from '../hash.js';
import { type Row, filtered, wordsOf } from './rows.js';

const kFilterFrom = 7; // rows from which a filter helps more than it takes room

interface RowElements {
  readonly item: HTMLLIElement;
  readonly link: HTMLAnchorElement;
  readonly dot: HTMLElement;
  readonly name: HTMLElement;
  readonly state: HTMLElement;
  readonly detail: HTMLElement;
}

export class CameraList {
  readonly element: HTMLElement;
  private readonly count = h('span', { className: 'count' });
  private readonly filter = h('input', { type: 'search', className: 'filter', placeholder: 'Filter', hidden: true });
  private readonly list = h('ul', { className: 'rows' });
  private readonly none = h('p', { className: 'none', hidden: true }, 'No camera matches.');
  private readonly elements = new Map<string, RowElements>();
  private rows: readonly Row[] = [];
  private chosen: string | null = null;
  private now = 0;

  constructor(onAdd: () => void) {
    this.filter.setAttribute('aria-label', 'Filter cameras');
    this.filter.addEventListener('input', () => this.render());
    const add = iconButton('plus', 'Add camera', 'A', onAdd);
    this.element = h('nav', { className: 'cameras', id: 'cameras' },
      h('div', { className: 'cameras-head' }, h('h2', null, 'Cameras'), this.count, add),
      this.filter, this.list, this.none);
    this.element.setAttribute('aria-label', 'Cameras');
  }

  update(rows: readonly Row[], chosen: string | null, now: number): void {
    this.rows = rows;
    this.chosen = chosen;
    this.now = now;
    this.render();
  }

  private render(): void {
    const shown = filtered(this.rows, this.filter.value);
    setHidden(this.filter, this.rows.length < kFilterFrom && this.filter.value === '');
    setHidden(this.none, shown.length > 0 || this.rows.length === 0);
    setText(this.count, this.rows.length === 0 ? '' : String(this.rows.length));
    const keys = new Set(shown.map((row) => row.key));
    for (const [key, { item }] of this.elements) {
      if (keys.has(key)) continue;
      item.remove();
      this.elements.delete(key);
    }
    shown.forEach((row, index) => {
      let entry = this.elements.get(row.key);
      if (!entry) {
        entry = make();
        this.elements.set(row.key, entry);
      }
      if (this.list.children[index] !== entry.item) this.list.insertBefore(entry.item, this.list.children[index] ?? null);
      this.fill(entry, row);
    });
  }

  private fill(entry: RowElements, row: Row): void {
    const words = wordsOf(row, this.now);
    const href = writeHash({ stream: row.streamName, time: null });
    if (entry.link.getAttribute('href') !== href) entry.link.setAttribute('href', href);
    entry.item.dataset['name'] = row.name;
    entry.item.dataset['state'] = row.camera?.state ?? 'stream';
    if (entry.dot.dataset['tone'] !== words.tone) entry.dot.dataset['tone'] = words.tone;
    setText(entry.name, row.name);
    setText(entry.state, words.state);
    setText(entry.detail, words.detail);
    if (entry.detail.title !== words.detail) entry.detail.title = words.detail;
    if (row.streamName === this.chosen) entry.link.setAttribute('aria-current', 'true');
    else entry.link.removeAttribute('aria-current');
  }
}

function make(): RowElements {
  const dot = h('span', { className: 'dot' });
  const name = h('span', { className: 'row-name' });
  const state = h('span', { className: 'row-state' });
  const detail = h('span', { className: 'row-detail' });
  const link = h('a', { className: 'row' }, dot, name, state, detail);
  return { item: h('li', null, link), link, dot, name, state, detail };
}

/** What stands in place of everything while there is no camera. */
export function emptyState(onAdd: () => void): HTMLElement {
  return h('section', { className: 'empty' },
    h('div', { className: 'empty-picture' }, icon('camera')),
    h('h1', null, 'No cameras yet'),
    h('p', null, 'Add one here, or on the command line:'),
    h('pre', null, h('code', null, 'millrace camera add front-door rtsp://192.168.1.20/stream1')),
    h('button', { type: 'button', className: 'primary', onclick: onAdd }, 'Add camera'));
}
