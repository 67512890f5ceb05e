// Keys that work anywhere on the page, unless something that takes text (or a dialog) has the focus.

export type KeyActions = Readonly<Record<string, () => void>>;

/** The name under which a key stands in the table: "Shift+ArrowLeft", "Space", "l", "?". */
export function keyName(event: KeyboardEvent): string {
  if (event.key === ' ') return 'Space';
  if (event.key.length === 1) return event.key.toLowerCase();
  return event.shiftKey ? `Shift+${event.key}` : event.key;
}

export function listen(actions: KeyActions): void {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const element = event.target instanceof Element ? event.target : null;
    // A dialog that was just closed keeps the focus for a moment: what is pressed then is meant for the page.
    const target = element?.closest('dialog:not([open])') ? null : element;
    if (target?.closest('input, select, textarea, dialog, [contenteditable]')) return;
    const name = keyName(event);
    // A focused button or link is pressed by these keys; that is what they mean there.
    if ((name === 'Space' || name === 'Enter') && target?.closest('button, a')) return;
    const run = Object.hasOwn(actions, name) ? actions[name] : undefined;
    if (!run) return;
    event.preventDefault();
    run();
  });
}
