"""The values of small tensors with which a graph computes shapes, starting from ``shape_of``.

Contents are a length (a scalar) or a tuple of lengths in row-major order, whatever the tensor's rank. A
length is an int, an array of candidates, an expression of symbols or unknown; between a conversion to real
numbers and one back it is a float, or a product of a symbol and a factor.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import reduce
from itertools import accumulate
from math import prod
from typing import Any, TypeAlias

from shapeinspect.dims import UNKNOWN, Expr, Unknown, product, small
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.rules import Attributes, broadcast, output_shapes
from shapeinspect.rules.kinds.index import regrouped
from shapeinspect.rules.lengths import larger, never_negative, smaller
from shapeinspect.rules.rounding import Product, over, rounded, times, to_integer
from shapeinspect.rules.shape_targets import TARGETS
from shapeinspect.rules.tensor import Tensor

_Make: TypeAlias = "Callable[[Attributes, list[Tensor], Any], Tensor | None]"

#: A tensor with more values than this is not a shape.
MOST = 64


def contents(
    kind: str,
    attributes: Attributes,
    shapes: tuple[Any, ...],
    inputs: tuple[Any, ...],
    dtype: str | None = None,
) -> Any:
    """Return the values that a call computes from values, or None if they are unknown.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings.
        shapes: the shapes of the inputs.
        inputs: the contents of the inputs, None for those that are not known.
        dtype: the element type of what it makes, in numpy's spelling; None if that is not known.

    Example:
        >>> contents("shape_of", {"start": 1}, ((1, 3, 8),), (None,))
        (3, 8)
        >>> contents("index", {"axis": 0, "index": 1}, ((3,),), ((1, 3, 8),))
        3
    """
    first = shapes[0] if shapes else None
    if kind == "shape_of":
        return None if first is None else tuple(first[slice(attributes.get("start"), attributes.get("end"))])
    if kind == "reduce" and attributes.get("op") == "size":
        return None if first is None else product(first)
    make = _MAKERS.get(kind)
    if make is None:
        return None
    if kind in TARGETS and kind != "constant":
        inputs = inputs[:1]
    if len(inputs) > len(shapes) or (kind in ("elementwise", "concat") and len(inputs) != len(shapes)):
        return None
    given = [item for item in map(_tensor, inputs, shapes) if item is not None]
    if len(given) < len(inputs):
        return None
    try:
        if kind in ("elementwise", "cast"):
            outputs = _elementwise(attributes, given, dtype) if kind == "elementwise" else _cast(given, dtype)
        else:
            outputs = make(attributes, given, shapes)
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, ShapeMismatchError):
        return None  # a setting in a file may be anything, and a length one of many that are tried at once
    if outputs is None or len(outputs.flat) > MOST:
        return None
    if kind in ("elementwise", "reduce") and not all(map(_within_limits, outputs.flat)):
        return None
    return outputs.flat if outputs.shape else outputs.flat[0]


def cut(numbers: Any, outputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values of each output of a split of a list of numbers; none where they are not known.

    Args:
        numbers: the contents that are split.
        outputs: the shapes of the pieces.

    Example:
        >>> cut((1, 3, 8), ((1,), (2,)))
        ((1,), (3, 8))
    """
    lengths = [shape[0] if shape is not None and len(shape) == 1 else None for shape in outputs]
    whole = [length for length in lengths if isinstance(length, int)]
    if not isinstance(numbers, tuple) or len(whole) < len(lengths) or sum(whole) != len(numbers):
        return ()
    ends = list(accumulate(whole))
    return tuple(numbers[end - length : end] for end, length in zip(ends, whole, strict=True))


def _within_limits(length: Any) -> bool:
    return not isinstance(length, int | Expr) or small(length)


def _tensor(numbers: Any, shape: Any) -> Tensor | None:
    """Return contents with their shape; None if either is unknown, or they do not match."""
    if numbers is None or shape is None:
        return None
    entries = numbers if isinstance(numbers, tuple) else (numbers,)
    if not all(isinstance(n, int) for n in shape) or len(entries) != product(shape):
        return None
    return Tensor(tuple(shape), entries)


