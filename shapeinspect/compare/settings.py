"""Settings that silently differ between two layers; a table says how each one is compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from shapeinspect.compare.functions import alias, canonical, mode
from shapeinspect.compare.result import SettingPair
from shapeinspect.compare.sides import LayerSide

#: The pixels before and after each spatial axis.
_Pairs = Sequence[tuple[int, int]]

#: Compares one setting of two layers: None if it is the same or unknown, else the two texts and why.
Comparer = Callable[[str, LayerSide, LayerSide], SettingPair | None]


def _exact(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    value_a, value_b = _of_one_rank(a.setting(name), b.setting(name), 1)
    if value_a is None or value_b is None or _plain(value_a) == _plain(value_b):
        return None
    return SettingPair(name, _text(value_a), _text(value_b))


def _of_one_rank(a: Any, b: Any, neutral: Any) -> tuple[Any, Any]:
    """Leave out the first axes that only one of two settings has, where they do nothing there.

    TensorFlow Lite writes a layer of one axis as one of two.
    """
    if not isinstance(a, tuple) or not isinstance(b, tuple) or not a or not b or len(a) == len(b):
        return a, b
    longer, count = max(a, b, key=len), min(len(a), len(b))
    if any(entry != neutral for entry in longer[:-count]):
        return a, b
    return a[-count:], b[-count:]


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        items = tuple(_plain(item) for item in value)
        return items[0] if items and len(set(items)) == 1 and not isinstance(items[0], tuple) else items
    return value


def _mode(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    value_a, value_b = a.setting(name), b.setting(name)
    return None if mode(value_a) == mode(value_b) else _exact(name, a, b)


def _options(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    """Compare what only one framework's layers can be told; another one's always do the usual."""
    value_a, value_b = a.setting(name) or {}, b.setting(name) or {}
    known = _alike(a, b) or a.layer.kind in _SIMPLE
    names = [one for one in {**value_a, **value_b} if value_a.get(one) != value_b.get(one)] if known else []
    if not names:
        return None
    first, *_ = names
    texts = ["not set" if first not in value else _text(value[first]) for value in (value_a, value_b)]
    return SettingPair(first, texts[0], texts[1])


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "×".join(
            _text(item) if not isinstance(item, tuple) else "+".join(map(str, item)) for item in value
        )
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _close(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    value_a, value_b = a.setting(name), b.setting(name)
    if not isinstance(value_a, int | float) or not isinstance(value_b, int | float):
        return None
    # A setting that was stored in 32 bits comes back as 9.99999975e-06.
    if math.isclose(value_a, value_b, rel_tol=1e-6):
        return None
    return SettingPair(name, _text(value_a), _text(value_b))


def _option(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    """Compare a setting that a layer has only where it is used; that one reader found none tells, too."""
    value_a, value_b = a.setting(name), b.setting(name)
    if value_a is not None and value_b is not None:
        return (_close if isinstance(value_a, float) else _exact)(name, a, b)
    if not _alike(a, b) or (value_a is None and value_b is None):
        return None
    text_a, text_b = ("not set" if value is None else _text(value) for value in (value_a, value_b))
    return SettingPair(name, text_a, text_b)


def _switch(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    """Compare a setting that is off in layers without it, where both sides record their settings."""
    recorded = a.side.recorded and b.side.recorded
    on_a, on_b = bool(a.setting(name)), bool(b.setting(name))
    if not recorded or on_a == on_b:
        return None
    return SettingPair(name, str(on_a), str(on_b), "", (on_a, on_b))


def _alike(a: LayerSide, b: LayerSide) -> bool:
    """Tell whether one reader has read two layers of one type: then all their settings mean the same.

    A file of weights alone records no settings: what it lacks is not known to be unset.
    """
    recorded = a.side.recorded and b.side.recorded
    return recorded and a.layer.type == b.layer.type != "" and a.side.model.adapter == b.side.model.adapter


#: Kinds that compute the same in every framework, but for what it states otherwise.
_SIMPLE = frozenset({"linear", "activation", "lstm", "gru", "rnn"})

#: The rank of a batch of vectors, which every framework lays out alike.
_VECTORS = 2

#: Settings that follow from the weights or the input, or say how one framework stores a layer.
_FOLLOWING = frozenset(
    {
        *("in_channels", "out_channels", "in_features", "out_features", "in1_features", "in2_features"),
        *("num_features", "num_channels", "num_embeddings", "embedding_dim", "num_parameters", "affine"),
        *("input_size", "hidden_size", "embed_dim", "head_dim", "value_head_dim", "kdim", "vdim", "rank"),
        *("normalized_shape", "depth_multiplier", "data_format", "layout", "packed", "initial_states"),
        *("quantization", "quantizer", "bits", "block_size", "signature", "further_outputs", "lengths"),
        *("work", "shape", "past_length"),
    }
)


def _axis(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    """Compare the axes of layers that one reader read; counted from different ends, they need the rank."""
    value_a, value_b = a.setting(name), b.setting(name)
    if not isinstance(value_a, int) or not isinstance(value_b, int):
        return None
    if not _alike(a, b):
        return _named_axis(name, a, b, (value_a, value_b))
    if (value_a < 0) == (value_b < 0):
        return _exact(name, a, b)
    if not a.rank or a.rank != b.rank or value_a % a.rank == value_b % a.rank:
        return None
    return SettingPair(name, _text(value_a), _text(value_b))


def _named_axis(name: str, a: LayerSide, b: LayerSide, axes: tuple[int, int]) -> SettingPair | None:
    """Compare the axes of two frameworks' layers by what they are; of a batch of vectors, by their places."""
    if a.rank is None or a.rank != b.rank or any(not -a.rank <= axis < a.rank for axis in axes):
        return None
    names = [_letter(side, axis) for side, axis in zip((a, b), axes, strict=True)]
    if None not in names:
        texts = [f"{letter} ({axis})" for letter, axis in zip(names, axes, strict=True)]
        return None if names[0] == names[1] else SettingPair(name, texts[0], texts[1])
    if a.rank > _VECTORS or axes[0] % a.rank == axes[1] % a.rank:
        return None
    return SettingPair(name, str(axes[0]), str(axes[1]))


