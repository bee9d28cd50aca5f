"""What a second trace at another size tells: which recorded settings are the input's, and which fixed.

A trace records ``interpolate(y, size=x.shape[2:])`` with two numbers. Where a second trace has others,
they are the lengths of axes of some value, and the solver takes them from there; where no axis has
both numbers, the call is not solved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from shapeinspect.infer.settings import attributes_of
from shapeinspect.ir import Layer, Model
from shapeinspect.solve.program import FromValue, Program


def generalize(model: Model, other: Model) -> Program:
    """Make a program of two traces of one network at different sizes.

    Args:
        model: the first trace.
        other: the second one.

    Example:
        >>> generalize(Model("m", "live", "torch", "t"), Model("m", "live", "torch", "t")).frozen
        {}
    """
    layers, others = _layers(model), _layers(other)
    settings: dict[int, Mapping[str, Any]] = {}
    frozen: dict[int, str] = {}
    for place, call in enumerate(model.calls):
        twin = other.calls[place] if place < len(other.calls) else None
        if twin is None or twin.layer != call.layer or len(twin.outputs) != len(call.outputs):
            frozen[place] = "at another size the network runs other calls from here on"
            break
        if call.layer not in layers or twin.layer not in others:
            continue
        one = attributes_of(layers[call.layer], call, {})
        two = attributes_of(others[twin.layer], twin, {})
        changed = {name: _joined(one[name], two.get(name), list(_lengths(model, other, place)))
                   for name in one if one[name] != two.get(name)}  # fmt: skip
        lost = [name for name, value in changed.items() if value is None]
        if lost:
            frozen[place] = (
                f"its {', '.join(lost)} depends on the input's size in a way that traces do not show"
            )
        elif changed:
            settings[place] = changed
    return Program(model, settings, frozen)


def _layers(model: Model) -> dict[str, Layer]:
    return {layer.path: layer for layer in model.layers}


def _lengths(model: Model, other: Model, place: int) -> Iterator[tuple[int, int, str, int]]:
    """Return both lengths of every axis that stands before a call, the nearest values first."""
    call, twin = model.calls[place], other.calls[place]
    pairs = [*zip(call.inputs, twin.inputs, strict=False)]
    pairs += list(zip(model.inputs, other.inputs, strict=False))
    for before, after in zip(reversed(model.calls[:place]), reversed(other.calls[:place]), strict=True):
        pairs += list(zip(before.outputs, after.outputs, strict=False))
    for name, same in dict.fromkeys(pairs):
        one, two = model.values.get(name), other.values.get(same)
        if one is None or two is None or one.shape is None or two.shape is None:
            continue
        for axis, (length, changed) in enumerate(zip(one.shape, two.shape, strict=False)):
            if isinstance(length, int) and isinstance(changed, int) and length != changed:
                yield length, changed, name, axis


def _joined(one: Any, two: Any, lengths: list[tuple[int, int, str, int]]) -> Any:
    """Return a setting with every entry that changed taken from an axis; None if none has both numbers."""
    if isinstance(one, tuple) and isinstance(two, tuple) and len(one) == len(two):
        entries = []
        for a, b in zip(one, two, strict=True):
            # The second trace has another length on every axis, so that H and W are not mistaken.
            entry = a if a == b else _joined(a, b, lengths)
            if entry is None:
                return None
            entries.append(entry)
        return tuple(entries)
    if not isinstance(one, int) or not isinstance(two, int):
        return None
    return next((FromValue(name, axis) for a, b, name, axis in lengths if (a, b) == (one, two)), None)


def probes(base: Mapping[str, int], accepted: Mapping[str, list[int]]) -> Iterator[dict[str, int]]:
    """Return sizes at which a second trace is worth a try: others than the first on every axis.

    Args:
        base: the lengths of the first trace.
        accepted: for each axis, lengths that the first trace's program accepts.

    Example:
        >>> next(probes({"H": 32, "W": 32}, {"H": [32, 64, 96], "W": [32, 64, 96]}))
        {'H': 64, 'W': 96}
    """
    taken = set(base.values())
    found: dict[str, int] = {}
    for name in base:
        good = [n for n in accepted.get(name, []) if n > base[name] // 2 and n not in taken]
        if good:
            found[name] = good[0]
            taken.add(good[0])
    if len(found) == len(base):
        yield found
    for factors in ((2, 3), (3, 2)):
        yield {name: base[name] * factors[place % 2] for place, name in enumerate(base)}
    yield {name: base[name] + 32 * (place + 1) for place, name in enumerate(base)}
