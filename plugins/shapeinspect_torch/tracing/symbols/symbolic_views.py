"""Functions on tensors whose lengths are symbols that torch computes slowly or for one length only.

torch looks for a reshape through all ways of splitting lengths, and its ``max_pool1d`` takes numbers only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_RESHAPES = frozenset({"view", "reshape", "flatten", "unflatten", "view_as", "reshape_as"})


def pooled(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the output of a 1-D maximum pool, as a 2-D one computes it; None for any other function.

    Args:
        name: the function.
        args: positional arguments, as ``torch.max_pool1d`` takes them.
        kwargs: named arguments.
    """
    import torch

    if name != "max_pool1d" or len(args) < 2 or args[0].dim() not in (2, 3):
        return None
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    given = {
        **dict(zip(names, args[1:], strict=False)),
        **{key: kwargs[key] for key in names if key in kwargs},
    }
    ceil = bool(given.pop("ceil_mode", False))
    flat = {
        key: [1 if key in ("kernel_size", "stride", "dilation") else 0, *_one(value)]
        for key, value in given.items()
        if value is not None and list(_one(value))
    }
    return torch.nn.functional.max_pool2d(args[0].unsqueeze(-2), ceil_mode=ceil, **flat).squeeze(-2)


def multiplied(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the output of a linear layer, whose input torch would reshape; None for any other function.

    Args:
        name: the function.
        args: positional arguments.
        kwargs: named arguments.

    Raises:
        RuntimeError: if the input has another number of features.
    """
    import torch

    if name != "linear" or len(args) < 2 or args[0].dim() < 2 or args[1].dim() != 2:
        return None
    tensor, matrix = args[:2]
    bias = args[2] if len(args) > 2 else kwargs.get("bias")
    if tensor.dtype != matrix.dtype or (bias is not None and bias.shape != matrix.shape[:1]):
        return None
    if tensor.shape[-1] != matrix.shape[1]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied (K={tensor.shape[-1]} and {matrix.shape})"
        )
    return torch.empty((*tensor.shape[:-1], matrix.shape[0]), dtype=tensor.dtype, device="meta")


def _one(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def reshaped(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the output of a reshape; None for any other function, and where torch has to compute it.

    Args:
        name: the function.
        args: positional arguments.
        kwargs: named arguments.

    Raises:
        RuntimeError: if the numbers of elements differ, as torch says it.
    """
    import torch

    if name not in _RESHAPES or not args or not isinstance(args[0], torch.Tensor) or not args[0].is_meta:
        return None
    tensor = args[0]
    target = _target(name, tensor, args[1:], kwargs)
    if target is None:
        return None
    if not _lies_in_order(tensor) and ("view" in name or not _is_copied(tensor, target)):
        return None
    return torch.empty(_filled(tensor, target), dtype=tensor.dtype, device="meta")


def _target(name: str, tensor: Any, rest: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any] | None:
    """Return the lengths that are asked for, -1 where one is to be inferred."""
    import torch

    if name == "flatten":
        start, end = (*rest, *(kwargs.get(key, default) for key, default in _ENDS[len(rest) :]))
        start, end = start % tensor.dim(), end % tensor.dim()
        shape = list(tensor.shape)
        return (
            [*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]] if start <= end else None
        )
    if kwargs or not rest:
        return None
    if name == "unflatten":
        axis = rest[0] % tensor.dim() if isinstance(rest[0], int) and len(rest) == 2 else None
        if axis is None:
            return None
        parts = list(rest[1])
        known = math.prod(part for part in parts if not _is_rest(part))
        parts = [tensor.shape[axis] // known if _is_rest(part) else part for part in parts]
        return [*tensor.shape[:axis], *parts, *tensor.shape[axis + 1 :]]
    if name.endswith("_as"):
        return list(rest[0].shape)
    if isinstance(rest[0], torch.dtype):
        return None
    return list(rest[0]) if isinstance(rest[0], list | tuple) else list(rest)


_ENDS = (("start_dim", 0), ("end_dim", -1))


def _is_rest(length: Any) -> bool:
    return isinstance(length, int) and length == -1


def _filled(tensor: Any, target: Sequence[Any]) -> list[Any]:
    count, known = tensor.numel(), math.prod(n for n in target if not _is_rest(n))
    shape = list(target)
    if any(map(_is_rest, target)):
        if known == 0 or count % known != 0:
            raise RuntimeError(f"shape '{shape}' is invalid for input of size {count}")
        return [count // known if _is_rest(n) else n for n in target]
    if count != known:
        raise RuntimeError(f"shape '{shape}' is invalid for input of size {count}")
    return shape


def _lies_in_order(tensor: Any) -> bool:
    """Tell whether a tensor's elements lie one after another at every size, which its strides spell out."""
    expected: Any = 1
    for length, stride in zip(reversed(tensor.shape), reversed(tensor.stride()), strict=True):
        if not _same(length, 1) and not _same(stride, expected):
            return False
        expected = expected * length
    return True


def _same(one: Any, other: Any) -> bool:
    """Tell whether two lengths are the same expression; nothing is decided by their numbers."""
    return bool(_expression(one) == _expression(other))


def _expression(length: Any) -> Any:
    return length.node.expr if hasattr(length, "node") else length


def _is_copied(tensor: Any, target: Sequence[Any]) -> bool:
    """Tell whether a reshape copies, as it does here; axes of length 1 are decided about first."""
    import torch

    for length in (*tensor.shape, *target):
        if hasattr(length, "node") and length == 1:
            return False
    sizes, strides, wanted = ([_hint(n) for n in part] for part in (tensor.shape, tensor.stride(), target))
    if any(n is None for part in (sizes, strides, wanted) for n in part):
        return False
    twin = torch.empty_strided(sizes, strides, dtype=tensor.dtype, device="meta")
    try:
        twin.view(wanted)
    except (RuntimeError, ValueError):  # as torch's two shape functions of a view raise
        return True
    return False


def _hint(length: Any) -> int | None:
    hint: int | None = length.node.hint if hasattr(length, "node") else length
    return hint
