"""What may be the reason that two calls return something else, as settings that can be changed to see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.compare.result import LayerPair, SettingPair
from shapeinspect.compare.settings import differing
from shapeinspect.compare.sides import ModelSide
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer

#: Settings that change nothing at inference.
_IN_TRAINING = frozenset({"momentum", "p", "rate", "dropout", "recurrent_dropout"})
#: Settings whose values are words that both frameworks share.
_WORDS = frozenset({"function", "approximate", "mode", "padding_mode", "nearest_mode", "coordinates"})
#: What a setting may be where only one side, or neither, states it.
#: Source: https://arxiv.org/abs/1606.08415 : GELU has an exact form and one by tanh.
_GUESSES: dict[str, tuple[tuple[str, tuple[Any, ...]], ...]] = {
    "activation": (("approximate", ("none", "tanh")), ("negative_slope", (0.01, 0.2, 0.3)), ("beta", (1.0,))),
    "resize": (
        ("align_corners", (True, False)),
        ("nearest_mode", ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")),
        ("coordinates", ("half_pixel", "asymmetric")),
    ),
    "grid_sample": (("align_corners", (True, False)),),
    "pad": (("value", (0.0,)),),
    "avg_pool": (("count_include_pad", (True, False)),),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A setting in which two layers may differ.

    Args:
        a: the first model's layer.
        b: the second one's.
        kind: their kind.
        name: the setting.
        values: the value that each has, by the other one's convention; None where it is not known.
        shown: these values, as they are printed.
        text: the difference, as a clause.
    """

    a: str
    b: str
    kind: str
    name: str
    values: tuple[Any, Any]
    shown: tuple[str, str]
    text: str


def of_pair(pair: LayerPair) -> Iterator[Candidate]:
    """Return the settings in which two paired layers differ.

    Args:
        pair: the layers.
    """
    for setting in pair.settings:
        if setting.name not in _IN_TRAINING:
            yield _of_setting(str(pair.a), str(pair.b), pair.kind, setting)


def exchanged(pair: LayerPair) -> Candidate:
    """Return that one side has the mean where the other one has the variance.

    Args:
        pair: two batch norms whose statistics differ.
    """
    text = "one has the mean where the other one has the variance"
    return Candidate(
        str(pair.a), str(pair.b), pair.kind, "mean and variance", (True, True), ("exchanged",) * 2, text
    )


def of_calls(
    a: Layer, b: Layer, sides: tuple[ModelSide, ModelSide], order: Sequence[int] = ()
) -> Iterator[Candidate]:
    """Return the settings in which two layers differ that received the same, and what may be one.

    Args:
        a: the first model's layer.
        b: the second one's.
        sides: the models.
        order: for each axis of what the first one received, the axis of the second one's; empty if not known.
    """
    first, second = _function(a), _function(b)
    if a.kind != b.kind:
        if first and second and first != second:
            yield _of_setting(a.path, b.path, "activation", SettingPair("function", first, second))
        elif first and second:
            left, right = sides[0].layer(_as_activation(a)), sides[1].layer(_as_activation(b))
            for setting in differing(left, right):
                yield _of_setting(a.path, b.path, "activation", setting)
        yield from guessed(a, b)
        return
    known = set()
    for setting in differing(sides[0].layer(a), sides[1].layer(b)):
        if setting.name not in _IN_TRAINING and setting.name != "axis":
            known.add(setting.name)
            yield _of_setting(a.path, b.path, a.kind, setting)
    yield from _axis(a, b, order)
    yield from (one for one in guessed(a, b) if one.name not in known)


def _function(layer: Layer) -> str:
    return str(layer.attributes.get("function" if layer.kind == "activation" else "activation") or "")


def _as_activation(layer: Layer) -> Layer:
    """Return the activation inside of a layer as a layer, and one that is a layer as it is."""
    if layer.kind == "activation":
        return layer
    inside = layer.attributes.get("activation_settings") or {}
    return replace(layer, kind="activation", attributes=Frozen({**inside, "function": _function(layer)}))


def _of_setting(a: str, b: str, kind: str, setting: SettingPair) -> Candidate:
    values: tuple[Any, Any] = setting.values
    if setting.name in _WORDS and values == (None, None):
        first, second = (None if text == "not set" else text for text in (setting.a, setting.b))
        values = first, second
    text = f"{setting.name} is {setting.a} in A, {setting.b} in B"
    return Candidate(a, b, kind, setting.name, values, (setting.a, setting.b), text)


def _axis(a: Layer, b: Layer, order: Sequence[int]) -> Iterator[Candidate]:
    """Compare the axis of two calls, each counted in its own order of axes."""
    first, second = a.attributes.get("axis"), b.attributes.get("axis")
    if not isinstance(first, int) or not isinstance(second, int) or not order:
        return
    first, second = first % len(order), second % len(order)
    if order[first] != second:
        # What the one calls it is another number where the axes stand in another order.
        values = (order[first], order.index(second))
        text = f"axis is {a.attributes['axis']} in A, {b.attributes['axis']} in B"
        yield Candidate(a.path, b.path, a.kind, "axis", values, (str(values[0]), str(values[1])), text)


def guessed(a: Layer, b: Layer) -> Iterator[Candidate]:
    """Return what a setting of one side could be that the other side does not state.

    Args:
        a: the first model's layer.
        b: the second one's.
    """
    for at, layer in ((0, a), (1, b)):
        for name, values in _GUESSES.get(layer.kind, ()):
            has, other = layer.attributes.get(name), (b, a)[at].attributes.get(name)
            if other is not None or (has is None and not _has(layer, name)):
                continue
            for value in values:
                if value != has:
                    given = (None, value) if at == 0 else (value, None)
                    stated = "not stated" if has is None else str(has)
                    text = f"{name} is {stated} in {'AB'[at]}, not stated in {'BA'[at]}"
                    shown = (str(value), str(value))
                    yield Candidate(a.path, b.path, layer.kind, name, given, shown, text)


def _has(layer: Layer, name: str) -> bool:
    function = str(layer.attributes.get("function", ""))
    return {"approximate": "gelu", "negative_slope": "leaky_relu"}.get(name, function) == function
