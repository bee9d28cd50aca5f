"""Layers whose weights a quantizer wrote: their kind is that of the weights they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Quantization
from shapeinspect.layout.bare import Evidence, Group, Verdict, judge, layer, prove
from shapeinspect_torch.quantized.roles import plain_role
from shapeinspect_torch.vocabulary.layouts import bind

#: Schemes that store a matrix inputs first.
TURNED = ("gptq", "awq", "exl2", "marlin", "eetq")
#: Schemes that only linear layers have.
_LINEAR = (*TURNED, "hqq", "aqlm", "quip")
#: What quantizers add to the role of a weight.
_ADDED = ("_packed", "_qdata", "_blocks")


def quantized_layer(
    group: Group, path: str, rows: Sequence[Evidence], known: dict[object, Verdict] | None = None
) -> Layer:
    """Return the layer of a group that holds a quantized weight.

    Args:
        group: the weights, folded.
        path: the layer's path.
        rows: the evidence; without any its kind is unknown.
        known: what was concluded about groups of the same weights; it is added to.

    Example:
        >>> from shapeinspect.ir import Weight
        >>> from shapeinspect.layout.bare import groups
        >>> from shapeinspect_torch.quantized.fold import fold
        >>> from shapeinspect_torch.recognition.evidence import EVIDENCE
        >>> stored = {"qweight": (8, 48), "qzeros": (2, 6), "scales": (2, 48)}
        >>> folded = fold(Weight(f"q.{name}", "", shape, "int32") for name, shape in stored.items())
        >>> linear = quantized_layer(groups(folded)[0], "q", EVIDENCE)
        >>> linear.attributes["in_features"], linear.attributes["quantizer"]
        (64, 'gptq 4-bit')
    """
    how = next(weight.quantization for weight in group.weights.values() if weight.quantization is not None)
    facts = tuple([(role, w.shape, w.buffer, w.quantization is None) for role, w in group.weights.items()])
    key = ("quantized", how.scheme, how.element, how.bits, facts)
    verdict = known.get(key) if known is not None else None
    if verdict is None:
        verdict = _verdict(group, how, rows)
        if known is not None:
            known[key] = verdict
    whole = layer(group, verdict, path=path)
    if not any(role.endswith(_ADDED) for role in group.weights):
        return whole
    weights = tuple(
        replace(weight, role=plain_role(weight.role, weight))
        if weight.quantization is not None and weight.role.endswith(_ADDED)
        else weight
        for weight in whole.weights
    )
    return replace(whole, weights=weights)


def _verdict(group: Group, how: Quantization, rows: Sequence[Evidence]) -> Verdict:
    # Scales and the like prove nothing about the kind.
    roles = {role: plain_role(role, weight) for role, weight in group.weights.items() if not weight.buffer}
    shapes = {plain: group.weights[role].shape for role, plain in roles.items()}
    main = next(weight for weight in group.weights.values() if weight.quantization is not None)
    if how.scheme in TURNED and len(shapes.get("weight", ())) == 2:
        shapes["weight"] = shapes["weight"][::-1]
    matches = prove(shapes, rows)
    if how.scheme in _LINEAR or "SCB" in group.weights:
        matches = tuple(match for match in matches if match.kind == "linear")
    verdict = judge(shapes, matches, bind)
    layouts = {role: verdict.layouts.get(plain) for role, plain in roles.items()}
    if how.scheme in TURNED and verdict.kind == "linear":
        ranks = {role: len(weight.shape) for role, weight in group.weights.items()}
        layouts = {role: bind(f"Linear({how.scheme})", roles.get(role, role), n) for role, n in ranks.items()}
    candidates = verdict.candidates
    if rows and not matches and len(main.shape) == 2 and "weight" in shapes:
        candidates = ("linear",) if how.scheme in _LINEAR else ("linear", "embedding")
    attributes = verdict.attributes
    if how.scheme != "torch":  # its own quantized layers are read as they are when live
        attributes = Frozen({**attributes, "quantizer": _quantizer(how)})
    return replace(
        verdict,
        layouts=layouts,
        candidates=candidates,
        attributes=attributes,
        buffers=of_outputs(group.shapes),
    )


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


def _quantizer(how: Quantization) -> str:
    if not how.bits:
        return f"{how.scheme}, unknown bits"
    if how.bits < 8 and how.element.startswith(("int", "nf", "fp")):
        return f"{how.scheme} {how.bits}-bit"
    return f"{how.scheme} {how.element}"
