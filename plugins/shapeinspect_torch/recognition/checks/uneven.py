"""Weights that are stored in another way than the others of their kind in the same file."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from shapeinspect.ir import Contradiction, Layer, Note
from shapeinspect_torch.recognition.checks.findings import LISTED, once

_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")
#: A part of a quantized layer is missing where so many of those layers, and such a share of them, have it.
_LEAST, _SHARE = 4, 0.75
#: How quantizers store what stands for a layer's weight, by its role.
_PACKED = re.compile(r"qweight|weight_packed|W_q|codes|Qidxs|q_weight")
#: What only some layers keep: how their activations were scaled, and biases.
_OWN = re.compile(r"bias|.*(input|output|activation|act|^k|^v|^q|prob_output)_\w*(scale|zero_point|amax)\w*")


def uneven(layers: Sequence[Layer]) -> Iterator[Note]:
    """Yield what a file's own layers contradict: other types of numbers, parts of quantized weights missing.

    Args:
        layers: those of the file.
    """
    if lacking := once([*_without_parts(layers)]):
        text = f"parts of quantized weights are missing: {_named(lacking)}"
        yield Note(text, fault=True, contradictions=lacking)
    if mixed := once([*_mixed(layers)]):
        text = f"weights are of another type than the others of their name: {_named(mixed)}"
        yield Note(text, fault=True, contradictions=mixed)


def _named(found: Sequence[Contradiction]) -> str:
    more = f" and {len(found) - LISTED:,} more" if len(found) > LISTED else ""
    return ", ".join(item.about for item in found[:LISTED]) + more


def _main(layer: Layer) -> str | None:
    """Tell how the weight of a quantized layer is stored; None of another layer."""
    for weight in layer.weights:
        if _PACKED.fullmatch(weight.role) or (
            weight.role == "weight" and (weight.dtype or "").startswith("float8")
        ):
            return f"{weight.role} ({weight.dtype})"
    return None


def _without_parts(layers: Sequence[Layer]) -> Iterator[Contradiction]:
    groups: dict[str, list[Layer]] = defaultdict(list)
    for layer in layers:
        if (main := _main(layer)) is not None:
            groups[main].append(layer)
    for main, members in groups.items():
        counts = Counter(role for layer in members for role in {weight.role for weight in layer.weights})
        for role, count in counts.items():
            if _OWN.fullmatch(role) or count < _LEAST or count < _SHARE * len(members):
                continue
            for layer in members:
                if all(weight.role != role for weight in layer.weights):
                    origin = f"{count:,} of {len(members):,} layers with a {main} have it"
                    yield Contradiction(f"{layer.path}.{role}", role, "missing", origin)


def _mixed(layers: Sequence[Layer]) -> Iterator[Contradiction]:
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    if any(_main(layer) or _is_quantized(layer) for layer in layers):
        return  # a quantizer leaves some layers as they are
    for layer in layers:
        for weight in layer.weights:
            if weight.dtype is not None:
                groups[_NUMBER.sub("#", weight.name)].append((weight.name, weight.dtype))
    for members in groups.values():
        (usual, count), *others = Counter(dtype for _, dtype in members).most_common()
        if not others or 2 * count <= len(members):
            continue
        for name, dtype in members:
            if dtype != usual:
                origin = f"{count:,} of {len(members):,} weights of this name are {usual}"
                yield Contradiction(name, usual, dtype, origin)


def _is_quantized(layer: Layer) -> bool:
    return any(weight.quantization is not None for weight in layer.weights)
