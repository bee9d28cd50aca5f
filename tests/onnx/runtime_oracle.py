"""Holds the shape of every value that is printed for an ONNX model against what onnxruntime computes.

Every output of every node becomes an output of the model, which is run at several sizes; the printed shapes,
evaluated at these sizes, are compared with those of the arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime

from shapeinspect import inspect
from shapeinspect.dims import Expr, Shape, substitute, symbol

#: The arrays that one run makes, by the name of the value.
Arrays = Mapping[str, Any]


@dataclass
class Score:
    """What a comparison found.

    Args:
        exact: how many values have a shape that is known wholly and right at every size.
        unknown: for each value whose shape is partly or wholly unknown, the op that makes it and the shapes.
        wrong: the same for values whose shape is wrong at some size.
    """

    exact: int = 0
    unknown: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        self.exact += other.exact
        self.unknown += other.unknown
        self.wrong += other.wrong


_TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
    "tensor(int8)": np.int8, "tensor(int16)": np.int16, "tensor(int32)": np.int32, "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8, "tensor(bool)": np.bool_,
}  # fmt: skip


def opened(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Make a session of a model in which every value of the main graph is an output."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    have = {output.name for output in wide.graph.output}
    for node in wide.graph.node:
        for name in node.output:
            if name and name not in have:
                have.add(name)
                wide.graph.output.append(onnx.ValueInfoProto(name=name))
    return session(wide)


def session(model: onnx.ModelProto | str) -> onnxruntime.InferenceSession:
    """Make a session without optimizations, which would remove values."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    content = model if isinstance(model, str) else model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def feed(
    inputs: Iterable[Any], sizes: Mapping[str, int], default: int, given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Make an array for every input of a session.

    Args:
        inputs: what the session takes.
        sizes: the length of each symbolic axis by its name, or by ``input:axis``.
        default: the length of the other ones.
        given: arrays that are fed as they are.
    """
    random = np.random.default_rng(5)
    made: dict[str, Any] = dict(given or {})
    for entry in inputs:
        if entry.name in made or entry.type not in _TYPES:
            continue
        lengths = [
            dim
            if isinstance(dim, int) and dim > 0
            else sizes.get(f"{entry.name}:{axis}", sizes.get(str(dim), default))
            for axis, dim in enumerate(entry.shape)
        ]
        kind = _TYPES[entry.type]
        numbers = (
            random.integers(0, 2, lengths) if np.issubdtype(kind, np.integer) else random.random(lengths)
        )
        made[entry.name] = np.asarray(numbers).astype(kind)
    return made


def bound(model: Any, arrays: Arrays) -> dict[str, int]:
    """Read the length of every symbol off the inputs."""
    values: dict[str, int] = {}
    for name in model.inputs:
        if name in arrays:
            for dim, length in zip(model.values[name].shape or (), np.shape(arrays[name]), strict=False):
                if isinstance(dim, Expr) and dim == symbol(str(dim)):
                    values[str(dim)] = length
    return values


def evaluated(shape: Shape | None, values: Mapping[str, int]) -> tuple[int | None, ...] | None:
    """Return a shape at some sizes; None for a length that is unknown."""
    if shape is None:
        return None
    lengths = [substitute(dim, values) for dim in shape]
    return tuple(length if isinstance(length, int) else None for length in lengths)


def compare(
    model: onnx.ModelProto, feeds: Iterable[Mapping[str, Any]], source: Any = None, label: str = ""
) -> Score:
    """Compare the printed shapes of a model with those of the arrays of several runs.

    Args:
        model: the model.
        feeds: what each run is fed.
        source: the file to inspect in the model's place.
        label: what the entries begin with.
    """
    read = inspect(model if source is None else source).model
    run = opened(model)
    names = [output.name for output in run.get_outputs()]
    makers = {name: node.op_type for node in model.graph.node for name in node.output}
    states: dict[str, str] = {}
    told: dict[str, str] = {}
    for fed in feeds:
        sizes = bound(read, fed)
        for name, array in zip(names, run.run(None, dict(fed)), strict=True):
            value = read.values.get(name)
            if value is None or not isinstance(array, np.ndarray):
                continue  # a constant that belongs to its reader, or a list
            ours, real = evaluated(value.shape, sizes), array.shape
            state = _state(ours, real)
            if state != "exact" and states.get(name) != "wrong":
                told[name] = f"{label}{name} {makers.get(name)}: {value.shape}, really {real}"
            ranks = ("exact", "unknown", "wrong")
            states[name] = max(state, states.get(name, "exact"), key=ranks.index)
    score = Score()
    for name, state in states.items():
        if state == "exact":
            score.exact += 1
        else:
            getattr(score, state).append(told[name])
    return score


def _state(ours: tuple[int | None, ...] | None, real: tuple[int, ...]) -> str:
    if ours is None:
        return "unknown"
    if len(ours) != len(real) or any(a is not None and a != b for a, b in zip(ours, real, strict=True)):
        return "wrong"
    return "unknown" if None in ours else "exact"
