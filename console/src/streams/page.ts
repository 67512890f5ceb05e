// The data streams' page: the list, and the chosen stream with its shards and its newest records.
import * as api from '../api.js';
import { h, setHidden, setText } from '../dom.js';
import { writeStreamsHash } from '../hash.js';
import { mergeDialog, putDialog, scaleDialog, splitDialog } from './dialogs.js';
import { formatCount } from './format.js';
import { ShardsView } from './shards.js';
import { Tail } from './tail.js';
import { formatBytes, formatDateTime, formatDuration, kHour } from '../time.js';

const kListMs = 2000; // how often the list and the shards are asked for
const kTailMs = 1000;

export class StreamsPage {
  readonly element = h('div', { className: 'body', hidden: true }); // has its parts while it is shown
  private readonly parts: readonly HTMLElement[];
  private readonly list = h('ul', { className: 'rows' });
  private readonly count = h('span', { className: 'count' });
  private readonly internal = h('input', { type: 'checkbox', id: 'internal-streams' });
  private readonly title_ = h('h1', { className: 'stream-name' });
  private readonly facts = h('p', { className: 'stream-state' });
  private readonly message = h('p', { className: 'hint page-message' });
  private readonly put = h('button', { type: 'button', className: 'primary' }, 'Put a record');
  private readonly scale = h('button', { type: 'button' }, 'Scale');
  private readonly stage: HTMLElement;
  private readonly empty: HTMLElement;
  private readonly shards: ShardsView;
  private readonly tail = new Tail();
  private chosen = '';
  private streams: readonly api.DataStream[] | null = null;
  private detail: api.DataStreamDetail | null = null;
  private timer = 0;
  private asking = false;
  private askedAt = -Infinity;

  constructor(private readonly say: (words: string) => void) {
    const done = (words: string): void => {
      this.say(words);
      this.askedAt = -Infinity;
      void this.refresh();
    };
    this.shards = new ShardsView({
      split: (shard) => splitDialog(this.chosen, shard, done),
      merge: (shard, next) => mergeDialog(this.chosen, shard, next, done),
    });
    this.put.addEventListener('click', () => putDialog(this.chosen, done));
    this.scale.addEventListener('click', () => scaleDialog(this.chosen, this.detail?.open_shards ?? 1, done));
    this.internal.addEventListener('change', () => {
      this.askedAt = -Infinity;
      void this.refresh();
    });
    this.stage = h('div', { className: 'stream-stage', hidden: true },
      h('div', { className: 'stage-head' }, h('div', { className: 'who' }, this.title_, this.facts),
        h('div', { className: 'group' }, this.put, this.scale)),
      this.shards.element, this.tail.element);
    this.empty = h('section', { className: 'empty', hidden: true }, h('h1', null, 'No data streams yet'),
      h('p', null, 'Make one on the command line, or with any client of Amazon Kinesis:'),
      h('pre', null, h('code', null, 'millrace stream create events')));
    const nav = h('nav', { className: 'cameras data-streams' },
      h('div', { className: 'cameras-head' }, h('h2', null, 'Data streams'), this.count), this.list,
      h('label', { className: 'check', htmlFor: this.internal.id, title: 'Those that hold what Millrace itself keeps' }, this.internal, 'Internal ones too'));
    nav.setAttribute('aria-label', 'Data streams');
    this.parts = [nav, h('main', null, this.stage, this.empty, this.message)];
    document.addEventListener('visibilitychange', () => this.schedule(0));
  }

  get shown(): boolean {
    return !this.element.hidden;
  }

  /** The document's title; null while another page is shown. */
  title(): string | null {
    if (!this.shown) return null;
    return this.chosen === '' ? 'Data streams · Millrace' : `${this.chosen} · Millrace`;
  }

  /** Shows the page with this stream; '' for the first one. */
  show(name: string): void {
    const was = this.shown;
    this.element.hidden = false;
    if (!was) this.element.append(...this.parts);
    if (was && name === this.chosen) return;
    this.choose(name);
    this.schedule(0);
  }

  hide(): void {
    this.element.hidden = true;
    this.element.replaceChildren();
    window.clearTimeout(this.timer);
  }

