"""What WHIP and WHEP answer when a request is not as it should be, and what fifty connections leave behind.

Goal: who may not publish or watch is told so, with the status of RFC 9725 and where it helps a Retry-After; a session's ETag is checked,
ICE is not restarted; as many connections as there may be are a limit that is kept and given back; fifty in a row leave neither
threads nor descriptors nor memory. Method: requests by hand, with an offer that nobody stands behind; users configured.
"""
import json
import urllib.error
import urllib.request

import harness
from harness import Server, add_user, check, wait_for

CONNECTS = 50
PUBLISHERS_MAX = 2
FINGERPRINT = ":".join(["00"] * 32)
OFFER = "\r\n".join([
    "v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "m=video 9 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 0.0.0.0",
    "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuv", f"a=fingerprint:sha-256 {FINGERPRINT}", "a=setup:actpass", "a=rtcp-mux",
    "a=mid:0", "a=sendonly", "a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", ""])
NO_MORE = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=end-of-candidates\r\n"
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


class Answer:
    def __init__(self, got):
        self.status, self.headers, self.text = got.status, got.headers, got.read().decode()


class User:
    """One who has shown who he is; or nobody, or one with a token that is none."""

    def __init__(self, server, token=None):
        self.server = server
        self.token = token

    def ask(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.server.endpoint + path, method=method, data=body and body.encode(), headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Answer(answer)
        except urllib.error.HTTPError as error:
            return Answer(error)

    def publish(self, stream, offer=OFFER):
        return self.ask("POST", f"/whip/{stream}", offer, Content_Type="application/sdp")

    def watch(self, stream):
        return self.ask("POST", f"/whep/{stream}", OFFER.replace("sendonly", "recvonly"), Content_Type="application/sdp")

    def trickle(self, session, body=NO_MORE, tag=None):
        return self.ask("PATCH", session, body, Content_Type="application/trickle-ice-sdpfrag", **({"If-Match": tag} if tag else {}))


def log_in(server, file, name, policy):
    key = add_user(file, name, policy)
    asked = {"access_key_id": key["access_key_id"], "secret_access_key": key["secret_access_key"]}

    def session():  # the file is read again once it has changed
        answer = User(server).ask("POST", "/v1/session", json.dumps(asked), Content_Type="application/json")
        return answer.status == 200 and json.loads(answer.text)["token"]

    return User(server, wait_for(f"{name}'s session", session))


def expect(wanted, answer, words=""):
    check(answer.status == wanted, f"{answer.status} instead of {wanted}: {answer.text}")
    check(words in answer.text, f"'{words}' is not said: {answer.text}")
    return answer


def check_users(server, ann, eve):
    for stranger in (User(server), User(server, "not.a.token"), User(server, ann.token[:-4] + "AAAA")):
        for answer in (stranger.publish("front"), stranger.watch("front"), stranger.trickle("/whip/front/0123", tag='"0"'),
                       stranger.ask("DELETE", "/whip/front/0123"), stranger.ask("DELETE", "/whep/front/0123")):
            expect(401, answer, "unauthenticated")
        expect(200, stranger.ask("OPTIONS", "/whip/front", Origin="https://elsewhere.test"))
    # She may look, and no more.
    expect(403, eve.publish("front"))
    expect(409, eve.watch("empty"), "/hls/empty/index.m3u8")
    check(json.loads(ann.ask("GET", "/v1/streams").text)["streams"][0]["name"] == "empty", "nothing of this made a stream")


def check_conflicts(ann):
    camera = json.dumps({"url": "rtsp://127.0.0.1:9/", "stream": "taken"})
    expect(201, ann.ask("PUT", "/v1/cameras/yard", camera, Content_Type="application/json"))
    expect(409, ann.publish("taken"), "the camera 'yard' records this stream")
    answer = expect(409, ann.watch("empty"), "nothing is recorded into the stream")
    check(answer.headers["Retry-After"], dict(answer.headers))
    expect(404, ann.watch("nowhere"))
    expect(406, ann.publish("front", OFFER.replace("VP8", "AV1")), "av1")
    for offer in ("hello", OFFER.replace("a=mid:0\r\n", ""), OFFER.replace("a=ice-pwd:abcdefghijklmnopqrstuv\r\n", ""),
                  OFFER.replace("a=setup:actpass\r\n", ""), OFFER.replace("VP8/90000", "VP8/x"), OFFER + "m=\r\n"):
        expect(400, ann.publish("front", offer))


def check_session(ann, eve):
    answer = expect(201, ann.publish("front"))
    session, tag = answer.headers["Location"], answer.headers["ETag"]
    check("a=end-of-candidates" in answer.text and answer.headers["Accept-Patch"] == FRAGMENT["Content-Type"], dict(answer.headers))
    expect(428, ann.trickle(session))
    expect(412, ann.trickle(session, tag='"00000000"'))
    expect(412, ann.trickle(session, tag=tag.strip('"')))
    expect(422, ann.trickle(session, tag="*"), "send a new offer")
    expect(422, ann.trickle(session, NO_MORE.replace("abcd\r\n", "efgh\r\n"), tag), "send a new offer")
    expect(400, ann.trickle(session, "?", tag))
    expect(403, eve.trickle(session, tag=tag))
    expect(403, eve.ask("DELETE", session))
    expect(204, ann.trickle(session, tag=tag))  # a refused restart leaves the session as it was
    expect(404, ann.trickle(session.replace("front", "side"), tag=tag))
    # What a client does whose restart was refused: it publishes anew, while the older session is still there.
    newer = expect(201, ann.publish("front")).headers["Location"]
    check(newer != session, newer)
    answer = expect(503, ann.publish("side"), str(PUBLISHERS_MAX))
    check(int(answer.headers["Retry-After"]) > 0, dict(answer.headers))
    for each in (session, newer):
        expect(200, ann.ask("DELETE", each))
        expect(404, ann.ask("DELETE", each))
        expect(404, ann.trickle(each, tag=tag))
    # Their places are given back.
    wait_for("a place", lambda: (again := ann.publish("front")).status == 201 and ann.ask("DELETE", again.headers["Location"]))


def check_connects(server, ann):
    def connect():
        session = wait_for("a place", lambda: (got := ann.publish("front")).status == 201 and got.headers["Location"])
        expect(200, ann.ask("DELETE", session))

    def quiet():
        return "nicesrc" not in server.thread_names() and server.resources()

    for _ in range(3):
        connect()
    before = wait_for("quiet", quiet)
    for _ in range(CONNECTS):
        connect()
    wait_for(f"{before} again", lambda: server.resources().threads <= before.threads)
    after = server.resources()
    check(after.descriptors <= before.descriptors + 2, f"{before} became {after}")
    # What the allocator keeps is no more after the last than after the first ones.
    check(after.memory_mib - before.memory_mib <= 12, f"{before} became {after}")


def test(directory):
    users = directory / "users.yaml"
    config = directory / "webrtc.yaml"
    config.write_text(f"auth: {{file: {users}}}\nwebrtc: {{publishers_max: {PUBLISHERS_MAX}, viewers_max: 1}}\n")
    add_user(users, "first", "administrator")
    server = Server(directory, "--config", config)
    try:
        ann = log_in(server, users, "ann", "administrator")
        eve = log_in(server, users, "eve", "viewer")
        expect(200, ann.ask("POST", "/createStream", json.dumps({"StreamName": "empty", "DataRetentionInHours": 1}),
                            Content_Type="application/json"))
        check_users(server, ann, eve)
        check_conflicts(ann)
        check_session(ann, eve)
        check_connects(server, ann)
        check(server.terminate() == 0, "the server did not end well")
    finally:
        server.kill()


harness.main(test)
