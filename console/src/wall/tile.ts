// One live picture of the wall, which leads to the stream's own page. It plays while it is in view on a page that is seen.
import { type Row, type Words, wordsOf } from '../cameras/rows.js';
import { h, setHidden, setText } from '../dom.js';
import { writeHash } from '../hash.js';
import { Player } from '../player/player.js';
import { formatDelay } from '../player/words.js';

export class Tile {
  readonly element: HTMLLIElement;
  private readonly video = h('video', { playsInline: true, muted: true, className: 'video' });
  private readonly player = new Player(this.video);
  private readonly dot = h('span', { className: 'dot' });
  private readonly name = h('span', { className: 'row-name' });
  private readonly way = h('span', { className: 'way' });
  private readonly message = h('p', { className: 'tile-message', hidden: true });
  private readonly spinner = h('div', { className: 'spinner', hidden: true });
  private inView = false;
  private pageVisible = document.visibilityState === 'visible';
  private words: Words | null = null;
  private live = false;

  constructor(readonly stream: string) {
    this.video.setAttribute('aria-label', `Live picture of ${stream}`);
    this.element = h('li', { className: 'tile' },
      h('a', { className: 'tile-link', href: writeHash({ stream, time: null }) },
        h('span', { className: 'screen' }, this.video, this.spinner, this.message),
        h('span', { className: 'tile-foot' }, this.dot, this.name, this.way)));
    this.player.onChange = () => this.render();
  }

  setInView(inView: boolean): void {
    this.inView = inView;
    this.follow();
  }

  setPageVisible(visible: boolean): void {
    this.pageVisible = visible;
    this.follow();
  }

  update(row: Row, now: number, answers: boolean): void {
    const started = !this.live && row.stream?.live === true;
    this.words = wordsOf(row, now);
    this.live = row.stream?.live === true;
    setText(this.name, row.name);
    this.follow();
    // A camera that starts to record now should not wait for the player's next try.
    if (answers && started && this.player.phase === 'failed') this.player.retry();
    if (answers) this.player.watch(this.live);
    this.render();
  }

  retry(): void {
    this.player.retry();
  }

  close(): void {
    this.player.stop();
    this.element.remove();
  }

  private follow(): void {
    const seen = this.inView && this.pageVisible;
    this.player.setSeen(seen);
    if (seen && this.live && this.player.mode === 'idle') this.player.playLive(this.stream);
  }

  private render(): void {
    const { player, words } = this;
    const moving = player.phase === 'playing' || player.phase === 'buffering';
    const message = moving ? '' : !this.live ? [words?.state, words?.detail].filter((part) => part).join(': ') : player.message ?? '';
    setText(this.message, message);
    setHidden(this.message, message === '');
    setHidden(this.spinner, message !== '' || !this.live || player.phase === 'playing');
    this.video.classList.toggle('unseen-picture', !moving);
    if (words && this.dot.dataset['tone'] !== words.tone) this.dot.dataset['tone'] = words.tone;
    const way = player.way();
    const latency = player.latency();
    setText(this.way, way === null ? '' : latency === null ? way.name : `${way.name} ${formatDelay(latency)}`);
    const title = way?.words ?? '';
    if (this.way.title !== title) this.way.title = title;
    this.element.dataset['way'] = way?.name ?? '';
  }
}
