"""A web server on this machine that answers ranges, counts what it is asked for, and can misbehave."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Answer = Callable[["Handler"], None]


@dataclass
class Server:
    """Serves a directory.

    ``odd`` maps paths to what answers for them instead.
    """

    root: Path
    url: str = ""
    requests: int = 0
    bytes: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    odd: dict[str, Answer] = field(default_factory=dict)


class Handler(BaseHTTPRequestHandler):
    """Answers a GET with the range that it names."""

    protocol_version = "HTTP/1.1"
    server: _Httpd

    def do_GET(self) -> None:
        state = self.server.state
        state.requests += 1
        state.headers.append(dict(self.headers))
        answer = state.odd.get(self.path, Handler.serve)
        answer(self)

    def asked(self) -> tuple[int, int]:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        assert found, "every request names a range"
        return int(found[1]), int(found[2])

    def serve(self) -> None:
        path = self.server.state.root / self.path.lstrip("/").partition("?")[0]
        if not path.is_file():
            self.reply(404, b"not here")
            return
        size = path.stat().st_size
        first, last = self.asked()
        if first >= size:
            self.reply(416, b"", {"Content-Range": f"bytes */{size}"})
            return
        last = min(last, size - 1)
        with path.open("rb") as file:
            file.seek(first)
            body = file.read(last - first + 1)
        self.reply(206, body, {"Content-Range": f"bytes {first}-{last}/{size}"})

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.server.state.bytes += len(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        pass


class _Httpd(ThreadingHTTPServer):
    daemon_threads = True
    state: Server

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that gives up on a bad answer is what is tested


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    root = tmp_path / "served"
    root.mkdir()
    httpd = _Httpd(("127.0.0.1", 0), Handler)
    httpd.state = Server(root, f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield httpd.state
    httpd.shutdown()
    httpd.server_close()
    thread.join()
