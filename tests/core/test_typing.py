"""What a type checker knows of the public names: mypy runs on a small file, and its answers are compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Each line with ``reveal_type`` ends with the type that mypy has to reveal.
REVEALED = """
import shapeinspect
from shapeinspect.testing import Shapes

class Net:
    def __call__(self, x: int) -> bytes:
        return bytes(x)

def step(x: int) -> str:
    return str(x)

@shapeinspect.debug
def decorated(x: int) -> str:
    return str(x)

@shapeinspect.debug()
def decorated_by_a_call(x: int) -> str:
    return str(x)

reveal_type(shapeinspect.debug())  # shapeinspect.api.debugging.Debugging
reveal_type(shapeinspect.debug(None))  # shapeinspect.api.debugging.Debugging
reveal_type(shapeinspect.debug(Net()))  # shapeinspect.api.debugging.Debugging
reveal_type(shapeinspect.debug(step))  # def (x: int) -> str
reveal_type(shapeinspect.debug(Net().__call__))  # def (x: int) -> bytes
reveal_type(shapeinspect.debug(Net(), 3))  # bytes
reveal_type(shapeinspect.debug(Net(), x=3))  # bytes
reveal_type(shapeinspect.debug(step, 3))  # str
reveal_type(decorated)  # def (x: int) -> str
reveal_type(decorated_by_a_call)  # def (x: int) -> str
with shapeinspect.debug(Net()) as watched:
    reveal_type(watched)  # shapeinspect.api.debugging.Debugging

report = shapeinspect.inspect("m.onnx")
reveal_type(report[0])  # shapeinspect.api.report.LayerReport
reveal_type(report["conv1"].kernel_size)  # tuple[int, ...]
reveal_type(report["conv1"].groups)  # int
reveal_type(report["conv1"].in_channels)  # int | None
reveal_type(report["norm"].eps)  # float
reveal_type(report.get("conv1"))  # shapeinspect.api.report.LayerReport | None
reveal_type(report.get("conv1", 3))  # shapeinspect.api.report.LayerReport | int
reveal_type([layer.path for layer in report])  # list[str]
reveal_type(dict(report.items()))  # dict[str, shapeinspect.api.report.LayerReport]

def test_net(shapes: Shapes) -> None:
    reveal_type(shapes("m.onnx"))  # shapeinspect.pytest_support.checked.CheckedReport
    reveal_type(shapes("m.onnx")["conv1"])  # shapeinspect.pytest_support.checked.CheckedLayer
    reveal_type(shapes("m.onnx").output.matches("n 10"))  # shapeinspect.check.pattern.Match
"""

#: Each of these lines is an error.
REFUSED = """
import shapeinspect
from shapeinspect.testing import Shapes

def step(x: int) -> str:
    return str(x)

shapeinspect.debug(step, "three")  # call-overload
shapeinspect.inspect("m.onnx")[None]  # index
shapeinspect.inspect("m.onnx")[0].kernel_size = (3,)  # assignment
"""


def checked(folder: Path, text: str) -> str:
    """What mypy --strict prints about a file of a project that uses shapeinspect."""
    file = folder / "uses.py"
    file.write_text(text)
    words = ["--strict", "--no-error-summary", "--hide-error-context", "--follow-imports=silent", str(file)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT), "COLUMNS": "200"},
    )
    assert not done.stderr
    return done.stdout


def test_the_types_that_are_revealed(tmp_path: Path) -> None:
    printed = checked(tmp_path, REVEALED)
    revealed = re.findall(r":(\d+): note: Revealed type is \"(.*)\"", printed)
    lines = REVEALED.splitlines()
    expected = [(at, line.split("  # ")[1]) for at, line in enumerate(lines, 1) if "reveal_type" in line]
    assert [(int(at), text) for at, text in revealed] == expected
    assert "error" not in printed


def test_the_calls_that_are_refused(tmp_path: Path) -> None:
    errors = re.findall(r":(\d+): error: .*\[([a-z-]+)\]", checked(tmp_path, REFUSED))
    lines = REFUSED.splitlines()
    expected = [(at, line.split("  # ")[1]) for at, line in enumerate(lines, 1) if "  # " in line]
    assert [(int(at), code) for at, code in errors] == expected
