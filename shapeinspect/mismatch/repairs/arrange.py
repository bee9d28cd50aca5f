"""Rearrangements of one tensor so that a layer accepts it: one function a family of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

from shapeinspect.ir import Layer
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.sizes.requirements import space_rank
from shapeinspect.plugin_api.changes import Step


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Steps that might help.

    Args:
        cause: what is wrong if they help; see ``causes``.
        steps: what is done to the tensor, in order.
        rank: their place on the ladder of ``ranks``.
    """

    cause: str
    steps: tuple[Step, ...]
    rank: int


def arrangements(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    """Yield the steps that could make a layer accept a tensor.

    Args:
        layer: the layer that reads it.
        shape: the tensor's shape.

    Example:
        >>> from shapeinspect.frozen import Frozen
        >>> conv = Layer("c", "conv", "Conv2d", attributes=Frozen(kernel_size=(3, 3), in_channels=3))
        >>> [fix.steps for fix in arrangements(conv, (8, 32, 30, 3))][:1]
        [(('permute', (0, 3, 1, 2)),)]
    """
    family = _FAMILIES.get(layer.kind)
    if family is None:
        return
    for arrangement in family(layer, shape):
        # A batch of unknown length is a distinct object: it is not missing.
        if arrangement.cause != "no-batch" or type(shape[0]) is int:
            yield arrangement


def _conv(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    space, channels = space_rank(layer.attributes), layer.attributes.get("in_channels")
    if space is None:
        return
    if not isinstance(channels, int):
        yield from _unbuilt(layer, shape, space)
        return
    last = layer.attributes.get("data_format") == "channels_last"
    rank = len(shape)
    if rank == space + 2:
        yield from _channels_elsewhere(shape, channels, last)
    if 2 <= rank < space + 2 and shape[1] == channels and not last:
        yield Arrangement("missing-axis", (("unsqueeze", -1),) * (space + 2 - rank), Rung.SPACE_ADDED)
    if rank == space + 1:
        yield from _unbatched(shape, channels, last)
    if rank == space and channels == 1:
        steps = (("unsqueeze", 0), ("unsqueeze", -1 if last else 0))
        yield Arrangement("no-batch", steps, Rung.BATCH_AND_CHANNEL)
    if rank > space + 2:
        yield from _too_many(shape, space)


def _channels_elsewhere(shape: tuple[int, ...], channels: int, last: bool) -> Iterator[Arrangement]:
    """Move the channels to where the layer reads them, or change their number."""
    rank = len(shape)
    axis, elsewhere = (rank - 1, 1) if last else (1, rank - 1)
    if shape[axis] == channels:
        return
    if shape[elsewhere] == channels:
        axes = (0, *range(2, rank), 1) if last else (0, rank - 1, *range(1, rank - 1))
        yield Arrangement("channels-last", (("permute", axes),), Rung.CHANNELS_MOVED)
    colors = shape[:2] in ((1, 3), (1, 4))  # one picture in color is no batch of gray ones
    if shape[0] == channels and not last and not colors:
        yield Arrangement("swapped-axes", (("permute", (1, 0, *range(2, rank))),), Rung.BATCH_SWAPPED)
    for inner in range(2, rank - 1) if not last else ():
        if shape[inner] == channels:
            axes = (0, inner, *(rest for rest in range(1, rank) if rest != inner))
            yield Arrangement("channels-last", (("permute", axes),), Rung.CHANNELS_FROM_INSIDE)
    if (shape[axis], channels) in ((1, 3), (3, 1), (4, 1), (4, 3)):
        step = ("channels", (axis, channels, shape[axis], rank))
        yield Arrangement("channels", (step,), Rung.COLOR_INPUT)


def _too_many(shape: tuple[int, ...], space: int) -> Iterator[Arrangement]:
    for axis, length in enumerate(shape):
        if length == 1:
            yield Arrangement("extra-axis", (("squeeze", axis),), Rung.EXTRA_AXIS)
    if len(shape) == space + 3:
        yield Arrangement("extra-axis", (("merge", (0, 1)),), Rung.FRAMES_MERGED)


def _unbuilt(layer: Layer, shape: tuple[int, ...], space: int) -> Iterator[Arrangement]:
    """Add what is missing for a layer that takes any number of channels."""
    last = layer.attributes.get("data_format") == "channels_last"
    timed = layer.kind == "conv_lstm"
    if timed and len(shape) == space + 2:
        yield Arrangement("no-channel", (("unsqueeze", space + 2 if last else 2),), Rung.CHANNEL_ADDED)
        yield Arrangement("missing-axis", (("unsqueeze", 1),), Rung.UNBUILT_AXIS)
        return
    if len(shape) == space + 1:
        # of two axes nobody knows whether the second one is the steps or the channels
        cause = "no-channel" if space > 1 else "missing-axis"
        yield Arrangement(cause, (("unsqueeze", space + 1 if last else 1),), Rung.CHANNEL_ADDED)
        yield Arrangement("no-batch", (("unsqueeze", 0),), Rung.UNBUILT_AXIS)
    if len(shape) > space + 2:
        yield from _too_many(shape, space)


def _unbatched(shape: tuple[int, ...], channels: int, last: bool) -> Iterator[Arrangement]:
    rank = len(shape)
    if shape[-1 if last else 0] == channels:
        yield Arrangement("no-batch", (("unsqueeze", 0),), Rung.PLAIN_BATCH)
    elif shape[0 if last else -1] == channels:
        axes = (*range(1, rank), 0) if last else (rank - 1, *range(rank - 1))
        yield Arrangement(
            "channels-last", (("permute", axes), ("unsqueeze", 0)), Rung.CHANNELS_MOVED_BATCH_ADDED
        )
    if channels == 1:
        yield Arrangement("no-channel", (("unsqueeze", rank if last else 1),), Rung.CHANNEL_ADDED)


def _window(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    space = space_rank(layer.attributes)
    if space is not None and len(shape) in (space, space + 1):
        yield Arrangement("missing-axis", (("unsqueeze", 0),), Rung.WINDOW_AXIS)
        yield Arrangement("missing-axis", (("unsqueeze", 1),), Rung.WINDOW_AXIS + 1)


def _linear(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    wanted = layer.attributes.get("in_features")
    if not isinstance(wanted, int) or not shape or shape[-1] == wanted:
        return
    for first in range(1, len(shape) - 1):
        if prod(shape[first:]) == wanted:
            yield Arrangement("not-flattened", (("flatten", first),), Rung.FLATTENED)
    if prod(shape) == wanted:
        yield Arrangement("no-batch", (("reshape", (1, -1)),), Rung.BATCH_RESHAPED)
    if len(shape) == 4 and shape[1] == wanted:
        yield Arrangement(
            "not-flattened", (("adaptive_pool", (1, 1)), ("flatten", 1)), Rung.POOLED_TO_CHANNELS
        )
    yield from _features_moved(shape, wanted)
    if wanted == 1:
        yield Arrangement("missing-axis", (("unsqueeze", -1),), Rung.SINGLE_FEATURE)
    if len(shape) > 2:
        for axis, length in enumerate(shape):
            if length == 1 and axis:
                yield Arrangement("extra-axis", (("squeeze", axis),), Rung.LINEAR_SQUEEZED)


def _features_moved(shape: tuple[int, ...], wanted: int) -> Iterator[Arrangement]:
    """Move the features to the last axis."""
    rank = len(shape)
    for axis, length in enumerate(shape[:-1]):
        if length == wanted and (axis == rank - 2 or rank > 3):
            rest = [other for other in range(rank) if other != axis]
            cause = "channels-last" if rank == 4 else "swapped-axes"
            yield Arrangement(cause, (("permute", (*rest, axis)),), Rung.LINEAR_PERMUTED + (axis == 0))


def _recurrent(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    wanted = layer.attributes.get("input_size")
    if not isinstance(wanted, int):
        if len(shape) == 2:
            yield Arrangement("missing-axis", (("unsqueeze", 2),), Rung.STEP_AXIS)
            yield Arrangement("missing-axis", (("unsqueeze", 1),), Rung.SEQUENCE_AXIS)
        return
    if len(shape) == 3 and shape[-1] != wanted:
        for axis, order in ((0, (1, 2, 0)), (1, (0, 2, 1))):
            if shape[axis] == wanted:
                yield Arrangement("swapped-axes", (("permute", order),), Rung.STEPS_SWAPPED + axis)
    if len(shape) == 2 and wanted == 1:
        yield Arrangement("missing-axis", (("unsqueeze", -1),), Rung.STEP_AXIS)
    if len(shape) == 2 and shape[-1] == wanted:
        yield Arrangement("missing-axis", (("unsqueeze", 1),), Rung.SEQUENCE_AXIS)
        yield Arrangement("no-batch", (("unsqueeze", 0),), Rung.BATCH_OF_SEQUENCE)
    if len(shape) == 4:
        yield from _steps_of_images(shape, wanted)
    if len(shape) == 3 and wanted != shape[-1] and shape[1] * shape[2] == wanted:
        yield Arrangement("not-flattened", (("flatten", 1), ("unsqueeze", 1)), Rung.STEPS_FLATTENED)


def _steps_of_images(shape: tuple[int, ...], wanted: int) -> Iterator[Arrangement]:
    if prod(shape[2:]) == wanted:
        yield Arrangement("not-flattened", (("flatten", 2),), Rung.STEPS_OF_IMAGE)
    for axes in ((0, 3, 1, 2), (0, 2, 1, 3)):  # the width, or the height, becomes the time
        if shape[axes[2]] * shape[axes[3]] == wanted:
            yield Arrangement("not-flattened", (("permute", axes), ("flatten", 2)), Rung.IMAGE_TO_STEPS)
    for axis, length in enumerate(shape):
        if length == 1 and axis:
            yield Arrangement("extra-axis", (("squeeze", axis),), Rung.EXTRA_STEP_AXIS)


def _attention(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    wanted = layer.attributes.get("embed_dim")
    if len(shape) == 3 and shape[-1] != wanted and shape[1] == wanted:
        yield Arrangement("swapped-axes", (("permute", (0, 2, 1)),), Rung.HEADS_SWAPPED)
    if len(shape) == 4 and shape[1] == wanted:
        yield Arrangement("not-flattened", (("flatten", 2), ("permute", (0, 2, 1))), Rung.HEADS_SWAPPED)


def _norm(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    wanted = layer.attributes.get("num_features", layer.attributes.get("num_channels"))
    if not isinstance(wanted, int) or len(shape) < 2:
        return
    if shape[1] != wanted and shape[-1] == wanted and len(shape) > 2:
        axes = (0, len(shape) - 1, *range(1, len(shape) - 1))
        yield Arrangement("channels-last", (("permute", axes),), Rung.NORM_CHANNELS)
    if len(shape) > 2 and prod(shape[1:]) == wanted:
        yield Arrangement("not-flattened", (("flatten", 1),), Rung.NORM_FLATTENED)
    if "2d" in layer.type.lower() and len(shape) == 3:
        yield Arrangement("no-batch", (("unsqueeze", 0),), Rung.NORM_BATCH)
    if "2d" in layer.type.lower() and len(shape) == 2:
        yield Arrangement("missing-axis", (("unsqueeze", -1), ("unsqueeze", -1)), Rung.NORM_SPACE)
    if "1d" in layer.type.lower() and len(shape) == 4:
        yield Arrangement("not-flattened", (("flatten", 2),), Rung.NORM_SPACE_FLATTENED)


def _layer_norm(layer: Layer, shape: tuple[int, ...]) -> Iterator[Arrangement]:
    wanted = tuple(layer.attributes.get("normalized_shape") or ())
    if len(wanted) == 1:
        for axis, length in enumerate(shape[:-1]):
            if length == wanted[0] and axis:
                rest = [other for other in range(len(shape)) if other != axis]
                yield Arrangement("channels-last", (("permute", (*rest, axis)),), Rung.NORM_CHANNELS)


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
