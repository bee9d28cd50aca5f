"""Experts that one file stores one by one and the other as one stack, brought to one granularity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from shapeinspect.compare.granularity.slots import Slot, Unit
from shapeinspect.ir import Layer, Layout, Weight
from shapeinspect.layout.canonical import pieces
from shapeinspect.plugin_api.name_table import NameTable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_EXPERTS = "experts"
_STACK = Layout("expert o i", "expert o i", slot="weight")


def stacked_experts(units: list[Unit], others: Sequence[Unit], table: NameTable) -> list[Unit]:
    """Join the experts of a layer where the other model, which was converted, stores them as one.

    Args:
        units: one model's layers, without a graph.
        others: the other model's.
        table: what its framework's layers are called where they were converted from.
    """
    if any(unit.sources or unit.sinks for unit in units):
        return units
    known = {unit.layer.path for unit in others}
    groups: dict[str, list[tuple[int, Unit]]] = {}
    for unit in units:
        path, number = _numbered(unit.layer.path)
        if path and table.here(path, known):
            groups.setdefault(path, []).append((number, unit))
    joined = {path: stack for path, members in groups.items() if (stack := _stack(path, members)) is not None}
    kept: list[Unit] = []
    for unit in units:
        path, _ = _numbered(unit.layer.path)
        if path not in joined:
            kept.append(unit)
        elif unit is groups[path][0][1]:
            kept.append(joined[path])
    return [replace(unit, index=index) for index, unit in enumerate(kept)]


def _numbered(path: str) -> tuple[str, int]:
    """Split "mlp.experts.3.up_proj" into its name without the number, and the number; else an empty name."""
    parts = path.split(".")
    for index, part in enumerate(parts[:-1]):
        if part == _EXPERTS and parts[index + 1].isdecimal():
            return ".".join([*parts[: index + 1], *parts[index + 2 :]]), int(parts[index + 1])
    return "", 0


def _stack(path: str, members: Sequence[tuple[int, Unit]]) -> Unit | None:
    """Stack the matrices of the experts 0 to n − 1; None where they are not as many, or not alike."""
    ordered = sorted(members, key=lambda member: member[0])
    weights = [weight for _, unit in ordered for weight in unit.layer.weights]
    shape = weights[0].shape
    complete = [number for number, _ in ordered] == list(range(len(ordered))) and len(weights) == len(ordered)
    if not complete or len(shape) != 2 or any(weight.shape != shape for weight in weights):
        return None
    readers = [weight.values for weight in weights if weight.values is not None]
    lengths = (len(weights), *shape)
    stack = Weight(
        " ".join(weight.name for weight in weights), "weight", lengths, weights[0].dtype, layout=_STACK,
        common_shape=lengths, values=partial(_read, readers) if len(readers) == len(weights) else None,
        quantization=weights[0].quantization,
    )  # fmt: skip
    layer = Layer(path, "linear", "", tuple(path.split(".")), weights=(stack,))
    slots = {piece.slot: Slot(piece.slot, stack, piece, tuple(weights)) for piece in pieces(stack)}
    return Unit(0, layer, slots, (tuple(path.split(".")),), tuple(unit.layer.path for _, unit in ordered))


def _read(readers: Sequence[Callable[[], Array]]) -> Array:
    import numpy as np

    return np.stack([read() for read in readers])
