"""What a table calls a layer's weights: by their role, and by the source's word where that differs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shapeinspect.ir import Weight, companions
from shapeinspect.layout import parse

#: The role in a slot such as ``out.weight``, ``weight_ih.l0.reverse``, ``bias_ih.l0+bias_hh.l0``.
_ROLE = re.compile(r"(?<![a-z])(?:weight(?:_[ih]h)?|bias(?:_[ih]h)?|mean|variance)(?![a-z])")
#: The statistics in one word each, where several vectors share a row.
_SHORT = {
    "moving_mean": "mean", "input_mean": "mean",
    "moving_variance": "var", "input_var": "var", "variance": "var",
}  # fmt: skip
#: Words of the source that say nothing by themselves, such as ONNX's ``B``.
_CRYPTIC = 2
#: The names of vectors in one row; the longer ones are counted.
_LONGEST = 44


@dataclass(frozen=True, slots=True)
class Row:
    """Weights that share a row.

    Args:
        name: what they are called.
        weight: the first of them.
        count: how many they are.
    """

    name: str
    weight: Weight
    count: int = 1


def role(weight: Weight, *, brief: bool = False) -> str:
    """Write what a weight does, and the source's word for it where that is another one.

    Args:
        weight: the weight.
        brief: whether to leave the source's word out.

    Example:
        >>> from shapeinspect.ir import Layout
        >>> role(Weight("fc.w", "B", (120, 400), layout=Layout("o i", "o i", slot="weight")))
        'weight (B)'
        >>> role(Weight("fc.weight", "weight", (120, 400), layout=Layout("o i", "o i", slot="weight")))
        'weight'
    """
    word = _word(weight)
    if word is None or _says(weight.role, word):
        return weight.role
    return word if brief else f"{word} ({weight.role})"


def rows(weights: Iterable[Weight], *, brief: bool = False) -> list[Row]:
    """Group weights into rows: vectors of one length, and others of equal shape and layout, share one.

    Counters, which are single integers that are no parameters, have no row; neither have the scales and the
    like of a quantized weight.

    Args:
        weights: the weights of one layer.
        brief: whether to leave the source's words out where the roles say as much.

    Example:
        >>> from shapeinspect.ir import Layout
        >>> slots = {"gamma": "weight", "beta": "bias", "moving_mean": "mean"}
        >>> [(row.name, row.count) for row in rows(
        ...     Weight(name, name, (64,), layout=Layout("c", "c", slot=slot)) for name, slot in slots.items()
        ... )]
        [('gamma beta mean', 3)]
    """
    groups: dict[object, list[Weight]] = {}
    weights = tuple(weights)
    beside = companions(weights)
    for weight in weights:
        if not _is_counter(weight) and weight.name not in beside:
            groups.setdefault(_alike(weight), []).append(weight)
    return [Row(_name(group, brief), group[0], len(group)) for group in groups.values()]


def _word(weight: Weight) -> str | None:
    """Return the role that the layout proves, or None."""
    layout = weight.layout
    if layout is None:
        return None
    slot = layout.slot
    for axis, texts in layout.splits:
        slot = slot.replace(f"{{{axis}}}", texts[0] if texts else "")
    words: dict[str, None] = dict.fromkeys(_ROLE.findall(slot))
    if len(words) == 1 and "+" not in slot and not any(len(texts) > 1 for _, texts in layout.splits):
        return next(iter(words))
    return next(iter(words)).partition("_")[0] if words else None


def _says(name: str, word: str) -> bool:
    """Tell whether the source's word contains the role."""
    said = name.lower()
    return all(part[:3] in said for part in word.split("_"))


def _is_counter(weight: Weight) -> bool:
    return weight.buffer and weight.shape == () and "int" in (weight.dtype or "")


def _alike(weight: Weight) -> object:
    layout = weight.layout
    if layout is not None and len(weight.shape) == 1 and len(parse(layout.native).axes) == 1:
        return weight.shape, layout.native, weight.type
    return weight.shape, layout, weight.type


def _name(group: list[Weight], brief: bool) -> str:
    first = role(group[0], brief=brief)
    if len(group) == 1:
        return first
    names = " ".join(_short(weight, brief) for weight in group)
    return names if len(names) <= _LONGEST else f"{first} +{len(group) - 1}"


def _short(weight: Weight, brief: bool) -> str:
    name, word = _SHORT.get(weight.role, weight.role), _word(weight)
    if word is None or not (brief or len(name) <= _CRYPTIC):
        return name
    word = _SHORT.get(word, word)
    return word if len(name) <= _CRYPTIC else min(name, word, key=len)
