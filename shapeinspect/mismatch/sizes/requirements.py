"""What the failed layer requires of its inputs, and what it got: axis by axis where that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.infer.kernels import check_kernel
from shapeinspect.ir import Axes, Layer
from shapeinspect.mismatch.sizes.open_batch import Batch, worded
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.rules import initial_states, output_shapes
from shapeinspect.rules.rule import show

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
    """An axis of an operand whose length differs from the one that the layer's settings fix.

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
        got: what it got.
        demand: the axis that differs, where it is a single one.
        shapes: the shapes of the operands; None where not even the rank is known.
        axes: the roles of the operands' axes, as far as the calls before prove them.
    """

    expected: str | None
    got: str | None
    demand: Demand | None
    shapes: tuple[Shape | None, ...]
    axes: tuple[Axes | None, ...] = ()


def problem_of(failure: Failure) -> Problem:
    """Compare what the failed layer takes with what it got.

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
        check_kernel(layer)
        output_shapes(layer.kind, layer.attributes, shapes)
    except ShapeMismatchError as error:
        batch = next((n for shape in shapes for n in shape or () if isinstance(n, Batch)), None)
        expected, got = error.expected, error.got
        if batch is not None:
            expected, got = (one and worded(one, batch) for one in (expected, got))
    if demand is None and (text := _operand_expected(failure, shapes)) is not None:
        expected, got = text, None
    return Problem(expected, got, demand, shapes)


def _operand_expected(failure: Failure, shapes: tuple[Shape | None, ...]) -> str | None:
    """Say what shape a state or a mask needs, where it has another one."""
    layer, roles = failure.layer, failure.roles
    if layer.kind == "max_unpool" and len(shapes) > 1 and shapes[0] != shapes[1]:
        return f"indices of {shapes[0]}, the shape of what is unpooled"
    ranks = [len(shape) for shape in shapes[:3] if shape]
    if layer.kind == "attention" and len(set(ranks)) > 1:
        return f"a query with as many axes as keys and values: {max(ranks)}"
    depth = "" if layer.kind.endswith("_cell") else "num_layers·directions, "
    for operand, shape in wanted_states(layer, shapes).items():
        given = shapes[operand]
        if given is not None and len(given) == len(shape) + 1:  # packed sequences hide the batch
            ends = f"begins with {shape[0]} (num_layers·directions) and ends with {shape[-1]} (hidden_size)"
            return f"a state that {ends}"
        if given is not None and given != shape:
            batch = "batch, " if len(shape) == (3 if depth else 2) else ""
            return f"a state of {shape}: {depth}{batch}hidden_size"
    for operand, shape in wanted_masks(layer, shapes, roles).items():
        if shapes[operand] != shape:
            return f"{roles[operand]} of {show(shape)}: {_MASK_AXES[roles[operand], len(shape)]}"
    return None


