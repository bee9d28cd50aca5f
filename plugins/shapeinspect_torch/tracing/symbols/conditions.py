"""torch's conditions on symbols, computed for many sizes at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


def holding(guards: Sequence[Any], names: Mapping[Any, str]) -> Callable[[Mapping[str, Any]], Any] | None:
    """Return the function that tells for which lengths all conditions hold.

    Args:
        guards: sympy's expressions, each true or false.
        names: the name of each length, by its symbol.

    Returns:
        the function, from the name of each length and its numbers to truth values; None if a condition
        has a symbol of another kind, such as a number that a tensor holds.
    """
    plain = [guard for guard in dict.fromkeys(guards) if getattr(guard, "free_symbols", None)]
    if any(guard.free_symbols - set(names) for guard in plain):
        return None

    def holds(lengths: Mapping[str, Any]) -> Any:
        from torch.utils._sympy.interp import sympy_interp

        arrays = [np.asarray(lengths[name], dtype=np.int64) for name in names.values()]
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        left = [np.broadcast_to(array, shape).ravel() for array in arrays]
        alive = np.arange(left[0].size)
        with np.errstate(all="ignore"):
            for guard in plain:
                known = {symbol: array[alive] for symbol, array in zip(names, left, strict=True)}
                true = np.asarray(sympy_interp(_Numbers, known, guard), dtype=bool)
                alive = alive[np.broadcast_to(true, alive.shape)]
                if not alive.size:
                    break
        result = np.zeros(left[0].size, dtype=bool)
        result[alive] = True
        return result.reshape(shape)

    return holds


class _Numbers:
    """What torch's expressions are made of, on arrays."""

    eq = staticmethod(np.equal)
    ne = staticmethod(np.not_equal)
    lt = staticmethod(np.less)
    gt = staticmethod(np.greater)
    le = staticmethod(np.less_equal)
    ge = staticmethod(np.greater_equal)
    and_ = staticmethod(np.logical_and)
    or_ = staticmethod(np.logical_or)
    not_ = staticmethod(np.logical_not)
    add = staticmethod(np.add)
    sub = staticmethod(np.subtract)
    mul = staticmethod(np.multiply)
    mod = staticmethod(np.mod)
    python_mod = staticmethod(np.mod)
    floordiv = staticmethod(np.floor_divide)
    truediv = staticmethod(np.true_divide)
    int_truediv = staticmethod(np.true_divide)
    pow = staticmethod(np.power)
    pow_by_natural = staticmethod(np.power)
    minimum = staticmethod(np.minimum)
    maximum = staticmethod(np.maximum)
    abs = staticmethod(np.abs)
    neg = staticmethod(np.negative)
    sqrt = staticmethod(np.sqrt)
    log = staticmethod(np.log)
    log2 = staticmethod(np.log2)
    exp = staticmethod(np.exp)

    @staticmethod
    def constant(value: Any, _dtype: Any) -> Any:
        """Return a number of an expression, which sympy has as an object of its own."""
        if isinstance(value, bool) or value in (True, False):
            return np.asarray(bool(value)) if not hasattr(value, "is_integer") else np.asarray(int(value))
        return np.asarray(int(value) if getattr(value, "is_integer", False) else float(value))

    @staticmethod
    def to_dtype(value: Any, dtype: Any) -> Any:
        """Return a number as an integer or as a float."""
        return value.astype(np.float64 if dtype.is_floating_point else np.int64)

    @staticmethod
    def trunc_to_int(value: Any, _dtype: Any) -> Any:
        """Return a number without its fraction."""
        return np.trunc(value).astype(np.int64)

    @staticmethod
    def ceil_to_int(value: Any, _dtype: Any) -> Any:
        """Return the next integer above."""
        return np.ceil(value).astype(np.int64)

    @staticmethod
    def floor_to_int(value: Any, _dtype: Any) -> Any:
        """Return the next integer below."""
        return np.floor(value).astype(np.int64)

    @staticmethod
    def round_to_int(value: Any, _dtype: Any) -> Any:
        """Return the nearest integer, the even one of two."""
        return np.rint(value).astype(np.int64)
