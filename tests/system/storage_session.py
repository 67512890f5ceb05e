"""Storage sessions of a signaling channel by boto3: run by storage_sessions_test.py, by the Python that has a boto3 which knows them.

    storage_session.py ENDPOINT CHANNEL STREAM    makes the channel and sets it up to be recorded, looking at each answer
    storage_session.py ENDPOINT CHANNEL join      joins its storage session, as a master does
    storage_session.py ENDPOINT CHANNEL watch     joins as the viewer "watcher"
    storage_session.py ENDPOINT CHANNEL end       ends the recording of the channel

Prints one JSON object: the channel's ARN, and where its WebSocket is.

Answers are checked against the service models, as boto3 understood them and as they came.
"""
import json
import sys

from aws_boto3 import client, refused
from harness import check

ENDPOINT, CHANNEL, WHAT = sys.argv[1:4]


def endpoint_of(video, arn):
    return video.get_signaling_channel_endpoint(ChannelARN=arn, SingleMasterChannelEndpointConfiguration={
        "Protocols": ["WEBRTC"], "Role": "MASTER"})["ResourceEndpointList"][0]["ResourceEndpoint"]


def set_up(video, arn, stream):
    """Nothing can be joined before the channel is mapped to a stream that keeps footage."""
    storage = client(ENDPOINT, "kinesis-video-webrtc-storage", attempts=1)
    refused("InvalidArgumentException", storage.join_storage_session, channelArn=arn)
    refused("InvalidArgumentException", storage.join_storage_session_as_viewer, channelArn=arn, clientId="watcher")
    refused("InvalidArgumentException", endpoint_of, video=video, arn=arn)
    refused("ResourceNotFoundException", storage.join_storage_session, channelArn=arn.replace("/" + CHANNEL + "/", "/nowhere/"))
    stream_arn = video.create_stream(StreamName=stream, DataRetentionInHours=2)["StreamARN"]
    configuration = {"StreamARN": stream_arn, "Status": "ENABLED"}
    video.update_media_storage_configuration(ChannelARN=arn, MediaStorageConfiguration=configuration)
    told = video.describe_media_storage_configuration(ChannelName=CHANNEL)["MediaStorageConfiguration"]
    check(told == configuration, told)
    # Nothing is recorded yet that a viewer could be shown.
    refused("InvalidArgumentException", storage.join_storage_session_as_viewer, channelArn=arn, clientId="watcher")


def act(video):
    if WHAT not in ("join", "watch", "end"):
        arn = video.create_signaling_channel(ChannelName=CHANNEL)["ChannelARN"]
        set_up(video, arn, WHAT)
        return arn
    arn = video.describe_signaling_channel(ChannelName=CHANNEL)["ChannelInfo"]["ChannelARN"]
    if WHAT == "end":
        video.update_media_storage_configuration(ChannelARN=arn, MediaStorageConfiguration={"Status": "DISABLED"})
        return arn
    storage = client(endpoint_of(video, arn), "kinesis-video-webrtc-storage")
    if WHAT == "join":
        storage.join_storage_session(channelArn=arn)
    else:
        storage.join_storage_session_as_viewer(channelArn=arn, clientId="watcher")
    return arn


def main():
    video = client(ENDPOINT, "kinesisvideo")
    arn = act(video)
    wss = video.get_signaling_channel_endpoint(ChannelARN=arn, SingleMasterChannelEndpointConfiguration={
        "Protocols": ["WSS"], "Role": "MASTER"})["ResourceEndpointList"][0]["ResourceEndpoint"]
    print(json.dumps({"arn": arn, "endpoint": wss}))


main()
