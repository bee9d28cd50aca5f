"""A web server on this machine that answers ranges, counts what it is asked for, and can misbehave."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import fsspec
import pytest

from . import stores

Answer = Callable[["Handler"], None]


@dataclass
class Server:
    """Serves a directory.

    ``odd`` maps paths to what answers for them instead.
    """

    root: Path
    url: str = ""
    log: list[str] = field(default_factory=list)
    answer: Callable[[Handler], int] | None = None
    requests: int = 0
    bytes: int = 0
    headers: list[dict[str, str]] = field(default_factory=list)
    odd: dict[str, Answer] = field(default_factory=dict)


class Handler(BaseHTTPRequestHandler):
    """Answers a GET with the range that it names."""

    protocol_version = "HTTP/1.1"
    server: _Httpd

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_CONNECT(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        state = self.server.state
        state.requests += 1
        state.headers.append(dict(self.headers))
        state.log.append(f"{self.command} {self.path}")
        if state.answer is not None and self.path not in state.odd:
            state.bytes += state.answer(self)
            return
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


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    """Run a server over a directory."""
    root.mkdir(exist_ok=True)
    httpd = _Httpd(("127.0.0.1", 0), Handler)
    httpd.state = Server(root, f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield httpd.state
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "served") as state:
        yield state


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Server]:
    """A second host, where a hub keeps the bytes; it is another one by its port."""
    with serving(tmp_path / "elsewhere") as state:

        def answer(handler: Handler) -> int:
            asked = parse_qs(urlsplit(handler.path).query)
            if asked.get("Signature") != ["s3cr3t"]:
                return stores.send(handler, (403, {}, b"not signed"))
            return stores.send(handler, (200, {"ETag": '"1"'}, Path(asked["of"][0])))

        state.answer = answer
        yield state


@pytest.fixture
def s3(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """S3 for the bucket ``models``, at the address that the environment names."""
    server.answer = lambda handler: stores.send(
        handler, stores.s3(server.root, handler.command, handler.path)
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    (server.root / "models").mkdir()
    return server


@pytest.fixture
def gs(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Cloud Storage for the bucket ``models``, at the address that the environment names."""
    server.answer = lambda handler: stores.send(handler, stores.gcs(server.root, handler.path))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
    (server.root / "models").mkdir()
    return server


@pytest.fixture
def hf(server: Server, elsewhere: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A hub with the repository ``me/net``, whose files are at the other host; ``HF_ENDPOINT`` names it."""
    away = stores.signed(elsewhere.url)
    server.answer = lambda handler: stores.send(handler, stores.hub(server.root, handler.path, away))
    monkeypatch.setitem(fsspec.config.conf, "hf", {"endpoint": server.url, "token": "hf_s3cr3t"})
    (server.root / "me" / "net").mkdir(parents=True)
    return server
