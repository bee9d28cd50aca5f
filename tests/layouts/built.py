"""A built layer, and how its weights move into another framework's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shapeinspect.ir import Weight
from shapeinspect.layout import canonical

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Built:
    """A layer of one framework with random weights.

    ``weights`` are bound as the adapter binds them; ``put`` replaces one by its name; ``run`` takes and
    gives activations in the common convention, and moves them into the framework's own.
    """

    weights: tuple[Weight, ...]
    put: Callable[[str, Array], None]
    run: Callable[..., Array]


def renamed(weights: Iterable[Weight], change: Callable[[str], str]) -> tuple[Weight, ...]:
    """Give the weights of a layer that is a part of a larger one the slots of that one."""
    return tuple(
        replace(one, layout=replace(one.layout, slot=change(one.layout.slot)))
        for one in weights
        if one.layout
    )


def move(source: Iterable[Weight], target: Built) -> None:
    """Write every weight of the target from the slots of the source."""
    values = {slot: reader() for slot, reader in canonical.read(source).items()}
    for weight in target.weights:
        if weight.layout is not None and weight.layout.slot:
            shape = tuple(int(str(length)) for length in weight.shape)
            target.put(weight.name, canonical.write(weight.layout, shape, values))


def random(rng: np.random.Generator, role: str, shape: tuple[int, ...]) -> Array:
    """Return random numbers for a weight; a variance is positive and not near zero."""
    if "var" in role or role == "moving_variance":
        return rng.uniform(0.5, 2.0, shape).astype("float32")
    return rng.standard_normal(shape).astype("float32")
