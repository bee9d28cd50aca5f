"""The quantizer that a configuration names, held against how the weights are stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shapeinspect.ir import Contradiction, Layer, Note
from shapeinspect_torch.quantized.declared import Declared
from shapeinspect_torch.recognition.checks.findings import once

#: What each method stores, so that its configuration never stands beside plain weights.
#: Source: ``transformers/quantizers``: those that only load weights that are quantized already.
_STORES = {"gptq": "qweight, qzeros, scales", "awq": "qweight, qzeros, scales", "fp8": "weights of float8"}
#: Schemes that a loader does not recognize without its configuration.
_NEEDS = ("gptq", "awq")


def quantizer(layers: Sequence[Layer], declared: Declared) -> Iterator[Note]:
    """Yield where the stored weights are not as the configuration's quantizer writes them.

    Args:
        layers: those of the file.
        declared: what the configurations say.
    """
    stored = [
        (layer, weight) for layer in layers for weight in layer.weights if weight.quantization is not None
    ]
    method, bits = declared.method, declared.whole("bits", "")
    origin = f"quant_method {method}"
    if method in _STORES and not stored and any(layer.weights for layer in layers):
        about = Contradiction("quantization_config", _STORES[method], "no quantized weight", origin)
        text = f"the configuration names {method}, but no weight is quantized"
        yield Note(text, fault=True, contradictions=(about,))
    schemes = {weight.quantization.scheme for _, weight in stored if weight.quantization is not None}
    if stored and not declared.settings and (named := sorted(schemes & {*_NEEDS})):
        got = f"{stored[0][1].name} and {len(stored) - 1:,} more"
        about = Contradiction("quantization_config", f"quant_method {named[0]}", "missing", f"stored: {got}")
        text = f"weights are stored as {named[0]} does, but no configuration says so"
        yield Note(text, fault=True, contradictions=(about,))
    if method not in _NEEDS or bits is None:
        return
    found = [
        Contradiction(
            weight.name, f"{asked} bits", f"{weight.quantization.bits} bits", f"{origin}, bits {asked}"
        )
        for layer, weight in stored
        if weight.quantization is not None
        and weight.quantization.scheme in _NEEDS
        and (asked := declared.whole("bits", layer.path)) is not None
        and weight.quantization.bits not in (None, asked)
    ]
    if found:
        text = f"the configuration states {bits} bits, which is not what {len(found):,} weights have"
        yield Note(text, fault=True, contradictions=once(found))
