"""The root of the tools cannot be left: by no path, link, URL, code, or file that names another."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

import shapeinspect
from shapeinspect.agents.root import Root
from shapeinspect.agents.tools import Tools
from shapeinspect.errors import ShapeInspectError, UnreadableFileError, UsageError

from .client import ask


def leaving(root: Path) -> list[str]:
    """Names that lead to the model beside the root."""
    (root / "link.onnx").symlink_to("../secret.onnx")
    (root / "absolute.onnx").symlink_to(root.parent / "secret.onnx")
    (root / "up").symlink_to("..")
    (root / "again").symlink_to("up")
    return [
        "../secret.onnx",
        "nets/../../secret.onnx",
        str(root.parent / "secret.onnx"),
        f"{root}/../secret.onnx",
        "link.onnx",
        "absolute.onnx",
        "up/secret.onnx",
        "again/secret.onnx",
        "up",
        "..",
        "/",
    ]


def test_no_path_and_no_link_leads_out(root: Path) -> None:
    names = leaving(root)
    assert (root / "again" / "secret.onnx").read_bytes() == (root / "lenet.onnx").read_bytes()
    answers = ask(
        root,
        *(("show", {"model": name}) for name in names),
        ("diff", {"a": "lenet.onnx", "b": names[0]}),
        pipes=True,
    )
    for answer in answers:
        assert answer.failed, answer
        assert "leads out of the directory that may be read" in answer.text


def test_what_is_there_outside_is_not_told(root: Path) -> None:
    there, missing = ask(root, ("show", {"model": "../secret.onnx"}), ("show", {"model": "../secrat.onnx"}))
    assert there.text == missing.text.replace("secrat", "secret")


def test_links_inside_are_followed(root: Path) -> None:
    (root / "near.onnx").symlink_to("nets/other.onnx")
    (root / "whole.onnx").symlink_to(root / "nets" / "other.onnx")
    (root / "folder").symlink_to(root / "nets")
    for name in (
        "near.onnx",
        "whole.onnx",
        "folder/other.onnx",
        "nets/../lenet.onnx",
        str(root / "lenet.onnx"),
    ):
        assert "61,706" in Tools(Root.of(root)).show(name)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_root_that_is_a_link_is_the_directory_it_leads_to(root: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(root)
    assert "61,706" in Tools(Root.of(tmp_path / "alias")).show("lenet.onnx")


def cached(folder: Path) -> Path:
    """A snapshot of a model cache, whose shard and whose external data are links to blobs beside it."""
    blobs, snapshot = folder / "blobs", folder / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    weight = np.arange(35, dtype=np.float32).reshape(5, 7)
    save_file({"fc.weight": weight}, blobs / ("a" * 40))
    index = {"metadata": {}, "weight_map": {"fc.weight": "model-00001-of-00001.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    (snapshot / "model-00001-of-00001.safetensors").symlink_to(f"../../blobs/{'a' * 40}")
    (blobs / ("b" * 40)).write_bytes(weight.tobytes())
    (snapshot / "weights.bin").symlink_to(f"../../blobs/{'b' * 40}")
    tensor = numpy_helper.from_array(weight, "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", str(weight.nbytes))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [3, n]) for name, n in (("x", 5), ("y", 7))
    ]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")], "g", ends[:1], ends[1:], [tensor]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (snapshot / "model.onnx").write_bytes(model.SerializeToString())
    return snapshot


def test_a_cache_is_no_way_out(tmp_path: Path) -> None:
    snapshot = cached(tmp_path / "cache")
    index = snapshot / "model.safetensors.index.json"
    assert shapeinspect.inspect(index)[
        "fc"
    ].weights  # to a user who may read everything these links are ordinary
    assert (
        "not compared"
        not in shapeinspect.diff(snapshot / "model.onnx", snapshot / "model.onnx", True).to_text()
    )
    narrow, wide = Tools(Root.of(snapshot)), Tools(Root.of(tmp_path / "cache"))
    with pytest.raises(UnreadableFileError, match="leads out of the directory"):
        narrow.show("model.safetensors.index.json")
    assert "fc" in wide.show("snapshots/abc/model.safetensors.index.json")
    try:
        text = narrow.diff("model.onnx", "model.onnx", values=True)
    except UnreadableFileError as error:
        text = str(error)
    assert "outside the model's directory" in text
    model = "snapshots/abc/model.onnx"
    assert "and so are their values" in wide.diff(model, model, values=True)


def test_a_file_that_is_exchanged_for_a_link_is_not_read(root: Path) -> None:
    source = Root.of(root).locate("lenet.onnx")
    os.remove(root / "lenet.onnx")
    (root / "lenet.onnx").symlink_to("../secret.onnx")
    with pytest.raises(UnreadableFileError, match="leads out"):
        source.open()


@pytest.mark.parametrize(
    "name",
    [
        "evil:net",
        "nets/evil.py:net",
        "evil.py:Net",
    ],
)
def test_no_code_is_imported(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (root, root / "nets"):
        (folder / "evil.py").write_text("raise SystemExit('run')\n")
    monkeypatch.chdir(root)
    with pytest.raises(UsageError, match="neither imported nor run") as error:
        Tools(Root.of(root)).show(name)
    assert "shapeinspect show" in (error.value.hint or "")


def test_a_kind_is_no_file_of_the_current_directory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root.parent / "conv").write_bytes(b"no model")
    monkeypatch.chdir(root.parent)
    assert "filters of" in Tools(Root.of(root)).explain(
        "conv", input="1,3,28,30", settings={"kernel_size": 5}
    )


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize(
    "url",
    [
        "file://{0}/secret.onnx",
        "local://{0}/secret.onnx",
        "FILE://{0}/secret.onnx",
        "simplecache::file://{0}/secret.onnx",
        "zip://lenet.onnx::file://{0}/secret.zip",
        "hf://a/b::file://{0}/secret.onnx",
        "memory://secret.onnx",
    ],
)
def test_no_url_leads_back_to_this_machine(root: Path, url: str, remote: bool) -> None:
    with pytest.raises(ShapeInspectError) as error:
        Tools(Root.of(root, remote=remote)).show(url.format(root.parent))
    assert isinstance(error.value, UsageError)
    assert "61,706" not in str(error.value)


def test_other_machines_are_read_only_where_that_is_allowed(root: Path) -> None:
    address = "http://127.0.0.1:9/m.onnx?token=secret"
    with pytest.raises(UsageError, match="other machines") as error:
        Tools(Root.of(root)).show(address)
    assert error.value.hint == "start the server with --allow-remote"
    with pytest.raises(UnreadableFileError):  # nobody listens there
        Tools(Root.of(root, remote=True)).show(address)