def demand_of(layer: Layer, shapes: tuple[Shape | None, ...]) -> Demand | None:
    """Return the axis whose length the layer's settings fix, and on which its input differs.

    Args:
        layer: the layer.
        shapes: its inputs.

    Example:
        >>> from shapeinspect.frozen import Frozen
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


def lengths_of(failure: Failure, name: str) -> tuple[int, ...] | None:
    """Return a value's shape, or None where a length is not a number.

    Args:
        failure: where the run ended.
        name: the value.
    """
    value = failure.model.values.get(name)
    if value is None or value.shape is None:
        return None
    shape = tuple(length for length in value.shape if isinstance(length, int))
    return shape if len(shape) == len(value.shape) else None


def is_stack(layer: Layer) -> bool:
    """Tell whether a recurrent layer keeps the states of all its layers in one tensor, as PyTorch's do.

    Args:
        layer: the layer.

    Example:
        >>> is_stack(Layer("g", "gru", "GRU"))
        False
    """
    settings = layer.attributes
    return layer.kind in ("rnn", "lstm", "gru") and "proj_size" in settings and "layout" not in settings


def wanted_states(layer: Layer, shapes: tuple[Shape | None, ...]) -> dict[int, tuple[int, ...]]:
    """Return the shape of each first state that a recurrent layer is given, by its operand.

    Args:
        layer: the layer.
        shapes: its inputs: what it reads, then the states.

    Source: ``torch.nn.LSTM``: states of (layers · directions, batch, hidden size), whatever
    ``batch_first`` says; cells: (batch, hidden size).

    Example:
        >>> from shapeinspect.frozen import Frozen
        >>> settings = Frozen(hidden_size=5, num_layers=2, batch_first=True, proj_size=0)
        >>> wanted_states(Layer("g", "gru", "GRU", attributes=settings), ((7, 11, 3), (1, 7, 5)))
        {1: (2, 7, 5)}
    """
    hidden, first = layer.attributes.get("hidden_size"), shapes[0] if shapes else None
    if not isinstance(hidden, int) or not first or not all(isinstance(length, int) for length in first):
        return {}
    if layer.kind in ("rnn_cell", "lstm_cell", "gru_cell"):
        states: tuple[Shape, ...] = ((*first[:-1], hidden),) * 2
    elif is_stack(layer):
        try:
            states = initial_states(layer.kind, layer.attributes, first)
        except ShapeMismatchError:
            return {}
    else:
        return {}
    return {
        operand: tuple(length for length in state if isinstance(length, int))
        for operand, state in enumerate(states, start=1)
        if operand < len(shapes) and all(isinstance(length, int) for length in state)
    }


def wanted_masks(
    layer: Layer, shapes: tuple[Shape | None, ...], roles: tuple[str, ...]
) -> dict[int, tuple[int, ...]]:
    """Return the shape of each mask that attention is given, by its operand.

    Args:
        layer: the layer.
        shapes: its inputs: query, key and value, then the masks.
        roles: the parameter that each of them is passed for; nothing is known of a mask without it.

    Source: ``torch.nn.MultiheadAttention``: ``attn_mask`` of (queries, keys) or of (batch · heads, queries,
    keys), ``key_padding_mask`` of (batch, keys), whatever ``batch_first`` says; without a batch, of (keys).

    Example:
        >>> from shapeinspect.frozen import Frozen
        >>> layer = Layer("a", "attention", "MultiheadAttention", attributes=Frozen(batch_first=True))
        >>> shapes, given = ((3, 9, 8), (3, 7, 8), (3, 7, 8), (12, 12)), ("query", "key", "value")
        >>> wanted_masks(layer, shapes, (*given, "attn_mask"))
        {3: (9, 7)}
        >>> wanted_masks(layer, shapes, (*given, "key_padding_mask"))
        {3: (3, 7)}
    """
    if layer.kind != "attention" or len(roles) != len(shapes) or not {"query", "key"} <= {*roles}:
        return {}
    query, key = shapes[roles.index("query")], shapes[roles.index("key")]
    if not query or not key or len(query) != len(key) or len(query) not in (2, 3):
        return {}
    alone = len(query) == 2
    time = 1 if layer.attributes.get("batch_first") and not alone else 0
    batch = 1 if alone else query[1 - time]
    heads, steps = layer.attributes.get("num_heads"), (query[time], key[time])
    wanted: dict[int, tuple[Any, ...]] = {}
    for operand, (role, mask) in enumerate(zip(roles, shapes, strict=True)):
        if mask is None:
            continue
        if role == "key_padding_mask":
            wanted[operand] = (key[time],) if alone else (batch, key[time])
        elif role == "attn_mask" and len(mask) < 3:
            wanted[operand] = steps
        elif role == "attn_mask" and isinstance(heads, int) and isinstance(batch, int):
            wanted[operand] = (batch * heads, *steps)
    return {
        operand: shape
        for operand, shape in wanted.items()
        if all(isinstance(length, int) for length in shape)
    }


#: The axes of a mask, by its role and its number of axes.
_MASK_AXES = {
    ("attn_mask", 2): "queries, keys",
    ("attn_mask", 3): "batch·num_heads, queries, keys",
    ("key_padding_mask", 1): "keys",
    ("key_padding_mask", 2): "batch, keys",
}


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
