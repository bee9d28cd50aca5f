"""``explain``, why each number of a layer is what it is, and ``fit``, which input sizes a model accepts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect import layer_names, registry
from shapeinspect.api.report import Report, analyze, inspect, locate
from shapeinspect.errors import ModelCodeError, UsageError
from shapeinspect.explanation import LayerExplanation, explain_model
from shapeinspect.explanation.calculator import is_kind, single_layer
from shapeinspect.ir import Model
from shapeinspect.render.drawing import draw_svg
from shapeinspect.render.explain import explanation_lines, summary_lines, to_data
from shapeinspect.render.fit import fit_data, fit_lines
from shapeinspect.solve import (
    Program,
    Solution,
    Solver,
    Trace,
    Tried,
    Variable,
    disagreements,
    retraced,
    variables,
)
from shapeinspect.sources.source import InputSpec, with_inputs

SCHEMA = 1


@dataclass(frozen=True)
class Explanation:
    """Why the shapes, weights and work of layers are what they are.

    Args:
        source: the model, as the user named it.
        layers: the explained layers: one, or every layer that changes a shape.
        single: whether a single layer was requested.

    Example:
        >>> explanation = explain("tests/data/lenet.onnx", "fc1")
        >>> explanation.single, explanation.findings
        (True, ())
        >>> explanation.to_text().splitlines()[1]
        'every output is a sum over all 400 inputs: a matrix product'
    """

    source: str
    layers: tuple[LayerExplanation, ...]
    single: bool

    @property
    def findings(self) -> tuple[str, ...]:
        """The probable mistakes in all of the layers."""
        return tuple(text for layer in self.layers for text in layer.findings)

    def __iter__(self) -> Iterator[LayerExplanation]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> LayerExplanation:
        return self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def to_text(self, width: int = 80) -> str:
        """Return the explanation as text.

        Args:
            width: the maximum number of columns.
        """
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self.lines(width))

    def lines(self, width: int = 80) -> list[tuple[tuple[str, str], ...]]:
        """Return the explanation as styled lines.

        Args:
            width: the maximum number of columns.
        """
        if not self.single:
            return summary_lines(self.layers, width)
        return [line for layer in self.layers for line in explanation_lines(layer, width)]

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data, as ``--format json`` prints it."""
        return {"schema": SCHEMA, "source": self.source, "layers": to_data(self.layers)}

    def to_svg(self) -> str:
        """Return a picture of the windows of the explained layer.

        Raises:
            UsageError: if no single layer was requested, or it has no windows.
        """
        windows = self.layers[0].calls[0].windows if self.single and self.layers[0].calls else ()
        if not windows:
            raise UsageError("no window to draw", expected="one layer with windows of known length")
        path, kind = self.layers[0].path, self.layers[0].kind
        return draw_svg(windows, kind if path == kind else f"{path}: {kind}")

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"<Explanation of {self.source}: {len(self.layers)} layers>"


def explain(source: Any, /, layer: str | None = None, input: Any = None, **settings: Any) -> Explanation:  # noqa: A002  # the field's word for it
    """Explain where every number of a layer comes from.

    Args:
        source: what ``inspect`` takes, a ``Report``, or the name of a kind (``"conv"``) for a
            layer without a model.
        layer: the name of a layer or of a container, as a table shows it, or a path; by default, every
            layer that changes a shape.
        input: the shapes of the inputs, as for ``inspect``; for a kind, its input: ``300``, ``(28, 28)``
            or ``(1, 3, 28, 28)``, or a list of shapes.
        **settings: for a kind, its attributes in the field's standard terms: ``kernel_size=5``.

    Raises:
        UnknownLayerError: if the model has no such layer.
        UsageError: if the request cannot be met.

    Example:
        >>> explanation = explain("conv", input=300, kernel_size=5)
        >>> explanation[0].calls[0].outputs[0].axes[1].formula.substituted
        '300 − 5 + 1'
    """
    if is_kind(source) and layer is None and not os.path.exists(source):
        model = single_layer(source, _shapes(input), settings)
        return Explanation(source, explain_model(model, source), single=True)
    if settings:
        raise UsageError(
            f"settings apply to a kind of layer, not to a model: {', '.join(settings)}",
            expected='such as explain("conv", input=300, kernel_size=5)',
        )
    report = source if isinstance(source, Report) else inspect(replace(locate(source), findings=True), input)
    model = report.model
    if layer is None:
        return Explanation(model.source, explain_model(model), single=False)
    found = layer_names.find(model, layer)
    if found.together and len(found.layers) > 1:  # a container, or rows that are folded into one
        inside = {each.path for each in found.layers}
        return Explanation(model.source, explain_model(model, among=inside), single=False)
    return Explanation(model.source, explain_model(model, report[layer].path), single=True)


