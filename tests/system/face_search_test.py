"""Who is seen: a photograph becomes a collection, an analyzer names the face in a camera's footage, and stops to when it is
removed.

Method: the real server, a simulated camera that shows the astronaut, and `millrace analyze` with a collection. The photograph
is a picture of the same file; how well people are told apart, tests/consumers/faces measures.
"""
import contextlib
import os
import pathlib

from harness import MILLRACE, CameraSim, Process, Server, check, main, wait_for

FPS = 10


def names(record):
    return {match["Face"]["ExternalImageId"] for face in record["FaceSearchResponse"] for match in face["MatchedFaces"]}


def test(directory):
    media = pathlib.Path(os.environ["SAMPLE_MEDIA"])
    with contextlib.ExitStack() as stack:
        sim = CameraSim(directory, "--cameras", "1", "--width", "640", "--height", "360", "--fps", FPS, "--gop", FPS,
                        "--duration", 10, "--no-audio", "--background", media / "vtest.avi", "--face", media / "astronaut.png")
        stack.callback(sim.kill)
        server = Server(directory)
        stack.callback(server.kill)
        server.put_camera("door", sim.url(1))
        analyze = Process([MILLRACE, "--endpoint", server.endpoint, "analyze", "--streams", "door",
                           "--application", "search", "--output", "millrace-faces", "--start", "TRIM_HORIZON",
                           "--options", '{"collection":"staff","smallest_face":0.15}'], directory / "analyze.log")
        stack.callback(analyze.kill)

        def records():
            return [record for record in server.get("/v1/streams/door/faces?limit=1000")["records"]
                    if record["StreamProcessorInformation"]["Status"] == "RUNNING"]

        unknown = wait_for("faces of nobody", lambda: [r for r in records() if r["FaceSearchResponse"]], 120)
        check(not any(names(record) for record in unknown), "somebody is known before there is a collection")
        check(unknown[0]["FaceCollection"] == {"Name": "staff", "Version": "none"}, f"{unknown[0]['FaceCollection']}")

        indexed = server.cli("faces", "index", "staff", str(media / "astronaut.png"), "--id", "ada")
        check(indexed.returncode == 0, indexed.stderr)
        version = server.get("/v1/face-collections/staff")["version"]
        known = wait_for("ada", lambda: [r for r in records() if names(r) == {"ada"}], 120)
        check(known[0]["FaceCollection"]["Version"] == version, "another state of the collection was searched")
        match = known[0]["FaceSearchResponse"][0]["MatchedFaces"][0]
        check(80 <= match["Similarity"] <= 100, f"{match}")
        check(match["Face"]["FaceId"] == server.get("/v1/face-collections/staff/faces")["faces"][0]["face_id"], f"{match}")
        listed = server.cli("faces", "list", "door")
        check(" ada " in listed.stdout, f"who it is, is not said: {listed.stdout[-600:]}{listed.stderr}")
        wait_for("an id that stays", lambda: len([r for r in records() if names(r)]) >= 3, 120)
        tracks = {r["FaceSearchResponse"][0]["DetectedFace"]["TrackId"] for r in records() if names(r)}
        check(len(tracks) <= 2, f"one person has the ids {tracks}")

        removed = server.cli("faces", "remove", "staff", "--id", "ada")
        check(removed.returncode == 0, removed.stderr)
        version = server.get("/v1/face-collections/staff")["version"]
        later = wait_for("faces after the removal", lambda: [
            r for r in records() if r["FaceCollection"]["Version"] == version and r["FaceSearchResponse"]], 120)
        check(not any(names(record) for record in later), "who was removed is still known")


main(test)
