"""The lengths that TorchScript's code asks its tensors for, where the shapes of the inputs are named.

A forward reads the size of a tensor and computes the arguments of a view, or which branch to take, with it.
With the shapes of the inputs, the rules give those of all values on the way.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from shapeinspect.dims import UNKNOWN, Expr, Shape
from shapeinspect.errors import ShapeInspectError, ShapeMismatchError
from shapeinspect.ir import Weight
from shapeinspect.rules import output_shapes
from shapeinspect_torch.script.values import Outputs, Tensor
from shapeinspect_torch.vocabulary.aten import Argument

#: Functions of a number and of a tensor that holds one; traced code keeps numbers in such tensors.
_OF_NUMBERS: Final[Mapping[str, Callable[..., Any]]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floor_divide": operator.floordiv,
    "floordiv": operator.floordiv,
    "remainder": operator.mod,
    "neg": operator.neg,
    "pow": lambda base, exponent: UNKNOWN if _is_long(base, exponent) else base**exponent,
    "rsub": lambda left, right: right - left,
    "div": operator.truediv,
    "floor": lambda number: number // 1,
    "ceil": lambda number: -(-number // 1),
}
#: Those of them that are exact for lengths with symbols.
_EXACT: Final = frozenset({"add", "sub", "mul", "floordiv", "floor_divide", "neg", "rsub"})
_ROUNDED: Final[Mapping[Any, Callable[[float], float]]] = {
    None: float,
    "trunc": lambda number: float(int(number)),
    "floor": lambda number: number // 1,
}
#: Functions of a list of numbers.
_OF_LISTS: Final[Mapping[str, Callable[[list[Any]], Any]]] = {
    "sum": sum, "max": max, "min": min, "any": any, "all": all,
}  # fmt: skip
#: Functions that return the number that they receive.
_SAME: Final = frozenset({"to", "detach", "clone", "contiguous", "NumToTensor", "alias", "lift_fresh"})
#: Functions that convert a tensor of one number to a number.
CONVERSIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "int": int, "float": float, "bool": bool,
    "Int": int, "IntImplicit": int, "Float": float, "FloatImplicit": float, "Bool": bool, "item": lambda n: n,
    "ScalarImplicit": lambda n: n,
}  # fmt: skip


def shapes_of(
    kind: str, attributes: Mapping[str, Any], inputs: Sequence[Shape | None]
) -> tuple[Shape | None, ...]:
    """Return the shapes of a call's outputs; none where no rule gives them.

    Args:
        kind: the kind of the layer or function.
        attributes: its settings.
        inputs: the shapes of its inputs.

    Raises:
        ShapeMismatchError: if the inputs do not fit.

    Example:
        >>> shapes_of("flatten", {"start_axis": 1}, [(2, 3, 5)])
        ((2, 15),)
    """
    if (not inputs and kind != "constant") or any(shape is None for shape in inputs):
        return ()
    try:
        return tuple(output_shapes(kind, attributes, tuple(inputs)))
    except ShapeMismatchError:
        raise
    except (ShapeInspectError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError):
        return ()


def asked(name: str, shape: Shape | None, args: Sequence[Any]) -> Any:
    """Return what a function says of a tensor's shape; UNKNOWN where that is not known.

    Args:
        name: the function: ``size``, ``dim``, ``len`` or ``numel``.
        shape: the tensor's shape.
        args: the other arguments.

    Example:
        >>> asked("size", (2, 3), []), asked("size", (2, 3), [-1]), asked("dim", (2, 3), [])
        ([2, 3], 3, 2)
    """
    if shape is None:
        return UNKNOWN
    lengths = [length if type(length) is int or isinstance(length, Expr) else UNKNOWN for length in shape]
    if name in ("dim", "ndimension"):
        return len(lengths)
    if name == "numel":
        total = 1
        for length in lengths:
            if not isinstance(length, int):
                return UNKNOWN
            total *= length
        return total
    if name == "len":
        return lengths[0] if lengths else UNKNOWN
    if not args:
        return lengths
    axis = args[0]
    return lengths[axis] if type(axis) is int and -len(lengths) <= axis < len(lengths) else UNKNOWN


def number(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return the number that a function computes from numbers; UNKNOWN where one is none.

    Args:
        name: the function.
        args: its arguments, with the numbers of the tensors that hold one.
        kwargs: its named arguments.

    Example:
        >>> number("floor_divide", [7, 2], {}), number("div", [7, 2], {"rounding_mode": "trunc"})
        (3, 3.0)
        >>> number("Int", [3.0], {}), number("relu", [3], {})
        (3, ?)
    """
    if any(isinstance(arg, Expr) for arg in args):
        return _of_symbols(name, args)
    if not args or type(args[0]) not in (int, float, bool):
        return UNKNOWN
    if name in _SAME:
        return args[0]
    try:
        if name in CONVERSIONS:
            return CONVERSIONS[name](args[0])
        if name not in _OF_NUMBERS or any(type(arg) not in (int, float, bool) for arg in args[:2]):
            return UNKNOWN
        value = _OF_NUMBERS[name](*args[: 1 if name in ("neg", "floor", "ceil") else 2])
        if name == "div" and kwargs.get("rounding_mode") in _ROUNDED:
            value = _ROUNDED[kwargs.get("rounding_mode")](value)
    except (ArithmeticError, TypeError, ValueError):
        return UNKNOWN
    return value if type(value) in (int, float, bool) and abs(value) < 2**63 else UNKNOWN


