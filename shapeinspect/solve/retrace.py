"""What traces at other sizes tell: which recorded settings are the input's, and which are fixed.

A trace records ``interpolate(y, size=x.shape[2:])`` with two numbers. Where other traces have others,
they follow from the lengths of axes of some value (see ``worked``), and the solver works them out for
every size; where nothing gives them, the call is not solved. What the network did at each size that was
tried is held against the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

import numpy as np

from shapeinspect.infer.settings import attributes_of
from shapeinspect.ir import Model
from shapeinspect.solve.computed_sizes import Axis, Lengths, worked_out
from shapeinspect.solve.fit import Solver, Variable
from shapeinspect.solve.positions import runs_out
from shapeinspect.solve.program import Program

#: Traces a network at these lengths of its free axes: its calls, or the text of what it raises.
Trace: TypeAlias = "Callable[[Mapping[str, int]], Model | str]"

#: So many traces one after another that the program foresaw show that it holds.
_AGREED = 6
_MOST_TRACES = 12
#: Where no setting depends on the size, no more sizes are tried than these.
_PROBES = 7
_DRAWN = 24


@dataclass(frozen=True, slots=True)
class Tried:
    """What a live network does at one size.

    Args:
        sizes: the lengths of its free axes.
        told: its calls, or the text of what it raises.

    Example:
        >>> Tried({"H": 9}, "ValueError: too small").fits
        False
    """

    sizes: Mapping[str, int]
    told: Model | str

    @property
    def fits(self) -> bool:
        """Whether the network takes the size."""
        return isinstance(self.told, Model)

    @property
    def shown(self) -> str:
        """The size as text."""
        return ", ".join(f"{name} {length}" for name, length in self.sizes.items())


def retraced(model: Model, free: tuple[Variable, ...], trace: Trace) -> tuple[Program, tuple[Tried, ...]]:
    """Make a program of a live network that holds at other sizes than the one it was traced at.

    Args:
        model: the first trace.
        free: the free axes, each with its length in the first trace.
        trace: makes further traces.

    Returns:
        the program, and what the network did at every size that was tried.
    """
    base = {one.name: one.base or 1 for one in free}
    tried: list[Tried] = []
    twins: list[Model] = []
    program, agreed = Program(model), 0
    for sizes in probes(base, lambda: _accepted(Solver(Program(model), free), base)):
        if sizes == base or any(sizes == one.sizes for one in tried):
            continue
        one = Tried(sizes, trace(sizes))
        tried.append(one)
        if isinstance(one.told, Model):
            if twins and not program.frozen and _parts(Solver(program, free), one) is None:
                agreed += 1
            else:
                agreed = 0
                twins.append(one.told)
                program = generalize(model, twins)
        plain = not (program.settings or program.frozen)
        # Near the first size a network may round every length to what it was there.
        far = one.fits and all(not 2 * n < 3 * sizes[name] < 5 * n for name, n in base.items())
        if (far or len(tried) >= _PROBES) if plain else (agreed >= _AGREED or len(twins) > _MOST_TRACES):
            break
    return program, tuple(tried)


def _accepted(solver: Solver, base: Mapping[str, int]) -> dict[str, list[int]]:
    return {name: [n for n in solver.accepted(name, base) if n < 4 * base[name] + 64] for name in base}


def disagreements(solver: Solver, tried: Sequence[Tried]) -> Iterator[tuple[str, str]]:
    """Return where the network does at a size something else than the program: a layer, and what it is.

    Args:
        solver: the program.
        tried: what the network did at every size that was tried.
    """
    for one in tried:
        found = _parts(solver, one)
        if found is not None:
            yield found


def _parts(solver: Solver, tried: Tried) -> tuple[str, str] | None:
    """Return where a network and its program part at one size: a layer, and what each makes of it."""
    outcome, told = solver.run(tried.sizes), tried.told
    refused = int(outcome.refused[0])
    if outcome.unsolved:
        return None
    if isinstance(told, str):
        return None if refused >= 0 else ("", f"at {tried.shown} {told}")
    if [call.layer for call in told.calls] != [call.layer for call in solver.program.model.calls]:
        return "", f"at {tried.shown} it runs other calls"
    for place, call, layer in solver.program.steps():
        if place == refused and np.any(runs_out(layer.kind, layer.attributes, call, outcome.ids)):
            return None  # a trace holds no numbers, so it does not see that
        pairs = [
            (outcome.shapes.get(name), told.values[other].shape)
            for name, other in zip(call.outputs, told.calls[place].outputs, strict=True)
        ]
        told_both = [pair for pair in pairs if None not in pair]
        off = next((pair for pair in told_both if _plain(pair[0]) != pair[1]), None)
        if place == refused or off is not None:
            made, real = off or pairs[0]
            worked = "refuses it" if place == refused else f"gives {_plain(made)}"
            return (
                layer.path,
                f"at {tried.shown} it makes {real}, and what the traces have in common {worked}",
            )
    return None


def _plain(shape: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in shape)


def generalize(model: Model, others: Sequence[Model]) -> Program:
    """Make a program of traces of one network at different sizes.

    Args:
        model: the first trace.
        others: the other ones.

    Example:
        >>> generalize(Model("m", "live", "torch", "t"), [Model("m", "live", "torch", "t")]).frozen
        {}
    """
    traces = (model, *others)
    layers = [{layer.path: layer for layer in one.layers} for one in traces]
    settings: dict[int, Mapping[str, Any]] = {}
    frozen: dict[int, str] = {}
    for place, call in enumerate(model.calls):
        calls = [one.calls[place] if place < len(one.calls) else None for one in traces]
        if any(
            one is None or one.layer != call.layer or len(one.outputs) != len(call.outputs) for one in calls
        ):
            frozen[place] = "at another size the network runs other calls from here on"
            break
        found = [
            attributes_of(known[call.layer], one, {})
            for known, one in zip(layers, calls, strict=True)
            if one is not None and call.layer in known
        ]
        if len(found) != len(traces):
            continue
        if not any(call.inputs):  # torch.arange(x.shape[1]): what it makes is its setting
            found = [
                {**one, "shape": trace.values[trace.calls[place].outputs[0]].shape}
                for one, trace in zip(found, traces, strict=True)
            ]
        first = found[0]
        differ = [name for name in first if any(first[name] != one.get(name) for one in found[1:])]
        lengths = list(_lengths(traces, place)) if differ else []
        changed = {name: _joined([one.get(name) for one in found], lengths) for name in differ}
        lost = [name for name, value in changed.items() if value is None]
        if lost:
            frozen[place] = (
                f"its {', '.join(lost)} depends on the input's size in a way that traces do not show"
            )
        elif changed:
            settings[place] = changed
    return Program(model, settings, frozen)


def _lengths(traces: Sequence[Model], place: int) -> Iterator[tuple[Lengths, Axis]]:
    """Return the lengths of every axis that stands before a call, those of the nearest values first."""
    names = [tuple(zip(*(one.calls[place].inputs for one in traces), strict=False))]
    names.append(tuple(zip(*(one.inputs for one in traces), strict=False)))
    for before in reversed(range(place)):
        names.append(tuple(zip(*(one.calls[before].outputs for one in traces), strict=False)))
    for same in dict.fromkeys(group for groups in names for group in groups):
        shapes = [
            one.values[name].shape if name in one.values else None
            for one, name in zip(traces, same, strict=True)
        ]
        for axis, vector in enumerate(zip(*(shape or () for shape in shapes), strict=False)):
            if all(isinstance(length, int) for length in vector) and len(set(vector)) > 1:
                yield tuple(map(int, vector)), (same[0], axis)


def _joined(entries: Sequence[Any], lengths: Sequence[tuple[Lengths, Axis]]) -> Any:
    """Return a setting with every entry that changes taken from lengths; None if they do not give it."""
    first = entries[0]
    if all(one == first for one in entries):
        return first
    if all(isinstance(one, tuple) and len(one) == len(first) for one in entries):
        found = tuple(_joined(column, lengths) for column in zip(*entries, strict=True))
        return None if None in found and not all(None in one for one in entries) else found
    if not all(isinstance(one, int) and not isinstance(one, bool) for one in entries):
        return None
    return worked_out(tuple(entries), lengths)


def probes(
    base: Mapping[str, int], accepted: Callable[[], Mapping[str, Sequence[int]]]
) -> Iterator[dict[str, int]]:
    """Return sizes at which another trace is worth a try: others than the first on every axis.

    Those of no common divisor come first, since they tell apart what agrees at round sizes.

    Args:
        base: the lengths of the first trace.
        accepted: gives for each axis the lengths that the first trace's program accepts.

    Example:
        >>> sizes = probes({"H": 32, "W": 32}, lambda: {"H": [32, 64, 96], "W": [32, 64, 96]})
        >>> next(sizes), next(sizes), next(sizes)
        ({'H': 67, 'W': 69}, {'H': 31, 'W': 30}, {'H': 64, 'W': 96})
    """
    steps = list(enumerate(base))
    yield {name: 2 * base[name] + 3 + 2 * place for place, name in steps}
    yield {name: max(base[name] - 1 - place, 1) for place, name in steps}
    near = accepted()
    taken = set(base.values())
    found: dict[str, int] = {}
    for name in base:
        good = [n for n in near.get(name, ()) if n > base[name] // 2 and n not in taken]
        if good:
            found[name] = good[0]
            taken.add(good[0])
    if len(found) == len(base):
        yield found
    for factors in ((2, 3), (3, 2)):
        yield {name: base[name] * factors[place % 2] for place, name in steps}
    yield {name: base[name] + 32 * (place + 1) for place, name in steps}
    random = Random(7)  # noqa: S311  # the same sizes every time, not a secret
    for turn in range(_DRAWN):
        drawn = {name: random.randint(length // 2 + 1, 2 * length + 8) for name, length in base.items()}
        # One axis by itself, so that H and W are not mistaken for each other; then all of them.
        alone = [*base, None][turn % (len(base) + 1)]
        yield drawn if alone is None else {**base, alone: drawn[alone]}
