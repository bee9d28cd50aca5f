"""The report, layers, calls and values that a test asserts on."""

from __future__ import annotations

from collections.abc import Iterator, KeysView, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

from shapeinspect.api.report import LayerReport, Report
from shapeinspect.check import Match, expect, match, verdict
from shapeinspect.check.axis_trace import called, divergence, ends, named, steps, trace
from shapeinspect.check.expect import written as lines_of
from shapeinspect.check.pattern import bound, written
from shapeinspect.dims import Dim, Shape
from shapeinspect.errors import ShapeInspectError
from shapeinspect.ir import Call, Model, Value
from shapeinspect.pytest_support.scope import Scope, is_result_discarded
from shapeinspect.render import cells
from shapeinspect.text import one_line

_WIDTH = 72  # what is left of 80 columns beside pytest's margin
_LABEL = 9


class Length(int):
    """One of several lengths, with its index; the message of a failed comparison names it.

    Example:
        >>> Length(3, "kernel_size[0] of conv1") == 3
        True
    """

    what: str

    def __new__(cls, length: int, what: str = "") -> Length:
        """Return the length as a number with a name."""
        self = super().__new__(cls, length)
        self.what = what
        return self


class Lengths(tuple[Any, ...]):
    """Several lengths, such as those of a kernel; the message of a failed comparison names them.

    Example:
        >>> Lengths((3, 5), "kernel_size", "conv1") == (3, 5)
        True
        >>> Lengths((3, 5), "kernel_size", "conv1")[1].what
        'kernel_size[1] of conv1'
    """

    name: str
    of: str

    def __new__(cls, lengths: tuple[Any, ...], name: str = "", of: str = "") -> Lengths:
        """Return the lengths as a tuple with a name."""
        self = super().__new__(cls, lengths)
        self.name, self.of = name, of
        return self

    @property
    def what(self) -> str:
        """The name, as messages write it."""
        return f"{self.name} of {self.of}"

    def __getitem__(self, position: Any) -> Any:
        item = super().__getitem__(position)
        if isinstance(position, slice):
            ends = ":".join("" if end is None else str(end) for end in (position.start, position.stop))
            step = "" if position.step is None else f":{position.step}"
            return Lengths(item, f"{self.name}[{ends}{step}]", self.of)
        return Length(item, f"{self.name}[{position}] of {self.of}") if type(item) is int else item


@dataclass(frozen=True, eq=False)
class Checked:
    """A value of a model that can be asserted on.

    Args:
        value: the value.
        what: its name in messages, such as ``output of conv1``.
        model: the model.
        scope: the test's scope, in which names bind.
        call: the call that it belongs to; None for a model's input or output.
    """

    value: Value
    what: str
    model: Model
    scope: Scope
    call: Call | None = None

    @property
    def shape(self) -> Shape | None:
        """The length of each axis; None if the rank is unknown."""
        shape = self.value.shape
        return None if shape is None else Lengths(shape, "shape", self.what)

    @property
    def axes(self) -> str:
        """The letters of the axes, such as ``N C H W``; ``?`` for an unknown one."""
        return " ".join(name or "?" for name in self.value.axes or ())

    @property
    def dtype(self) -> str | None:
        """The element type in NumPy's spelling; None if unknown."""
        return self.value.dtype

    def matches(self, pattern: str) -> Match:
        """Compare the shape with a pattern; inside a block, a failure is reported at its end.

        As a statement of its own, without ``assert``, it raises the failure itself.

        Args:
            pattern: such as ``"n 1000"``, see ``shapeinspect.check.pattern``.

        Raises:
            AssertionError: if the shape does not match, and the result is discarded.
            UsageError: if the pattern is malformed.
        """
        __tracebackhide__ = True
        scope = self.scope
        try:
            result = match(pattern, self.value.shape, scope.bindings, self.what)
        except ShapeInspectError as error:
            raise error.with_traceback(None) from None
        if result:
            scope.bind(result, self.what)
            return result
        if not scope.collecting and not is_result_discarded():
            scope.failed = (result, self.failure_text(result))
            return result
        scope.fail(self.failure_text(result))
        return Match(pattern, result.shape, None, result.bindings, result.where)

    def failure_text(self, failed: Match) -> str:
        """Explain why a match fails: the shape, the names, and the call where shape and pattern diverge.

        Args:
            failed: the match.
        """
        shape = self.value.shape
        got = "a tensor of unknown rank" if shape is None else written(shape)
        lines = [f"{self.what} is {got}, not {failed.pattern!r}", f"  {failed.problem}"]
        axes = self.value.axes
        if shape and axes and any(axes):
            lines += _fact("shape", [cells.shape(shape, axes)])
        for origin, names in _by_origin(failed, self.scope, self.what).items():
            lines += _fact("names", [names, f"from {origin}"])
        mismatch = failed.mismatch
        stages: list[str] = []
        if mismatch is not None and mismatch.axis is not None:
            stages = self.axis_lines(mismatch.axis, mismatch.wanted)
        return "\n".join(map(one_line, lines + (stages or self._call_lines())))

    def _call_lines(self) -> list[str]:
        """Return the call that the value belongs to, or the reason why there is none."""
        model, name = self.model, self.value.name
        if not model.calls:
            return _fact("at", ["no call is known", "pass the shape of the model's input"])
        producers = [call for call in model.calls if name and name in call.outputs]
        call = self.call or (producers[-1] if producers else None)
        if call is None:
            return []
        layer = next((layer for layer in model.layers if layer.path == call.layer), None)
        return _fact("at", [named(call, layer)]) + _fact("", [ends(model, call)])

    def axis_lines(self, axis: int, expected: Dim | None) -> list[str]:
        """Return the lengths of an axis from call to call, and the call that changed the expected one.

        Args:
            axis: the index of the axis.
            expected: the expected length.
        """
        stages = trace(self.model, self.value.name, axis)
        stage = divergence(stages, expected)
        if stage is None or stage.call is None:
            return []
        name = (self.value.axes or ())[axis : axis + 1]
        letter = name[0] if name and name[0] else f"axis {axis}"
        lines = _fact(letter, steps(stages)) if len(stages) > 1 else []
        setter = _fact("set by", [named(stage.call, stage.layer)])
        return lines + setter + _fact("", [ends(self.model, stage.call)])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Checked):
            return self.value.shape == other.value.shape
        return self.value.shape == (tuple(other) if isinstance(other, list) else other)

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return one_line(f"<{self.what}: {cells.shape(self.value.shape, self.value.axes)}>")