def _known_numbers(tensor: Tensor) -> tuple[int, ...]:
    """Return the numbers of a tensor, all of which must be known."""
    if not all(isinstance(entry, int) for entry in tensor.flat):
        raise ValueError("the numbers are not known")
    return tensor.flat


def _index(attributes: Attributes, given: list[Tensor], _shapes: Any) -> Tensor:
    axis = attributes["axis"] % len(given[0].shape)
    result = given[0].select(axis, (attributes["index"],))
    return Tensor((*result.shape[:axis], *result.shape[axis + 1 :]), result.flat)


def _gather(attributes: Attributes, given: list[Tensor], _shapes: Any) -> Tensor:
    axis = attributes.get("axis", 0) % len(given[0].shape)
    result = given[0].select(axis, _known_numbers(given[1]))
    return Tensor((*result.shape[:axis], *given[1].shape, *result.shape[axis + 1 :]), result.flat)


def _slice(attributes: Attributes, given: list[Tensor], _shapes: Any) -> Tensor:
    values, starts, ends = given[0], attributes["starts"], attributes["ends"]
    axes = attributes.get("axes") or range(len(starts))
    steps = attributes.get("steps") or (1,) * len(starts)
    if "sizes" in attributes:
        pairs = zip(starts, attributes["sizes"], strict=True)
        ends = tuple(None if size == -1 else start + size for start, size in pairs)
    for axis, *bounds in zip(axes, starts, ends, steps, strict=True):
        if not all(bound is None or isinstance(bound, int) for bound in bounds):
            raise ValueError("the bounds are not known")
        values = values.select(axis, range(values.shape[axis])[slice(*bounds)])
    if "dropped" in attributes or "inserted" in attributes:
        lengths: Any = regrouped(values.shape, attributes)
        return Tensor(lengths, values.flat)
    return values


def _stack(attributes: Attributes, given: list[Tensor], _shapes: Any) -> Tensor:
    if any(tensor.shape for tensor in given) or attributes.get("axis", 0) not in (0, -1):
        raise ValueError("only single numbers are stacked")
    return Tensor((len(given),), tuple(tensor.flat[0] for tensor in given))


def _concat(attributes: Attributes, given: list[Tensor], _shapes: Any) -> Tensor:
    axis = attributes.get("axis", 0)
    return reduce(lambda a, b: a.joined(b, axis), given)


def _keep(_attributes: Attributes, given: list[Tensor], _shapes: Any) -> Tensor:
    return given[0]


def _activation(attributes: Attributes, given: list[Tensor], _shapes: Any) -> Tensor | None:
    """Return what is not below 0 for a relu; of an expression that is so already, itself."""
    if attributes.get("function") != "relu":
        return None

    def above(n: Any) -> Any:
        if isinstance(n, int | float):
            return max(n, type(n)(0))
        return n if isinstance(n, Expr) and never_negative(n) else UNKNOWN

    return Tensor(given[0].shape, tuple(map(above, given[0].flat)))


def _is_whole(dtype: str | None) -> bool:
    return dtype is not None and dtype.lstrip("u").startswith("int")


def _cast(given: list[Tensor], dtype: str | None) -> Tensor:
    """Convert between integers and real numbers; lengths are far below the integers that lose digits."""
    entries = given[0].flat
    if _is_whole(dtype):
        entries = tuple(int(n) if isinstance(n, int | float) else to_integer(n) for n in entries)
    elif dtype is not None and dtype.startswith("float"):
        entries = tuple(_converted(n, dtype) for n in entries)
    elif dtype == "bool":
        entries = tuple(bool(n) if isinstance(n, int | float) else UNKNOWN for n in entries)
    return Tensor(given[0].shape, entries)


def _converted(number: Any, dtype: str) -> Any:
    if isinstance(number, float):
        return rounded(number, dtype)
    return UNKNOWN if isinstance(number, Product) and number.dtype != dtype else number


