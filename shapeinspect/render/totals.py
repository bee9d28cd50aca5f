"""Sums over a model: parameters, bytes, work. Tied weights count once, work for every call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from shapeinspect.dims import Dim, Unknown
from shapeinspect.enclosing import Bodies
from shapeinspect.ir import Call, Layer, Model, Weight


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums over a set of weights and calls.

    Args:
        params: how many parameters, tied ones once; buffers are not counted.
        trainable: how many of them an optimizer would change; None if the source does not say.
        buffers: how many values buffers hold.
        bytes: bytes of parameters and buffers.
        bytes_by_dtype: the same, by element type.
        macs: multiply-accumulates of the calls whose work is known; None if there are none, or none is known.
        unknown: how many weights have an unknown shape: ``params`` is at least what it says.
        bytes_unknown: how many weights have an unknown size in bytes, which ``bytes`` does not count.
        macs_unknown: the paths of the layers whose work is not known, at least for one call: with any,
            ``macs`` is a lower bound. Where the calls end before the model does, the layer where they end.
    """

    params: int
    trainable: int | None
    buffers: int
    bytes: int
    bytes_by_dtype: tuple[tuple[str, int], ...]
    macs: Dim | None
    unknown: int
    bytes_unknown: int = 0
    macs_unknown: tuple[str, ...] = ()


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
    params = trainable = buffers = unknown = bytes_unknown = 0
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
        else:
            bytes_unknown += 1
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
    macs, macs_unknown = work(calls)
    return Totals(
        params,
        None if undecided else trainable,
        buffers,
        sum(by_dtype.values()),
        ordered,
        macs,
        unknown,
        bytes_unknown,
        macs_unknown,
    )


def work(calls: Iterable[Call]) -> tuple[Dim | None, tuple[str, ...]]:
    """Add up the multiply-accumulates of calls.

    Args:
        calls: those of layers and ops, not of containers.

    Returns:
        the sum of what is known, and the layers of the calls that it lacks. The sum is None if there are no
        calls, or if the work of some is unknown and that of all others nothing.

    Example:
        >>> work([Call("fc", ("x",), ("y",), macs=15), Call("unique", ("y",), ("z",))])
        (15, ('unique',))
    """
    total: Dim | None = None
    lacking: dict[str, None] = {}
    for call in calls:
        amount = call.macs
        more: Dim | None = amount if total is None or amount is None else total + amount
        if more is None or isinstance(more, Unknown):
            lacking[call.layer] = None
        else:
            total = more
    return (None if lacking and total == 0 else total), tuple(lacking)


def of_model(model: Model) -> Totals:
    """Add up a whole model.

    Args:
        model: the model.
    """
    return of_layers(model.layers, model)


def of_layers(layers: Sequence[Layer], model: Model) -> Totals:
    """Add up some layers of a model.

    Args:
        layers: the layers.
        model: the model.
    """
    called = {call.layer for call in model.calls} | {model.stopped}
    working = {layer.path for layer in layers if layer.kind != "module" and layer.path in called}
    calls = [call for call in model.calls if call.layer in working and not call.spare]
    # Of the branches of an ``if`` block one counts, see ``infer.blocks``.
    weighed = Bodies(body.path for block in model.blocks if block.kind == "if" for body in block.bodies)
    doubtful = [call for call in calls if call.conditional and not any(weighed.around(call.layer))]
    left_out = set(map(id, doubtful))
    totals = weigh(
        (weight for layer in layers for weight in layer.weights),
        (call for call in calls if id(call) not in left_out),
    )
    # Work that only some inputs cause, and what comes behind the end of the calls, is not in the sum.
    missing = [call.layer for call in doubtful if call.macs != 0]
    whole = len(layers) == len(model.layers)
    missing += [model.stopped] if model.stopped is not None and (whole or model.stopped in working) else []
    if not missing:
        return totals
    lacking = tuple(dict.fromkeys((*totals.macs_unknown, *missing)))
    return replace(totals, macs=totals.macs or None, macs_unknown=lacking)
