"""A comment on a pull request: what changed, in a sentence a layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

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


def test_equal_models_need_no_list(run: Run, tmp_path: Path) -> None:
    words = _onnx(tmp_path / "a.onnx", 64, 1), _onnx(tmp_path / "b.onnx", 64, 1)
    code, out, _ = run("diff", *words, "--format", "markdown")
    assert code == 0
    assert "- " not in out
    assert out.splitlines()[-1] == "parameters 3,328"
    assert run("diff", *words, "--format", "github")[1].strip() == ""
