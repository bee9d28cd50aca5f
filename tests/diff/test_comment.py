"""A comment on a pull request: what changed, in a sentence a layer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest

from shapeinspect import schema

Run = Callable[..., tuple[int, str, str]]


def _onnx(path: Path, width: int, stride: int, *, head: bool = True) -> str:
    """A convolution to ``width`` channels with a stride, and a linear layer behind it."""
    from onnx import TensorProto, helper, numpy_helper, save

    def weight(name: str, *shape: int) -> object:
        return numpy_helper.from_array(np.zeros(shape, np.float32), name)

    nodes = [
        helper.make_node(
            "Conv", ["x", "w"], ["c"], name="conv2", kernel_shape=[3, 3], strides=[stride] * 2, pads=[1] * 4
        ),
        helper.make_node("GlobalAveragePool", ["c"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flat"),
    ]
    weights = [weight("w", width, 5, 3, 3)]
    if head:
        nodes.append(helper.make_node("Gemm", ["f", "v"], ["y"], name="head"))
        weights.append(weight("v", width, 7))
    last = "y" if head else "f"
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 5, 14, 28))],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, (2, 7 if head else width))],
        weights,
    )  # fmt: skip
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return str(path)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    return _onnx(tmp_path / "a.onnx", 64, 1), _onnx(tmp_path / "b.onnx", 128, 2)


def test_a_comment_says_what_changed(run: Run, pair: tuple[str, str]) -> None:
    code, out, _ = run("diff", *pair, "--format", "markdown")
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith("**shapeinspect diff** ")
    (conv,) = [line for line in lines if line.startswith("- conv2: ")]
    for fact in ("out 64→128", "+2,880 parameters", "output 14×28→7×14", "stride"):  # 64·5·9 more weights
        assert fact in conv
    (head,) = [line for line in lines if line.startswith("- head: ")]
    assert "in 64→128" in head
    assert "+448 parameters" in head  # 64·7
    assert "output" not in head
    assert lines[-1] == "parameters 3,328 → 6,656 (+3,328)"


def test_github_gets_a_notice_a_layer(run: Run, pair: tuple[str, str]) -> None:
    code, out, _ = run("diff", *pair, "--format", "github")
    assert code == 1
    assert all(
        line.startswith("::notice file=") and "b.onnx,title=shapeinspect diff::" in line
        for line in out.splitlines()
    )
    assert any("::conv2: out 64→128" in line for line in out.splitlines())


def test_a_layer_that_is_gone_is_said_to_be(run: Run, tmp_path: Path) -> None:
    words = _onnx(tmp_path / "a.onnx", 64, 1), _onnx(tmp_path / "b.onnx", 64, 1, head=False)
    out = run("diff", *words, "--format", "markdown")[1]
    assert "- head: removed, −448 parameters" in out
    assert out.splitlines()[-1] == "parameters 3,328 → 2,880 (−448)"


def test_a_report_of_tests_has_a_case_a_pair(run: Run, pair: tuple[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "cut.onnx"
    broken.write_bytes(Path(pair[0]).read_bytes()[:90])
    code, out, _ = run("diff", *pair, pair[0], pair[0], pair[0], str(broken), "--format", "junit")
    assert code == 3, "a file that cannot be read"
    suite = ElementTree.fromstring(out)
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    differs, same, unread = suite
    assert differs.get("name") == f"{pair[0]} → {pair[1]}"
    (failure,) = differs
    assert "conv2: out 64→128" in (failure.get("message") or "")
    assert not list(same)
    assert "cannot read" in (unread[0].get("message") or "")


def test_code_scanning_gets_a_note_a_layer(run: Run, pair: tuple[str, str]) -> None:
    code, out, _ = run("diff", *pair, "--format", "sarif")
    assert code == 1
    (scan,) = json.loads(out)["runs"]
    results = {result["locations"][0]["logicalLocations"][0]["name"]: result for result in scan["results"]}
    assert set(results) == {"conv2", "head"}
    assert {result["level"] for result in results.values()} == {"note"}
    assert "out 64→128" in results["conv2"]["message"]["text"]
    assert results["head"]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].endswith("b.onnx")
    assert run("diff", pair[0], pair[0], "--format", "sarif")[0] == 0


def test_several_pairs_are_compared_each_by_itself(run: Run, pair: tuple[str, str]) -> None:
    words = (*pair, pair[0], pair[0])
    code, out, _ = run("diff", *words)
    assert code == 1
    assert out.rstrip().endswith("1 of 2 pairs is the same")
    code, out, _ = run("diff", *words, "--format", "json")
    data = json.loads(out)
    jsonschema.validate(data, schema.load("diff"))
    assert [answer["same"] for answer in data["pairs"]] == [False, True]
    alone = json.loads(run("diff", *pair, "--format", "json")[1])
    jsonschema.validate(alone, schema.load("diff"))
    assert alone == data["pairs"][0]
    comments = run("diff", *words, "--format", "markdown")[1]
    assert comments.count("**shapeinspect diff**") == 2


def test_a_pair_that_cannot_be_read_ends_no_other(run: Run, pair: tuple[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "cut.onnx"
    broken.write_bytes(b"no model")
    words = (pair[0], str(broken), pair[0], pair[0])
    for form in ("table", "json", "markdown", "github"):
        code, out, _ = run("diff", *words, "--format", form)
        assert code == 3
        assert "cut.onnx" in out
    data = json.loads(run("diff", *words, "--format", "json")[1])
    jsonschema.validate(data, schema.load("diff"))
    assert (data["pairs"][0]["b"], data["pairs"][1]["same"]) == (str(broken), True)
    code, out, err = run("diff", *words[:2])
    assert (code, out) == (3, "")
    assert "cut.onnx" in err


def test_an_odd_number_of_models_is_refused(run: Run, pair: tuple[str, str]) -> None:
    code, out, err = run("diff", *pair, pair[0])
    assert (code, out) == (2, "")
    assert "compared in pairs" in err
    assert "3 models" in err


def test_equal_models_need_no_list(run: Run, tmp_path: Path) -> None:
    words = _onnx(tmp_path / "a.onnx", 64, 1), _onnx(tmp_path / "b.onnx", 64, 1)
    code, out, _ = run("diff", *words, "--format", "markdown")
    assert code == 0
    assert "- " not in out
    assert out.splitlines()[-1] == "parameters 3,328"
    assert run("diff", *words, "--format", "github")[1].strip() == ""
