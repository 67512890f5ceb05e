// What the player needs to know of a media playlist: which wall-clock time is at which place of the media. Pure.
// hls.js parses playlists for playing; this is about time only, and shared by every way of playing.

export interface Piece {
  readonly start: number; // seconds of media time
  readonly duration: number; // seconds
  readonly wall: number; // ms since 1970: EXT-X-PROGRAM-DATE-TIME
}

export interface PlaylistFacts {
  readonly pieces: Piece[];
  readonly total: number; // seconds
  readonly longest: number; // seconds: of one segment
  readonly holdBack: number | null; // seconds: EXT-X-SERVER-CONTROL's HOLD-BACK
  readonly ended: boolean; // EXT-X-ENDLIST
  readonly hasStart: boolean; // the server chose a start (EXT-X-START)
}

/** Reads a media playlist. Segments before the first EXT-X-PROGRAM-DATE-TIME have no known time and are left out. */
export function readPlaylist(text: string): PlaylistFacts {
  const pieces: Piece[] = [];
  let start = 0;
  let longest = 0;
  let duration: number | null = null;
  let wall: number | null = null;
  let holdBack: number | null = null;
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#EXTINF:')) {
      const value = Number.parseFloat(line.slice('#EXTINF:'.length));
      duration = Number.isFinite(value) && value >= 0 ? value : 0;
    } else if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) {
      const value = Date.parse(line.slice('#EXT-X-PROGRAM-DATE-TIME:'.length).trim());
      if (!Number.isNaN(value)) wall = value;
    } else if (line.startsWith('#EXT-X-SERVER-CONTROL:')) {
      const value = Number.parseFloat(/(?:^|[:,])HOLD-BACK=([\d.]+)/.exec(line)?.[1] ?? '');
      if (Number.isFinite(value)) holdBack = value;
    } else if (line !== '' && !line.startsWith('#') && duration !== null) {
      if (wall !== null) pieces.push({ start, duration, wall });
      start += duration;
      longest = Math.max(longest, duration);
      if (wall !== null) wall += duration * 1000;
      duration = null;
    }
  }
  return {
    pieces, total: start, longest, holdBack, ended: /^#EXT-X-ENDLIST/m.test(text), hasStart: /^#EXT-X-START:/m.test(text),
  };
}

/** The playlist with an EXT-X-START in place of any it had: players begin there, and load nothing before it. */
export function withStart(text: string, offset: number): string {
  const rest = text.replace(/^#EXT-X-START:.*\r?\n/gm, '');
  return rest.replace(/^#EXTM3U.*\r?\n/, (first) => `${first}#EXT-X-START:TIME-OFFSET=${offset.toFixed(3)},PRECISE=YES\n`);
}

/** The wall-clock time of a media time; null when the pieces do not say. */
export function wallAt(pieces: readonly Piece[], time: number): number | null {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (pieces[middle]!.start <= time + 1e-3) low = middle + 1;
    else high = middle;
  }
  const piece = pieces[Math.max(0, low - 1)];
  if (!piece || time < piece.start - 1) return null;
  // The last piece may still grow, and rounding may leave a hair between two: a little past the end is still its time.
  return piece.wall + Math.min(Math.max(0, time - piece.start), piece.duration + 1) * 1000;
}

/**
 * The media time that shows `wall`. In a gap: where the footage after it begins. null when `wall` is before the first
 * piece (by more than `slack` ms) or not before the end of the last.
 */
export function mediaAt(pieces: readonly Piece[], wall: number, slack = 0): number | null {
  const first = pieces[0];
  if (!first || wall < first.wall - slack) return null;
  for (const piece of pieces) {
    if (wall < piece.wall + piece.duration * 1000) return piece.start + Math.max(0, (wall - piece.wall) / 1000);
  }
  return null;
}

/** Where the footage of these pieces ends; null when there are none. */
export function wallEnd(pieces: readonly Piece[]): number | null {
  const last = pieces[pieces.length - 1];
  return last ? last.wall + last.duration * 1000 : null;
}
