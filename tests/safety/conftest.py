"""The samples of every format, and the process that reads damaged ones under a watchdog."""

from __future__ import annotations

import math
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

#: A program that fuzzes from its first line on.
collect_ignore = ["fuzzer.py"]

_HERE = Path(__file__).parent


def load(name: str) -> ModuleType:
    spec = spec_from_file_location(f"safety_{name}", _HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_CHILD = load("child")
_SAMPLES = load("samples")
#: Every format that the samples hold.
FORMATS: tuple[str, ...] = tuple(name for family in _SAMPLES.FAMILIES for name in family)


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """One small valid file of every format."""
    made: Mapping[str, Any] = _SAMPLES.Samples(tmp_path_factory.mktemp("samples"))
    return made


@pytest.fixture(scope="session")
def mutated() -> Callable[[bytes, int], bytes]:
    """The seeded damage."""
    found: Callable[[bytes, int], bytes] = load("damage").mutated
    return found


@dataclass
class Outcome:
    """What came of many damaged files."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    slowest: float = 0.0
    #: The seconds of each case that took too long at first.
    late: dict[int, float] = field(default_factory=dict)
    #: What came of each case with a check sum of what was shown, and how the forked children ended.
    cases: dict[int, tuple[str, int]] = field(default_factory=dict)
    children: Counter[str] = field(default_factory=Counter)


class Worker:
    """Feeds the worker process, and goes on behind a file that kills it or makes it hang."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._child = _CHILD.Child(_HERE / "worker.py")

    def read(
        self, sample: Any, cases: range, *, cut: bool = False, cli: bool = False, forked: bool = False
    ) -> Outcome:
        """Read a sample damaged in many ways: cut off at each length, or changed by each seed.

        ``forked``: a process that reading would start is a fork, and no fresh one.
        """
        home = Path(shutil.copytree(sample.folder, self._folder / "one", dirs_exist_ok=False))
        try:
            return self._read(sample, home, cases, {"cut": cut, "cli": cli, "forked": forked})
        finally:
            shutil.rmtree(home)

    def _read(self, sample: Any, home: Path, cases: range, how: dict[str, bool]) -> Outcome:
        outcome = Outcome()
        order = {
            "show": str(home / sample.show),
            "damaged": str(home / sample.damaged),
            "content": str(sample.folder / sample.damaged),
            **how,
        }
        following = cases.start
        while following < cases.stop:
            reached = self._ask({**order, "cases": [following, cases.stop, cases.step]}, outcome)
            if reached is None:
                break
            following = reached + cases.step
        for case, seconds in outcome.late.items():
            again = partial(self._again, {**order, "cases": [case, case + 1, 1]})
            if not _CHILD.within(seconds, _CHILD.CPU, again):
                outcome.wrong.append(f"case {case}: {seconds:.1f} s")
        return outcome

    def _again(self, order: dict[str, Any]) -> float:
        """Return the seconds that one case takes when it is read once more."""
        once = Outcome()
        return math.inf if self._ask(order, once) is not None else once.slowest

    def _ask(self, order: dict[str, Any], outcome: Outcome) -> int | None:
        """Return the case that the worker did not survive, or None if it went through all."""
        self._child.ask(order)
        current = int(order["cases"][0])
        while True:
            try:
                answer = self._child.answer()
            except ChildProcessError as ended:
                outcome.wrong.append(f"case {current}: {ended}")
                return current
            if answer is None:
                return None
            case, found, seconds, ended, shown = answer
            current = case + order["cases"][2]
            outcome.cases[case] = (found, shown)
            if ended:
                outcome.children[ended] += 1
            outcome.counts[found if found in ("model", "refused") else "wrong"] += 1
            outcome.seconds += seconds
            outcome.slowest = max(outcome.slowest, seconds)
            if found not in ("model", "refused"):
                outcome.wrong.append(f"case {case}: {found}")
            if seconds >= _CHILD.CPU:
                outcome.late[case] = seconds

    def close(self) -> None:
        """End the process that is running."""
        self._child.close()


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """The process that reads damaged files."""
    running = Worker(tmp_path_factory.mktemp("damaged"))
    yield running
    running.close()
