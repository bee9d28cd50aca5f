"""Entries of tables: which other place or key has the size that is wanted."""

from __future__ import annotations

from textwrap import dedent

import pytest

from shapeinspect.trials.rows import other_rows
from shapeinspect.trials.source_file import File, applied

TABLES = {
    "the default of an option": (
        """
        parser.add_argument("-s", "--net-size", default=0)
        run([16, 22, 28][args.net_size])
        """,
        'parser.add_argument("-s", "--net-size", default=2)',
        "args.net_size = 0 takes 16 of [16, 22, 28], line 2; 28 stands at 2",
    ),
    "an argument by its place": (
        """
        class Net:
            def __init__(self, classes, size):
                self.width = [(16, 2), (28, 3)][size]
        run(Net(5, 0))
        """,
        "run(Net(5, 1))",
        "size = 0 takes 16 of [(16, 2), (28, 3)], line 3; 28 stands at 1",
    ),
    "an argument that is handed on by another name": (
        """
        def wide(depth):
            return [16, 28][depth]
        def net(own_depth, other):
            return wide(own_depth), [16, 28, 3][other]
        run(net(0, 2))
        """,
        "run(net(1, 2))",
        "depth = 0 takes 16 of [16, 28], line 2; 28 stands at 1",
    ),
    "the default of a parameter that a call leaves": (
        """
        def net(kind="s"):
            return {"s": 16, "l": 28}[kind]
        run(net())
        """,
        'run(net(kind="l"))',
        "kind = 's' takes 16 of {'s': 16, 'l': 28}, line 2; 28 stands at 'l'",
    ),
    "the key of a table of tables": (
        """
        TABLE = {"tiny": dict(width=16, depth=2), "large": dict(width=28, depth=12), "base": dict(width=20)}
        def net(kind):
            run(TABLE[kind]["width"])
        net(kind="tiny")
        """,
        'net(kind="large")',
        "kind = 'tiny' takes 16 of TABLE, line 3; 28 stands at 'large'",
    ),
}


@pytest.mark.parametrize(("source", "line", "why"), TABLES.values(), ids=list(TABLES))
def test_the_place_at_which_the_wanted_size_stands_is_told(source: str, line: str, why: str) -> None:
    source = dedent(source).lstrip()
    found = [*other_rows([File.parsed("a.py", source)], [(16, 28)])]
    lines = {one for item in found for one in applied(source, item.edits).splitlines()}
    assert {one.why for one in found} == {why}
    assert lines - {*source.splitlines()} == {line}


@pytest.mark.parametrize(
    "source",
    [
        "def net(size):\n    run([16, 22, 28][size])\nnet(size=1)\n",  # 22 is taken
        "def net(size):\n    run([16, 22, 28][size])\ndef other(size): ...\nother(size=0)\n",
        "def net(size):\n    run([16, 22][size])\nnet(size=0)\n",  # there is no 28
    ],
)
def test_a_place_that_does_not_lead_to_the_size_is_not_told(source: str) -> None:
    assert not [*other_rows([File.parsed("a.py", source)], [(16, 28)])]
