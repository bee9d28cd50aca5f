"""A program is run again with edits of its source: on copies, only what the edits reach, in bounded time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from shapeinspect.plugin_api.program.edits import resized
from shapeinspect.plugin_api.program.replay import Program, Replay, program_of

Run = Callable[[str], None]


def failed(run: Run, text: str) -> Program:
    with pytest.raises(ValueError, match="takes") as caught:
        run(text)
    program = program_of(caught.value, ())
    assert program is not None
    # the fixture's own frame is not the program's
    assert program.frames[0][0].f_code.co_name == "<module>"
    return program


def kept(value: Any) -> Any:
    return value if type(value).__name__ == "Session" else None


MODEL = """
class Session:
    made = 0
    def __init__(self):
        Session.made += 1
    def run(self, row):
        if len(row) != 7:
            raise ValueError(f"it takes 7, and got {len(row)}")
        return sum(row)
"""


def mended(program: Program, sizes: list[tuple[int, int]]) -> list[str]:
    replay = Replay(program, kept)
    level = replay.level()
    assert level is not None
    return [edit.text for edit in resized(program, sizes) if replay.run(edit.tree, level).error is None]


@pytest.mark.parametrize(
    ("source", "fix"),
    [
        ("LENGTH = 5\ndef rows():\n    return [1] * LENGTH\nx = rows()", "LENGTH = 7 instead of LENGTH = 5"),
        ("class A:\n    length = 5\na = A()\nx = [1] * a.length", "length = 7 instead of length = 5"),
        ("def rows():\n    return [1] * 5\nx = rows()", "return [1] * 7 instead of return [1] * 5"),
        (
            "def rows(length=5):\n    return [1] * length\nx = rows()",
            "x = rows(length=7) instead of x = rows()",
        ),
    ],
)
def test_the_number_is_changed_where_it_stands(run: Run, source: str, fix: str) -> None:
    program = failed(run, f"{MODEL}\nsession = Session()\n{source}\ny = session.run(x)\n")
    assert mended(program, [(5, 7)]) == [fix]


def test_an_edit_with_which_what_follows_fails_is_none(run: Run) -> None:
    text = f"{MODEL}\nsession = Session()\nx = [1] * 5\ny = session.run(x)\nassert y == 5\n"
    assert mended(failed(run, text), [(5, 7)]) == []


def test_inside_functions_what_made_the_number_is_found(run: Run) -> None:
    body = "def main():\n    width = 5\n    session = Session()\n    return use(session, [1] * width)"
    text = f"{MODEL}\ndef use(session, x):\n    return session.run(x)\n{body}\nif True:\n    main()\n"
    assert mended(failed(run, text), [(5, 7)]) == ["width = 7 instead of width = 5"]


def test_nothing_of_the_program_changes(run: Run) -> None:
    text = f"{MODEL}\nimport random\nsession = Session()\nseen = []\nN = 5\nfor step in range(3):\n"
    text += "    seen.append(random.random())\n    session.run([1] * N)\n"
    program = failed(run, text)
    names, state = program.frames[0][0].f_globals, random.getstate()
    session, before = names["session"], list(names["seen"])
    assert mended(program, [(5, 7)]) == ["N = 7 instead of N = 5"]
    assert names["seen"] == before
    assert names["N"] == 5
    assert names["session"] is session
    assert session.made == 1
    assert random.getstate() == state


def test_a_file_is_not_written_a_second_time(run: Run, tmp_path: Any) -> None:
    out = tmp_path / "out.txt"
    text = f"{MODEL}\nsession = Session()\nN = 5\nx = [1] * N\ny = session.run(x)\nopen({str(out)!r}, 'w')\n"
    assert mended(failed(run, text), [(5, 7)]) == []
    assert not out.exists()


def test_a_run_that_takes_too_long_is_ended(run: Run) -> None:
    text = f"{MODEL}\nsession = Session()\nN = 5\nx = [1] * N\ny = session.run(x)\nwhile True:\n    pass\n"
    program = failed(run, text)
    replay = Replay(program, kept, seconds=0.3)
    (edit,) = resized(program, [(5, 7)])
    ended = replay.run(edit.tree, 0)
    assert type(ended.error).__name__ == "LateError"
