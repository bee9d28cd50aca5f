"""The numbers of small tensors that TorchScript's code computes from lengths, in the tensors' own precision.

Code that scales a picture to a shortest side puts its lengths into a tensor of 32 bits and divides there: the
new lengths are those of these quotients, which differ from exact ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from shapeinspect.dims import UNKNOWN
from shapeinspect_torch.script.lengths import CONVERSIONS
from shapeinspect_torch.script.values import Tensor

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: How many numbers a tensor may have whose numbers are kept.
_MOST = 64
#: Source: ``c10/core/ScalarType.h``, ``AT_FORALL_SCALAR_TYPES_WITH_COMPLEX_AND_QINTS``.
_CODES: Final[Mapping[Any, str]] = {4: "int64", 6: "float32", 7: "float64", None: "float32"}
#: The functions that NumPy has as well, with its names for them: of two tensors, and of one.
_PAIRS: Final[Mapping[str, str]] = {
    "add": "add", "sub": "subtract", "mul": "multiply", "div": "divide", "min": "minimum", "max": "maximum",
    "minimum": "minimum", "maximum": "maximum",
}  # fmt: skip
_SINGLE: Final[Mapping[str, str]] = {
    "min": "min", "max": "max", "reciprocal": "reciprocal", "neg": "negative", "abs": "abs", "floor": "floor",
    "ceil": "ceil", "round": "round", "sqrt": "sqrt",
}  # fmt: skip
#: Those of them whose result is real, also for whole numbers.
_REAL: Final = frozenset({"div", "reciprocal", "sqrt"})
#: Those whose second argument counts only if it is a tensor: a number is an axis.
_OF_TENSORS: Final = frozenset({"min", "max"})
_KEEPING: Final = frozenset({"detach", "clone", "contiguous", "alias"})


class Contents:
    """Keeps the numbers of tensors, by name.

    Example:
        >>> kept = Contents()
        >>> kept.keep("sides", kept.computed("tensor", [[30, 50]], {}))
        >>> kept.keep("short", kept.computed("min", [Tensor("sides")], {}))
        >>> kept.keep("real", kept.computed("to", [Tensor("short"), 6], {}))
        >>> kept.keep("scale", kept.computed("reciprocal", [Tensor("real")], {}))
        >>> kept.number("item", [Tensor("scale")])
        0.03333333507180214
    """

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}

    def number(self, name: str, args: Sequence[Any]) -> Any:
        """Return the number that a function takes out of a tensor; UNKNOWN where that is not known.

        Args:
            name: the function.
            args: its arguments.
        """
        array = self._array(args[0]) if len(args) == 1 and name in CONVERSIONS else None
        if array is None or array.size != 1:
            return UNKNOWN
        try:
            return CONVERSIONS[name](array.item())
        except (ArithmeticError, ValueError):  # no integer is infinite
            return UNKNOWN

    def computed(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Array | None:
        """Return the numbers of a call's output; None where those of its inputs are not known.

        Args:
            name: the function.
            args: its arguments.
            kwargs: its named arguments.
        """
        if name in ("tensor", "as_tensor") and args:
            return _of_numbers(args[0], kwargs.get("dtype"))
        first = self._array(args[0]) if args and not kwargs else None
        if first is None:
            return None
        if name in _KEEPING and len(args) == 1:
            return first
        import numpy as np

        with np.errstate(all="ignore"):
            if name == "to":
                return _converted(first, args[1]) if len(args) == 2 else None
            if len(args) == 1 and name in _SINGLE:
                dtype = _real(first.dtype) if name in _REAL else first.dtype
                return np.asarray(getattr(np, _SINGLE[name])(first.astype(dtype))).astype(dtype)
            return self._of_pair(name, first, args[1]) if len(args) == 2 and name in _PAIRS else None

    def keep(self, name: str, array: Array) -> None:
        """Keep the numbers of a tensor, if they are few.

        Args:
            name: the tensor's name.
            array: the numbers.
        """
        if array.size <= _MOST:
            self._arrays[name] = array

    def clear(self) -> None:
        """Forget all numbers, where code runs any number of times."""
        self._arrays.clear()

    def forget(self, name: str, parts: Iterable[Any]) -> None:
        """Forget all numbers once a function writes to a tensor that is known: others may share its memory.

        Args:
            name: the function.
            parts: the tensors among its arguments.
        """
        if (
            name.endswith("_")
            and not name.startswith("__")
            and any(self._array(p) is not None for p in parts)
        ):
            self._arrays.clear()

    def _array(self, value: Any) -> Array | None:
        return self._arrays.get(value.name) if isinstance(value, Tensor) else None

    def _of_pair(self, name: str, first: Array, other: Any) -> Array | None:
        second = self._array(other)
        if second is None and name not in _OF_TENSORS:
            second = _of_numbers(other, None if type(other) is int else 7)
        if second is None:
            return None
        import numpy as np

        dtype = _common(first, second, isinstance(other, Tensor))
        dtype = _real(dtype) if name in _REAL else dtype
        return np.asarray(getattr(np, _PAIRS[name])(first.astype(dtype), second.astype(dtype)))


def _converted(array: Array, code: Any) -> Array | None:
    import numpy as np

    if type(code) is not int or code not in _CODES or not np.isfinite(array).all():
        return None
    return array.astype(_CODES[code])


def _of_numbers(value: Any, dtype: Any) -> Array | None:
    """Return a new tensor of a number, or of a list of numbers."""
    import numpy as np

    items = value if isinstance(value, list) else [value]
    types = {type(item) for item in items}
    if not items or len(items) > _MOST or not types <= {int, float} or dtype not in _CODES:
        return None
    if any(isinstance(item, int) and abs(item) >= 2**63 for item in items):
        return None
    return np.asarray(value, "int64" if dtype is None and types == {int} else _CODES[dtype])


def _real(dtype: Any) -> Any:
    """Return the type of a quotient: torch's default one for whole numbers."""
    import numpy as np

    return dtype if dtype.kind == "f" else np.dtype("float32")


def _common(first: Array, second: Array, tensor: bool) -> Any:
    """Return the type in which torch computes with two tensors, or with a tensor and a number.

    Source: https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc (a number, and a
        tensor without axes, count only where they are of a higher category).
    """
    import numpy as np

    left, right = first.dtype, second.dtype
    if not tensor:
        return _real(left) if right.kind == "f" else left
    if (first.ndim == 0) == (second.ndim == 0) or left.kind == right.kind == "i":
        return (
            np.promote_types(left, right) if left.kind == right.kind else left if left.kind == "f" else right
        )
    whole, single = (left, right) if second.ndim == 0 else (right, left)
    return whole if whole.kind == "f" or single.kind == "i" else single
