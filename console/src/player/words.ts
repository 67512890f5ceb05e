// What the player tells people: codecs by the names they know, failures in words. Pure.

/** "H.264", "H.265", "AAC" from an RFC 6381 codec ("avc1.64001f") or the API's name ("h264"). */
export function codecName(codec: string): string {
  const c = codec.toLowerCase();
  if (/^(avc|h264)/.test(c)) return 'H.264';
  if (/^(hvc|hev|h265|hevc)/.test(c)) return 'H.265';
  if (/^(av01|av1)/.test(c)) return 'AV1';
  if (/^(vp09|vp9)/.test(c)) return 'VP9';
  if (/^(vp08|vp8)/.test(c)) return 'VP8';
  if (/^(mp4a|aac)/.test(c)) return 'AAC';
  if (c.startsWith('opus')) return 'Opus';
  if (/^(pcm|g711|ulaw|alaw)/.test(c)) return 'G.711';
  return codec;
}

/** Why the browser cannot show a stream of these codecs; null when nothing speaks against it. */
export function unplayable(codecs: readonly string[], canPlay: (codec: string) => boolean): string | null {
  const bad = codecs.filter((codec) => codec !== '' && !canPlay(codec));
  if (bad.length === 0) return null;
  const names = [...new Set(bad.map(codecName))].join(' and ');
  const elsewhere = names.includes('H.265') ? 'Safari can' : 'Another browser may';
  return `This browser cannot play ${names}. It has no decoder for it in a page. ${elsewhere}, an export can be played elsewhere, `
    + 'and a camera that sends H.264 plays everywhere.';
}

/** A failure of the player, by hls.js's kind of error and detail. */
export function failureWords(type: string, details: string): string {
  if (type === 'networkError') {
    return details.startsWith('frag') ? 'The footage did not arrive.' : 'The playlist did not arrive.';
  }
  if (details === 'bufferFullError') return 'The browser has no memory left for video.';
  if (details === 'fragParsingError') return 'A piece of the footage could not be read.';
  if (type === 'mediaError') return 'The browser could not decode the footage.';
  return `The player failed (${details}).`;
}

/** "0.12 s" below a second, where hundredths matter, and "2.1 s" above. */
export function formatDelay(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 995 ? 2 : 1)} s`;
}
