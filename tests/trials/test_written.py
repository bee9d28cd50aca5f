"""A change is shown as code that can be pasted: a line, and never a block joined into one."""

from __future__ import annotations

import ast

import pytest

from shapeinspect.trials.candidates import Candidate
from shapeinspect.trials.source_file import Edit, File
from shapeinspect.trials.written import shown

SOURCE = """
def labels(self, one, target):
    if self.ignore is not None:
        target = target.clone()
        one.scatter_(1, target.unsqueeze(1), 1)
        return one
    for step in range(3):
        one.scatter_(1, target.unsqueeze(1), 1)
    return one
"""


@pytest.mark.parametrize(("which", "line"), [(0, 5), (1, 8)])
def test_of_lines_that_are_alike_the_place_tells_which(which: int, line: int) -> None:
    file = File.parsed("a.py", SOURCE)
    code = "target.unsqueeze(1)"
    found = [one for one in ast.walk(file.tree) if isinstance(one, ast.Call) and file.source(one) == code]
    node = sorted(found, key=lambda one: one.lineno)[which]
    last = file.span(node)[1]
    (written,) = shown(file, Candidate((Edit("a.py", last, last, ".long()"),), 1.0, node, "a.py"))
    assert written.new == "one.scatter_(1, target.unsqueeze(1).long(), 1)"
    assert written.old == "one.scatter_(1, target.unsqueeze(1), 1)"
    assert written.line == line
