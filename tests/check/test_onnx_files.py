"""``shapeinspect check`` of ONNX files: what onnxruntime takes passes, what it refuses does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

Run = Callable[..., tuple[int, str, str]]


def _weight(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.full(shape, 0.5, np.float32), name)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of any size and a table of facts, joined in front of a linear layer."""
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["c"], name="conv", strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"], name="mean"),
        helper.make_node("Flatten", ["p"], ["f"], name="flat"),
        helper.make_node("Concat", ["f", "facts"], ["j"], name="join", axis=1),
        helper.make_node("Gemm", ["j", "v"], ["scores"], name="fc", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "two",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, "H", "W"]),
            helper.make_tensor_value_info("facts", TensorProto.FLOAT, ["N", "F"]),
        ],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 7])],
        [_weight("w", 5, 3, 3, 4), _weight("v", 7, 9)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path = tmp_path_factory.mktemp("onnx") / "two.onnx"
    onnx.save(model, path)
    return path


CASES: list[tuple[tuple[int, ...], tuple[int, ...], str, str]] = [
    ((2, 3, 13, 17), (2, 4), "", ""),
    ((1, 3, 3, 4), (1, 4), "", ""),
    ((2, 4, 13, 17), (2, 4), "image", "(N, 3, H, W)"),
    ((2, 13, 17, 3), (2, 4), "image", "(N, 3, H, W)"),
    ((3, 13, 17), (2, 4), "image", "(N, 3, H, W)"),
    ((2, 3, 13, 17), (4,), "facts", "(N, F)"),
    ((2, 3, 13, 17), (3, 4), "join", ""),
    ((2, 3, 13, 17), (2, 5), "fc", "i = 9"),
    ((2, 3, 2, 17), (2, 4), "conv", ""),
]


@pytest.mark.parametrize(("image", "facts", "layer", "expected"), CASES)
def test_it_says_what_the_runtime_says(
    check: Run, path: Path, image: tuple[int, ...], facts: tuple[int, ...], layer: str, expected: str
) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    fed = {"image": np.zeros(image, np.float32), "facts": np.zeros(facts, np.float32)}
    try:
        (scores,) = session.run(None, fed)
    except Exception:  # noqa: BLE001  # the runtime's errors have no class in common
        scores = None
    assert (scores is not None) == (not layer), "the case is what onnxruntime does"
    words = [
        word for name, shape in fed.items() for word in ("-i", f"{name}={','.join(map(str, shape.shape))}")
    ]
    code, out, err = check(str(path), *words)
    assert (code, err) == (1 if layer else 0, ""), out
    if scores is not None:
        assert f"output    scores  {scores.shape}" in out
        return
    assert out.startswith(f'layer "{layer}" ('), out
    assert expected in out, out
    assert "\n  expected " in out, out
    assert "\n  got " in out, out


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph that is exported for one row, with numbers that are as many as the mask has."""
    one, axis = np.array([1], np.int64), np.int64(1)
    stored = [numpy_helper.from_array(one, "one"), numpy_helper.from_array(axis, "axis")]
    nodes = [
        helper.make_node("Shape", ["mask"], ["size"], name="size"),
        helper.make_node("Expand", ["one", "size"], ["ones"], name="ones"),
        helper.make_node("Add", ["x", "mask"], ["both"], name="both"),
        helper.make_node("Mul", ["both", "ones"], ["marked"], name="marked"),
        helper.make_node("Gather", ["size", "axis"], ["length"], name="length"),
        helper.make_node("Reshape", ["length", "one"], ["steps"], name="steps"),
        helper.make_node("Concat", ["one", "steps"], ["target"], name="target", axis=0),
        helper.make_node("Reshape", ["marked", "target"], ["y"], name="row"),
    ]
    lengths = ["batch", "steps"]
    graph = helper.make_graph(
        nodes,
        "single",
        [helper.make_tensor_value_info(name, TensorProto.INT64, lengths) for name in ("x", "mask")],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [1, "steps"])],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("single") / "single.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("named", [("x",), ("x", "mask")])
def test_inputs_that_share_a_length_are_fed_the_same(
    check: Run, single: Path, batch: int, named: tuple[str, ...]
) -> None:
    """What is asked for one of two inputs holds for the lengths of the other that have the same name."""
    options = onnxruntime.SessionOptions()
    # Its optimizer puts -1 in the place of a length that it cannot fold.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(single), options)
    taken = True
    try:
        session.run(None, {name: np.zeros((batch, 11), np.int64) for name in ("x", "mask")})
    except Exception:  # noqa: BLE001  # onnxruntime raises what it likes
        taken = False
    code, out, err = check(str(single), *(part for name in named for part in ("-i", f"{name}={batch},11")))
    assert (code, taken) == ((0, True) if batch == 1 else (1, False)), out + err
    if not taken:
        assert 'layer "row" (reshape)' in out
