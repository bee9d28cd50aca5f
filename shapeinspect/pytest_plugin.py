"""The pytest plug-in: the ``shapes`` fixture, its snapshots, and diagnoses of shape errors.

Nothing but pytest is imported until a test asks for the fixture.
"""

from __future__ import annotations

import os
import re
import sys
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from shapeinspect.pytest_support import CheckedReport, Shapes

_FOLDER = "__shapes__"
_LONGEST = 120
_USED: pytest.StashKey[set[str]] = pytest.StashKey()
_MODULES: pytest.StashKey[set[str]] = pytest.StashKey()
_PARTIAL: pytest.StashKey[set[str]] = pytest.StashKey()
_WRITTEN: pytest.StashKey[set[str]] = pytest.StashKey()
_SHAPES: pytest.StashKey[Shapes] = pytest.StashKey()

#: What each worker of pytest-xdist passes on.
_RECORDS: tuple[pytest.StashKey[set[str]], ...] = (_USED, _MODULES, _PARTIAL, _WRITTEN)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options.

    Args:
        parser: pytest's.
    """
    group = parser.getgroup("shapeinspect")
    group.addoption(
        "--shapes-update",
        action="store_true",
        help="Rewrite shape snapshots that differ, and delete unused ones.",
    )
    group.addoption(
        "--shapes-model",
        metavar="MODEL",
        help="The model of the fixture shapes_model, and of *.shapes.toml files that name none: a path, or "
        "package.module:attribute.",
    )
    group.addoption(
        "--shapes-input",
        metavar="SHAPE",
        action="append",
        default=[],
        help="The shape of an input of --shapes-model, 1,3,224,224 or name=2,17:int64. Repeat it for more.",
    )
    group.addoption(
        "--no-shape-diagnosis",
        action="store_true",
        help="Do not explain the shape errors of models in failing tests.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the record of this session.

    Args:
        config: pytest's.
    """
    config.stash[_USED] = set()
    config.stash[_MODULES] = set()
    config.stash[_PARTIAL] = set()
    config.stash[_WRITTEN] = set()


@pytest.fixture
def shapes(request: pytest.FixtureRequest) -> Shapes:
    """Inspect models and assert on their shapes: ``shapes(model, input=(2, 3, 224, 224))``.

    Args:
        request: pytest's.
    """
    from shapeinspect.pytest_support import Shapes

    config, node = request.config, request.node
    node.stash[_SHAPES] = fixture = Shapes(
        folder=request.path.parent / _FOLDER / request.path.stem,
        name=_file_name(node),
        update=config.getoption("--shapes-update"),
        frozen=_is_frozen(),
        used=config.stash[_USED],
        written=config.stash[_WRITTEN],
    )
    return fixture


def _is_frozen() -> bool:
    """Tell whether snapshots are neither written nor deleted, as in CI."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


@pytest.fixture
def shapes_model(request: pytest.FixtureRequest, shapes: Shapes) -> CheckedReport:
    """Inspect the model that ``--shapes-model`` names, so that one test serves any model.

    Args:
        request: pytest's.
        shapes: the fixture of the test.
    """
    model = request.config.getoption("--shapes-model")
    if model is None:
        pytest.skip("--shapes-model names no model")
    return shapes(model, request.config.getoption("--shapes-input") or None)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """Take a file of assertions, ``*.shapes.toml``, as a test.

    Args:
        file_path: a file in a folder that is searched.
        parent: the folder.
    """
    if not file_path.name.endswith(".shapes.toml"):
        return None
    from shapeinspect.api.collected_specs import SpecFile

    return SpecFile.from_parent(parent, path=file_path)


def _file_name(node: pytest.Item) -> str:
    """Return the file name of a test's snapshots, different for every test of a file."""
    # Tests with one name in several classes have a snapshot each.
    classes = [part for part in node.nodeid.partition("::")[2].split("[")[0].split("::")[:-1] if part]
    name = ".".join([*classes, node.name])
    kept = re.sub(r"[^\w .,=+@\[\]-]", "_", name, flags=re.ASCII)[:_LONGEST]
    # Without these characters two names may be equal: a checksum of the whole name distinguishes them.
    return kept if kept == name else f"{kept}-{zlib.crc32(name.encode()):08x}"


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Explain a failed comparison: the lengths that differ, and the axis.

    Args:
        op: the operator.
        left: its left side.
        right: its right side.
    """
    support = sys.modules.get("shapeinspect.pytest_support")
    return support.comparison_lines(op, left, right) if support is not None else None


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Record the modules of deselected tests: the snapshots that those use are unknown.

    Args:
        items: the tests.
    """
    for item in items:
        item.config.stash[_PARTIAL].add(str(item.path))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Record which modules run completely: only for these are the unused snapshots known.

    Args:
        session: pytest's.
    """
    config = session.config
    if config.option.collectonly:
        return
    requested = {str(Path(word.partition("::")[0]).resolve()) for word in config.args if "::" in word}
    config.stash[_PARTIAL].update(requested)
    config.stash[_MODULES].update(str(item.path) for item in session.items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Pass the record of a worker to the process that reports.

    Args:
        session: pytest's.
    """
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        stash = session.config.stash
        recorded: list[set[str]] = [stash[key] for key in _RECORDS]
        output["shapes"] = [sorted(paths) for paths in recorded]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add the record of a worker of pytest-xdist.

    Args:
        node: the worker.
    """
    recorded: Any = getattr(node, "workeroutput", {}).get("shapes", [()] * len(_RECORDS))
    for paths, key in zip(recorded, _RECORDS, strict=True):
        known: set[str] = node.config.stash[key]
        known.update(paths)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List the snapshots that were written, and the unused ones of modules all of whose tests passed.

    With ``--shapes-update`` the unused ones are deleted.

    Args:
        terminalreporter: pytest's.
        config: pytest's.
    """
    stats = terminalreporter.stats
    ended = {
        str(config.rootpath / report.nodeid.partition("::")[0])
        for outcome in ("failed", "error", "skipped", "xfailed", "rerun")
        for report in stats.get(outcome, ())
    }
    used, modules, parted = config.stash[_USED], config.stash[_MODULES], config.stash[_PARTIAL]
    whole = set() if terminalreporter._session.shouldstop else modules - parted - ended
    unused = [
        path
        for module in sorted(whole)
        for path in sorted((Path(module).parent / _FOLDER / Path(module).stem).glob("*.txt"))
        if str(path) not in used
    ]
    unused += _orphans({Path(module).parent for module in modules})
    written = config.stash[_WRITTEN]
    _told(terminalreporter, config, "written shape snapshots", [Path(path) for path in sorted(written)])
    title = "unused shape snapshots"
    if config.getoption("--shapes-update") and not _is_frozen():
        title, unused = "deleted shape snapshots", list(filter(_deleted, unused))
    _told(terminalreporter, config, title, unused)


