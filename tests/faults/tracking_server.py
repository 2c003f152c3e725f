"""A server in front of MLflow's: it passes requests on, refuses them, or is slow."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FULL = b'{"error_code": "INTERNAL_ERROR", "message": "database or disk is full"}'


class Server(ThreadingHTTPServer):
    """A server of one machine that answers as its `manner` says.

    Attributes:
        manner: ``"pass"``, ``"error"`` for the status 500, or ``"full"`` for that of a full disk.
        delay: Seconds before each answer.
        behind: The port of the server that it passes requests to.
        asked: The number of requests so far.
    """

    daemon_threads = True

    def __init__(self, manner: str, *, delay: float = 0.0, behind: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.manner, self.delay, self.behind, self.asked = manner, delay, behind, 0

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that have gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self) -> None:
        server = self.server
        server.asked += 1
        time.sleep(server.delay)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, kind, text = 500, "application/json", b""
        if server.manner == "full":
            text = FULL
        elif server.manner == "pass":
            behind = http.client.HTTPConnection("127.0.0.1", server.behind, timeout=60)
            behind.request(self.command, self.path, body, dict(self.headers))
            reply = behind.getresponse()
            status, kind = reply.status, reply.headers.get("Content-Type", kind)
            text = reply.read()
            behind.close()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing."""


@contextmanager
def serving(manner: str, *, delay: float = 0.0, behind: int = 0) -> Iterator[Server]:
    """Yield a server that answers in other threads until the context ends."""
    server = Server(manner, delay=delay, behind=behind)
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
