// The shards of a data stream: their ranges drawn to scale with how busy each is, and a table of them.
import type { DataStreamDetail, Shard } from '../api.js';
import { h, setHidden, setText } from '../dom.js';
import { formatRate, formatShare, nextOf, shortShard } from './format.js';

export interface ShardActions {
  readonly split: (shard: Shard) => void;
  readonly merge: (shard: Shard, next: Shard) => void;
}

const kLevelMax = 52; // percent of a block's height: its number stands above
const kColumns = ['Hash keys', 'Share', 'Written', 'Parents'];
const kLabelledFrom = 0.03; // a narrower block has no room for its number

export class ShardsView {
  readonly element: HTMLElement;
  private readonly map = h('div', { className: 'shard-map', attributes_: { role: 'img' } });
  private readonly body = h('tbody');
  private readonly closed = h('input', { type: 'checkbox', id: 'closed-shards' });
  private readonly closedRow: HTMLElement;
  private readonly closedCount = h('span');
  private detail: DataStreamDetail | null = null;
  private shown = ''; // what the table was made of: it is made anew only where that changes, so that focus stays

  constructor(private readonly actions: ShardActions) {
    this.closed.addEventListener('change', () => this.render());
    this.closedRow = h('label', { className: 'check', htmlFor: this.closed.id }, this.closed, this.closedCount);
    const head = ['Shard', ...kColumns, ''].map((text) => h('th', { scope: 'col' }, text || h('span', { className: 'unseen' }, 'Actions')));
    this.element = h('section', { className: 'shards', attributes_: { 'aria-label': 'Shards' } },
      h('div', { className: 'section-head' }, h('h2', null, 'Shards'), this.closedRow), this.map,
      h('div', { className: 'table-box' }, h('table', null, h('thead', null, h('tr', null, ...head)), this.body)));
  }

  update(detail: DataStreamDetail): void {
    this.detail = detail;
    this.render();
  }

  private render(): void {
    const { detail } = this;
    if (!detail) return;
    const open = detail.shards.filter((shard) => shard.open);
    const gone = detail.shards.length - open.length;
    setHidden(this.closedRow, gone === 0);
    setText(this.closedCount, `${gone} closed`);
    this.draw(open);
    const rows = this.closed.checked ? detail.shards : open;
    const shape = rows.map((shard) => `${shard.id} ${shard.open}`).join() + String(detail.mode);
    if (shape !== this.shown) {
      this.shown = shape;
      this.body.replaceChildren(...rows.map((shard) => this.row(shard, detail)));
    }
    rows.forEach((shard, i) => setText(this.body.children[i]!.children[3]!, formatRate(shard)));
  }

  private draw(open: readonly Shard[]): void {
    const most = Math.max(1, ...open.map((shard) => shard.records_per_second ?? 0));
    const blocks = [...open].sort((a, b) => a.start - b.start).map((shard) => {
      const width = shard.end - shard.start;
      const level = h('span', { className: 'level' });
      level.style.height = `${((shard.records_per_second ?? 0) / most) * kLevelMax}%`;
      const block = h('div', { className: 'shard-block', title: `${shard.id}: ${formatShare(width)} of the hash keys, ${formatRate(shard)}` }, level,
        width >= kLabelledFrom ? h('span', { className: 'shard-name' }, shortShard(shard.id)) : null);
      block.style.width = `${width * 100}%`;
      return block;
    });
    this.map.replaceChildren(...blocks);
    this.map.setAttribute('aria-label', open.length === 1 ? 'One shard has all hash keys.'
      : `${open.length} shards share the hash keys: ${open.slice(0, 20).map((shard) => `${shortShard(shard.id)} has ${formatShare(shard.end - shard.start)}`).join(', ')}.`);
  }

  private row(shard: Shard, detail: DataStreamDetail): HTMLElement {
    const fixed = !shard.open || detail.internal || detail.mode === 'on_demand';
    const next = fixed ? null : nextOf(shard, detail.shards);
    const short = shortShard(shard.id);
    const act = (words: string, label: string, run: () => void): HTMLElement =>
      h('button', { type: 'button', onclick: run, attributes_: { 'aria-label': label } }, words);
    // The name of a cell's column stands before it where there is no room for columns.
    const cells = [`${formatShare(shard.start)} – ${formatShare(shard.end)}`, formatShare(shard.end - shard.start), '',
      shard.parents.map(shortShard).join(', ')].map((text, i) => h('td', { attributes_: { 'data-column': kColumns[i]! } }, text));
    return h('tr', { className: shard.open ? '' : 'closed' },
      h('th', { scope: 'row' }, shard.id, shard.open ? null : h('span', { className: 'tag' }, 'closed')),
      ...cells,
      h('td', { className: 'actions' }, fixed ? null : act('Split', `Split shard ${short}`, () => this.actions.split(shard)),
        next ? act(`Merge with ${shortShard(next.id)}`, `Merge shards ${short} and ${shortShard(next.id)}`, () => this.actions.merge(shard, next)) : null));
  }
}