def _told(terminalreporter: Any, config: pytest.Config, title: str, paths: Iterable[Path]) -> None:
    """List files under a title, if there are any."""
    for number, path in enumerate(paths):
        if not number:
            terminalreporter.section(title)
        terminalreporter.write_line(os.path.relpath(path, config.invocation_params.dir))


def _deleted(path: Path) -> bool:
    """Delete a snapshot that no test uses, and its folder behind the last; tell whether that was possible."""
    with suppress(OSError):
        path.unlink()
        with suppress(OSError):  # it holds others
            path.parent.rmdir()
        return True
    return False


def _orphans(folders: set[Path]) -> list[Path]:
    """Return the snapshots of test files that no longer exist."""
    return [
        path
        for folder in sorted(folders)
        for path in sorted((folder / _FOLDER).glob("*/*.txt"))
        if not (folder / f"{path.parent.name}.py").exists()
    ]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, None]:
    """Add the diagnosis of a model's shape error to the report of a failing test.

    Args:
        item: the test.
        call: its result.
    """
    shapes = item.stash.get(_SHAPES, None)
    # The error of a unittest.TestCase is kept in the test, and put into the call while the report is made.
    for raised in (call.excinfo, *(getattr(item, "_excinfo", None) or ())):
        if shapes is not None and raised is not None and isinstance(raised.value, AssertionError):
            _rewrite(raised.value, str(raised.traceback[-1].statement), shapes)
    outcome = yield
    report = outcome.get_result()
    if not report.failed or call.excinfo is None:
        return
    if shapes is not None and shapes.scope.unreported:
        report.sections.append(("earlier failed assertions", "\n".join(shapes.scope.unreported)))
    if item.config.getoption("--no-shape-diagnosis"):
        return
    if shapes is not None and shapes.scope.uninspected is not None:
        text = _input_diagnosis(*shapes.scope.uninspected)
    else:
        text = next(filter(None, map(_diagnosis, _chain(call.excinfo.value))), "")
    if text:
        report.sections.append(("shape diagnosis", text))


def _rewrite(error: AssertionError, statement: str, shapes: Shapes) -> None:
    """Replace the values that pytest has written into the error by our message."""
    from shapeinspect.pytest_support import assertion_text

    text = assertion_text(error, statement, shapes.scope)
    if text is not None:
        error.args = (text,)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that its traceback shows: its causes, and the members of a group."""
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop(0)
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        cause = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        waiting += [*getattr(link, "exceptions", ()), *([cause] if cause is not None else [])]


def _diagnosis(error: BaseException) -> str:
    from shapeinspect.registry import debuggers

    if not any(debuggers()):
        return ""  # no framework is imported, so no model was called
    from shapeinspect.api.debugging import explain_error, is_explained
    from shapeinspect.mismatch import describe

    if is_explained(error):
        return ""  # the test's own debug() has added it to the traceback
    diagnosis = explain_error(error)
    return describe(diagnosis) if diagnosis is not None else ""


def _input_diagnosis(model: Any, input_shapes: Any) -> str:
    """Diagnose why a model could not be inspected with an input."""
    from shapeinspect.api.debugging import fits
    from shapeinspect.errors import ShapeInspectError
    from shapeinspect.mismatch import describe

    try:
        diagnosis = fits(model, input_shapes).diagnosis
    except ShapeInspectError:
        return ""  # not a matter of shapes; the error itself explains it
    return describe(diagnosis) if diagnosis is not None else ""