def _shaped(kind: str) -> _Make:
    """Return the function that rearranges the axes of contents like the kind's rule."""

    def make(attributes: Attributes, given: list[Tensor], shapes: Any) -> Tensor:
        outputs: Any = output_shapes(kind, attributes, shapes[:1])[0]
        if prod(outputs) > MOST:
            raise ValueError("too many numbers")
        return given[0].spread(outputs) if kind == "expand" else Tensor(outputs, given[0].flat)

    return make


def _permute(attributes: Attributes, given: list[Tensor], _shapes: Any) -> Tensor:
    return given[0].moved(attributes["axes"])


def _filled(attributes: Attributes, given: list[Tensor], _shapes: Any) -> Tensor | None:
    if attributes.get("op") == "range":
        start, limit, delta = (_known_numbers(item)[0] for item in given)
        numbers = range(start, limit, delta)
        return Tensor((len(numbers),), tuple(numbers)) if len(numbers) <= MOST else None
    shape, fill = tuple(attributes["shape"]), attributes["fill"]
    if not all(isinstance(n, int) for n in shape) or prod(shape) > MOST:
        return None
    return Tensor(shape, (fill,) * prod(shape))


def _fold(work: Callable[[Any, Any], Any], empty: Any) -> Callable[[list[Any]], Any]:
    def fold(entries: list[Any]) -> Any:
        if not entries:
            return empty
        total = entries[0]
        for entry in entries[1:]:
            total = work(total, entry)
            if not _within_limits(total):
                return UNKNOWN
        return total

    return fold


_REDUCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "sum": _fold(lambda a, b: a + b, 0),
    "prod": _fold(lambda a, b: a * b, 1),
    "max": _fold(larger, None),
    "min": _fold(smaller, None),
}


def _reduce(attributes: Attributes, given: list[Tensor], _shapes: Any) -> Tensor | None:
    work, values, axes = _REDUCTIONS.get(attributes.get("op", "")), given[0], attributes.get("axes")
    if work is None or len(values.shape) > 1 or not (axes is None or axes in ((0,), (-1,), 0, -1)):
        return None
    shape = (1,) * len(values.shape) if attributes.get("keepdims") else ()
    return Tensor(shape, (work(list(values.flat)),))


def _divide(a: Any, b: Any) -> Any:
    """Divide integers; floor and truncation agree if neither is negative."""
    if isinstance(a, int) and isinstance(b, int) and b:
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return a // b if _is_divisor(b) and _counts(a) else UNKNOWN


def _is_divisor(b: Any) -> bool:
    """Tell whether a number is above 0, or at least where the graph can divide by it."""
    return isinstance(b, int | Expr) and b != 0 and never_negative(b)


def _floor_divide(a: Any, b: Any) -> Any:
    return a // b if isinstance(b, int) and b else UNKNOWN


def _modulo(a: Any, b: Any) -> Any:
    """Return the remainder that has the divisor's sign, as that of ONNX without ``fmod``."""
    return a % b if _is_divisor(b) else UNKNOWN


def _counts(a: Any) -> bool:
    return never_negative(a) if isinstance(a, int | Expr | Unknown) else bool((a >= 0).all())


def _of_numbers(work: Callable[..., bool]) -> Callable[..., Any]:
    """Return what compares numbers, and leaves open what depends on symbols."""

    def compare(*entries: Any) -> Any:
        return work(*entries) if all(isinstance(entry, int | float) for entry in entries) else UNKNOWN

    return compare


