"""A server in front of another that fails as a test has planned: for S3 on a bad day."""

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ERRORS = {
    "internal": (500, "InternalError", "We encountered an internal error. Please try again."),
    "slow down": (503, "SlowDown", "Please reduce your request rate."),
    "too many": (429, "TooManyRequests", "Too many requests."),
    "expired": (403, "ExpiredToken", "The provided token has expired."),
    "denied": (403, "AccessDenied", "Access Denied"),
}
"""Answers that are errors: status, code, message."""

BREAKS = ("reset", "cut", "silent")
"""Other faults: the connection is reset, the body is cut in the middle, there is no answer."""


@dataclass
class Faults:
    """Which requests fail, and how.

    Parameters
    ----------
    kinds : tuple of str
        Of `ERRORS` and `BREAKS`; one is drawn for each request that fails.
    share : float
        Of the requests that fail.
    after : int
        Requests that are spared.
    spared : callable
        Of method and path: whether such a request never fails.
    """

    kinds: tuple[str, ...] = ()
    share: float = 0.0
    after: int = 0
    spared: Callable[[str, str], bool] = lambda method, path: False
    met: Counter[str] = field(default_factory=Counter)
    _random: random.Random = field(default_factory=lambda: random.Random(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, method: str, path: str) -> str | None:
        with self._lock:
            self.met["requests"] += 1
            if self.met["requests"] <= self.after or self.spared(method, path):
                return None
            if not self.kinds or self._random.random() >= self.share:
                return None
            kind = self._random.choice(self.kinds)
            self.met[kind] += 1
            return kind


class FaultyServer:
    """A running server; give it other `faults` at any time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.faults = Faults()


@contextmanager
def run_faulty_server(behind: str) -> Iterator[FaultyServer]:
    """Run a server in a thread that hands requests on to the server at the URL `behind`."""
    place = urlsplit(behind).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = server.faults.draw(self.command, self.path)
            if kind in ERRORS:
                self._refuse(*ERRORS[kind])
            elif kind == "reset":
                self._reset()
            elif kind == "silent":
                time.sleep(2)
                self.close_connection = True
            else:
                self._hand_on(body, cut=kind == "cut")

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

        def _refuse(self, status: int, code: str, message: str) -> None:
            text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
            self.send_response(status)
            self._answer(text, cut=False)

        def _reset(self) -> None:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True

        def _hand_on(self, body: bytes, *, cut: bool) -> None:
            connection = http.client.HTTPConnection(place)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            found = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            connection.close()
            self._answer(found, cut=cut, length=length)

        def _answer(self, body: bytes, *, cut: bool, length: str | None = None) -> None:
            self.send_header("Content-Length", length or str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[: len(body) // 2] if cut else body)
            if cut:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client went away."""

    with Quiet(("127.0.0.1", 0), Handler) as listening:
        server = FaultyServer(f"http://127.0.0.1:{listening.server_port}")
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
