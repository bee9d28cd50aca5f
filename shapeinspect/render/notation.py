"""The notation of the column of settings: what each short text stands for, and how it is recognized."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from shapeinspect.render import cells
from shapeinspect.rules.registry import KINDS

_ONE_OR_MORE = r"-?\d+(?:×-?\d+)*"
_NUMBER = r"-?[\d.]+(?:e-?\d+)?"


@dataclass(frozen=True)
class Notation:
    """How one setting is written.

    Args:
        attribute: its name in JSON and in Python; both names for channels.
        form: a pattern of the text.
        example: such a text.
        meaning: what it says of any kind of layer.

    Example:
        >>> [each.attribute for each in notations() if each.example == "s2"]
        ['stride']
    """

    attribute: str
    form: str
    example: str
    meaning: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The form, ready to be matched."""
        return re.compile(self.form)

    def of_kind(self, kind: str) -> str | None:
        """Return what it means for a kind of layer; None where the kind has no such setting.

        Args:
            kind: a kind of the vocabulary; of any other name the general meaning is returned.
        """
        known = KINDS.get(kind)
        if known is None:
            return self.meaning
        found = known.settings.get(self.attribute)
        if found is not None:
            return found.meaning
        return self.meaning if self.attribute in _OF_MANY else None


#: Settings that a layer may have besides those of its kind.
_OF_MANY = frozenset({"activation"})
#: A word of which only the kind says what it sets.
_WORD = r"[a-z]\w*"

#: Every setting that the table writes, in the order of :data:`shapeinspect.render.cells.SETTINGS`.
_NOTATIONS = (
    Notation("kernel_size", f"k{_ONE_OR_MORE}", "k3×5", "taps of the window, on each axis of space"),
    Notation("stride", f"s{_ONE_OR_MORE}", "s2", "step between two windows"),
    Notation(
        "padding", r"p\d+(?:\+\d+)?(?:×\d+(?:\+\d+)?)*|same|same_lower|causal|centered|full", "p1+2",
        "padding before and after; p1 where both are equal, or the word same, same_lower or causal",
    ),
    Notation("output_padding", f"op{_ONE_OR_MORE}", "op1", "what a transposed convolution adds behind"),
    Notation("dilation", f"d{_ONE_OR_MORE}", "d2", "step between two taps"),
    Notation("groups", r"g\d+", "g4", "groups of channels"),
    Notation("ceil_mode", "ceil", "ceil", "a last window that extends past the end counts"),
    Notation("num_groups", r"\d+ groups?", "8 groups", "groups of channels that are normalized together"),
    Notation("num_heads", r"\d+ heads?", "8 heads", "heads of an attention"),
    Notation("num_kv_heads", r"\d+ kv", "2 kv", "heads of keys and values"),
    Notation("num_layers", r"×\d+", "×2", "layers that are stacked"),
    Notation("bidirectional", "bidirectional", "bidirectional", "a second direction reads from the end"),
    Notation("output_size", r"to \S+", "to 7×9", "lengths of the output"),
    Notation("scale_factor", f"×{_NUMBER}(?:×{_NUMBER})*", "×1.5", "the output's share of each length"),
    Notation("factor", r"×\d+", "×2", "side of the block of a pixel shuffle and its like"),
    Notation("mode", _WORD, "bilinear", "how it is computed: an interpolation, a filling, a reduction"),
    Notation("function", _WORD, "relu", "the function"),
    Notation("op", _WORD, "add", "the operation"),
    Notation("activation", _WORD, "tanh", "the activation that is applied to the result"),
    Notation("axis", r"axis \S+", "axis 1", "the axis that it works along, counted from 0"),
    Notation("axes", r"axes \S+", "axes 2,3", "the axes that it works along, counted from 0"),
)  # fmt: skip


def notations() -> tuple[Notation, ...]:
    """Return how settings are written, in the order in which a table has them; channels come first."""
    channels = Notation(
        "in_channels, out_channels", r"[^\s→]+→[^\s→]+", "3→64",
        "channels (features, units, entries of a table) that go in, and those that come out",
    )  # fmt: skip
    return (channels, *_NOTATIONS)


def explained(text: str, kind: str) -> Iterator[tuple[str, str]]:
    """Yield the settings of a cell, each with what it means; of what is no setting, the text and nothing.

    Args:
        text: a cell of the column.
        kind: the kind of its layer; an empty text where it is not known.

    Example:
        >>> list(explained("3→64 k7 s2", "conv"))[1:]
        [('k7', 'kernel_size: taps of the window'), ('s2', 'stride: step between two windows')]
        >>> list(explained("7 dwarfs", ""))
        [('7', ''), ('dwarfs', 'mode or function or op or activation')]
    """
    words = text.split()
    while words:
        taken = next((n for n in (2, 1) if _meaning(" ".join(words[:n]), kind)), 1)
        yield " ".join(words[:taken]), _meaning(" ".join(words[:taken]), kind)
        del words[:taken]


def _meaning(text: str, kind: str) -> str:
    if "→" in text and notations()[0].pattern.fullmatch(text):
        return _channels(text, kind)
    matching = [each for each in _NOTATIONS if each.pattern.fullmatch(text)]
    exact = [each for each in matching if each.form != _WORD] or matching
    known = KINDS[kind].settings if kind in KINDS else {}
    # A setting of the kind itself is likelier than one that layers of many kinds may have.
    own = [each for each in exact if each.attribute in known] or exact
    found = {each.attribute: meaning for each in own if (meaning := each.of_kind(kind))}
    if len(found) > 1:
        return " or ".join(found)
    return next((f"{name}: {meaning}" for name, meaning in found.items()), "")


def _channels(text: str, kind: str) -> str:
    before, _, after = text.partition("→")
    known = KINDS[kind].settings if kind in KINDS else {}
    pair = next((pair for pair in cells.CHANNELS if pair[0] in known or pair[1] in known), None)
    if pair is None:
        return f"{before} channels or features go in, {after} come out"
    return f"{pair[0]} {before}, {pair[1]} {after}"
