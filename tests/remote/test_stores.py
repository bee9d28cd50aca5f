"""S3, Cloud Storage and Hugging Face: what each costs, which host is told what, and what errors say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shapeinspect.api.report import inspect
from shapeinspect.errors import MissingDependencyError, ShapeInspectError, UnreadableFileError, UsageError
from shapeinspect.sources.remote import from_url

from . import stores
from .test_http import GIGABYTE, sparse_safetensors

#: Where each fixture keeps its files, and what it is called.
STORES = {"s3": ("models", "s3://models"), "gs": ("models", "gs://models"), "hf": ("me/net", "hf://me/net")}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest):
    server = request.getfixturevalue(request.param)
    folder, url = STORES[request.param]
    others = [request.getfixturevalue("elsewhere")] if request.param == "hf" else []
    return server.root / folder, url, [server, *others]


def shard(place: Path, names: list[str]) -> None:
    header = {
        name: {"dtype": "F32", "shape": [3, 5], "data_offsets": [60 * at, 60 * at + 60]}
        for at, name in enumerate(names)
    }
    raw = json.dumps(header).encode()
    place.write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(60 * len(names)))


def test_five_gigabytes_cost_a_header(store) -> None:
    folder, url, servers = store
    sparse_safetensors(folder / "big.safetensors", 2000, 5 * GIGABYTE)
    report = inspect(f"{url}/big.safetensors")
    assert len(report) == 2000
    assert report.model.source == f"{url}/big.safetensors"
    assert sum(server.requests for server in servers) <= 5
    assert sum(server.bytes for server in servers) < 2_000_000


def test_a_sharded_directory(store) -> None:
    folder, url, servers = store
    shard(folder / "model-00001-of-00002.safetensors", ["one.weight"])
    shard(folder / "model-00002-of-00002.safetensors", ["two.weight", "three.weight"])
    homes = {"one.weight": 1, "two.weight": 2, "three.weight": 2}
    index = {"weight_map": {name: f"model-0000{at}-of-00002.safetensors" for name, at in homes.items()}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text("{}")
    expected = ["one", "three", "two"]
    assert sorted(layer.path for layer in inspect(url)) == expected
    whole = sum(server.requests for server in servers)
    assert sorted(layer.path for layer in inspect(f"{url}/model.safetensors.index.json")) == expected
    (folder / "model-00002-of-00002.safetensors").unlink()
    notes = " ".join(note.text for note in inspect(url).notes)
    assert "model-00002-of-00002.safetensors is missing" in notes
    # The directory, its listing, and for each of four files its bytes; a hub sends on for each.
    assert whole <= 4 + 4 * 2


def test_a_file_that_was_replaced_is_read_anew(store) -> None:
    folder, url, _ = store
    shard(folder / "m.safetensors", ["one.weight"])
    assert [layer.path for layer in inspect(f"{url}/m.safetensors")] == ["one"]
    shard(folder / "m.safetensors", ["another.weight", "third.weight"])
    assert [layer.path for layer in inspect(f"{url}/m.safetensors")] == ["another", "third"]


def test_nothing_there(store) -> None:
    folder, url, _ = store
    shard(folder / "m.safetensors", ["one.weight"])
    with pytest.raises(UsageError, match="no such file") as missing:
        inspect(f"{url}/none.safetensors")
    assert f"{url}/none.safetensors" in str(missing.value)


#: How each store refuses: a status and what it sends with it.
DENIED = {
    "s3": b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    "gs": b'{"error": {"code": 403, "message": "reader does not have storage.objects.get access"}}',
    "hf": b'{"error": "Access to model me/net is restricted"}',
}
HINTS = {"s3": "AWS_PROFILE", "gs": "GOOGLE_APPLICATION_CREDENTIALS", "hf": "HF_TOKEN"}


@pytest.mark.parametrize("name", STORES)
def test_what_is_not_allowed(name: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(name)
    folder, url = STORES[name]
    shard(server.root / folder / "m.safetensors", ["one.weight"])
    headers = {"X-Error-Code": "GatedRepo"} if name == "hf" else {}

    def deny(handler) -> int:
        return stores.send(handler, (403, headers, b"" if handler.command == "HEAD" else DENIED[name]))

    server.answer = deny
    with pytest.raises(ShapeInspectError) as denied:
        inspect(f"{url}/m.safetensors")
    said = str(denied.value)
    assert f"{url}/m.safetensors" in said
    assert HINTS[name] in said
    assert "s3cr3t" not in said
    assert len(said.splitlines()) <= 4


def test_s3_without_credentials(s3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(UnreadableFileError, match="FSSPEC_S3_ANON"):
        inspect("s3://models/m.safetensors")
    assert s3.requests == 0


def test_the_other_host_is_told_no_token(hf, elsewhere) -> None:
    sparse_safetensors(hf.root / "me" / "net" / "m.safetensors", 4000, 4000 << 12)
    assert len(inspect("hf://me/net/m.safetensors")) == 4000
    assert {headers.get("authorization") for headers in hf.headers} == {"Bearer hf_s3cr3t"}
    assert elsewhere.requests > 1
    assert all("s3cr3t" not in str(headers) for headers in elsewhere.headers)
    # The hub is asked once where the file is; the ranges come from there.
    assert sum("resolve" in line for line in hf.log) == 1


def test_a_signature_that_runs_out_is_renewed(hf, elsewhere) -> None:
    sparse_safetensors(hf.root / "me" / "net" / "m.safetensors", 4000, 4000 << 12)
    served = elsewhere.answer
    late = []

    def once(handler) -> int:
        if elsewhere.requests == 2:
            late.append(handler.path)
            return stores.send(handler, (403, {}, b"expired"))
        return served(handler)

    elsewhere.answer = once
    assert len(inspect("hf://me/net/m.safetensors")) == 4000
    assert late
    assert sum("resolve" in line for line in hf.log) == 2


def test_a_host_that_refuses_for_good(hf, elsewhere) -> None:
    shard(hf.root / "me" / "net" / "m.safetensors", ["one.weight"])
    elsewhere.answer = lambda handler: stores.send(handler, (403, {}, b"no"))
    with pytest.raises(UnreadableFileError, match="403") as refused:
        inspect("hf://me/net/m.safetensors")
    assert "s3cr3t" not in str(refused.value)
    assert elsewhere.requests <= 2


@pytest.mark.parametrize("name", ["m.safetensors", "model.safetensors.index.json"])
def test_small_files_that_a_hub_sends_whole(hf, name: str) -> None:
    folder = hf.root / "me" / "net"
    shard(folder / "m.safetensors", ["one.weight"])
    index = {"weight_map": {"one.weight": "m.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    def whole(handler) -> int:
        data = (folder / handler.path.rpartition("/")[2]).read_bytes()
        return stores.send(handler, (200, {}, data))

    for each in ("m.safetensors", "model.safetensors.index.json"):
        hf.odd[f"/me/net/resolve/main/{each}"] = whole
    hf.odd = {path: lambda handler, answer=answer: answer(handler) for path, answer in hf.odd.items()}
    assert [layer.path for layer in inspect(f"hf://me/net/{name}")] == ["one"]


def test_a_large_file_that_a_hub_sends_whole(hf, elsewhere) -> None:
    sparse_safetensors(hf.root / "me" / "net" / "m.safetensors", 3, 30 << 20)
    sent = []

    def whole(handler) -> int:
        sent.append(handler.path)  # before the answer, which the other side waits for
        handler.send_response(200)
        handler.send_header("Content-Length", str(30 << 20))
        handler.end_headers()
        return 0

    elsewhere.answer = whole
    with pytest.raises(UnreadableFileError, match="whole file"):
        inspect("hf://me/net/m.safetensors")
    assert len(sent) == 1


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://h/m", "http://a:s3cr3t@127.0.0.1/m", ""])
def test_a_hub_that_sends_nowhere(hf, place: str) -> None:
    shard(hf.root / "me" / "net" / "m.safetensors", ["one.weight"])
    hf.odd["/me/net/resolve/main/m.safetensors"] = lambda handler: handler.reply(
        302, b"", {"Location": place}
    )
    with pytest.raises(UnreadableFileError, match="redirects") as refused:
        inspect("hf://me/net/m.safetensors")
    assert "s3cr3t" not in str(refused.value)


def test_a_revision(hf) -> None:
    shard(hf.root / "me" / "net" / "m.safetensors", ["one.weight"])
    assert len(inspect(f"hf://me/net@{stores.COMMIT}/m.safetensors")) == 1
    with pytest.raises(UsageError, match="no such file"):
        inspect("hf://me/net@nightly/m.safetensors")


def test_no_such_repository(hf) -> None:
    with pytest.raises(UsageError, match="HF_TOKEN"):
        inspect("hf://me/other/m.safetensors")


@pytest.mark.parametrize("name", STORES)
def test_the_command(name: str, request: pytest.FixtureRequest) -> None:
    """The environment alone names the store, as a user's does; nothing is left open when it ends."""
    server = request.getfixturevalue(name)
    folder, url = STORES[name]
    shard(server.root / folder / "m.safetensors", ["one.weight"])
    named = {
        "s3": {"FSSPEC_S3_ENDPOINT_URL": server.url},
        "gs": {"FSSPEC_GS_TOKEN": "anon"},
        "hf": {"HF_ENDPOINT": server.url, "HF_TOKEN": "hf_s3cr3t", "HF_HUB_DISABLE_TELEMETRY": "1"},
    }[name]
    words = [sys.executable, "-m", "shapeinspect", "show", f"{url}/m.safetensors", "--format", "json"]
    done = subprocess.run(
        words, check=False, capture_output=True, text=True, env={**os.environ, **named}, timeout=60
    )
    assert done.stderr == ""
    assert [layer["path"] for layer in json.loads(done.stdout)["layers"]] == ["one"]


