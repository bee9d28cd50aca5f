"""Traces at other sizes show which recorded settings depend on the input and which are fixed.

A trace records ``interpolate(y, size=x.shape[2:])`` with two numbers. Where other traces record other
numbers, they follow from the axis lengths of some value (see ``computed_sizes``), and the solver computes
them for every size; where no form fits, the call is not solved. The answer is checked against what the
network did at each size that was tried.
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
from shapeinspect.solve.outcome import UNKNOWN
from shapeinspect.solve.positions import runs_out
from shapeinspect.solve.program import Program
from shapeinspect.solve.solver import Solver
from shapeinspect.solve.variables import Variable

#: Traces a network at these lengths of its free axes: its calls, or the text of its exception.
Trace: TypeAlias = "Callable[[Mapping[str, int]], Model | str]"

#: The number of consecutive correctly predicted traces that show that the program holds.
_AGREED = 6
_MOST_TRACES = 12
#: The most sizes tried where no setting depends on the size.
_PROBES = 7
_DRAWN = 24


@dataclass(frozen=True, slots=True)
class Tried:
    """What a live network does at one size.

    Args:
        sizes: the lengths of its free axes.
        trace_or_error: its calls, or the text of its exception.

    Example:
        >>> Tried({"H": 9}, "ValueError: too small").fits
        False
    """

    sizes: Mapping[str, int]
    trace_or_error: Model | str

    @property
    def fits(self) -> bool:
        """Whether the network takes the size."""
        return isinstance(self.trace_or_error, Model)

    @property
    def shown(self) -> str:
        """The size as text."""
        return ", ".join(f"{name} {length}" for name, length in self.sizes.items())


def retraced(model: Model, free: tuple[Variable, ...], trace: Trace) -> tuple[Program, tuple[Tried, ...]]:
    """Build a program of a live network that also holds at sizes other than the traced one.

    Args:
        model: the first trace.
        free: the free axes, each with its length in the first trace.
        trace: makes further traces.

    Returns:
        the program, and what the network did at every size that was tried.
    """
    base = {item.name: item.base or 1 for item in free}
    tried: list[Tried] = []
    twins: list[Model] = []
    program, agreed = Program(model), 0
    for sizes in probes(base, lambda: _accepted(Solver(Program(model), free), base)):
        if sizes == base or any(sizes == trial.sizes for trial in tried):
            continue
        entry = Tried(sizes, trace(sizes))
        tried.append(entry)
        if isinstance(entry.trace_or_error, Model):
            if twins and not program.frozen and _parts(Solver(program, free), entry) is None:
                agreed += 1
            else:
                agreed = 0
                twins.append(entry.trace_or_error)
                program = generalize(model, twins)
        plain = not (program.settings or program.frozen)
        # Close to the first size, a network may round every length to the same value.
        far = entry.fits and all(not 2 * n < 3 * sizes[name] < 5 * n for name, n in base.items())
        if (far or len(tried) >= _PROBES) if plain else (agreed >= _AGREED or len(twins) > _MOST_TRACES):
            break
    return program, tuple(tried)


def _accepted(solver: Solver, base: Mapping[str, int]) -> dict[str, list[int]]:
    return {name: [n for n in solver.accepted(name, base) if n < 4 * base[name] + 64] for name in base}


def disagreements(solver: Solver, tried: Sequence[Tried]) -> Iterator[tuple[str, str]]:
    """Return where network and program disagree at a size: a layer, and a description.

    Args:
        solver: the program.
        tried: what the network did at every size that was tried.
    """
    for trial in tried:
        disagreement = _parts(solver, trial)
        if disagreement is not None:
            yield disagreement


def _parts(solver: Solver, tried: Tried) -> tuple[str, str] | None:
    """Return where a network and its program diverge at one size: a layer, and the result of each."""
    outcome, traced = solver.run(tried.sizes), tried.trace_or_error
    refused = int(outcome.refused[0])
    if outcome.unsolved or refused == UNKNOWN:
        return None
    if isinstance(traced, str):
        return None if refused >= 0 else ("", f"at {tried.shown} {traced}")
    if [call.layer for call in traced.calls] != [call.layer for call in solver.program.model.calls]:
        return "", f"at {tried.shown} it runs other calls"
    for index, call, layer in solver.program.steps():
        if index == refused and np.any(runs_out(layer.kind, layer.attributes, call, outcome.ids)):
            return None  # a trace holds no values, so it cannot show that
        pairs = [
            (outcome.shapes.get(name), traced.values[other].shape)
            for name, other in zip(call.outputs, traced.calls[index].outputs, strict=True)
        ]
        told_both = [pair for pair in pairs if None not in pair]
        off = next((pair for pair in told_both if _plain(pair[0]) != pair[1]), None)
        if index == refused or off is not None:
            computed, real = off or pairs[0]
            worked = "refuses it" if index == refused else f"gives {_plain(computed)}"
            return (
                layer.path,
                f"at {tried.shown} it returns {real}, but the program derived from the traces {worked}",
            )
    return None


def _plain(shape: Any) -> tuple[int, ...]:
    return tuple(int(n) for n in shape)


def generalize(model: Model, others: Sequence[Model]) -> Program:
    """Build a program from traces of one network at different sizes.

    Args:
        model: the first trace.
        others: the other ones.

    Example:
        >>> generalize(Model("m", "live", "torch", "t"), [Model("m", "live", "torch", "t")]).frozen
        {}
    """
    traces = (model, *others)
    layers = [{layer.path: layer for layer in trace.layers} for trace in traces]
    settings: dict[int, Mapping[str, Any]] = {}
    frozen: dict[int, str] = {}
    for index, call in enumerate(model.calls):
        calls = [trace.calls[index] if index < len(trace.calls) else None for trace in traces]
        if any(
            item is None or item.layer != call.layer or len(item.outputs) != len(call.outputs)
            for item in calls
        ):
            frozen[index] = "at another size the network runs other calls from here on"
            break
        results = [
            attributes_of(known[call.layer], item, {})
            for known, item in zip(layers, calls, strict=True)
            if item is not None and call.layer in known
        ]
        if len(results) != len(traces):
            continue
        if not any(call.inputs):  # torch.arange(x.shape[1]): its output is its setting
            results = [
                {**item, "shape": trace.values[trace.calls[index].outputs[0]].shape}
                for item, trace in zip(results, traces, strict=True)
            ]
        first = results[0]
        differ = [name for name in first if any(first[name] != item.get(name) for item in results[1:])]
        lengths = list(_lengths(traces, index)) if differ else []
        changed = {name: _joined([item.get(name) for item in results], lengths) for name in differ}
        lost = [name for name, value in changed.items() if value is None]
        if lost:
            frozen[index] = (
                f"its {', '.join(lost)} depends on the input's size in a way that the traces do not determine"
            )
        elif changed:
            settings[index] = changed
    return Program(model, settings, frozen)


def _lengths(traces: Sequence[Model], index: int) -> Iterator[tuple[Lengths, Axis]]:
    """Return the lengths of every axis computed before a call, those of the nearest values first."""
    names = [tuple(zip(*(trace.calls[index].inputs for trace in traces), strict=False))]
    names.append(tuple(zip(*(trace.inputs for trace in traces), strict=False)))
    for before in reversed(range(index)):
        names.append(tuple(zip(*(trace.calls[before].outputs for trace in traces), strict=False)))
    for same in dict.fromkeys(group for groups in names for group in groups):
        shapes = [
            trace.values[name].shape if name in trace.values else None
            for trace, name in zip(traces, same, strict=True)
        ]
        for axis, vector in enumerate(zip(*(shape or () for shape in shapes), strict=False)):
            if all(isinstance(length, int) for length in vector) and len(set(vector)) > 1:
                yield tuple(map(int, vector)), (same[0], axis)


def _joined(entries: Sequence[Any], lengths: Sequence[tuple[Lengths, Axis]]) -> Any:
    """Return a setting whose changing entries are computed from lengths; None if no form fits."""
    first = entries[0]
    if all(entry == first for entry in entries):
        return first
    if all(isinstance(entry, tuple) and len(entry) == len(first) for entry in entries):
        result = tuple(_joined(column, lengths) for column in zip(*entries, strict=True))
        return None if None in result and not all(None in entry for entry in entries) else result
    if not all(isinstance(entry, int) and not isinstance(entry, bool) for entry in entries):
        return None
    return worked_out(tuple(entries), lengths)


def probes(
    base: Mapping[str, int], accepted: Callable[[], Mapping[str, Sequence[int]]]
) -> Iterator[dict[str, int]]:
    """Return sizes worth tracing: they differ from the first on every axis.

    Sizes without a common divisor come first: they distinguish forms that agree at round sizes.

    Args:
        base: the lengths of the first trace.
        accepted: gives for each axis the lengths that the first trace's program accepts.

    Example:
        >>> sizes = probes({"H": 32, "W": 32}, lambda: {"H": [32, 64, 96], "W": [32, 64, 96]})
        >>> next(sizes), next(sizes), next(sizes)
        ({'H': 67, 'W': 69}, {'H': 31, 'W': 30}, {'H': 64, 'W': 96})
    """
    steps = list(enumerate(base))
    yield {name: 2 * base[name] + 3 + 2 * index for index, name in steps}
    yield {name: max(base[name] - 1 - index, 1) for index, name in steps}
    near = accepted()
    taken = set(base.values())
    first_accepted: dict[str, int] = {}
    for name in base:
        good = [n for n in near.get(name, ()) if n > base[name] // 2 and n not in taken]
        if good:
            first_accepted[name] = good[0]
            taken.add(good[0])
    if len(first_accepted) == len(base):
        yield first_accepted
    for factors in ((2, 3), (3, 2)):
        yield {name: base[name] * factors[index % 2] for index, name in steps}
    yield {name: base[name] + 32 * (index + 1) for index, name in steps}
    random = Random(7)  # noqa: S311  # the same sizes every time, not a secret
    for turn in range(_DRAWN):
        drawn = {name: random.randint(length // 2 + 1, 2 * length + 8) for name, length in base.items()}
        # One axis alone, so that H and W are not confused; then all of them.
        alone = [*base, None][turn % (len(base) + 1)]
        yield drawn if alone is None else {**base, alone: drawn[alone]}