def _by_origin(match: Match, scope: Scope, what: str) -> dict[str, str]:
    groups: dict[str, list[str]] = {}
    for name in match.bindings:
        groups.setdefault(scope.origins.get(name, what), []).append(name)
    return {origin: bound({name: match.bindings[name] for name in names}) for origin, names in groups.items()}


def _fact(label: str, parts: Sequence[str]) -> list[str]:
    """Return a fact after its label, wrapped between its parts."""
    lines = [""]
    for part in parts:
        joined = f"{lines[-1]}, {part}" if lines[-1] else part
        if len(joined) > _WIDTH - _LABEL and lines[-1]:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] = joined
    return [f"  {label if position == 0 else '':<{_LABEL}} {line}" for position, line in enumerate(lines)]


@dataclass(frozen=True)
class CheckedCall:
    """One call of a layer, whose values can be asserted on.

    Args:
        call: the call.
        layer: its layer.
        number: its number among the layer's calls, from 1; 0 for the only one.
        scope: the test's scope.
    """

    call: Call
    layer: LayerReport
    number: int
    scope: Scope

    @property
    def input(self) -> Checked:
        """Its first input."""
        return (*self.inputs, self._end("input", ""))[0]

    @property
    def output(self) -> Checked:
        """Its first output."""
        return (*self.outputs, self._end("output", ""))[0]

    @property
    def inputs(self) -> tuple[Checked, ...]:
        """All of its inputs."""
        return self._ends("input", self.call.inputs)

    @property
    def outputs(self) -> tuple[Checked, ...]:
        """All of its outputs."""
        return self._ends("output", self.call.outputs)

    def _ends(self, what: str, names: tuple[str, ...]) -> tuple[Checked, ...]:
        given = [name for name in names if name]
        return tuple(
            self._end(f"{what} {position}" if position > 1 else what, name)
            for position, name in enumerate(given, start=1)
        )

    def _end(self, what: str, name: str) -> Checked:
        of = f"call {self.number} of {self.layer.path}" if self.number else self.layer.path
        model = self.layer.model
        return Checked(model.values.get(name, Value(name)), f"{what} of {of}", model, self.scope, self.call)

    def __repr__(self) -> str:
        return one_line(f"<{called(self.layer.model, self.call, self.layer.layer)}>")


