"""How a quantized weight represents its numbers, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect.layout.pattern import lengths_text, parse

_NAMED = 3


def quantization_text(weight: Weight, beside: Sequence[Weight] = ()) -> str:
    """Write how a weight is quantized; empty for one that is not.

    Args:
        weight: the weight.
        beside: the weights of the same layer, whose shapes and types are written where they belong to it.

    Example:
        >>> from shapeinspect.ir import Layout
        >>> how = Quantization("gptq", "int4", 4, (128, 1), Packing((64, 48), "int32", 0, 8), ("s",))
        >>> layout = Layout("i o", "o i")
        >>> quantization_text(Weight("q", "qweight", (512, 48), "int32", layout=layout, quantization=how))
        'int4 (gptq), 128 values of i to a scale; 8 values to an int32 along i, stored as 64×48; scales in s'
    """
    how = weight.quantization
    if how is None:
        return ""
    labels = parse(weight.layout.native).labels if weight.layout is not None else ()
    name = how.element or (f"{how.bits}-bit" if how.bits else "an unknown number of bits")
    parts = [", ".join((f"{name} ({how.scheme})", *_shared(how, labels)))]
    if how.packing is not None:
        parts.append(_packed(how.packing, labels))
    held = (("scales in", how.scales), ("zero points in", how.zero_points), ("also", how.state))
    known = {other.name: other for other in beside}
    parts += [f"{title} {_listed(names, known)}" for title, names in held if names]
    return "; ".join(parts)


def _shared(how: Quantization, labels: Sequence[str]) -> tuple[str, ...]:
    block = how.block
    if block is None:
        return ()
    if len(block) == 1 and len(labels) > 1:
        return (f"{block[0]} values in a row to a scale",)
    if all(length is None for length in block):
        return ("one scale for all",)
    axes = [_axis(labels, index) for index in range(len(block))]
    groups = [
        f"{length} values of {axis}"
        for length, axis in zip(block, axes, strict=True)
        if length not in (None, 1)
    ]
    if groups:
        return (f"{' by '.join(groups)} to a scale",)
    each = [axis for length, axis in zip(block, axes, strict=True) if length == 1]
    return (f"a scale for each {' and '.join(each)}",)


def _packed(packing: Packing, labels: Sequence[str]) -> str:
    to = f"an {packing.dtype}" if packing.dtype.startswith("i") else f"a {packing.dtype}"
    if packing.elements != 1:
        to = f"{packing.elements} of {packing.dtype}"
    along = "" if packing.axis is None else f" along {_axis(labels, packing.axis)}"
    values = "1 value" if packing.values == 1 else f"{packing.values} values"
    return f"{values} to {to}{along}, stored as {lengths_text(packing.shape, None)}"


def _axis(labels: Sequence[str], index: int) -> str:
    return labels[index] if index < len(labels) and labels[index] else f"axis {index}"


def _listed(names: Sequence[str], known: Mapping[str, Weight]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(_described(name, known.get(name)) for name in names[:_NAMED]) + more


def _described(name: str, weight: Weight | None) -> str:
    if weight is None:
        return name
    return f"{weight.role or name} ({lengths_text(weight.shape, None)} {weight.dtype or ''})".replace(
        " )", ")"
    )
