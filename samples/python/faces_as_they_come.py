#!/usr/bin/env python3
"""Prints who is seen where, as the face analyzer finds them.

    python3 faces_as_they_come.py                          every camera, from now on
    python3 faces_as_they_come.py --camera gate --since 1h

It reads the data stream millrace-faces with boto3 as any program reads a Kinesis data stream: with the endpoint of
Millrace in place of AWS's. Where the server has users, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key of
`millrace user add-key`; without users any will do. Needs: boto3 (Debian: python3-boto3).
"""
import argparse
import datetime
import json
import os
import re
import sys
import time

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

POLL_SECONDS = 0.5  # a shard allows five reads a second to all who poll it


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--endpoint', default=os.environ.get('MILLRACE_ENDPOINT', 'http://127.0.0.1:4567'))
    parser.add_argument('--stream', default='millrace-faces', help='the data stream of the results (%(default)s)')
    parser.add_argument('--camera', help="one camera's alone, by its video stream's name")
    parser.add_argument('--since', type=ago, metavar='AGO', help='also what was found since then: 90s, 10m, 1h, 7d')
    parser.add_argument('--count', type=int, default=0, help='end after so many frames with a face')
    return parser.parse_args()


def ago(text):
    match = re.fullmatch(r'(\d+)([smhd])', text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is no time such as 90s, 10m, 1h, 7d")
    seconds = int(match[1]) * {'s': 1, 'm': 60, 'h': 3600, 'd': 86400}[match[2]]
    return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)


def client_of(endpoint):
    if not os.environ.get('AWS_ACCESS_KEY_ID'):  # a server without users asks for none, but boto3 does
        os.environ.update(AWS_ACCESS_KEY_ID='none', AWS_SECRET_ACCESS_KEY='none')
    return boto3.client('kinesis', endpoint_url=endpoint, region_name=os.environ.get('AWS_REGION', 'us-east-1'))


def records_of(kinesis, stream, since):
    """The stream's records for ever: each shard's in their order, and those of shards that come by resharding."""
    begin = {'ShardIteratorType': 'AT_TIMESTAMP', 'Timestamp': since} if since else {'ShardIteratorType': 'LATEST'}
    iterators, ended = {}, set()
    while True:
        shards = kinesis.list_shards(StreamName=stream)['Shards']
        for shard in shards:
            name = shard['ShardId']
            if name in iterators or name in ended:
                continue
            iterators[name] = kinesis.get_shard_iterator(StreamName=stream, ShardId=name, **begin)['ShardIterator']
        begin = {'ShardIteratorType': 'TRIM_HORIZON'}  # a shard that appears later is read from its beginning
        closed = False
        while not closed:
            busy = False
            for name, iterator in list(iterators.items()):
                answer = kinesis.get_records(ShardIterator=iterator, Limit=1000)
                yield from answer['Records']
                busy = busy or bool(answer['Records'])
                if answer.get('NextShardIterator'):
                    iterators[name] = answer['NextShardIterator']
                else:  # split or merged: look for its children
                    del iterators[name]
                    ended.add(name)
                    closed = True
            if not busy:
                time.sleep(POLL_SECONDS)


def sighting(record):
    """(time, camera, [who or what]) of a record; None: no frame with a face."""
    result = json.loads(record['Data'])
    faces = result.get('FaceSearchResponse')
    if not faces:
        return None
    video = result['InputInformation']['KinesisVideo']
    camera = video['StreamArn'].split('/')[1]
    seen = datetime.datetime.fromtimestamp(video['ProducerTimestamp'] + video['FrameOffsetInSeconds'],
                                           datetime.timezone.utc)
    names = []
    for face in faces:
        match = max(face.get('MatchedFaces', []), key=lambda matched: matched['Similarity'], default=None)
        if match:
            names.append(f"{match['Face'].get('ExternalImageId', match['Face']['FaceId'])} ({match['Similarity']:.0f}%)")
        else:
            names.append('a face')
    return seen, camera, names


def main():
    arguments = parse_arguments()
    kinesis = client_of(arguments.endpoint)
    shown = 0
    try:
        for record in records_of(kinesis, arguments.stream, arguments.since):
            found = sighting(record)
            if found is None or (arguments.camera and found[1] != arguments.camera):
                continue
            seen, camera, names = found
            print(f"{seen.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}  {camera:<16}  {', '.join(names)}",
                  flush=True)
            shown += 1
            if shown == arguments.count:
                return 0
    except EndpointConnectionError:
        print(f'no server answers at {arguments.endpoint}: is `millrace serve` running?', file=sys.stderr)
    except ClientError as error:
        print(f'the server refuses: {error}', file=sys.stderr)
    except KeyboardInterrupt:
        return 0
    return 1


if __name__ == '__main__':
    sys.exit(main())
