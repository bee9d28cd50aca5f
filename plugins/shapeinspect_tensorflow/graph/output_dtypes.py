"""The element types of the outputs of nodes.

Source: https://www.tensorflow.org/api_docs/python/tf/raw_ops
"""

from __future__ import annotations

from shapeinspect_tensorflow.graph.flow import Step
from shapeinspect_tensorflow.graph.ops import COMPARISONS
from shapeinspect_tensorflow.vocabulary import dtypes

_INT32, _INT64 = 3, 9
#: For outputs whose type is not that of the data: the setting that says it, and its default.
_OTHER_DTYPES = {
    **{(op, 0): ("out_type", _INT32) for op in ("Shape", "ShapeN", "Size", "Rank")},
    **{(op, 0): ("output_type", _INT64) for op in ("ArgMax", "ArgMin")},
    **{(op, 1): ("index_type", _INT32) for op in ("TopK", "TopKV2")},
    **{
        (op, 1): ("out_idx", _INT32)
        for op in ("Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2", "ListDiff")
    },
    **{(op, 2): ("out_idx", _INT32) for op in ("UniqueWithCounts", "UniqueWithCountsV2")},
    ("MaxPoolWithArgmax", 1): ("Targmax", _INT64),
    ("Lu", 1): ("output_idx_type", _INT32),
    ("Where", 0): ("", _INT64),
    **{(f"NonMaxSuppression{end}", 0): ("", _INT32) for end in ("", "V2", "V3", "V4", "V5")},
    ("NonMaxSuppressionV4", 1): ("", _INT32),
    ("NonMaxSuppressionV5", 2): ("", _INT32),
    ("CombinedNonMaxSuppression", 3): ("", _INT32),
}
_DTYPES = ("DstT", "type", "dtype", "output_type", "out_type", "T", "Tparams")


def dtype(step: Step, index: int = 0) -> str | None:
    """Return the element type of an output; None where it is not known.

    Args:
        step: the node.
        index: the number of the output.
    """
    op, settings = step.node.op, step.node.attributes
    if op in COMPARISONS:
        return "bool"
    name, code = _OTHER_DTYPES.get((op, index), ("", None))
    if code is not None:
        return dtypes.name(settings.get(name, code))
    codes = (settings.get(name) for name in _DTYPES)
    return next((dtypes.name(code) for code in codes if isinstance(code, int)), None)
