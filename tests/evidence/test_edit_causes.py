"""What an edit with which a script runs says of the mistake: facts, with the values of its run."""

from __future__ import annotations

import textwrap

import pytest

from shapeinspect.plugin_api.evidence.edit_causes import causes
from shapeinspect.plugin_api.programs.copies import available
from shapeinspect_numpy.edit_words import WORDS

from .traced import FILE, traced

pytestmark = pytest.mark.skipif(
    not available(), reason="the system has no Landlock, so no script is run again"
)

_SCRIPT = textwrap.dedent(
    """
    import numpy as np

    class Layer:
        def __init__(self, width, depth=1, vocab=30):
            self.table = np.zeros((vocab, width))
            self.state = np.zeros((depth, width))

    class Net:
        def __init__(self, depth):
            self.depth = depth
            self.layer = Layer(9)
            self.start = np.zeros((self.depth, 9))

    words = np.zeros((42, 5))
    net = Net(depth=2)
    parts = [np.ones((10, 4)), np.ones((10, 4)), np.ones((10, 4))]
    joined = np.concatenate(parts, 0)
    rows = np.concatenate((parts[0], parts[1]), axis=0)
    maps = np.zeros((6, 8, 3, 5))
    flat = np.zeros((6, 64))
    scores = np.zeros((6, 1))
    targets = np.zeros(11)
    frames, videos = 15, 3
    columns, all_columns = ["a"], ["a", "b", "c"]
    counted = len(columns)
    many = np.repeat(scores, frames, 0)
    blocks = [np.pad(targets, 2), np.pad(targets, 2), np.pad(targets, 1)]
    trained, tested = Layer(7, depth=3), Layer(7)

    def pictures(split="small"):
        many = {"small": 5, "full": 10}[split]
        return np.zeros((many, 3))

    shown = pictures()
    kind = "short"
    length = 4 if kind == "short" else 6
    steps = length * 2
    partition = 1
    borders = 9 if partition == 1 else 7
    bins = borders + 1
    saved, loaded = {"layout": "first"}, {"layout": "last"}
    """
)
#: What is edited, and what is said of it; nothing where the values say nothing.
_EDITS = {
    "an argument that is missing": (
        "Layer(9)",
        "Layer(9, depth=self.depth)",
        "depth is not passed to Layer(…), line 12: it is 1 by default, and self.depth is 2",
    ),
    "a number that something has under a name": (
        "vocab=30",
        "vocab=42",
        "vocab, line 5, by default is 30; words is (42, 5), line 15",
    ),
    "a number that an array has as elements": (
        "np.zeros((6, 64))",
        "np.zeros((6, 120))",
        "the number in (6, 64), line 21, is 64; 8·3·5 = 120 are the elements of maps, (6, 8, 3, 5), line 20",
    ),
    "a number that nothing else has": ("np.zeros((6, 64))", "np.zeros((6, 77))", None),
    "a number in which brothers differ": (
        "np.pad(targets, 1)",
        "np.pad(targets, 2)",
        "the number in np.pad(…), line 28, is 1; the 2 others are given 2",
    ),
    "an argument that another call is given": (
        "Layer(7)",
        "Layer(7, depth=3)",
        "depth is not passed to Layer(…), line 29: it is 1 by default; line 29 passes 3",
    ),
    "two arguments in each other's place": (
        "frames, videos = 15, 3",
        "frames, videos = 3, 15",
        "the script runs with 15 and 3 exchanged, line 24",
    ),
    "another list": (
        "len(columns)",
        "len(all_columns)",
        "columns in len(…), line 26, is 1 long; all_columns is 3 long",
    ),
    "another axis": (
        "np.concatenate((parts[0], parts[1]), axis=0)",
        "np.concatenate((parts[0], parts[1]), axis=1)",
        "concatenate at line 19 works along axis 0 and makes (20, 4) of (10, 4) and (10, 4); "
        "with 1, concatenate makes (10, 8)",
    ),
    "an axis too many": (
        "np.repeat(scores, frames, 0)",
        "np.repeat(scores.squeeze(1), frames, 0)",
        "scores is (6, 1), line 27: the script runs with one axis less",
    ),
    "an entry too many": (
        "np.repeat(scores, frames, 0)",
        "np.repeat(scores[:-1], frames, 0)",
        "scores is (6, 1), line 27: the last of the 6 does not belong to it",
    ),
    "a word of a choice that is a default": (
        "shown = pictures()",
        'shown = pictures(split="full")',
        'split is not passed to pictures(…), line 35: it is "small" by default; '
        'with "full", many is 10 instead of 5, line 33',
    ),
    "a word of a choice": (
        'kind = "short"',
        'kind = "long"',
        'kind, line 36, is "short"; with "long", length is 6 instead of 4, line 38',
    ),
    "a number of a choice": (
        "partition = 1\n",
        "partition = 2\n",
        "partition, line 39, is 1; with 2, borders is 7 instead of 9, line 41",
    ),
    "a word of which nothing follows": (
        '"last"',
        '"first"',
        '"layout", line 42, is "last"; "first" in line 42',
    ),
    "another expression": (
        "np.repeat(scores, frames, 0)",
        "np.repeat(scores, videos, 0)",
        "frames in np.repeat(…), line 27, is 15; videos is 3",
    ),
}


