"""A node and what is known of its inputs, as the tables of settings read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.dims import Dim, Shape, Unknown
from shapeinspect_tensorflow.graph.nodes import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A stored tensor: a constant of the graph or a variable.

    Args:
        name: its name in the file.
        shape: its lengths, as stored.
        used: its lengths as its reader sees them, with more or fewer axes of length 1.
        dtype: the code of its element type.
        variable: whether it is a variable and not a constant.
        trainable: whether it is trained.
        tensor: the constant itself.
        values: reads the values of a variable.
    """

    name: str
    shape: Shape
    used: Shape
    dtype: int
    variable: bool = False
    trainable: bool | None = None
    tensor: Tensor | None = None
    values: Callable[[], Any] | None = None

    @property
    def numbers(self) -> tuple[int, ...] | None:
        """Its values, where they are few integers."""
        return None if self.tensor is None else self.tensor.numbers


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A node with what is known of its inputs.

    Args:
        op: its operator.
        attributes: its settings.
        held: the stored tensor in each input slot, or None.
        shapes: the shape in each input slot, or None.
        evaluate: returns the integers in a slot, as far as they are known.
        outputs: the number of outputs in use.
    """

    op: str
    attributes: Mapping[str, Any]
    held: tuple[Held | None, ...] = ()
    shapes: tuple[Shape | None, ...] = ()
    evaluate: Callable[[int], tuple[Dim, ...] | None] = field(default=lambda _slot: None)
    outputs: int = 1

    def get(self, name: str, default: Any = None) -> Any:
        """Return a setting.

        Args:
            name: its name.
            default: its value where it is missing.
        """
        value = self.attributes.get(name)
        return default if value is None else value

    def shape(self, slot: int) -> Shape | None:
        """Return the shape in an input slot, stored or computed.

        Args:
            slot: the slot's number.
        """
        if not -len(self.held) <= slot < len(self.held):
            return None
        stored = self.held[slot]
        return stored.used if stored is not None else self.shapes[slot]

    def stored(self, slot: int) -> Held | None:
        """Return the stored tensor in an input slot.

        Args:
            slot: the slot's number.
        """
        return self.held[slot] if -len(self.held) <= slot < len(self.held) else None

    def lengths(self, slot: int) -> tuple[Dim, ...] | None:
        """Return the integers in an input slot; those that follow from the inputs' lengths are expressions.

        Args:
            slot: the slot's number; negative ones count from the end.
        """
        slot += len(self.held) if slot < 0 else 0
        return self.evaluate(slot) if 0 <= slot < len(self.held) else None

    def numbers(self, slot: int) -> tuple[int, ...] | None:
        """Return the integers in an input slot, if all are known.

        Args:
            slot: the slot's number; negative ones count from the end.
        """
        integers = self.lengths(slot)
        if integers is None or not all(isinstance(number, int) for number in integers):
            return None
        return tuple(number for number in integers if isinstance(number, int))

    def number(self, slot: int) -> int | None:
        """Return the integer in an input slot, if it has exactly one.

        Args:
            slot: the slot's number; negative ones count from the end.
        """
        integers = self.numbers(slot)
        return integers[0] if integers is not None and len(integers) == 1 else None


def merged(recorded: Shape | None, computed: Shape | None) -> Shape | None:
    """Return what is recorded, with computed lengths where those are open.

    Args:
        recorded: the lengths in the file; None if it has none.
        computed: the lengths that follow from the settings; None if nothing follows.

    Example:
        >>> from shapeinspect.dims import UNKNOWN, symbol
        >>> merged((UNKNOWN, 3), (symbol("N"), 4))
        (N, 3)
    """
    if recorded is None or computed is None or len(recorded) != len(computed):
        return computed if recorded is None else recorded
    return tuple(
        new if isinstance(old, Unknown) else old for old, new in zip(recorded, computed, strict=True)
    )


def put_at(names: list[str], places: Mapping[int, str]) -> None:
    """Put the inputs of a call that are settings where the arithmetic looks for them.

    Args:
        names: the other inputs; what is missing in between is filled with empty names.
        places: the further inputs by their places.

    Example:
        >>> names = ["x"]
        >>> put_at(names, {2: "ends"})
        >>> names
        ['x', '', 'ends']
    """
    for place, name in sorted(places.items()):
        names.extend([""] * (place - len(names)))
        names[place:] = [name]
