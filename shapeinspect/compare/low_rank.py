"""A low-rank adapter against the model that it changes: which layers, of what rank, and whether it fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from shapeinspect.compare.granularity.slots import Slot, Unit, units_of
from shapeinspect.compare.names import Name
from shapeinspect.compare.numbers.weights import stored
from shapeinspect.compare.pairing import NameTables
from shapeinspect.compare.result import LayerPair, Status, WeightPair
from shapeinspect.dims import whole
from shapeinspect.ir import Model, Note
from shapeinspect.plugin_api.name_table import NameTable

_KIND = "lora"


def adapter_of(a: Model, b: Model) -> str:
    """Tell which of two models is an adapter that changes the other one: "A", "B", or neither.

    Args:
        a: a model.
        b: another one.
    """
    is_a, is_b = (_is_adapter(model) for model in (a, b))
    return "" if is_a == is_b else "A" if is_a else "B"


def _is_adapter(model: Model) -> bool:
    holders = [layer for layer in model.layers if layer.weights]
    return bool(holders) and all(layer.kind == _KIND for layer in holders)


def compare_adapter(
    a: Model, b: Model, letter: str, tables: NameTables = (None, None)
) -> tuple[tuple[LayerPair, ...], tuple[Note, ...]]:
    """Say which layers an adapter changes, and whether its matrices fit them.

    Args:
        a: a model.
        b: another one.
        letter: which of them is the adapter.
        tables: for each model what its framework's layers are called where they were converted from.
    """
    first = letter == "A"
    adapter, base = (a, b) if first else (b, a)
    changes, layers = units_of(adapter), units_of(base)
    by_name = _by_ending(layers, tables[1] if first else tables[0], adapter.framework != base.framework)
    pairs = []
    targets: list[Unit] = []
    for change in changes:
        target = _target(change, by_name)
        pairs.append(_pair(change, target, first=first))
        targets += [target] if target is not None else []
    ranks = sorted(
        {rank for change in changes if isinstance(rank := change.layer.attributes.get("rank"), int)}
    )
    kinds = Counter(target.layer.path.rpartition(".")[2] for target in targets)
    other = "B" if first else "A"
    text = (
        f"{letter} is a low-rank adapter of rank {' and '.join(map(str, ranks)) or 'unknown'}: it changes "
        f"{len(targets):,} of the {len(layers):,} layers of {other} that have weights"
        f"{f' ({_listed(kinds)})' if kinds else ''}; the others are as they were"
    )
    return tuple(pairs), (Note(text),)


def _listed(kinds: Counter[str]) -> str:
    return ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in kinds.most_common(8))


def _by_ending(units: Sequence[Unit], table: NameTable | None, renamed: bool) -> dict[Name, list[Unit]]:
    """Return the layers by every ending of their names."""
    found: dict[Name, list[Unit]] = {}
    for unit in units:
        names = [unit.layer.path]
        if renamed and table is not None:
            names.append(table.there(unit.layer.path))
        for name in filter(None, names):
            parts = tuple(name.split("."))
            for start in range(len(parts)):
                found.setdefault(parts[start:], []).append(unit)
    return found


def _target(change: Unit, by_name: dict[Name, list[Unit]]) -> Unit | None:
    """Return the one layer whose name ends as the adapter's does, the longest ending first."""
    parts = tuple(change.layer.path.split("."))
    for start in range(len(parts)):
        units = by_name.get(parts[start:], [])
        if len(units) == 1:
            return units[0]
        if units:
            return None
    return None


def _pair(change: Unit, target: Unit | None, *, first: bool) -> LayerPair:
    path = change.layer.path
    if target is None:
        status: Status = "only_a" if first else "only_b"
        weights = tuple(_weight(slot, status, (), first=first) for slot in change.slots.values())
        return LayerPair(path if first else None, None if first else path, _KIND, status, None, weights)
    main = target.slots.get("weight")
    found = {name: _misfit(slot, main, name, first=first) for name, slot in change.slots.items()}
    weights = tuple(
        _weight(slot, "differs" if found[name] else "same", found[name], first=first)
        for name, slot in change.slots.items()
    )
    paths = (path, target.layer.path) if first else (target.layer.path, path)
    outcome: Status = "differs" if any(found.values()) else "same"
    return LayerPair(*paths, _KIND, outcome, "name", weights)


def _weight(slot: Slot, status: Status, why: tuple[str, ...], *, first: bool) -> WeightPair:
    held = stored((slot,))
    return WeightPair(slot.name, status, held if first else None, None if first else held, (), why)


def _misfit(slot: Slot, main: Slot | None, name: str, *, first: bool) -> tuple[str, ...]:
    """Say that a factor has other lengths than the weight that it changes."""
    shape = whole(main.shape) if main is not None else None
    own = whole(slot.shape)
    other = "B" if first else "A"
    if shape is None or own is None or len(shape) != len(own) or name not in ("lora_a", "lora_b"):
        return ()
    inputs = name == "lora_a"
    axis, word = (1, "inputs") if inputs else (0, "outputs")
    if own[axis] == shape[axis]:
        return ()
    verb = "reads" if inputs else "makes"
    return (f"{verb} {own[axis]:,} {word}, the layer has {shape[axis]:,} in {other}",)