@pytest.fixture(scope="module")
def trace() -> object:
    """The run of the script."""
    return traced(_SCRIPT)


@pytest.mark.parametrize(("old", "new", "said"), _EDITS.values(), ids=_EDITS)
def test_an_edit_tells_what_was_wrong(trace: object, old: str, new: str, said: str | None) -> None:
    assert _SCRIPT.count(old) == 1
    edited = _SCRIPT.replace(old, new)
    found = causes(trace, {FILE: edited}, WORDS, traced(edited))  # type: ignore[arg-type]  # a Trace
    assert found == (() if said is None else (said,))


def test_nothing_is_said_of_an_edited_script_that_was_not_run(trace: object) -> None:
    old, new, said = _EDITS["another axis"]
    found = causes(trace, {FILE: _SCRIPT.replace(old, new)}, WORDS)  # type: ignore[arg-type]  # a Trace
    assert said is not None
    assert found == (said.partition("; with ")[0],)


_FAILS = textwrap.dedent(
    """
    import numpy as np

    def rows(side):
        return np.ones((side * side, 3))

    length = 4
    table = rows(5)
    for part in (np.ones(7), np.ones(9)):
        part + 1
    words = np.ones((length * 4, 3))
    words + table
    """
)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "rows(5)",
            "rows(4)",
            "side in rows(…), line 8, is 5; with 4, table is (16, 3) instead of (25, 3), line 12",
        ),
        (
            "np.ones((length * 4, 3))",
            "np.ones((length * 4 + 9, 3))",
            "length * 4 is written at line 11; "
            "with length * 4 + 9, words is (25, 3) instead of (16, 3), line 12",
        ),
    ],
)
def test_what_the_failed_statement_gets_instead_is_told(old: str, new: str, said: str) -> None:
    edited = _FAILS.replace(old, new)
    assert causes(traced(_FAILS), {FILE: edited}, WORDS, traced(edited)) == (said,)


def test_a_number_of_which_no_effect_is_known_is_told_with_the_one_that_runs() -> None:
    edited = _FAILS.replace("length = 4", "length = 25 // 4")
    assert causes(traced(_FAILS), {FILE: edited}, WORDS) == (
        "length, line 7, is 4; the script runs with 25 // 4",
    )


def test_no_script_is_said_to_run_that_was_stopped() -> None:
    edited = _FAILS.replace("length = 4", "length = 25 // 4")
    assert causes(traced(_FAILS), {FILE: edited}, WORDS, ended=False) == (
        "length, line 7, is 4; the failing statement runs with 25 // 4",
    )
