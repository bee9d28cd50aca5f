"""A strict client: ranges only, from the host that was named, and nothing that does not add up."""

from __future__ import annotations

import json
import socket
import struct
import time
from pathlib import Path

import pytest

from shapeinspect.api.report import inspect
from shapeinspect.cli import main
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.sources.remote import connection, from_url, http, ranges
from shapeinspect.sources.remote.ranges import BLOCK, Blocks, Budget

GIGABYTE = 1 << 30


def sparse_safetensors(path: Path, tensors: int, nbytes: int) -> None:
    """Write a header for so many weights of so many bytes in all, and a hole for the weights."""
    rows = nbytes // tensors // 2 // 1024
    header, at = {}, 0
    for index in range(tensors):
        end = at + 2 * rows * 1024
        header[f"model.layers.{index}.weight"] = {
            "dtype": "BF16",
            "shape": [rows, 1024],
            "data_offsets": [at, end],
        }
        at = end
    raw = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        file.truncate(8 + len(raw) + at)


def test_five_gigabytes_cost_a_header(server) -> None:
    sparse_safetensors(server.root / "big.safetensors", 2000, 5 * GIGABYTE)
    report = inspect(f"{server.url}/big.safetensors")
    assert len(report.model.layers) == 2000
    assert server.requests <= 5
    assert server.bytes < 2_000_000


def test_the_same_report_as_from_disk(server) -> None:
    path = server.root / "m.safetensors"
    sparse_safetensors(path, 3, 3 << 20)
    near, far = inspect(path).to_dict(), inspect(f"{server.url}/m.safetensors").to_dict()
    assert far.pop("source") == f"{server.url}/m.safetensors"
    near.pop("source")
    assert far == near


def test_an_index_leads_to_its_files(server) -> None:
    folder = server.root / "deep er"
    folder.mkdir()
    homes = {}
    for shard in ("one", "two"):
        header = {f"{shard}.weight": {"dtype": "F32", "shape": [3, 5], "data_offsets": [0, 60]}}
        raw = json.dumps(header).encode()
        (folder / f"{shard} #1.safetensors").write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(60))
        homes[f"{shard}.weight"] = f"{shard} #1.safetensors"
    index = {"metadata": {}, "weight_map": homes}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    served = server.odd

    def unquoted(handler) -> None:
        handler.path = handler.path.replace("%20", " ").replace("%23", "#")
        type(handler).serve(handler)

    for name in ("model.safetensors.index.json", "one%20%231.safetensors", "two%20%231.safetensors"):
        served[f"/deep%20er/{name}"] = unquoted
    report = inspect(f"{server.url}/deep er/model.safetensors.index.json")
    assert [layer.path for layer in report] == ["one", "two"]


def test_one_connection_is_kept(server, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    connect = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: made.append(a) or connect(*a, **k))
    sparse_safetensors(server.root / "m.safetensors", 4000, 4000 << 12)
    inspect(f"{server.url}/m.safetensors")
    assert server.requests > 1
    assert len(made) == 1


def _reply(status: int = 206, body: bytes = b"x" * BLOCK, **headers: str):
    def answer(handler) -> None:
        handler.reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def _cut(handler) -> None:
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes 0-{BLOCK - 1}/{2 * BLOCK}")
    handler.send_header("Content-Length", str(BLOCK))
    handler.end_headers()
    handler.wfile.write(b"x" * 1000)
    handler.close_connection = True


def _chunked(count: int):
    def answer(handler) -> None:
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 0-{BLOCK - 1}/{2 * BLOCK}")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n" % count + b"x" * count + b"\r\n0\r\n\r\n")

    return answer


