"""The pytest plug-in: the ``shapes`` fixture, its snapshots, and diagnoses of shape errors.

Nothing but pytest is imported until a test asks for the fixture.
"""

from __future__ import annotations

import os
import re
import sys
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from shapeinspect.pytest_support import Shapes

_FOLDER = "__shapes__"
_LONGEST = 120
_USED: pytest.StashKey[set[str]] = pytest.StashKey()
_MODULES: pytest.StashKey[set[str]] = pytest.StashKey()
_PARTED: pytest.StashKey[set[str]] = pytest.StashKey()
_SHAPES: pytest.StashKey[Shapes] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options.

    Args:
        parser: pytest's.
    """
    group = parser.getgroup("shapeinspect")
    group.addoption("--shapes-update", action="store_true", help="Rewrite shape snapshots that differ.")
    group.addoption(
        "--no-shape-diagnosis",
        action="store_true",
        help="Do not explain the shape errors of models in failing tests.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Prepare what the session remembers.

    Args:
        config: pytest's.
    """
    config.stash[_USED] = set()
    config.stash[_MODULES] = set()
    config.stash[_PARTED] = set()


@pytest.fixture
def shapes(request: pytest.FixtureRequest) -> Shapes:
    """Inspect models and assert on their shapes: ``shapes(model, input=(2, 3, 224, 224))``.

    Args:
        request: pytest's.
    """
    from shapeinspect.pytest_support import Shapes

    config, node = request.config, request.node
    node.stash[_SHAPES] = found = Shapes(
        folder=request.path.parent / _FOLDER / request.path.stem,
        name=_file_name(node),
        update=config.getoption("--shapes-update"),
        frozen=os.environ.get("CI", "").lower() not in ("", "0", "false"),
        used=config.stash[_USED],
    )
    return found


def _file_name(node: pytest.Item) -> str:
    """Return what a test's snapshots are called; no two tests of a file have the same name."""
    # Tests of the same name in several classes have a snapshot each.
    classes = [part for part in node.nodeid.partition("::")[2].split("[")[0].split("::")[:-1] if part]
    name = ".".join([*classes, node.name])
    kept = re.sub(r"[^\w .,=+@\[\]-]", "_", name, flags=re.ASCII)[:_LONGEST]
    # What has lost characters could be another test's name: a number made from the whole name is not.
    return kept if kept == name else f"{kept}-{zlib.crc32(name.encode()):08x}"


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Say of lengths that differ what they are of, and on which axis.

    Args:
        op: the operator.
        left: its left side.
        right: its right side.
    """
    support = sys.modules.get("shapeinspect.pytest_support")
    return support.compared(op, left, right) if support is not None else None


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember the modules of tests that do not run: what they look at is not known.

    Args:
        items: the tests.
    """
    for item in items:
        item.config.stash[_PARTED].add(str(item.path))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Remember which modules run whole: only their snapshots can be known to be unused.

    Args:
        session: pytest's.
    """
    config = session.config
    if config.option.collectonly:
        return
    asked = {str(Path(word.partition("::")[0]).resolve()) for word in config.args if "::" in word}
    config.stash[_PARTED].update(asked)
    config.stash[_MODULES].update(str(item.path) for item in session.items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker saw to the process that reports.

    Args:
        session: pytest's.
    """
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        stash = session.config.stash
        output["shapes"] = [sorted(found) for found in (stash[_USED], stash[_MODULES], stash[_PARTED])]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in what a worker of pytest-xdist saw.

    Args:
        node: the worker.
    """
    seen: Any = getattr(node, "workeroutput", {}).get("shapes", ((), (), ()))
    for found, key in zip(seen, (_USED, _MODULES, _PARTED), strict=True):
        known: set[str] = node.config.stash[key]
        known.update(found)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List the snapshots that no test looked at, of the modules all of whose tests came to their end.

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
    used, modules, parted = config.stash[_USED], config.stash[_MODULES], config.stash[_PARTED]
    whole = set() if terminalreporter._session.shouldstop else modules - parted - ended
    unused = [
        path
        for module in sorted(whole)
        for path in sorted((Path(module).parent / _FOLDER / Path(module).stem).glob("*.txt"))
        if str(path) not in used
    ]
    unused += _orphans({Path(module).parent for module in modules})
    if unused:
        terminalreporter.section("shape snapshots that no test uses")
        for path in unused:
            terminalreporter.write_line(os.path.relpath(path, config.invocation_params.dir))


def _orphans(folders: set[Path]) -> list[Path]:
    """Return the snapshots of test files that are no more."""
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
        call: what came of it.
    """
    shapes = item.stash.get(_SHAPES, None)
    # What a unittest.TestCase raises waits in the test, and is put into the call while the report is made.
    for raised in (call.excinfo, *(getattr(item, "_excinfo", None) or ())):
        if shapes is not None and raised is not None and isinstance(raised.value, AssertionError):
            _retell(raised.value, str(raised.traceback[-1].statement), shapes)
    outcome = yield
    report = outcome.get_result()
    if not report.failed or call.excinfo is None:
        return
    if shapes is not None and shapes.scope.left:
        report.sections.append(("earlier failed assertions", "\n".join(shapes.scope.left)))
    if item.config.getoption("--no-shape-diagnosis"):
        return
    if shapes is not None and shapes.scope.refused is not None:
        found = _refusal(*shapes.scope.refused)
    else:
        found = next(filter(None, map(_diagnosis, _shown(call.excinfo.value))), "")
    if found:
        report.sections.append(("shape diagnosis", found))


def _retell(error: AssertionError, statement: str, shapes: Shapes) -> None:
    """Put plain words in the place of the values that pytest has written into the error."""
    from shapeinspect.pytest_support import retold

    text = retold(error, statement, shapes.scope)
    if text is not None:
        error.args = (text,)


def _shown(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that a traceback shows with it: its causes, the members of a group."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        before = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        waiting += [*getattr(one, "exceptions", ()), *([before] if before is not None else [])]


def _diagnosis(error: BaseException) -> str:
    from shapeinspect.registry import debuggers

    if not any(debuggers()):
        return ""  # no framework is imported, so no model was called
    from shapeinspect.api.debugging import explain_error, is_explained
    from shapeinspect.mismatch import describe

    if is_explained(error):
        return ""  # the test's own debug() has put it into the traceback
    found = explain_error(error)
    return describe(found) if found is not None else ""


def _refusal(model: Any, given: Any) -> str:
    """Diagnose why a model could not be inspected with an input."""
    from shapeinspect.api.debugging import fits
    from shapeinspect.errors import ShapeInspectError
    from shapeinspect.mismatch import describe

    try:
        found = fits(model, given).diagnosis
    except ShapeInspectError:
        return ""  # it is no matter of shapes; the error itself says what it is
    return describe(found) if found is not None else ""
