"""Functions of torch that no kind describes: their shapes as signatures, written for one call's arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from shapeinspect.dims import Dim, Shape
from shapeinspect_torch.script.values import Tensor
from shapeinspect_torch.vocabulary.aten import Argument

#: The lengths of one tensor, each a number or a formula of letters; None where they are not known.
Lengths: TypeAlias = "list[str] | None"


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor among the arguments: the letters of its axes, and their lengths.

    Args:
        letters: a letter for each axis.
        shape: the length of each axis.
    """

    letters: list[str]
    shape: Shape

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.letters)


class Given:
    """The arguments of one call by name.

    Args:
        parameters: the names of the parameters in order, separated by spaces.
        args: the positional arguments.
        kwargs: the named ones.

    Raises:
        TypeError: if the shape of a tensor is not known.
    """

    def __init__(self, parameters: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._count = 0
        #: The terms of the tensors in order.
        self.inputs: list[str] = []
        named = dict(zip(parameters.split(), args, strict=False)) | dict(kwargs)
        self._named = {name: self._read(value) for name, value in named.items()}

    def _read(self, value: Any) -> Any:
        if isinstance(value, Tensor | Argument):
            if value.shape is None:
                raise TypeError(value.name)
            letters = [f"x{len(self.inputs)}_{axis}" for axis in range(len(value.shape))]
            self.inputs.append(" ".join(letters))
            return Operand(letters, value.shape)
        return [self._read(item) for item in value] if isinstance(value, list | tuple) else value

    def tensor(self, name: str) -> Operand:
        """Return a tensor.

        Args:
            name: the argument's name.

        Raises:
            TypeError: if the argument is none.
        """
        value = self._named.get(name)
        if not isinstance(value, Operand):
            raise TypeError(name)
        return value

    def tensors(self, name: str) -> list[Operand]:
        """Return a list of tensors.

        Args:
            name: the argument's name.

        Raises:
            TypeError: if the argument is none.
        """
        value = self._named.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(item, Operand) for item in value):
            raise TypeError(name)
        return value

    def option(self, name: str, default: Any = None) -> Any:
        """Return an argument that is no tensor; the default where it is not given.

        Args:
            name: the argument's name.
            default: what holds where it is left out.

        Raises:
            TypeError: if it is not known.
        """
        value = self._named.get(name)
        if value is not None and type(value) not in (int, float, bool, str, list, Operand):
            raise TypeError(name)
        return default if value is None else value

    def whole(self, name: str, default: int | None = None) -> int:
        """Return an integer.

        Args:
            name: the argument's name.
            default: what holds where it is left out.

        Raises:
            TypeError: if it is none.
        """
        value = self.option(name, default)
        if type(value) is not int:
            raise TypeError(name)
        return value

    def axis(self, name: str, default: int, rank: int) -> int:
        """Return the place of an axis.

        Args:
            name: the argument's name.
            default: what holds where it is left out.
            rank: the number of axes.

        Raises:
            IndexError: if there is no such axis.
        """
        return place(self.whole(name, default), rank)

    def axes(self, name: str, rank: int) -> list[int] | None:
        """Return the places of one axis or several, None where none is given.

        Args:
            name: the argument's name.
            rank: the number of axes.

        Raises:
            IndexError: if there is no such axis.
        """
        value = self.option(name)
        if value is None or value == []:
            return None
        return [place(axis, rank) for axis in (value if isinstance(value, list) else [value])]


def place(axis: Any, rank: int) -> int:
    """Return the place of an axis that may be counted from the end.

    Args:
        axis: the axis.
        rank: the number of axes.

    Raises:
        IndexError: if there is no such axis.
        TypeError: if it is no integer.

    Example:
        >>> place(-1, 3)
        2
    """
    if type(axis) is not int:
        raise TypeError(axis)
    if not -rank <= axis < rank:
        raise IndexError(axis)
    return axis % rank


def broadcast(*operands: tuple[list[str], Shape]) -> list[str]:
    """Return the lengths that tensors have in common once axes of length 1 are repeated.

    Args:
        operands: the letters and the lengths of each.

    Raises:
        ValueError: if it is not known which of two lengths is 1.

    Example:
        >>> broadcast((["a", "b"], (3, 5)), (["c", "d", "e"], (4, 1, 5)))
        ['c', 'a', 'b']
    """
    rank = max(len(letters) for letters, _ in operands)
    chosen: list[tuple[str, Dim]] = [("1", 1)] * rank
    for letters, shape in operands:
        for at, two in enumerate(zip(letters, shape, strict=True), rank - len(letters)):
            one = chosen[at]
            if one[1] != two[1] and one[1] != 1 and two[1] != 1:
                raise ValueError(f"{one[1]} and {two[1]}")
            chosen[at] = two if one[1] == 1 else one
    return [letter for letter, _ in chosen]


def changed(letters: list[str], axis: int, term: str) -> list[str]:
    """Return lengths with another one along one axis.

    Args:
        letters: the lengths.
        axis: the axis.
        term: its new length.
    """
    return [term if at == axis else letter for at, letter in enumerate(letters)]


def left(letters: list[str], axes: list[int], keep: bool) -> list[str]:
    """Return the lengths that a reduction leaves.

    Args:
        letters: the lengths.
        axes: the axes that it goes over.
        keep: whether these stay, with length 1.
    """
    if keep:
        return ["1" if at in axes else letter for at, letter in enumerate(letters)]
    return [letter for at, letter in enumerate(letters) if at not in axes]


@dataclass(frozen=True, slots=True)
class Row:
    """One function.

    Args:
        parameters: the names of its parameters in order, separated by spaces.
        lengths: writes the lengths of its outputs.
    """

    parameters: str
    lengths: Callable[[Given], list[Lengths]]


def signature(row: Row, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str | None:
    """Return the signature of a call; None where the arguments do not tell.

    Args:
        row: the function.
        args: its arguments.
        kwargs: its named arguments.

    Example:
        >>> row = Row("self", lambda a: [[*a.tensor("self").letters, "2"]])
        >>> signature(row, [Tensor("x", None, (3, 5))], {})
        'x0_0 x0_1 -> x0_0 x0_1 2'
    """
    try:
        given = Given(row.parameters, args, kwargs)
        outputs = row.lengths(given)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
    right = "; ".join("*" if lengths is None else " ".join(lengths) for lengths in outputs)
    return f"{', '.join(given.inputs)} -> {right}"


def each(names: str, row: Row) -> dict[str, Row]:
    """Return one row under several names.

    Args:
        names: the names, separated by spaces.
        row: the row.
    """
    return dict.fromkeys(names.split(), row)
