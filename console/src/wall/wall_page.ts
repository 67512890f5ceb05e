// The wall: a tile for each stream that is live or has a camera. A tile plays while it is on the screen, and only then.
import { type Row } from '../cameras/rows.js';
import { h, setHidden } from '../dom.js';
import { Tile } from './tile.js';

export class WallPage {
  readonly element = h('div', { className: 'body wall-body', hidden: true }); // has its parts while it is shown
  private readonly grid = h('ul', { className: 'wall' });
  private readonly empty = h('p', { className: 'hint page-message', hidden: true }, 'No camera and no live stream yet: there is nothing to show.');
  private readonly main = h('main', null, h('h1', { className: 'unseen' }, 'Live wall'), this.grid, this.empty);
  private readonly tiles = new Map<string, Tile>();
  private readonly sight: IntersectionObserver;

  constructor() {
    this.sight = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        const tile = [...this.tiles.values()].find((each) => each.element === entry.target);
        tile?.setInView(entry.isIntersecting);
      }
    });
    document.addEventListener('visibilitychange', () => {
      for (const tile of this.tiles.values()) tile.setPageVisible(document.visibilityState === 'visible');
    });
  }

  get shown(): boolean {
    return !this.element.hidden;
  }

  show(): void {
    if (this.shown) return;
    this.element.hidden = false;
    this.element.append(this.main);
  }

  hide(): void {
    if (!this.shown) return;
    this.element.hidden = true;
    for (const key of [...this.tiles.keys()]) this.drop(key);
    this.element.replaceChildren();
  }

  /** `answers`: the server is there, so that what plays should go on. */
  update(rows: readonly Row[], now: number, answers: boolean): void {
    if (!this.shown) return;
    const wanted = rows.filter((row) => row.camera?.enabled || row.stream?.live);
    const keys = new Set(wanted.map((row) => row.key));
    for (const key of [...this.tiles.keys()]) if (!keys.has(key)) this.drop(key);
    wanted.forEach((row, index) => {
      let tile = this.tiles.get(row.key);
      if (!tile) {
        tile = new Tile(row.streamName);
        this.tiles.set(row.key, tile);
        this.sight.observe(tile.element);
      }
      if (this.grid.children[index] !== tile.element) this.grid.insertBefore(tile.element, this.grid.children[index] ?? null);
      tile.update(row, now, answers);
    });
    setHidden(this.empty, wanted.length > 0);
    this.grid.dataset['tiles'] = wanted.length > 9 ? 'many' : wanted.length > 4 ? 'some' : wanted.length > 1 ? 'few' : 'one';
  }

  /** The server is back after it was away. */
  retry(): void {
    for (const tile of this.tiles.values()) tile.retry();
  }

  private drop(key: string): void {
    const tile = this.tiles.get(key);
    if (!tile) return;
    this.sight.unobserve(tile.element);
    tile.close();
    this.tiles.delete(key);
  }
}
