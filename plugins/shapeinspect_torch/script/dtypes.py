"""Which tensors of a forward hold integers and which truth values, as far as the code proves it.

An index of integers picks as many entries as it has; one of truth values as many as are true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shapeinspect_torch.script.values import Tensor
from shapeinspect_torch.vocabulary.aten import Argument

_BOOLS: Final = frozenset({
    "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "logical_not", "isnan",
    "isinf", "isfinite", "isclose", "isin", "any", "all", "bool", "isneginf", "isposinf", "isreal",
    "signbit",
})  # fmt: skip
_INTEGERS: Final = frozenset({
    "argmax", "argmin", "argsort", "nonzero", "argwhere", "searchsorted", "bucketize", "one_hot", "long",
    "int", "count_nonzero", "randperm", "randint", "tril_indices", "triu_indices", "bincount",
    "multinomial",
})  # fmt: skip
#: Functions whose second output is indices.
_WITH_INDICES: Final = frozenset({
    "sort", "topk", "max", "min", "median", "nanmedian", "mode", "kthvalue", "cummax", "cummin",
})  # fmt: skip
#: Functions whose result has the numbers of their tensors, or sums and products of these.
_KEEPING: Final = frozenset({
    "view", "reshape", "flatten", "permute", "transpose", "t", "unsqueeze", "squeeze", "slice", "select",
    "expand", "expand_as", "cat", "stack", "repeat", "tile", "split", "chunk", "unbind", "unflatten",
    "movedim", "clone", "detach", "contiguous", "flip", "roll", "narrow", "meshgrid", "diagonal", "tril",
    "triu", "clamp", "clamp_min", "clamp_max", "add", "sub", "rsub", "mul", "floor_divide", "remainder",
    "abs", "neg", "maximum", "minimum", "alias", "masked_fill", "bitwise_and", "bitwise_or", "bitwise_not",
    "bitwise_xor", "__and__", "__or__", "repeat_interleave", "broadcast_to", "new_zeros", "new_ones",
    "zeros_like", "ones_like", "unfold", "ravel",
})  # fmt: skip
#: Functions of which the first tensor alone counts.
_OF_FIRST: Final = frozenset({"index_select", "gather", "index", "cumsum", "scatter", "index_fill", "take"})
#: Source: ``c10/core/ScalarType.h``, ``AT_FORALL_SCALAR_TYPES_WITH_COMPLEX_AND_QINTS``.
_CODES: Final[Mapping[Any, str]] = {1: "int8", 2: "int16", 3: "int32", 4: "int64", 11: "bool"}
_KNOWN: Final = frozenset({"int8", "int16", "int32", "int64", "bool"})


def dtypes_of(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], tensors: Sequence[Tensor | Argument]
) -> tuple[str | None, ...]:
    """Return the dtypes of a call's outputs: integers and truth values; None for what is not proved.

    Args:
        name: the function.
        args: its arguments.
        kwargs: its named arguments.
        tensors: the tensors among both.

    Example:
        >>> dtypes_of("gt", [Tensor("x"), 0], {}, [Tensor("x")]), dtypes_of("arange", [7], {}, [])
        (('bool',), ('int64',))
    """
    name = name if name.startswith("__") else name.rstrip("_")
    asked = kwargs.get("dtype")
    if name == "to":
        codes = [arg for arg in args[1:3] if type(arg) is int]
        if asked is None and not codes:
            return (tensors[0].dtype if tensors else None,) if len(args) < 3 else (None,)
        return (_CODES.get(codes[0] if asked is None else asked),)
    if asked is not None:
        return (_CODES.get(asked),)
    if name in _BOOLS:
        return ("bool",)
    if name in _INTEGERS:
        return ("int64",)
    if name == "arange":
        return ("int64" if args and all(type(arg) is int or arg is None for arg in args) else None,)
    if name in ("tensor", "as_tensor") and args:
        return (_of_numbers(args[0]),)
    if name in _WITH_INDICES and len(args) > 1 and not isinstance(args[1], Tensor | Argument):
        return (tensors[0].dtype, "int64") if tensors else (None, "int64")
    if name == "where" and len(args) == 3:
        return (_common(args[1:]),)
    if name in _OF_FIRST and tensors:
        return (tensors[0].dtype,)
    if name in _KEEPING:
        numbers = [arg for arg in args if type(arg) is float]
        kept = _common([*tensors, *numbers])
        return (kept,) * 64 if name in ("split", "chunk", "unbind", "meshgrid") else (kept,)
    return ()


def _of_numbers(value: Any) -> str | None:
    while isinstance(value, list) and value:
        if len({type(item) for item in value}) > 1:
            return None
        value = value[0]
    return {bool: "bool", int: "int64"}.get(type(value))


def _common(parts: Sequence[Any]) -> str | None:
    """Return the dtype that integers and truth values have together."""
    found = [part.dtype if isinstance(part, Tensor | Argument) else _of_numbers(part) for part in parts]
    if not found or any(dtype not in _KNOWN for dtype in found):
        return None
    return "bool" if set(found) == {"bool"} else "int64"


def indexed(value: Any) -> bool:
    """Tell whether every tensor of an index is known to hold integers, or truth values.

    Args:
        value: the second argument of ``torch.index``.

    Example:
        >>> indexed([None, Tensor("i", "int64", (3,))]), indexed([Tensor("mask")])
        (True, False)
    """
    parts = value if isinstance(value, list | tuple) else [value]
    return all(part is None or getattr(part, "dtype", None) in _KNOWN for part in parts)
