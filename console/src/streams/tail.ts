// The live tail of a data stream: its newest records on top, at most so many, each unfolded by a click.
import * as api from '../api.js';
import { h, setHidden, setText } from '../dom.js';
import { formatBytes, formatClock, formatDateTime } from '../time.js';
import { previewOf, shortShard } from './format.js';

const kRowsMax = 200;

export class Tail {
  readonly element: HTMLElement;
  private readonly list = h('ol', { className: 'records' });
  private readonly none = h('p', { className: 'hint' }, 'No records yet.');
  private readonly state = h('span', { className: 'hint' });
  private readonly pause = h('button', { type: 'button' }, 'Pause');
  private stream = '';
  private next: string | null = null;
  private paused = false;
  private asking = false;

  constructor() {
    this.pause.addEventListener('click', () => {
      this.paused = !this.paused;
      this.pause.setAttribute('aria-pressed', String(this.paused));
      setText(this.pause, this.paused ? 'Go on' : 'Pause');
      setText(this.state, this.paused ? 'Paused.' : '');
    });
    this.element = h('section', { className: 'tail', attributes_: { 'aria-label': 'Newest records' } },
      h('div', { className: 'section-head' }, h('h2', null, 'Newest records'), this.state, this.pause), this.none, this.list);
  }

  /** Begins anew with this stream. */
  open(stream: string): void {
    this.stream = stream;
    this.next = null;
    this.list.replaceChildren();
    setHidden(this.none, true);
    if (this.paused) this.pause.click();
  }

  /** Asks for what is new. Throws what the server or its absence says. */
  async refresh(): Promise<void> {
    if (this.asking || this.paused) return;
    const { stream } = this;
    this.asking = true;
    try {
      const answer = await api.getRecords(stream, this.next);
      if (stream !== this.stream || this.paused) return;
      const began = this.next !== null;
      this.next = answer.next === '' ? null : answer.next;
      this.add(answer.records);
      setText(this.state, began && answer.skipped ? 'Too many to show them all.' : '');
    } finally {
      this.asking = false;
    }
  }

  private add(records: readonly api.DataRecord[]): void {
    for (const record of records) this.list.prepend(row(record));
    while (this.list.children.length > kRowsMax) this.list.lastElementChild!.remove();
    setHidden(this.none, this.list.children.length > 0);
  }
}

function row(record: api.DataRecord): HTMLElement {
  const preview = previewOf(record);
  const time = Date.parse(record.time);
  const part = record.aggregated === null || record.sub_sequence === null ? null
    : h('span', { className: 'tag', title: 'A part of an aggregated record' }, `${record.sub_sequence + 1} of ${record.aggregated}`);
  const facts = [formatDateTime(time), record.shard, `sequence number ${record.sequence_number}`,
    record.sub_sequence === null ? '' : `sub-sequence ${record.sub_sequence}`,
    `partition key ${record.partition_key}`, `${record.bytes} bytes of ${preview.kind}`].filter((text) => text !== '');
  return h('li', null, h('details', null,
    h('summary', null, h('span', { className: 'record-time' }, formatClock(time, true)),
      h('span', { className: 'record-shard', title: record.shard }, shortShard(record.shard)),
      h('span', { className: 'record-key' }, record.partition_key), h('span', { className: 'record-size' }, formatBytes(record.bytes)),
      h('span', { className: 'record-data' }, part, part ? ' ' : null, preview.line)),
    h('p', { className: 'hint' }, facts.join(' · ')), h('pre', null, h('code', null, preview.whole))));
}
