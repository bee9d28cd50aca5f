"""Edits of Keras scripts that a message asks for: each is suggested, and the script runs with it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable

import pytest

from shapeinspect_keras.debug.script.candidate import Candidate, Scene
from shapeinspect_keras.debug.script.clues import clues_of
from shapeinspect_keras.debug.script.operators import exact
from shapeinspect_keras.debug.script.program import Program
from shapeinspect_keras.debug.script.reach import Reach
from shapeinspect_keras.debug.script.running import run as run_again

HEAD = "import keras\nimport numpy as np\nfrom keras import layers\n"
MODEL = """
x = keras.Input((6,))
model = keras.Model(x, layers.Dense(4)(x))
"""
#: A script, its failing line, and what is written in the place of what; each is known to be right.
SCRIPTS: dict[str, tuple[str, str, str]] = {
    "an axis": (
        "scores = np.zeros((5, 4))\nbest = keras.ops.sum(scores, axis=2)",
        "2",
        "-1",
    ),
    "a count": (
        "a, b = keras.Input((6,)), keras.Input((3,))\n"
        "both = keras.Model([a, b], layers.Dense(4)(layers.concatenate([a, b])))\n"
        "both.predict([np.zeros((5, 6)), np.zeros((7, 3))], verbose=0)",
        "5",
        "7",
    ),
    "a layer that joins": (
        "a, b = keras.Input((6,)), keras.Input((3,))\nboth = [a, b]\nout = layers.Dense(4)(both)",
        "[a, b]",
        "layers.Concatenate()([a, b])",
    ),
    "a loss": (
        MODEL + 'model.compile("sgd", "categorical_crossentropy")\n'
        "model.fit(np.zeros((5, 6)), np.array([0, 1, 2, 3, 0]), verbose=0)",
        '"categorical_crossentropy"',
        '"sparse_categorical_crossentropy"',
    ),
}


def candidates(text: str) -> tuple[Program, list[Candidate]]:
    program = Program("script.py", text)
    line = len(text.rstrip().splitlines())
    outcome = run_again(program, line, 60.0, eager=True)
    assert outcome.error is not None
    message = str(outcome.error)
    scene = Scene(program, outcome.seen, clues_of([message]), Reach(program, (line,)), message)
    found = (one for operator in exact.OPERATORS for one in operator(scene))
    return program, sorted(found, key=lambda one: one.prior)


def edits(text: str) -> list[tuple[str, str]]:
    program, found = candidates(text)
    return [(program.source(one.replacements[0].node), one.replacements[0].text) for one in found]


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_message_asks_for_is_suggested_first_and_runs(name: str, run: Callable[[str], None]) -> None:
    text, old, new = SCRIPTS[name]
    found = edits(HEAD + text)
    assert found[0] == (old, new), found
    head, _, tail = (HEAD + text).rpartition(old)
    assert ast.parse(head + new + tail)
    run(head + new + tail)


def test_a_number_that_is_no_axis_is_called_none() -> None:
    text = "AXIS = 2\nx = keras.Input((6,))\nmodel = keras.Model(x, layers.Dense(2)(x))\n"
    _, found = candidates(f"{HEAD}{text}best = keras.ops.sum(model(np.zeros((5, 6))), AXIS)")
    assert [one.why for one in found if one.fact or "axis 2" in one.why] == []


#: Runs a script again, and then a function that is traced, as under a debugger or where coverage is measured.
TRACED = """
import sys
from shapeinspect_keras.debug.script.program import Program
from shapeinspect_keras.debug.script.running import run

outcome = run(Program("script.py", "x = 5\\nraise ValueError(x)\\n"), 2, 60.0, eager=True)
sys.settrace(lambda *event: None)
(lambda: None)()
sys.settrace(None)
print(type(outcome.error).__name__)
"""


def test_a_second_run_leaves_nothing_that_a_traced_function_would_wait_for() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRACED], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.split() == ["ValueError"], done.stderr
