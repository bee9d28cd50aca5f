"""The nearest sizes at which a network fits, where that is known of every size, and the rule behind them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from shapeinspect.ir import Layer
from shapeinspect.mismatch.reasons.lineage import Lineage
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.input_sizes.predicted import may_change
from shapeinspect.mismatch.repairs.proposals import entry
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.sizes.requirements import channel_axis, demand_of, lengths_of, space_rank
from shapeinspect.plugin_api.changes import OnInput
from shapeinspect.plugin_api.clock import allowed
from shapeinspect.plugin_api.regions import Place
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect.solve.nearest import Nearest, nearest

#: At most so many runs, and seconds.
_RUNS, _SECONDS = 48, 3.0
#: Lengths that are so many times shorter than what was fed are none that were meant.
_TIMES = 4
#: Sizes up to this one are looked at, or up to the double of what was fed.
_LARGEST = 512
#: Kinds that read the features of their last axis.
_FEATURES = frozenset({"linear", "rnn", "lstm", "gru", "attention", "layer_norm", "rms_norm"})
_MULTIPLE = re.compile(r"divisible by (\d+)$")


def known_to_fit(rerun: Rerun) -> Fix | None:
    """Find the sizes nearest to those that were fed, among all that a network is known to take.

    Args:
        rerun: the failed call; it is run again with what is found.
    """
    failure = rerun.failure
    names = failure.model.inputs
    if len(failure.inputs) > 1 and set(failure.inputs) <= set(names):
        return None  # what is fed is joined at once: no network says which sizes fit
    shapes = [_lengths(failure, name) for name in names]
    fed = [shape for shape in shapes if shape is not None]
    if not fed or len(fed) < len(shapes):
        return None
    held = {
        place for index, name in enumerate(names) for place in _held(failure, index, name, len(fed[index]))
    }
    held |= {*_carried(failure, names)} | rerun.insists()
    free = [
        (index, axis)
        for index, shape in enumerate(fed)
        for axis in range(1, len(shape))
        if (index, axis) not in held
    ]
    if not may_change(failure, fed, free):
        return None  # what finds such sizes may take a second to load
    near = nearest(rerun.region, fed, most=_RUNS, seconds=allowed(_SECONDS), held=held, largest=_LARGEST)
    if near is None or any(
        old > _TIMES * new
        for was, now in zip(fed, near.shapes, strict=True)
        for old, new in zip(was, now, strict=True)
    ):
        return None  # lengths of 1 fit many layers by accident
    changes = tuple(
        OnInput(name, (("resize", shape),))
        for name, shape, old in zip(names, near.shapes, fed, strict=True)
        if shape != old
    )
    if not changes or rerun.attempt(changes) is not None:
        return None
    step = _MULTIPLE.search(near.sizes)
    lengths = [fed[int(index)][axis] for index, axis in near.moved]
    text = _text(near, names)
    fitting = text.removeprefix("feed ")
    why: tuple[str, ...] = (f"the call runs with {fitting}, and not with what is fed",)
    why = why if step is None else no_multiples(failure, lengths, int(step[1]))
    return Fix("", changes, Rung.INPUT_SIZE, text, why=why)


def no_multiples(failure: Failure, lengths: Sequence[int], step: int) -> tuple[str, ...]:
    """Say which lengths are no multiples of a step, and which strides make it; a clause, or nothing.

    Args:
        failure: the failed call.
        lengths: lengths that were fed.
        step: what they have to be multiples of.
    """
    product = _product(failure, step)
    if not product:
        return ()
    wrong = [str(length) for length in dict.fromkeys(lengths) if length % step]
    if not wrong:
        return ()
    said = "is no multiple" if len(wrong) == 1 else "are no multiples"
    return (f"{' and '.join(wrong)} {said} of {product}",)


def _product(failure: Failure, step: int) -> str:
    """Write a step as the product of the strides; empty where it is not that."""
    strides = [stride for stride in _strides(failure) if stride > 1]
    if len(strides) < 2 or math.prod(strides) != step:
        return ""
    return f"{step} = {'·'.join(map(str, strides))}, the product of the strides"


def _lengths(failure: Failure, name: str) -> tuple[int, ...] | None:
    value = failure.model.values.get(name)
    if value is None or value.shape is None:
        return None
    shape = tuple(length for length in value.shape if isinstance(length, int))
    return shape if len(shape) == len(value.shape) else None


def _held(failure: Failure, index: int, name: str, rank: int) -> Iterator[Place]:
    """Yield the axes of an input whose length weights decide."""
    layer = entry(failure, name)
    if layer is None:
        return
    if space_rank(layer.attributes) is not None:
        channels = channel_axis(layer.attributes, rank)
        if channels is not None:
            yield index, channels % rank
    elif layer.kind in _FEATURES:
        yield index, rank - 1


def _carried(failure: Failure, names: Sequence[str]) -> Iterator[Place]:
    """Yield the axis of an input that comes to the failed layer as its channels or features, as it is."""
    shapes = tuple(lengths_of(failure, name) for name in failure.inputs)
    demand = demand_of(failure.layer, shapes)
    if demand is None:
        return
    lineage = Lineage(failure)
    name = failure.inputs[demand.operand]
    plain = sorted(length for length in lineage.shape(name) if length != 1)
    for _, call, _ in lineage.back(name):
        if len(call.inputs) != 1:
            return
        name = call.inputs[0]
        if sorted(length for length in lineage.shape(name) if length != 1) != plain:
            return
    places = [axis for axis, length in enumerate(lineage.shape(name)) if length == demand.had]
    if name in names and len(places) == 1:
        yield names.index(name), places[0]


def _text(near: Nearest, names: tuple[str, ...]) -> str:
    """Write the shapes to feed, the neighbor on the other side, and which lengths fit."""
    moved = dict.fromkeys(int(index) for index, _ in near.moved)
    text = ", ".join(f"feed {names[index]} of {near.shapes[index]}" for index in moved)
    if not near.sizes:
        return text
    index, axis = near.moved[0]
    fed = near.shapes[int(index)][axis]
    other = next((length for length in near.lengths if length != fed), None)
    beside = f", or of length {other}" if other is not None else ""
    places = dict.fromkeys(axis for _, axis in near.moved)
    where = f"on axis {axis}" if len(places) == 1 else "on each of axes " + " and ".join(map(str, places))
    return f"{text}{beside} ({where} {_rule(near.sizes)})"


def _rule(sizes: str) -> str:
    """Write which lengths fit."""
    found = _MULTIPLE.search(sizes)
    if sizes.isdigit():
        return f"only {sizes} fits"
    if found is None:
        return f"{sizes.replace('≥ ', 'lengths from ').replace(' and ', ' that are ')} fit"
    step = int(found[1])
    least = sizes[: found.start()].replace(" and ", "").replace("≥", "from")
    return f"multiples of {step}{' ' + least if least else ''} fit"


def _strides(failure: Failure) -> Iterator[int]:
    """Yield by how much each layer before the failure divides the length."""
    layers: dict[str, Layer] = {layer.path: layer for layer in failure.model.layers}
    for call in failure.model.calls:
        layer = layers.get(call.layer)
        if layer is None or "transpose" in layer.kind or space_rank(layer.attributes) is None:
            continue
        stride = layer.attributes.get("stride")
        if isinstance(stride, tuple) and stride and all(type(n) is int for n in stride):
            yield stride[-1]
