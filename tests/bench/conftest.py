"""Whole processes, cold: wall time and peak memory, ours beside a peer's in the same run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
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


def _once(words: Sequence[str]) -> Cost:
    begin = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    errors = process.stderr.read().decode() if process.stderr else ""
    assert os.waitstatus_to_exitcode(status) == 0, errors
    return Cost(seconds, usage.ru_maxrss / 1024)


def python(code: str, *words: str) -> list[str]:
    """Return the command that runs a text with this interpreter."""
    return [sys.executable, "-c", code, *words]


def shapeinspect(*words: str) -> list[str]:
    """Return the command line of the installed console script."""
    return [os.path.join(os.path.dirname(sys.executable), "shapeinspect"), *words]


@pytest.fixture
def compare(capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
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
