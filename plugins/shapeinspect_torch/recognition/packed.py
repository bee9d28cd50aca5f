"""Linear layers whose weights a quantizer packed, several to an integer."""

from __future__ import annotations

from dataclasses import replace

from shapeinspect.ir import Frozen, Layer, Weight
from shapeinspect.layout.bare import Group
from shapeinspect_torch.recognition.evidence import BUFFERS
from shapeinspect_torch.vocabulary.layouts import bind

_WORD = 32


def packed_linear(group: Group) -> Layer | None:
    """Return the linear layer of weights packed by GPTQ, AWQ or bitsandbytes (4-bit), or None.

    Args:
        group: the weights.

    Source:
        AutoGPTQ ``QuantLinear`` (``qweight`` i·bits/32 × o, ``qzeros`` groups × o·bits/32, ``scales``
        groups × o), AutoAWQ ``WQLinear_GEMM`` (``qweight`` i × o·bits/32), bitsandbytes
        ``Params4bit`` (``weight`` n/2 × 1 with ``weight.absmax`` and ``weight.quant_map``).

    Example:
        >>> from shapeinspect.layout.bare import groups
        >>> shapes = {"qweight": (8, 48), "qzeros": (2, 6), "scales": (2, 48)}
        >>> made = packed_linear(groups(Weight(f"q.{n}", "", s, "int32") for n, s in shapes.items())[0])
        >>> made.attributes["in_features"], made.attributes["quantizer"]
        (64, 'gptq 4-bit')
    """
    members = group.weights
    if "qweight" not in members and "weight.absmax" not in members:
        return None
    if {"weight", "weight.absmax", "weight.quant_map"} <= members.keys():
        weight = members["weight"]
        counts = {"weight": 2 * weight.size} if weight.dtype == "uint8" and weight.size is not None else {}
        return _layer(group, "unknown", ("linear", "embedding"), {}, "bitsandbytes 4-bit", counts)
    if not {"qweight", "qzeros", "scales"} <= members.keys():
        return None
    shapes = [members[role].shape for role in ("qweight", "qzeros", "scales")]
    if any(len(shape) != 2 or not all(isinstance(n, int) and n for n in shape) for shape in shapes):
        return None
    ((rows, columns), (_, zeros), (_, outputs)) = ([int(str(n)) for n in shape] for shape in shapes)
    bits, rest = divmod(_WORD * zeros, outputs)
    if rest or not bits:
        return None
    if columns == outputs and not _WORD * rows % bits:
        inputs, name = _WORD * rows // bits, "gptq"
    elif columns * _WORD == outputs * bits:
        inputs, name = rows, "awq"
    else:
        return None
    sizes = {"in_features": inputs, "out_features": outputs}
    return _layer(group, "linear", (), sizes, f"{name} {bits}-bit", {"qweight": inputs * outputs})


def _layer(
    group: Group,
    kind: str,
    candidates: tuple[str, ...],
    sizes: dict[str, int],
    name: str,
    counts: dict[str, int],
) -> Layer:
    def marked(role: str, weight: Weight) -> Weight:
        if role in BUFFERS or role.startswith("weight.quant_state"):
            return replace(weight, role=role, buffer=True, trainable=False)
        layout = bind(f"Linear({name.partition(' ')[0]})", role, len(weight.shape))
        return replace(weight, role=role, layout=layout, count=counts.get(role, weight.count))

    weights = tuple(marked(role, weight) for role, weight in group.weights.items())
    attributes = Frozen[object]({**sizes, "quantizer": name})
    return Layer(group.path, kind, "", group.parts or (group.path,), attributes, weights, candidates)
