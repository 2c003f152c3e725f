from __future__ import annotations

import base64
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from shutil import which

import pytest

from autoloss.tracking.server import server_version

DESCRIPTION = {"data": "churn.csv"}
ACCESS = (
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_SERVER_CERT_PATH",
    "MLFLOW_TRACKING_INSECURE_TLS",
)


class Guarded(BaseHTTPRequestHandler):
    """Answers like an MLflow server that wants a header."""

    def do_GET(self):
        seen = self.headers.get("Authorization")
        self.server.seen.append((self.path, seen))
        is_open = self.path == "/health"
        if not is_open and self.server.wanted and seen != self.server.wanted:
            self._answer(401, b"who are you")
        elif self.path == "/version":
            self._answer(200, b"3.17.2")
        else:
            self._answer(200, b"{}")

    do_POST = do_GET

    def _answer(self, code, body):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def guarded(monkeypatch):
    """Start a server that wants a header; return it and its address."""
    for name in ACCESS:
        monkeypatch.delenv(name, raising=False)
    started = []

    def start(wanted="", *, certificate=None):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
        server.wanted, server.seen = wanted, []
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        started.append((server, thread))
        return server, f"{scheme}://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in started:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate of the loopback interface, and its key."""
    openssl = which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-out", str(files[0]), "-keyout", str(files[1]), "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return files


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def attempt(track, uri):
    """Return the reason that the study could not be written; the fake server writes nothing."""
    tracker = track(uri)
    tracker.start(DESCRIPTION)
    return tracker.close(20).reason


def test_a_token_opens_the_server(guarded, track, monkeypatch):
    server, uri = guarded("Bearer s3cret")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cret")
    assert server_version(uri) == "3.17.2"
    assert "refuses the access" not in attempt(track, uri)
    assert {seen for path, seen in server.seen if path != "/health"} == {"Bearer s3cret"}


@pytest.mark.parametrize("place", ["environment", "address"])
def test_a_name_and_a_password_open_the_server(guarded, track, monkeypatch, place):
    server, uri = guarded(basic("ann", "s3cret"))
    if place == "environment":
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")
    else:
        uri = uri.replace("://", "://ann:s3cret@")
    assert server_version(uri) == "3.17.2"
    reason = attempt(track, uri)
    assert "refuses the access" not in reason
    assert "s3cret" not in reason
    paths = {path for path, seen in server.seen if seen == server.wanted}
    assert any(path.startswith("/api/") for path in paths)


def test_refused_access_names_the_variables_to_set(guarded, track):
    _, uri = guarded("Bearer s3cret")
    reason = attempt(track, uri)
    assert "refuses the access" in reason
    assert "MLFLOW_TRACKING_TOKEN" in reason
    assert "MLFLOW_TRACKING_USERNAME" in reason
    assert server_version(uri) == ""


def test_a_private_authority_is_trusted_through_its_file(guarded, track, certificate, monkeypatch):
    server, uri = guarded(certificate=certificate)
    reason = attempt(track, uri)
    assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in reason
    assert server_version(uri) == ""
    assert all(path == "/health" for path, _ in server.seen)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate[0]))
    assert server_version(uri) == "3.17.2"
    assert "MLFLOW_TRACKING_SERVER_CERT_PATH" not in attempt(track, uri)
    assert any(path.startswith("/api/") for path, _ in server.seen)
