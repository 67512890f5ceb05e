// The few lines that stand in for a framework.

type Child = Node | string | null | undefined | false;
type Properties<K extends keyof HTMLElementTagNameMap> = Partial<Omit<HTMLElementTagNameMap[K], 'style' | 'dataset'>> & {
  attributes_?: Record<string, string>;
};

/** h('button', { className: 'quiet', onclick: run }, 'Go'): an element with its properties and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K, properties: Properties<K> | null = null, ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (properties) {
    const { attributes_: attributes, ...rest } = properties;
    Object.assign(element, rest);
    for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value);
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/** Sets text only where it changes: selections and screen readers stay undisturbed. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setHidden(element: HTMLElement, hidden: boolean): void {
  if (element.hidden !== hidden) element.hidden = hidden;
}

const kPaths = {
  play: 'M7 4.5v15l12-7.5z',
  pause: 'M7 5h3.5v14H7zM13.5 5H17v14h-3.5z',
  back: 'M11 6v12l-8-6zM20 6v12l-8-6z',
  forward: 'M13 6v12l8-6zM4 6v12l8-6z',
  previous: 'M5 5h2.5v14H5zM19 5v14l-10-7z',
  next: 'M16.5 5H19v14h-2.5zM5 5v14l10-7z',
  muted: 'M4 9v6h4l5 4V5L8 9zM16 9.4 20.6 14M20.6 9.4 16 14',
  loud: 'M4 9v6h4l5 4V5L8 9zM16 9a4 4 0 0 1 0 6M18.2 6.5a8 8 0 0 1 0 11',
  full: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  menu: 'M4 7h16M4 12h16M4 17h16',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  theme: 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18',
  help: 'M9 9a3 3 0 1 1 4.2 2.8c-.8.4-1.2 1-1.2 2M12 17.4v.2',
  camera: 'M3 7h12v10H3zM15 11l6-3v8l-6-3z',
} as const;
export type IconName = keyof typeof kPaths;
const kFilled: ReadonlySet<IconName> = new Set(['play', 'pause', 'back', 'forward', 'previous', 'next']);

/** A drawing for a button that has its name elsewhere. */
export function icon(name: IconName): SVGSVGElement {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  svg.setAttribute('class', kFilled.has(name) ? 'icon filled' : 'icon');
  const shape = document.createElementNS(ns, 'path');
  shape.setAttribute('d', kPaths[name]);
  svg.append(shape);
  return svg;
}

export function iconButton(name: IconName, label: string, key: string, run: () => void): HTMLButtonElement {
  const button = h('button', { type: 'button', className: 'icon-button', title: key ? `${label} (${key})` : label, onclick: run },
    icon(name));
  button.setAttribute('aria-label', label);
  return button;
}

export function setIcon(button: HTMLButtonElement, name: IconName, label: string, key: string): void {
  if (button.getAttribute('aria-label') === label) return;
  button.setAttribute('aria-label', label);
  button.title = key ? `${label} (${key})` : label;
  button.replaceChildren(icon(name));
}
