"""The functions that TorchScript's code calls, in terms of the vocabulary; some return no tensor."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect_torch.vocabulary.aten import Described, describe_op
from shapeinspect_torch.vocabulary.functions import describe_call, plain_name

_POOL = "self kernel_size stride padding dilation ceil_mode"
_AVERAGE = "self kernel_size stride padding ceil_mode count_include_pad divisor_override"
_STACK = "input hx params has_biases num_layers dropout train bidirectional batch_first"

#: The names of arguments, in order, where they differ from torch's function of that name.
#: Source: ``aten/src/ATen/native/native_functions.yaml``.
_POSITIONAL: dict[str, str] = {
    "_convolution": "input weight bias stride padding dilation transposed output_padding groups",
    **{f"max_pool{n}d": _POOL for n in (1, 2, 3)},
    **{f"avg_pool{n}d": _AVERAGE for n in (1, 2, 3)},
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _STACK),
    "batch_norm": "input weight bias running_mean running_var training momentum eps",
    "instance_norm": "input weight bias running_mean running_var use_input_stats momentum eps",
    "layer_norm": "input normalized_shape weight bias eps",
    "group_norm": "input num_groups weight bias eps",
    "embedding": "weight indices padding_idx scale_grad_by_freq sparse",
    "embedding_bag": "weight indices offsets scale_grad_by_freq mode sparse per_sample_weights "
    "include_last_offset padding_idx",
    **dict.fromkeys(
        ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"), "input hx w_ih w_hh b_ih b_hh"
    ),
    "tensordot": "self other dims_self dims_other",
    "im2col": "self kernel_size dilation padding stride",
    "col2im": "self output_size kernel_size dilation padding stride",
    "norm": "self p dim keepdim",
    "baddbmm": "self batch1 batch2",
    "view": "self size",
    "reshape": "self shape",
    "expand": "self size",
    "repeat": "self repeats",
    "slice": "self dim start end step",
    "narrow": "self dim start length",
    "index": "self indices",
    "unflatten": "self dim sizes",
    "constant_pad_nd": "self pad value",
    **{f"reflection_pad{n}d": "self padding" for n in (1, 2, 3)},
    **{f"replication_pad{n}d": "self padding" for n in (1, 2, 3)},
    **dict.fromkeys(
        ("upsample_linear1d", "upsample_bilinear2d", "upsample_bicubic2d", "upsample_trilinear3d"),
        "self output_size align_corners scale_factors",
    ),
    **{f"upsample_nearest{n}d": "self output_size scale_factors" for n in (1, 2, 3)},
    "split": "self split_size dim",
    "split_with_sizes": "self split_sizes dim",
    **dict.fromkeys(
        ("to", "dropout", "dropout_", "contiguous", "clone", "detach", "zeros", "ones", "full", "arange",
         "empty", "zeros_like", "ones_like", "rand", "randn", "linspace", "eye", "unfold", "rot90", "addmm",
         "feature_dropout", "alpha_dropout"),
        "self",
    ),
}  # fmt: skip
_SPELLED = {"_convolution": "convolution"}
#: Functions whose settings follow from the rank of their input, which is not in the code.
_BY_RANK = frozenset({"t", "T", "numpy_T", "H", "interpolate", "upsample", "hstack"})

#: Functions that return numbers, texts or flags and no tensor.
NO_TENSORS = frozenset({
    "size", "dim", "numel", "len", "item", "Int", "Float", "Bool", "IntImplicit", "FloatImplicit",
    "ScalarImplicit", "is_floating_point", "is_complex", "is_grad_enabled", "format", "stride", "device",
    "__contains__", "keys", "ord", "str", "hash", "get_device", "is_cuda", "warn", "sym_size", "ndimension",
    "storage_offset", "is_contiguous", "manual_seed", "percentFormat", "join", "index_of",
})  # fmt: skip

#: Functions of plain numbers that decide conditions.
NUMBERS: Mapping[str, Callable[..., Any]] = {
    "gt": operator.gt, "lt": operator.lt, "ge": operator.ge, "le": operator.le, "eq": operator.eq,
    "ne": operator.ne, "add": operator.add, "sub": operator.sub, "mul": operator.mul, "neg": operator.neg,
    "floordiv": operator.floordiv, "remainder": operator.mod, "__not__": operator.not_,
    "__and__": operator.and_, "__or__": operator.or_,
}  # fmt: skip


#: Functions that create a tensor, and which argument is its shape, or a tensor of that shape.
_CREATORS = {
    **dict.fromkeys(("zeros", "ones", "full", "empty", "rand", "randn"), 0),
    **dict.fromkeys(("new_zeros", "new_ones", "new_full", "new_empty"), 1),
    **dict.fromkeys(("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"), 0),
}


def _constant(name: str, args: Sequence[Any]) -> Described | None:
    """Describe a call that creates a tensor, if its shape is among the arguments."""
    if name in ("tensor", "scalar_tensor") and args and type(args[0]) in (int, float, bool):
        return Described("constant", {"shape": ()}, {})
    if name == "arange":
        numbers = list(itertools.takewhile(lambda arg: type(arg) in (int, float), args))[:3]
        if not numbers or (len(args) > len(numbers) and args[len(numbers)] is UNKNOWN):
            return None
        start, end = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
        length = (end - start) / (numbers[2] if len(numbers) > 2 else 1)
        return Described("constant", {"shape": (math.ceil(length),)}, {}) if length >= 0 else None
    at = _CREATORS.get(name)
    given = args[at] if at is not None and at < len(args) else None
    shape = getattr(given, "shape", None) if name.endswith("_like") else given
    if not isinstance(shape, list | tuple) or any(type(length) is not int for length in shape):
        return None
    return Described("constant", {"shape": tuple(shape)}, {})


def describe_script(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], python: bool, rank: int | None = None
) -> Described:
    """Return the kind of a function that the code calls, its settings and its weights.

    Args:
        name: the function's own name.
        args: its arguments.
        kwargs: its named arguments.
        python: whether it is a function of ``torch.nn.functional``, with that function's arguments.
        rank: the rank of its first tensor, None where it is not known.

    Example:
        >>> describe_script("flatten", [None, 1], {}, python=False).attributes
        {'start_axis': 1, 'end_axis': -1}
    """
    plain = name if name in _POSITIONAL else plain_name(name)
    if plain in _BY_RANK and rank is None:
        return Described("unknown", {}, {})
    try:
        constant = _constant(name, args)
        if constant is not None:
            return constant
        if not python and plain in _POSITIONAL:
            named = dict(zip(_POSITIONAL[plain].split(), args, strict=False))
            op = describe_op(_SPELLED.get(plain, plain), {**named, **kwargs}, None)
            return op._replace(attributes={name: _settled(value) for name, value in op.attributes.items()})
        kind, attributes, weights = describe_call(
            plain_name(name.lstrip("_")), tuple(args), kwargs, rank or 0
        )
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # Arguments of unknown shapes, or a signature that the table does not know.
        return Described("unknown", {}, {})
    found = {use: value for use, value in weights.items() if value is not None}
    return Described(kind, {name: _settled(value) for name, value in attributes.items()}, found)


def _settled(value: Any) -> Any:
    """Write the unknown in the place of a tensor in a setting: a number that it holds is not known."""
    if isinstance(value, list | tuple):
        return type(value)(map(_settled, value))
    return UNKNOWN if hasattr(value, "dtype") else value
