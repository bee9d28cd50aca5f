"""Which changes fit by chance, and are therefore behind others or run with a longer batch."""

from __future__ import annotations

from textwrap import dedent

from shapeinspect.plugin_api.edit_words import EditWords
from shapeinspect.trials.candidates import Candidate, candidates
from shapeinspect.trials.coincidences import behind, is_bare, longer
from shapeinspect.trials.sizes import Sizes
from shapeinspect.trials.source_file import Edit, File

BATCHED = """
batch_size = 5
classes = 7
data = randn((batch_size, 12))
model(data, classes)
"""
TWICE = """
data, labels = randn((5, 12)), randint((5,))
model(data, 7)
"""
ONCE = """
weight = randn((5, 12))
model(weight, 7)
"""


def changed(source: str, old: str, new: str) -> tuple[File, Candidate]:
    """Return a file, and the change of the last part of it that reads so."""
    text = dedent(source).lstrip()
    file = File.parsed("a.py", text)
    first = text.rindex(old)
    number = (int(old), int(new)) if old.isdigit() and new.isdigit() else None
    edits = (Edit("a.py", first, first + len(old), new),)
    return file, Candidate(edits, 0.0, file.tree.body[0], "a.py", number=number)


def test_a_number_that_becomes_the_length_of_a_batch_is_run_with_a_longer_one() -> None:
    file, change = changed(BATCHED, "7", "5")
    found = longer([file], change)
    assert found is not None
    assert found[0] == 5
    assert found[1]["a.py"].startswith("batch_size = 6\nclasses = 5\n")


def test_two_arrays_of_one_first_length_are_a_batch_and_one_is_not() -> None:
    file, change = changed(TWICE, "7", "5")
    found = longer([file], change)
    assert found is not None
    assert found[1]["a.py"] == "data, labels = randn((6, 12)), randint((6,))\nmodel(data, 5)\n"
    file, change = changed(ONCE, "7", "5")
    assert longer([file], change) is None


def test_another_length_and_the_batch_itself_are_not_run_again() -> None:
    file, change = changed(BATCHED, "7", "12")
    assert longer([file], change) is None
    file, change = changed(BATCHED, "5", "7")
    assert longer([file], change) is None


def test_a_chance_stands_behind_another_axis_of_the_failing_statement() -> None:
    words = EditWords({}, {}, frozenset({"joined"}), {}, {})
    text = "batch_size = 5\nclasses = 7\nrun(randn((batch_size, classes)).joined(1))\n"
    file = File.parsed("a.py", text)
    found = candidates([file], [("a.py", 3)], Sizes(((7, 5),)), words, {}, frozenset())
    rank = {one.edits[0].new: one.rank + behind([file], one) for one in reversed(found) if one.number}
    assert rank["5"] > rank["0"]


def test_a_number_in_the_place_of_names_is_bare() -> None:
    source = "width = 64\nlayer = Linear(width * 6, 10)\n"
    file, change = changed(source, "width * 6", "576")
    assert is_bare(file, change)
    assert behind([file], change) > 0
    file, change = changed(source, "6", "9")
    assert not is_bare(file, change)
    assert behind([file], change) == 0
