// Reads the pixels of a PNG as Chromium writes its screenshots: 8 bits, RGB or RGBA, not interlaced.
import zlib from 'node:zlib';

export class Pixels {
  constructor(png) {
    const idat = [];
    for (let at = 8; at < png.length;) {
      const size = png.readUInt32BE(at);
      const type = png.toString('latin1', at + 4, at + 8);
      const data = png.subarray(at + 8, at + 8 + size);
      if (type === 'IHDR') {
        this.width = data.readUInt32BE(0);
        this.height = data.readUInt32BE(4);
        this.channels = { 2: 3, 6: 4 }[data[9]];
        if (data[8] !== 8 || !this.channels || data[12] !== 0) throw new Error('a PNG of another kind');
      }
      if (type === 'IDAT') idat.push(data);
      at += 12 + size;
    }
    this.rows = this.unfiltered(zlib.inflateSync(Buffer.concat(idat)));
  }

  unfiltered(raw) {
    const { channels, height } = this;
    const stride = this.width * channels;
    const rows = [];
    for (let y = 0; y < height; y += 1) {
      const filter = raw[y * (stride + 1)];
      const row = Buffer.from(raw.subarray(y * (stride + 1) + 1, (y + 1) * (stride + 1)));
      const above = rows[y - 1];
      for (let x = 0; x < stride; x += 1) {
        const left = x >= channels ? row[x - channels] : 0;
        const up = above ? above[x] : 0;
        const corner = above && x >= channels ? above[x - channels] : 0;
        let add = 0;
        if (filter === 1) add = left;
        else if (filter === 2) add = up;
        else if (filter === 3) add = (left + up) >> 1;
        else if (filter === 4) {
          const guess = left + up - corner;
          const [a, b, c] = [left, up, corner].map((value) => Math.abs(guess - value));
          add = a <= b && a <= c ? left : b <= c ? up : corner;
        }
        row[x] = (row[x] + add) & 255;
      }
      rows.push(row);
    }
    return rows;
  }

  /** [red, green, blue] */
  at(x, y) {
    return [...this.rows[y].subarray(x * this.channels, x * this.channels + 3)];
  }
}

export const kFaceColor = [255, 210, 74]; // styles.css: --face

export const alike = (color, wanted, slack = 40) => color.every((value, i) => Math.abs(value - wanted[i]) < slack);

/** Which part of the rectangle's sides, `inset` pixels within it, is of this colour. `at`: left, top, right, bottom. */
export function sidesSeen(pixels, at, inset, wanted = kFaceColor) {
  let seen = 0;
  let all = 0;
  const look = (x, y) => {
    all += 1;
    if (alike(pixels.at(Math.round(x), Math.round(y)), wanted)) seen += 1;
  };
  for (let x = at.left + 6; x < at.right - 6; x += 3) {
    look(x, at.top + inset);
    look(x, at.bottom - 1 - inset);
  }
  for (let y = at.top + 6; y < at.bottom - 6; y += 3) {
    look(at.left + inset, y);
    look(at.right - 1 - inset, y);
  }
  return seen / all;
}

/** How much of a box's sides shows: they are two pixels wide, and may lie between two. */
export const boxSeen = (pixels, at) => Math.max(...[0, 0.5, 1].map((inset) => sidesSeen(pixels, at, inset)));