  private choose(name: string): void {
    this.chosen = name;
    this.detail = null;
    this.askedAt = -Infinity;
    this.tail.open(name);
    setText(this.message, '');
    this.render();
  }

  private schedule(ms: number): void {
    window.clearTimeout(this.timer);
    if (!this.shown || document.visibilityState !== 'visible') return;
    this.timer = window.setTimeout(() => void this.refresh(), ms);
  }

  private async refresh(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    const name = this.chosen;
    try {
      if (performance.now() - this.askedAt > kListMs) await this.refreshStreams();
      if (name !== '' && name === this.chosen) await this.tail.refresh();
      if (name === this.chosen) setText(this.message, '');
    } catch (error) {
      // When nobody answers, the banner says so, and what was known stays.
      if (name === this.chosen && error instanceof api.ApiError) {
        if (error.status === 404) this.detail = null;
        setText(this.message, api.asksWhoWeAre(error) ? '' : error.message);
        this.render();
      }
    }
    this.asking = false;
    this.schedule(name === this.chosen ? kTailMs : 0);
  }

  private async refreshStreams(): Promise<void> {
    const name = this.chosen;
    this.askedAt = performance.now();
    this.streams = await api.listDataStreams(this.internal.checked);
    const first = this.streams[0];
    if (name === '' && first && this.chosen === '') {
      history.replaceState(null, '', writeStreamsHash(first.name));
      this.choose(first.name);
      return;
    }
    this.render();
    if (name === '') return;
    const detail = await api.getDataStream(name);
    if (name !== this.chosen) return;
    this.detail = detail;
    this.render();
  }

  private render(): void {
    const { detail, streams } = this;
    if (streams) this.renderList(streams);
    setHidden(this.empty, streams === null || streams.length > 0 || this.chosen !== '');
    setHidden(this.stage, detail === null);
    setHidden(this.message, this.message.textContent === '');
    if (!detail) return;
    const open = detail.shards.filter((shard) => shard.open);
    const sum = (of: (shard: api.Shard) => number | null): number => open.reduce((all, shard) => all + (of(shard) ?? 0), 0);
    setText(this.title_, detail.name);
    setText(this.facts, [modeOf(detail), shardsOf(detail), `kept for ${formatDuration(detail.retention_hours * kHour)}`,
      `made ${formatDateTime(Date.parse(detail.created))}`,
      `${formatCount(sum((shard) => shard.records_per_second))} records/s, ${formatBytes(sum((shard) => shard.bytes_per_second))}/s`].join(' · '));
    setHidden(this.put, detail.internal);
    setHidden(this.scale, detail.internal || detail.mode === 'on_demand');
    this.shards.update(detail);
  }

  private renderList(streams: readonly api.DataStream[]): void {
    setText(this.count, streams.length === 0 ? '' : String(streams.length));
    streams.forEach((stream, i) => {
      let item = this.list.children[i] as HTMLElement | undefined;
      if (!item) {
        item = h('li', null, h('a', { className: 'row' }, h('span', { className: 'dot' }), h('span', { className: 'row-name' }),
          h('span', { className: 'row-state' }), h('span', { className: 'row-detail' })));
        this.list.append(item);
      }
      const link = item.firstElementChild as HTMLAnchorElement;
      const href = writeStreamsHash(stream.name);
      if (link.getAttribute('href') !== href) link.setAttribute('href', href);
      const [, name, state, words] = link.children;
      setText(name!, stream.name);
      setText(state!, modeOf(stream));
      setText(words!, [shardsOf(stream), `kept for ${formatDuration(stream.retention_hours * kHour)}`, stream.internal ? 'internal' : '']
        .filter((text) => text !== '').join(' · '));
      if (stream.name === this.chosen) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    });
    while (this.list.children.length > streams.length) this.list.lastElementChild!.remove();
  }
}

function modeOf(stream: { readonly mode: string }): string {
  return stream.mode === 'on_demand' ? 'On demand' : 'Provisioned';
}

function shardsOf(stream: { readonly open_shards: number }): string {
  return `${stream.open_shards} ${stream.open_shards === 1 ? 'shard' : 'shards'}`;
}
