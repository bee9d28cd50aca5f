"""One row of the tables of operators, and the short ways to write one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.dims import Dim
from shapeinspect_onnx.reading.node import Node
from shapeinspect_onnx.reading.quantized import Slots

Settings = dict[str, Any]
Reader = Callable[[Node], Settings]


def no_settings(node: Node) -> Settings:
    """Read nothing: the operator has no settings that affect shapes.

    Args:
        node: the node.
    """
    return {}


@dataclass(frozen=True, slots=True)
class Stored:
    """Trained numbers that an operator keeps in an attribute.

    Args:
        attribute: its name, which is the role of the weight.
        shape: returns its lengths for a node; the numbers are stored row by row.
    """

    attribute: str
    shape: Callable[[Node], tuple[int, ...] | None]


@dataclass(frozen=True, slots=True)
class Op:
    """An operator in terms of the vocabulary.

    Args:
        kind: its canonical kind, or a function that returns it for a node.
        settings: reads a node's settings.
        params: the input slots for trained parameters.
        fixed: the input slots for settings, whose constants are not weights.
        operands: the input slots of the kind's operands, where others lie between them.
        stored: the attributes that hold trained parameters.
        alone: whether only the operands are inputs of the call, since its kind takes any number of them.
        quantized: the slots of its quantized weights.
        biases: the slots of its 32-bit biases, each with the slots of the scales whose product is its own.
    """

    kind: str | Callable[[Node], str]
    settings: Reader = no_settings
    params: frozenset[int] = field(default=frozenset())
    fixed: frozenset[int] = field(default=frozenset())
    operands: tuple[int, ...] = ()
    stored: tuple[Stored, ...] = ()
    alone: bool = False
    quantized: tuple[Slots, ...] = ()
    biases: tuple[tuple[int, tuple[int, int]], ...] = ()

    @property
    def placed(self) -> bool:
        """Whether its settings are identified by their positions among the inputs that a graph computes."""
        return self.kind in _PLACED

    def kind_of(self, node: Node) -> str:
        """Return the kind for one node.

        Args:
            node: the node.
        """
        return self.kind if isinstance(self.kind, str) else self.kind(node)


UNKNOWN = Op("unknown")

#: Kinds that read several settings from inputs.
_PLACED = frozenset({"slice", "pad", "resize", "constant"})


def op(
    kind: str | Callable[[Node], str],
    settings: Reader = no_settings,
    params: str = "",
    fixed: str = "",
    operands: str = "",
    stored: tuple[Stored, ...] = (),
    *,
    alone: bool = False,
) -> Op:
    """Write a row.

    Args:
        kind: its kind, or a function that returns it for a node.
        settings: reads a node's settings.
        params: the input slots for trained parameters, separated by spaces.
        fixed: those for settings.
        operands: those of the kind's operands.
        stored: the attributes that hold trained parameters.
        alone: whether only the operands are inputs of the call.

    Example:
        >>> op("conv", params="1 2").params == {1, 2}
        True
    """
    slots = [tuple(map(int, text.split())) for text in (params, fixed, operands)]
    return Op(kind, settings, frozenset(slots[0]), frozenset(slots[1]), slots[2], stored, alone)


def named(kind: str, attribute: str, name: str, fixed: str = "", operands: str = "") -> Op:
    """Write a row whose only setting names its function.

    Args:
        kind: its kind.
        attribute: the setting.
        name: its value.
        fixed: the input slots for settings.
        operands: the input slots of the operands.

    Example:
        >>> named("activation", "function", "relu").settings(Node("Relu", 1, {}))
        {'function': 'relu'}
    """
    return op(kind, lambda node: {attribute: name}, fixed=fixed, operands=operands)


def signed(
    kind: str,
    signature: str,
    lengths: str = "",
    work: str = "0",
    *,
    settings: Reader = no_settings,
    params: str = "",
    fixed: str = "",
    operands: str = "",
    stored: tuple[Stored, ...] = (),
) -> Op:
    """Write a row whose shapes follow from a signature (see ``shapeinspect.rules.signature``).

    Args:
        kind: its kind.
        signature: the letters of the axes of the operands and outputs.
        lengths: where the letters that no operand has come from, as :func:`with_lengths` reads them.
        work: the multiply-accumulates in these letters; ``?`` where they are unknown.
        settings: reads further settings.
        params: the input slots for trained parameters.
        fixed: those for settings.
        operands: those of the signature's operands.
        stored: the attributes that hold trained parameters.

    Example:
        >>> row = signed("moe", "N E -> N E", "k=k:1", "N*k*E")
        >>> row.settings(Node("MoE", 1, {"k": 2}))
        {'lengths': {'k': 2}, 'signature': 'N E -> N E', 'work': 'N*k*E'}
    """
    reader = with_lengths(lengths, settings)

    def read(node: Node) -> Settings:
        return {**reader(node), "signature": signature, "work": work}

    return op(kind, read, params, fixed, operands, stored)


#: ``H=num_heads``, ``k=k:1``, ``o=@3.1``, ``P=0!4``, ``L=#1``
_LENGTH = re.compile(
    r"(\w+)=(?:@(?P<slot>\d+)\.(?P<axis>-?\d+)|(?P<value>\d+)!(?P<absent>\d+)|#(?P<number>\d+)"
    r"|(?P<attribute>[a-z]\w*)(?::(?P<default>\d+))?)"
)


def with_lengths(lengths: str, settings: Reader = no_settings) -> Reader:
    """Return a reader that adds the lengths of letters to a node's settings.

    Args:
        lengths: for each letter an attribute (``H=num_heads``, with a default ``k=k:1``), an axis of an input
            (``o=@3.1``), the only number of an input (``L=#1``), or a number that counts if an input is
            absent (``P=0!4``).
        settings: reads the other settings.

    Example:
        >>> with_lengths("H=num_heads P=0!4")(Node("Attention", 1, {"num_heads": 2}))
        {'lengths': {'H': 2, 'P': 0}}
    """
    sources = [(match[1], match) for match in map(_LENGTH.fullmatch, lengths.split()) if match]

    def read(node: Node) -> Settings:
        found = {name: _length(node, match) for name, match in sources}
        known = {name: length for name, length in found.items() if length is not None}
        own = settings(node)
        known = {**known, **own.get("lengths", {})}
        return {**own, **({"lengths": known} if known else {})}

    return read


def _length(node: Node, match: re.Match[str]) -> Dim | None:
    if match["slot"]:
        shape, axis = node.shape(int(match["slot"])), int(match["axis"])
        return shape[axis] if shape is not None and -len(shape) <= axis < len(shape) else None
    if match["value"]:
        return None if node.has(int(match["absent"])) else int(match["value"])
    if match["number"]:
        number = node.number("", int(match["number"]))
        return int(number) if isinstance(number, int) and number >= 0 else None
    default = match["default"]
    length = node.get(match["attribute"], None if default is None else int(default))
    return length if isinstance(length, int) else None
