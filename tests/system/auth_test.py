"""Users, keys and policies against unmodified clients.

Goal: what the AWS CLI and boto3 sign is taken, and what is tampered with is not; policies hold; a key that is taken out of the file
is refused within moments; our own commands sign; the audit log says who did what. Method: the real server with a credentials file
that `millrace user add` made, Debian's AWS CLI, and botocore of the clients of the other tests where they are there, else Debian's.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.error
import urllib.request

PLACE = pathlib.Path(os.environ.get("MILLRACE_AWS_CLIENTS", "/nonexistent"))
for packages in PLACE.glob("**/site-packages") if (PLACE / "done").exists() else ():  # another test may be filling it
    sys.path.insert(0, str(packages))
sys.path.append("/usr/lib/python3/dist-packages")

from botocore.auth import SigV4Auth, SigV4QueryAuth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402

from harness import MILLRACE, Server, add_user, check, main, wait_for  # noqa: E402


def credentials_of(file, name, policy):
    key = add_user(file, name, policy)
    return Credentials(key["access_key_id"], key["secret_access_key"])


def send(method, url, headers, body=b""):
    """Status and body of the answer."""
    request = urllib.request.Request(url, data=body or None, headers=dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def sign(credentials, method, url, headers=None, body=b"", service="kinesis", query=False):
    request = AWSRequest(method=method, url=url, headers=headers or {}, data=body)
    signer = SigV4QueryAuth(credentials, service, "us-east-1", expires=60) if query else SigV4Auth(credentials, service, "us-east-1")
    signer.add_auth(request)
    return request


def environment(credentials, endpoint):
    return {**os.environ, "AWS_ACCESS_KEY_ID": credentials.access_key, "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PAGER": "", "MILLRACE_ENDPOINT": endpoint}


def data_streams(credentials, endpoint, operation, members):
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"Kinesis_20131202.{operation}"}
    return sign(credentials, "POST", endpoint + "/", headers, json.dumps(members).encode())


def check_signatures(ann, endpoint):
    good = data_streams(ann, endpoint, "ListStreams", {})
    status, body = send("POST", endpoint + "/", good.headers.items(), good.data)
    check(status == 200, f"what botocore signs is refused: {status} {body}")
    for name in ("Authorization", "X-Amz-Date", "X-Amz-Target"):
        headers = dict(good.headers.items())
        value = headers[name]
        headers[name] = value[:-1] + ("0" if value[-1] != "0" else "1")
        status, body = send("POST", endpoint + "/", headers.items(), good.data)
        check(status == 400, f"a changed {name} is taken: {status} {body}")
    status, body = send("POST", endpoint + "/", good.headers.items(), b'{"Limit":1}')
    check(status == 400 and "InvalidSignatureException" in body, f"a changed body: {status} {body}")
    presigned = sign(ann, "GET", endpoint + "/v1/streams/door%2Dx/faces?end=2026-11-21T14%3A00%3A00Z&limit=1", service="millrace", query=True)
    status, body = send("GET", presigned.url, {})
    check(status == 200, f"a presigned query with escapes: {status} {body}")
    status, body = send("GET", presigned.url.replace("end=2026", "end=2025"), {})
    check(status == 401, f"a changed presigned query: {status} {body}")
    presigned = sign(ann, "GET", endpoint + "/v1/streams/caf%C3%A9%20x/coverage?end=2026-11-21T14%3A00%3A00Z&start=a%20b", service="millrace",
                     query=True)
    status, body = send("GET", presigned.url, {})
    check(status in (400, 404) and "X-Amz" not in body, f"a presigned path with escapes: {status} {body}")
    status, body = send("GET", presigned.url.replace("end=2026", "end=2025"), {})
    check(status == 401, f"a changed presigned query: {status} {body}")


def scenario(work):
    file = work / "users.yaml"
    ann = credentials_of(file, "ann", "administrator")
    bob = credentials_of(file, "bob", "viewer")
    audit = work / "audit.log"
    config = work / "millrace.yaml"
    config.write_text(f"auth: {{file: {file}}}\naudit: {{file: {audit}}}\nstorage: {{free_min_mib: 0, free_min_percent: 0}}\n")
    server = Server(work, "--config", str(config))
    endpoint = server.endpoint
    try:
        check_signatures(ann, endpoint)

        def aws(credentials, *words):
            return subprocess.run(["/usr/bin/aws", "--endpoint-url", endpoint, "kinesis", *words], capture_output=True, text=True,
                                  timeout=180, env=environment(credentials, endpoint))

        made = aws(ann, "create-stream", "--stream-name", "s", "--shard-count", "1")
        check(made.returncode == 0, made.stderr)
        denied = aws(bob, "delete-stream", "--stream-name", "s")
        check("AccessDeniedException" in denied.stderr and "user/bob" in denied.stderr, denied.stderr)
        check(aws(bob, "describe-stream-summary", "--stream-name", "s").returncode == 0, "a viewer may not look")
        wrong = aws(Credentials(ann.access_key, "x" * 40), "list-streams")
        check("InvalidSignatureException" in wrong.stderr, wrong.stderr)

        listed = subprocess.run([MILLRACE, "camera", "list"], capture_output=True, text=True, timeout=60, env=environment(ann, endpoint))
        check(listed.returncode == 0, listed.stderr)
        added = subprocess.run([MILLRACE, "camera", "add", "c", "rtsp://127.0.0.1:9/x"], capture_output=True, text=True, timeout=60,
                               env=environment(bob, endpoint))
        check(added.returncode != 0 and "not authorized" in added.stderr, added.stderr)

        # Bob's key leaves the file.
        text = file.read_text()
        file.write_text(re.sub(r'(?s)  - name: "bob".*?(?=  - name: "ann")', "", text))
        request = {"StreamName": "s"}

        def refused():
            gone = data_streams(bob, endpoint, "DescribeStreamSummary", request)
            return "UnrecognizedClientException" in send("POST", endpoint + "/", gone.headers.items(), gone.data)[1]

        wait_for("bob's key to be refused", refused)
        still = data_streams(ann, endpoint, "DescribeStreamSummary", request)
        check(send("POST", endpoint + "/", still.headers.items(), still.data)[0] == 200, "ann's key is refused, too")
        server.terminate()
    finally:
        server.kill()
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    check(any(line.get("user") == "bob" and line.get("action") == "kinesis:DeleteStream" and line["status"] == 400
              and line.get("error") == "AccessDeniedException" for line in lines), "the audit log lacks bob's try")
    for secret in (ann.secret_key, bob.secret_key, "Signature="):
        check(secret not in audit.read_text(), "a secret is in the audit log")
        check(secret not in (work / "millrace.log").read_text(errors="replace"), "a secret is in the server's log")


if __name__ == "__main__":
    main(scenario)
