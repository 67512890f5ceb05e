// What dialogs are made of: fields with a label, and the modal dialog itself.
import * as api from './api.js';
import { h } from './dom.js';

let fieldNumber = 0;

export function field(label: string, input: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement, hint = ''): HTMLElement {
  fieldNumber += 1;
  input.id = `field-${fieldNumber}`;
  const words = hint === '' ? null : h('span', { className: 'hint', id: `hint-${fieldNumber}` }, hint);
  if (words) input.setAttribute('aria-describedby', words.id);
  return h('div', { className: 'field' }, h('label', { htmlFor: input.id }, label), input, words);
}

export interface DialogParts {
  readonly title: string;
  readonly body: (HTMLElement | null)[];
  readonly action: string; // the button that does it
  readonly dangerous?: boolean;
  readonly run: () => Promise<void>; // throws what shall be shown
}

/** A modal dialog that closes when its action has worked, and shows why when it has not. */
export function openDialog(parts: DialogParts): void {
  const error = h('p', { className: 'form-error', hidden: true });
  error.setAttribute('role', 'alert');
  const action = h('button', { type: 'submit', className: parts.dangerous ? 'danger' : 'primary' }, parts.action);
  const cancel = h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  const heading = h('h2', { id: 'dialog-title' }, parts.title);
  const form = h('form', { noValidate: true, autocomplete: 'off' }, heading, ...parts.body, error,
    h('div', { className: 'form-actions' }, cancel, action));
  const dialog = h('dialog', null, form);
  dialog.setAttribute('aria-labelledby', heading.id);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    error.hidden = true;
    action.disabled = true;
    parts.run().then(() => dialog.close(), (reason: unknown) => {
      error.textContent = reason instanceof api.Unreachable
        ? 'The server does not answer. Nothing was changed, as far as this page knows.'
        : reason instanceof Error ? reason.message : String(reason);
      error.hidden = false;
    }).finally(() => { action.disabled = false; });
  });
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
