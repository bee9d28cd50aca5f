"""Names for the open axes of a live model's inputs, where what reads them proves what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shapeinspect.dims import UNKNOWN, Dim, Shape, Unknown, symbol
from shapeinspect.ir import Call, Layer

#: The batch axis of every Keras model.
BATCH = symbol("N")

_SPACE = {3: ("L",), 4: ("H", "W"), 5: ("D", "H", "W")}
_SPATIAL = frozenset(
    {
        "conv", "conv_transpose", "separable_conv", "local_conv", "max_pool", "avg_pool", "adaptive_avg_pool",
        "adaptive_max_pool", "global_avg_pool", "global_max_pool", "resize", "pad", "crop",
    }
)  # fmt: skip
_SEQUENCE = frozenset({"rnn", "lstm", "gru", "attention", "embedding"})
#: Kinds that leave every axis what it was.
_PASSING = frozenset(
    {"activation", "batch_norm", "normalize", "dropout", "identity", "augment", "elementwise"}
)


def open_input(shape: Shape) -> Shape:
    """Call a missing first length the batch.

    Args:
        shape: an input's lengths.

    Example:
        >>> open_input((UNKNOWN, UNKNOWN, 3))
        (N, ?, 3)
    """
    first: tuple[Dim, ...] = (BATCH if isinstance(shape[0], Unknown) else shape[0],) if shape else ()
    return (*first, *shape[1:])


def named(
    shapes: Mapping[str, Shape], calls: Sequence[Call], layers: Mapping[str, Layer]
) -> dict[str, Shape]:
    """Give the open axes of inputs the names that their readers prove.

    Args:
        shapes: the inputs, by value.
        calls: every call.
        layers: every layer, by path.
    """
    readers: dict[str, list[Call]] = {}
    for call in calls:
        for name in call.inputs:
            readers.setdefault(name, []).append(call)
    several = sum(UNKNOWN in shape[1:] for shape in shapes.values()) > 1
    found = {}
    for name, shape in shapes.items():
        axes = _axes(name, len(shape), readers, layers) if UNKNOWN in shape[1:] else ()
        suffix = f"_{name}" if several else ""
        found[name] = tuple(
            symbol(axis + suffix) if axis and isinstance(dim, Unknown) else dim
            for dim, axis in zip(shape, (*axes, *[""] * len(shape)), strict=False)
        )
    return found


def _axes(
    start: str, rank: int, readers: Mapping[str, list[Call]], layers: Mapping[str, Layer]
) -> tuple[str, ...]:
    queue, seen = [start], {start}
    for name in queue:
        for call in readers.get(name, ()):
            layer = layers[call.layer]
            if layer.kind in _SPATIAL and rank in _SPACE and "data_format" in layer.attributes:
                first = layer.attributes["data_format"] == "channels_first"
                return ("", "", *_SPACE[rank]) if first else ("", *_SPACE[rank], "")
            if layer.kind in _SEQUENCE and rank >= 2:
                return ("", "T", *[""] * (rank - 2))
            if layer.kind in _PASSING and len(call.inputs) == 1:
                queue.extend(one for one in call.outputs if one not in seen)
                seen.update(call.outputs)
    return ()
