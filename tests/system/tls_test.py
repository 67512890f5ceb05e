"""The TLS port of the real server: its own certificate, somebody's, a new one without a restart, and none that fits.

Method: curl, trusting nothing but the certificate in question, over HTTP/1.1 and HTTP/2.
"""
import contextlib
import re
import subprocess

from harness import MILLRACE, Server, check, main, run, wait_for


def secure_url(directory):
    log = (directory / "millrace.log").read_text()
    return re.findall(r"TLS port url=(\S+)", log)[-1].rstrip("/")


def version_spoken(url, certificate, *options):
    return run("curl", "-sS", "--noproxy", "*", "--cacert", certificate, "-o", "/dev/null", "-w", "%{http_version}",
               *options, f"{url}/healthz").stdout.strip()


def works(url, certificate):
    return subprocess.run(["curl", "-s", "--noproxy", "*", "--max-time", "60", "--cacert", certificate, "-o", "/dev/null",
                           f"{url}/healthz"], check=False).returncode == 0


def make_certificate(directory, name):
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate)
    return certificate, key


def own_certificate(directory):
    config = directory / "own.yaml"
    config.write_text("tls: {listen: '127.0.0.1:0'}\n")
    certificate = directory / "data" / "tls-certificate.pem"
    kept = None
    for _ in range(2):
        server = Server(directory, "--config", config)
        with contextlib.ExitStack() as stack:
            stack.callback(server.kill)
            url = secure_url(directory)
            check(version_spoken(url, certificate) == "2", "HTTP/2 by ALPN")
            check(version_spoken(url, certificate, "--no-alpn") == "1.1", "HTTP/1.1 without ALPN")
            check(version_spoken(server.endpoint, certificate, "--http2-prior-knowledge") == "2", "HTTP/2 on the plain port")
            check(server.terminate() == 0, "the server stops")
        check(kept in (None, certificate.read_text()), "a restart keeps the certificate")
        kept = certificate.read_text()
        for file in (certificate, directory / "data" / "tls-key.pem"):
            check(file.stat().st_mode & 0o777 == 0o600, f"{file} is for its owner alone")


def given_certificate(directory):
    first, key = make_certificate(directory, "first")
    second, second_key = make_certificate(directory, "second")
    used, used_key = directory / "used.crt", directory / "used.key"
    used.write_bytes(first.read_bytes())
    used_key.write_bytes(key.read_bytes())
    config = directory / "given.yaml"
    config.write_text(f"tls: {{listen: '127.0.0.1:0', certificate: {used}, key: {used_key}}}\n")
    server = Server(directory, "--config", config)
    with contextlib.ExitStack() as stack:
        stack.callback(server.kill)
        url = secure_url(directory)
        check(works(url, first) and not works(url, second), "the first certificate is in use")
        used_key.write_bytes(second_key.read_bytes())
        wait_for("the pair that does not fit to be noticed",
                 lambda: "the TLS certificate stays as it is" in (directory / "millrace.log").read_text())
        check(works(url, first), "the first certificate stays in use")
        used.write_bytes(second.read_bytes())
        wait_for("the second certificate", lambda: works(url, second))
        check(server.terminate() == 0, "the server stops")


def certificate_that_does_not_fit(directory):
    first, _ = make_certificate(directory, "mine")
    _, key = make_certificate(directory, "other")
    config = directory / "bad.yaml"
    config.write_text(f"tls: {{certificate: {first}, key: {key}}}\n")
    done = subprocess.run([MILLRACE, "serve", "--data-dir", directory / "bad", "--listen", "127.0.0.1:0", "--config", config],
                          capture_output=True, text=True, timeout=60, check=False)
    check(done.returncode == 2, f"a wrong key is refused as wrong usage: {done.returncode}")
    check("is not the key of the certificate" in done.stderr, done.stderr)


def test(directory):
    own_certificate(directory)
    given_certificate(directory)
    certificate_that_does_not_fit(directory)


main(test)
