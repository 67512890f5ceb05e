// Candidates as WHIP and WHEP take them while a connection is set up (RFC 8840: application/trickle-ice-sdpfrag). Pure.

export interface FoundCandidate {
  readonly mid: string; // of the media that it belongs to
  readonly line: string; // "candidate:…"
}

const lineOf = (sdp: string, name: string): string => new RegExp(`^a=${name}:(.*?)\\r?$`, 'm').exec(sdp)?.[1] ?? '';

/** The fragment for these candidates; `complete`: there will be no more. `sdp` is the offer that they belong to. */
export function candidatesFragment(sdp: string, candidates: readonly FoundCandidate[], complete: boolean): string {
  const lines = [`a=ice-ufrag:${lineOf(sdp, 'ice-ufrag')}`, `a=ice-pwd:${lineOf(sdp, 'ice-pwd')}`];
  for (const section of sdp.split(/^(?=m=)/m).slice(1)) {
    const mid = lineOf(section, 'mid');
    const own = candidates.filter((candidate) => candidate.mid === mid);
    if (own.length === 0) continue;
    lines.push(section.split(/\r?\n/, 1)[0]!, `a=mid:${mid}`, ...own.map((candidate) => `a=${candidate.line}`));
  }
  if (complete) lines.push('a=end-of-candidates');
  return `${lines.join('\r\n')}\r\n`;
}