@pytest.mark.parametrize(
    ("url", "package"), [("s3://b/m", "s3fs"), ("gs://b/m", "gcsfs"), ("hf://a/b/m", "huggingface_hub")]
)
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, url: str, package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    registry = sys.modules["fsspec.registry"]  # the package has another thing of that name
    monkeypatch.delitem(registry._registry, url.partition("://")[0], raising=False)
    with pytest.raises(MissingDependencyError) as missing:
        from_url(url)
    assert missing.value.package == package
    assert "pip install 'shapeinspect[remote]'" in str(missing.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:s3cr3t@[x/m.pt",
        "https://host:99999/m.pt?X-Amz-Signature=s3cr3t",
        "nothing://me:s3cr3t@host/m.pt",
        "s3://me:s3cr3t@bucket::zip://m.pt",
        "memory://me:s3cr3t@bucket/m.pt",
        "memory://bucket/m.pt?token=s3cr3t",
    ],
)
def test_no_error_shows_a_secret(url: str) -> None:
    with pytest.raises(ShapeInspectError) as refused:
        from_url(url)
    assert "s3cr3t" not in str(refused.value)


def test_a_redirect_with_a_signature_is_not_shown(server) -> None:
    place = {"Location": "http://localhost:9/m?Signature=s3cr3t"}
    server.odd["/m.pt"] = lambda handler: handler.reply(302, b"", place)
    with pytest.raises(UnreadableFileError, match="localhost:9") as refused:
        inspect(f"{server.url}/m.pt")
    assert "s3cr3t" not in str(refused.value)


def test_the_hub_by_its_address_for_browsers(server) -> None:
    from urllib.parse import urlsplit

    from shapeinspect.sources.remote.http import redirect_hint

    assert (
        redirect_hint(urlsplit("https://huggingface.co/me/net/resolve/main/a/m.pt")) == "hf://me/net/a/m.pt"
    )
    assert redirect_hint(urlsplit("https://huggingface.co/me/net/resolve/v1/m.pt")) == "hf://me/net@v1/m.pt"
