// Dark or light: the system's choice until a person makes another, which is remembered.
const kKey = 'millrace.theme';

export type Theme = 'system' | 'dark' | 'light';
const kOrder: readonly Theme[] = ['system', 'dark', 'light'];

function stored(): Theme {
  try {
    const value = localStorage.getItem(kKey);
    return value === 'dark' || value === 'light' ? value : 'system';
  } catch {
    return 'system'; // storage can be forbidden
  }
}

let current: Theme = stored();

export const theme = (): Theme => current;

export function applyTheme(): void {
  if (current === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = current;
}

export function nextTheme(): Theme {
  current = kOrder[(kOrder.indexOf(current) + 1) % kOrder.length]!;
  try {
    if (current === 'system') localStorage.removeItem(kKey);
    else localStorage.setItem(kKey, current);
  } catch {
    // Not remembered, then.
  }
  applyTheme();
  return current;
}
