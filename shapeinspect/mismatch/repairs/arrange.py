"""Which rearrangements of a tensor would give a layer what it reads: one function a family."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

from shapeinspect.ir import Layer
from shapeinspect.mismatch.requirements import space_rank
from shapeinspect.plugin_api.rerun import Step


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Steps that might help.

    Args:
        cause: what would be wrong without them; see ``causes``.
        steps: what is done.
        rank: how likely they are meant; the smallest is the best.
    """

    cause: str
    steps: tuple[Step, ...]
    rank: int


def arrangements(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    """Yield what could be done to a tensor so that a layer takes it.

    Args:
        layer: the layer that reads it.
        shape: the tensor's shape.

    Example:
        >>> from shapeinspect.ir import Frozen
        >>> conv = Layer("c", "conv", "Conv2d", attributes=Frozen(kernel_size=(3, 3), in_channels=3))
        >>> [found.steps for found in arrangements(conv, (8, 32, 30, 3))][:1]
        [(('permute', (0, 3, 1, 2)),)]
    """
    family = _FAMILIES.get(layer.kind)
    if family is None:
        return
    for found in family(layer, shape):
        # A batch of unknown length is a number of its own class: it is there, and not missing.
        if found.cause != "no-batch" or type(shape[0]) is int:
            yield found


def _conv(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    space, channels = space_rank(layer.attributes), layer.attributes.get("in_channels")
    if space is None:
        return
    if not isinstance(channels, int):
        yield from _unbuilt(layer, shape, space)
        return
    last = layer.attributes.get("data_format") == "channels_last"
    at, other = (space + 1, 1) if last else (1, space + 1)
    rank = len(shape)
    if rank == space + 2 and shape[at] != channels:
        if shape[other] == channels:
            axes = (0, *range(2, rank), 1) if last else (0, rank - 1, *range(1, rank - 1))
            yield Arrangement("channels-last", (("permute", axes),), 10)
        if shape[0] == channels and not last:
            yield Arrangement("swapped-axes", (("permute", (1, 0, *range(2, rank))),), 14)
        for axis in range(2, rank - 1):
            if shape[axis] == channels and not last:
                axes = (0, axis, *(one for one in range(1, rank) if one != axis))
                yield Arrangement("channels-last", (("permute", axes),), 15)
        if (shape[at], channels) in ((1, 3), (3, 1), (4, 1), (4, 3)):
            yield Arrangement("channels", (("channels", (at, channels, shape[at], rank)),), 22)
    if 2 <= rank < space + 2 and shape[1] == channels and not last:
        yield Arrangement("missing-axis", (("unsqueeze", -1),) * (space + 2 - rank), 13)
    if rank == space + 1:
        yield from _unbatched(shape, channels, last)
    if rank == space and channels == 1:
        steps = (("unsqueeze", 0), ("unsqueeze", -1 if last else 0))
        yield Arrangement("no-batch", steps, 11)
    if rank > space + 2:
        yield from _too_many(shape, space)


def _too_many(shape: tuple[int, ...], space: int) -> Iterator[Arrangement]:
    for axis, length in enumerate(shape):
        if length == 1:
            yield Arrangement("extra-axis", (("squeeze", axis),), 12)
    if len(shape) == space + 3:
        yield Arrangement("extra-axis", (("merge", (0, 1)),), 13)


def _unbuilt(layer: Layer, shape: tuple[int, ...], space: int) -> Iterator[Arrangement]:
    """Add what is missing for a layer that takes any number of channels."""
    last = layer.attributes.get("data_format") == "channels_last"
    timed = layer.kind == "conv_lstm"
    if timed and len(shape) == space + 2:
        yield Arrangement("no-channel", (("unsqueeze", space + 2 if last else 2),), 10)
        yield Arrangement("missing-axis", (("unsqueeze", 1),), 12)
        return
    if len(shape) == space + 1:
        yield Arrangement("no-channel", (("unsqueeze", space + 1 if last else 1),), 10)
        yield Arrangement("no-batch", (("unsqueeze", 0),), 12)
    if len(shape) > space + 2:
        yield from _too_many(shape, space)


def _unbatched(shape: tuple[int, ...], channels: int, last: bool) -> Iterator[Arrangement]:
    rank = len(shape)
    if shape[-1 if last else 0] == channels:
        yield Arrangement("no-batch", (("unsqueeze", 0),), 9)
    elif shape[0 if last else -1] == channels:
        axes = (*range(1, rank), 0) if last else (rank - 1, *range(rank - 1))
        yield Arrangement("channels-last", (("permute", axes), ("unsqueeze", 0)), 10)
    if channels == 1:
        yield Arrangement("no-channel", (("unsqueeze", rank if last else 1),), 10)


def _window(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    space = space_rank(layer.attributes)
    if space is not None and len(shape) in (space, space + 1):
        yield Arrangement("missing-axis", (("unsqueeze", 0),), 20)
        yield Arrangement("missing-axis", (("unsqueeze", 1),), 21)


def _linear(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    wanted = layer.attributes.get("in_features")
    if not isinstance(wanted, int) or not shape or shape[-1] == wanted:
        return
    for first in range(1, len(shape) - 1):
        if prod(shape[first:]) == wanted:
            yield Arrangement("not-flattened", (("flatten", first),), 10)
    if prod(shape) == wanted:
        yield Arrangement("no-batch", (("reshape", (1, -1)),), 11)
    if len(shape) == 4 and shape[1] == wanted:
        yield Arrangement("not-flattened", (("adaptive_pool", (1, 1)), ("flatten", 1)), 12)
    for axis, length in enumerate(shape[:-1]):
        if length == wanted and len(shape) > 1:
            rest = [one for one in range(len(shape)) if one != axis]
            cause = "channels-last" if len(shape) == 4 else "swapped-axes"
            if axis == len(shape) - 2 or len(shape) > 3:
                yield Arrangement(cause, (("permute", (*rest, axis)),), 13 + (axis == 0))
    if wanted == 1:
        yield Arrangement("missing-axis", (("unsqueeze", -1),), 15)
    if len(shape) > 2:
        for axis, length in enumerate(shape):
            if length == 1 and axis:
                yield Arrangement("extra-axis", (("squeeze", axis),), 18)


def _recurrent(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    wanted = layer.attributes.get("input_size")
    if not isinstance(wanted, int):
        if len(shape) == 2:
            yield Arrangement("missing-axis", (("unsqueeze", 2),), 10)
            yield Arrangement("missing-axis", (("unsqueeze", 1),), 12)
        return
    if len(shape) == 3 and shape[-1] != wanted:
        for axis, order in ((1, (0, 2, 1)), (0, (1, 2, 0))):
            if shape[axis] == wanted:
                yield Arrangement("swapped-axes", (("permute", order),), 10 + axis)
    if len(shape) == 2 and wanted == 1:
        yield Arrangement("missing-axis", (("unsqueeze", -1),), 10)
    if len(shape) == 2 and shape[-1] == wanted:
        yield Arrangement("missing-axis", (("unsqueeze", 1),), 12)
        yield Arrangement("no-batch", (("unsqueeze", 0),), 11)
    if len(shape) == 4:
        yield from _steps_of_pictures(shape, wanted)
    if len(shape) == 3 and wanted != shape[-1] and shape[1] * shape[2] == wanted:
        yield Arrangement("not-flattened", (("flatten", 1), ("unsqueeze", 1)), 14)


def _steps_of_pictures(shape: tuple[int, ...], wanted: int) -> Iterator[Arrangement]:
    if prod(shape[2:]) == wanted:
        yield Arrangement("not-flattened", (("flatten", 2),), 10)
    for axes in ((0, 3, 1, 2), (0, 2, 1, 3)):  # the width, or the height, becomes the time
        if shape[axes[2]] * shape[axes[3]] == wanted:
            yield Arrangement("not-flattened", (("permute", axes), ("flatten", 2)), 11)
    for axis, length in enumerate(shape):
        if length == 1 and axis:
            yield Arrangement("extra-axis", (("squeeze", axis),), 9)


def _attention(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    wanted = layer.attributes.get("embed_dim")
    if len(shape) == 3 and shape[-1] != wanted and shape[1] == wanted:
        yield Arrangement("swapped-axes", (("permute", (0, 2, 1)),), 10)
    if len(shape) == 4 and shape[1] == wanted:
        yield Arrangement("not-flattened", (("flatten", 2), ("permute", (0, 2, 1))), 10)


def _norm(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    wanted = layer.attributes.get("num_features", layer.attributes.get("num_channels"))
    if not isinstance(wanted, int) or len(shape) < 2:
        return
    if shape[1] != wanted and shape[-1] == wanted and len(shape) > 2:
        cause = "channels-last"
        yield Arrangement(cause, (("permute", (0, len(shape) - 1, *range(1, len(shape) - 1))),), 10)
    if len(shape) > 2 and prod(shape[1:]) == wanted:
        yield Arrangement("not-flattened", (("flatten", 1),), 12)
    if "2d" in layer.type.lower() and len(shape) == 3:
        yield Arrangement("no-batch", (("unsqueeze", 0),), 13)
    if "2d" in layer.type.lower() and len(shape) == 2:
        yield Arrangement("missing-axis", (("unsqueeze", -1), ("unsqueeze", -1)), 14)
    if "1d" in layer.type.lower() and len(shape) == 4:
        yield Arrangement("not-flattened", (("flatten", 2),), 15)


def _layer_norm(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    wanted = tuple(layer.attributes.get("normalized_shape") or ())
    if len(wanted) == 1:
        for axis, length in enumerate(shape[:-1]):
            if length == wanted[0] and axis:
                rest = [one for one in range(len(shape)) if one != axis]
                yield Arrangement("channels-last", (("permute", (*rest, axis)),), 10)


_FAMILIES: dict[str, Callable[[Layer, tuple[int, ...]], Iterator[Arrangement]]] = {
    "conv": _conv,
    "conv_transpose": _conv,
    "separable_conv": _conv,
    "conv_lstm": _conv,
    "max_pool": _window,
    "avg_pool": _window,
    "linear": _linear,
    "rnn": _recurrent,
    "lstm": _recurrent,
    "gru": _recurrent,
    "attention": _attention,
    "batch_norm": _norm,
    "instance_norm": _norm,
    "group_norm": _norm,
    "layer_norm": _layer_norm,
}
