"""Producers and readers of video streams that take as little work as can be: whole buffers in and out of plain sockets."""
import http.client
import json
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from servers import ROOT

sys.path.insert(0, str(ROOT / "tests" / "system"))
from matroska import Source, cluster, document_head, tags  # noqa: E402

FRAGMENT_MS = 2000
BUFFER = 1 << 20


def make_clip(path, size, rate, kbits, seconds):
    """H.264 with a key frame every two seconds and a constant rate, as producers lay it out (Source)."""
    made = path.with_suffix(".ffmpeg.mkv")
    subprocess.run(list(map(str, [
        "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate},noise=alls=20:allf=t", "-t", seconds,
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-b:v", f"{kbits}k", "-minrate", f"{kbits}k",
        "-maxrate", f"{kbits}k", "-bufsize", f"{kbits}k", "-x264-params", f"nal-hrd=cbr:keyint={2 * rate}:scenecut=0:bframes=0",
        "-cluster_time_limit", 20000, "-cluster_size_limit", "50M", "-f", "matroska", made])), check=True, timeout=300)
    source = Source(made)
    made.unlink()
    path.write_bytes(document_head(source) + b"".join(cluster(one.timestamp_ms, one.frames) for one in source.clusters))
    return source


def call(address, path, **members):
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("POST", path, json.dumps(members), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:300]}")
    return json.loads(body or b"{}")


def get(address, path):
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:300]}")
    return body


def connect(address):
    host, port = address.rsplit(":", 1)
    made = socket.create_connection((host, int(port)), timeout=120)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def begin_put(address, stream, head):
    link = connect(address)
    link.sendall((f"POST /putMedia HTTP/1.1\r\nHost: {address}\r\nx-amzn-stream-name: {stream}\r\n"
                  "x-amzn-fragment-timecode-type: ABSOLUTE\r\n"
                  f"x-amzn-producer-start-timestamp: {time.time():.3f}\r\nTransfer-Encoding: chunked\r\n\r\n").encode()
                 + b"%x\r\n" % len(head) + head + b"\r\n")
    return link


def send_fragment(link, body, start_ms):
    # In `body` a Cluster's id and size and Timestamp's head are 7 bytes; the Timestamp's 8 follow.
    link.sendall(b"".join((b"%x\r\n" % len(body), body[:7], start_ms.to_bytes(8, "big"), memoryview(body)[15:], b"\r\n")))


def listen(link, acks, flags=0):
    piece = link.recv(65536, flags)
    if not piece:
        raise RuntimeError(f"the server ended the answer: {bytes(acks[-300:])}")
    acks.extend(piece)
    if b'"ERROR"' in acks:
        raise RuntimeError(f"refused: {bytes(acks[-300:])}")


def put(address, stream, head, bodies, count):
    """Sends `count` fragments and waits until all are acknowledged as durable."""
    link, acks = begin_put(address, stream, head), bytearray()
    start = int(time.time() * 1000) - count * FRAGMENT_MS
    for i in range(count):
        send_fragment(link, bodies[i % len(bodies)], start + i * FRAGMENT_MS)
        try:
            listen(link, acks, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
    link.sendall(b"0\r\n\r\n")
    while acks.count(b"PERSISTED") < count:
        listen(link, acks)
    link.close()


def put_steadily(address, stream, head, bodies, seconds, every_s=0.05):
    """Milliseconds until a fragment is acknowledged as durable, counted from when all of it has been sent; of each."""
    link, acks, taken = begin_put(address, stream, head), bytearray(), []
    over = tags({"AWS_KINESISVIDEO_END_OF_FRAGMENT": ""})
    start, until = int(time.time() * 1000) - 3600 * 1000, time.monotonic() + seconds
    while time.monotonic() < until:
        send_fragment(link, bodies[len(taken) % len(bodies)], start + len(taken) * FRAGMENT_MS)
        link.sendall(b"%x\r\n" % len(over) + over + b"\r\n")
        sent = time.monotonic()
        while acks.count(b"PERSISTED") <= len(taken):
            listen(link, acks)
        taken.append(1000 * (time.monotonic() - sent))
        time.sleep(every_s)
    link.close()
    return taken


def take(link, size, buffer):
    """Reads that many bytes and forgets them."""
    view = memoryview(buffer)
    while size > 0:
        got = link.recv_into(view, min(size, len(buffer)))
        if got == 0:
            raise RuntimeError("the answer ended early")
        size -= got


def read_body(link):
    """The head of an answer, and what came of its body with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = link.recv(65536)
        if not piece:
            raise RuntimeError("the answer ended early")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise RuntimeError(f"refused: {data[:500]}")
    return head, rest


def media_request(address, stream):
    body = json.dumps({"StreamName": stream, "StartSelector": {"StartSelectorType": "EARLIEST"}})
    return (f"POST /getMedia HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def read_raw(address, request, size):
    """Reads `size` bytes of an answer's body as they are on the wire, chunks' heads and all, and hangs up."""
    link = connect(address)
    link.sendall(request)
    _, rest = read_body(link)
    take(link, size - len(rest), bytearray(BUFFER))
    link.close()


def raw_until_idle(address, request, idle_s=1.5):
    """The body as it is on the wire, until nothing comes any more."""
    link = connect(address)
    link.sendall(request)
    _, rest = read_body(link)
    pieces = [rest]
    link.settimeout(idle_s)
    try:
        while piece := link.recv(BUFFER):
            pieces.append(piece)
    except TimeoutError:
        pass
    link.close()
    return b"".join(pieces)


def fetch_all(address, paths, connections, seconds):
    """Fetches the paths round and round over connections that stay; how many answers and bytes of bodies came."""
    until = time.monotonic() + seconds

    def run(index):
        link, buffer, answers, received = connect(address), bytearray(BUFFER), 0, 0
        while time.monotonic() < until:
            path = paths[(index + answers) % len(paths)]
            link.sendall(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            head, rest = read_body(link)
            size = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")))
            take(link, size - len(rest), buffer)
            answers, received = answers + 1, received + size
        link.close()
        return answers, received

    started = time.monotonic()
    with ThreadPoolExecutor(connections) as pool:
        each = list(pool.map(run, range(connections)))
    return sum(a for a, _ in each), sum(b for _, b in each), time.monotonic() - started


def in_parallel(count, work):
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(work, i) for i in range(count)]:
            done.result()
