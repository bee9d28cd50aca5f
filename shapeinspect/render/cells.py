"""The short texts of a table's cells: shapes with their letters, settings, weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from shapeinspect.dims import Atom, Dim, Expr, Shape, Unknown, substitute, symbols
from shapeinspect.ir import Axes, Layer, Weight
from shapeinspect.layout import parse
from shapeinspect.text import plural, printable
from shapeinspect.units import short

#: The symbols of a batch: work is counted for one sample.
BATCH = ("N", "batch", "batch_size")


def axis(name: str | None, length: Dim) -> str:
    """Write one axis: its letter and its length.

    Args:
        name: the axis's name, or None.
        length: its length.

    Example:
        >>> axis("C", 64), axis("(C H W)", 400), axis(None, 7), axis("N", Unknown())
        ('C64', '(C H W)=400', '7', 'N?')
    """
    if name is None or name == "1":
        return _dim(length)
    if isinstance(length, Expr) and str(length) == name:
        return printable(name)
    if name[-1].isalpha() and isinstance(length, int | Unknown):
        return f"{printable(name)}{length}"
    return f"{printable(name)}={_dim(length)}"


def _dim(length: Dim) -> str:
    text = printable(str(length), 60)
    return f"({text})" if _is_sum(text) else text


def _is_sum(text: str) -> bool:
    """Tell whether a text has a space outside all parentheses."""
    if " " not in text:
        return False
    depth = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == " " and depth <= 0:
            return True
    return False


def shape(lengths: Shape | None, axes: Axes | None = None) -> str:
    """Write a shape with the letter of every axis that has one.

    Args:
        lengths: the lengths; None if not even the rank is known.
        axes: the names, one for each.

    Example:
        >>> shape((1, 64, 56, 56), ("N", "C", "H", "W")), shape((2, 17)), shape(()), shape(None)
        ('N1 C64 H56 W56', '2×17', 'scalar', '?')
    """
    if lengths is None:
        return "?"
    if not lengths:
        return "scalar"
    if axes is None or len(axes) != len(lengths) or not any(axes):
        return "×".join(_dim(length) for length in lengths)
    return " ".join(axis(name, length) for name, length in zip(axes, lengths, strict=True))


def pattern_axes(pattern: str) -> tuple[str, ...]:
    """Return the label of every axis of a layout pattern.

    Args:
        pattern: such as ``"(g i) o kh kw"``.

    Example:
        >>> pattern_axes("(g i) o kh kw")
        ('(g i)', 'o', 'kh', 'kw')
    """
    return parse(pattern).labels


def native(weight: Weight) -> str:
    """Write a weight's shape in its own order, and how it is quantized.

    Args:
        weight: the weight.

    Example:
        >>> from shapeinspect.ir import Quantization
        >>> how = Quantization("gptq", "int4", 4, (128, 1))
        >>> native(Weight("q", "qweight", (512, 48), "int32", quantization=how))
        '512×48 int4 g128'
    """
    lengths = shape(weight.shape, pattern_axes(weight.layout.native) if weight.layout else None)
    return lengths if weight.quantization is None else f"{lengths} {printable(weight.quantization.label, 40)}"


def common(weight: Weight) -> str:
    """Write a weight's shape in the common convention, or an empty text where that is not proven.

    Args:
        weight: a weight that went through ``layout.normalize``.
    """
    if weight.layout is None or weight.common_shape is None:
        return ""
    return shape(weight.common_shape, pattern_axes(weight.layout.common))


def kind(layer: Layer) -> str:
    """Write a layer's kind; where it is not proven, the candidates with a question mark.

    Args:
        layer: the layer.

    Example:
        >>> kind(Layer("fc", "unknown", "", candidates=("linear", "embedding")))
        'linear or embedding?'
    """
    if layer.kind == "unknown" and layer.candidates:
        return " or ".join(layer.candidates) + "?"
    return {"module": "", "unknown": "?"}.get(layer.kind, layer.kind)


#: What a setting is written with, by the attribute that it stands for.
LETTERS = {
    "kernel_size": "k",
    "stride": "s",
    "padding": "p",
    "output_padding": "op",
    "dilation": "d",
    "groups": "g",
}


def _repeat(value: Any) -> str:
    if isinstance(value, list | tuple):
        texts = [str(item) for item in value]
        return texts[0] if texts and len(set(texts)) == 1 else "×".join(texts)
    return str(value)


def _padding(value: Any) -> str:
    if isinstance(value, str):
        return "" if value == "valid" else value
    pairs = [tuple(pair) if isinstance(pair, list | tuple) else (pair, pair) for pair in value]
    if not any(any(pair) for pair in pairs):
        return ""
    if all(before == after for before, after in pairs):
        return LETTERS["padding"] + _repeat([before for before, _ in pairs])
    texts = [f"{before}+{after}" for before, after in pairs]
    return LETTERS["padding"] + (texts[0] if len(set(texts)) == 1 else "×".join(texts))


def _unless(default: Any, letter: str) -> Callable[[Any], str]:
    def write(value: Any) -> str:
        text = _repeat(value)
        return "" if text == str(default) else f"{letter}{text}"

    return write


#: How each attribute is written, in this order. Other attributes appear only in JSON.
SETTINGS: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("kernel_size", lambda value: f"{LETTERS['kernel_size']}{_repeat(value)}"),
    ("stride", _unless(1, LETTERS["stride"])),
    ("padding", _padding),
    ("output_padding", _unless(0, LETTERS["output_padding"])),
    ("dilation", _unless(1, LETTERS["dilation"])),
    ("groups", _unless(1, LETTERS["groups"])),
    ("ceil_mode", lambda value: "ceil" if value else ""),
    ("num_groups", lambda value: plural(value, "group")),
    ("num_heads", lambda value: plural(value, "head")),
    ("num_kv_heads", lambda value: f"{value} kv"),
    ("num_layers", _unless(1, "×")),
    ("bidirectional", lambda value: "bidirectional" if value else ""),
    ("output_size", lambda value: f"to {_repeat(value)}"),
    ("scale_factor", lambda value: f"×{_repeat(value)}"),
    ("factor", lambda value: f"×{_repeat(value)}"),
    ("mode", str),
    ("function", str),
    ("op", str),
    ("activation", str),
    ("axis", lambda value: f"axis {_repeat(value)}"),
    ("axes", lambda value: f"axes {value if isinstance(value, Unknown) else ','.join(map(str, value))}"),
)  # fmt: skip

#: The attributes that hold a layer's in and out channels.
CHANNELS: tuple[tuple[str, str], ...] = (
    ("in_channels", "out_channels"),
    ("in_features", "out_features"),
    ("num_embeddings", "embedding_dim"),
    ("input_size", "hidden_size"),
    ("embed_dim", "out_features"),
)

_OBVIOUS_AXIS = frozenset({"batch_norm", "layer_norm", "rms_norm", "instance_norm", "embedding_bag"})


def channels(attributes: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return a layer's in and out channels (or features), None where it has none.

    Args:
        attributes: a layer's attributes.

    Example:
        >>> channels({"in_channels": 3, "out_channels": 64})
        (3, 64)
    """
    pairs = [(attributes.get(name_in), attributes.get(name_out)) for name_in, name_out in CHANNELS]
    return max(pairs, key=lambda pair: sum(end is not None for end in pair))


