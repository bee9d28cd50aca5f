"""Sizes that a graph computes as exporters write them, against onnxruntime at several sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from shapeinspect import explain, inspect

from .runtime_oracle import Score, compare

INT64, FLOAT = onnx.TensorProto.INT64, onnx.TensorProto.FLOAT
SIZES = ((2, 10, 21), (1, 33, 70), (3, 48, 17))


def held(model: onnx.ModelProto, channels: int = 3, sizes: Any = SIZES) -> Score:
    feeds = [{"x": np.zeros((n, channels, h, w), np.float32)} for n, h, w in sizes]
    return compare(model, feeds)


def exact(score: Score) -> bool:
    return not score.wrong and not score.unknown and score.exact > 0


def numbers(build: Any, **entries: Any) -> None:
    for name, number in entries.items():
        build.tensor(name, np.asarray(number))


def scaled(build: Any, factor: float) -> onnx.ModelProto:
    """``interpolate(scale_factor=…)`` of exporters that compute the size themselves."""
    numbers(build, zero=[0], two=[2], four=[4], factor=np.array([factor, factor], np.float32))
    build.node("Shape", ["x"], "lengths")
    build.node("Slice", ["lengths", "two", "four", "zero"], "space")
    build.node("Cast", ["space"], "real", to=FLOAT)
    build.node("Mul", ["real", "factor"], "product", name="times")
    build.node("Floor", ["product"], "floor")
    build.node("Cast", ["floor"], "whole", to=INT64)
    build.node("Slice", ["lengths", "zero", "two", "zero"], "front")
    build.node("Concat", ["front", "whole"], "size", axis=0)
    build.node("Resize", ["x", "", "", "size"], "y", mode="nearest")
    return build.model({"x": ("N", 3, "H", "W")}, ["y"], opset=13)


@pytest.mark.parametrize("factor", [0.7, 0.3, 2 / 3, 0.5, 2.0, 1.7])
def test_sizes_computed_with_real_numbers(build, factor: float) -> None:
    model = scaled(build, factor)
    assert exact(held(model))
    assert inspect(model)["times"].weights == ()  # the factor is no parameter


def test_a_factor_whose_rounding_shows_is_computed_for_numbers_and_unknown_for_symbols(build) -> None:
    model = scaled(build, 1.3)
    assert held(model).wrong == []
    for n, h, w in (*SIZES, (1, 640, 320)):
        made = inspect(model, (n, 3, h, w)).outputs[0].shape
        single = np.float32(1.3)
        assert made == (n, 3, int(np.float32(h) * single), int(np.float32(w) * single))


def test_scales_computed_from_two_shapes(build) -> None:
    """To the size of another tensor and back, as opset 9 and tf2onnx write it."""
    numbers(build, to=[1, 3, 7, 14])
    build.node("Resize", ["x", "", "", "to"], "small", mode="nearest")
    for name, source in (("a", "x"), ("b", "small")):
        build.node("Shape", [source], f"{name}_lengths")
        build.node("Cast", [f"{name}_lengths"], f"{name}_real", to=FLOAT)
    build.node("Div", ["a_real", "b_real"], "ratio")
    build.node("Resize", ["small", "", "ratio"], "y", mode="nearest")
    model = build.model({"x": (1, 3, 10, 21)}, ["y"], opset=13)
    assert exact(held(model, sizes=((1, 10, 21),)))


def test_windows_of_a_padded_picture(build) -> None:
    numbers(build, window=7, one_axis=[0], none=[0, 0, 0], six=[6], seven=[7], rest=[-1], pair=[49])
    for name, index in (("N", 0), ("H", 2), ("W", 3)):
        numbers(build, **{f"at_{name}": index})
        build.node("Shape", ["x"], f"lengths_{name}")
        build.node("Gather", [f"lengths_{name}", f"at_{name}"], name, axis=0)
    for name in ("H", "W"):
        build.node("Mod", [name, "window"], f"{name}_over")
        build.node("Sub", ["window", f"{name}_over"], f"{name}_missing")
        build.node("Mod", [f"{name}_missing", "window"], f"{name}_pad")
        build.node("Unsqueeze", [f"{name}_pad", "one_axis"], f"{name}_pads")
        build.node("Add", [name, f"{name}_pad"], f"{name}_whole")
        build.node("Div", [f"{name}_whole", "window"], f"{name}_windows")
        build.node("Unsqueeze", [f"{name}_windows", "one_axis"], f"{name}_count")
    build.node("Unsqueeze", ["N", "one_axis"], "batch")
    numbers(build, before=[0, 0, 0, 0, 0, 0])
    build.node("Concat", ["before", "H_pads", "W_pads"], "pads", axis=0)
    build.node("Pad", ["x", "pads"], "padded")
    build.node("Concat", ["batch", "six", "H_count", "seven", "W_count", "seven"], "split", axis=0)
    build.node("Reshape", ["padded", "split"], "blocks")
    build.node("Transpose", ["blocks"], "turned", perm=[0, 2, 4, 3, 5, 1])
    build.node("Concat", ["rest", "pair", "six"], "flat", axis=0)
    build.node("Reshape", ["turned", "flat"], "windows")
    numbers(build, at=[2])
    build.node("Unsqueeze", ["H", "one_axis"], "H_end")
    build.node("Slice", ["padded", "one_axis", "H_end", "at"], "y")
    model = build.model({"x": ("N", 6, "H", "W")}, ["windows", "y"], opset=17)
    assert exact(held(model, channels=6))


def test_the_smaller_of_a_length_and_a_limit(build) -> None:
    numbers(build, limit=[12], zero=[0], axis=[3], table=np.zeros((1, 1, 1, 64), np.float32))
    build.node("Shape", ["x"], "width", start=3, end=4)
    build.node("Min", ["width", "limit"], "end")
    build.node("Slice", ["x", "zero", "end", "axis"], "cut")
    build.node("Slice", ["table", "zero", "width", "axis"], "mask")
    build.node("Slice", ["x", "limit", "width", "axis"], "tail")
    model = build.model({"x": ("N", 3, "H", "W")}, ["cut", "mask", "tail"], opset=17)
    assert exact(held(model))


def test_a_sum_of_two_formulas_of_one_length_keeps_the_left_and_says_where_it_fits(build) -> None:
    build.node("Conv", ["x", build.weight("a", 3, 3, 3, 3)], "half", strides=[2, 2], pads=[1, 1, 1, 1])
    build.node("Conv", ["half", build.weight("b", 3, 3, 3, 3)], "quarter", strides=[2, 2], pads=[1, 1, 1, 1])
    numbers(build, scales=np.array([1, 1, 2, 2], np.float32))
    build.node("Resize", ["quarter", "", "scales"], "up", mode="nearest")
    build.node("Add", ["up", "half"], "y", name="sum")
    model = build.model({"x": ("N", 3, "H", "W")}, ["y"], opset=17)
    assert exact(held(model, sizes=((2, 64, 96), (1, 63, 20), (1, 32, 4))))
    assert [note.text for note in inspect(model).notes if note.about == "sum"] == [
        "it fits only where 2*((W + 3)//4) = (W + 1)//2",
        "it fits only where 2*((H + 3)//4) = (H + 1)//2",
    ]


def test_lengths_of_two_symbols_are_the_larger_one_where_they_broadcast(build) -> None:
    build.node("Add", ["x", "z"], "y")
    model = build.model({"x": ("N", 3, "H", 5), "z": ("M", 1, 1, 5)}, ["y"], opset=17)
    feeds = [
        {"x": np.zeros((n, 3, 7, 5), np.float32), "z": np.zeros((m, 1, 1, 5), np.float32)}
        for n, m in ((2, 2), (1, 4), (4, 1))
    ]
    assert exact(compare(model, feeds))


#: The opset, the inputs after ``x``, their numbers, and the settings of a Resize.
RESIZES: list[tuple[int, list[str], dict[str, Any], dict[str, Any]]] = [
    (10, ["s"], {"s": np.array([1, 1, 1.7, 0.45], np.float32)}, {}),
    (11, ["roi", "s"], {"s": np.array([1, 1, 1.7, 0.45], np.float32), "roi": np.zeros(0, np.float32)}, {}),
    (13, ["", "", "size"], {"size": [2, 3, 30, 11]}, {}),
    (18, ["", "s"], {"s": np.array([0.6, 2.5], np.float32)}, {"axes": [2, 3], "mode": "linear"}),
    (19, ["", "", "size"], {"size": [20, 40]}, {"axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}),
    (19, ["", "", "size"], {"size": [20, 40]}, {"axes": [2, 3], "keep_aspect_ratio_policy": "not_smaller"}),
]


@pytest.mark.parametrize(("opset", "inputs", "given", "settings"), RESIZES)
def test_resizes_of_every_opset(build, opset, inputs, given, settings) -> None:
    numbers(build, **given)
    build.node("Resize", ["x", *inputs], "y", **{"mode": "nearest", **settings})
    fixed = build.model({"x": (2, 3, 17, 26)}, ["y"], opset=opset)
    assert exact(held(fixed, sizes=((2, 17, 26),)))
    open_ = build.model({"x": ("N", 3, "H", "W")}, ["y"], opset=opset)
    assert held(open_, sizes=((2, 17, 26),)).wrong == []


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_a_resize_in_proportion_is_explained_by_the_axis_that_decides(build, policy: str) -> None:
    """The factor is the smaller or the larger one of 20/17 and 40/27, in 32 bits."""
    numbers(build, size=[20, 40])
    settings = {"mode": "nearest", "axes": [2, 3], "keep_aspect_ratio_policy": policy}
    build.node("Resize", ["x", "", "", "size"], "y", name="grow", **settings)
    model = build.model({"x": ("N", 3, "H", "W")}, ["y"], opset=19)
    assert exact(held(build.model({"x": (2, 3, 17, 27)}, ["y"], opset=19), sizes=((2, 17, 27),)))
    chosen = "min" if policy == "not_larger" else "max"
    text = " ".join(str(explain(model, "grow", (1, 3, 17, 27))).split())
    factor = min(np.float32(20 / 17), np.float32(40 / 27))
    factor = factor if policy == "not_larger" else max(np.float32(20 / 17), np.float32(40 / 27))
    for length in (17, 27):
        made = int(np.floor(np.float32(length) * factor + np.float32(0.5)))
        assert f"⌊single({length}·{chosen}(single(20 / 17), single(40 / 27))) + 1 / 2⌋ = {made}" in text
    assert "requested size" not in str(explain(model, "grow"))


def test_lengths_that_are_split_and_put_together_in_another_order(build) -> None:
    """As tf2onnx permutes the amounts of a Pad, and counts the axes of a stored matrix."""
    numbers(build, none=[0], one=[1], rest=[-1])
    build.node("Shape", ["x"], "lengths")
    build.node("Split", ["lengths"], "n", "c", "h", "w", axis=0)
    build.node("Concat", ["n", "w", "h", "c"], "turned", axis=0)
    build.node("Reshape", ["x", "turned"], "reshaped")
    build.node("Shape", [build.weight("matrix", 3, 5)], "stored")
    build.node("Slice", ["stored", "none", "one", "none"], "three")
    build.node("Concat", ["three", "rest"], "rows", axis=0)
    build.node("Reshape", ["x", "rows"], "y")
    model = build.model({"x": ("N", 3, "H", "W")}, ["reshaped", "y"], opset=13)
    assert exact(held(model))


@pytest.mark.parametrize("onesided", [0, 1])
def test_short_time_fourier_transforms(build, onesided: int) -> None:
    numbers(build, hop=40, length=128, window=np.hanning(128).astype(np.float32))
    build.node("STFT", ["x", "hop", "window", "length"], "y", onesided=onesided)
    model = build.model({"x": ("N", "L", 1)}, ["y"], opset=17)
    assert exact(compare(model, [{"x": np.zeros((2, n, 1), np.float32)} for n in (300, 1000, 1281)]))


@pytest.mark.parametrize(("opset", "settings"), [(17, {"axis": 1}), (17, {"axis": 2}), (20, {})])
@pytest.mark.parametrize("onesided", [0, 1])
def test_fourier_transforms(build, opset: int, settings: dict[str, Any], onesided: int) -> None:
    build.node("DFT", ["x"], "y", onesided=onesided, **settings)
    model = build.model({"x": ("N", "H", "W", 1)}, ["y"], opset=opset)
    assert exact(compare(model, [{"x": np.zeros((2, h, w, 1), np.float32)} for h, w in ((8, 15), (9, 4))]))


@pytest.mark.parametrize("opset", [12, 22])
@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"])
@pytest.mark.parametrize("ceil_mode", [0, 1])
def test_pools_of_every_padding(build, opset: int, auto_pad: str, ceil_mode: int) -> None:
    """onnx pads a dilated window otherwise than onnxruntime, and counts other windows with ``ceil_mode``."""
    names = []
    for at, (kernel, stride, dilation) in enumerate(((3, 2, 2), (2, 3, 2), (3, 2, 1), (5, 1, 1), (3, 1, 3))):
        settings = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "dilations": [dilation] * 2}
        padding = {"auto_pad": auto_pad, "ceil_mode": ceil_mode}
        names.append(build.node("MaxPool", ["x"], f"y{at}", **settings, **padding))
    fixed = build.model({"x": (2, 3, 20, 17)}, names, opset=opset)
    assert exact(held(fixed, sizes=((2, 20, 17),)))
    score = held(build.model({"x": ("N", 3, "H", "W")}, names, opset=opset), sizes=((2, 20, 17), (1, 21, 26)))
    assert score.wrong == []
    assert ceil_mode or not score.unknown


def test_a_squeeze_of_all_axes_keeps_a_symbol_and_says_so(tmp_path: Any) -> None:
    """What was declared for a batch of 1 does not hold for 3: onnxruntime gives (3,)."""
    import onnxruntime
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Squeeze", ["r"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])],
    )
    path = tmp_path / "squeeze.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    report = inspect(path)
    assert [str(n) for n in report[-1].output_shape] == ["N"]
    assert any("drops the axis of length N where N = 1" in note.text for note in report.model.notes)
    session = onnxruntime.InferenceSession(path)
    assert session.run(None, {"x": np.ones((3, 1), np.float32)})[0].shape == (3,)
