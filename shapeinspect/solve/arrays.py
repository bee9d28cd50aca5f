"""Kinds whose rules also work on arrays of lengths, and the checks that their rules make on integers only.

A rule refuses integers only; the conditions for arrays are stated here, once for each family.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from shapeinspect.rules import RULES

Array: TypeAlias = "np.ndarray[Any, Any]"
_Made: TypeAlias = "tuple[tuple[Any, ...], ...]"

_KEEP = frozenset({"dropout", "identity", "cast", "unary", "quantize", "dequantize", "softmax", "prelu"})
_WINDOWS = frozenset(
    {
        *("conv", "conv_transpose", "separable_conv", "local_conv", "max_pool", "avg_pool", "lp_pool"),
        *("resize", "batch_norm"),
    }
)
_FREE = frozenset(
    {
        "global_avg_pool",
        "global_max_pool",
        "adaptive_avg_pool",
        "adaptive_max_pool",
        "permute",
        "flatten",
        "reduce",
    }
)


def run_fast(kind: str, attributes: Any, inputs: tuple[tuple[Any, ...], ...]) -> tuple[_Made, Any] | None:
    """Run a rule on arrays, if it accepts them for these inputs.

    Args:
        kind: a name of the vocabulary.
        attributes: the layer's settings, integers only.
        inputs: the input shapes, each length an int or an array of candidates.

    Returns:
        the output shapes and which candidates fit; None if the rule must be run for each candidate.
    """
    if not any(isinstance(n, np.ndarray) for shape in inputs for n in shape):
        return None
    if "signature" in attributes or "further_outputs" in attributes:
        return None
    if kind in _KEEP or (kind == "activation" and attributes.get("function") != "glu"):
        return inputs[:1], np.True_
    check = _always if kind == "matmul" else _CHECKS.get(kind)
    if check is None or not check(attributes, inputs):
        return None
    if kind == "elementwise":
        stretched = _stretched(inputs)
        return None if stretched is None else ((stretched,), np.True_)
    if kind == "matmul":
        return _multiplied(attributes, inputs)
    if kind == "concat":
        return _concat(attributes.get("axis", 0), inputs)
    try:
        outputs: Any = RULES[kind].outputs(attributes, inputs)
    except Exception:  # noqa: BLE001  # run for each candidate, the rule gives the reason
        return None
    if any(shape is None or any(not isinstance(n, int | np.ndarray) for n in shape) for shape in outputs):
        return None
    fits: Any = np.True_
    if kind in _WINDOWS:
        for n in (n for shape in outputs for n in shape if isinstance(n, np.ndarray)):
            fits = fits & (n >= 1)
    return outputs, fits


def _varies(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _always(_attributes: Any, _inputs: Any) -> bool:
    return True


def _channels_fixed(attributes: Any, inputs: Any) -> bool:
    shape = inputs[0]
    last = attributes.get("data_format") == "channels_last"
    kernel = attributes.get("kernel_size")
    rank = len(shape) - 2 if not isinstance(kernel, tuple | list) else len(kernel)
    index = len(shape) - 1 if last else len(shape) - 1 - rank
    return 0 <= index < len(shape) and not _varies(shape[index])


def _normed(attributes: Any, inputs: Any) -> bool:
    shape, axis = inputs[0], attributes.get("axis", 1)
    return (
        len(shape) >= 2
        and isinstance(axis, int)
        and -len(shape) <= axis < len(shape)
        and not _varies(shape[axis])
    )


def _last_fixed(_attributes: Any, inputs: Any) -> bool:
    return bool(inputs[0]) and not _varies(inputs[0][-1])


def _stretched(inputs: Any) -> tuple[Any, ...] | None:
    """Return the broadcast shape; None unless all lengths of an axis other than 1 are certainly equal."""
    rank = max(map(len, inputs))
    out = []
    for axis in range(-rank, 0):
        lengths = [shape[axis] for shape in inputs if len(shape) >= -axis]
        wide = [n for n in lengths if _varies(n) or n != 1]
        if not all(_equal(wide[:1], [n]) for n in wide[1:]):
            return None
        out.append(wide[0] if wide else 1)
    return tuple(out)


def _equal(left: Any, right: Any) -> bool:
    return len(left) == len(right) and all(
        a is b or (type(a) is type(b) and bool(np.array_equal(a, b)))
        for a, b in zip(left, right, strict=True)
    )


def _joinable(attributes: Any, inputs: Any) -> bool:
    rank, axis = len(inputs[0]), attributes.get("axis", 0)
    return isinstance(axis, int) and -rank <= axis < rank and all(len(shape) == rank for shape in inputs)


def _concat(axis: int, inputs: tuple[tuple[Any, ...], ...]) -> tuple[_Made, Any]:
    """Add up the lengths on the concat axis; all other axes must be equal."""
    joined = axis % len(inputs[0])
    fits: Any = np.True_
    for shape in inputs[1:]:
        for index, (a, b) in enumerate(zip(inputs[0], shape, strict=True)):
            if index != joined and a is not b:
                fits = fits & (np.asarray(a) == b)
    total = sum(shape[joined] for shape in inputs)
    return ((*inputs[0][:joined], total, *inputs[0][joined + 1 :]),), fits


def _moved(attributes: Any, _inputs: Any) -> bool:
    return attributes.get("axes") is not None or "axis0" in attributes


def _whole_axes(attributes: Any, inputs: Any) -> bool:
    """Tell whether the axis that is taken apart has one length for all candidates."""
    shape, axis = inputs[0], attributes.get("axis", 0)
    return isinstance(axis, int) and -len(shape) <= axis < len(shape) and not _varies(shape[axis])


def _named_axes_fixed(attributes: Any, inputs: Any) -> bool:
    """Tell whether all axes that are named have one length for all candidates."""
    shape, axes = inputs[0], attributes.get("axes")
    return isinstance(axes, tuple) and all(
        isinstance(axis, int) and -len(shape) <= axis < len(shape) and not _varies(shape[axis])
        for axis in axes
    )


def _multiplied(attributes: Any, inputs: Any) -> tuple[_Made, Any] | None:
    """Multiply matrices; the inner lengths have to be equal."""
    if (
        len(inputs) != 2
        or min(map(len, inputs)) < 2
        or attributes.get("trans_a")
        or attributes.get("trans_b")
    ):
        return None
    left, right = inputs
    batch = _stretched((left[:-2], right[:-2])) if len(left) > 2 or len(right) > 2 else ()
    if batch is None:
        return None
    return ((*batch, left[-2], right[-1]),), np.asarray(left[-1]) == right[-2]


def reshaped(attributes: Any, inputs: tuple[tuple[Any, ...], ...]) -> tuple[_Made, Any] | None:
    """Reshape for all candidates at once, where the target may hold arrays as well.

    Args:
        attributes: the settings of a reshape.
        inputs: the shapes of its inputs, ints and arrays.

    Returns:
        the output shapes and which candidates fit; None if the rule must be run for each candidate.
    """
    target, copies = attributes.get("shape"), bool(attributes.get("zero_copies"))
    if not isinstance(target, tuple) or "batch_kept" in attributes or not inputs or not inputs[0]:
        return None
    if not any(map(_varies, (*inputs[0], *target))):
        return None
    shape, asked = inputs[0], []
    fits: Any = np.True_
    for axis, length in enumerate(target):
        if _varies(length):
            if int(length.min()) < 0 or (copies and axis >= len(shape)):
                return None
            length = np.where(length == 0, shape[axis], length) if copies else length  # noqa: PLW2901  # the same length
        elif not isinstance(length, int) or (copies and length == 0 and axis >= len(shape)):
            return None
        elif copies and length == 0:
            length = shape[axis]  # noqa: PLW2901  # the same length
        asked.append(length)
    holes = [axis for axis, length in enumerate(asked) if not _varies(length) and length == -1]
    total: Any = math.prod(shape)
    rest: Any = math.prod(length for axis, length in enumerate(asked) if axis not in holes)
    if len(holes) > 1 or np.any(np.asarray(total) == 0):
        return None
    if not holes:
        return (tuple(asked),), fits & (np.asarray(total) == rest)
    safe = np.maximum(rest, 1)
    fits = fits & (np.asarray(rest) > 0) & (np.asarray(total) % safe == 0)
    length = total // safe
    asked[holes[0]] = length if _varies(length) else int(length)
    return (tuple(asked),), fits


#: When each kind's rule may be run on arrays.
_CHECKS: dict[str, Callable[[Any, Any], bool]] = {
    **dict.fromkeys(_WINDOWS | _FREE, _always),
    **dict.fromkeys(("conv", "conv_transpose", "separable_conv", "local_conv"), _channels_fixed),
    "batch_norm": _normed,
    "linear": _last_fixed,
    "permute": _moved,
    "concat": _joinable,
    "elementwise": _always,
    "shape_of": _always,
    "squeeze": _named_axes_fixed,
    "slice": _named_axes_fixed,
    "unsqueeze": _always,
    "index": _whole_axes,
    "split": _whole_axes,
}
