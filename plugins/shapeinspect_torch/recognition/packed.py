"""Layers whose weights a quantizer wrote: their kind is that of the weights they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shapeinspect.dims import Shape
from shapeinspect.ir import Frozen, Layer, Weight
from shapeinspect.layout.bare import Evidence, Group, judge, layer, prove
from shapeinspect_torch.quantized.roles import plain_role
from shapeinspect_torch.vocabulary.layouts import bind

#: Schemes that store a matrix inputs first.
TURNED = ("gptq", "awq", "exl2", "marlin", "eetq")
#: Schemes that only linear layers have.
_LINEAR = (*TURNED, "hqq", "aqlm", "quip")
#: What quantizers add to the role of a weight.
_ADDED = ("_packed", "_qdata", "_blocks")


def quantized_layer(group: Group, path: str, rows: Sequence[Evidence]) -> Layer:
    """Return the layer of a group that holds a quantized weight.

    Args:
        group: the weights, folded.
        path: the layer's path.
        rows: the evidence; without any its kind is unknown.

    Example:
        >>> from shapeinspect.layout.bare import groups
        >>> from shapeinspect_torch.quantized.fold import fold
        >>> from shapeinspect_torch.recognition.evidence import EVIDENCE
        >>> stored = {"qweight": (8, 48), "qzeros": (2, 6), "scales": (2, 48)}
        >>> folded = fold(Weight(f"q.{name}", "", shape, "int32") for name, shape in stored.items())
        >>> made = quantized_layer(groups(folded)[0], "q", EVIDENCE)
        >>> made.attributes["in_features"], made.attributes["quantizer"]
        (64, 'gptq 4-bit')
    """
    # Scales and the like prove nothing about the kind.
    roles = {role: plain_role(role, weight) for role, weight in group.weights.items() if not weight.buffer}
    main = next(weight for weight in group.weights.values() if weight.quantization is not None)
    how = main.quantization
    scheme = how.scheme if how is not None else ""
    shapes = {plain: group.weights[role].shape for role, plain in roles.items()}
    if scheme in TURNED and len(shapes.get("weight", ())) == 2:
        shapes["weight"] = shapes["weight"][::-1]
    matches = prove(shapes, rows)
    if scheme in _LINEAR or "SCB" in group.weights:
        matches = tuple(match for match in matches if match.kind == "linear")
    verdict = judge(shapes, matches, bind)
    layouts = {role: verdict.layouts.get(plain) for role, plain in roles.items()}
    if scheme in TURNED and verdict.kind == "linear":
        ranks = {role: len(weight.shape) for role, weight in group.weights.items()}
        layouts = {role: bind(f"Linear({scheme})", roles.get(role, role), n) for role, n in ranks.items()}
    candidates = verdict.candidates
    if rows and not matches and len(main.shape) == 2 and "weight" in shapes:
        candidates = ("linear",) if scheme in _LINEAR else ("linear", "embedding")
    named = replace(verdict, layouts=layouts, candidates=candidates, buffers=of_outputs(group.shapes))
    made = layer(group, named, path=path)
    weights = tuple(
        replace(weight, role=roles[weight.role])
        if weight.quantization is not None and weight.role.endswith(_ADDED)
        else weight
        for weight in made.weights
    )
    made = replace(made, weights=weights)
    if scheme == "torch":  # its own quantized layers, which are read as they are when live
        return made
    return replace(made, attributes=Frozen({**made.attributes, "quantizer": _quantizer(main)}))


def of_outputs(shapes: Mapping[str, Shape]) -> frozenset[str]:
    """Return the roles that say how torch's own quantized layer scales its outputs; they are no parameters.

    Args:
        shapes: every weight of the layer by its role.

    Example:
        >>> sorted(of_outputs({"weight": (5, 7), "scale": (), "zero_point": ()}))
        ['scale', 'zero_point']
    """
    both = shapes.get("scale") == shapes.get("zero_point") == ()
    return frozenset(("scale", "zero_point")) if both else frozenset()


def _quantizer(weight: Weight) -> str:
    how = weight.quantization
    if how is None or not how.bits:
        return "" if how is None else f"{how.scheme}, unknown bits"
    if how.bits < 8 and how.element.startswith(("int", "nf", "fp")):
        return f"{how.scheme} {how.bits}-bit"
    return f"{how.scheme} {how.element}"
