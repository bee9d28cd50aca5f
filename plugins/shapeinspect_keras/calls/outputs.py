"""The outputs of a call, where a file records neither their number nor their shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.dims import Shape

#: The states of recurrent layers. A cell always returns its states, a layer only if asked to.
_STATES = {"rnn": 1, "gru": 1, "lstm": 2, "conv_lstm": 2}
#: The most pieces of one value; a file may request any number.
_MOST = 10_000


def output_count(kind: str, attributes: Mapping[str, Any], shapes: Sequence[Shape | None] = ()) -> int:
    """Return the smallest number of outputs of a call.

    Args:
        kind: the kind of the layer or operation.
        attributes: its settings.
        shapes: the shape of each input.

    Example:
        >>> output_count("split", {"axis": 1, "sections": 3}), output_count("lstm_cell", {})
        (3, 3)
        >>> output_count("unstack", {"axis": -1}, [(2, 3, 5)])
        5
    """
    if kind == "split":
        indices = attributes.get("indices")
        return _bounded(attributes.get("sections", len(indices) + 1 if isinstance(indices, tuple) else 1))
    if kind == "unstack":
        shape, axis = shapes[0] if shapes else None, attributes.get("axis", 0)
        inside = shape is not None and isinstance(axis, int) and -len(shape) <= axis < len(shape)
        return _bounded(shape[axis]) if shape is not None and inside else 1
    if kind == "operation":
        return _bounded(str(attributes.get("signature", "")).partition("|")[0].count(";") + 1)
    if kind == "topk" or (kind == "attention" and attributes.get("need_weights")):
        return 2
    if kind.endswith("_cell"):
        return 1 + _STATES.get(kind.removesuffix("_cell"), 0)
    if kind == "stacked_rnn":
        kinds = attributes.get("kinds", ())
        return 1 + (sum(_STATES.get(item, 1) for item in kinds) if attributes.get("return_state") else 0)
    directions = 2 if attributes.get("bidirectional") else 1
    sequences = directions if attributes.get("merge_mode", "concat") is None else 1
    states = _STATES.get(kind, 0) * directions * _bounded(attributes.get("num_layers", 1))
    return sequences + (states if attributes.get("return_state") else 0)


def _bounded(count: Any) -> int:
    return count if isinstance(count, int) and 0 < count <= _MOST else 1


def output_shape(kind: str, attributes: Mapping[str, Any], shapes: Sequence[Shape | None]) -> Shape | None:
    """Return the shape of every output of a recurrent cell, None where the core's arithmetic gives them.

    Args:
        kind: the kind of the layer or operation.
        attributes: its settings.
        shapes: the shape of each input.

    Source: ``call`` of the cells in keras/src/layers/rnn, 3.15: the output is the first state.

    Example:
        >>> output_shape("gru_cell", {"hidden_size": 5}, [(2, 3)])
        (2, 5)
    """
    shape, hidden = shapes[0] if shapes else None, attributes.get("hidden_size")
    if not kind.endswith("_cell") or shape is None or not isinstance(hidden, int):
        return None
    return (*shape[:-1], hidden)
