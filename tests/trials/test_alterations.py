"""What a change alters of a program's meaning, as far as its place and its text tell it."""

from __future__ import annotations

import ast

import pytest

from shapeinspect.trials.alterations import altered
from shapeinspect.trials.source_file import Edit, File


@pytest.mark.parametrize(
    ("source", "old", "new", "said"),
    [
        ("y = x[:, first : first + 35]", "35", "43", "how much is read"),
        ("y = x[:, 1:]", "1", "2", ""),  # one further: a mistake of its own kind
        ("y = f(x)", "x", "x[0]", "which entries are read"),
        ("y = f(x)", "x", "x[:, None]", ""),
        ("loss = nn.BCELoss()", "nn.BCELoss", "nn.MSELoss", "the loss: MSELoss instead of BCELoss"),
        ("y = f(x.mean(1))", "x.mean(1)", "x", "what is computed: without mean"),
        ("y = f(x.flip(1))", "x.flip(1)", "x", ""),
        ("y = f(35)", "35", "43", ""),
    ],
)
def test_what_a_change_alters(source: str, old: str, new: str, said: str) -> None:
    file = File.parsed("a.py", source)
    first = source.rindex(old)
    edit = Edit("a.py", first, first + len(old), new)
    around = [
        node
        for node in ast.walk(file.tree)
        if isinstance(node, ast.expr)
        and file.span(node)[0] <= first <= first + len(old) <= file.span(node)[1]
    ]
    node = min(around, key=lambda one: file.span(one)[1] - file.span(one)[0])
    assert altered(file, (edit,), node) == said
