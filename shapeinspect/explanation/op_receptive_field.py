"""Receptive field of a single op, from the registry of kinds."""

from __future__ import annotations

from collections.abc import Sequence

from shapeinspect.explanation.graph import Graph
from shapeinspect.ir import Call
from shapeinspect.rules import KINDS
from shapeinspect.rules.fields import UNKNOWN_FIELD, Field
from shapeinspect.rules.kinds.elementwise import MOVING_FUNCTIONS


def field_of(kind: str) -> Field:
    """Return what one output position of a kind sees; unknown for a kind that is not registered.

    Args:
        kind: a name of the vocabulary.

    Example:
        >>> field_of("softmax").text, field_of("no such kind").text
        ('all of `axis`', 'unknown')
    """
    row = KINDS.get(kind)
    return UNKNOWN_FIELD if row is None else row.sees


def followed(graph: Graph, call: Call, known: Sequence[bool]) -> bool:
    """Tell whether the positions that a call reads are known.

    Args:
        graph: the graph.
        call: the call.
        known: for each input, whether it depends on positions of the model's inputs.
    """
    layer = graph.layers[call.layer]
    if not field_of(layer.kind).followed(known):
        return False
    if layer.kind not in ("unary", "elementwise"):
        return True
    function = str(graph.attributes(call).get("op", "")).lower()
    names = {layer.type.rpartition(".")[2].lower().rstrip("_"), function}
    return not (names & MOVING_FUNCTIONS and any(known))
