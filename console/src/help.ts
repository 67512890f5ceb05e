// The keys, in one table: the dialog shows it, and nothing else lists them.
import { h } from './dom.js';

const kKeys: readonly (readonly [string, string])[] = [
  ['Space', 'play or pause'],
  ['← →', '10 seconds back or on'],
  ['Shift ← →', '1 minute back or on'],
  ['[ ]', 'start of this recording, start of the next'],
  ['L', 'live'],
  ['T', 'go to a time'],
  ['< >', 'slower, faster'],
  ['M', 'sound'],
  ['F', 'full screen'],
  ['+ −', 'zoom the timeline'],
  ['↑ ↓', 'previous or next camera'],
  ['A', 'add a camera'],
  ['W', 'wall of live pictures, and back'],
  ['S', 'data streams, and back'],
  ['?', 'this help'],
];

export function helpDialog(): void {
  const rows = kKeys.map(([keys, what]) =>
    h('tr', null, h('th', { scope: 'row' }, ...keys.split(' ').flatMap((key) => [h('kbd', null, key), ' '])), h('td', null, what)));
  const heading = h('h2', { id: 'help-title' }, 'Keys');
  const close = h('button', { type: 'submit', className: 'primary' }, 'Close');
  const dialog = h('dialog', { className: 'help' },
    h('form', { method: 'dialog' }, heading, h('table', null, h('tbody', null, ...rows)),
      h('p', { className: 'hint' }, 'On the timeline itself: arrows move the mark, Enter goes there; the wheel zooms, dragging moves.'),
      h('div', { className: 'form-actions' }, close)));
  dialog.setAttribute('aria-labelledby', heading.id);
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  close.focus();
}
