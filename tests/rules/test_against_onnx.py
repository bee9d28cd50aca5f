"""What only ONNX has, against onnx.shape_inference of single nodes."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

AUTO_PAD = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}


def each(draw: Any, space: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(space))


@settings(max_examples=120, deadline=None)
@given(name=st.sampled_from(sorted(AUTO_PAD)), data=st.data())
def test_conv_and_pool_with_auto_pad(same_as_onnx: Any, name: str, data: Any) -> None:
    kernel, stride, size = each(data.draw, 2, 1, 3), each(data.draw, 2, 1, 3), each(data.draw, 2, 5, 11)
    attributes = {
        "in_channels": 4,
        "out_channels": 6,
        "groups": 2,
        "kernel_size": kernel,
        "stride": stride,
        "padding": AUTO_PAD[name],
    }
    node = {"auto_pad": name, "strides": stride, "kernel_shape": kernel}
    conv = ("Conv", {**node, "group": 2})
    same_as_onnx("conv", attributes, ((2, 4, *size),), conv, weights=((6, 2, *kernel),))
    same_as_onnx("avg_pool", attributes, ((2, 4, *size),), ("AveragePool", node))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_pool_with_uneven_pads(same_as_onnx: Any, data: Any) -> None:
    kernel, stride, dilation = each(data.draw, 2, 2, 4), each(data.draw, 2, 1, 4), each(data.draw, 2, 1, 2)
    size = each(data.draw, 2, 8, 14)
    pads = tuple((data.draw(st.integers(0, k // 2)), data.draw(st.integers(0, k // 2))) for k in kernel)
    attributes = {
        "kernel_size": kernel,
        "stride": stride,
        "dilation": dilation,
        "padding": pads,
        "return_indices": True,
    }
    node = {
        "kernel_shape": kernel,
        "strides": stride,
        "dilations": dilation,
        "pads": [before for before, _ in pads] + [after for _, after in pads],
    }
    same_as_onnx("max_pool", attributes, ((2, 3, *size),), ("MaxPool", node), outputs=2)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), kind=st.sampled_from(("pads", "output_shape", "same")))
def test_conv_transpose(same_as_onnx: Any, data: Any, kind: str) -> None:
    kernel, stride, size = each(data.draw, 2, 2, 4), each(data.draw, 2, 1, 3), each(data.draw, 2, 4, 7)
    attributes: dict[str, Any] = {
        "in_channels": 4,
        "out_channels": 6,
        "groups": 2,
        "kernel_size": kernel,
        "stride": stride,
    }
    node: dict[str, Any] = {"strides": stride, "group": 2, "kernel_shape": kernel}
    if kind == "output_shape":
        attributes["output_shape"] = node["output_shape"] = (19, 23)
    elif kind == "same":
        attributes["padding"], node["auto_pad"] = "same", "SAME_UPPER"
        attributes["output_padding"] = (0, 0)
    else:
        attributes["padding"], node["pads"] = ((1, 0), (0, 1)), [1, 0, 0, 1]
    same_as_onnx(
        "conv_transpose", attributes, ((2, 4, *size),), ("ConvTranspose", node), weights=((4, 3, *kernel),)
    )


@pytest.mark.parametrize("axis", [-3, -1, 0, 1, 2, 4])
def test_flatten_to_two_axes(same_as_onnx: Any, axis: int) -> None:
    same_as_onnx("flatten", {"axis": axis}, ((2, 3, 4, 5),), ("Flatten", {"axis": axis}))


@pytest.mark.parametrize("target", [(0, -1), (0, 0, 20), (-1, 5), (0, 3, 0, 5), (0, 0, 0, 0, 0), (8, -1)])
def test_reshape_with_zeros(same_as_onnx: Any, target: tuple[int, ...]) -> None:
    attributes = {"shape": target, "zero_copies": True}
    same_as_onnx("reshape", attributes, ((2, 3, 4, 5),), ("Reshape", {}), constants={"shape": list(target)})


@pytest.mark.parametrize(("blocks", "op", "kind"), [
    (2, "SpaceToDepth", "space_to_depth"), (2, "DepthToSpace", "depth_to_space"),
])  # fmt: skip
def test_blocks(same_as_onnx: Any, blocks: int, op: str, kind: str) -> None:
    same_as_onnx(kind, {"factor": blocks}, ((2, 12, 6, 4),), (op, {"blocksize": blocks}))


@settings(max_examples=60, deadline=None)
@given(
    left=st.lists(st.integers(1, 3), max_size=4), right=st.lists(st.integers(1, 3), min_size=1, max_size=4)
)
def test_expand_broadcasts_both_ways(same_as_onnx: Any, left: list[int], right: list[int]) -> None:
    same_as_onnx(
        "expand", {"shape": tuple(right)}, (tuple(left),), ("Expand", {}), constants={"shape": right}
    )


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("first", [0, 1])
def test_lstm(same_as_onnx: Any, both: bool, first: int) -> None:
    ways = 2 if both else 1
    attributes = {
        "hidden_size": 7,
        "num_layers": 1,
        "bidirectional": both,
        "batch_first": bool(first),
        "return_sequences": True,
        "layout": "onnx",
    }
    node = {"hidden_size": 7, "direction": "bidirectional" if both else "forward", "layout": first}
    same_as_onnx(
        "lstm", attributes, ((2, 5, 3),), ("LSTM", node), weights=((ways, 28, 3), (ways, 28, 7)), outputs=3
    )


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 9),
    start=st.integers(-9, 9),
    end=st.integers(-9, 9),
    step=st.sampled_from((-2, -1, 1, 3)),
)
def test_slices_backwards(same_as_onnx: Any, n: int, start: int, end: int, step: int) -> None:
    attributes = {"starts": (start,), "ends": (end,), "axes": (1,), "steps": (step,)}
    constants = {"starts": [start], "ends": [end], "axes": [1], "steps": [step]}
    same_as_onnx("slice", attributes, ((2, n),), ("Slice", {}), constants=constants)


def test_gemm_of_activations(same_as_onnx: Any) -> None:
    for a, b in ((0, 0), (1, 0), (0, 1), (1, 1)):
        shapes = ((3, 4) if a else (4, 3), (5, 3) if b else (3, 5))
        attributes = {"trans_a": bool(a), "trans_b": bool(b)}
        same_as_onnx("gemm", attributes, shapes, ("Gemm", {"transA": a, "transB": b}))
    same_as_onnx("gemm", {}, ((4, 3), (4, 5)), ("Gemm", {}))


def _computed(
    op: str, settings: dict[str, Any], shape: tuple[int, ...], *more: Any, blank: bool = False
) -> tuple[int, ...]:
    """Run one node in onnxruntime and return the shape of what it computes."""
    import numpy as np
    import onnxruntime
    from onnx import helper, numpy_helper

    held = [numpy_helper.from_array(np.asarray(one, "float32"), f"m{i}") for i, one in enumerate(more)]
    names = ["x", *([""] if blank else []), *(one.name for one in held)]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **settings)],
        "g",
        [helper.make_tensor_value_info("x", 1, shape)],
        [helper.make_tensor_value_info("y", 1, None)],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    made: tuple[int, ...] = session.run(None, {"x": np.zeros(shape, "float32")})[0].shape
    return made


@pytest.mark.parametrize("scale", [0.29, 1.1, 0.7, 2.3, 0.9999])
def test_scales_of_32_bits_round_as_onnxruntime_does(scale: float) -> None:
    from shapeinspect.rules import output_shapes

    single = struct.unpack("f", struct.pack("f", scale))[0]
    for n in range(4, 120, 3):
        ours = output_shapes("resize", {"scale_factor": (single,), "single_precision": True}, ((1, 1, n),))
        assert ours == (_computed("Resize", {}, (1, 1, n), [1.0, 1.0, single], blank=True),)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), op=st.sampled_from(("MaxPool", "AveragePool")))
def test_incomplete_last_windows_as_onnxruntime_counts_them(data: Any, op: str) -> None:
    # onnx.shape_inference counts a window that starts in the padding behind; the runtime does not.
    from shapeinspect.rules import output_shapes

    kernel, stride = each(data.draw, 2, 2, 4), each(data.draw, 2, 1, 5)
    size = each(data.draw, 2, 8, 14)
    pads = tuple((data.draw(st.integers(0, k // 2)), data.draw(st.integers(0, k // 2))) for k in kernel)
    node = {
        "kernel_shape": kernel,
        "strides": stride,
        "pads": [before for before, _ in pads] + [after for _, after in pads],
        "ceil_mode": 1,
    }
    attributes = {"kernel_size": kernel, "stride": stride, "padding": pads, "ceil_mode": True}
    assert output_shapes("max_pool", attributes, ((2, 3, *size),)) == (_computed(op, node, (2, 3, *size)),)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(("SAME_UPPER", "SAME_LOWER")))
def test_same_transposed_with_output_padding_as_onnxruntime_computes(data: Any, name: str) -> None:
    # onnx.shape_inference lets the output padding grow the result beyond what the op makes.
    import numpy as np

    from shapeinspect.rules import output_shapes

    kernel, stride, size = each(data.draw, 2, 1, 4), each(data.draw, 2, 1, 4), each(data.draw, 2, 2, 7)
    extra = tuple(data.draw(st.integers(0, s - 1)) for s in stride)
    attributes = {
        "out_channels": 3,
        "kernel_size": kernel,
        "stride": stride,
        "padding": AUTO_PAD[name],
        "output_padding": extra,
    }
    node = {"auto_pad": name, "strides": stride, "kernel_shape": kernel, "output_padding": extra}
    theirs = _computed("ConvTranspose", node, (2, 5, *size), np.zeros((5, 3, *kernel)))
    assert output_shapes("conv_transpose", attributes, ((2, 5, *size),)) == (theirs,)
