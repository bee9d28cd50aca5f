"""What the failed layer demands of its input, and what it was given: axis by axis where that can be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.ir import Layer
from shapeinspect.rerun import Failure
from shapeinspect.rules import output_shapes

#: By kind: the setting that fixes a length, and the axis that has to have it.
_FIXED: dict[str, tuple[str, int | None]] = {
    "linear": ("in_features", -1),
    "conv": ("in_channels", None),
    "conv_transpose": ("in_channels", None),
    "separable_conv": ("in_channels", None),
    "local_conv": ("in_channels", None),
    "batch_norm": ("num_features", 1),
    "instance_norm": ("num_features", 1),
    "group_norm": ("num_channels", 1),
    "prelu": ("num_parameters", 1),
    "rnn": ("input_size", -1),
    "lstm": ("input_size", -1),
    "gru": ("input_size", -1),
    "rnn_cell": ("input_size", -1),
    "lstm_cell": ("input_size", -1),
    "gru_cell": ("input_size", -1),
}
_WINDOWS = ("kernel_size", "output_size")


@dataclass(frozen=True, slots=True)
class Demand:
    """One axis of one operand that has another length than the layer's settings fix.

    Args:
        operand: which input.
        axis: which of its axes, from 0.
        wanted: the length that the settings fix.
        had: the length that it has.
        setting: the setting, such as ``in_features``.
    """

    operand: int
    axis: int
    wanted: int
    had: int
    setting: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not fit.

    Args:
        expected: what the layer takes.
        got: what it was given.
        demand: the one axis that differs, where it is one.
        shapes: the shapes of the operands; None where not even the rank is known.
    """

    expected: str | None
    got: str | None
    demand: Demand | None
    shapes: tuple[Shape | None, ...]


def problem_of(failure: Failure) -> Problem:
    """Compare what the failed layer takes with what it was given.

    Args:
        failure: where the run ended.
    """
    shapes = tuple(
        failure.model.values[name].shape if name in failure.model.values else None for name in failure.inputs
    )
    layer = failure.layer
    demand = demand_of(layer, shapes)
    expected = got = None
    try:
        output_shapes(layer.kind, layer.attributes, shapes)
    except ShapeMismatchError as error:
        expected, got = error.expected, error.got
    return Problem(expected, got, demand, shapes)


def demand_of(layer: Layer, shapes: tuple[Shape | None, ...]) -> Demand | None:
    """Return the axis whose length the layer's settings fix and its input does not have.

    Args:
        layer: the layer.
        shapes: its inputs.

    Example:
        >>> from shapeinspect.ir import Frozen
        >>> layer = Layer("fc", "linear", "Linear", attributes=Frozen(in_features=400))
        >>> demand_of(layer, ((2, 256),))
        Demand(operand=0, axis=1, wanted=400, had=256, setting='in_features')
    """
    shape = shapes[0] if shapes else None
    if layer.kind not in _FIXED or not shape:
        return None
    setting, axis = _FIXED[layer.kind]
    wanted = layer.attributes.get(setting)
    if layer.kind == "batch_norm":
        axis = layer.attributes.get("axis", axis)
    if axis is None:
        axis = channel_axis(layer.attributes, len(shape))
    elif axis < 0:
        axis += len(shape)
    if axis is None or not isinstance(wanted, int) or not 0 <= axis < len(shape):
        return None
    had = shape[axis]
    if not isinstance(had, int) or had == wanted:
        return None
    return Demand(0, axis, wanted, had, setting)


def space_rank(attributes: Mapping[str, Any]) -> int | None:
    """Return how many spatial axes a layer's window has, or None if it has none.

    Args:
        attributes: its settings.

    Example:
        >>> space_rank({"kernel_size": (3, 3)})
        2
    """
    for name in _WINDOWS:
        value = attributes.get(name)
        if isinstance(value, tuple):
            return len(value)
    return None


def channel_axis(attributes: Mapping[str, Any], rank: int) -> int | None:
    """Return the axis that a convolution reads as channels; None for a rank that it does not take.

    Args:
        attributes: its settings.
        rank: axes of its input, with or without a batch.

    Example:
        >>> channel_axis({"kernel_size": (3, 3)}, 4), channel_axis({"kernel_size": (3,)}, 4)
        (1, None)
    """
    space = space_rank(attributes)
    if space is None or rank not in (space + 1, space + 2):
        return None
    return rank - 1 if attributes.get("data_format") == "channels_last" else rank - space - 1
