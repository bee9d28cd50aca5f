"""``fit``: which input sizes a network takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect import registry
from shapeinspect.api.report import Report, analyze, inspect, locate
from shapeinspect.errors import ModelCodeError, ShapeInspectError, UsageError
from shapeinspect.infer import REFUSAL
from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.plugin_api.clock import allowed
from shapeinspect.plugin_api.regions import Place, Region
from shapeinspect.render.grid import as_text
from shapeinspect.render.results.fit import fit_data, fit_lines
from shapeinspect.render.screen import printed_width
from shapeinspect.solve import (
    FITS,
    REFUSED,
    Find,
    Known,
    Program,
    Run,
    Solution,
    Solver,
    Tried,
    Variable,
    disagreements,
    explore,
    nearest,
    retraced,
    variables,
)
from shapeinspect.solve.budget import Budget
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect.sources.source import Source, with_inputs
from shapeinspect.text import one_line

_REFUSING = re.compile(r'layer "(?P<layer>[^"]*)" \([^)]*\) refuses its input: (?P<why>.*)', re.DOTALL)
_RAISING = re.compile(r'the forward of .* raises (?P<why>\w+ in "(?P<layer>[^"]*)": .*)', re.DOTALL)
#: The most concrete sizes at which a file is computed where its arithmetic has gaps, and the seconds for it.
_CONCRETE, _CONCRETE_SECONDS = 24, 4.0


@dataclass(frozen=True)
class Fit:
    """Which input sizes a network accepts.

    Args:
        solution: the accepted sizes, the layers that refuse the rest, and the resulting output shapes.

    Example:
        >>> sizes = fit("tests/data/lenet.onnx")
        >>> sizes.solved, len(sizes.answers)
        (True, 3)
        >>> sizes.judge((1, 1, 32, 32)), sizes.judge((1, 1, 33, 33))
        ('fits', 'refused')
    """

    solution: Solution
    _sizes: Sizes | None = field(default=None, repr=False, compare=False)

    @property
    def answers(self) -> tuple[str, ...]:
        """The accepted sizes in words, such as ``"H, W divisible by 32"``."""
        return tuple(answer.text for answer in self.solution.answers)

    @property
    def solved(self) -> bool:
        """Whether every size is known to fit or to be refused."""
        return not self.solution.unsolved and not self.solution.open

    def judge(self, input: Any) -> str:  # noqa: A002  # the field's word for it
        """Say whether the network takes inputs of given shapes: ``fits``, ``refused`` or ``not known``.

        ``fits`` and ``refused`` say what was proven or run, and nothing else.

        Args:
            input: the shapes of all inputs, as for ``inspect``.

        Raises:
            UsageError: if these are not the shapes of the model's inputs.
        """
        return "not known" if self._sizes is None else self._sizes.judge(with_inputs(Source(""), input).asked)

    def lines(self, width: int = 80) -> list[tuple[tuple[str, str], ...]]:
        """Return the answer as styled lines.

        Args:
            width: the maximum number of columns.
        """
        return fit_lines(self.solution, width)

    def to_text(self, width: int = 80) -> str:
        """Return the answer as text.

        Args:
            width: the maximum number of columns.
        """
        return as_text(self.lines(width))

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data, as ``--format json`` prints it."""
        return fit_data(self.solution)

    def _repr_html_(self) -> str:
        from shapeinspect.render.forms.notebook import preformatted

        return preformatted(self.lines(100))

    def __str__(self) -> str:
        return self.to_text(min(printed_width(80), 100))

    def __repr__(self) -> str:
        return one_line(f"<Fit of {self.solution.source}: {'; '.join(self.answers)}>")


@dataclass(frozen=True)
class Sizes:
    """The verdict on every size, as ``Fit.judge`` gives it.

    Args:
        solver: gives the verdict on the lengths of the free axes.
        insists: whether a runtime insists on the lengths that the file declares.
    """

    solver: Solver
    insists: bool

    def judge(self, specs: tuple[InputSpec, ...]) -> str:
        """Say whether inputs of these shapes fit.

        Args:
            specs: their shapes, by name or in order.
        """
        model = self.solver.program.model
        places = {place: item for item in self.solver.free for place in item.places}
        lengths: dict[str, int] = {}
        verdict = "fits"
        for name, shape in _by_name(model, specs).items():
            declared = model.values[name].shape or ()
            if len(shape) != len(declared):
                return "refused" if self.insists else "not known"
            for axis, (length, has) in enumerate(zip(shape, declared, strict=True)):
                item = places.get((name, axis))
                if isinstance(has, int) and has != length and (item is None or self.insists):
                    verdict = "refused" if self.insists else "not known"
                elif item is not None and lengths.setdefault(item.name, length) != length:
                    verdict = "not known"  # one symbol with two values
        if verdict != "fits" or len(lengths) != len(self.solver.free):
            return verdict if verdict != "fits" else "not known"
        found = int(self.solver.judge(lengths)[0])
        return "fits" if found == FITS else "refused" if found == REFUSED else "not known"


