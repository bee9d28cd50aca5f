"""Which tensors each kind of layer keeps for the reverse pass, a row a kind; a kind without a row is unknown.

Source: https://github.com/pytorch/pytorch/blob/main/tools/autograd/derivatives.yaml names what each function
saves; for functions made of others, those are looked up. In training mode and on a CPU: other devices have
kernels of their own for dropout, attention and recurrent layers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from shapeinspect.backward.attention import attention
from shapeinspect.backward.losses import loss
from shapeinspect.backward.recurrent import gru, rnn
from shapeinspect.backward.site import Kept, Site
from shapeinspect.backward.tensors import Tensor, elements, packed, reshaped
from shapeinspect.dims import UNKNOWN, Dim

#: Whose rules these are.
RULES: Final = "as PyTorch keeps it on a CPU in training mode"
Row: TypeAlias = "Callable[[Site], Kept]"


def _nothing(_site: Site) -> Kept:
    return ()


def _input(site: Site) -> Kept:
    return None if site.input is None else (site.input,)


def _output(site: Site) -> Kept:
    return site.outputs[:1]


def _both(site: Site) -> Kept:
    return None if site.input is None else (site.input, *site.outputs[:1])


def _statistics(site: Site, count: Dim) -> tuple[Tensor, ...]:
    """Return the mean and the inverse deviation that a normalization keeps."""
    item = site.outputs[0].item
    return tuple(site.new(part, count * item) for part in ("mean", "deviation"))


def _conv(site: Site) -> Kept:
    tensor, mode = site.input, site.attributes.get("padding_mode", "zeros")
    if tensor is None or tensor.shape is None:
        return None
    sides = _padding(site, tensor)
    if sides is None:
        return None
    if mode == "zeros":
        sides = [(max(before, after) - min(before, after), 0) for before, after in sides]
    elif mode not in _KEEPING_PADS:
        return None
    if all(side == (0, 0) for side in sides):
        return (tensor,)
    # A copy is padded first: on one side what the other side has less of, and everything that is no zero.
    spatial = len(tensor.shape) - len(sides)
    lengths = [
        length + before + after for length, (before, after) in zip(tensor.shape[spatial:], sides, strict=True)
    ]
    padded = site.new("padded", elements((*tensor.shape[:spatial], *lengths)) * tensor.item)
    return (padded, tensor) if mode != "zeros" and tensor.grad else (padded,)


#: Ways of padding that read their input again in the reverse pass.
_KEEPING_PADS = ("reflect", "replicate")


def _padding(site: Site, tensor: Tensor) -> list[tuple[int, int]] | None:
    """Return what is added before and after each spatial axis; None where it is not known."""
    padding, kernel = site.attributes.get("padding", ()), site.attributes.get("kernel_size")
    if padding == "valid":
        return []
    if padding == "same":
        if not isinstance(kernel, tuple):
            return None
        dilation = site.attributes.get("dilation") or (1,) * len(kernel)
        sums = [step * (length - 1) for length, step in zip(kernel, dilation, strict=True)]
        return [(whole // 2, whole - whole // 2) for whole in sums]
    if not isinstance(padding, tuple) or len(padding) > len(tensor.shape or ()):
        return None
    return [side if isinstance(side, tuple) else (side, side) for side in padding]


def _linear(site: Site) -> Kept:
    tensor = site.input
    if tensor is None or tensor.shape is None:
        return None
    flat = (elements(tensor.shape[:-1]), tensor.shape[-1])
    return _used(site, (tensor if len(tensor.shape) < 3 else reshaped(tensor, flat, f"{site.name}:rows"),))


def _used(site: Site, kept: tuple[Tensor, ...]) -> Kept:
    """Return what only the gradient of parameters needs; nothing where these are not trained."""
    return None if site.params is None else kept if site.params else ()


def _embedding(site: Site) -> Kept:
    return None if site.input is None else _used(site, (site.input,))


def _matmul(site: Site) -> Kept:
    if len(site.inputs) != 2 or site.params:
        return None
    a, b = site.inputs
    if a is None or b is None or a.shape is None or b.shape is None:
        return None
    ranks = len(a.shape), len(b.shape)
    if min(ranks) < 2:
        return None
    if ranks == (2, 2):
        pair = (a, b)
    elif ranks[1] == 2:
        pair = (reshaped(a, (elements(a.shape[:-1]), a.shape[-1]), f"{site.name}:a"), b)
    elif a.shape[:-2] == b.shape[:-2]:
        batch = elements(a.shape[:-2])
        pair = (
            reshaped(a, (batch, *a.shape[-2:]), f"{site.name}:a"),
            reshaped(b, (batch, *b.shape[-2:]), f"{site.name}:b"),
        )
    else:
        return None
    return tuple(tensor for tensor, other in zip(pair, reversed(pair), strict=True) if other.grad)


def _batch_norm(site: Site) -> Kept:
    tensor = site.input
    axis = site.attributes.get("axis", 1)
    if tensor is None or tensor.shape is None or not isinstance(axis, int) or tensor.item < 4:
        return None
    return (tensor, *_statistics(site, tensor.shape[axis]))


def _layer_norm(site: Site) -> Kept:
    tensor = site.input
    if tensor is None or tensor.shape is None or tensor.item < 4:
        return None
    axes = site.attributes.get("axis", -1)
    axes = axes if isinstance(axes, tuple) else (axes,)
    if sorted(axis % len(tensor.shape) for axis in axes) != list(
        range(len(tensor.shape) - len(axes), len(tensor.shape))
    ):
        return None
    return (tensor, *_statistics(site, elements(tensor.shape[: len(tensor.shape) - len(axes)])))


def _group_norm(site: Site) -> Kept:
    tensor, groups = site.input, site.attributes.get("num_groups")
    if tensor is None or tensor.shape is None or not isinstance(groups, int) or tensor.item < 4:
        return None
    if tensor.contiguous is not True:
        return None
    return (tensor, *_statistics(site, tensor.shape[0] * groups))


def _max_pool(site: Site) -> Kept:
    if not _even(site):
        return None
    indices = elements(site.outputs[0].shape or (UNKNOWN,)) * 8
    return None if site.input is None else (site.input, site.new("indices", indices))


def _avg_pool(site: Site) -> Kept:
    return _input(site) if _even(site) else None


def _even(site: Site) -> bool:
    """Tell whether as much is padded before as behind: otherwise something is padded first."""
    padding = site.attributes.get("padding") or ()
    if isinstance(padding, str):
        return padding == "valid"
    return all(isinstance(side, int) or len(set(side)) == 1 for side in padding)


def _adaptive_avg_pool(site: Site) -> Kept:
    size = site.attributes.get("output_size")
    sizes = size if isinstance(size, tuple) else (size,)
    if all(length == 1 for length in sizes):
        return ()  # it is computed as a mean
    return _input(site)


def _dropout(site: Site) -> Kept:
    tensor, rate = site.input, site.attributes.get("rate")
    if tensor is None or tensor.shape is None or "stddev" in site.attributes or rate is None:
        return None
    if rate == 0:
        return ()
    if re.search(r"feature|spatial", site.type, re.IGNORECASE):
        return None
    shape = tensor.shape[:2] if re.search(r"\d[dD]$", site.type) else tensor.shape
    return (site.new("mask", elements(shape) * tensor.item),)


#: Functions of one number that keep what they read, what they return, and nothing.
_READ = frozenset(
    {
        *("gelu", "silu", "mish", "hardswish", "hardsigmoid", "hardtanh", "relu6", "softplus", "softshrink"),
        *("hardshrink", "threshold", "abs", "log", "log2", "log10", "log1p", "sin", "cos", "erf", "square"),
        "clamp",
    }
)
_RETURNED = frozenset({"relu", "sigmoid", "tanh", "exp", "sqrt", "rsqrt", "reciprocal"})
_NEITHER = frozenset({"linear", "identity", "neg", "add", "sub"})


def _function(site: Site) -> Kept:
    # leaky_relu, elu and their like keep what they read, but where they overwrite it, what they return.
    name = site.attributes.get("function")
    if name in ("log_sigmoid", "logsigmoid"):
        return None if site.input is None else (site.input, site.new("buffer", site.input.own_bytes))
    if name in _READ:
        return _input(site)
    if name == "tanhshrink":  # the input less its tanh, which is kept
        return (site.new("tanh", site.outputs[0].own_bytes),)
    return _output(site) if name in _RETURNED else () if name in _NEITHER else None


def _elementwise(site: Site) -> Kept:
    op = site.attributes.get("op")
    if op in ("add", "sub", "neg"):
        return ()
    tensors = [tensor for tensor in site.inputs if tensor is not None]
    if op in ("where", "masked_fill"):
        masks = tensors[0 if op == "where" else 1 :][:1]
        return tuple(masks) if masks and masks[0].item == 1 and not site.params else None
    number = "operand" in site.attributes
    if site.params and len(tensors) == 1 and not number:
        tensors.append(Tensor("", 0, (), (), tensors[0].item, grad=True))
    if len(tensors) == 1:
        return _of_one(site, tensors[0], str(op), number)
    if len(tensors) == 2 and len({tensor.item for tensor in tensors}) == 1:
        a, b = tensors
        if op == "mul":
            return (*((b,) if a.grad else ()), *((a,) if b.grad else ()))
        if op in ("maximum", "minimum"):
            return (a, b)
        # Which of the two comes first is not known of a parameter.
        if op == "div" and not site.params:
            return (a, b) if b.grad else (b,)
    return None


def _of_one(site: Site, tensor: Tensor, op: str, number: bool) -> Kept:
    if number and op in ("mul", "div"):
        # A quotient of a number keeps its divisor: which of the two is the number, the settings do not say.
        return () if op == "mul" or "__r" not in site.type else None
    if op == "pow":
        return (tensor,) if number else None
    if number:
        return None
    if op in _READ:
        return (tensor,)
    return site.outputs[:1] if op in _RETURNED else None


def _reduce(site: Site) -> Kept:
    op = str(site.attributes.get("op"))
    if op in ("amax", "amin"):
        if len(site.outputs) == 2:  # the greatest along one axis with its position
            return site.outputs[1:]
        return _both(site) if site.type.endswith(op) else None
    if op in ("prod", "std", "logsumexp"):
        return _both(site)
    return _input(site) if op == "var" else () if op in ("mean", "sum") else None


def _rms_norm(site: Site) -> Kept:
    tensor, axes = site.input, site.attributes.get("axis", -1)
    if (
        tensor is None
        or tensor.shape is None
        or tensor.item < 4
        or (isinstance(axes, tuple) and len(axes) > 1)
    ):
        return None
    deviation = site.new("deviation", elements(tensor.shape[:-1]) * tensor.item)
    normalized = site.new("normalized", tensor.own_bytes)
    return (tensor, deviation, *((normalized,) if site.params else ()))


def _instance_norm(site: Site) -> Kept:
    tensor = site.input
    if tensor is None or tensor.shape is None or tensor.item < 4 or not tensor.contiguous:
        return None
    count = elements(tensor.shape[:2])
    scale = (site.new("scale", count * tensor.item),) if site.params else ()
    return (tensor, *_statistics(site, count), *scale)


def _top(site: Site) -> Kept:
    return site.outputs[1:] if len(site.outputs) == 2 else None


def _softmax(site: Site) -> Kept:
    plain = site.attributes.get("beta", 1) == 1 and not site.attributes.get("negated")
    return _output(site) if plain and "umbel" not in site.type else None


def _pad(site: Site) -> Kept:
    mode = site.attributes.get("mode", "constant")
    return () if mode == "constant" else _input(site) if mode in ("reflect", "replicate") else None


def _unary(site: Site) -> Kept:
    return () if re.search(r"(cumsum|flip|fliplr|flipud|roll|tri[lu])_?$", site.type) else None


_ROWS: dict[str, Row] = {
    **dict.fromkeys(
        (
            *("flatten", "reshape", "unflatten", "permute", "transpose2", "movedim", "squeeze", "unsqueeze"),
            *("concat", "stack", "split", "unstack", "expand", "tile", "slice", "index", "identity"),
            *("resize", "pixel_shuffle", "pixel_unshuffle", "argmax", "one_hot", "shape_of", "constant"),
            *("input", "output", "module"),
        ),
        _nothing,
    ),
    "conv": _conv,
    "conv_transpose": _conv,
    "linear": _linear,
    "matmul": _matmul,
    "embedding": _embedding,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "rms_norm": _rms_norm,
    "instance_norm": _instance_norm,
    "topk": _top,
    "max_pool": _max_pool,
    "adaptive_max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "adaptive_avg_pool": _adaptive_avg_pool,
    "dropout": _dropout,
    "attention": attention,
    "gru": gru,
    "rnn": rnn,
    "loss": loss,
    "activation": _function,
    "prelu": _input,
    "glu": _input,
    "softmax": _softmax,
    "elementwise": _elementwise,
    "reduce": _reduce,
    "pad": _pad,
    "unary": _unary,
}  # fmt: skip


def kept(kind: str, site: Site) -> Kept:
    """Return the tensors that a call keeps; None where that is not known.

    Args:
        kind: the kind of the layer.
        site: the call.

    Example:
        >>> x = Tensor("x", 24, (2, 3), (3, 1), 4, grad=True)
        >>> y = replace(x, storage="y")
        >>> relu = Site("relu", "ReLU", {"function": "relu"}, (x,), (y,), params=False)
        >>> [tensor.storage for tensor in kept("activation", relu) or ()]
        ['y']
    """
    row = _ROWS.get(kind)
    if row is None or not site.outputs:
        return None
    found = row(site)
    inside = site.attributes.get("activation")
    if found is None or inside in (None, "linear") or kind == "activation":
        return found
    # A function inside of a layer reads what the layer would return without it.
    between = replace(
        site.outputs[0], storage=f"{site.name}:between", strides=packed(site.outputs[0].shape or ())
    )
    more = _function(replace(site, attributes={"function": inside}, inputs=(between,)))
    return None if more is None else (*found, *more)
