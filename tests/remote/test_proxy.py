"""The proxies that the environment names: every protocol goes through them, and none shows their password."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shapeinspect.api.report import inspect
from shapeinspect.errors import UnreadableFileError, UsageError

from . import stores
from .conftest import Handler, Server, serving
from .test_stores import shard

#: The password of the proxy, as its address spells it, and what it is told.
USER, TOLD = "me:s3cr%3At", "Basic bWU6czNjcjp0"
NAMES = [f"{name}_proxy" for name in ("http", "https", "all", "no")]


@pytest.fixture
def proxy(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A proxy that sends every host of ``.invalid``, which no name server knows, to the server."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with serving(tmp_path / "proxy") as state:

        def forward(handler: Handler) -> int:
            asked = urlsplit(handler.path)
            if handler.command == "CONNECT" or not (asked.hostname or "").endswith(".invalid"):
                return stores.send(handler, (407, {}, b"who are you?"))
            there = http.client.HTTPConnection("127.0.0.1", urlsplit(server.url).port)
            kept = {name: value for name, value in handler.headers.items() if name.lower() != "connection"}
            target = asked.path + (f"?{asked.query}" if asked.query else "")
            there.request(handler.command, target, headers=kept)
            answer = there.getresponse()
            body = answer.read()
            handler.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("date", "server"):
                    handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
            there.close()
            return len(body)

        state.answer = forward
        monkeypatch.setenv("HTTP_PROXY", state.url.replace("://", f"://{USER}@"))
        yield state


def test_http(proxy: Server, server: Server) -> None:
    shard(server.root / "m.safetensors", ["one.weight"])
    report = inspect("http://models.invalid/m.safetensors?Signature=of-mine")
    assert [layer.path for layer in report] == ["one"]
    assert proxy.log == ["GET http://models.invalid/m.safetensors?Signature=of-mine"]
    assert proxy.headers[0]["Proxy-Authorization"] == TOLD
    assert "s3cr" not in report.to_text()


def test_hosts_that_need_none(proxy: Server, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    shard(server.root / "m.safetensors", ["one.weight"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert len(inspect(f"{server.url}/m.safetensors")) == 1
    assert proxy.requests == 0


def test_https(proxy: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", f"://{USER}@"))
    with pytest.raises(UnreadableFileError, match="407") as refused:
        inspect("https://models.invalid/m.safetensors")
    assert proxy.log == ["CONNECT models.invalid:443"]
    assert proxy.headers[0]["Proxy-Authorization"] == TOLD
    assert "s3cr" not in str(refused.value)


@pytest.mark.parametrize(
    "named", [f"socks5://{USER}@127.0.0.1:9", f"http://{USER}@127.0.0.1:port", "http://"]
)
def test_a_proxy_of_another_kind(proxy: Server, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    monkeypatch.setenv("HTTP_PROXY", named)
    with pytest.raises(UsageError, match="proxy") as refused:
        inspect("http://models.invalid/m.safetensors")
    assert "s3cr" not in str(refused.value)


def test_s3(proxy: Server, s3: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    shard(s3.root / "models" / "m.safetensors", ["one.weight"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://s3.invalid")
    assert len(inspect("s3://models/m.safetensors")) == 1
    assert proxy.requests == s3.requests > 0


def test_gs(proxy: Server, gs: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    shard(gs.root / "models" / "m.safetensors", ["one.weight"])
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://storage.invalid")
    assert len(inspect("gs://models/m.safetensors")) == 1
    assert proxy.requests == gs.requests > 0


def test_hf(proxy: Server, hf: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec
    from huggingface_hub import close_session

    shard(hf.root / "me" / "net" / "m.safetensors", ["one.weight"])
    settings = {"endpoint": "http://hub.invalid", "token": "hf_s3cr3t"}
    monkeypatch.setitem(fsspec.config.conf, "hf", settings)
    whole = (hf.root / "me" / "net" / "m.safetensors").read_bytes()
    hf.odd["/me/net/resolve/main/m.safetensors"] = lambda handler: handler.reply(200, whole)
    close_session()  # it has found out about proxies when it was made
    try:
        assert len(inspect("hf://me/net/m.safetensors")) == 1
    finally:
        close_session()
    assert proxy.requests == hf.requests > 2
