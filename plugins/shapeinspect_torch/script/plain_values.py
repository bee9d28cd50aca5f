"""What the code computes with numbers, texts, None and the lengths of lists alone."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect_torch.vocabulary.aten import Argument

#: Functions of plain numbers that decide conditions.
NUMBERS: Mapping[str, Callable[..., Any]] = {
    "gt": operator.gt, "lt": operator.lt, "ge": operator.ge, "le": operator.le, "eq": operator.eq,
    "ne": operator.ne, "add": operator.add, "sub": operator.sub, "mul": operator.mul, "neg": operator.neg,
    "floordiv": operator.floordiv, "remainder": operator.mod, "__not__": operator.not_,
    "__and__": operator.and_, "__or__": operator.or_,
    "__range_length": lambda start, end, step: len(range(start, end, step)),
    "__derive_index": lambda position, start, step: start + position * step,
}  # fmt: skip


def compute(name: str, args: list[Any]) -> Any:
    """Return the result of a function of plain numbers; UNKNOWN where an argument is unknown.

    Args:
        name: the function's name.
        args: its arguments.

    Example:
        >>> compute("add", [2, 3]), compute("gt", [UNKNOWN, 3])
        (5, ?)
    """
    if any(type(arg) not in (int, float, bool, str) for arg in args):
        return UNKNOWN
    if any(type(arg) is str for arg in args) and name not in ("eq", "ne"):
        return UNKNOWN
    try:
        value = NUMBERS[name](*args)
    except (ArithmeticError, TypeError, ValueError):
        return UNKNOWN
    return UNKNOWN if type(value) is int and abs(value) > 2**63 else value


def extreme(name: str, args: Sequence[Any]) -> Any:
    """Return the least or the greatest of numbers; UNKNOWN where one is unknown.

    Args:
        name: ``min`` or ``max``.
        args: the numbers, or one list of them.

    Example:
        >>> extreme("min", [[9, 4, 7]]), extreme("max", [3, 5]), extreme("max", [3, UNKNOWN])
        (4, 5, ?)
    """
    numbers = args[0] if len(args) == 1 and isinstance(args[0], list) else args
    if not numbers or any(type(number) not in (int, float, bool) for number in numbers):
        return UNKNOWN
    return min(numbers) if name == "min" else max(numbers)


def identical(left: Any, right: Any) -> Any:
    """Compare two values with ``is`` where one of them is None; UNKNOWN where that cannot be decided.

    Args:
        left: a value.
        right: another value.

    Example:
        >>> identical(None, 3), identical(None, None)
        (False, True)
    """
    if left is None or right is None:
        value = right if left is None else left
        return UNKNOWN if value is UNKNOWN else value is None
    return UNKNOWN


def counted(value: Any) -> Any:
    """Return the length of a list or text, or of a stored tensor, which it has until something is assigned.

    Args:
        value: the list, the text or the tensor.

    Example:
        >>> counted([3, 5]), counted("avg"), counted(Argument("state", (0,), None)), counted(3)
        (2, 3, 0, ?)
    """
    if isinstance(value, list | tuple) or (isinstance(value, str) and "\\" not in value):
        return len(value)
    if isinstance(value, Argument) and value.shape and isinstance(value.shape[0], int):
        return value.shape[0]
    return UNKNOWN
