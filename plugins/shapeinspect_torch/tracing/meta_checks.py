"""Checks that torch makes on real tensors only, and functions that meta tensors lack.

Without them a run on meta tensors would pass where the real one fails, and a fix that does not work
would be reported as tried.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TRANSPOSED = re.compile(r"conv_transpose(?P<space>[123])d")
#: Functions whose tensors all have one dtype, and how many of their arguments that concerns.
_ONE_DTYPE = {
    "linear": 2, "matmul": 2, "__matmul__": 2, "mm": 2, "bmm": 2, "addmm": 3, "baddbmm": 3,
    **{f"conv{n}d": 2 for n in (1, 2, 3)}, **{f"conv_transpose{n}d": 2 for n in (1, 2, 3)},
}  # fmt: skip
_CLASSES = frozenset(("cross_entropy", "nll_loss"))
_LIKE_OUTPUTS = frozenset(("binary_cross_entropy",))


class OtherTypeError(RuntimeError):
    """A tensor has another dtype than the function takes.

    Args:
        operand: which of its arguments.
        wants: the dtype that it takes.
        has: the dtype that the tensor has.
    """

    def __init__(self, operand: int, wants: str, has: str) -> None:
        self.operand, self.wants, self.has = operand, wants, has
        super().__init__(f"expected dtype {wants}, but got {has}")


def refuse(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Raise for shapes that only torch's real kernels refuse.

    Args:
        name: the function's own name.
        args: positional arguments.
        kwargs: named arguments.

    Returns:
        The outputs of the function, where torch has no shape function for it; else None.

    Raises:
        RuntimeError: if the shapes do not fit.

    Source: ``aten/src/ATen/native/Convolution.cpp``, ``check_shape_forward``; ``LossCTC.cpp``,
    ``ctc_loss_allocate_outputs``; ``UpSample.h``, ``upsample_2d_common_check``.
    """
    if (transposed := _TRANSPOSED.fullmatch(name)) and len(args) > 1:
        channels = (
            args[0].shape[-1 - int(transposed["space"])] if args[0].dim() > int(transposed["space"]) else None
        )
        if channels is not None and channels != args[1].shape[0]:
            raise RuntimeError(
                f"expected input to have {args[1].shape[0]} channels, but got {channels} channels instead"
            )
    if name == "interpolate":
        _resize(args, kwargs)
    if name == "ctc_loss":
        return _ctc(args, kwargs)
    return None


def _resize(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    named = {**dict(zip(("input", "size", "scale_factor", "mode"), args, strict=False)), **kwargs}
    if named.get("mode") == "area":  # an adaptive pool, which may give nothing
        return
    space, size, factor = named["input"].shape[2:], named.get("size"), named.get("scale_factor")
    if size is None:
        factors = factor if isinstance(factor, (list, tuple)) else (factor,) * len(space)
        size = [int(n * f) if isinstance(n, int) else n * f for n, f in zip(space, factors, strict=False)]
    for length in size if isinstance(size, (list, tuple)) else (size,):
        if length < 1:
            raise RuntimeError(f"Input and output sizes should be greater than 0, but got {size}")


def _ctc(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    named = dict(zip(("log_probs", "targets", "input_lengths", "target_lengths"), args, strict=False))
    named.update(kwargs)
    scores = named["log_probs"]
    batch = scores.shape[1] if scores.dim() == 3 else 1
    for key in ("input_lengths", "target_lengths"):
        lengths = named[key]
        count = lengths.numel() if hasattr(lengths, "numel") else len(lengths)
        if count != batch:
            raise RuntimeError(f"{key} must be of size batch_size")
    none = named.get("reduction", args[5] if len(args) > 5 else "mean") == "none"
    return scores.new_empty((batch,) if none and scores.dim() == 3 else ())


def refuse_types(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise for dtypes that only torch's real kernels refuse.

    Args:
        name: the function's own name.
        args: positional arguments.
        kwargs: named arguments.

    Raises:
        OtherTypeError: if a tensor has another dtype than the function takes.
    """
    import torch

    if torch.is_autocast_enabled() or torch.is_autocast_enabled("cpu"):
        return
    if name in _ONE_DTYPE:
        operands = args[: _ONE_DTYPE[name]]
        _one_dtype(operands if all(hasattr(operand, "dtype") for operand in operands) else ())
    target: Any = args[1] if len(args) > 1 else kwargs.get("target")
    if not args or not hasattr(args[0], "dtype") or not hasattr(target, "dtype"):
        return
    shares = target.is_floating_point() and target.shape == args[0].shape
    if name in _CLASSES and target.dtype not in (torch.int64, torch.uint8) and not shares:
        raise OtherTypeError(1, "int64", _name(target))
    if name in _LIKE_OUTPUTS and target.dtype != args[0].dtype:
        raise OtherTypeError(1, _name(args[0]), _name(target))


def _one_dtype(operands: tuple[Any, ...]) -> None:
    if len({operand.dtype for operand in operands}) < 2:
        return
    # The weight decides; without one, the first floating-point tensor.
    wants = next((operand for operand in operands if type(operand).__name__ == "Parameter"), None)
    wants = (
        wants
        if wants is not None
        else next((operand for operand in operands if operand.is_floating_point()), operands[0])
    )
    for index, operand in enumerate(operands):
        if operand.dtype != wants.dtype:
            raise OtherTypeError(index, _name(wants), _name(operand))


def _name(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")
