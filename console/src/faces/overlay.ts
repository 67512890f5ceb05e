// Boxes over the picture, with the names of known people: laid on the part of the element that shows it, whatever the
// black bars beside it.
import { h } from '../dom.js';
import type { FaceBox } from './sightings.js';

const kBoxesMax = 64;

export class FaceOverlay {
  readonly element = h('div', { className: 'faces' });
  private readonly boxes: HTMLElement[] = [];

  constructor(private readonly video: HTMLVideoElement) {
    this.element.setAttribute('aria-hidden', 'true');
  }

  show(faces: readonly FaceBox[]): void {
    const { clientWidth: width, clientHeight: height, videoWidth, videoHeight } = this.video;
    const shown = videoWidth > 0 && videoHeight > 0 && width > 0 && height > 0 ? faces.slice(0, kBoxesMax) : [];
    while (this.boxes.length < shown.length) {
      const box = h('div', { className: 'face' }, h('span', { className: 'who' }));
      this.boxes.push(box);
      this.element.append(box);
    }
    const scale = Math.min(width / videoWidth, height / videoHeight);
    const left = (width - videoWidth * scale) / 2;
    const top = (height - videoHeight * scale) / 2;
    this.boxes.forEach((box, i) => {
      const face = shown[i];
      box.hidden = face === undefined;
      if (!face) return;
      // Drawn over the box, and kept inside the picture where the box touches its upper edge.
      const who = box.firstElementChild!;
      who.textContent = face.name === undefined ? '' : `${face.name} ${Math.round(face.similarity ?? 0)}`;
      box.classList.toggle('below', face.top < 0.06);
      box.style.left = `${left + face.left * videoWidth * scale}px`;
      box.style.top = `${top + face.top * videoHeight * scale}px`;
      box.style.width = `${face.width * videoWidth * scale}px`;
      box.style.height = `${face.height * videoHeight * scale}px`;
    });
  }
}
