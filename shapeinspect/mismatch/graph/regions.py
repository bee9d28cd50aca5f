"""At which sizes of its inputs a recorded graph fits, by the arithmetic of shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from shapeinspect.dims import Shape, symbol
from shapeinspect.ir import Model
from shapeinspect.plugin_api.regions import Place, Region
from shapeinspect.solve.outcome import UNKNOWN
from shapeinspect.solve.program import Program
from shapeinspect.solve.regions import FITS, OPEN, REFUSED


def region_of(
    model: Model,
    fed: Mapping[str, Shape | None],
    lengths: Mapping[Place, tuple[str, int]],
    insists: bool,
) -> Region | None:
    """Say whether a graph fits at one size, and at which others the same is so.

    Args:
        model: the graph.
        fed: the shape of every input.
        lengths: of an input, by its number, and an axis: the name of its length and the number now.
        insists: whether the framework insists on the lengths that the graph declares.

    Returns:
        None where the arithmetic does not know every layer.
    """
    program = Program(model)
    places = {(model.inputs[int(index)], axis): name for (index, axis), (name, _) in lengths.items()}

    def fits(at: Mapping[str, Any]) -> Any:
        shapes: dict[str, Any] = {}
        symbols: dict[str, Any] = {}
        same: Any = np.array(True)
        for name in model.inputs:
            shape = fed.get(name)
            if shape is None:
                return None
            given = tuple(
                at[places[name, axis]] if (name, axis) in places else n for axis, n in enumerate(shape)
            )
            declared = model.values[name].shape if name in model.values else None
            for has, wants in zip(given, declared or (), strict=False):
                if isinstance(wants, int):
                    same = same & ((has == wants) if insists else True)
                elif wants == symbol(str(wants)):
                    same = same & (symbols.setdefault(str(wants), has) == has)
            shapes[name] = given
        outcome = program.run(shapes, symbols)
        if outcome.unsolved:
            return None
        verdict = np.where(outcome.accepted & same, FITS, REFUSED)
        return np.where(outcome.refused == UNKNOWN, OPEN, verdict)

    now = {name: np.array([number]) for name, number in lengths.values()}
    found = fits(now)
    if found is None or found[0] == OPEN:
        return None
    return Region(bool(found[0] == FITS), lambda at: fits(at) == found[0])
