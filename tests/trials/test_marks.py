"""A trial counts only where the statement that had failed ran to its end, and with data."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from shapeinspect.trials.client import Order, Result, Script, Trials, available
from shapeinspect.trials.marks import Running, moved

pytestmark = pytest.mark.skipif(not available(), reason="trials need Landlock")


def trial(folder: Path, text: str, *running: Running, limit: float = 60.0) -> Result:
    """Run a script once, with places that have to run to their end."""
    (folder / "script.py").write_text("")
    script = Script(str(folder), "script.py", ".", (), time.time() + 60, 1 << 30, beside=False)
    order = Order("once", {"script.py": dedent(text).lstrip()}, running)
    with Trials[str](script) as trials:
        return next(result for _, result in trials.run(iter([order]), limit, lambda: False))


RUNS = {
    "assignment": ("x = 1\ny = x + 1\n", 2, ""),
    "the last of a line": ("x = 1; y = x + 1\n", 1, ""),
    "return": ("def f(x):\n    return x + 1\nf(1)\n", 2, ""),
    "loop": ("for x in [1]:\n    pass\n", 1, ""),
    "condition": ("if 1 + 1:\n    pass\n", 1, ""),
    "else": ("if 0:\n    pass\nelse:\n    x = 1\n", 4, ""),
    "handler": ("try:\n    1 / 0\nexcept ZeroDivisionError:\n    x = 1\n", 4, ""),
    "block": ("import contextlib\nwith contextlib.suppress():\n    pass\n", 2, ""),
    "match": ("match 1:\n    case 1:\n        x = 1\n", 3, ""),
    "assert": ("assert 1\n", 1, ""),
    "lambda": ("f = lambda x: x + 1\nf(1)\n", 1, "<lambda>"),
    "generator": ("f = (x + 1 for x in [1])\nlist(f)\n", 1, "<genexpr>"),
    "several lines": ("x = sum(\n    [1,\n     2],\n)\n", 3, ""),
    "decorator": ("@str\n@repr\ndef f(): ...\n", 1, ""),
    "own check": ("x = 1\nif x > 2:\n    raise ValueError\n", 3, ""),
}
LEFT_OUT = {
    "loop without rounds": ("for x in range(0):\n    y = x\n", 2, ""),
    "loop over nothing": ("for x in []:\n    pass\n", 1, ""),
    "function not called": ("def f(x):\n    return x + 1\n", 2, ""),
    "other branch": ("if False:\n    x = 1\n", 2, ""),
    "swallowed": ("try:\n    x = int('a')\nexcept ValueError:\n    pass\n", 2, ""),
    "lambda not called": ("f = lambda x: x + 1\n", 1, "<lambda>"),
    "generator without rounds": ("f = (x + 1 for x in [])\nlist(f)\n", 1, "<genexpr>"),
    "loop in the function that is called": (
        "def f(n):\n    for i in range(n):\n        x = i\nf(0)\n", 3, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "code"), RUNS.values(), ids=list(RUNS))
def test_a_statement_that_runs_to_its_end_counts(tmp_path: Path, text: str, line: int, code: str) -> None:
    result = trial(tmp_path, text, Running("script.py", line, code, inner=True))
    assert (result.status, result.passed) == ("passed", True), result


@pytest.mark.parametrize(("text", "line", "code"), LEFT_OUT.values(), ids=list(LEFT_OUT))
def test_one_that_is_left_out_does_not(tmp_path: Path, text: str, line: int, code: str) -> None:
    result = trial(tmp_path, text, Running("script.py", line, code, inner=True))
    assert (result.status, result.passed) == ("passed", False), result


def test_a_failure_that_is_swallowed_further_out_does_not_count(tmp_path: Path) -> None:
    text = """
    def step():
        x = 1
        raise ValueError
    try:
        step()
    except ValueError:
        pass
    """
    inner, outer = Running("script.py", 2, inner=True), Running("script.py", 5)
    assert trial(tmp_path, text, inner).passed
    assert not trial(tmp_path, text, outer, inner).passed


def test_several_places_of_a_file_are_marked(tmp_path: Path) -> None:
    text = """
    def f(n):
        for x in range(n):
            f(n - 1)
    for n in range(3):
        f(n)
    """
    places = [Running("script.py", line) for line in (4, 5, 2, 3, 3)]
    assert trial(tmp_path, text, *places, Running("script.py", 3, inner=True)).passed


def test_places_in_other_files_count(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def f(x):\n    return x + 1\ndef g(x):\n    return x + 2\n")
    found = [
        trial(tmp_path, "import helper\nhelper.f(1)\n", Running("helper.py", line, inner=True)).passed
        for line in (2, 4)
    ]
    assert found == [True, False]


def test_arrays_without_elements_do_not_count(tmp_path: Path) -> None:
    text = "import numpy as np\nbuffer = np.zeros((0, 3))\nx = np.zeros((SIZE, 7))\ny = x + 1\n"
    known = Running("script.py", 4, empty=("buffer",), inner=True)
    assert trial(tmp_path, text.replace("SIZE", "2"), known).passed
    assert not trial(tmp_path, text.replace("SIZE", "0"), known).passed
    assert not trial(tmp_path, text.replace("SIZE", "2"), Running("script.py", 4, inner=True)).passed


def test_annotations_are_as_the_script_says(tmp_path: Path) -> None:
    text = "def f(x: int) -> None: ...\nassert f.__annotations__['x'] is int\n"
    assert trial(tmp_path, text).status == "passed"


def test_a_line_behind_a_change_moves_with_it() -> None:
    before, after = "a\nb\nc\nd\n", "a\nd\n"
    assert [moved(before, after, line) for line in (1, 4)] == [1, 2]
    assert moved(before, "a\nb\nnew\nc\nd\n", 3) == 4
    assert moved(before, "a\nB\nc\nd\n", 3) == 3


def test_a_repair_that_skips_what_failed_is_none(tmp_path: Path) -> None:
    """No change of the number of rounds, of a condition or of a length to zero is printed as a fix."""
    import subprocess

    (tmp_path / "program.py").write_text(
        dedent(
            """
            import numpy as np

            CHECK = True
            rounds = 1
            x = np.zeros((1, 5))

            def step(x):
                for _ in range(rounds):
                    if CHECK:
                        np.linalg.inv(x)

            step(x)
            """
        )
    )
    run = subprocess.run(
        [sys.executable, "-m", "shapeinspect", "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = run.stderr.partition("shapeinspect:")[2]
    assert "rounds = 0" not in told
    assert "CHECK = False" not in told
    assert "np.zeros((0" not in told
