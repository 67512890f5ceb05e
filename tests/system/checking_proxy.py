"""Stands between an AWS client and the server, and checks each answer against the service model.

For clients that show their answers only as they understood them, the AWS CLI for one. An answer of GetMedia has no end of its own:
it is over here when it has brought `media_chunks` of them. SubscribeToShard's does not pass.
"""
import http.client
import http.server
import json
import threading

from harness import Failure
from service_model import MODEL, VIDEO
from video_streams import read_chunks

# Of one hop alone (RFC 9110 section 7.6.1), or made anew.
OWN_HEADERS = {"connection", "transfer-encoding", "content-length", "date", "server"}


class CheckingProxy:
    """with CheckingProxy("127.0.0.1:4567") as proxy: … proxy.endpoint … proxy.failures"""

    def __init__(self, server, media_chunks=0):
        self.failures, self.checked = [], 0
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                onward = http.client.HTTPConnection(server, timeout=60)
                onward.request("POST", self.path, body, dict(self.headers))
                answer = onward.getresponse()
                endless = self.path == "/getMedia" and answer.status == 200
                data = b"".join(read_chunks(answer, media_chunks)) if endless else answer.read()
                proxy.look(self.path, self.headers.get("X-Amz-Target", ""), answer.status, answer.headers, data)
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in OWN_HEADERS:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                onward.close()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def look(self, path, target, status, headers, data):
        operation = target.partition(".")[2] or path
        try:
            if path != "/":
                VIDEO.check(path, status, headers, data)
            elif status == 200:
                MODEL.check_answer(operation, json.loads(data) if data else None)
            else:
                MODEL.check_error(operation, status, json.loads(data) if data else None)
            self.checked += 1
        except (Failure, ValueError) as error:
            self.failures.append(f"{operation}: {error}")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
