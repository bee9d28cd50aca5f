"""The lengths that a failed function of torch compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from shapeinspect.plugin_api.origins.numbers import Number, Origin, origin_of
from shapeinspect_torch.debug.origins.following import Found, Operand


@dataclass(frozen=True, slots=True)
class Pair:
    """Two lengths that have to be equal.

    Args:
        wanted: what is asked for.
        had: what is there.
        batch: whether they count samples.
    """

    wanted: Origin
    had: Origin
    batch: bool = False


def compared(found: Found) -> list[Pair]:
    """Return the lengths that differ and have to be equal.

    Args:
        found: the call that failed.
    """
    settings = dict(found.settings)
    recurrent = not found.function or found.function.endswith("_cell")
    if recurrent and found.given and "input_size" in settings:
        return _unequal(_recurrent(found, settings))
    if found.function == "multi_head_attention_forward":
        return _unequal(_attended(found, settings))
    if found.function in _EXPANDING and found.operands:
        return _unequal(_expanded(found))
    rule = _RULES.get(found.function)
    if rule is None or len(found.operands) < 2 or any(not one.shape for one in found.operands[:2]):
        return []
    return _unequal(rule(found.operands, found.numbers))


def tables(found: Found) -> list[Origin]:
    """Return the numbers of rows of the tables that a failed lookup read.

    Args:
        found: the call that failed.
    """
    if found.function == "embedding" and len(found.operands) > 1 and len(found.operands[1].shape) == 2:
        return [_axis(found.operands[1], 0)]
    if found.function in ("index_select", "index_add_", "index_add") and found.operands[0].shape:
        axis = found.numbers[0].value if found.numbers else 0
        return [_axis(found.operands[0], axis)] if -1 <= axis < len(found.operands[0].shape) else []
    return []


def _unequal(pairs: Iterator[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.wanted.value != pair.had.value]


def _axis(operand: Operand, axis: int) -> Origin:
    return operand.axes[axis] or Origin(operand.shape[axis], "data")


def _linear(operands: Sequence[Operand], _numbers: Sequence[Origin]) -> Iterator[Pair]:
    if len(operands[1].shape) == 2:
        yield Pair(_axis(operands[1], 1), _axis(operands[0], -1))


def _convolved(operands: Sequence[Operand], _numbers: Sequence[Origin]) -> Iterator[Pair]:
    if len(operands[0].shape) == len(operands[1].shape):
        yield Pair(_axis(operands[1], 1), _axis(operands[0], 1))


def _transposed(operands: Sequence[Operand], _numbers: Sequence[Origin]) -> Iterator[Pair]:
    if len(operands[0].shape) == len(operands[1].shape):
        yield Pair(_axis(operands[1], 0), _axis(operands[0], 1))


def _product(operands: Sequence[Operand], _numbers: Sequence[Origin]) -> Iterator[Pair]:
    first, second = operands[-2:]
    yield Pair(_axis(second, -2 if len(second.shape) > 1 else -1), _axis(first, -1))


def _normalized(operands: Sequence[Operand], _numbers: Sequence[Origin]) -> Iterator[Pair]:
    if len(operands[0].shape) > 1:
        yield Pair(_axis(operands[1], 0), _axis(operands[0], 1))


def _by_layer(operands: Sequence[Operand], _numbers: Sequence[Origin]) -> Iterator[Pair]:
    yield Pair(_axis(operands[1], -1), _axis(operands[0], -1))


def _joined(operands: Sequence[Operand], numbers: Sequence[Origin]) -> Iterator[Pair]:
    first, rank = operands[0], len(operands[0].shape)
    along = numbers[-1].value % rank if numbers else 0
    for second in operands[1:]:
        for axis in range(rank) if len(second.shape) == rank else ():
            if axis != along and first.shape[axis] != second.shape[axis]:
                yield Pair(_axis(first, axis), _axis(second, axis), axis == 0)
                return


def _stacked(operands: Sequence[Operand], _numbers: Sequence[Origin]) -> Iterator[Pair]:
    first = operands[0]
    for second in operands[1:]:
        if len(second.shape) == len(first.shape) and second.shape != first.shape:
            for axis in range(len(first.shape)):
                yield Pair(_axis(first, axis), _axis(second, axis), True)
            return


def _gathered(operands: Sequence[Operand], numbers: Sequence[Origin]) -> Iterator[Pair]:
    source, index = operands[:2]
    along = numbers[0].value % max(len(source.shape), 1) if numbers else None
    if len(source.shape) == len(index.shape):
        for axis in range(len(source.shape)):
            if axis != along and index.shape[axis] > source.shape[axis]:
                yield Pair(_axis(source, axis), _axis(index, axis), axis == 0)


def _masked(operands: Sequence[Operand], _numbers: Sequence[Origin]) -> Iterator[Pair]:
    source, mask = operands[:2]
    for axis in range(min(len(source.shape), len(mask.shape)) if mask.is_mask else 0):
        yield Pair(_axis(source, axis), _axis(mask, axis))


def _attended(found: Found, settings: dict[str, Origin]) -> Iterator[Pair]:
    """Yield the lengths of attention, whose inputs are time first: features, batches, and those of masks."""
    plain = [one for one in found.operands if not one.name]
    named = {one.name: one for one in found.operands}
    if len(plain) < 4 or any(len(one.shape) != 3 for one in plain[:3]):
        return
    query, key = plain[:2]
    yield Pair(_axis(plain[3], -1), _axis(query, -1))
    yield Pair(_axis(query, 1), _axis(key, 1), True)
    padding, mask = named.get("key_padding_mask"), named.get("attn_mask")
    if padding is not None and len(padding.shape) == 2:
        yield Pair(_axis(key, 1), _axis(padding, 0), True)
        yield Pair(_axis(key, 0), _axis(padding, 1))
    if mask is not None and len(mask.shape) > 1:
        yield Pair(_axis(query, 0), _axis(mask, -2))
        yield Pair(_axis(key, 0), _axis(mask, -1))
        if len(mask.shape) == 3 and "num_heads" in settings:
            parts = [Number(one.value, one) for one in (_axis(query, 1), settings["num_heads"])]
            yield Pair(origin_of(parts[0] * parts[1]), _axis(mask, 0), True)


def _classified(operands: Sequence[Operand], numbers: Sequence[Origin]) -> Iterator[Pair]:
    outputs, targets = operands[:2]
    if len(outputs.shape) == len(targets.shape):
        yield from _broadcast(operands, numbers)
        return
    yield Pair(_axis(outputs, 0), _axis(targets, 0), True)
    if len(outputs.shape) == len(targets.shape) + 1:
        for axis in range(1, len(targets.shape)):
            yield Pair(_axis(outputs, axis + 1), _axis(targets, axis))


def _broadcast(operands: Sequence[Operand], _numbers: Sequence[Origin]) -> Iterator[Pair]:
    first, second = operands[:2]
    for back in range(-1, -min(len(first.shape), len(second.shape)) - 1, -1):
        if 1 not in (first.shape[back], second.shape[back]):
            yield Pair(_axis(first, back), _axis(second, back), batch=back == -len(first.shape) < -1)


def _expanded(found: Found) -> Iterator[Pair]:
    """Yield the lengths that a tensor is to have, with its own; one of 1 takes every length."""
    own, *others = found.operands
    wanted = found.asked if not others else [_axis(others[0], at) for at in range(len(others[0].shape))]
    for back in range(-1, -min(len(own.shape), len(wanted)) - 1, -1):
        if own.shape[back] != 1 and wanted[back].value != -1:
            yield Pair(wanted[back], _axis(own, back))


def _recurrent(found: Found, settings: dict[str, Origin]) -> Iterator[Pair]:
    read = found.given[0]
    if read.shape:
        yield Pair(settings["input_size"], _axis(read, -1))
    if len(found.given) > 1 and len(read.shape) == 3 and len(found.given[1].shape) == 3:
        state = found.given[1]
        yield Pair(_axis(read, 0 if found.batch_first else 1), _axis(state, 1), True)
        if "hidden_size" in settings:
            yield Pair(settings["hidden_size"], _axis(state, -1))
    elif len(found.given) > 1 and len(found.given[1].shape) == 2 and "hidden_size" in settings:
        yield Pair(settings["hidden_size"], _axis(found.given[1], -1))


_EXPANDING = frozenset({"expand", "expand_as", "broadcast_to"})
#: Functions whose operands are aligned from the last axis.
ALIGNED = frozenset({
    "add", "sub", "mul", "div", "rsub", "true_divide", "add_", "sub_", "mul_", "div_", "pow", "copy_",
    "broadcast_tensors", "__setitem__", "__add__", "__sub__", "__mul__", "__truediv__", "__radd__",
    "__rsub__", "__rmul__", "__rtruediv__", "__iadd__", "__isub__", "__imul__", "__rdiv__", "__and__",
    "__or__", "__eq__", "logical_and", "logical_or", "where", "masked_fill", "masked_fill_", "maximum",
    "minimum", "eq", "ne", "lt", "le", "gt", "ge", "lerp", "mse_loss", "l1_loss", "smooth_l1_loss",
    "huber_loss", "kl_div", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_similarity",
    "pairwise_distance", "addcmul", "atan2",
})  # fmt: skip
_RULES: dict[str, Callable[[Sequence[Operand], Sequence[Origin]], Iterator[Pair]]] = {
    "linear": _linear,
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _convolved),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _transposed),
    **dict.fromkeys(("matmul", "mm", "bmm", "__matmul__", "addmm", "baddbmm"), _product),
    **dict.fromkeys(("batch_norm", "instance_norm"), _normalized),
    **dict.fromkeys(("layer_norm", "rms_norm"), _by_layer),
    **dict.fromkeys(("cat", "concat", "concatenate"), _joined),
    "stack": _stacked,
    **dict.fromkeys(("cross_entropy", "nll_loss"), _classified),
    "gather": _gathered,
    **dict.fromkeys(("__getitem__", "masked_select"), _masked),
    **dict.fromkeys(ALIGNED, _broadcast),
}