def _letter(side: LayerSide, axis: int) -> str | None:
    """Name an axis of a layer's input: a sequence and its features have two names each."""
    letter = side.axes[axis] if side.axes is not None else None
    return {"T": "L", "E": "C"}.get(letter, letter) if letter is not None else None


def _momentum(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    """Compare the weights of the running average: a framework's momentum is that, or 1 − that.

    Source: torch.nn.BatchNorm2d ("x_new = (1 - momentum) * x + momentum * x_t"), keras BatchNormalization
    ("moving_mean * momentum + mean(batch) * (1 - momentum)"), ONNX BatchNormalization (as Keras's).
    """
    value_a, value_b = a.setting(name), b.setting(name)
    if not isinstance(value_a, int | float) or not isinstance(value_b, int | float):
        return None
    kept_a = 1 - value_a if a.momentum_of_new else value_a
    kept_b = 1 - value_b if b.momentum_of_new else value_b
    if math.isclose(kept_a, kept_b, abs_tol=1e-6):
        return None
    why = ""
    if a.momentum_of_new and not b.momentum_of_new:
        why = _converted(a, value_a, b, value_b)
    elif b.momentum_of_new and not a.momentum_of_new:
        why = _converted(b, value_b, a, value_a)
    # 1 - 0.99 is 0.010000000000000009 in binary.
    values = (value_a, value_b) if not why else (round(1 - value_a, 12), round(1 - value_b, 12))
    return SettingPair(name, _text(value_a), _text(value_b), why, values)


def _converted(new: LayerSide, value: float, old: LayerSide, actual: float) -> str:
    """Say what the momentum of the side that weights the new batch would be on the other side."""
    return (
        f"{new.framework}'s momentum is 1 − {old.framework}'s: {_text(value)} corresponds to "
        f"{_text(1 - value)} there, not {_text(actual)}"
    )


def _padding(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    value_a, value_b = a.setting(name), b.setting(name)
    if value_a is None or value_b is None or (value_a == value_b and a.ahead == b.ahead):
        return None
    if any(side.ahead is not None and side.ahead.pairs is None for side in (a, b)):
        return None  # the graph computes what stands ahead
    space = a.space or b.space
    pairs_a, pairs_b = padding_pairs(value_a, a, space), padding_pairs(value_b, b, space)
    if pairs_a is None or pairs_b is None:
        why = '"same" pads asymmetrically at some input sizes, and the size is not known'
        return SettingPair(name, _padding_text(value_a), _padding_text(value_b), why)
    pairs_a, pairs_b = _of_one_rank(tuple(pairs_a), tuple(pairs_b), (0, 0))
    if pairs_a == pairs_b:
        return None
    why = _asymmetry(value_a, value_b, pairs_a, pairs_b)
    return SettingPair(name, _pads(pairs_a), _pads(pairs_b), why, (_own(pairs_a, b), _own(pairs_b, a)))


def _counted(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    """Compare whether a mean counts the padding, unless there is none."""
    padded = [padding_pairs(side.setting("padding"), side, side.space) for side in (a, b)]
    rounded_up = a.setting("ceil_mode") or b.setting("ceil_mode")
    if not rounded_up and all(pairs is not None and not any(map(any, pairs)) for pairs in padded):
        return None
    return _exact(name, a, b)


def _own(pairs: _Pairs, side: LayerSide) -> _Pairs | None:
    """Return the padding that a layer itself needs, beside what stands ahead of it; None if none would do."""
    before = (side.ahead and side.ahead.pairs) or ((0, 0),) * len(pairs)
    left = tuple((a - c, b - d) for (a, b), (c, d) in zip(pairs, before, strict=True))
    return left if all(end >= 0 for pair in left for end in pair) else None


def _asymmetry(value_a: Any, value_b: Any, pairs_a: _Pairs, pairs_b: _Pairs) -> str:
    """Name a padding "same" that differs from explicit pads at this input size."""
    named = [value for value in (value_a, value_b) if isinstance(value, str) and value.startswith("same")]
    if not named:
        return ""
    shifted = sum(map(sum, pairs_a)) == sum(map(sum, pairs_b))
    return f'"{named[0]}" is asymmetric at this size' + (": the image shifts by a pixel" if shifted else "")


def _pads(pairs: _Pairs) -> str:
    texts = [f"{before}+{after}" for before, after in pairs]
    return texts[0] if len(set(texts)) == 1 else " × ".join(texts)


def _padding_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return _pads([_ends(item) for item in value] if isinstance(value, list | tuple) else [_ends(value)])


def _ends(item: Any) -> tuple[int, int]:
    return (item[0], item[1]) if isinstance(item, list | tuple) else (item, item)


def padding_pairs(value: Any, side: LayerSide, space: tuple[int, ...] | None) -> _Pairs | None:
    """Write a padding as the pixels before and after each axis, with what stands ahead of the layer.

    Args:
        value: the setting: a word such as ``same``, or numbers.
        side: the layer, whose kernel, stride and dilation a word goes by.
        space: the lengths of the input's spatial axes; None if they are not known.

    Returns:
        a pair for each axis; None if the size decides and is not known.
    """
    if side.ahead is None:
        return _own_pairs(value, side, space)
    before = side.ahead.pairs
    if before is None:
        return None
    inside = space and tuple(n + sum(pair) for n, pair in zip(space, before, strict=True))
    own = _own_pairs(value, side, inside)
    return own and tuple((a + c, b + d) for (a, b), (c, d) in zip(before, own, strict=True))


def _own_pairs(value: Any, side: LayerSide, space: tuple[int, ...] | None) -> _Pairs | None:
    attributes = side.layer.attributes
    kernel = tuple(attributes.get("kernel_size") or ())
    if not isinstance(value, str):
        return tuple(_ends(item) for item in value) if isinstance(value, list | tuple) else ((value, value),)
    stride = (*(attributes.get("stride") or ()), *(1,) * len(kernel))[: len(kernel)]
    dilation = (*(attributes.get("dilation") or ()), *(1,) * len(kernel))[: len(kernel)]
    if not kernel:
        return None
    if value == "valid":
        return ((0, 0),) * len(kernel)
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    if value == "causal":
        return tuple((total, 0) for total in totals)
    if any(step != 1 for step in stride):
        if space is None:
            return None
        totals = [
            _same_total(space[axis], step, total)
            for axis, (step, total) in enumerate(zip(stride, totals, strict=True))
        ]
    smaller = [total // 2 for total in totals]
    if value == "same_lower":
        return tuple((total - small, small) for total, small in zip(totals, smaller, strict=True))
    return tuple((small, total - small) for total, small in zip(totals, smaller, strict=True))


def _same_total(size: int, stride: int, reach: int) -> int:
    """Return the pixels that "same" adds to an axis; ``reach`` is dilation · (kernel_size − 1).

    Source: TensorFlow, "SAME": max((ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0).
    """
    return max((-(-size // stride) - 1) * stride + reach + 1 - size, 0) if stride != 1 else reach


def _function(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    value_a, value_b = a.setting(name), b.setting(name)
    if value_a is None or value_b is None:
        return None
    if name == "function":
        value_a, value_b = canonical(a.layer), canonical(b.layer)
    if alias(value_a) == alias(value_b):
        return None
    return SettingPair(name, str(value_a), str(value_b))


def _bound(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    """Compare a bound of a function, unless the bounds make two functions of it, which say more."""
    return None if _function("function", a, b) is not None else _option(name, a, b)


def _fused(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    """Compare functions inside containers; one inside a layer is held against a layer, see ``weightless``."""
    if any(one.layer.weights and one.side.calls.get(one.layer.path) for one in (a, b)):
        return None
    return _option(name, a, b) if _alike(a, b) else None


def _shared_heads(name: str, a: LayerSide, b: LayerSide) -> SettingPair | None:
    """Compare how many query heads share a key head: the number of key heads follows that of the heads."""
    value_a, value_b = a.setting(name), b.setting(name)
    heads_a, heads_b = a.setting("num_heads"), b.setting("num_heads")
    if None in (value_a, value_b, heads_a, heads_b) or heads_a * value_b == heads_b * value_a:
        return None
    return SettingPair(name, _text(value_a), _text(value_b))


#: Every setting that is compared, and how. One that a side does not state is not compared.
SETTINGS: dict[str, Comparer] = {
    "eps": _close,
    "momentum": _momentum,
    "padding": _padding,
    "padding_mode": _mode,
    "options": _options,
    "output_padding": _exact,
    "stride": _exact,
    "dilation": _exact,
    "groups": _exact,
    "num_groups": _exact,
    "interleaved_groups": _switch,
    "num_heads": _exact,
    "num_kv_heads": _shared_heads,
    "num_layers": _exact,
    "bidirectional": _exact,
    "merge_mode": _exact,
    "reset_after": _exact,
    "function": _function,
    "cell_function": _function,
    "gate_function": _function,
    "activation": _fused,
    "approximate": _exact,
    "negative_slope": _option,
    "alpha": _option,
    "min_val": _bound,
    "max_val": _bound,
    "lambd": _close,
    "beta": _close,
    "threshold": _option,
    "value": _close,
    "lower": _close,
    "upper": _close,
    "k": _close,
    "size": _exact,
    "track_running_stats": _exact,
    "align_corners": _exact,
    "antialias": _option,
    "recompute_scale_factor": _option,
    "mode": _mode,
    "scale_factor": _exact,
    "output_size": _exact,
    "kernel_size": _exact,
    "ceil_mode": _exact,
    "count_include_pad": _counted,
    "divisor_override": _option,
    "norm_type": _option,
    "max_norm": _option,
    "padding_idx": _option,
    "include_last_offset": _exact,
    "add_zero_attn": _exact,
    "is_causal": _option,
    "scale": _option,
    "log": _exact,
    "negated": _option,
    "norm_first": _option,
    "p": _close,
    "rate": _close,
    "axis": _axis,
}


def differing(a: LayerSide, b: LayerSide, skip: frozenset[str] = frozenset()) -> tuple[SettingPair, ...]:
    """Return the settings that two layers do not share.

    Args:
        a: a layer of the first model.
        b: its partner.
        skip: settings that already follow from the shapes of the weights.

    Example:
        >>> from shapeinspect.compare.sides import ModelSide
        >>> from shapeinspect.frozen import Frozen
        >>> from shapeinspect.ir import Layer, Model
        >>> side = ModelSide(Model("m", "numpy", "numpy", "numpy"))
        >>> a = Layer("bn", "batch_norm", "BatchNorm", attributes=Frozen(eps=1e-5, momentum=0.9))
        >>> b = Layer("bn", "batch_norm", "BatchNorm", attributes=Frozen(eps=1e-3, momentum=0.9))
        >>> differing(side.layer(a), side.layer(b))
        (SettingPair(name='eps', a='1e-05', b='0.001', why=''),)
    """
    have = a.layer.attributes.keys() | b.layer.attributes.keys()
    comparers = {name: compare for name, compare in SETTINGS.items() if name in have}
    if _alike(a, b):
        lone = {name for name in have if (a.setting(name) is None) != (b.setting(name) is None)}
        lone -= {name for name, compare in comparers.items() if compare in (_fused, _bound)}
        comparers |= dict.fromkeys(sorted((have - SETTINGS.keys() | lone) - _FOLLOWING), _option)
    pairs = (compare(name, a, b) for name, compare in comparers.items() if name not in skip)
    return tuple(_valued(pair, a, b) for pair in pairs if pair is not None)


def _valued(pair: SettingPair, a: LayerSide, b: LayerSide) -> SettingPair:
    """Add both values where the comparer has found none that the other framework means differently."""
    if pair.values != (None, None) or pair.name == "padding":
        return pair
    values = a.setting(pair.name), b.setting(pair.name)
    return pair if any(isinstance(value, str) for value in values) else replace(pair, values=values)


def placed(a: LayerSide, b: LayerSide) -> tuple[SettingPair, ...]:
    """Return the settings that two layers without weights do not share, with the order of their axes.

    Args:
        a: a layer of the first model.
        b: the one in its place.
    """
    order = _exact("data_format", a, b)
    # The target of a reshape that leaves the batch alone is the layer's own; another follows from the input.
    target = _exact("shape", a, b) if a.setting("batch_kept") and b.setting("batch_kept") else None
    return (*differing(a, b), *(pair for pair in (order, target) if pair is not None))
