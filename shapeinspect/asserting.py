"""What the ``shapes`` fixture hands out: reports whose shapes can be asserted on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shapeinspect.check import Bindings, Match, expect, match
from shapeinspect.check.snapshot import difference, text
from shapeinspect.dims import Shape
from shapeinspect.ir import Value
from shapeinspect.render import cells
from shapeinspect.report import LayerReport, Report, inspect


@dataclass
class Scope:
    """What one test has bound and what has failed in it so far.

    Args:
        bindings: what the names in patterns stand for.
        failures: the matches that failed.
        collecting: whether failures wait for the end of a block.

    Example:
        >>> Scope().bindings
        {}
    """

    bindings: Bindings = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    collecting: bool = False

    def fail(self, message: str) -> None:
        """Raise, or keep the message for the end of the block.

        Args:
            message: what does not hold.

        Raises:
            AssertionError: outside a block.
        """
        __tracebackhide__ = True
        if not self.collecting:
            raise AssertionError(message)
        self.failures.append(message)


@dataclass(frozen=True)
class Checked:
    """A value of a model, and the scope in which names bind.

    Args:
        value: the value.
        what: what it is, for messages: a layer's path and the call's shapes.
        scope: the test's scope.
    """

    value: Value
    what: str
    scope: Scope

    @property
    def shape(self) -> Shape | None:
        """Its lengths; None if not even the rank is known."""
        return self.value.shape

    def matches(self, pattern: str) -> Match:
        """Hold the shape against a pattern; inside a block a failure waits for its end.

        Args:
            pattern: such as ``"n 1000"``, see ``shapeinspect.check.pattern``.

        Raises:
            UsageError: if it is no pattern.
        """
        found = match(pattern, self.value.shape, self.scope.bindings, self.what)
        if not found and self.scope.collecting:
            self.scope.failures.append(repr(found))
            return Match(pattern, found.shape, "", found.bindings, found.where)
        return found

    def __eq__(self, other: object) -> bool:
        return self.value.shape == (tuple(other) if isinstance(other, list) else other)

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"<{self.what}: {cells.shape(self.value.shape, self.value.axes)}>"


@dataclass(frozen=True)
class CheckedLayer:
    """A layer of a report; its settings are attributes of this object too.

    Args:
        layer: the layer.
        scope: the test's scope.
    """

    layer: LayerReport
    scope: Scope

    @property
    def input(self) -> Checked:
        """The first input of its first call."""
        return Checked(self.layer.input, f"input of {self._call()}", self.scope)

    @property
    def output(self) -> Checked:
        """The first output of its first call."""
        return Checked(self.layer.output, f"output of {self._call()}", self.scope)

    def _call(self) -> str:
        layer = self.layer
        ends = [cells.shape(value.shape, value.axes) for value in (layer.input, layer.output)]
        return f"{layer.path} ({layer.kind}, {ends[0]} → {ends[1]})"

    def __getattr__(self, name: str) -> Any:
        if name in self.__dataclass_fields__ or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.layer, name)

    def __repr__(self) -> str:
        return repr(self.layer)


@dataclass(frozen=True)
class CheckedReport:
    """A report whose layers and ends can be asserted on.

    Args:
        report: the report.
        scope: the test's scope.
    """

    report: Report
    scope: Scope

    @property
    def input(self) -> Checked:
        """The model's first input."""
        return self._end("input", self.report.inputs)

    @property
    def output(self) -> Checked:
        """The model's first output."""
        return self._end("output", self.report.outputs)

    def _end(self, what: str, values: tuple[Value, ...]) -> Checked:
        return Checked(
            values[0] if values else Value(""), f"{what} of {self.report.model.source}", self.scope
        )

    def expect(self, *lines: str) -> None:
        """Hold the model against expectations; all that fail are told in one message.

        Args:
            *lines: see :func:`shapeinspect.check.expect`.

        Raises:
            AssertionError: if one does not hold.
            UsageError: if a line is no expectation.
        """
        __tracebackhide__ = True
        failures = expect(self.report.model, lines, self.scope.bindings)
        if failures:
            number = "1 expectation" if len(failures) == 1 else f"{len(failures)} expectations"
            held = f"{number} of {self.report.model.source} not met"
            self.scope.fail("\n".join([held, *map(str, failures)]))

    def __getitem__(self, path: str) -> CheckedLayer:
        return CheckedLayer(self.report[path], self.scope)

    def __contains__(self, path: object) -> bool:
        return path in self.report

    def __iter__(self) -> Iterator[CheckedLayer]:
        return (CheckedLayer(layer, self.scope) for layer in self.report)

    def __len__(self) -> int:
        return len(self.report)

    def __getattr__(self, name: str) -> Any:
        if name in self.__dataclass_fields__ or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.report, name)

    def __repr__(self) -> str:
        return repr(self.report)


