"""What the plug-in costs a test run that does not use it: no import beside its own small module."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "keras", "tensorflow", "onnx", "onnxruntime", "numpy", "h5py", "rich", "typer", "einops")

CONFTEST = """
import sys

def pytest_unconfigure():
    print("LOADED", *sorted(name for name in sys.modules if name.partition(".")[0] in {heavy!r}
          or name.startswith("shapeinspect")))
"""


def loaded(folder: Path, test: str, *words: str) -> list[str]:
    """Run pytest in a process of its own; return what of ours and of frameworks it has imported."""
    (folder / "conftest.py").write_text(CONFTEST.replace("{heavy!r}", repr(set(HEAVY))))
    (folder / "test_it.py").write_text(test)
    words = ("-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-c", "/dev/null", *words)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--rootdir", str(folder), *words, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("LOADED")]
    assert done.returncode == 0, done.stdout
    return line.split()[1:]


@pytest.mark.parametrize("words", [("--collect-only",), ()])
@pytest.mark.parametrize(
    "test", ["def test_it():\n    assert True\n", "def test_it(shapes=None):\n    assert [1] == [1]\n"]
)
def test_a_run_without_the_fixture_imports_nothing_of_weight(
    tmp_path: Path, test: str, words: tuple[str, ...]
) -> None:
    own = [name for name in loaded(tmp_path, test, *words) if not name.startswith("_editable")]
    assert own == ["shapeinspect", "shapeinspect.pytest_plugin"]


def test_collecting_tests_that_use_the_fixture_imports_nothing_of_weight(tmp_path: Path) -> None:
    own = loaded(tmp_path, "def test_it(shapes):\n    assert shapes\n", "--collect-only")
    assert own == ["shapeinspect", "shapeinspect.pytest_plugin"]


def test_the_measure_can_fail(tmp_path: Path) -> None:
    own = loaded(tmp_path, "import numpy\n\ndef test_it(shapes):\n    assert shapes\n")
    assert {"numpy", "shapeinspect.pytest_support"} <= set(own)
    assert not {"torch", "keras", "tensorflow", "onnx", "typer"} & set(own)
