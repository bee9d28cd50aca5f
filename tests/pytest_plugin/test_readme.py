"""What the README shows of the plug-in is what happens."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("imported", "outside_ci")

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "README.md").read_text().partition("\n## In tests\n")[2].partition("\n## ")[0]


def _blocks() -> list[str]:
    """Return the indented blocks of the section, without their indent."""
    found = re.findall(r"(?:^    .*\n|(?<=\n)\n(?=    ))+", SECTION, re.MULTILINE)
    return ["\n".join(line[4:] for line in block.strip("\n").splitlines()) + "\n" for block in found]


@pytest.fixture
def folder(pytester: pytest.Pytester) -> Path:
    """The example's model, where the README has it."""
    (pytester.path / "tests" / "data").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "data" / "lenet.onnx", pytester.path / "tests" / "data")
    return pytester.path


def test_the_shown_test_the_shown_failure_and_the_shown_snapshot(
    pytester: pytest.Pytester, folder: Path
) -> None:
    test, failure, snapshot, difference = _blocks()
    pytester.makepyfile(test_lenet=test)
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    shown = [line for line in result.outlines if line.startswith((">", "E "))]
    assert "\n".join(shown) + "\n" == failure
    path = folder / "__shapes__" / "test_lenet" / "test_lenet.txt"
    kept = path.read_text()
    # The README leaves out the rows in the middle, as it says by its dots.
    head, tail = snapshot.split("…\n")
    assert kept.startswith(head)
    assert kept.endswith(tail)
    lines = [line.replace("10", "12") if line.startswith("fc3") else line for line in kept.splitlines()]
    path.write_text("\n".join(lines))
    result = pytester.runpytest_inprocess("-q")
    shown = [line for line in result.outlines if line.startswith("E ")]
    assert "\n".join(shown) + "\n" == difference
