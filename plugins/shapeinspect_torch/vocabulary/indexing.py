"""``x[key]`` in the vocabulary: slices, indices, new axes and gathers, in sequence."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

_MASKS = ("torch.bool", "torch.uint8", "bool", "uint8")


@dataclass(frozen=True, slots=True)
class IndexStep:
    """One step of an index.

    Args:
        kind: ``slice``, ``index``, ``unsqueeze``, ``gather`` or ``identity``; ``unknown`` for what no kind
            describes, a mask or several tensors.
        attributes: the settings of the kind.
        tensors: the tensors (or lists) of positions that the step reads.
    """

    kind: str
    attributes: dict[str, Any] = field(default_factory=dict)
    tensors: tuple[Any, ...] = ()


def index_steps(key: Any, rank: int) -> tuple[IndexStep, ...]:
    """Decompose an index into steps that give the same result in sequence.

    torch cuts, drops and adds axes first and looks up positions last, so a number beside a tensor
    drops its axis, where NumPy would broadcast it.

    Args:
        key: the index expression.
        rank: how many axes the tensor has.

    Raises:
        IndexError: if there are more indices than axes.
        TypeError: if an index is nothing that torch takes.

    Source: "Tensor Indexing API" of torch and ``applySlicing`` in ``aten/src/ATen/TensorIndexing.h``.

    Example:
        >>> [(step.kind, step.attributes) for step in index_steps((0, slice(None), None, slice(1, 3)), 3)]
        [('slice', {'axes': (2,), 'starts': (1,), 'ends': (3,), 'steps': (1,)}),
         ('index', {'axis': 0, 'index': 0}), ('unsqueeze', {'axes': (1,)})]
    """
    parts = _spread(key, rank)
    if any(_is_mask(part) for part in parts):
        return (IndexStep("unknown", {}, tuple(part for part in parts if _is_tensor(part))),)
    steps = tuple(_steps(parts))
    return steps or (IndexStep("identity"),)


def _spread(key: Any, rank: int) -> list[Any]:
    """Return one part for each axis, and None for each new one."""
    parts = list(key) if isinstance(key, tuple) else [key]
    used = sum(part is not None and part is not Ellipsis and not isinstance(part, bool) for part in parts)
    dots = [index for index, part in enumerate(parts) if part is Ellipsis]
    if not dots:
        dots = [len(parts)]
        parts.append(Ellipsis)
    if len(dots) > 1 or (used > rank and not any(_is_mask(part) for part in parts)):
        raise IndexError("too many indices")
    parts[dots[0] : dots[0] + 1] = [slice(None)] * max(rank - used, 0)
    return parts


def _steps(parts: list[Any]) -> Iterator[IndexStep]:
    old = [part for part in parts if part is not None]
    cuts = [(axis, part) for axis, part in enumerate(old) if isinstance(part, slice) and part != slice(None)]
    if cuts:
        yield IndexStep(
            "slice",
            {
                "axes": tuple(axis for axis, _ in cuts),
                "starts": tuple(_number(part.start, 0) for _, part in cuts),
                "ends": tuple(_number(part.stop, None) for _, part in cuts),
                "steps": tuple(_number(part.step, 1) for _, part in cuts),
            },
        )
    numbers = [(axis, part) for axis, part in enumerate(old) if _is_number(part)]
    for axis, part in reversed(numbers):  # from the last, so that the others keep their positions
        yield IndexStep("index", {"axis": axis, "index": operator.index(part)})
    left = [part for part in parts if part is None or not _is_number(part)]
    added = tuple(axis for axis, part in enumerate(left) if part is None)
    if added:
        yield IndexStep("unsqueeze", {"axes": added})
    tensors = [(axis, part) for axis, part in enumerate(left) if _is_tensor(part)]
    if len(tensors) == 1:
        yield IndexStep("gather", {"axis": tensors[0][0]}, (tensors[0][1],))
    elif tensors:
        yield IndexStep("unknown", {}, tuple(part for _, part in tensors))


def _number(value: Any, default: int | None) -> int | None:
    return default if value is None else operator.index(value)


def _is_tensor(part: Any) -> bool:
    # A whole number of NumPy has a dtype, too.
    has_dtype = hasattr(part, "dtype") and not isinstance(part, Integral)
    return has_dtype or isinstance(part, (list, range))


def _is_number(part: Any) -> bool:
    if _is_tensor(part) or isinstance(part, slice):
        return False
    operator.index(part)  # raises TypeError for anything else
    return True


def _is_mask(part: Any) -> bool:
    if isinstance(part, (list, tuple)) and part:
        return _is_mask(part[0])
    return isinstance(part, bool) or str(getattr(part, "dtype", "")) in _MASKS
