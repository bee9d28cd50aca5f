"""What an exception of torch says beyond shapes, as the facts of the core."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer
from shapeinspect.plugin_api.facts import (
    BatchedMatrices,
    Fact,
    IndexOutside,
    OneValuePerChannel,
    OtherType,
    Refusal,
    RowsCompared,
    TooLong,
    TupleGiven,
)
from shapeinspect_torch.tracing.meta_checks import OtherTypeError
from shapeinspect_torch.tracing.recorder import NeedsIntegersError

#: The expected inputs of containers that compare the widths of their first two inputs themselves.
CONTAINERS = {
    "Transformer": Refusal("features", "src and tgt of the same features, d_model on the last axis")
}
#: Facts about a call that follow from its function.
_OF_FUNCTIONS: dict[str, Fact] = {
    "bmm": BatchedMatrices(),
    "cdist": RowsCompared(),
    "pairwise_distance": RowsCompared(),
}
#: torch's messages for a layer that gets all outputs of another one, and for a norm with one value per
#: channel.
_OF_TUPLES, _OF_ONE = "not tuple", "more than 1"
#: Its message for the lengths of sequences, in ``ctc_loss``.
_OF_LENGTHS = re.compile(r"Expected (\w+) to have value at most (\d+), but got value (\d+)")


#: Its messages for an index of numbers that is read as a mask, and for an index outside of a tensor.
_OF_MASKS = "shape of the mask"
#: Its message for an index of ``scatter``, ``gather`` or ``index_select`` that is no tensor of integers.
_OF_INDEX_TYPES = re.compile(r"[Ee]xpected (?:dtype )?int\d\d(?:/| or )?\S* for index")
#: What starts the name of a dtype of whole numbers or of flags.
_WHOLE = ("int", "uint", "bool")
#: Its messages for a tensor of another dtype than a function takes: that dtype, the first operand that may
#: have it, and how the names of those begin that are not taken; all but the wanted one where that is empty.
_OF_OPERANDS: tuple[tuple[re.Pattern[str], str, int, tuple[str, ...]], ...] = (
    (re.compile(r"only supports boolean masks|expected BoolTensor for mask"), "bool", 1, ()),
    (re.compile(r"expected condition to be a boolean tensor"), "bool", 0, ()),
    (re.compile(r"tensors used as indices must be"), "int64", 1, ("float", "bfloat", "complex")),
    (re.compile(r"Expected floating point type for target"), "float32", 1, _WHOLE),
    (re.compile(r"must be either a floating point or complex dtype"), "float32", 0, _WHOLE),
    (re.compile(r"not implemented for '(?:Long|Int|Short|Char|Byte|Bool)'"), "float32", 0, _WHOLE),
)
_OF_INDICES = re.compile(r"index(?: -?\d+)? (?:is )?out of (?:range|bounds)")
#: Its message for a label that is none of the classes.
_OF_LABELS = re.compile(r"[Tt]arget (-?\d+) is out of bounds")


def fact_of(error: Exception, layer: Layer, dtypes: Sequence[str | None]) -> Fact | None:
    """Return the fact in an exception beyond shapes: the expected dtype, a tuple, a single value.

    Args:
        error: what torch or the run without numbers raised.
        layer: the layer that refused.
        dtypes: the dtypes of its inputs.
    """
    if isinstance(error, OtherTypeError):
        return OtherType(error.wants, error.has, error.operand)
    if isinstance(error, NeedsIntegersError) and dtypes:
        return OtherType("int64", str(dtypes[0]))
    if _OF_TUPLES in str(error):
        return TupleGiven()
    if _OF_ONE in str(error) and layer.kind in ("batch_norm", "instance_norm"):
        return OneValuePerChannel()
    too_long = _OF_LENGTHS.search(str(error))
    if too_long:
        return TooLong(too_long[1], int(too_long[3]), int(too_long[2]))
    if _OF_MASKS in str(error) and "uint8" in dtypes:
        return OtherType("int64", "uint8, which is read as a mask", dtypes.index("uint8"))
    if _OF_INDEX_TYPES.search(str(error)):
        real = [at for at, dtype in enumerate(dtypes) if at and dtype and "float" in dtype]
        return OtherType("int64", str(dtypes[real[0]]), real[0]) if real else None
    return _of_operand(str(error), dtypes) or _OF_FUNCTIONS.get(layer.type.rpartition(".")[2])


def _of_operand(message: str, dtypes: Sequence[str | None]) -> OtherType | None:
    """Return which tensor has a dtype that a function refuses; None where the message tells nothing."""
    for pattern, wants, first, refused in _OF_OPERANDS:
        if not pattern.search(message):
            continue
        for at, dtype in list(enumerate(dtypes))[first:]:
            if dtype and (dtype.startswith(refused) if refused else dtype != wants):
                return OtherType(wants, str(dtype), at)
            if refused is _WHOLE:  # nothing but the operand itself
                break
    return None


def outside(
    error: Exception, layer: Layer, shapes: Sequence[Shape | None], indices: tuple[int, int] | None
) -> IndexOutside | None:
    """Return the fact that a function was given an index outside of what it reads or writes.

    Args:
        error: what torch raised.
        layer: the call of the function.
        shapes: the shapes of its inputs, first that of what the indices point into.
        indices: the largest and the smallest of them; None where the numbers are not there.
    """
    axis = layer.attributes.get("axis", 0)
    first = shapes[0] if shapes else None
    label = _OF_LABELS.search(str(error))
    if label and first and layer.kind == "loss":
        count, number = first[1 if len(first) > 1 else 0], int(label[1])
        if not isinstance(count, int) or 0 <= number < count:
            return None
        return IndexOutside(max(number, count - 1), min(number, 0), count)
    if indices is None or not _OF_INDICES.search(str(error)) or not isinstance(axis, int) or not first:
        return None
    size = first[axis] if -len(first) <= axis < len(first) else None
    if not isinstance(size, int) or (indices[0] < size and indices[1] >= 0):
        return None
    return IndexOutside(indices[0], indices[1], size)


def axis_order(container: Any) -> Frozen[Any]:
    """Return the batch axis of a Transformer, which its attention layers define.

    Args:
        container: the module.
    """
    orders = [part.batch_first for part in container.modules() if hasattr(part, "batch_first")]
    return Frozen(batch_first=orders[0]) if orders else Frozen()
