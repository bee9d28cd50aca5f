"""A terminal of 80 columns and 24 rows, and what a command writes to it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from terminals import ROWS, in_a_terminal

LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"

#: The exit code of a command, and what the terminal got.
Shown = tuple[int, str]


@pytest.fixture
def lenet() -> str:
    return str(LENET)


@pytest.fixture
def terminal(tmp_path: Path) -> Callable[..., Shown]:
    """Run a command in a terminal of its own, with a changed environment."""

    def run(
        words: Sequence[str], *, rows: int = ROWS, standard_input: bytes | None = None, **more: str
    ) -> Shown:
        environment = {"TMPDIR": str(tmp_path), "PAGER": "", **more}
        return in_a_terminal(words, rows=rows, standard_input=standard_input, environment=environment)[:2]

    return run


@pytest.fixture
def shapeinspect(terminal: Callable[..., Shown]) -> Callable[..., Shown]:
    """Run a command of shapeinspect in a terminal."""

    def run(*words: str, **more: str) -> Shown:
        return terminal([sys.executable, "-m", "shapeinspect", *words], **more)

    return run
