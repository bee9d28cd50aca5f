"""``diverge``: runs two models on one random input and returns where they part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shapeinspect import registry
from shapeinspect.api.report import Report, locate
from shapeinspect.api.two_models import read_both
from shapeinspect.divergence.numbers import as_other_takes, random_inputs
from shapeinspect.divergence.result import Found, Step, Trace
from shapeinspect.divergence.search import Search, Side
from shapeinspect.errors import UsageError
from shapeinspect.plugin_api.runner import Runner
from shapeinspect.render.grid import as_text
from shapeinspect.render.results import divergence as render
from shapeinspect.render.screen import printed_width
from shapeinspect.sources.source import Source
from shapeinspect.text import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


def diverge(
    a: Any,
    b: Any,
    input: Any = None,  # noqa: A002  # the field's word for it
    *,
    input_b: Any = None,
    rtol: float = 1e-4,
    seed: int = 0,
    run_code: bool = False,
) -> Divergence:
    """Run two models on the same random input, and find the first layers that return something else.

    Every layer that both have is compared in the first one's order of axes. Where they part, the settings in
    which they differ there are changed one after another, to see which is the reason.

    Args:
        a: a model that can be run: a live one, or a file that holds its graph.
        b: another one, of any framework.
        input: the shapes of the first model's inputs, as for :func:`shapeinspect.inspect`.
        input_b: those of the second one's; by default the first one's, in the order that fits.
        rtol: the difference that counts as none, as a part of the largest value that a layer returns.
        seed: of the random numbers.
        run_code: whether to run programs that files hold (``.pt2``, TorchScript, SavedModels, Lambda layers),
            which may do anything that you may.

    Raises:
        UsageError: if a model cannot be run, or no order of an input's axes fits the other model.
        ModelCodeError: if a model raises.
        MissingDependencyError: if what runs a model is not installed.

    Example:
        >>> diverge("tests/data/lenet.onnx", "tests/data/lenet.onnx").same
        True
    """
    runners = _runner(a), _runner(b)
    read = read_both(a, b, input, input_b, run=True)
    models = read.a, read.b
    sessions = [
        runner.open(request, model, run_code)
        for (runner, request), model in zip(runners, models, strict=True)
    ]
    arrays = random_inputs(models[0], seed)
    others = as_other_takes(arrays, *models)
    sides = [
        Side(model, session, inputs, registry.native_table(model.framework))
        for model, session, inputs in zip(models, sessions, (arrays, others), strict=True)
    ]
    search = Search(sides[0], sides[1], rtol)
    steps = search.steps()
    shapes = tuple(
        (name, str(tuple(x.shape)), str(tuple(y.shape)))
        for name, x, y in zip(models[0].inputs, arrays, others, strict=True)
    )
    found = search.found(steps)
    return Divergence(Trace(*models, shapes, tuple(_with_first(steps, found)), tuple(found), rtol))


def _with_first(steps: Sequence[Step], found: Sequence[Found]) -> Iterator[Step]:
    """Yield the pairs, and in front of the first that parts the op that is the reason."""
    first = found[0] if found and found[0].seen is not None else None
    for step in steps:
        if first is not None and step is first.seen:
            yield first.step
        yield step


def _runner(source: Any) -> tuple[Runner, Source]:
    if isinstance(source, Report):
        raise UsageError("a report cannot be run", hint="name the model itself")
    request = locate(source)
    runner = registry.runner(request)
    if runner is None:
        raise UsageError(
            "a model of this format cannot be run",
            where=request.label,
            expected=", ".join(registry.runnable()),
        )
    return runner, request


@dataclass(frozen=True)
class Divergence:
    """Two models run side by side.

    Args:
        trace: every pair of layers, and the places where they part.

    Example:
        >>> found = diverge("tests/data/lenet.onnx", "tests/data/lenet.onnx")
        >>> found.verdict
        'all 7 layers that could be compared agree, and so does the output'
    """

    trace: Trace

    @property
    def same(self) -> bool:
        """Whether everything that could be compared agrees, the outputs among it."""
        return self.trace.same

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        return render.verdict(self.trace)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every pair of layers, in the first model's order of execution, and the outputs."""
        return self.trace.steps

    @property
    def found(self) -> tuple[Found, ...]:
        """The places where the models part, and what may be the reason."""
        return self.trace.found

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, as ``--format json`` prints it."""
        return render.to_dict(self.trace)

    def to_text(self, width: int = 80, *, everything: bool = False) -> str:
        """Return the page as plain text.

        Args:
            width: the number of terminal cells.
            everything: whether to list all layers, and not only those around the first that parts.
        """
        return as_text(render.divergence_table(self.trace, width, everything=everything))

    def __str__(self) -> str:
        return self.to_text(printed_width(80))

    def __repr__(self) -> str:
        return visible(f"<Divergence: {self.verdict}>")

    def _repr_html_(self) -> str:
        from shapeinspect.render.forms.notebook import preformatted

        return preformatted(render.divergence_table(self.trace, 100))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from shapeinspect.render.styled import styled

        yield from styled(render.divergence_table(self.trace, options.max_width))
