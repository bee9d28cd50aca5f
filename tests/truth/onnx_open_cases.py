"""ONNX files whose sizes depend on the data or are declared wrongly, with what onnxruntime computes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject, case
from truth_onnx import I32, I64, F, const, f32, held, node, refused, weight, written


@case("onnx")
def detection_tail(folder: Path) -> Iterator[Subject]:
    """The tail of a detector: sizes that depend on the data stay open, those beside them do not."""
    nodes = [
        node("NonMaxSuppression", ["boxes", "scores", "k", "iou", "thr"], ["sel"]),
        node("Gather", ["sel", "two"], ["bi"], axis=1),
        node("GatherND", ["boxes", "gidx"], ["gn"]),
        node("TopK", ["scores", "k3"], ["tv", "ti"], axis=2),
        node("ScatterND", ["boxes", "sidx", "upd"], ["sc"]),
        node("ReduceMax", ["scores"], ["rm"], axes=[1], keepdims=0),
        node("ArgMax", ["scores"], ["am"], axis=1, keepdims=0),
        node("RoiAlign", ["feat", "rois", "bidx"], ["ra"], output_height=5, output_width=3, sampling_ratio=2),
        node("OneHot", ["am", "depth", "vals"], ["ohot"], axis=1),
    ]
    weights = [
        const("k", [10]),
        const("iou", [0.5], "float32"),
        const("thr", [0.1], "float32"),
        const("two", 2),
        const("gidx", [[0, 1], [0, 3]]),
        const("k3", [3]),
        const("sidx", [[0, 2]]),
        weight("upd", 1, 4),
        const("depth", 6),
        const("vals", [0.0, 1.0], "float32"),
    ]
    ins = {
        "boxes": (F, ["N", "A", 4]),
        "scores": (F, ["N", 6, "A"]),
        "feat": (F, ["N", 7, "H", "W"]),
        "rois": (F, ["R", 4]),
        "bidx": (I64, ["R"]),
    }
    outs = {
        "sel": (I64, None),
        "bi": (I64, None),
        "gn": (F, None),
        "tv": (F, None),
        "sc": (F, None),
        "rm": (F, None),
        "ra": (F, None),
        "ohot": (F, None),
    }
    path = written(folder / "detector.onnx", nodes, ins, outs, weights, opset=16)
    feed = {
        "boxes": np.abs(f32(1, 9, 4)),
        "scores": np.abs(f32(1, 6, 9)),
        "feat": f32(1, 7, 12, 14),
        "rois": np.abs(f32(4, 4)),
        "bidx": np.zeros(4, "int64"),
    }
    yield held(path, feed, only=["gn", "tv", "ti", "sc", "rm", "am", "ra", "ohot"])


@case("onnx")
def einsums(folder: Path) -> Iterator[Subject]:
    nodes = [
        node("Einsum", ["a", "b", "c"], ["y"], equation="bij,bjk,kl->bil"),
        node("Einsum", ["y"], ["t"], equation="b i l -> l b"),
        node("Einsum", ["a", "b"], ["z"], equation="...ij,...jk->...k"),
        node("Einsum", ["d"], ["dg"], equation="ii"),
    ]
    ins = {"a": (F, ["B", "I", 6]), "b": (F, ["B", 6, 7]), "d": (F, [5, 5])}
    path = written(folder / "einsums.onnx", nodes, ins, ["t", "z", "dg"], [weight("c", 7, 9)], opset=13)
    yield held(path, {"a": f32(2, 4, 6), "b": f32(2, 6, 7), "d": f32(5, 5)}, params=63)


@case("onnx")
def recurrent(folder: Path) -> Iterator[Subject]:
    nodes = [
        node("LSTM", ["x", "w", "r", "b", "lens"], ["y", "h", "c"], hidden_size=5, direction="bidirectional"),
        node("Transpose", ["y"], ["yt"], perm=[0, 2, 1, 3]),
        node("Reshape", ["yt", "shape"], ["yr"]),
        node(
            "GRU", ["yr", "gw", "gr"], ["g", "gh"], hidden_size=4, linear_before_reset=1, direction="reverse"
        ),
        node("Squeeze", ["g", "ax1"], ["gs"]),
        node("RNN", ["gs", "rw", "rr"], ["", "rh"], hidden_size=3),
    ]
    weights = [
        weight("w", 2, 20, 6),
        weight("r", 2, 20, 5),
        weight("b", 2, 40),
        const("shape", [0, 0, -1]),
        weight("gw", 1, 12, 10),
        weight("gr", 1, 12, 4),
        const("ax1", [1]),
        weight("rw", 1, 3, 4),
        weight("rr", 1, 3, 3),
    ]
    path = written(
        folder / "recurrent.onnx",
        nodes,
        {"x": (F, ["T", "N", 6]), "lens": (I32, ["N"])},
        ["rh"],
        weights,
        opset=14,
    )
    yield held(
        path,
        {"x": f32(7, 2, 6), "lens": np.array([7, 4], "int32")},
        params=240 + 200 + 80 + 120 + 48 + 12 + 9,
    )


@case("onnx")
def reshapes(folder: Path) -> Iterator[Subject]:
    """Zeros that copy, minus one behind symbols, expands and tiles of computed sizes."""
    nodes = [
        node("Reshape", ["x", "r1"], ["a"]),
        node("Transpose", ["a"], ["at"], perm=[0, 2, 1, 3]),
        node("Reshape", ["at", "r2"], ["b"]),
        node("Reshape", ["x", "r3"], ["az"], allowzero=1),
        node("Shape", ["x"], ["xs"], start=0, end=-1),
        node("Concat", ["xs", "k"], ["es"], axis=0),
        node("Expand", ["one", "es"], ["ex"]),
        node("Tile", ["x", "reps"], ["ti"]),
        node("DepthToSpace", ["img"], ["d2s"], blocksize=2, mode="CRD"),
        node("SpaceToDepth", ["d2s"], ["s2d"], blocksize=2),
        node("Size", ["x"], ["n"]),
        node("ConstantOfShape", ["es"], ["cs"]),
        node("Range", ["r0", "rl", "rd"], ["rg"]),
        node("CumSum", ["x", "ax"], ["cu"]),
        node("Trilu", ["ex"], ["tr"], upper=0),
    ]
    weights = [
        const("r1", [0, 0, 3, 4]),
        const("r2", [0, 3, -1]),
        const("r3", [-1, 6]),
        const("k", [5]),
        const("one", [1.0], "float32"),
        const("reps", [1, 2, 3]),
        const("r0", 0),
        const("rl", 17),
        const("rd", 4),
        const("ax", 1),
    ]
    outs = dict.fromkeys(("b", "az", "ex", "ti", "s2d", "cs", "cu", "tr"), (F, None)) | {
        "rg": (I64, None),
        "n": (I64, None),
    }
    path = written(
        folder / "reshapes.onnx",
        nodes,
        {"x": (F, ["N", "T", 12]), "img": (F, ["N", 12, "H", "W"])},
        outs,
        weights,
        opset=15,
    )
    yield held(
        path,
        {"x": f32(2, 5, 12), "img": f32(2, 12, 4, 6)},
        only=["a", "at", "b", "az", "ex", "ti", "d2s", "s2d", "cs", "rg", "cu", "tr"],
    )


@case("onnx")
def declared_rank(folder: Path) -> Iterator[Subject]:
    """An output that is declared with another rank or length: onnxruntime only warns."""
    nodes = [node("MatMul", ["x", "w"], ["h"]), node("Transpose", ["h"], ["y"], perm=[1, 0, 2])]
    for tag, shape in (("rank", ["T", "C"]), ("length", ["T", "N", 9])):
        path = written(
            folder / f"declared_{tag}.onnx",
            nodes,
            {"x": (F, ["N", "T", 6])},
            {"y": (F, shape)},
            [weight("w", 6, 8)],
        )
        import onnx
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.log_severity_level = 4
        found = ort.InferenceSession(str(path), options).run(None, {"x": f32(2, 5, 6)})[0]
        assert found.shape == (5, 2, 8)
        assert onnx.load(path).graph.name == path.stem
        yield Subject(path.name, path, {"x": (2, 5, 6)}, values={"h": (2, 5, 8)})


@case("onnx")
def refused_files(folder: Path) -> Iterator[Subject]:
    """Files that onnxruntime refuses for their shapes, at load or at any input."""

    def bad(
        tag: str,
        nodes: list[Any],
        inputs: dict[str, Any],
        outputs: list[str],
        weights: list[Any],
        feed: dict[str, Any],
        opset: int = 17,
    ) -> Subject:
        path = written(folder / f"bad_{tag}.onnx", nodes, inputs, outputs, weights, opset=opset)
        assert refused(path, feed), tag
        return Subject(path.name, path, runs=False)

    x = {"x": (F, ["N", 6, 9, 11])}
    feed = {"x": f32(2, 6, 9, 11)}
    yield bad("channels", [node("Conv", ["x", "w"], ["y"])], x, ["y"], [weight("w", 4, 5, 3, 3)], feed)
    yield bad("groups", [node("Conv", ["x", "w"], ["y"], group=4)], x, ["y"], [weight("w", 8, 2, 3, 3)], feed)
    yield bad(
        "matmul",
        [node("Flatten", ["x"], ["f"]), node("MatMul", ["f", "w"], ["y"])],
        x,
        ["y"],
        [weight("w", 593, 4)],
        feed,
    )
    yield bad(
        "gemm",
        [node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w", "b"], ["y"], transB=1)],
        x,
        ["y"],
        [weight("w", 4, 590), weight("b", 4)],
        feed,
    )
    yield bad("broadcast", [node("Add", ["x", "w"], ["y"])], x, ["y"], [weight("w", 6, 1, 10)], feed)
    yield bad("reshape", [node("Reshape", ["x", "s"], ["y"])], x, ["y"], [const("s", [0, 7, -1])], feed)
    yield bad(
        "concat",
        [node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2]), node("Concat", ["x", "p"], ["y"], axis=1)],
        x,
        ["y"],
        [],
        feed,
    )
    yield bad(
        "kernel",
        [node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3])],
        x,
        ["y"],
        [weight("w", 4, 6, 5, 3)],
        feed,
    )
    yield bad(
        "norm",
        [node("BatchNormalization", ["x", "g", "g", "g", "g"], ["y"])],
        x,
        ["y"],
        [weight("g", 5)],
        feed,
    )
    yield bad(
        "split", [node("Split", ["x", "s"], ["a", "b"], axis=1)], x, ["a", "b"], [const("s", [2, 3])], feed
    )
    lstm = [weight("w", 1, 20, 6), weight("r", 1, 20, 5)]
    yield bad(
        "lstm",
        [node("LSTM", ["x", "w", "r"], ["y"], hidden_size=5)],
        {"x": (F, ["T", "N", 7])},
        ["y"],
        lstm,
        {"x": f32(3, 2, 7)},
    )
