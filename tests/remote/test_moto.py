"""S3 as another project plays it: signatures, buckets, listings and refusals that are not of our making."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from shapeinspect.api.report import inspect
from shapeinspect.errors import ShapeInspectError, UsageError


def _file(*names: str) -> bytes:
    header = {
        name: {"dtype": "F32", "shape": [3, 5], "data_offsets": [60 * at, 60 * at + 60]}
        for at, name in enumerate(names)
    }
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + bytes(60 * len(names))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def client(address: str, monkeypatch: pytest.MonkeyPatch):
    import botocore.session

    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    made = botocore.session.get_session().create_client("s3")
    made.create_bucket(Bucket="models")
    return made


def test_files_and_directories(client) -> None:
    client.put_object(Bucket="models", Key="net/a b+c.safetensors", Body=_file("one.weight", "two.weight"))
    client.put_object(Bucket="models", Key="net/config.json", Body=b"{}")
    assert [layer.path for layer in inspect("s3://models/net/a b+c.safetensors")] == ["one", "two"]
    report = inspect("s3://models/net")
    assert [layer.path for layer in report] == ["one", "two"]
    assert report["two"].weights[0].values().tolist() == [[0.0] * 5] * 3


def test_sharded(client) -> None:
    homes = {"one.weight": "a.safetensors", "two.weight": "b.safetensors"}
    for name, file in homes.items():
        client.put_object(Bucket="models", Key=f"set/{file}", Body=_file(name))
    index = json.dumps({"weight_map": homes}).encode()
    client.put_object(Bucket="models", Key="set/model.safetensors.index.json", Body=index)
    assert [layer.path for layer in inspect("s3://models/set")] == ["one", "two"]


def test_nothing_there(client) -> None:
    for url in ("s3://models/none.pt", "s3://none-such/m.pt"):
        with pytest.raises(UsageError, match="no such file"):
            inspect(url)


def test_no_name_of_a_bucket(client) -> None:
    with pytest.raises(ShapeInspectError) as refused:
        inspect("s3://No_Bucket/m.pt")
    assert "s3://No_Bucket/m.pt" in str(refused.value)