def _of_symbols(name: str, args: Sequence[Any]) -> Any:
    """Return the length that a function computes from lengths with symbols; UNKNOWN for all others."""
    if name in _SAME or name in ("int", "Int", "IntImplicit", "ScalarImplicit", "item"):
        return args[0]
    pair = tuple(args[: 1 if name == "neg" else 2])
    if name not in _EXACT or any(type(arg) is not int and not isinstance(arg, Expr) for arg in pair):
        return UNKNOWN
    if name in ("floordiv", "floor_divide") and not (type(pair[-1]) is int and pair[-1] > 0):
        return UNKNOWN
    return _OF_NUMBERS[name](*pair)


def _is_long(base: float, exponent: float) -> bool:
    """Tell whether a power of integers has more than 64 bits."""
    whole = isinstance(base, int) and isinstance(exponent, int)
    return whole and int(base).bit_length() * exponent > 64


class Known:
    """What is known of the values of a forward: their shapes, and the numbers that constants hold.

    Args:
        stored: the stored tensors by name.
        constants: those among them that are constants of the code.
    """

    def __init__(self, stored: Mapping[str, Weight], constants: Mapping[str, Weight]) -> None:
        self._stored = stored
        self._constants = constants
        self._numbers: dict[str, Any] = {}
        #: The shapes of tensors by name, None where one is not known.
        self.shapes: dict[str, Shape | None] = {}
        #: The dtypes of tensors that hold integers or truth values.
        self.dtypes: dict[str, str | None] = {}
        #: The values that are one of two, which no call returns.
        self.joined: set[str] = set()

    def add(self, name: str, outputs: Outputs, at: int) -> None:
        """Keep the shape and dtype of an output of a call.

        Args:
            name: its name.
            outputs: the call's outputs.
            at: which one it is.
        """
        self.shapes[name] = outputs.shapes[at] if at < len(outputs.shapes) else None
        self.dtypes[name] = outputs.dtypes[at] if at < len(outputs.dtypes) else None

    def join(self, name: str, left: Any, right: Any) -> None:
        """Keep the shape of a value that is one of two.

        Args:
            name: its name.
            left: the one.
            right: the other.
        """
        shape = self.of(left)
        self.joined.add(name)
        self.shapes[name] = shape if shape == self.of(right) else None
        dtypes = {value.dtype if isinstance(value, Tensor | Argument) else None for value in (left, right)}
        self.dtypes[name] = dtypes.pop() if len(dtypes) == 1 else None

    def tensor(self, name: str) -> Tensor:
        """Return a tensor with its shape and dtype.

        Args:
            name: its name.
        """
        return Tensor(name, self.dtypes.get(name), self.shapes.get(name))

    def shape(self, name: str) -> Shape | None:
        """Return the shape of a tensor, stored or computed.

        Args:
            name: its name.
        """
        weight = self._stored.get(name)
        return self.shapes.get(name) if weight is None else weight.shape

    def of(self, value: Any) -> Shape | None:
        """Return the shape of a value; None if it is no tensor, or its shape is not known.

        Args:
            value: the value.
        """
        if isinstance(value, Argument):
            return value.shape
        return self.shapes.get(value.name) if isinstance(value, Tensor) else None

    def result(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return the result of a call that shapes or numbers alone decide; else UNKNOWN.

        Args:
            name: the function.
            args: its arguments.
            kwargs: its named arguments.
        """
        if not args:
            return UNKNOWN
        if name in _OF_LISTS and isinstance(args[0], list) and args[0]:
            whole = all(type(item) in (int, float, bool) for item in args[0])
            return _OF_LISTS[name](args[0]) if whole else UNKNOWN
        if name in ("size", "dim", "ndimension", "numel", "len") and not isinstance(args[0], list | tuple):
            return asked(name, self.of(args[0]), args[1:])
        return number(name, [self._number(arg) for arg in args], kwargs)

    def _number(self, value: Any) -> Any:
        """Return the number that a constant holds, or the value itself."""
        if not isinstance(value, Argument) or value.shape or value.name not in self._constants:
            return value
        if value.name not in self._numbers:
            read = self._constants[value.name].values
            try:
                self._numbers[value.name] = UNKNOWN if read is None else read().item()
            except (ShapeInspectError, OSError, ValueError):
                self._numbers[value.name] = UNKNOWN
        return self._numbers[value.name]
