"""Questions about a model and their answers: ``explain`` why, and ``fit`` which sizes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect import registry
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
        single: whether one layer was asked for.

    Example:
        >>> found = explain("tests/data/lenet.onnx", "fc1")
        >>> found.single, found.findings
        (True, ())
        >>> found.to_text().splitlines()[1]
        'every output is a sum over all 400 inputs: a matrix product'
    """

    source: str
    layers: tuple[LayerExplanation, ...]
    single: bool

    @property
    def findings(self) -> tuple[str, ...]:
        """What is probably a mistake, in any of the layers."""
        return tuple(text for layer in self.layers for text in layer.findings)

    def __iter__(self) -> Iterator[LayerExplanation]:
        return iter(self.layers)

    def __getitem__(self, place: int) -> LayerExplanation:
        return self.layers[place]

    def __len__(self) -> int:
        return len(self.layers)

    def to_text(self, width: int = 80) -> str:
        """Return the explanation as text.

        Args:
            width: how many columns it may take.
        """
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self.lines(width))

    def lines(self, width: int = 80) -> list[tuple[tuple[str, str], ...]]:
        """Return the explanation as styled lines.

        Args:
            width: how many columns it may take.
        """
        if not self.single:
            return summary_lines(self.layers, width)
        return [line for layer in self.layers for line in explanation_lines(layer, width)]

    def to_dict(self) -> dict[str, Any]:
        """Return the derivation as plain data, as ``--format json`` prints it."""
        return {"schema": SCHEMA, "source": self.source, "layers": to_data(self.layers)}

    def to_svg(self) -> str:
        """Return a picture of the windows of the explained layer.

        Raises:
            UsageError: if no layer was asked for, or it has no windows.
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
    """Say where every number of a layer comes from.

    Args:
        source: what ``inspect`` takes, a ``Report``, or the name of a kind (``"conv"``) to work out one
            layer without a model.
        layer: the layer's path; every layer that changes a shape by default.
        input: the shapes of the inputs, as for ``inspect``; for a kind, its input: ``300``, ``(28, 28)``
            or ``(1, 3, 28, 28)``, or a list of shapes.
        **settings: for a kind, its attributes in the field's standard terms: ``kernel_size=5``.

    Raises:
        UnknownLayerError: if the model has no such layer.
        UsageError: if the request cannot be met.

    Example:
        >>> found = explain("conv", input=300, kernel_size=5)
        >>> found[0].calls[0].outputs[0].axes[1].formula.substituted
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
    if layer is not None:
        layer = report[layer].path  # raises the error with close names
    return Explanation(report.model.source, explain_model(report.model, layer), layer is not None)


def _shapes(given: Any) -> list[tuple[Any, ...]]:
    if given is None:
        return []
    if isinstance(given, int):
        return [(given,)]
    if isinstance(given, str):
        return [InputSpec.parse(given).shape]
    if isinstance(given, Mapping):
        given = list(given.values())
    if all(isinstance(one, int) or hasattr(one, "terms") for one in given):
        return [tuple(given)]
    return [shape for one in given for shape in _shapes(one if not isinstance(one, InputSpec) else one.shape)]


@dataclass(frozen=True)
class Fit:
    """Which input sizes a network accepts.

    Args:
        solution: the answer: accepted sizes, who refuses the others, what comes out.

    Example:
        >>> found = fit("tests/data/lenet.onnx")
        >>> found.solved, len(found.answers)
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
            width: how many columns it may take.
        """
        return fit_lines(self.solution, width)

    def to_text(self, width: int = 80) -> str:
        """Return the answer as text.

        Args:
            width: how many columns it may take.
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
    """Say which input sizes a network accepts, from 1 to 4096 on every axis of space or time.

    The calls of the model are run on all sizes at once by the arithmetic of the rules; nothing is
    computed. A live model is traced at the given size and at others, so that settings which come from
    the input's size are told from fixed ones, and what it does there is held against the answer: where
    they part, ``solved`` is false and the answer says where.

    Args:
        source: what ``inspect`` takes, or a ``Report``.
        input: the shapes of the inputs, as for ``inspect``.

    Raises:
        UsageError: if the model has no graph, or no axis of its inputs is space or time.

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
    if model.format == "live" and all(one.base for one in free):
        if isinstance(source, Report):
            notes = (
                "solved from one trace: sizes computed by the network's own code are taken as fixed; "
                "pass the model itself to trace it at other sizes",
            )
        else:
            program, tried = retraced(model, free, _tracer(source, model, free))
            if not any(one.fits for one in tried):
                sizes = "; ".join(one.shown for one in tried)
                notes = (
                    f"the network could not be traced at another size ({sizes}), so the sizes that its own "
                    "code computed are taken as fixed",
                )
    solver = Solver(program, free)
    found = solver.solve()
    unsolved = dict((*disagreements(solver, tried), *found.unsolved))
    return Fit(replace(found, unsolved=tuple(unsolved.items()), notes=(*notes, *found.notes)))


def _tracer(source: Any, model: Model, free: tuple[Variable, ...]) -> Trace:
    """Return what traces a live model at other sizes."""
    live = locate(source)
    adapter = registry.choose(live)  # once: it looks through what is installed

    def trace(sizes: Mapping[str, int]) -> Model | str:
        places = {place: sizes[one.name] for one in free for place in one.places}
        specs = [
            InputSpec(
                tuple(places.get((name, axis), n) for axis, n in enumerate(model.values[name].shape or ())),
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
