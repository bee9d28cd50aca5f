"""The values of a model, named after the layers that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shapeinspect.dims import Shape
from shapeinspect.ir import Value
from shapeinspect_keras.calls.arguments import Given, Operand


@dataclass(slots=True)
class Values:
    """The values of a model, each under a unique name.

    Args:
        by_name: every value.
        counts: how often each name has been used so far.

    Example:
        >>> values = Values()
        >>> values.add("split", (3,), None), values.add("split", (4,), None, 1)
        ('split', 'split:1')
        >>> values.add("split", (5,), None)
        'split#2'
    """

    by_name: dict[str, Value] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, path: str, shape: Shape | None, dtype: str | None, index: int = 0) -> str:
        """Add one output of a call and return its name.

        Args:
            path: the path of the layer.
            shape: its shape, None where the rank is not known.
            dtype: its element type, None where that is not known.
            index: which output of the call it is; the first is called like the layer.
        """
        stem = name = f"{path}:{index}" if index else path
        while name in self.by_name:
            self.counts[stem] = self.counts.get(stem, 1) + 1
            name = f"{stem}#{self.counts[stem]}"
        self.by_name[name] = Value(name, shape, dtype)
        return name

    def shape(self, name: str) -> Shape | None:
        """Return the shape of a value.

        Args:
            name: the value.
        """
        return self.by_name[name].shape

    def reshape(self, name: str, shape: Shape) -> None:
        """Change the shape of a value.

        Args:
            name: the value.
            shape: its lengths.
        """
        self.by_name[name] = replace(self.by_name[name], shape=shape)

    def refine(self, name: str, shape: Shape | None, dtype: str | None) -> None:
        """Fill in the unknown parts of a value's shape.

        Args:
            name: the value.
            shape: its lengths, where known.
            dtype: its element type, where known.
        """
        value = self.by_name[name]
        known = shape if value.shape is None else value.shape
        self.by_name[name] = replace(value, shape=known, dtype=value.dtype or dtype)

    def operands(self, path: str, operands: Sequence[Operand]) -> tuple[str, ...]:
        """Name the operands of an operation; an array of numbers becomes a separate value.

        Args:
            path: the path of the operation.
            operands: what it reads.
        """
        return tuple(
            operand.name
            if isinstance(operand, Given)
            else self.add(f"{path}:constant", operand.shape, operand.dtype)
            for operand in operands
        )