def _equal(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if not isinstance(a - b, int | Expr):
        return UNKNOWN
    apart = never_negative(a - b - 1) or never_negative(b - a - 1)
    return True if a == b else False if apart else UNKNOWN


def _where(condition: Any, a: Any, b: Any) -> Any:
    if isinstance(condition, int):
        return a if condition else b
    same = isinstance(a, int | Expr) and isinstance(b, int | Expr) and a == b
    return a if same else UNKNOWN


_OPS: dict[str, tuple[int, Callable[..., Any]]] = {
    "add": (2, lambda a, b: a + b),
    "sub": (2, lambda a, b: a - b),
    "mul": (2, lambda a, b: a * b),
    "div": (2, _divide),
    "floor_div": (2, _floor_divide),
    "mod": (2, _modulo),
    "max": (2, larger),
    "min": (2, smaller),
    "maximum": (2, larger),
    "minimum": (2, smaller),
    "equal": (2, _equal),
    "not": (1, _of_numbers(operator.not_)),
    "and": (2, _of_numbers(lambda a, b: bool(a and b))),
    "or": (2, _of_numbers(lambda a, b: bool(a or b))),
    "xor": (2, _of_numbers(lambda a, b: bool(a) != bool(b))),
    "less": (2, _of_numbers(operator.lt)),
    "greater": (2, _of_numbers(operator.gt)),
    "lessorequal": (2, _of_numbers(operator.le)),
    "greaterorequal": (2, _of_numbers(operator.ge)),
    "where": (3, _where),
    "neg": (1, lambda a: -a),
}


def _real(work: Callable[[float, float], float]) -> Callable[[Any, Any, str], Any]:
    """Compute with numbers alone, rounded to the type of the result, and with expressions of integers."""

    def compute(a: Any, b: Any, dtype: str) -> Any:
        if isinstance(a, int | float) and isinstance(b, int | float):
            return rounded(work(a, b), dtype)
        a, b = (int(n) if isinstance(n, float) and n.is_integer() else n for n in (a, b))
        return work(a, b) if all(isinstance(n, int | Expr) for n in (a, b)) else UNKNOWN

    return compute


#: What is computed with real numbers, each with the type of its result.
_REAL_OPS: dict[str, tuple[int, Callable[..., Any]]] = {
    "add": (2, _real(operator.add)),
    "sub": (2, _real(operator.sub)),
    "mul": (2, times),
    "div": (2, over),
    "max": (2, _real(larger)),
    "min": (2, _real(smaller)),
    "floor": (1, lambda a, _: to_integer(a)),
    "ceil": (1, lambda a, _: to_integer(a, up=True)),
    "round": (
        1,
        lambda a, _: float(round(a)) if isinstance(a, float) else UNKNOWN if isinstance(a, Product) else a,
    ),
    "sqrt": (1, lambda a, dtype: rounded(math.sqrt(a), dtype) if isinstance(a, int | float) else UNKNOWN),
    "neg": (1, lambda a, _: -a if isinstance(a, int | float | Expr) else UNKNOWN),
    "where": (3, lambda condition, a, b, _: _where(condition, a, b)),
}


def _elementwise(attributes: Attributes, given: list[Tensor], dtype: str | None) -> Tensor | None:
    """Compute entry by entry: with real numbers where the result is one, or of unknown type."""
    op = attributes.get("op", "")
    real = dtype is not None and dtype.startswith("float")
    count, work = (_REAL_OPS if real else _OPS).get(op, (0, None))
    if work is None or len(given) != count or (op == "div" and dtype is None):
        return None
    if not real and any(isinstance(n, float | Product) for item in given for n in item.flat):
        return None
    shape: Any = given[0].shape
    for entry in given[1:]:
        shape = broadcast(shape, entry.shape)
    lined = [item.spread(shape).flat for item in given]
    more = (dtype,) if real else ()
    return Tensor(shape, tuple(work(*entries, *more) for entries in zip(*lined, strict=True)))


_MAKERS: dict[str, _Make] = {
    "index": _index,
    "gather": _gather,
    "slice": _slice,
    "concat": _concat,
    "stack": _stack,
    "identity": _keep,
    "cast": _keep,
    "elementwise": _keep,
    "activation": _activation,
    "permute": _permute,
    "reduce": _reduce,
    "constant": _filled,
    **{kind: _shaped(kind) for kind in ("expand", "flatten", "reshape", "squeeze", "unsqueeze")},
}