def _by_name(model: Model, specs: tuple[InputSpec, ...]) -> dict[str, tuple[int, ...]]:
    names = [name for name in model.inputs if name in model.values]
    left = [name for name in names if all(spec.name != name for spec in specs)]
    shapes = {}
    for spec in specs:
        name = spec.name or (left.pop(0) if left else "")
        if name not in names or not all(isinstance(n, int) for n in spec.shape):
            raise UsageError(
                f"these are not the shapes of the inputs: {spec.shape}",
                expected=", ".join(f"{name} {model.values[name].shape}" for name in names),
            )
        shapes[name] = tuple(n for n in spec.shape if isinstance(n, int))
    return shapes


def fit(source: Any, input: Any = None) -> Fit:  # noqa: A002  # the field's word for it
    """Find the input sizes that a network accepts, from 1 to 4096 on every axis that may have another length.

    For a file, the shape rules are evaluated for all sizes at once. A live PyTorch model's own code is run
    without numbers, with symbols for lengths: whatever it decides by a length becomes a condition, and what
    happens at one size is proven for all that meet the same conditions; it is run again until every size is
    decided or the time is over. What was neither proven nor run is said to be open, not to fit.

    Args:
        source: what ``inspect`` takes, or a ``Report``.
        input: the shapes of the inputs, as for ``inspect``.

    Raises:
        UsageError: if the model has no graph, or its inputs have no axis that is free.

    Example:
        >>> fit("tests/data/lenet.onnx").answers[1]
        'H 32 to 35 with W 32 to 35'
    """
    report = source if isinstance(source, Report) else inspect(source, input)
    model = report.model
    if not model.calls:
        raise UsageError(
            f"{model.source} has no graph, so there is nothing to fit",
            hint="pass a live model with --input, or a file that has a graph",
        )
    if isinstance(source, Report):
        return _from_one_trace(model) if model.format == "live" else _of_file(model, None, None)
    request = with_inputs(locate(source), input)
    adapter = registry.choose(request)
    if model.format != "live" or (not request.asked and adapter.insists):
        return _of_file(model, adapter, request)
    return _of_live(model, adapter, request)


def nearby(source: Any, given: list[InputSpec]) -> list[InputSpec] | None:
    """Return the shapes nearest to given ones that a live model takes; None where none is found.

    Args:
        source: a live model that refuses the given shapes.
        given: the shapes.
    """
    request = with_inputs(locate(source), given)
    find = _finder(registry.choose(request), request, given)
    found = nearest(find, [tuple(n for n in spec.shape if isinstance(n, int)) for spec in given])
    if found is None:
        return None
    return [replace(spec, shape=shape) for spec, shape in zip(given, found.shapes, strict=True)]


def _finder(adapter: Adapter, request: Source, given: Sequence[InputSpec]) -> Find:
    """Return a function that runs a live model with symbols for lengths of inputs at their numbers."""

    def find(lengths: Mapping[Place, tuple[str, int]]) -> Region | None:
        sizes = {place: number for place, (_, number) in lengths.items()}
        specs = [
            replace(spec, shape=tuple(sizes.get((index, axis), n) for axis, n in enumerate(spec.shape)))
            for index, spec in enumerate(given)
        ]
        return adapter.region(_asking(adapter, request, specs), lengths)

    return find


def _from_one_trace(model: Model) -> Fit:
    free = variables(model)
    known = Known(tuple(item.name for item in free))
    known.add(Run({item.name: item.base or 1 for item in free}), None)
    solver = Solver(Program(model, budget=Budget(len(model.calls))), free, known, live=True)
    note = (
        "solved from one trace: sizes computed by the network's own code are taken as fixed; "
        "pass the model itself to trace it at other sizes"
    )
    solution = solver.solve()
    return Fit(replace(solution, notes=(note, *solution.notes)), Sizes(solver, insists=False))


