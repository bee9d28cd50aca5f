"""The settings of two layers that silently differ; a table says how each one is compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect.compare.result import SettingPair
from shapeinspect.dims import Shape
from shapeinspect.ir import Call, Layer, Model


@dataclass(frozen=True, slots=True)
class Side:
    """One layer with what its settings mean in its model.

    Args:
        layer: the layer.
        framework: the framework whose conventions the numbers follow.
        space: the lengths of its input's spatial axes; None if they are not known.
    """

    layer: Layer
    framework: str
    space: tuple[int, ...] | None


def side(layer: Layer, model: Model, calls: Mapping[str, Sequence[Call]]) -> Side:
    """Look up what a layer's settings need to be understood.

    Args:
        layer: the layer.
        model: its model.
        calls: the model's calls by layer.
    """
    first = next(iter(calls.get(layer.path, ())), None)
    name = next((name for name in first.inputs if name), "") if first else ""
    value = model.values.get(name)
    return Side(layer, model.framework, _space(value.shape if value else None, layer))


def _space(shape: Shape | None, layer: Layer) -> tuple[int, ...] | None:
    rank = len(layer.attributes.get("kernel_size") or ())
    if shape is None or not rank or len(shape) < rank + 2:
        return None
    last = layer.attributes.get("data_format") == "channels_last"
    lengths = shape[-rank - 1 : -1] if last else shape[-rank:]
    return (
        tuple(n for n in lengths if isinstance(n, int)) if all(isinstance(n, int) for n in lengths) else None
    )


#: Compares one setting of two layers: None if it is the same or unknown, else the two texts and why.
Comparer = Callable[[str, Side, Side], SettingPair | None]


def _value(name: str, side: Side) -> Any:
    found = side.layer.attributes.get(name)
    if found is None:
        found = _IMPLIED.get((side.framework, side.layer.kind, name))
    return found


#: What a framework always does, where its layers have no such setting.
_IMPLIED: dict[tuple[str, str, str], Any] = {
    ("torch", "gru", "reset_after"): True,
    **{
        ("torch", kind, name): function
        for kind in ("lstm", "gru", "lstm_cell", "gru_cell")
        for name, function in (("cell_function", "tanh"), ("gate_function", "sigmoid"))
    },
}


def _exact(name: str, a: Side, b: Side) -> SettingPair | None:
    one, other = _value(name, a), _value(name, b)
    if one is None or other is None or _plain(one) == _plain(other):
        return None
    return SettingPair(name, _text(one), _text(other))


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        items = tuple(_plain(item) for item in value)
        return items[0] if items and len(set(items)) == 1 and not isinstance(items[0], tuple) else items
    return value


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "×".join(
            _text(item) if not isinstance(item, tuple) else "+".join(map(str, item)) for item in value
        )
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _close(name: str, a: Side, b: Side) -> SettingPair | None:
    one, other = _value(name, a), _value(name, b)
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return None
    # A setting that went through 32 bits comes back as 9.99999975e-06.
    if math.isclose(one, other, rel_tol=1e-6):
        return None
    return SettingPair(name, _text(one), _text(other))


#: The frameworks whose momentum is the weight of the new batch; elsewhere it is that of the old average.
#: Source: torch.nn.BatchNorm2d ("x_new = (1 - momentum) * x + momentum * x_t"), keras BatchNormalization
#: ("moving_mean * momentum + mean(batch) * (1 - momentum)"), ONNX BatchNormalization (as Keras's).
_NEW_BATCH = frozenset({"torch"})


def _momentum(name: str, a: Side, b: Side) -> SettingPair | None:
    one, other = _value(name, a), _value(name, b)
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return None
    kept = [1 - m if s.framework in _NEW_BATCH else m for m, s in ((one, a), (other, b))]
    if math.isclose(kept[0], kept[1], abs_tol=1e-6):
        return None
    why = ""
    if (a.framework in _NEW_BATCH) != (b.framework in _NEW_BATCH):
        theirs = 1 - other
        why = f"torch's is 1 − the other's: {_text(one)} would be {_text(1 - one)} there, not {_text(other)}"
        if b.framework in _NEW_BATCH:
            why = (
                f"torch's is 1 − the other's: {_text(other)} would be {_text(theirs)} there, not {_text(one)}"
            )
    return SettingPair(name, _text(one), _text(other), why)


def _padding(name: str, a: Side, b: Side) -> SettingPair | None:
    one, other = _value(name, a), _value(name, b)
    if one is None or other is None or one == other:
        return None
    space = a.space or b.space
    left, right = _pairs(one, a, space), _pairs(other, b, space)
    if left is not None and right is not None:
        if left == right:
            return None
        shown = _pads(left), _pads(right)
        return SettingPair(name, shown[0], shown[1], _named_padding(one, other, left, right))
    return SettingPair(
        name, _said(one), _said(other), "same pads unevenly where the length leaves an odd rest"
    )


def _named_padding(one: Any, other: Any, left: Any, right: Any) -> str:
    named = [str(value) for value in (one, other) if isinstance(value, str) and value.startswith("same")]
    if not named:
        return ""
    even = sum(map(sum, left)) == sum(map(sum, right))
    return f'"{named[0]}" is asymmetric at this size' + (": the image shifts by a pixel" if even else "")


def _pads(pairs: Sequence[tuple[int, int]]) -> str:
    texts = [f"{before}+{after}" for before, after in pairs]
    return texts[0] if len(set(texts)) == 1 else " × ".join(texts)


def _said(value: Any) -> str:
    return value if isinstance(value, str) else _pads([_ends(item) for item in value])


def _ends(item: Any) -> tuple[int, int]:
    return (item[0], item[1]) if isinstance(item, list | tuple) else (item, item)


def _pairs(value: Any, side: Side, space: tuple[int, ...] | None) -> tuple[tuple[int, int], ...] | None:
    """Write a padding as the pixels before and after each axis; None if the size decides and is unknown."""
    attributes = side.layer.attributes
    kernel = tuple(attributes.get("kernel_size") or ())
    if not isinstance(value, str):
        return tuple(_ends(item) for item in value) if isinstance(value, list | tuple) else ((value, value),)
    stride = tuple(attributes.get("stride") or (1,) * len(kernel))
    dilation = tuple(attributes.get("dilation") or (1,) * len(kernel))
    if not kernel:
        return None
    if value == "valid":
        return ((0, 0),) * len(kernel)
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=False)]
    if value == "causal":
        return tuple((total, 0) for total in reach)
    found = []
    for axis, total in enumerate(reach):
        step = stride[axis] if axis < len(stride) else 1
        if step != 1:
            if space is None:
                return None
            size = space[axis]
            # Source: TensorFlow, "SAME": max((ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0).
            total = max((-(-size // step) - 1) * step + total + 1 - size, 0)  # noqa: PLW2901  # the axis's own
        small = total // 2
        found.append((total - small, small) if value == "same_lower" else (small, total - small))
    return tuple(found)


def _function(name: str, a: Side, b: Side) -> SettingPair | None:
    one, other = _value(name, a), _value(name, b)
    if one is None or other is None or _SAME_FUNCTION.get(one, one) == _SAME_FUNCTION.get(other, other):
        return None
    return SettingPair(name, str(one), str(other))


def _shared_heads(name: str, a: Side, b: Side) -> SettingPair | None:
    """Compare how many queries share a key: the number of keys alone follows that of the heads."""
    one, other = _value(name, a), _value(name, b)
    heads = _value("num_heads", a), _value("num_heads", b)
    if None in (one, other, *heads) or heads[0] * other == heads[1] * one:
        return None
    return SettingPair(name, _text(one), _text(other))


_SAME_FUNCTION = {
    "silu": "swish",
    "hardswish": "hard_swish",
    "hard_silu": "hard_swish",
    "hardsigmoid": "hard_sigmoid",
    "hardtanh": "hard_tanh",
    "hardshrink": "hard_shrink",
    "softshrink": "soft_shrink",
    "tanhshrink": "tanh_shrink",
}


#: Every setting that is compared, and how. One that a side does not state is not compared.
SETTINGS: dict[str, Comparer] = {
    "eps": _close,
    "momentum": _momentum,
    "padding": _padding,
    "padding_mode": _exact,
    "output_padding": _exact,
    "stride": _exact,
    "dilation": _exact,
    "groups": _exact,
    "num_groups": _exact,
    "num_heads": _exact,
    "num_kv_heads": _shared_heads,
    "num_layers": _exact,
    "bidirectional": _exact,
    "merge_mode": _exact,
    "reset_after": _exact,
    "function": _function,
    "cell_function": _function,
    "gate_function": _function,
    "approximate": _exact,
    "negative_slope": _close,
    "alpha": _close,
    "align_corners": _exact,
    "mode": _exact,
    "scale_factor": _exact,
    "output_size": _exact,
    "kernel_size": _exact,
    "ceil_mode": _exact,
    "count_include_pad": _exact,
    "log": _exact,
}


def differing(a: Side, b: Side, skip: frozenset[str] = frozenset()) -> tuple[SettingPair, ...]:
    """Return the settings that two layers do not share.

    Args:
        a: a layer of the first model.
        b: its partner.
        skip: settings that the weights already tell of.

    Example:
        >>> from shapeinspect.ir import Frozen
        >>> one = Layer("bn", "batch_norm", "BatchNorm2d", attributes=Frozen(eps=1e-5, momentum=0.1))
        >>> two = Layer("bn", "batch_norm", "BatchNormalization", attributes=Frozen(eps=1e-3, momentum=0.9))
        >>> differing(Side(one, "torch", None), Side(two, "keras", None))
        (SettingPair(name='eps', a='1e-05', b='0.001', why=''),)
    """
    found = (
        compare(name, a, b)
        for name, compare in SETTINGS.items()
        if name not in skip and (name in a.layer.attributes or name in b.layer.attributes)
    )
    return tuple(pair for pair in found if pair is not None)
