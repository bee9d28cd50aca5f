"""Sums over a model: parameters, bytes, work. Tied weights count once, work for every call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shapeinspect.dims import Dim
from shapeinspect.ir import Call, Model, Weight


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums over a set of weights and calls.

    Args:
        params: how many parameters, tied ones once; buffers are not counted.
        trainable: how many of them an optimizer would change; None if the source does not say.
        buffers: how many values buffers hold.
        bytes: bytes of parameters and buffers.
        bytes_by_dtype: the same, by element type.
        macs: multiply-accumulates of all calls; None if one is unknown or there are none.
        unknown: how many weights have an unknown shape.
    """

    params: int
    trainable: int | None
    buffers: int
    bytes: int
    bytes_by_dtype: tuple[tuple[str, int], ...]
    macs: Dim | None
    unknown: int


def weigh(weights: Iterable[Weight], calls: Iterable[Call]) -> Totals:
    """Add up weights and calls.

    Args:
        weights: the weights; tied ones share their ``storage`` and count once.
        calls: the calls, each of which counts.

    Example:
        >>> tied = Weight("a", "weight", (2, 3), "float32", 24, storage="s")
        >>> weigh([tied, tied], []).params
        6
    """
    seen: set[str] = set()
    params = trainable = buffers = unknown = 0
    undecided = False
    by_dtype: dict[str, int] = {}
    for weight in weights:
        if weight.storage is not None:
            if weight.storage in seen:
                continue
            seen.add(weight.storage)
        if weight.nbytes is not None:
            dtype = weight.dtype or "unknown"
            by_dtype[dtype] = by_dtype.get(dtype, 0) + weight.nbytes
        size = weight.size
        if size is None:
            unknown += 1
        elif weight.buffer:
            buffers += size
        else:
            params += size
            undecided |= weight.trainable is None
            trainable += size if weight.trainable else 0
    ordered = tuple(sorted(by_dtype.items(), key=lambda item: (-item[1], item[0])))
    return Totals(
        params,
        None if undecided else trainable,
        buffers,
        sum(by_dtype.values()),
        ordered,
        work(calls),
        unknown,
    )


def work(calls: Iterable[Call]) -> Dim | None:
    """Add up the multiply-accumulates of calls.

    Args:
        calls: those of layers and ops, not of containers.

    Returns:
        None if there are no calls or the work of one is unknown.
    """
    total: Dim | None = None
    for call in calls:
        if call.macs is None:
            return None
        total = call.macs if total is None else total + call.macs
    return total


def of_model(model: Model) -> Totals:
    """Add up a whole model.

    Args:
        model: the model.
    """
    containers = {layer.path for layer in model.layers if layer.kind == "module"}
    return weigh(
        (weight for layer in model.layers for weight in layer.weights),
        (call for call in model.calls if call.layer not in containers),
    )
