"""What the letters and the short settings of a table mean: those that the table shows, and no other."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping

from shapeinspect.ir import Model
from shapeinspect.render import cells
from shapeinspect.render.grid import Line

#: The axes of activations.
ACTIVATION_AXES = {
    "N": "batch",
    "C": "channels",
    "D": "depth",
    "H": "height",
    "W": "width",
    "L": "length",
    "T": "time or tokens",
    "E": "embedding",
}

#: The axes of weights.
WEIGHT_AXES = {
    "o": "out",
    "i": "in, per group",
    "g": "groups",
    "c": "channels",
    "m": "depth multiplier",
    "kd": "kernel depth",
    "kh": "kernel height",
    "kw": "kernel width",
    "kl": "kernel length",
    "gate": "gates",
    "h": "hidden",
    "d": "head dimension",
    "head": "heads",
    "qkv": "query, key, value",
    "V": "vocabulary",
    "E": "embedding",
    "dir": "directions",
    "two": "two biases",
    "pair": "pairs of rows",
    "half": "the two of a pair",
    "p": "projection or pieces",
    "n": "normalized",
    "j": "in, of the second input",
    "expert": "experts",
    "block": "blocks with a scale each",
    "r": "rank",
    **{letter: ACTIVATION_AXES[letter] for letter in "CDHWL"},
}

_WORD = re.compile(r"[A-Za-z]+")


def legend(model: Model, width: int) -> list[Line]:
    """Explain the letters of a model's table.

    Args:
        model: a model that went through ``layout.normalize`` and ``infer``.
        width: terminal cells.

    Example:
        >>> from shapeinspect.frozen import Frozen
        >>> from shapeinspect.ir import Layer
        >>> conv = Layer("c", "conv", "Conv2d", attributes=Frozen({"in_channels": 3, "out_channels": 8,
        ...     "kernel_size": (5, 7), "stride": (2, 2)}))
        >>> for line in legend(Model("m", "torch", "torch", "torch", (conv,)), 80):
        ...     print("".join(text for text, _ in line))
        settings    3→8 in and out channels · k5×7 kernel_size · s2 stride
    """
    rows = (
        ("activations", _axes(ACTIVATION_AXES, _activations(model))),
        ("weights", _axes(WEIGHT_AXES, _weights(model))),
        ("settings", _settings(model)),
    )
    return [line for label, texts in rows if texts for line in _lines(label, texts, width)]


def _lines(label: str, texts: list[str], width: int) -> Iterator[Line]:
    indent = " " * 12
    # A letter stays beside its meaning.
    text = " · ".join(part.replace(" ", "\u00a0") for part in texts)
    for number, line in enumerate(textwrap.wrap(text, max(width - len(indent), 20))):
        yield ((indent if number else f"{label:<12}", "dim"), (line.replace("\u00a0", " "), ""))


def _activations(model: Model) -> list[str]:
    return [axis for value in model.values.values() for axis in value.axes or () if axis]


def _weights(model: Model) -> list[str]:
    layouts = {
        id(weight.layout): weight.layout
        for layer in model.layers
        for weight in layer.weights
        if weight.layout
    }
    return [axis for layout in layouts.values() for axis in cells.pattern_axes(layout.native)]


def _axes(known: dict[str, str], axes: Iterable[str]) -> list[str]:
    """Explain the letters, and what several in parentheses are, in the order of the table of letters."""
    seen = list(dict.fromkeys(axes))
    texts = [f"{letter} {meaning}" for letter, meaning in explained(known, seen)]
    group = next((axis for axis in seen if axis.startswith("(") and " " in axis), None)
    return [*texts, f"{group} flattened into one axis"] if group else texts


def explained(known: Mapping[str, str], axes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the letters of axes with their meanings, in the order of the table of letters.

    Args:
        known: the table.
        axes: the axes, or patterns of several.

    Example:
        >>> list(explained(WEIGHT_AXES, ["(g i) o"]))
        [('o', 'out'), ('i', 'in, per group'), ('g', 'groups')]
    """
    letters = {letter for axis in axes for letter in _WORD.findall(axis)}
    yield from ((letter, meaning) for letter, meaning in known.items() if letter in letters)


def _settings(model: Model) -> list[str]:
    """Explain each setting by the first layer that shows it."""
    texts: dict[str, str] = {}
    for layer in model.layers:
        shown = cells.settings(layer).split(" ")
        if "→" in shown[0]:
            texts.setdefault("", f"{shown[0]} in and out channels")
        for name, letter in cells.LETTERS.items():
            if name not in texts and name in layer.attributes:
                found = next((text for text in shown if re.fullmatch(rf"{letter}\d.*", text)), None)
                if found is not None:
                    texts[name] = f"{found} {name}"
        if len(texts) > len(cells.LETTERS):
            break
    return [texts[name] for name in ("", *cells.LETTERS) if name in texts]
