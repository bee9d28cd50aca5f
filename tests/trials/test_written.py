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


LONG = """
config = {
    "data": make("a/path/to/the/data/that/is/rather/long"), "weights": "weights_of_the_model_epoch-01.h5",
    # of captions
    "max_length": 40,
    "beams": 3,
}

class Network:
    def __init__(self, size=224, patch=16, channels=3, classes=1000, width=48, depth=2, heads=4,
                 decoder_width=32, decoder_depth=5, decoder_heads=7, norm=None):
        pass

model = build(alphabet, betas, gammas, deltas, epsilon, zetas, first_of_the_names, second_of_the_names, w=12)
twice = [dict(k=60, other="a text that is as long as the first"), dict(k=60, other="a text as long as it")]
"""


@pytest.mark.parametrize(
    ("number", "new", "written", "line"),
    [
        (40, "33", ('"max_length": 33', '"max_length": 40'), 5),  # one entry of a dictionary
        (32, "16", ("decoder_width=16", "decoder_width=32"), 11),  # the default of an argument
        (12, "9", ("w=9", "w=12"), 14),  # an argument of a long call
    ],
)
def test_of_long_code_only_the_name_and_its_value_are_shown(
    number: int, new: str, written: tuple[str, str], line: int
) -> None:
    file = File.parsed("a.py", LONG)
    (node,) = file.numbers[number]
    first, last = file.span(node)
    (found,) = shown(file, Candidate((Edit("a.py", first, last, new),), 1.0, node, "a.py"))
    assert (found.new, found.old, found.line) == (*written, line)
    assert LONG.count(found.old) == 1


def test_a_name_and_value_that_stand_twice_tell_no_place() -> None:
    file = File.parsed("a.py", LONG)
    node = file.numbers[60][1]
    first, last = file.span(node)
    (found,) = shown(file, Candidate((Edit("a.py", first, last, "61"),), 1.0, node, "a.py"))
    assert found.old == 'dict(k=60, other="a text as long as it")'