def _shapes(given: Any) -> list[tuple[Any, ...]]:
    if given is None:
        return []
    if isinstance(given, int):
        return [(given,)]
    if isinstance(given, str):
        return [InputSpec.parse(given).shape]
    if isinstance(given, Mapping):
        given = list(given.values())
    if all(isinstance(item, int) or hasattr(item, "terms") for item in given):
        return [tuple(given)]
    return [shape for item in given for shape in _shapes(item.shape if isinstance(item, InputSpec) else item)]


@dataclass(frozen=True)
class Fit:
    """Which input sizes a network accepts.

    Args:
        solution: the accepted sizes, the layers that refuse the rest, and the resulting output shapes.

    Example:
        >>> sizes = fit("tests/data/lenet.onnx")
        >>> sizes.solved, len(sizes.answers)
        (True, 3)
    """

    solution: Solution

    @property
    def answers(self) -> tuple[str, ...]:
        """The accepted sizes in words, such as ``"H, W divisible by 32"``."""
        return tuple(answer.text for answer in self.solution.answers)

    @property
    def solved(self) -> bool:
        """Whether the arithmetic of every layer was known."""
        return not self.solution.unsolved

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
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self.lines(width))

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data, as ``--format json`` prints it."""
        return fit_data(self.solution)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"<Fit of {self.solution.source}: {'; '.join(self.answers)}>"


def fit(source: Any, input: Any = None) -> Fit:  # noqa: A002  # the field's word for it
    """Find the input sizes that a network accepts, from 1 to 4096 on every spatial or time axis.

    The shape rules are evaluated for all sizes at once; the model itself is not run. A live model is
    traced at the given size and at a few more, which separates settings that depend on the input's size
    from constants. The traces are compared with the answer: where they disagree, ``solved`` is false and
    ``unsolved`` in the solution names the place.

    Args:
        source: what ``inspect`` takes, or a ``Report``.
        input: the shapes of the inputs, as for ``inspect``.

    Raises:
        UsageError: if the model has no graph, or its inputs have no spatial or time axis.

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
    free = variables(model)
    program = Program(model)
    tried: tuple[Tried, ...] = ()
    notes: tuple[str, ...] = ()
    if model.format == "live" and all(variable.base for variable in free):
        if isinstance(source, Report):
            notes = (
                "solved from one trace: sizes computed by the network's own code are taken as fixed; "
                "pass the model itself to trace it at other sizes",
            )
        else:
            program, tried = retraced(model, free, _tracer(source, model, free))
            if not any(trial.fits for trial in tried):
                sizes = "; ".join(trial.shown for trial in tried)
                notes = (
                    f"the network could not be traced at another size ({sizes}), so sizes that its own "
                    "code computes are treated as constants",
                )
    solver = Solver(program, free)
    solution = solver.solve()
    unsolved = dict((*disagreements(solver, tried), *solution.unsolved))
    return Fit(replace(solution, unsolved=tuple(unsolved.items()), notes=(*notes, *solution.notes)))


def _tracer(source: Any, model: Model, free: tuple[Variable, ...]) -> Trace:
    """Return a function that traces a live model at given sizes."""
    live = locate(source)
    adapter = registry.choose(live)  # once: it goes through all installed adapters

    def trace(sizes: Mapping[str, int]) -> Model | str:
        lengths = {place: sizes[variable.name] for variable in free for place in variable.places}
        specs = [
            InputSpec(
                tuple(lengths.get((name, axis), n) for axis, n in enumerate(model.values[name].shape or ())),
                name,
                model.values[name].dtype,
            )
            for name in model.inputs
        ]
        request = with_inputs(live, specs)
        try:
            return analyze(adapter.read(request), request).model
        except ModelCodeError as error:
            return str(error).partition("\n")[0]

    return trace
