"""Weights under the names of the files that models are converted from, or are converted into."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shapeinspect.compare.granularity.slots import is_counter, is_new
from shapeinspect.errors import UsageError
from shapeinspect.ir import Layer, Layout, Model, Weight, companions
from shapeinspect.layout.apply import to_common, to_native
from shapeinspect.layout.normalize import common_shape
from shapeinspect.plugin_api.name_table import NameTable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Renamed:
    """One weight under another name.

    Args:
        name: the name.
        weight: the weight.
        kind: the kind of its layer.
        shape: its lengths.
        layout: how it is stored under that name, where its axes are proven.
        read: returns its values.
    """

    name: str
    weight: Weight
    kind: str
    shape: tuple[Any, ...]
    layout: Layout | None
    read: Callable[[], Array] | None


def renamed(model: Model, to: str, table: NameTable) -> Iterator[Renamed | tuple[Weight, str]]:
    """Yield every weight under its name in the other convention; or it and a clause that says why not.

    Args:
        model: the model.
        to: one of the table's two words.
        table: the names in both conventions.

    Raises:
        UsageError: if the model has the names already.
    """
    back = to == table.words[1]
    if back != (model.framework == table.framework):
        wanted = (
            f"a model of {table.framework}" if back else f"a model of any framework but {table.framework}"
        )
        raise UsageError(
            f"--to {to} does not go with {model.source}", expected=wanted, got=f"a model of {model.framework}"
        )
    beside = companions(weight for layer in model.layers for weight in layer.weights)
    names = {} if back else _here(model, table)
    for layer in model.layers:
        found = (_there(model, layer, table),) if back else names[layer.path]
        for weight in layer.weights:
            if is_counter(weight) or is_new(weight) or weight.name in beside:
                continue
            own = found
            if not back and not any(own):  # a parameter of the block itself, such as mixer.A_log
                own = table.here(f"{layer.path}.{weight.role}")
            if len(own) != 1 or not own[0]:
                options = " or ".join(own)
                yield weight, f"it could be {options}" if options else f"the table has no {to} name for it"
                continue
            if why := table.unknown(model, layer.path if back else own[0]):
                yield weight, why
                continue
            whole = own is not found or weight.name == layer.path
            made = _moved(weight, layer, (model, table), own[0], back=back, whole=whole)
            yield (weight, made) if isinstance(made, str) else made


def _there(model: Model, layer: Layer, table: NameTable) -> str:
    name = table.own(model, layer.path)
    return table.there(layer.path) if name is None else name


def _here(model: Model, table: NameTable) -> dict[str, tuple[str, ...]]:
    """Return the names of all layers; of several, those of the architecture, or that are no other layer's."""
    options = {}
    for layer in model.layers:
        names = table.here(layer.path)
        own = tuple(name for name in names if len(names) > 1 and table.own(model, name) == layer.path)
        options[layer.path] = own or names
    taken: dict[str, int] = defaultdict(int)
    for names in options.values():
        if len(names) == 1:
            taken[names[0]] += 1
    left = {
        path: tuple(name for name in names if name not in taken) if len(names) > 1 else names
        for path, names in options.items()
    }
    return {
        path: tuple(name for name in names if name.rpartition(".")[2] in table.first) or names
        for path, names in left.items()
    }


def _moved(
    weight: Weight, layer: Layer, source: tuple[Model, NameTable], stem: str, *, back: bool, whole: bool
) -> Renamed | str:
    """Move one weight; ``whole`` says that its name is the whole of that, without its role."""
    model, table = source
    role = weight.role
    layout, values = weight.layout, weight.values
    shape = weight.shape if layout is None else common_shape(layout, weight.shape)
    there = table.stored_there(model, layer.path if back else stem, role, len(shape))
    found = there if back else table.stored(model, layer, stem, role, len(shape))
    if layout is None and not back and there is not None:
        layout, shape = there, common_shape(there, weight.shape)
    if isinstance(found, str):
        return found
    stored: Layout | None = found
    change = table.changed(model, layer.path if back else stem) if whole or role == "weight" else None
    own = layout

    def read() -> Array:
        array = values() if values is not None else _unreadable()
        array = array if own is None else to_common(own, array)
        if stored is not None:
            array = to_native(stored, array, lengths)
        if change is None:
            return array
        return change.back(array) if back else change.into(array)

    own_axes = replace(layout, native=layout.common, orders=(), flips=()) if layout is not None else None
    lengths = shape
    if stored is not None:
        lengths = common_shape(replace(stored, native=stored.common, common=stored.native), shape)
    if change is not None:
        lengths = change.shape_back(lengths) if back else change.shape_into(lengths)
    named = f"{stem}.{role}" if "." in weight.name and not whole else stem
    return Renamed(
        named, weight, layer.kind, lengths, stored or own_axes, read if values is not None else None
    )


def _unreadable() -> Array:
    raise UsageError("its values cannot be read")
