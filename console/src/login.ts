// Logging in, where the server has users: the first answer that asks who we are opens the form.
import { kUnauthenticated, logIn } from './api.js';
import { field, openDialog } from './dialog.js';
import { h } from './dom.js';

/** Asks for an access key as soon as the server does, and begins anew with it. */
export function askForKeys(): void {
  let open = false;
  window.addEventListener(kUnauthenticated, () => {
    // What the page goes on asking for meanwhile is refused as well.
    if (open) return;
    open = true;
    const id = h('input', { type: 'text', spellcheck: false, autocapitalize: 'off', autocomplete: 'username' });
    const secret = h('input', { type: 'password', autocomplete: 'current-password' });
    openDialog({
      title: 'Log in',
      body: [field('Access key', id, '“millrace user add” makes one'), field('Secret', secret)],
      action: 'Log in',
      run: async () => {
        await logIn(id.value.trim(), secret.value.trim());
        window.location.reload();
      },
    });
    document.querySelector('dialog:last-of-type')?.addEventListener('close', () => { open = false; });
    id.focus();
  });
}