def settings(layer: Layer) -> str:
    """Write a layer's settings, without those that have their usual value.

    Args:
        layer: the layer.

    Example:
        >>> settings(Layer("c", "conv", "Conv2d", attributes={"in_channels": 3, "out_channels": 64,
        ...     "kernel_size": (7, 7), "stride": (2, 2), "padding": ((3, 3), (3, 3)), "groups": 1}))
        '3→64 k7 s2 p3'
    """
    attributes = layer.attributes
    count_in, count_out = channels(attributes)
    texts = []
    if count_in is not None or count_out is not None:
        texts.append(f"{'?' if count_in is None else count_in}→{'?' if count_out is None else count_out}")
    skip = {"axis", "mode"} if layer.kind in _OBVIOUS_AXIS else set()
    if attributes.get("num_kv_heads") == attributes.get("num_heads"):
        skip = skip | {"num_kv_heads"}
    for name, write in SETTINGS:
        value = attributes.get(name)
        if value is not None and name not in skip:
            texts.append(write(value))
    return printable(" ".join(text for text in texts if text), 80)


def macs(amount: Dim | None) -> str:
    """Write an amount of multiply-accumulates for one sample.

    Args:
        amount: the work; the batch symbol counts as 1 where the work of all samples is the same.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> macs(118013952 * symbol("N")), macs(None)
        ('118 M', '?')
    """
    return amount_of_one(amount)


