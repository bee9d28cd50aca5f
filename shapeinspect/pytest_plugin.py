"""The pytest plug-in: the ``shapes`` fixture, its snapshots, and diagnoses of shape errors.

Nothing but pytest is imported until a test asks for the fixture.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from shapeinspect.asserting import Shapes

_FOLDER = "__shapes__"
_USED: pytest.StashKey[set[str]] = pytest.StashKey()
_MODULES: pytest.StashKey[set[str]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options.

    Args:
        parser: pytest's.
    """
    group = parser.getgroup("shapeinspect")
    group.addoption(
        "--shapes-update", action="store_true", help="Rewrite the snapshots of shapes that differ."
    )
    group.addoption(
        "--no-shape-diagnosis",
        action="store_true",
        help="Do not explain shape errors of models in failing tests.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Prepare what the session remembers.

    Args:
        config: pytest's.
    """
    config.stash[_USED] = set()
    config.stash[_MODULES] = set()


@pytest.fixture
def shapes(request: pytest.FixtureRequest) -> Shapes:
    """Inspect models and assert on their shapes: ``shapes(model, input=(2, 3, 224, 224))``.

    Args:
        request: pytest's.
    """
    from shapeinspect.asserting import Shapes

    config = request.config
    name = re.sub(r"[^\w.-]+", "_", request.node.name).strip("_")
    return Shapes(
        folder=request.path.parent / _FOLDER / request.path.stem,
        name=name,
        update=config.getoption("--shapes-update"),
        frozen=os.environ.get("CI", "").lower() not in ("", "0", "false"),
        used=config.stash[_USED],
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Remember which modules run whole: only their snapshots can be known to be unused.

    Args:
        session: pytest's.
    """
    config = session.config
    if config.getoption("keyword") or config.getoption("markexpr") or config.getoption("lf", False):
        return
    parted = {str(Path(word.partition("::")[0]).resolve()) for word in config.args if "::" in word}
    modules = config.stash[_MODULES]
    modules.update(str(item.path) for item in session.items if str(item.path) not in parted)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker saw to the process that reports.

    Args:
        session: pytest's.
    """
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        stash = session.config.stash
        used, modules = stash[_USED], stash[_MODULES]
        output["shapes_used"], output["shapes_modules"] = sorted(used), sorted(modules)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take in what a worker of pytest-xdist saw.

    Args:
        node: the worker.
    """
    output = getattr(node, "workeroutput", {})
    used, modules = node.config.stash[_USED], node.config.stash[_MODULES]
    used.update(output.get("shapes_used", ()))
    modules.update(output.get("shapes_modules", ()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """List the snapshots that no test looked at.

    Args:
        terminalreporter: pytest's.
        config: pytest's.
    """
    used, modules = config.stash[_USED], config.stash[_MODULES]
    unused = [
        path
        for module in sorted(modules)
        for path in sorted((Path(module).parent / _FOLDER / Path(module).stem).glob("*.txt"))
        if str(path) not in used
    ]
    if unused:
        terminalreporter.section("unused snapshots of shapes")
        for path in unused:
            terminalreporter.write_line(str(path))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, None]:
    """Add the diagnosis of a model's shape error to the report of a failing test.

    Args:
        item: the test.
        call: what came of it.
    """
    outcome = yield
    report = outcome.get_result()
    if not report.failed or call.excinfo is None or item.config.getoption("--no-shape-diagnosis"):
        return
    if not any(name in sys.modules for name in ("torch", "keras", "onnxruntime")):
        return  # no model can have been called
    from shapeinspect.debugging import explain_error, is_explained
    from shapeinspect.mismatch import describe

    if is_explained(call.excinfo.value):
        return  # the test's own debug() has put it into the traceback
    found = explain_error(call.excinfo.value)
    if found is not None:
        report.sections.append(("shape diagnosis", describe(found)))
