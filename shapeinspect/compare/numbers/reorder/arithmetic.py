"""Numbers that one side has computed from the other's: a factor, a constant, a root."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from shapeinspect.compare.numbers.rounding import Same

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: The fewest numbers that prove a rule.
_FEWEST = 4


def changed(slot: str, left: Array, right: Array, same: Same) -> tuple[str, ...]:
    """Say by what rule one side's values follow from the other's.

    Args:
        slot: what the weight is to its layer.
        left: the values of the first model, in the common convention.
        right: those of the second one.
        same: tells whether two arrays hold the same numbers.

    Example:
        >>> import numpy as np
        >>> numbers = np.array([1.0, 2.0, 3.0, 5.0])
        >>> changed("weight", numbers, numbers + 1, np.allclose)
        ("B's are A's with 1 added", 'B = A + 1')
    """
    import numpy as np

    if left.size < _FEWEST or left.dtype.kind != "f" or right.dtype.kind != "f":
        return ()
    x, y = left.reshape(-1), right.reshape(-1)
    top = int(np.argmax(np.abs(x)))
    if (
        not (np.isfinite(x[top]) and np.isfinite(y[top]))
        or x[top] == 0
        or y[top] == 0
        or bool(np.all(x == x[0]))
    ):
        return ()
    factor, added = float(f"{y[top] / x[top]:.6g}"), float(f"{float(y[top]) - float(x[top]):.6g}")
    rules: list[tuple[str, str, Callable[[], Array]]] = [
        (f"times {factor:g}", f"A * {factor:g}", lambda: x * x.dtype.type(factor)),
        (f"with {added:g} added", f"A + {added:g}", lambda: x + x.dtype.type(added)),
    ]
    if slot == "variance" and bool(np.all(x > 0)) and bool(np.all(y > 0)):
        rules += [
            ("'s square roots: standard deviations", "np.sqrt(A)", lambda: np.sqrt(x)),
            ("squared: A has standard deviations", "np.square(A)", lambda: np.square(x)),
            ("inverted", "1 / A", lambda: 1 / x),
            ("'s inverse square roots", "1 / np.sqrt(A)", lambda: 1 / np.sqrt(x)),
        ]
    fitting = [(text, line) for text, line, make in rules if abs(factor - 1) > 0 and same(make(), y)]
    if len(fitting) != 1:
        return ()
    text, line = fitting[0]
    return (f"B's are A's{'' if text.startswith(chr(39)) else ' '}{text}", f"B = {line}")