def _of_file(model: Model, adapter: Adapter | None, request: Source | None) -> Fit:
    """Solve a graph that the source fixes: by its arithmetic, and at single sizes where that has gaps."""
    insists = adapter is None or adapter.insists
    free = variables(model, every=not insists)
    declared = tuple((item.name, item.base) for item in free if item.base is not None) if insists else ()
    budget = Budget(len(model.calls))
    solver = Solver(Program(model, frozen=_doubted(model, free), budget=budget), free)
    solution = solver.solve()
    if (solution.unsolved or solution.open) and adapter is not None and request is not None:
        known = Known(tuple(item.name for item in free))
        base = solver.base()
        computed = _computed(adapter, request, model, free)
        families = [family for family in solver.families(base) if not declared]
        explore(known, computed, [dict(base), *families], base, _CONCRETE, allowed(_CONCRETE_SECONDS))
        solver = replace(solver, known=known)
        solution = solver.solve()
    return Fit(replace(solution, declared=declared), Sizes(solver, insists))


def _doubted(model: Model, free: tuple[Variable, ...]) -> dict[int, str]:
    """Return the calls for which the arithmetic does not give what the source itself records."""
    if any(item.base is None for item in free):
        return {}
    outcome = Solver(Program(model), free).run({item.name: item.base for item in free})
    doubted: dict[int, str] = {}
    for index, call in enumerate(model.calls):
        for name in call.outputs:
            value, ours = model.values.get(name), outcome.shapes.get(name)
            if value is None or value.shape is None or ours is None or value.inferred_by is not None:
                continue
            pairs = zip(ours, value.shape, strict=False)
            if len(ours) != len(value.shape) or any(isinstance(n, int) and int(o) != n for o, n in pairs):
                doubted.setdefault(
                    index, f"our rule gives {tuple(map(int, ours))}, the file records {value.shape}"
                )
    first = min(doubted, default=None)
    return {} if first is None else {first: doubted[first]}


def _computed(
    adapter: Adapter, request: Source, model: Model, free: tuple[Variable, ...]
) -> Callable[[Mapping[str, int]], tuple[Run, Region | None]]:
    """Return a function that computes all shapes of a file at one size."""

    def run(sizes: Mapping[str, int]) -> tuple[Run, Region | None]:
        there = _resized(adapter, request, model, free, sizes)
        try:
            found = analyze(adapter.read(there if adapter.follows_inputs else request), there).model
        except ShapeInspectError as error:
            return Run(sizes, None, str(error).partition("\n")[0]), None
        refused = next((note for note in found.notes if REFUSAL in note.text), None)
        if refused is not None:
            return Run(sizes, False, refused.text, refused.about or ""), None
        shapes = [
            found.values[name].shape for call in found.calls for name in call.outputs if name in found.values
        ]
        whole = all(shape is not None and all(isinstance(n, int) for n in shape) for shape in shapes)
        return Run(sizes, True if whole else None, "" if whole else "not every shape is known"), None

    return run


def _of_live(model: Model, adapter: Adapter, request: Source) -> Fit:
    """Solve a network whose code computes sizes: by runs, each with the sizes for which it stands."""
    free = variables(model, every=True)
    base = {item.name: item.base or 1 for item in free}
    known = Known(tuple(base))
    run = _runner(adapter, request, model, free)
    known.add(*run(base))
    if known.runs[0].fits is False:  # a run without numbers does not show it: start where it fits
        specs = _resized(adapter, request, model, free, base).inputs
        found = nearest(
            _finder(adapter, request, specs),
            [tuple(n for n in spec.shape if isinstance(n, int)) for spec in specs],
        )
        if found is not None:
            near = dict(zip(model.inputs, found.shapes, strict=True))
            free = tuple(replace(item, base=near[item.places[0][0]][item.places[0][1]]) for item in free)
            base = {item.name: item.base or 1 for item in free}
            known.add(*run(base))
    program, notes = Program(model), []
    unsolved: dict[str, str] = {}
    if known.regions:
        solver = Solver(program, free, known, live=True)
        explore(known, run, [*solver.families(base), solver.hopeful(base)], base)
        tied = solver.tied()
        if len(tied) == 2:
            explore(known, run, [solver.grid(tied, base)], base, len(known.runs) + 24, 4.0)
    else:
        program, tried = _retraced(adapter, request, model, free, known)
        solver = Solver(program, free, known, live=True)
        unsolved.update(disagreements(solver, tried))
        unsolved.update((model.calls[index].layer, why) for index, why in solver.run(base).unsolved.items())
        why = known.runs[0].error or "its code cannot be run with symbols for lengths"
        notes.append(f"only sizes at which the network was run are known: {why}")
    outputs = _outputs(adapter, request, model, free)
    solver = replace(solver, outputs=outputs)
    solution = solver.solve()
    solution = replace(
        solution, notes=(*notes, *solution.notes), unsolved=(*unsolved.items(), *solution.unsolved)
    )
    return Fit(solution, Sizes(solver, insists=False))


