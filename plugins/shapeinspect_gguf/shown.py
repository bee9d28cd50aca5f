"""How GGUF files store weights: rows that ``shapeinspect layouts`` shows, as NumPy has the axes.

Source: ``ggml.h``: ``ne[0]`` is the axis whose numbers are neighbors, the last one of NumPy's; the orders
of rows as in :mod:`shapeinspect_gguf.names`.
"""

from __future__ import annotations

from collections.abc import Mapping

from shapeinspect.ir import Layout
from shapeinspect.plugin_api.native import NativeTable, ShownRow
from shapeinspect_gguf.names import TABLE

_BACK = "ggml writes the lengths back to front: ne is (i, o)"
_PAIRS = "of llama and its like, half=2: neighbors are rotated, elsewhere halves of a head"
_KINDS = "of bloom and gptneox, qkv=3: query, key and value, elsewhere head by head"


def _bind(kind: str, role: str, ndim: int, sizes: Mapping[str, int]) -> Layout | None:
    return TABLE.bind(kind, role, ndim, sizes)


def _at(_layer: int, _reverse: bool, _bidirectional: bool, _layers: int) -> str:
    return ""


#: Nothing is written by this table: ``normalize --to gguf`` goes by the names of layers.
LAYOUTS = NativeTable(
    "ggml",
    ".",
    (),
    _bind,
    _at,
    shown=(
        ShownRow("linear", "ffn_up", "weight", "o i", "o i", note=_BACK),
        ShownRow("linear", "ffn_up", "bias", "o", "o"),
        ShownRow("attention", "attn_q", "weight", "(head pair half) i", "(head half pair) i", note=_PAIRS),
        ShownRow("attention", "attn_k", "weight", "(head pair half) i", "(head half pair) i", note=_PAIRS),
        ShownRow("attention", "attn_qkv", "weight", "(qkv head d) i", "(head qkv d) i", note=_KINDS),
        ShownRow("attention", "attn_qkv", "bias", "(qkv head d)", "(head qkv d)", note=_KINDS),
        ShownRow("conv", "v.patch_embd", "weight", "o i kh kw", "o i kh kw", note="ne is (kw, kh, i, o)"),
        ShownRow("embedding", "token_embd", "weight", "V E", "V E", note="ne is (E, V)"),
        ShownRow("layer_norm", "attn_norm", "weight", "n0", "n0", note="gemma and nemotron: 1 is added"),
        ShownRow("layer_norm", "attn_norm", "bias", "n0", "n0"),
        ShownRow("rms_norm", "attn_norm", "weight", "n0", "n0", note="gemma and nemotron: 1 is added"),
    ),
)
