"""An index of the user's own that is outside of its axis."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import describe


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python tells no expression of a line before 3.11")
@pytest.mark.parametrize(
    ("statement", "index", "expected"),
    [
        ("counts[5, 0, 2] = 1.0", 5, "an index from 0 to 3 on axis 0 of counts"),
        ("print(counts[0, -4])", -4, "an index from 0 to 2 on axis 1 of counts"),
        ("print(counts[:, :1][0, 1])", 1, "index 0 on axis 1 of counts[:, :1]"),
    ],
)
def test_the_array_and_the_axis_are_named(tmp_path: Path, statement: str, index: int, expected: str) -> None:
    path = tmp_path / "program.py"
    path.write_text(f"import numpy as np\ncounts = np.zeros((4, 3, 7))\n{statement}\n")
    with pytest.raises(IndexError) as caught:
        exec(compile(path.read_text(), str(path), "exec"), {"__name__": "__main__", "__file__": str(path)})
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    text = describe(diagnosis)
    assert "an index is outside of its axis" in text
    assert expected in text
    assert f"index {index}, " in text
    assert "program.py:3" in text


@pytest.mark.parametrize(
    ("statement", "expected", "got"),
    [
        ("counts.cumsum(3)", "an axis from -3 to 2", "axis 3"),
        ("np.max(counts, axis=-4)", "an axis from -3 to 2", "axis -4"),
        ("np.sum(counts[0, 1, 2], axis=1)", "no axis: the array is a number", "axis 1"),
    ],
)
def test_an_axis_that_is_not_there_is_called_that(
    tmp_path: Path, statement: str, expected: str, got: str
) -> None:
    path = tmp_path / "program.py"
    path.write_text(f"import numpy as np\ncounts = np.zeros((4, 3, 7))\n{statement}\n")
    with pytest.raises(np.exceptions.AxisError) as caught:
        exec(compile(path.read_text(), str(path), "exec"), {"__name__": "__main__", "__file__": str(path)})
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    assert diagnosis.cause == "axis-outside"
    rows = [line.strip() for line in describe(diagnosis).splitlines()]
    assert f"expected  {expected}" in rows
    assert f"got       {got}" in rows


def test_a_result_that_has_no_place_in_its_array(tmp_path: Path) -> None:
    text = """
import numpy as np
class Scaler:
    def __init__(self, low):
        self.low = low
    def back(self, x):
        x -= self.low
        return x
Scaler(np.zeros(7)).back(np.zeros((5, 1)))
"""
    script = tmp_path / "scale.py"
    script.write_text(text)
    with pytest.raises(ValueError, match="output operand") as caught:
        exec(compile(text, str(script), "exec"), {"__name__": "__main__"})  # the script above
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    assert diagnosis.cause == "written-in-place"
    told = describe(diagnosis)
    assert "a result of (5, 1), as x has" in told
    assert "x of (5, 1) and self.low of (7,): (5, 7)" in told
