"""Names that are never read although they are one of two sizes that differ."""

from __future__ import annotations

import pytest

from shapeinspect.plugin_api.evidence.unused import unused
from shapeinspect.plugin_api.programs.copies import available
from shapeinspect.plugin_api.programs.span import source_of

from .traced import FILE, traced

pytestmark = pytest.mark.skipif(
    not available(), reason="the system has no Landlock, so no script is run again"
)

_SCRIPT = """
sizes = {"width": 32, "features": 96}

class Layer:
    def __init__(self, takes, gives):
        self.size = takes * gives

def build(width, depth=3):
    given, out = sizes["features"], sizes["width"]
    return Layer(width, out)

build(32, depth=12)
"""


def test_a_name_that_is_never_read_is_told_with_what_stands_in_its_place() -> None:
    (one,) = unused(traced(_SCRIPT), [(32, 96)])
    assert one.sentence == "given, line 9, is 96 and is never used"
    assert [source_of(_SCRIPT, span) for span in one.wrong] == ["width", "out"]
    assert {span.file for span in one.wrong} == {FILE}


def test_a_parameter_that_is_never_read_is_told() -> None:
    told = [one.sentence for one in unused(traced(_SCRIPT), [(12, 5)])]
    assert told == ["depth, line 8, is 12 and is never used"]


def test_a_name_of_another_size_is_not_told() -> None:
    assert unused(traced(_SCRIPT), [(32, 64)]) == ()
