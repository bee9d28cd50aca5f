"""Lists the weights of a module: names, shapes, ties, layouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, product
from shapeinspect.ir import Layout, Quantization, Weight
from shapeinspect_torch.storages import address
from shapeinspect_torch.tensor_values import reader, whole
from shapeinspect_torch.tracing.wrappers import without_unnamed
from shapeinspect_torch.vocabulary.element_types import STORED_AS
from shapeinspect_torch.vocabulary.layouts import bind

#: How a weight was used in the forward: the nn class and role that this proves, and sizes.
Use = tuple[str, str, dict[str, int]]


def own_tensors(module: Any, deep: bool) -> Iterator[tuple[str, Any]]:
    """Yield the parameters and stored buffers that belong to a module's own row, with their roles.

    Args:
        module: a module or its copy.
        deep: whether the modules inside it have no row of their own.
    """
    yield from _registered(module, "")
    for name, child in module._modules.items():
        # A parametrization holds the tensors that the module's weight is computed from.
        if child is not None and (deep or name == "parametrizations"):
            for role, tensor in own_tensors(without_unnamed(child), deep=True):
                yield f"{name}.{role}", tensor


def _registered(module: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    skipped = module._non_persistent_buffers_set
    parameters = module._parameters.items()
    if hasattr(module, "_c"):
        parameters = [(name, _parameter(tensor)) for name, tensor in parameters]
    pairs = (*parameters, *((n, b) for n, b in module._buffers.items() if n not in skipped))
    yield from ((prefix + name, tensor) for name, tensor in pairs if tensor is not None)


def _parameter(tensor: Any) -> Any:
    """Return a script's parameter as one; in a deep copy of a script it is an ordinary tensor."""
    import torch

    if tensor is None or isinstance(tensor, torch.nn.Parameter):
        return tensor
    return torch.nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)


def weights_of(
    path: str,
    kind: str,
    attributes: Mapping[str, Any],
    pairs: list[tuple[str, Any, Any]],
    uses: Mapping[str, Use],
    ties: Mapping[int, str],
) -> tuple[Weight, ...]:
    """Return the weights of one row.

    Args:
        path: the module's path; empty for the model itself.
        kind: the nn class whose layouts apply; empty for none.
        attributes: the layer's attributes.
        pairs: role, the user's tensor, and the copy's.
        uses: the uses by functions that prove a layout, by the weight's name.
        ties: the storage key of each tied tensor of the user's, by ``id``.
    """
    return tuple(
        _weight(f"{path}.{role}" if path else role, role, kind, attributes, real, copy, uses, ties)
        for role, real, copy in pairs
    )


def _weight(
    name: str,
    role: str,
    kind: str,
    attributes: Mapping[str, Any],
    real: Any,
    copy: Any,
    uses: Mapping[str, Use],
    ties: Mapping[int, str],
) -> Weight:
    import torch

    # A lazy weight has a shape only on the copy, after the forward.
    lazy = _is_lazy(real)
    shape = _lazy_shape(kind, role, attributes) if _is_lazy(copy) else tuple((copy if lazy else real).shape)
    length = product(shape)
    return Weight(
        name,
        role,
        shape,
        str(real.dtype).removeprefix("torch."),
        length * real.dtype.itemsize if isinstance(length, int) else None,
        isinstance(real, torch.nn.Parameter) and real.requires_grad,
        _layout(name, role, kind, attributes, shape, uses),
        storage=ties.get(id(real)),
        values=None if lazy or real.is_meta or whole(real) is None else reader(real),
        buffer=not isinstance(real, torch.nn.Parameter) and not real.is_quantized,
        quantization=_quantization(real),
    )


def _quantization(real: Any) -> Quantization | None:
    """Return how one of torch's own quantized tensors is quantized, or None."""
    import torch

    dtype = str(real.dtype).removeprefix("torch.")
    if not real.is_quantized or dtype not in STORED_AS:
        return None
    apart = real.qscheme() in (torch.per_channel_affine, torch.per_channel_affine_float_qparams)
    axis = real.q_per_channel_axis() if apart else None
    block = tuple(1 if index == axis else None for index in range(real.dim()))
    return Quantization("torch", STORED_AS[dtype], 8 * real.dtype.itemsize, block)


def _layout(
    name: str,
    role: str,
    kind: str,
    attributes: Mapping[str, Any],
    shape: tuple[Dim, ...],
    uses: Mapping[str, Use],
) -> Layout | None:
    if name in uses:
        kind, role, sizes = uses[name]
    else:
        groups = attributes.get("groups")
        sizes = {} if groups is None else {"g": groups}
    return bind(kind, role, len(shape), sizes) if kind else None


def _is_lazy(tensor: Any) -> bool:
    from torch.nn.parameter import is_lazy

    return bool(is_lazy(tensor))


def _lazy_shape(kind: str, role: str, attributes: Mapping[str, Any]) -> tuple[Dim, ...]:
    """Return the known part of a lazy weight's shape before its first call."""
    out = attributes.get("out_features", attributes.get("out_channels", UNKNOWN))
    if role == "bias" and out is not UNKNOWN:
        return (out,)
    if role != "weight" or out is UNKNOWN:
        return (UNKNOWN,)
    kernel = attributes.get("kernel_size", ())
    if kind.startswith("ConvTranspose"):
        return (UNKNOWN, out // attributes.get("groups", 1), *kernel)
    return (out, UNKNOWN, *kernel)


def ties(named: list[tuple[str, Any]]) -> dict[int, str]:
    """Return the storage key of every tensor that has more than one name: the first name.

    Args:
        named: every full name with its tensor, in order.
    """
    keys = [(name, tensor, _key(tensor)) for name, tensor in named]
    counts = Counter(key for _, _, key in keys)
    first: dict[Any, str] = {}
    for name, _, key in keys:
        first.setdefault(key, name)
    return {id(tensor): first[key] for _, tensor, key in keys if counts[key] > 1}


def _key(tensor: Any) -> Any:
    place = None if _is_lazy(tensor) or tensor.numel() == 0 else address(tensor)
    if place is None:
        return id(tensor)
    return (str(tensor.device), place, tensor.storage_offset(), tuple(tensor.shape), tensor.stride())
