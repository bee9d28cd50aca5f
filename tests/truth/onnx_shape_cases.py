"""ONNX files whose sizes are computed or unnamed, with what onnxruntime computes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject, case
from truth_onnx import F, const, f32, held, node, weight, written


@case("onnx")
def unnamed_dimensions(folder: Path) -> Iterator[Subject]:
    """Encoder and decoder lengths without names: each has its own size."""
    nodes = [
        node("MatMul", ["q", "wq"], ["qq"]),
        node("MatMul", ["k", "wk"], ["kk"]),
        node("Transpose", ["kk"], ["kt"], perm=[0, 2, 1]),
        node("MatMul", ["qq", "kt"], ["s"]),
        node("Softmax", ["s"], ["p"], axis=-1),
        node("MatMul", ["p", "kk"], ["o"]),
        node("Concat", ["o", "qq"], ["both"], axis=1),
        node("ReduceMean", ["both"], ["m"], axes=[1], keepdims=0),
    ]
    path = written(
        folder / "unnamed.onnx",
        nodes,
        {"q": (F, [None, None, 6]), "k": (F, ["", None, 8])},
        ["m"],
        [weight("wq", 6, 10), weight("wk", 8, 10)],
    )
    yield held(path, {"q": f32(2, 5, 6), "k": f32(2, 7, 8)})


@case("onnx")
def dynamic_image(folder: Path) -> Iterator[Subject]:
    nodes = [
        node("Conv", ["x", "w1"], ["c1"], kernel_shape=[3, 5], strides=[2, 3], pads=[1, 2, 0, 1]),
        node("BatchNormalization", ["c1", "g", "b", "mu", "va"], ["n1"]),
        node("MaxPool", ["n1"], ["p1"], kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1),
        node("AveragePool", ["p1"], ["p2"], kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 1]),
        node("GlobalAveragePool", ["p2"], ["gp"]),
        node("Flatten", ["gp"], ["fl"]),
        node("Gemm", ["fl", "fw", "fb"], ["y"], transB=1),
    ]
    weights = [
        weight("w1", 6, 3, 3, 5),
        *(const(n, np.ones(6), "float32") for n in ("g", "b", "mu", "va")),
        weight("fw", 4, 6),
        weight("fb", 4),
    ]
    path = written(
        folder / "dynamic.onnx", nodes, {"x": (F, ["batch", 3, "height", "width"])}, ["y"], weights, opset=15
    )
    for h, w in ((31, 40), (24, 53)):
        yield held(path, {"x": f32(2, 3, h, w)}, params=6 * 45 + 24 + 28)


@case("onnx")
def old_pools(folder: Path) -> Iterator[Subject]:
    """Options that rarely occur, at the opsets that brought them."""
    for opset in (7, 9, 10, 11, 12, 19, 22):
        nodes = [node("MaxPool", ["x"], ["m1"], kernel_shape=[2, 3], strides=[2, 2], auto_pad="SAME_LOWER")]
        if opset >= 10:
            nodes += [
                node(
                    "MaxPool",
                    ["m1"],
                    ["m2"],
                    kernel_shape=[2, 2],
                    strides=[3, 2],
                    ceil_mode=1,
                    dilations=[2, 1],
                ),
                node(
                    "AveragePool",
                    ["m2"],
                    ["m3"],
                    kernel_shape=[2, 3],
                    strides=[2, 2],
                    ceil_mode=1,
                    pads=[1, 1, 0, 1],
                    count_include_pad=1,
                ),
            ]
        else:
            nodes += [
                node("LpPool", ["m1"], ["m2"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 0], p=2),
                node("AveragePool", ["m2"], ["m3"], kernel_shape=[2, 2], auto_pad="VALID"),
            ]
        nodes += [node("GlobalMaxPool", ["m3"], ["y"])]
        path = written(
            folder / f"pools{opset}.onnx", nodes, {"x": (F, ["n", 4, "h", "w"])}, ["y"], opset=opset
        )
        yield held(path, {"x": f32(1, 4, 23, 29)})


@case("onnx")
def transposed_options(folder: Path) -> Iterator[Subject]:
    for opset in (9, 11, 17):
        for tag, settings in {
            "pads": {"strides": [2, 3], "pads": [1, 0, 1, 1], "output_padding": [1, 2]},
            "same_upper": {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
            "same_lower": {"strides": [3, 2], "auto_pad": "SAME_LOWER", "output_padding": [1, 1]},
            "shape": {"strides": [3, 2], "output_shape": [20, 21]},
            "dilated": {"dilations": [2, 3], "group": 2},
        }.items():
            group = settings.get("group", 1)
            nodes = [
                node("ConvTranspose", ["x", "w"], ["t"], kernel_shape=[3, 4], **settings),
                node("Relu", ["t"], ["y"]),
            ]
            path = written(
                folder / f"{tag}{opset}.onnx",
                nodes,
                {"x": (F, ["n", 4, 6, 9])},
                ["y"],
                [weight("w", 4, 6 // group, 3, 4)],
                opset=opset,
            )
            yield held(path, {"x": f32(2, 4, 6, 9)}, params=4 * (6 // group) * 12)


@case("onnx")
def float_sizes(folder: Path) -> Iterator[Subject]:
    """`F.interpolate(scale_factor=…)` of old exporters: the size is computed in float32."""
    for scale in (0.7, 1.3, 0.1 * 3, 2 / 3):
        nodes = [
            node("Shape", ["x"], ["sh"]),
            node("Slice", ["sh", "i2", "i4", "i0"], ["hw"]),
            node("Cast", ["hw"], ["hwf"], to=1),
            node("Mul", ["hwf", "scale"], ["hws"]),
            node("Floor", ["hws"], ["hwr"]),
            node("Slice", ["sh", "i0", "i2", "i0"], ["nc"]),
            node("Cast", ["hwr"], ["hwi"], to=7),
            node("Concat", ["nc", "hwi"], ["size"], axis=0),
            node(
                "Resize",
                ["x", "", "", "size"],
                ["y"],
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            ),
            node("Shape", ["y"], ["ys"]),
            node("Cast", ["ys"], ["ysf"], to=1),
            node("Cast", ["sh"], ["shf"], to=1),
            node("Div", ["shf", "ysf"], ["ratio"]),
            node("Resize", ["y", "", "ratio"], ["z"], mode="nearest"),
        ]
        weights = [
            const("i0", [0]),
            const("i2", [2]),
            const("i4", [4]),
            const("scale", [scale, scale], "float32"),
        ]
        path = written(
            folder / f"scale{scale:.3f}.onnx", nodes, {"x": (F, [1, 3, "H", "W"])}, ["z"], weights, opset=13
        )
        for h, w in ((10, 21), (33, 70)):
            yield held(path, {"x": f32(1, 3, h, w)}, only=["y", "z"])


@case("onnx")
def pyramid_sums(folder: Path) -> Iterator[Subject]:
    """A feature pyramid: strided convolutions down, Resize up by the size of the lateral, then a sum."""
    nodes, weights, below = [], [const("two", [2]), const("four", [4]), const("zero", [0])], "x"
    for k, (i, o) in enumerate(((3, 4), (4, 6), (6, 8))):
        weights += [weight(f"w{k}", o, i, 3, 3), weight(f"l{k}", 5, o, 1, 1)]
        nodes += [
            node("Conv", [below, f"w{k}"], [f"d{k}"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
            node("Conv", [f"d{k}", f"l{k}"], [f"lat{k}"], kernel_shape=[1, 1]),
        ]
        below = f"d{k}"
    top = "lat2"
    for k in (1, 0):
        nodes += [
            node("Shape", [f"lat{k}"], [f"s{k}"]),
            node("Slice", [f"s{k}", "two", "four", "zero"], [f"hw{k}"]),
            node("Shape", [top], [f"ts{k}"]),
            node("Slice", [f"ts{k}", "zero", "two", "zero"], [f"nc{k}"]),
            node("Concat", [f"nc{k}", f"hw{k}"], [f"size{k}"], axis=0),
            node(
                "Resize",
                [top, "", "", f"size{k}"],
                [f"up{k}"],
                mode="linear",
                coordinate_transformation_mode="half_pixel",
            ),
            node("Add", [f"lat{k}", f"up{k}"], [f"sum{k}"]),
        ]
        top = f"sum{k}"
    path = written(folder / "fpn.onnx", nodes, {"x": (F, ["N", 3, "H", "W"])}, ["sum0"], weights)
    for h, w in ((37, 50), (64, 41)):
        yield held(path, {"x": f32(1, 3, h, w)})
    nodes = [
        node("Conv", ["x", "w"], ["a"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("MaxPool", ["a"], ["b"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        node("ConvTranspose", ["b", "t"], ["u"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Add", ["a", "u"], ["s"]),
        node("Concat", ["s", "u"], ["c"], axis=1),
    ]
    path = written(
        folder / "sums.onnx",
        nodes,
        {"x": (F, ["N", 3, "H", "W"])},
        ["c"],
        [weight("w", 6, 3, 3, 3), weight("t", 6, 6, 2, 2)],
    )
    yield held(path, {"x": f32(1, 3, 32, 48)})


@case("onnx")
def window_partition(folder: Path) -> Iterator[Subject]:
    """Swin: pad to whole windows by `(7 - H % 7) % 7`, partition, reverse, cut."""
    nodes = [
        node("Shape", ["x"], ["s"]),
        *(node("Gather", ["s", f"i{k}"], [f"d{k}"], axis=0) for k in range(3)),
        node("Mod", ["d1", "seven"], ["rh"]),
        node("Sub", ["seven", "rh"], ["ph0"]),
        node("Mod", ["ph0", "seven"], ["ph"]),
        node("Mod", ["d2", "seven"], ["rw"]),
        node("Sub", ["seven", "rw"], ["pw0"]),
        node("Mod", ["pw0", "seven"], ["pw"]),
        *(node("Unsqueeze", [n, "i0v"], [n + "u"]) for n in ("ph", "pw", "d0")),
        node("Concat", ["z5", "phu", "pwu", "z1"], ["pads"], axis=0),
        node("Pad", ["x", "pads"], ["xp"]),
        node("Add", ["d1", "ph"], ["H"]),
        node("Add", ["d2", "pw"], ["W"]),
        node("Div", ["H", "seven"], ["nh"]),
        node("Div", ["W", "seven"], ["nw"]),
        *(node("Unsqueeze", [n, "i0v"], [n + "u"]) for n in ("nh", "nw", "H", "W")),
        node("Concat", ["d0u", "nhu", "v7", "nwu", "v7", "v6"], ["ws"], axis=0),
        node("Reshape", ["xp", "ws"], ["six"]),
        node("Transpose", ["six"], ["tr"], perm=[0, 1, 3, 2, 4, 5]),
        node("Reshape", ["tr", "flat"], ["win"]),
        node("MatMul", ["win", "w"], ["mm"]),
        node("Concat", ["d0u", "nhu", "nwu", "v7", "v7", "v6"], ["bs"], axis=0),
        node("Reshape", ["mm", "bs"], ["b6"]),
        node("Transpose", ["b6"], ["bt"], perm=[0, 1, 3, 2, 4, 5]),
        node("Concat", ["d0u", "Hu", "Wu", "v6"], ["fs"], axis=0),
        node("Reshape", ["bt", "fs"], ["full"]),
        node("Slice", ["full", "starts", "ends0", "axes12"], ["y0"]),
        node("Concat", ["d1u", "d2u"], ["ends"], axis=0),
        node("Unsqueeze", ["d1", "i0v"], ["d1u"]),
        node("Unsqueeze", ["d2", "i0v"], ["d2u"]),
    ]
    nodes = [*nodes[:-4], *nodes[-2:], nodes[-3], node("Slice", ["full", "starts", "ends", "axes12"], ["y"])]
    weights = [
        *(const(f"i{k}", k) for k in range(3)),
        const("seven", 7),
        const("i0v", [0]),
        const("z5", [0] * 5),
        const("z1", [0]),
        const("v7", [7]),
        const("v6", [6]),
        const("flat", [-1, 49, 6]),
        const("starts", [0, 0]),
        const("axes12", [1, 2]),
        weight("w", 6, 6),
    ]
    path = written(folder / "swin.onnx", nodes, {"x": (F, ["N", "H", "W", 6])}, ["y"], weights)
    for h, w in ((21, 30), (25, 14)):
        yield held(
            path, {"x": f32(2, h, w, 6)}, only=["xp", "six", "tr", "win", "mm", "b6", "bt", "full", "y"]
        )


@case("onnx")
def clamped_slice(folder: Path) -> Iterator[Subject]:
    """A crop that ends past the axis, from behind, with steps, backwards."""
    nodes = [
        node("Slice", ["x", "s1", "e1", "a1", "t1"], ["a"]),
        node("Slice", ["x", "s2", "e2", "a1", "t2"], ["b"]),
        node("Shape", ["x"], ["sh"]),
        node("Gather", ["sh", "one"], ["T"], axis=0),
        node("Min", ["T", "cap"], ["m"]),
        node("Unsqueeze", ["m", "zero"], ["mu"]),
        node("Slice", ["x", "zero", "mu", "ax1"], ["c"]),
        node("Slice", ["pos", "zero", "mu", "ax1"], ["p"]),
        node("Add", ["c", "p"], ["y"]),
    ]
    weights = [
        const("s1", [2, -5]),
        const("e1", [9223372036854775807, -1]),
        const("a1", [1, 2]),
        const("t1", [3, 2]),
        const("s2", [-1, 100]),
        const("e2", [-9223372036854775807, -9223372036854775807]),
        const("t2", [-1, -2]),
        const("one", 1),
        const("cap", 12),
        const("zero", [0]),
        const("ax1", [1]),
        weight("pos", 1, 16, 10),
    ]
    path = written(folder / "clamped.onnx", nodes, {"x": (F, ["N", "T", 10])}, ["a", "b", "y"], weights)
    for t in (9, 15):
        yield held(path, {"x": f32(2, t, 10)}, only=["a", "b", "c", "p", "y"])


@case("onnx")
def resize_modes(folder: Path) -> Iterator[Subject]:
    def one(tag: str, opset: int, inputs: list[str], weights: list[Any], **settings: Any) -> Subject:
        nodes = [node("Resize", ["x", *inputs], ["y"], **settings), node("Relu", ["y"], ["z"])]
        path = written(
            folder / f"{tag}.onnx", nodes, {"x": (F, ["N", 3, "H", "W"])}, ["z"], weights, opset=opset
        )
        return held(path, {"x": f32(1, 3, 17, 26)})

    scales = const("s", [1, 1, 1.7, 0.45], "float32")
    yield one("v10", 10, ["s"], [scales], mode="nearest")
    yield one(
        "v11",
        11,
        ["roi", "s"],
        [scales, const("roi", [], "float32")],
        mode="linear",
        coordinate_transformation_mode="pytorch_half_pixel",
    )
    yield one(
        "v13cubic",
        13,
        ["", "", "size"],
        [const("size", [1, 3, 30, 11])],
        mode="cubic",
        coordinate_transformation_mode="align_corners",
    )
    yield one(
        "v18axes", 18, ["", "s"], [const("s", [0.6, 2.5], "float32")], mode="linear", axes=[2, 3], antialias=1
    )
    yield one(
        "v19larger",
        19,
        ["", "", "size"],
        [const("size", [20, 40])],
        mode="linear",
        axes=[2, 3],
        keep_aspect_ratio_policy="not_larger",
    )
    yield one(
        "v19smaller",
        19,
        ["", "", "size"],
        [const("size", [20, 40])],
        mode="nearest",
        axes=[2, 3],
        keep_aspect_ratio_policy="not_smaller",
    )
    nodes = [node("Upsample", ["x", "s"], ["y"], mode="nearest"), node("Relu", ["y"], ["z"])]
    path = written(
        folder / "up9.onnx",
        nodes,
        {"x": (F, ["N", 3, "H", "W"])},
        ["z"],
        [const("s", [1, 1, 1.7, 2], "float32")],
        opset=9,
    )
    yield held(path, {"x": f32(1, 3, 17, 26)})
