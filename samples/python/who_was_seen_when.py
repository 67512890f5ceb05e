#!/usr/bin/env python3
"""Draws who was seen when: a row for each person, a bar for each time that the camera saw them.

    python3 who_was_seen_when.py gate --start 2026-11-21T08:00:00Z --end 2026-11-21T18:00:00Z -o seen.svg

It asks the server for what the face analyzer found (GET /v1/streams/{name}/faces), joins sightings that are close to each
other, prints them as a table and draws them as an SVG, which any browser shows. Needs nothing but Python. Cells are marked
with `# %%`: editors that know notebooks (VS Code, Spyder, Jupytext) run it piece by piece.
"""
# %% What to draw
import argparse
import datetime
import html
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

UTC = datetime.timezone.utc


def moment(text):
    try:
        parsed = datetime.datetime.fromisoformat(text.replace('Z', '+00:00'))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no time such as 2026-11-21T08:00:00Z") from None
    return parsed if parsed.tzinfo else parsed.astimezone()


def parse_arguments():
    now = datetime.datetime.now(UTC)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('stream', help="the camera's video stream")
    parser.add_argument('--start', type=moment, default=now - datetime.timedelta(hours=24), help='RFC 3339 (a day ago)')
    parser.add_argument('--end', type=moment, default=now, help='RFC 3339 (now)')
    parser.add_argument('--join', type=float, default=5, metavar='SECONDS',
                        help='sightings that are closer to each other are one (%(default)s)')
    parser.add_argument('-o', '--output', default='who_was_seen_when.svg')
    parser.add_argument('--endpoint', default=os.environ.get('MILLRACE_ENDPOINT', 'http://127.0.0.1:4567'))
    parser.add_argument('--token', default=os.environ.get('MILLRACE_TOKEN'), help='a bearer token, where the server has users')
    return parser.parse_args()


# %% What the analyzer found
def faces_of(arguments):
    """Each record with a face, oldest first; the server gives them by pages."""
    query = {'start': arguments.start.astimezone(UTC).isoformat().replace('+00:00', 'Z'),
             'end': arguments.end.astimezone(UTC).isoformat().replace('+00:00', 'Z'), 'limit': '1000'}
    while True:
        url = f"{arguments.endpoint}/v1/streams/{urllib.parse.quote(arguments.stream)}/faces?{urllib.parse.urlencode(query)}"
        headers = {'Authorization': f'Bearer {arguments.token}'} if arguments.token else {}
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            page = json.load(answer)
        yield from page['records']
        if not page.get('next'):
            return
        query['next'] = page['next']


def sightings(records):
    """(who, time) of each face: the person's name where the collection has one, else the id of the face's track."""
    for result in records:
        if not result.get('FaceSearchResponse'):
            continue
        video = result['InputInformation']['KinesisVideo']
        seen = video['ProducerTimestamp'] + video['FrameOffsetInSeconds']
        for face in result['FaceSearchResponse']:
            match = max(face.get('MatchedFaces', []), key=lambda matched: matched['Similarity'], default=None)
            yield (match['Face'].get('ExternalImageId', match['Face']['FaceId']) if match else 'unknown'), seen


# %% Sightings that belong together
def visits(seen, join_seconds):
    """{who: [(from, to, frames), …]}, those who were seen first in front."""
    people = {}
    for who, at in sorted(seen, key=lambda sighted: sighted[1]):
        spans = people.setdefault(who, [])
        if spans and at - spans[-1][1] <= join_seconds:
            spans[-1] = (spans[-1][0], at, spans[-1][2] + 1)
        else:
            spans.append((at, at, 1))
    return people


def clock(seconds):
    return datetime.datetime.fromtimestamp(seconds).strftime('%H:%M:%S')


def table(people):
    lines = [f"{'who':<24} {'from':<9} {'to':<9} frames"]
    for who, spans in people.items():
        lines += [f'{who:<24} {clock(begin):<9} {clock(end):<9} {frames}' for begin, end, frames in spans]
    return '\n'.join(lines)


# %% The picture
def draw(people, stream, start, end):
    left, row, width, top = 180, 34, 900, 60
    span = max(end - start, 1)
    colours = ['#2f6fde', '#d9822b', '#238551', '#c22762', '#8f56d1', '#147eb3', '#946638', '#5f6b7c']
    height = top + row * max(len(people), 1) + 50
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 40} {height}" '
             'font-family="system-ui, sans-serif" font-size="14">',
             f'<rect width="100%" height="100%" fill="#fff"/><text x="20" y="30" font-size="18">'
             f'Who was seen by {html.escape(stream)}, {datetime.datetime.fromtimestamp(start):%Y-%m-%d}</text>']
    for tick in range(7):
        at = start + span * tick / 6
        x = left + width * tick / 6
        parts.append(f'<line x1="{x:.1f}" y1="{top - 8}" x2="{x:.1f}" y2="{height - 40}" stroke="#d3d8de"/>'
                     f'<text x="{x:.1f}" y="{height - 18}" text-anchor="middle" fill="#5f6b7c">{clock(at)}</text>')
    for number, (who, spans) in enumerate(people.items()):
        y = top + row * number
        parts.append(f'<text x="{left - 12}" y="{y + 17}" text-anchor="end">{html.escape(who)}</text>')
        for begin, finish, frames in spans:
            x = left + width * (begin - start) / span
            wide = max(width * (finish - begin) / span, 4)  # a moment is to be seen too
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="24" rx="4" fill="{colours[number % len(colours)]}">'
                         f'<title>{html.escape(who)}: {clock(begin)} to {clock(finish)}, {frames} frames</title></rect>')
    if not people:
        parts.append(f'<text x="{left}" y="{top + 17}" fill="#5f6b7c">nobody was seen</text>')
    return '\n'.join(parts + ['</svg>', ''])


# %% All of it
def main():
    arguments = parse_arguments()
    if arguments.end <= arguments.start:
        sys.exit('--end is not after --start')
    try:
        people = visits(sightings(faces_of(arguments)), arguments.join)
    except urllib.error.HTTPError as error:
        sys.exit(f"the server refuses ({error.code}): {error.read(500).decode(errors='replace')}")
    except OSError as error:
        sys.exit(f'no server answers at {arguments.endpoint} ({error}): is `millrace serve` running?')
    print(table(people) if people else 'nobody was seen')
    with open(arguments.output, 'w', encoding='utf-8') as picture:
        picture.write(draw(people, arguments.stream, arguments.start.timestamp(), arguments.end.timestamp()))
    print(f'drawn: {arguments.output}')


if __name__ == '__main__':
    main()
