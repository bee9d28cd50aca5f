"""Whole processes, cold: wall time and peak memory, ours beside a peer's in the same run."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

import pytest

RUNS = 5


@dataclass(frozen=True)
class Cost:
    """The median of several runs of one command."""

    seconds: float
    megabytes: float


def measure(words: Sequence[str], runs: int = RUNS) -> Cost:
    """Run a command several times after one run that is not counted."""
    samples = [_once(words) for _ in range(runs + 1)][1:]
    return Cost(median(s.seconds for s in samples), median(s.megabytes for s in samples))


#: A small process starts the measured one: a fork of this one would begin with this one's memory.
_STARTER = """
import json, os, subprocess, sys, time
begin = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - begin
print(json.dumps([seconds, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)]))
"""


@cache
def _environment() -> dict[str, str]:
    """Keep compiled modules, as an installed package has them, for both sides and in one place."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    folder = tempfile.TemporaryDirectory(prefix="bench-")
    atexit.register(folder.cleanup)
    return {**kept, "PYTHONPYCACHEPREFIX": folder.name}


def _once(words: Sequence[str]) -> Cost:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _STARTER, *words],
        capture_output=True,
        text=True,
        check=True,
        env=_environment(),
    )
    seconds, megabytes, code = json.loads(done.stdout)
    assert code == 0, done.stderr
    return Cost(seconds, megabytes)


def python(code: str, *words: str) -> list[str]:
    """Return the command that runs a text with this interpreter."""
    return [sys.executable, "-c", code, *words]


def shapeinspect(*words: str) -> list[str]:
    """Return the command line of the installed console script."""
    return [os.path.join(os.path.dirname(sys.executable), "shapeinspect"), *words]


@pytest.fixture
def compare(capsys: pytest.CaptureFixture[str]):
    """Measure two commands, print one line, return how many times slower and larger the second is."""

    def run(name: str, ours: Sequence[str], peer: Sequence[str], runs: int = RUNS) -> tuple[float, float]:
        mine, theirs = measure(ours, runs), measure(peer, runs)
        faster, smaller = theirs.seconds / mine.seconds, theirs.megabytes / mine.megabytes
        with capsys.disabled():
            print(
                f"\n{name}: {mine.seconds:.3f} s, {mine.megabytes:.0f} MiB against {theirs.seconds:.3f} s, "
                f"{theirs.megabytes:.0f} MiB: {faster:.1f}x faster, {smaller:.1f}x less memory"
            )
        return faster, smaller

    return run
