"""Schemes whose logical shape is known and whose numbers are not computed, and integers of unknown schemes.

Source: ExLlamaV2 ``ext.py`` (``q_weight`` words × o, ``q_invperm`` i), AQLM ``inference.py`` (``codes`` and
``codebooks``: groups of outputs and inputs), Marlin (``B`` i/16 × o·16·bits/32, ``s``), EETQ
(``weight_scales``), BitNet's ``transformers/integrations/bitnet.py`` (four rows to a byte).
"""

from __future__ import annotations

from collections.abc import Mapping

from shapeinspect.dims import UNKNOWN
from shapeinspect.ir import Packing, Quantization, Weight
from shapeinspect_torch.quantized.declared import Declared
from shapeinspect_torch.quantized.parts import folded, hidden, lengths, present

_EXL2 = ("q_scale_max", "q_groups", "q_group_map", "q_invperm", "q_perm")
_QUIP = ("SU", "SV", "Wscale", "codebook_id", "fuse_scales", "rcp", "planar")


def read_exl2(prefix: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight of ExLlamaV2, whose rows have different numbers of bits.

    Args:
        prefix: the layer's path and a dot.
        weights: all weights by name.
        declared: the configuration.
    """
    main, scales = weights.get(f"{prefix}q_weight"), weights.get(f"{prefix}q_scale")
    stored = lengths(main)
    if main is None or scales is None or stored is None or len(stored) != 2:
        return None
    order = lengths(weights.get(f"{prefix}q_invperm")) or lengths(weights.get(f"{prefix}q_perm"))
    inputs = order[0] if order is not None and len(order) == 1 else UNKNOWN
    how = Quantization("exl2", scales=(scales.name,), state=present(weights, prefix, *_EXL2))
    return folded(main, (inputs, stored[1]), how, None)


def read_aqlm(prefix: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight of AQLM: sums of vectors of code books.

    Args:
        prefix: the layer's path and a dot.
        weights: all weights by name.
        declared: the configuration.
    """
    main, books = weights.get(f"{prefix}codes"), weights.get(f"{prefix}codebooks")
    codes, vectors = lengths(main), lengths(books)
    if main is None or books is None or codes is None or vectors is None:
        return None
    if len(codes) != 3 or len(vectors) != 4 or codes[2] != vectors[0]:
        return None
    how = Quantization("aqlm", "", None, None, None, present(weights, prefix, "scales"), state=(books.name,))
    return folded(main, (codes[0] * vectors[2], codes[1] * vectors[3]), how, None)


def read_quip(prefix: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight of QuIP#, whose code book the file does not name.

    Args:
        prefix: the layer's path and a dot.
        weights: all weights by name.
        declared: the configuration.
    """
    main = weights.get(f"{prefix}Qidxs")
    state = present(weights, prefix, *_QUIP)
    return None if main is None or not state else hidden(main, "quip", (), state)


def read_marlin(prefix: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight in the order of Marlin's kernel.

    Args:
        prefix: the layer's path and a dot.
        weights: all weights by name.
        declared: the configuration.
    """
    main, scales = weights.get(f"{prefix}B"), weights.get(f"{prefix}s")
    stored, many = lengths(main), lengths(scales)
    if main is None or scales is None or stored is None or many is None or main.dtype != "int32":
        return None
    if len(stored) != 2 or len(many) != 2 or stored[1] != 2 * many[1]:
        return None
    shape = (16 * stored[0], many[1])
    if shape[0] % many[0]:
        return hidden(main, "marlin", (scales.name,))
    block = (None if many[0] == 1 else shape[0] // many[0], 1)
    packing = Packing(stored, "int32", None, 8)
    how = Quantization("marlin", "int4", 4, block, packing, (scales.name,))
    return folded(main, shape, how, None)


def read_eetq(prefix: str, weights: Mapping[str, Weight], declared: Declared) -> Weight | None:
    """Read a weight of EETQ, inputs first and in the order of its kernel.

    Args:
        prefix: the layer's path and a dot.
        weights: all weights by name.
        declared: the configuration.
    """
    main, scales = weights.get(f"{prefix}weight"), weights.get(f"{prefix}weight_scales")
    shape, many = lengths(main), lengths(scales)
    if main is None or scales is None or shape is None or many is None or main.dtype != "int8":
        return None
    if len(shape) != 2 or many != shape[1:]:
        return None
    return folded(main, shape, Quantization("eetq", "int8", 8, (None, 1), None, (scales.name,)), None)


#: Methods that pack rows of two bits, four to a byte.
_BITNET = "bitnet"


def read_declared(weight: Weight, declared: Declared) -> Weight | None:
    """Read integers that no scheme explains, where a configuration says that the model is quantized.

    Args:
        weight: the weight.
        declared: the configuration.
    """
    shape = lengths(weight)
    if shape is None or len(shape) < 2 or weight.buffer or not declared.method:
        return None
    if weight.dtype == "uint8" and declared.method == _BITNET:
        packing = Packing(shape, "uint8", 0, 4)
        how = Quantization(_BITNET, "int2", 2, (None,) * len(shape), packing)
        return folded(weight, (4 * shape[0], *shape[1:]), how, None)
    if weight.dtype in ("uint8", "int16", "uint16", "int32", "uint32"):
        return hidden(weight, declared.method, ())
    return None
