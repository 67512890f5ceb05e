"""Footage that ffmpeg muxes and a producer puts is played back by ffmpeg, frame for frame, and survives a kill.

The producer (JavaProducer) sends the file in uneven chunks, as fast as the server takes it, and reads the
acknowledgements meanwhile. What the server serves as HLS and as GetMedia has the frames of the file.
"""
import time

from harness import Server, check, frame_hashes, main, wait_for
from producers import JavaProducer
from video_streams import all_fragments, call, make_media

SECONDS = 6
PIECE = 9_973
START_S = 1_763_690_820
VIDEO = ("-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-pix_fmt", "yuv420p", "-x264-params",
         "bframes=2:keyint=50:scenecut=0:open-gop=0")  # no picture is reordered over a key frame


def test(directory):
    mkv = directory / "put.mkv"
    make_media(mkv, SECONDS, VIDEO, ("-c:a", "aac", "-shortest"))
    expected = frame_hashes(mkv, "v", True)
    check(len(expected) == SECONDS * 25, f"{len(expected)} pictures")
    data = mkv.read_bytes()

    server = Server(directory)
    call(server, "/createStream", StreamName="door", DataRetentionInHours=24)
    info = call(server, "/describeStream", StreamName="door")["StreamInfo"]
    check(info["Status"] == "ACTIVE" and info["DataRetentionInHours"] == 24, str(info))
    endpoint = call(server, "/getDataEndpoint", StreamName="door", APIName="PUT_MEDIA")["DataEndpoint"]
    check(endpoint == server.endpoint, endpoint)

    # The server is killed when half of it has arrived; what it said was durable is there.
    producer = JavaProducer(server.endpoint, "door", START_S, more={"x-millrace-sparse-tracks": "1"})
    producer.send(data[:len(data) * 2 // 3], PIECE)
    persisted = wait_for("the first fragment to be durable", lambda: producer.timecodes("PERSISTED"))
    server.kill()
    server = Server(directory)
    listed = all_fragments(server, "door")
    starts = {round((one["ProducerTimestamp"] - START_S) * 1000) for one in listed}
    check(set(persisted) <= starts, f"durable: {persisted}, there: {starts}")

    # It sends all of it again, and nothing is there twice.
    producer = JavaProducer(server.endpoint, "door", START_S, more={"x-millrace-sparse-tracks": "1"})
    producer.send(data, PIECE)
    producer.end()
    received = producer.timecodes("RECEIVED")
    check(producer.timecodes("PERSISTED") == received == producer.timecodes("BUFFERING"), str(producer.acks))
    check(not producer.timecodes("ERROR"), str(producer.acks))
    listed = all_fragments(server, "door")
    check(len(listed) == len(received), f"{len(listed)} fragments for {len(received)} that were sent")

    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START_S - 1))
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(START_S + 60))
    played = frame_hashes(f"{server.endpoint}/hls/door/index.m3u8?start={start}&end={end}", "v", True)
    check(played == expected, f"HLS plays {len(played)} pictures, {len(expected)} were put")
    exported = directory / "clip.mp4"
    exported.write_bytes(server.get_bytes(f"/v1/streams/door/export?start={start}&end={end}"))
    check(frame_hashes(exported, "v", True, "-ignore_editlist", "1") == expected, "the export has every picture")
    check(server.terminate() == 0, "the server ends in order")


main(test)
