"""The ``shapes`` fixture: it inspects models, opens blocks and keeps snapshots."""

from __future__ import annotations

import secrets
import stat
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from shapeinspect.api.report import Report, inspect
from shapeinspect.check.snapshot import text, text_without_settings
from shapeinspect.check.snapshot_difference import difference, source
from shapeinspect.errors import ShapeInspectError, UsageError
from shapeinspect.pytest_support.checked import CheckedReport
from shapeinspect.pytest_support.scope import Scope, block_message
from shapeinspect.sources.small_text import read_text
from shapeinspect.text import printable

#: File systems take 255 bytes; the ending and a number need some of these.
_LONGEST = 200
_AFTER = "the block ended here; later assertions were not evaluated"


@dataclass(repr=False)
class Block:
    """A block of assertions, whose failures are reported together at its end.

    Args:
        scope: the test's scope.
        bindings: the names that are bound from the start.

    Raises:
        AssertionError: at the end of the block, if any of its assertions failed.
    """

    scope: Scope
    bindings: dict[str, int]
    _outer: tuple[Any, ...] = ()

    def __enter__(self) -> Scope:
        scope = self.scope
        self._outer = (scope.bindings, scope.origins, scope.failures, scope.collecting)
        scope.bindings, scope.origins = dict(self.bindings), dict.fromkeys(self.bindings, "the block")
        scope.failures, scope.collecting = [], True
        return scope

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        failures = self.scope.failures
        scope = self.scope
        scope.bindings, scope.origins, scope.failures, scope.collecting = self._outer
        if error is None and failures:
            scope.fail(block_message(failures))
        elif isinstance(error, AssertionError) and failures:
            line = f"line {_at.tb_lineno}: " if _at is not None else ""
            error.args = (block_message([*failures, f"{line}{error}\n({_AFTER})"]),)
        elif failures:
            scope.unreported = failures


@dataclass(repr=False)
class Shapes:
    """The ``shapes`` fixture: call it with a model, and assert on the report that it returns.

    pytest creates one for each test that has an argument ``shapes``; annotate that argument as
    ``shapes: Shapes`` (``from shapeinspect.testing import Shapes``). ``shapes(model, input)`` inspects a
    model, ``with shapes.block():`` collects failures, ``shapes.snapshot(model)`` compares a model with the
    text that is kept beside the test.

    Args:
        folder: the directory of this test's snapshots.
        name: the test's name, which names its snapshots.
        update: whether differing snapshots are rewritten.
        frozen: whether snapshots must not be written at all, as in CI.
        used: the snapshot files that were compared, for the report of unused ones.
        written: the snapshot files that were written, for the same report.
        scope: the names that are bound and the assertions that failed so far.

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
    written: set[str] = field(default_factory=set)
    scope: Scope = field(default_factory=Scope)
    _unnamed: int = 0

    def __call__(self, model: Any, input: Any = None) -> CheckedReport:  # noqa: A002  # the field's word for it
        """Inspect a model.

        Args:
            model: whatever :func:`shapeinspect.inspect` takes, or the report that it returned.
            input: the shapes of its inputs.
        """
        __tracebackhide__ = True
        if isinstance(model, CheckedReport | Report):
            if input is not None:
                raise UsageError("the report already has its input", hint="shapes(report), without an input")
            report = model.report if isinstance(model, CheckedReport) else model
            return CheckedReport(report, self.scope)
        try:
            return CheckedReport(inspect(model, input), self.scope)
        except ShapeInspectError as error:
            self.scope.uninspected = (model, input)
            cause = error.__cause__
            raise error.with_traceback(None) from (
                cause and cause.with_traceback(_users(cause.__traceback__))
            )

    def block(self, bindings: Mapping[str, int] | None = None) -> Block:
        """Collect the failures of a block into one message; names bind afresh inside it.

        Args:
            bindings: the names that are bound from the start.
        """
        return Block(self.scope, dict(bindings or {}))

    def snapshot(self, model: Any, input: Any = None, name: str | None = None) -> None:  # noqa: A002  # as above
        """Compare a model with the text kept beside the test, which the first run writes.

        Args:
            model: whatever :func:`shapeinspect.inspect` takes, or a report.
            input: the shapes of its inputs.
            name: the snapshot's name; the test's by default. Two tests that share a snapshot compare a
                port with its original: ``--shapes-update`` writes that of the first test.

        Raises:
            AssertionError: if they differ, or if the snapshot is missing and must not be written.
        """
        __tracebackhide__ = True
        path = self._path(name)
        # A snapshot that two tests share is rewritten by the first; the second is compared with it.
        update = self.update and str(path) not in self.used
        self.used.add(str(path))
        seen = self(model, input).report.model
        now = text(seen)
        try:
            before = read_text(path) if path.exists() else None
        except (ShapeInspectError, OSError) as error:
            self.scope.fail(f"the snapshot cannot be read\n{error}")
        changed = ""
        if before is not None and source(before) is None:  # it is from before snapshots held the settings
            changed = difference(before, text_without_settings(seen))
            if not changed and not update:
                _warn_of_an_old(path)
        elif before is not None:
            changed = difference(before, now)
        rewritten = update and not self.frozen and before is not None and source(before) is None
        if before is not None and not changed and not rewritten:
            return
        if before is not None and not update:
            self.scope.fail(f"{path.name} differs from the model; --shapes-update rewrites it\n{changed}")
        elif self.frozen:
            problem = "is missing" if before is None else "differs from the model"
            self.scope.fail(f"{path.name} {problem}, and CI does not write snapshots: run the test locally")
        else:
            try:
                _write(path, now)
                self.written.add(str(path))
            except OSError as error:
                self.scope.fail(f"{path} cannot be written: {error.strerror or error}")

    def _path(self, name: str | None) -> Path:
        """Return the path of a snapshot; the second unnamed one gets a number."""
        if name is not None:
            plain = name and Path(name).name == name and not name.startswith(".") and name.isprintable()
            if not plain or len(name.encode()) > _LONGEST:
                expected = f"the name of a file, of at most {_LONGEST} bytes"
                raise UsageError(f"invalid snapshot name {repr(name)[:80]}", expected=expected)
            return self.folder / f"{name}.txt"
        self._unnamed += 1
        return self.folder / (f"{self.name}-{self._unnamed}.txt" if self._unnamed > 1 else f"{self.name}.txt")

    def __repr__(self) -> str:
        return f"<shapes of {self.name}>"


def _warn_of_an_old(path: Path) -> None:
    warnings.warn(
        f"{printable(path.name)} is from before snapshots held settings such as padding and eps, which are "
        "not compared: --shapes-update adds them",
        stacklevel=3,
    )


def _users(traceback: TracebackType | None) -> TracebackType | None:
    """Remove the frames of shapeinspect and of installed packages."""
    if traceback is None:
        return None
    after = _users(traceback.tb_next)
    code, name = traceback.tb_frame.f_code, str(traceback.tb_frame.f_globals.get("__name__", ""))
    parts = Path(code.co_filename).parts
    if name.startswith("shapeinspect") or {"site-packages", "dist-packages"} & set(parts) or "<" in parts[0]:
        return after
    return TracebackType(after, traceback.tb_frame, traceback.tb_lasti, traceback.tb_lineno)


def _write(path: Path, content: str) -> None:
    """Write a file atomically, so that tests that run in parallel never see a partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "x", encoding="utf-8", newline="\n") as file:
            file.write(content)
        if path.exists():
            temporary.chmod(stat.S_IMODE(path.stat().st_mode))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