@dataclass
class Shapes:
    """The ``shapes`` fixture: call it with a model, then assert on what it returns.

    Args:
        folder: where this test's snapshots are kept.
        name: the test's name, which names its snapshots.
        update: whether snapshots are rewritten.
        frozen: whether snapshots may not be written at all, as in CI.
        used: the snapshot files that were looked at, for the report of unused ones.

    Example:
        >>> shapes = Shapes(Path("snapshots"), "test_lenet")
        >>> shapes("tests/data/lenet.onnx")["conv2"].out_channels
        16
    """

    folder: Path
    name: str
    update: bool = False
    frozen: bool = False
    used: set[str] = field(default_factory=set)
    scope: Scope = field(default_factory=Scope)

    def __call__(self, model: Any, input: Any = None) -> CheckedReport:  # noqa: A002  # the field's word for it
        """Inspect a model.

        Args:
            model: whatever :func:`shapeinspect.inspect` takes.
            input: the shapes of its inputs.
        """
        return CheckedReport(inspect(model, input), self.scope)

    @contextmanager
    def block(self, bindings: Mapping[str, int] | None = None) -> Iterator[Scope]:
        """Collect every failure of a block into one message; names bind afresh inside it.

        Args:
            bindings: names that are bound from the start.

        Raises:
            AssertionError: at the end of the block, if something in it failed.
        """
        __tracebackhide__ = True
        outer = (self.scope.bindings, self.scope.failures, self.scope.collecting)
        self.scope.bindings, self.scope.failures, self.scope.collecting = dict(bindings or {}), [], True
        try:
            yield self.scope
            failures = self.scope.failures
        finally:
            self.scope.bindings, self.scope.failures, self.scope.collecting = outer
        if failures:
            raise AssertionError("\n".join([f"{len(failures)} of this block's shapes do not fit", *failures]))

    def snapshot(self, model: Any, input: Any = None, name: str | None = None) -> None:  # noqa: A002  # as above
        """Hold a model against the text kept beside the test, and write that text the first time.

        Args:
            model: whatever :func:`shapeinspect.inspect` takes.
            input: the shapes of its inputs.
            name: the snapshot's name; the test's by default. Two tests that name the same one
                compare a port with its original.

        Raises:
            AssertionError: if they differ, or if there is none and none may be written.
        """
        __tracebackhide__ = True
        path = self.folder / f"{name or self.name}.txt"
        self.used.add(str(path))
        now = text(self(model, input).report.model)
        before = path.read_text(encoding="utf-8") if path.exists() else None
        changed = difference(before, now) if before is not None else ""
        if before is not None and not changed:
            return
        if self.frozen and (before is None or self.update):
            raise AssertionError(
                f"there is no snapshot {path.name}, and none is written in CI: run it locally first"
            )
        if before is None or self.update:
            _write(path, now)
            return
        raise AssertionError(f"the snapshot {path.name} differs (--shapes-update rewrites it)\n{changed}")


def _write(path: Path, content: str) -> None:
    """Write a file at once, so that tests running side by side never see half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
    Path(temporary).replace(path)