@dataclass(frozen=True)
class CheckedLayer:
    """A layer whose values can be asserted on; it has every attribute of a ``LayerReport``, too.

    Args:
        layer: the layer.
        scope: the test's scope.
    """

    layer: LayerReport
    scope: Scope

    @property
    def calls(self) -> tuple[CheckedCall, ...]:
        """Its calls, in the order of execution."""
        calls = self.layer.calls
        numbers = range(1, len(calls) + 1) if len(calls) > 1 else [0] * len(calls)
        return tuple(
            CheckedCall(call, self.layer, number, self.scope)
            for call, number in zip(calls, numbers, strict=True)
        )

    @property
    def input(self) -> Checked:
        """The first input of its first call."""
        return self.calls[0].input if self.layer.calls else self._uncalled("input")

    @property
    def output(self) -> Checked:
        """The first output of its first call."""
        return self.calls[0].output if self.layer.calls else self._uncalled("output")

    @property
    def inputs(self) -> tuple[Checked, ...]:
        """All inputs of its first call."""
        return self.calls[0].inputs if self.layer.calls else ()

    @property
    def outputs(self) -> tuple[Checked, ...]:
        """All outputs of its first call."""
        return self.calls[0].outputs if self.layer.calls else ()

    def _uncalled(self, what: str) -> Checked:
        return Checked(
            Value(""), f"{what} of {self.layer.path}, which is not called,", self.layer.model, self.scope
        )

    def __getattr__(self, name: str) -> Any:
        __tracebackhide__ = True
        if name in self.__dataclass_fields__ or name.startswith("__"):
            raise AttributeError(name)
        try:
            value = getattr(self.layer, name)
        except AttributeError as error:
            raise error.with_traceback(None) from None
        return Lengths(value, name, repr(self)) if isinstance(value, tuple) else value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self.layer)})

    def __repr__(self) -> str:
        return repr(self.layer)


@dataclass(frozen=True)
class CheckedReport:
    """A report whose layers, inputs and outputs can be asserted on; its totals (``params`` …) are attributes.

    Args:
        report: the report.
        scope: the test's scope.
    """

    report: Report
    scope: Scope

    @property
    def input(self) -> Checked:
        """The model's first input."""
        return (*self.inputs, self._end("input", Value("")))[0]

    @property
    def output(self) -> Checked:
        """The model's first output."""
        return (*self.outputs, self._end("output", Value("")))[0]

    @property
    def inputs(self) -> tuple[Checked, ...]:
        """The model's inputs."""
        return self._ends("input", self.report.inputs)

    @property
    def outputs(self) -> tuple[Checked, ...]:
        """The model's outputs."""
        return self._ends("output", self.report.outputs)

    def _ends(self, what: str, values: tuple[Value, ...]) -> tuple[Checked, ...]:
        several = len(values) > 1
        return tuple(
            self._end(f"{what} {position}" if several else what, value)
            for position, value in enumerate(values, start=1)
        )

    def _end(self, what: str, value: Value) -> Checked:
        return Checked(value, f"{what} of {self.report.model.source}", self.report.model, self.scope)

    def expect(self, *lines: str) -> None:
        """Check expectations of the model; one message reports all that fail.

        Args:
            *lines: see :func:`shapeinspect.check.expect`.

        Raises:
            AssertionError: if any expectation fails.
            UsageError: if a line is not an expectation.
        """
        __tracebackhide__ = True
        scope, model = self.scope, self.report.model
        known = set(scope.bindings)
        try:
            failures = expect(model, lines, scope.bindings)
        except ShapeInspectError as error:
            raise error.with_traceback(None) from None
        for name in set(scope.bindings) - known:
            scope.origins[name] = "the expectations"
        if failures:
            scope.fail(verdict(failures, len(lines_of(lines)), model.source))

    def __getitem__(self, layer: str | SupportsIndex) -> CheckedLayer:
        __tracebackhide__ = True
        try:
            return CheckedLayer(self.report[layer], self.scope)
        except ShapeInspectError as error:
            raise error.with_traceback(None) from None

    def get(self, layer: str | SupportsIndex) -> CheckedLayer | None:
        """Return the layer at a path or index, or None where there is none.

        Args:
            layer: the path or index.
        """
        report = self.report.get(layer)
        return None if report is None else CheckedLayer(report, self.scope)

    def keys(self) -> KeysView[str]:
        """Return the paths of the layers, in the model's order."""
        return self.report.keys()

    def values(self) -> tuple[CheckedLayer, ...]:
        """Return the layers, in the model's order."""
        return tuple(self)

    def items(self) -> tuple[tuple[str, CheckedLayer], ...]:
        """Return the layers with their paths, in the model's order."""
        return tuple((layer.layer.path, layer) for layer in self)

    def __contains__(self, layer: object) -> bool:
        return (layer.layer if isinstance(layer, CheckedLayer) else layer) in self.report

    def __iter__(self) -> Iterator[CheckedLayer]:
        return (CheckedLayer(layer, self.scope) for layer in self.report)

    def __len__(self) -> int:
        return len(self.report)

    def __getattr__(self, name: str) -> Any:
        __tracebackhide__ = True
        if name in self.__dataclass_fields__ or name.startswith("__"):
            raise AttributeError(name)
        totals = self.report.totals
        if name in totals.__dataclass_fields__:
            return getattr(totals, name)
        if hasattr(Report, name) or name in Report.__dataclass_fields__:
            return getattr(self.report, name)
        have = ", ".join(totals.__dataclass_fields__)
        raise AttributeError(
            f"a report has no attribute {name!r}; its totals are {have}, and its layers report['name']"
        )

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self.report), *self.report.totals.__dataclass_fields__})

    def __repr__(self) -> str:
        return repr(self.report)