def _runner(
    adapter: Adapter, request: Source, model: Model, free: tuple[Variable, ...]
) -> Callable[[Mapping[str, int]], tuple[Run, Region | None]]:
    """Return a function that runs a live network at one size, with and without symbols."""

    def run(sizes: Mapping[str, int]) -> tuple[Run, Region | None]:
        there = _resized(adapter, request, model, free, sizes)
        lengths: dict[Place, tuple[str, int]] = {
            place: (item.name, sizes[item.name]) for item in free for place in item.places
        }
        region = adapter.region(there, lengths)
        try:
            traced = analyze(adapter.read(there), there).model
        except ModelCodeError as error:
            return _refused(sizes, error, region)
        if region is not None and region.fits is False and region.hidden:
            return Run(sizes, False, region.error, region.layer), region
        if not traced.outputs:
            return Run(sizes, None, "its trace stops, as it needs numbers"), None
        if region is not None and region.fits is None:
            return Run(sizes, None, region.error), None
        return Run(sizes), region if region is not None and region.fits else None

    return run


def _refused(
    sizes: Mapping[str, int], error: ModelCodeError, region: Region | None
) -> tuple[Run, Region | None]:
    text = str(error).partition("\n")[0]
    found = _REFUSING.fullmatch(text) or _RAISING.fullmatch(text)
    layer, why = (found["layer"], found["why"]) if found else ("", text)
    same = region is not None and region.fits is False and region.where == error.where
    return Run(sizes, False, why, layer), region if same else None


def _retraced(
    adapter: Adapter, request: Source, model: Model, free: tuple[Variable, ...], known: Known
) -> tuple[Program, tuple[Tried, ...]]:
    """Trace a network at several sizes, from which a program is built that may hold at others."""

    def trace(sizes: Mapping[str, int]) -> Model | str:
        there = _resized(adapter, request, model, free, sizes)
        try:
            return analyze(adapter.read(there), there).model
        except ModelCodeError as error:
            known.add(_refused(sizes, error, None)[0], None)
            return str(error).partition("\n")[0]

    program, tried = retraced(model, free, trace)
    certain = known.runs[0].fits is True
    for trial in tried:
        if trial.fits and certain:
            known.add(Run(trial.sizes), None)
    return program, tried


def _outputs(
    adapter: Adapter, request: Source, model: Model, free: tuple[Variable, ...]
) -> Callable[[Mapping[str, int]], Mapping[str, Any]]:
    def outputs(sizes: Mapping[str, int]) -> Mapping[str, Any]:
        there = _resized(adapter, request, model, free, sizes)
        traced = analyze(adapter.read(there), there).model
        return {name: traced.values[name].shape for name in traced.outputs}

    return outputs


def _resized(
    adapter: Adapter, request: Source, model: Model, free: tuple[Variable, ...], sizes: Mapping[str, int]
) -> Source:
    """Return a request for the same inputs at other sizes."""
    lengths = {place: sizes[item.name] for item in free for place in item.places}
    asked = request.inputs if len(request.inputs) == len(model.inputs) else ()
    in_order = not {spec.name for spec in asked} & set(model.inputs)  # names may stand in any order
    specs = []
    for index, name in enumerate(model.inputs):
        value = model.values[name]
        shape = tuple(lengths.get((name, axis), n) for axis, n in enumerate(value.shape or ()))
        named = asked[index].name if asked and in_order else name
        specs.append(InputSpec(shape, named, value.dtype))
    return _asking(adapter, request, specs)


def _asking(adapter: Adapter, request: Source, specs: Sequence[InputSpec]) -> Source:
    """Return a request for inputs of these shapes; with the numbers of an example, where there is one."""
    example = request.example if adapter.resizes_examples else None
    return replace(request, inputs=tuple(specs), example=example)
