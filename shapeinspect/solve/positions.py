"""Position tables: ids that the network's own code counts up, and the length at which the table ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeinspect.ir import Call

#: Kinds that return the values of their first input unchanged.
_CARRYING = frozenset(
    {
        *("unsqueeze", "squeeze", "expand", "reshape", "flatten", "permute", "transpose2", "cast"),
        *("identity", "tile", "repeat"),
    }
)


def largest_id(
    kind: str, attributes: Mapping[str, Any], call: Call, outputs: Any, known: Mapping[str, Any]
) -> Any:
    """Return the largest number in a call's output if it is counted up: an int, an array, or None.

    Args:
        kind: the call's kind.
        attributes: its settings; ``start`` and ``step`` of numbers that are counted up.
        call: the call.
        outputs: the shapes of its outputs, each length an int or an array of candidates.
        known: the largest number of each value of which it is known.

    Example:
        >>> largest_id("constant", {"start": 0, "step": 1}, Call("arange", (), ("p",)), ((7,),), {})
        6
    """
    if kind == "constant" and attributes.get("step", 0) > 0 and outputs and len(outputs[0]) == 1:
        return attributes["start"] + attributes["step"] * (outputs[0][0] - 1)
    return known.get(call.inputs[0]) if kind in _CARRYING and call.inputs else None


def runs_out(kind: str, attributes: Mapping[str, Any], call: Call, known: Mapping[str, Any]) -> Any:
    """Return the candidates for which a lookup has no row for some id; False if that is not known.

    Args:
        kind: the call's kind.
        attributes: its settings.
        call: the call.
        known: the largest number of each value of which it is known.

    Example:
        >>> runs_out("embedding", {"num_embeddings": 12}, Call("pos", ("p",), ("y",)), {"p": 12})
        True
    """
    rows = attributes.get("num_embeddings")
    if kind != "embedding" or not call.inputs or call.inputs[0] not in known or not isinstance(rows, int):
        return False
    return known[call.inputs[0]] >= rows