def amount_of_one(amount: Dim | None, unit: str = "") -> str:
    """Write an amount for one sample: the batch counts as 1 where the amount of all samples is the same.

    Args:
        amount: the amount.
        unit: its unit, such as ``"B"`` for bytes.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> amount_of_one(3136 * symbol("N"), "B")
        '3.14 kB'
    """
    if amount is None:
        return "?"
    value = substitute(amount, dict.fromkeys(BATCH, 1)) if grows_with_batch(amount) else amount
    return short(value, unit) if isinstance(value, int) else printable(str(value), 40)


#: The batches for which an amount that is no plain product is computed: small ones, and some beyond bounds.
_SIZES = (2, 3, 1009, 1_000_003)


def grows_with_batch(amount: Dim) -> bool:
    """Tell whether an amount is some number for each sample of a batch, or has no batch in it.

    Args:
        amount: the amount.

    Example:
        >>> from shapeinspect.dims import symbol
        >>> grows_with_batch(36 * symbol("N")), grows_with_batch(36 * symbol("N") - 36)
        (True, False)
        >>> from shapeinspect.dims import maximum, minimum
        >>> grows_with_batch(maximum(symbol("N"), 1)), grows_with_batch(minimum(symbol("N"), 100))
        (True, False)
    """
    if not isinstance(amount, Expr):
        return True
    found = symbols(amount)
    batch = [name for name in BATCH if name in found]
    if not batch or all(_once(atoms, batch) for atoms, _ in amount.terms):
        return True
    one = substitute(amount, dict.fromkeys(batch, 1))
    return all(substitute(amount, dict.fromkeys(batch, size)) == size * one for size in _SIZES)


def _once(atoms: tuple[Atom, ...], batch: Sequence[str]) -> bool:
    """Tell whether a product has one batch as a factor, and none inside any other factor."""
    factors = sum(atom.text in batch for atom in atoms if not atom.op)
    return factors == 1 and not any(name in atom.text for atom in atoms if atom.op for name in batch)


def at_least(amount: str, missing: int) -> str:
    """Write an amount that may lack parts.

    Args:
        amount: the amount, written; ``?`` if nothing of it is known.
        missing: how many parts it lacks.

    Example:
        >>> at_least("118 M", 2), at_least("118 M", 0), at_least("?", 2)
        ('≥ 118 M', '118 M', '?')
    """
    return f"≥ {amount}" if missing and amount != "?" else amount


def several(texts: Iterable[str], most: int = 3) -> str:
    """Join texts, equal neighbors written once with their count.

    Args:
        texts: what to join.
        most: how many different texts are written.

    Example:
        >>> several(["N C8", "N C8"]), several(["a", "b"])
        ('N C8 ×2', 'a, b')
    """
    counts: list[tuple[str, int]] = []
    for text in texts:
        if counts and counts[-1][0] == text:
            counts[-1] = (text, counts[-1][1] + 1)
        else:
            counts.append((text, 1))
    parts = [text if count == 1 else f"{text} ×{count}" for text, count in counts[:most]]
    if len(counts) > most:
        parts.append(f"+{len(counts) - most}")
    return ", ".join(parts)
