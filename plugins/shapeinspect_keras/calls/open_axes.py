"""Names for the open axes of a model's inputs, where their readers prove them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shapeinspect.dims import UNKNOWN, Shape, Unknown, symbol
from shapeinspect.ir import Call

_SPACE = {3: ("L",), 4: ("H", "W"), 5: ("D", "H", "W")}
_SPATIAL = frozenset(
    {"conv", "conv_transpose", "separable_conv", "local_conv", "max_pool", "avg_pool", "adaptive_avg_pool",
     "adaptive_max_pool", "global_avg_pool", "global_max_pool", "resize", "pad", "crop"}
)  # fmt: skip
_SEQUENCE = frozenset({"rnn", "lstm", "gru", "stacked_rnn", "conv_lstm", "attention", "embedding"})
#: Kinds that keep the meaning of every axis.
_PASSING = frozenset(
    {"activation", "batch_norm", "normalize", "dropout", "identity", "augment", "elementwise"}
)
#: The most values examined after one input.
_MOST = 10_000


class Described(Protocol):
    """A layer in the common vocabulary."""

    @property
    def kind(self) -> str:
        """Its kind."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Its settings."""


def named_axes(
    shapes: Mapping[str, Shape], calls: Sequence[Call], layers: Mapping[str, Described]
) -> dict[str, Shape]:
    """Give the open axes of inputs the names that their readers prove.

    Args:
        shapes: the inputs, by value.
        calls: every call.
        layers: every layer, by path.

    Returns:
        The inputs' shapes. Rank 4 read by a layer with a data format has H and W; rank 2 or 3 read by a
        recurrent layer, an embedding or an attention has T. An axis that nothing names is called after
        its place: d1. Where several inputs have open axes, the input's name follows.
    """
    readers: dict[str, list[Call]] = {}
    for call in calls:
        for name in call.inputs:
            readers.setdefault(name, []).append(call)
    several = sum(UNKNOWN in shape[1:] for shape in shapes.values()) > 1
    result = {}
    for name, shape in shapes.items():
        axes = _axes(name, len(shape), readers, layers) if UNKNOWN in shape[1:] else ()
        suffix = f"_{name}" if several else ""
        named = (*axes, *[""] * len(shape))
        result[name] = tuple(
            symbol((named[place] or f"d{place}") + suffix) if place and isinstance(dim, Unknown) else dim
            for place, dim in enumerate(shape)
        )
    return result


def _axes(
    start: str, rank: int, readers: Mapping[str, list[Call]], layers: Mapping[str, Described]
) -> tuple[str, ...]:
    queue, seen = [start], {start}
    for name in queue:
        for call in readers.get(name, ()):
            layer = layers[call.layer]
            axes = _proven(layer, rank)
            if axes:
                return axes
            if layer.kind in _PASSING and len(call.inputs) == 1 and len(seen) < _MOST:
                queue.extend(output for output in call.outputs if output not in seen)
                seen.update(call.outputs)
    return ()


def _proven(layer: Described, rank: int) -> tuple[str, ...]:
    if layer.kind in _SPATIAL and rank in _SPACE and "data_format" in layer.attributes:
        first = layer.attributes["data_format"] == "channels_first"
        return ("", "", *_SPACE[rank]) if first else ("", *_SPACE[rank], "")
    if rank >= 2 and (layer.kind in _SEQUENCE or _folds_time(layer)):
        return ("", "T", *[""] * (rank - 2))
    return ()


def _folds_time(layer: Described) -> bool:
    """Tell whether a layer is the first step of a ``TimeDistributed``."""
    sides = layer.attributes.get("start_axis"), layer.attributes.get("end_axis")
    return layer.kind == "flatten" and sides == (0, 1)
