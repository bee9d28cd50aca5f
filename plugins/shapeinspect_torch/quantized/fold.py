"""Finds what quantizers wrote among bare weights: one logical weight for what is stored as several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from shapeinspect.ir import Weight
from shapeinspect.progress import report
from shapeinspect_torch.quantized import (
    bitsandbytes,
    hqq,
    microscaling,
    mlx,
    opaque,
    packed_integers,
    quanto,
    scaled,
    torchao,
)
from shapeinspect_torch.quantized.declared import NOTHING, Declared
from shapeinspect_torch.quantized.parts import Reader

#: The ending of one weight of each scheme, whether a dot (or nothing) stands before it, and its reader.
_SCHEMES: tuple[tuple[str, bool, Reader], ...] = (
    ("qweight", True, packed_integers.read),
    ("W_q", True, hqq.read),
    ("scales", True, mlx.read),
    ("SCB", True, bitsandbytes.read_eight_bits),
    (".absmax", False, bitsandbytes.read_four_bits),
    ("_blocks", False, microscaling.read),
    ("_packed", False, scaled.read_packed),
    ("_scale", False, partial(scaled.read_scaled, "_scale")),
    ("_scale_inv", False, partial(scaled.read_scaled, "_scale_inv")),
    ("qdata", False, torchao.read),
    ("scale", True, scaled.read_beside),
    ("q_weight", True, opaque.read_exl2),
    ("codes", True, opaque.read_aqlm),
    ("Qidxs", True, opaque.read_quip),
    ("B", True, opaque.read_marlin),
    ("weight_scales", True, opaque.read_eetq),
    ("._scale", False, quanto.read),
)
_ENDINGS = tuple(ending for ending, _, _ in _SCHEMES)
#: What a layer with a quantized weight also keeps: how its activations were scaled.
_ACTIVATIONS = frozenset({
    "input_scale", "input_zero_point", "input_global_scale", "output_scale", "activation_scale", "act_scale",
    "k_scale", "v_scale", "q_scale", "prob_output_scale", "input_scale_ub", "input_amax",
})  # fmt: skip


def quantized(weights: Iterable[Weight]) -> bool:
    """Tell whether a quantizer wrote some of the weights.

    Args:
        weights: the weights.

    Example:
        >>> quantized([Weight("q.weight", "", (64, 48)), Weight("q.scale", "", (64,))])
        False
    """
    by_name = {weight.name: weight for weight in weights}
    return next(_folded(by_name, NOTHING), None) is not None


def fold(weights: Iterable[Weight], declared: Declared = NOTHING) -> tuple[Weight, ...]:
    """Return weights as they were before they were quantized, with what belongs to them marked as buffers.

    Args:
        weights: the weights by their full names, in the order of the file.
        declared: what a configuration says.

    Example:
        >>> stored = {"qweight": (8, 48), "qzeros": (2, 6), "scales": (2, 48)}
        >>> main, zeros, _ = fold(Weight(f"q.{n}", "", shape, "int32") for n, shape in stored.items())
        >>> main.shape, main.quantization.label, zeros.buffer
        ((64, 48), 'int4 g32', True)
    """
    weights = tuple(weights)
    if not declared.method and not any(weight.name.endswith(_ENDINGS) for weight in weights):
        return weights
    by_name = {weight.name: weight for weight in weights}
    logical: dict[str, Weight] = {}
    for done, weight in enumerate(_folded(by_name, declared)):
        report(done, len(weights), "reading weights")
        logical.setdefault(weight.name, weight)
    report(len(weights), len(weights), "reading weights")
    beside = _companions(logical.values())
    for weight in weights if declared.method else ():
        if weight.name not in logical and weight.name not in beside:
            unexplained = opaque.read_declared(weight, declared)
            if unexplained is not None:
                logical[weight.name] = unexplained
    if not logical:
        return weights
    logical = _with_activations(logical, weights)
    beside = _companions(logical.values())
    return tuple(
        logical[weight.name]
        if weight.name in logical
        else replace(weight, buffer=True, trainable=False)
        if weight.name in beside or _is_activation(weight)
        else weight
        for weight in weights
    )


def _folded(weights: Mapping[str, Weight], declared: Declared) -> Iterator[Weight]:
    """Yield the logical weight of everything that a scheme explains."""
    for name in weights:
        if not name.endswith(_ENDINGS):
            continue
        for ending, whole, read in _SCHEMES:
            if not name.endswith(ending):
                continue
            prefix = name.removesuffix(ending)
            if whole and prefix and not prefix.endswith("."):
                continue
            weight = read(prefix, weights, declared)
            if weight is not None:
                yield weight


def _companions(folded: Iterable[Weight]) -> set[str]:
    return {name for weight in folded if weight.quantization for name in weight.quantization.companions}


def _is_activation(weight: Weight) -> bool:
    return weight.name.rpartition(".")[2] in _ACTIVATIONS and weight.size == 1


def _with_activations(logical: Mapping[str, Weight], weights: Sequence[Weight]) -> dict[str, Weight]:
    """Add how a layer's activations were scaled to the state of its quantized weight."""
    owners: dict[str, str] = {}
    for name in logical:
        owners.setdefault(name.rpartition(".")[0].removesuffix(".weight"), name)
    result = dict(logical)
    for weight in filter(_is_activation, weights):
        owner = result.get(owners.get(weight.name.rpartition(".")[0], ""))
        if owner is not None and owner.quantization is not None:
            how = replace(owner.quantization, state=(*owner.quantization.state, weight.name))
            result[owner.name] = replace(owner, quantization=how)
    return result
