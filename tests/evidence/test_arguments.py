"""Which parameter of the script's own functions each argument of a call is for."""

from __future__ import annotations

import ast

import pytest

from shapeinspect.plugin_api.programs.arguments import arguments, calls_of
from shapeinspect.plugin_api.programs.copies import available

from .traced import traced

pytestmark = pytest.mark.skipif(
    not available(), reason="the system has no Landlock, so no script is run again"
)

SCRIPT = """
class Reader:
    @staticmethod
    def rows(count, width=7):
        return count * width
    def cells(self, count, depth=3):
        return count * depth
Reader.rows(5)
Reader().cells(4)
"""


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("Reader.rows", {"count": ("5", True), "width": ("7", False)}),
        ("Reader().cells", {"count": ("4", True), "depth": ("3", False)}),
    ],
)
def test_self_is_given_by_no_argument(name: str, given: dict[str, tuple[str, bool]]) -> None:
    trace = traced(SCRIPT)
    call = next(one for one in calls_of(trace) if ast.unparse(one.func) == name)
    assert {one.name: (ast.unparse(one.node), one.written) for one in arguments(trace, call)} == given
