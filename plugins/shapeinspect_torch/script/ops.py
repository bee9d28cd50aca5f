"""The functions that TorchScript's code calls, in terms of the vocabulary; some return no tensor."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect_torch.script.signatures.rows import OVERRIDING, ROWS
from shapeinspect_torch.script.signatures.signature import signature
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
    "grid_sampler": "input grid interpolation_mode padding_mode align_corners",
    **dict.fromkeys(
        ("mse_loss", "l1_loss", "soft_margin_loss", "multilabel_margin_loss"), "self target reduction"
    ),
    **dict.fromkeys(("cross_entropy_loss", "nll_loss", "nll_loss_nd", "nll_loss2d", "binary_cross_entropy"),
                    "self target weight reduction ignore_index label_smoothing"),
    "smooth_l1_loss": "self target reduction beta",
    "huber_loss": "self target reduction delta",
    "binary_cross_entropy_with_logits": "self target weight pos_weight reduction",
    "kl_div": "self target reduction log_target",
    "poisson_nll_loss": "self target log_input full eps reduction",
    "hinge_embedding_loss": "self target margin reduction",
    **dict.fromkeys(
        ("margin_ranking_loss", "cosine_embedding_loss"), "input1 input2 target margin reduction"
    ),
    "triplet_margin_loss": "anchor positive negative margin p eps swap reduction",
    "multi_margin_loss": "self target p margin weight reduction",
    "ctc_loss": "log_probs targets input_lengths target_lengths blank reduction zero_infinity",
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
_SPELLED = {
    "_convolution": "convolution", "cross_entropy_loss": "cross_entropy", "nll_loss_nd": "nll_loss",
    "nll_loss2d": "nll_loss",
}  # fmt: skip
#: Functions whose settings follow from the rank of their input, which is not in the code.
_BY_RANK = frozenset({"t", "T", "numpy_T", "H", "interpolate", "upsample", "hstack"})

#: Functions that return numbers, texts or flags and no tensor.
NO_TENSORS = frozenset({
    "size", "dim", "numel", "len", "item", "Int", "Float", "Bool", "IntImplicit", "FloatImplicit",
    "ScalarImplicit", "is_floating_point", "is_complex", "is_grad_enabled", "format", "stride", "device",
    "__contains__", "keys", "ord", "str", "hash", "get_device", "is_cuda", "warn", "sym_size", "ndimension",
    "equal", "allclose", "is_nonzero", "is_same_size", "is_signed", "is_conj", "is_neg", "storage_offset",
    "is_contiguous", "manual_seed", "percentFormat", "join", "index_of",
})  # fmt: skip


def _range(args: Sequence[Any], last: bool) -> tuple[int, ...] | None:
    """Return the shape of ``arange``, or of ``range``, which ends with its end."""
    numbers = list(itertools.takewhile(lambda arg: type(arg) in (int, float), args))[:3]
    if not numbers or (len(args) > len(numbers) and args[len(numbers)] is UNKNOWN):
        return None
    start, end = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
    length = (end - start) / (numbers[2] if len(numbers) > 2 else 1)
    if length < 0:
        return None
    return (math.floor(length) + 1 if last else math.ceil(length),)


def _nested(value: Any) -> tuple[int, ...]:
    """Return the shape of a number or of nested lists of numbers."""
    if not isinstance(value, list):
        if type(value) not in (int, float, bool):
            raise TypeError(value)
        return ()
    inner = {_nested(item) for item in value}
    if len(inner) > 1:
        raise ValueError(value)
    return (len(value), *(inner.pop() if inner else ()))


def _triangle(rows: int, columns: int, offset: int = 0) -> int:
    """Return how many entries a matrix has on and below a diagonal."""
    if rows < 0 or columns < 0 or rows > _MAX_ROWS:
        raise ValueError(rows)
    return sum(min(max(row + offset + 1, 0), columns) for row in range(rows))


def _drawn(args: Sequence[Any]) -> Any:
    """Return the shape of ``randint``, which may begin with one number or with two."""
    return next((arg for arg in args[1:3] if isinstance(arg, list)), None)


#: Functions that create a tensor, and what shape it has.
_CREATORS: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    **dict.fromkeys(("zeros", "ones", "full", "empty", "rand", "randn"), lambda args: args[0]),
    **dict.fromkeys(("new_zeros", "new_ones", "new_full", "new_empty"), lambda args: args[1]),
    **dict.fromkeys(
        ("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like"),
        lambda args: getattr(args[0], "shape", None),
    ),
    **dict.fromkeys(("tensor", "as_tensor", "scalar_tensor"), lambda args: _nested(args[0])),
    "arange": lambda args: _range(args, last=False),
    "range": lambda args: _range(args, last=True),
    **dict.fromkeys(("linspace", "logspace"), lambda args: (args[2],)),
    "eye": lambda args: (args[0], args[1] if len(args) > 1 and type(args[1]) is int else args[0]),
    "randint": _drawn,
    "normal": lambda args: args[2] if len(args) > 2 and isinstance(args[2], list) else None,
    **dict.fromkeys(
        ("randperm", "fft_fftfreq", "hann_window", "hamming_window", "bartlett_window", "blackman_window",
         "kaiser_window"),
        lambda args: (args[0],),
    ),
    "fft_rfftfreq": lambda args: (args[0] // 2 + 1,),
    "tril_indices": lambda args: (2, _triangle(*args[:3])),
    "triu_indices": lambda args: (
        2,
        args[0] * args[1] - _triangle(args[0], args[1], (args[2] if len(args) > 2 else 0) - 1),
    ),
}  # fmt: skip
#: How many rows of a triangle are counted.
_MAX_ROWS = 100_000


def _constant(name: str, args: Sequence[Any]) -> Described | None:
    """Describe a call that creates a tensor, if its shape is among the arguments."""
    if name not in _CREATORS or not args:
        return None
    try:
        shape = _CREATORS[name](args)
    except (ArithmeticError, IndexError, TypeError, ValueError):
        return None
    if not isinstance(shape, list | tuple) or any(type(length) is not int or length < 0 for length in shape):
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
    if plain == "where" and len(args) == 1:
        return Described("unknown", {}, {})  # as ``nonzero``: how many there are depends on the numbers
    described = _described(name, plain, args, kwargs, python, rank)
    row = None if python else ROWS.get(name.rstrip("_"))
    signed = None if row is None or described.kind == "constant" else signature(row, args, kwargs)
    if signed is None:
        return described
    if name in OVERRIDING or (described.kind == "loss" and described.attributes.get("reduction") == "none"):
        return described._replace(attributes={**described.attributes, "signature": signed})
    if described.kind == "unknown":
        return Described("operation", {"signature": signed, "work": "?"}, {})
    left, _, right = signed.partition(" -> ")
    _, more, rest = right.partition("; ")
    further = {"further_outputs": f"{left} -> {rest}"} if more else {}
    return described._replace(attributes={**described.attributes, **further})


def _described(
    name: str, plain: str, args: Sequence[Any], kwargs: Mapping[str, Any], python: bool, rank: int | None
) -> Described:
    try:
        constant = _constant(name, args)
        if constant is not None:
            return constant
        if plain == "_convolution_mode":  # its padding has a name
            plain = name = f"conv{len(args[1].shape) - 2}d"
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
