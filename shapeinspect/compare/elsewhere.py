"""Numbers that stand in the place of others: mean and variance exchanged, q and k, two layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from shapeinspect.compare.prints import Key, Print
from shapeinspect.compare.result import LayerPair, WeightPair


def found_elsewhere(pairs: Sequence[LayerPair]) -> tuple[LayerPair, ...]:
    """Say of weights that differ where the first model has the second one's numbers.

    Args:
        pairs: all pairs of layers.
    """
    places: dict[Key, list[tuple[LayerPair, WeightPair]]] = defaultdict(list)
    for pair in pairs:
        for weight in pair.weights:
            if weight.prints is not None and weight.prints[0].tells:
                places[weight.prints[0].key].append((pair, weight))
    if not places:
        return tuple(pairs)
    return tuple(
        replace(pair, weights=tuple(_told(weight, pair, places) for weight in pair.weights)) for pair in pairs
    )


def _told(
    weight: WeightPair, pair: LayerPair, places: dict[Key, list[tuple[LayerPair, WeightPair]]]
) -> WeightPair:
    if weight.prints is None or not weight.why:
        return weight
    own = weight.prints[1]
    # Where several have the same numbers, none is known to be meant.
    fitting = [place for place in places.get(own.key, []) if place[1] is not weight]
    if len(fitting) != 1 or not _equal(own, fitting[0][1]):
        return weight
    other, source = fitting[0]
    back = source.prints is not None and source.prints[1].key == weight.prints[0].key
    if other is pair:
        names = " and ".join(sorted((weight.slot, source.slot)))
        text = f"{names} are exchanged" if back else f"B's are A's {source.slot}"
    else:
        name = source.a.names[0] if source.a is not None else source.slot
        text = f"B's are A's {name}" + (", and the other way round" if back else "")
    return replace(weight, why=(f"{weight.why[0]}: {text}", *weight.why[1:]))


def _equal(own: Print, source: WeightPair) -> bool:
    import numpy as np

    if source.prints is None:
        return False
    here, there = own.read(), source.prints[0].read()
    return here.size == there.size and bool(np.array_equal(here.reshape(-1), there.reshape(-1)))
