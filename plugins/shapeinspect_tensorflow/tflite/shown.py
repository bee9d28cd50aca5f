"""How the operators of TFLite store their weights, for a reader: their kinds, and the rows of the table.

Nothing is written by this table.
"""

from __future__ import annotations

from collections.abc import Mapping

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layout
from shapeinspect.layout.shown import shown_rows
from shapeinspect.plugin_api.native import NativeTable
from shapeinspect_tensorflow.tflite.ops import OPS
from shapeinspect_tensorflow.vocabulary.layouts import TABLE

#: The operators that have a kind whatever their inputs are, and those whose stored input decides.
_CLASSES: Mapping[str, str] = Frozen(
    {
        **{name: op.kind for name, op in OPS.items() if isinstance(op.kind, str) and op.kind != "unknown"},
        "FULLY_CONNECTED": "linear", "BATCH_MATMUL": "matmul", "EMBEDDING_LOOKUP": "embedding",
        "GATHER": "gather", "TRANSPOSE": "permute", "SLICE": "slice", "STRIDED_SLICE": "slice",
    }
)  # fmt: skip
_STORED = {
    **{name: _CLASSES[name] for name in ("FULLY_CONNECTED", "CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D")},
    **{name: _CLASSES[name] for name in ("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE", "PRELU", "EMBEDDING_LOOKUP")},
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "lstm",
}


def _bind(kind: str, role: str, ndim: int, sizes: Mapping[str, int]) -> Layout | None:
    return TABLE.bind(kind, role, ndim, sizes)


def _at(_layer: int, _reverse: bool, _bidirectional: bool, _layers: int) -> str:
    return ""


TFLITE = NativeTable(
    "tflite",
    "/",
    (),
    _bind,
    _at,
    channels_last=True,
    classes=_CLASSES,
    shown=shown_rows(TABLE, _STORED),
)
