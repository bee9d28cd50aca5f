"""A long ``diff --values``: a bar on a terminal, and an end by Ctrl-C that presents nothing as the whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

LAYERS = 7
#: Ctrl-C comes while the numbers of the third layer are compared, also where the suite runs in the
#: background, which ignores it.
INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from shapeinspect.cli import main
from shapeinspect.compare.numbers import values
compare, left = values.stored_alike, [3]
def stored_alike(a, b):
    left[0] -= 1
    if not left[0]:
        signal.raise_signal(signal.SIGINT)
    return compare(a, b)
values.stored_alike = stored_alike
main(["diff", *sys.argv[1:], "--values"])
"""
DRAWN = """
import sys
from shapeinspect.render import progress_bar
from shapeinspect.cli import main
progress_bar.DELAY = 0
main(["diff", *sys.argv[1:], "--values"])
"""


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    state = {f"l{n}.weight": rng.standard_normal((3 + n, 5)).astype(np.float32) for n in range(LAYERS)}
    save_file(state, tmp_path / "a.safetensors")
    state["l0.weight"] = state["l0.weight"] * 3
    save_file(state, tmp_path / "b.safetensors")
    return [str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")]


@pytest.mark.parametrize("form", [[], ["--format", "json"]])
def test_an_interrupted_comparison_says_so_and_nothing_else(pair: list[str], form: list[str]) -> None:
    words = [sys.executable, "-c", INTERRUPTED, *pair, *form]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stdout == ""
    assert done.stderr.startswith("interrupted: ")
    assert "Traceback" not in done.stderr


def test_a_bar_counts_the_layers(pair: list[str], on_a_terminal: Callable[..., tuple[int, str, str]]) -> None:
    code, out, shown = on_a_terminal([sys.executable, "-c", DRAWN, *pair])
    assert code == 1
    assert "reading layers" in shown
    assert f"/{LAYERS}" in shown
    assert "6 of 7 layers are the same" in out
