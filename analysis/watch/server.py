"""The server of the page: on this machine only, and only to be read."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ibtools.analysis.watch.follower import View
from ibtools.errors import InputError

LOOPBACK = "127.0.0.1"

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The page may ask this server, and nobody else."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, page: str, view: Callable[[], View], port: int) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.page, self.view = page.encode(), view
        self.hosts = {f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost")}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that left in the middle of an answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Answer with the page, or with what there is to see."""
        asked = urlsplit(self.path)
        # a page of somebody else's, whose name leads here, is not told anything
        if self.headers.get("Host") not in self.server.hosts:
            self.send_error(HTTPStatus.FORBIDDEN)
        elif asked.path == "/":
            self._answer("text/html; charset=utf-8", self.server.page)
        elif asked.path == "/view":
            (known,) = parse_qs(asked.query).get("version", ["-1"])[:1]
            self._answer("application/json", _view(self.server.view(), known))
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        headers = {
            "Content-Type": kind,
            "Content-Length": f"{len(body)}",
            "Cache-Control": "no-store",
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Write no line for each request."""


def _view(view: View, known: str) -> bytes:
    """Return a view as JSON, without figures that the page has already."""
    figures = {} if known == f"{view.version}" else {"figures": view.figures}
    told = {"version": view.version, "title": view.title, "status": view.status, **figures}
    return json.dumps(told, allow_nan=False).encode()


@contextmanager
def serving(page: str, view: Callable[[], View], port: int) -> Iterator[str]:
    """Serve a page, and what there is to see, until the context is left.

    Parameters
    ----------
    page : str
        HTML.
    view : callable
        Returns what there is to see now.
    port : int
        0 for any that is free.

    Yields
    ------
    str
        The address.

    Raises
    ------
    InputError
        If the port is taken, or can't be one.
    """
    try:
        server = _Server(page, view, port)
    except (OSError, OverflowError) as err:
        raise InputError(
            f"port {port} must be free, found {err}; give another, or 0 for any that is free"
        ) from err
    thread = Thread(target=server.serve_forever, name="ibtools-watch", daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
