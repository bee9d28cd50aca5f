"""Statements that are written otherwise than those beside them which do the same for the next of a row."""

from __future__ import annotations

import ast

import pytest

from shapeinspect.plugin_api.evidence.brothers import brothers, settings_of_brothers
from shapeinspect.plugin_api.programs.copies import available

from .traced import traced

pytestmark = pytest.mark.skipif(
    not available(), reason="the system has no Landlock, so no script is run again"
)

_SCRIPT = """
def pool(x): return x // 2
def down(x): return x - 3

def forward(x1):
    x2 = down(x1)
    x3 = down(pool(x2))
    x4 = down(pool(x3))
    return x2, x3, x4

def pair(image1, image2):
    return pool(image1), image2

def sides(real, fake):
    loss_real = pool(down(real))
    loss_fake = pool(fake)
    width = down(real)
    return loss_real, loss_fake, width

forward(96), pair(50, 70), sides(40, 60)
"""


def _suggested() -> list[tuple[str, str]]:
    """Return what is written for what, with a distance for all expressions."""
    trace = traced(_SCRIPT)
    along = dict.fromkeys((one for one in ast.walk(trace.tree("net.py")) if isinstance(one, ast.expr)), 0)
    raw = _SCRIPT.encode()
    return [
        (raw[first:last].decode(), new) for one in brothers(trace, along) for first, last, new in one.edits
    ]


def test_what_the_next_of_a_row_has_around_it_is_suggested() -> None:
    assert ("down(x1)", "down(pool(x1))") in _suggested()


def test_so_is_what_another_entry_of_a_tuple_has_around_it() -> None:
    assert ("image2", "pool(image2)") in _suggested()


def test_names_that_differ_in_a_word_are_a_row_as_well() -> None:
    assert ("pool(fake)", "pool(down(fake))") in _suggested()


def test_names_without_a_word_in_common_are_none() -> None:
    assert all(old != "down(real)" for old, _ in _suggested())


def test_both_statements_are_told_with_their_lines() -> None:
    trace = traced(_SCRIPT)
    along = dict.fromkeys((one for one in ast.walk(trace.tree("net.py")) if isinstance(one, ast.expr)), 0)
    said = {one.why for one in brothers(trace, along)}
    assert "x2 is down(x1), line 6; x3 is down(pool(x2)), line 7" in said


_CALLS = """
def layer(takes, gives, pad=0, last=False): return takes + pad
def unpack(rows, last=False): return rows
def build():
    return layer(3, 8, pad=1), layer(8, 5), unpack(7)
def other():
    return layer(9, 2, last=True), layer(9, 4)
build(), other()
"""


def test_what_others_of_a_function_are_given_by_name_is_suggested_within_it() -> None:
    said = {one.why for one in settings_of_brothers(traced(_CALLS), {}, {})}
    assert said == {
        "pad is not passed to layer(…), line 5; layer(…), line 5, is given 1",
        "last is not passed to layer(…), line 7; layer(…), line 7, is given True",
    }


def test_a_flag_that_several_functions_have_is_suggested_for_all_of_them() -> None:
    flags = dict.fromkeys(("layer", "unpack"), ("last=True",))
    said = {one.why for one in settings_of_brothers(traced(_CALLS), {}, flags)}
    assert "last is not passed to unpack(…), line 5; layer(…), line 7, is given True" in said
