"""Products and reshapes whose written lengths are none of the array's, and joins of one array."""

from __future__ import annotations

import ast

import pytest

from shapeinspect.plugin_api.evidence.joins import lone_joins
from shapeinspect.plugin_api.evidence.mixed_samples import kept_samples, mixed_samples
from shapeinspect.plugin_api.evidence.products import products
from shapeinspect.plugin_api.programs.copies import available
from shapeinspect.plugin_api.programs.trace import Trace

from .traced import traced

pytestmark = pytest.mark.skipif(
    not available(), reason="the system has no Landlock, so no script is run again"
)

_PRODUCT = """
import numpy as np
channels = 12
fields = np.zeros((5, 12, 6, 8))
weights = np.zeros((12 * 6 * 4, 50))
short = np.zeros((6 * 8, 50))
named = np.zeros((channels * 6 * 4, 50))
other = np.zeros((36 * 4 * 2, 50))
fields.reshape(5, -1) @ weights
"""
_RESHAPE = """
import numpy as np
flat = np.zeros((6, 480))
mixed = flat.reshape(-1, 10, 4, 6)
scores = np.zeros((6, 25, 4)).reshape(-1, 4)
folded = np.zeros((4, 7, 2)).reshape(-1, 1, 2)
heads = np.zeros((6, 8, 30)).reshape(-1, 240)
mixed @ flat
"""


def _new(trace: Trace, pairs: list[tuple[int, int]]) -> list[str]:
    along = dict.fromkeys((one for one in ast.walk(trace.tree("net.py")) if isinstance(one, ast.expr)), 0)
    return [one.edits[0][2] for one in products(trace, along, pairs)]


def test_one_factor_of_a_product_is_the_length_of_the_array() -> None:
    assert _new(traced(_PRODUCT), [(288, 576)]) == ["12 * 6 * 8", "channels * 6 * 8"]


def test_a_factor_that_lacks_is_added_where_the_array_has_it() -> None:
    assert _new(traced(_PRODUCT), [(48, 576)]) == ["12 * 6 * 8"]


def test_the_product_and_the_array_are_told_with_their_lines() -> None:
    trace = traced(_PRODUCT)
    along = dict.fromkeys((one for one in ast.walk(trace.tree("net.py")) if isinstance(one, ast.expr)), 0)
    said = [one.why for one in products(trace, along, [(288, 576)])]
    assert said[0].startswith("12 * 6 * 4 = 288, line 5; ")
    assert said[0].endswith("(5, 12, 6, 8), line 4: 12·6·8 = 576")


def test_a_reshape_that_makes_other_samples_is_told_and_no_merge_of_axes() -> None:
    (one,) = mixed_samples(traced(_RESHAPE))
    assert one.sentence == "reshape at line 4 makes 12 rows of 6: (6, 480) to (12, 10, 4, 6)"


def test_each_of_its_lengths_is_solved_for_the_samples_that_there_are() -> None:
    found = sorted((one.rank, one.edits[0][2]) for one in kept_samples(traced(_RESHAPE), [(20, 10)]))
    assert [new for _, new in found] == ["20", "12", "8"]
    assert found[0][0] < 0 < found[1][0]


def test_a_join_of_one_written_array_is_told_and_none_of_a_list_of_them() -> None:
    rows = "import numpy as np" + chr(10) + "a, many = np.zeros((4, 7)), [np.ones((4, 9))]"
    joins = ("np.concatenate((a,), axis=1)", "np.concatenate(many)", "np.concatenate([*many])")
    said = [*lone_joins(traced(chr(10).join((rows, *joins))))]
    assert said == ["concatenate at line 3 is given one array, a of (4, 7)"]
