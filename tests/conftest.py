"""Settings that hold for every test, and what the tests of several folders use."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long a draw takes says how busy the machine is, and nothing of what is tested. In CI every run
# draws the same, so that a red run is a change's; elsewhere each run looks at something new.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    database=None,
    print_blob=True,
)
settings.load_profile("any machine")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# Limits of time are for people who wait: what a diagnosis finds in a test says nothing about the machine.
os.environ.setdefault("SHAPEINSPECT_PATIENCE", "4")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

Run = Callable[..., tuple[int, str, str]]
Close = Callable[[Any, Any], None]


@pytest.fixture(scope="session")
def close() -> Close:
    """Hold two float32 results against each other, whatever order their sums were taken in.

    One output is a sum of products that may cancel, so that its error follows the size of the products
    and not its own: the tolerance is a part of the largest output. Of 300 draws of every kind of layer
    and pair of frameworks the worst was 2.3e-6 of it (a stack of recurrent cells); a wrong axis, gate or
    order gives whole parts.
    """
    import numpy as np

    def check(found: Any, expected: Any) -> None:
        found, expected = np.asarray(found), np.asarray(expected)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-5 * float(np.abs(expected).max()))

    return check


@pytest.fixture
def usual_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a diagnosis take as long as it does for people."""
    monkeypatch.setenv("SHAPEINSPECT_PATIENCE", "1")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line in this process: its exit code, and what it wrote to both streams."""
    from shapeinspect.cli import main

    def call(*words: str) -> tuple[int, str, str]:
        try:
            main(list(words))
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count the bytes that are read from sources: each call returns those since the one before."""
    from shapeinspect.sources.source import Source

    total = 0

    class Counting(io.FileIO):
        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # of a file on disk
            nonlocal total
            count = super().readinto(buffer) or 0
            total += count
            return count

        def readall(self) -> bytes:
            raise AssertionError("a whole file is read")

    def since() -> int:
        nonlocal total
        count, total = total, 0
        return count

    monkeypatch.setattr(Source, "open", lambda source: io.BufferedReader(Counting(source.path, "r")))
    return since