TOLD = {"Content_Range": f"bytes 0-{BLOCK - 1}/{2 * BLOCK}"}
REFUSED = {
    "the whole file": (_reply(200), "whole file"),
    "no content": (_reply(204, b""), "204"),
    "an error": (_reply(500, b"no"), "500"),
    "not allowed": (_reply(403, b"no"), "403"),
    "no Content-Range": (_reply(), "Content-Range"),
    "several ranges": (_reply(Content_Type="multipart/byteranges; boundary=x"), "Content-Range"),
    "another range": (_reply(Content_Range=f"bytes 5-{BLOCK + 4}/{2 * BLOCK}"), "instead"),
    "a shorter range": (_reply(body=b"x" * 9, Content_Range=f"bytes 0-8/{2 * BLOCK}"), "instead"),
    "a size below the range": (_reply(Content_Range=f"bytes 0-{BLOCK - 1}/7"), "instead"),
    "an unknown size": (_reply(Content_Range=f"bytes 0-{BLOCK - 1}/*"), "Content-Range"),
    "a size of thirty digits": (_reply(Content_Range=f"bytes 0-{BLOCK - 1}/{10**30}"), "Content-Range"),
    "another length": (_reply(**{**TOLD, "Content_Length": "10"}), "announces"),
    "a compressed body": (_reply(**TOLD, Content_Encoding="gzip"), "compressed"),
    "a body that ends early": (_cut, "ends after|IncompleteRead"),
    "fewer bytes in chunks": (_chunked(BLOCK - 1), "ends after"),
    "more bytes in chunks": (_chunked(BLOCK + 1), "more than was requested"),
    "another host": (_reply(302, b"", Location="http://localhost:9/m.safetensors"), "localhost:9"),
    "another port": (_reply(301, b"", Location="http://127.0.0.1:9/m.safetensors"), "127.0.0.1:9"),
    "another scheme": (_reply(307, b"", Location="file:///etc/passwd"), "redirects"),
    "a user's name": (_reply(308, b"", Location="http://a:b@127.0.0.1/m"), "without an address"),
    "no place": (_reply(303, b""), "redirects more than"),
    "a circle": (_reply(302, b"", Location="/m.safetensors"), "redirects more than"),
    "no HTTP": (lambda handler: handler.wfile.write(b"SSH-2.0-x\r\n"), "request failed"),
    "nothing": (lambda handler: setattr(handler, "close_connection", True), "request failed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_add_up_is_refused(server, case: str) -> None:
    server.odd["/m.safetensors"], reason = REFUSED[case]
    with pytest.raises(UnreadableFileError, match=reason):
        inspect(f"{server.url}/m.safetensors")
    assert server.requests <= 5


@pytest.mark.parametrize("case", ["the whole file", "another host", "a body that ends early"])
def test_the_command_says_so_on_one_screen(server, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    server.odd["/m.safetensors"] = REFUSED[case][0]
    with pytest.raises(SystemExit) as stopped:
        main(["show", f"{server.url}/m.safetensors"])
    assert stopped.value.code == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: cannot read")
    assert len(err.splitlines()) <= 6


def test_a_redirect_on_the_same_host_is_followed(server) -> None:
    sparse_safetensors(server.root / "blob", 3, 3 << 20)
    server.odd["/m.safetensors"] = _reply(302, b"", Location="/blob")
    report = inspect(f"{server.url}/m.safetensors")
    assert report.model.source.endswith("/m.safetensors")
    assert len(report) == 3


def test_a_file_that_changes_is_refused(server) -> None:
    sparse_safetensors(server.root / "m.safetensors", 4000, 4000 << 12)

    def tagged(handler) -> None:
        server.odd["/m.safetensors"] = lambda h: _with_tag(h, '"two"')
        _with_tag(handler, '"one"')

    def _with_tag(handler, tag: str) -> None:
        end_headers = handler.end_headers

        def end() -> None:
            handler.send_header("ETag", tag)
            end_headers()

        handler.end_headers = end
        type(handler).serve(handler)
        del handler.end_headers

    server.odd["/m.safetensors"] = tagged
    with pytest.raises(UnreadableFileError, match="changed"):
        inspect(f"{server.url}/m.safetensors")


def test_nothing_there(server) -> None:
    with pytest.raises(UsageError, match="no such file"):
        inspect(f"{server.url}/m.safetensors")


def test_an_empty_file(server) -> None:
    (server.root / "m.safetensors").write_bytes(b"")
    with pytest.raises(UnreadableFileError, match="empty"):
        inspect(f"{server.url}/m.safetensors")


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(UnreadableFileError, match="sent nothing"):
            from_url(f"http://127.0.0.1:{silent.getsockname()[1]}/m.onnx")
        port = silent.getsockname()[1]
    with pytest.raises(UnreadableFileError, match="request failed"):
        from_url(f"http://127.0.0.1:{port}/m.onnx")


def _header_without_end(handler) -> None:
    """Send a line of a header after the other, 20 each second."""
    handler.send_response(206)
    handler.flush_headers()
    for number in range(1000):
        handler.wfile.write(f"X-{number}: drip\r\n".encode())
        time.sleep(0.05)


def test_an_answer_that_never_ends(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "DEADLINE", 0.5)
    server.odd["/m.onnx"] = _header_without_end
    with pytest.raises(UnreadableFileError, match="took over"):
        from_url(f"{server.url}/m.onnx")


def test_all_requests_together_have_a_limit(server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends every range, but each of them slowly."""
    sparse_safetensors(server.root / "m.safetensors", 20_000, 20_000 << 12)
    monkeypatch.setattr(http, "Budget", lambda: Budget(left=0.3))

    def drip(handler) -> int:
        time.sleep(0.2)
        handler.serve()
        return 0

    server.answer = drip
    with pytest.raises(UnreadableFileError, match="the requests for it took over"):
        inspect(f"{server.url}/m.safetensors")
    assert server.requests <= 4


def test_one_slow_answer_ends_with_the_limit_of_all(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "Budget", lambda: Budget(left=0.3))
    server.odd["/m.onnx"] = _header_without_end
    with pytest.raises(UnreadableFileError, match="the requests for it took over"):
        from_url(f"{server.url}/m.onnx")


@pytest.mark.parametrize("url", ["http://", "http://[::1/m", "https://host:99999/m", "http://host:x/m"])
def test_no_address(url: str) -> None:
    with pytest.raises(UsageError):
        from_url(url)


def test_secrets_stay_out_of_the_output(server) -> None:
    sparse_safetensors(server.root / "m.safetensors", 3, 3 << 20)
    report = inspect(f"{server.url}/m.safetensors?signature=s3cr3t")
    assert "s3cr3t" not in report.to_text()
    assert "s3cr3t" not in json.dumps(report.to_dict())
    with pytest.raises(UsageError) as refused:
        from_url("https://user:s3cr3t@example.org/m.onnx")
    assert "s3cr3t" not in str(refused.value)


def test_the_budget_ends(server, monkeypatch: pytest.MonkeyPatch) -> None:
    sparse_safetensors(server.root / "m.safetensors", 20_000, 20_000 << 12)
    monkeypatch.setattr(http, "Budget", lambda: Budget(requests=2, bytes=1 << 30))
    report = inspect(f"{server.url}/m.safetensors")
    read = report["model.layers.19999"].weights[0].values
    with pytest.raises(UnreadableFileError, match="requests"):
        read()


def test_blocks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "CACHE", 4 * BLOCK)
    data = bytes(range(256)) * (BLOCK // 16)
    asked = []

    def fetch(start: int, end: int) -> bytes:
        asked.append((start, end))
        return data[start:end]

    blocks = Blocks("m", len(data), fetch, Budget())
    with blocks.open() as file:
        for at in (0, 5 * BLOCK + 3, len(data) - 10, 17, 9 * BLOCK):
            file.seek(at)
            assert file.read(2 * BLOCK) == data[at : at + 2 * BLOCK]
        assert file.seek(-7, 2) == len(data) - 7
        assert file.read() == data[-7:]
    assert all(start % BLOCK == 0 for start, _ in asked)
    assert len(blocks._held) <= 4


def test_a_short_answer_is_an_error() -> None:
    with pytest.raises(UnreadableFileError, match="instead of"):
        Blocks("m", 10 * BLOCK, lambda start, end: b"x", Budget()).read(0, 5)
