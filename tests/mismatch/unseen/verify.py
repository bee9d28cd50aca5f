"""Each program fails with a framework's shape, dtype or index error, and runs with each of its fixes.

    python verify.py                   every program that lies beside this file
    python verify.py NAME ...          these
    python verify.py --folder FOLDER   every program of another folder, with its expected.json

Leaves the programs as they are: the fixed text is written to a temporary folder and run there.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIMIT = 120  # seconds a program may take; on a free machine each takes less than ten

# What the frameworks call sizes, ranks, dtypes and indices; the type of the exception alone says little.
SHAPE_ERROR = re.compile(
    r"shape|size|dimension|\bdim\b|\bdims\b|rank|channels|index|indices|broadcast|axis|\bndim|dtype|data type"
    r"|same number|expected|mismatch|input.*tensors|elements|length|feed",
    re.IGNORECASE,
)
WRONG_KIND = re.compile(r"^(SyntaxError|NameError|ModuleNotFoundError|ImportError|AttributeError)\b")


def environment() -> dict[str, str]:
    """The variables that every run gets: quiet frameworks, the CPU, no user's site."""
    return os.environ | {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def run(text: str, name: str, *prefix: str) -> tuple[int, str, str]:
    """Run a text as a script of its own; prefix comes between the interpreter and the script."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / f"{name}.py"
        script.write_text(text)
        try:
            done = subprocess.run(
                [sys.executable, *prefix, str(script)],
                cwd=folder,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 124, "", f"took more than {LIMIT} s"
        return done.returncode, done.stdout, done.stderr


def last_error(stderr: str) -> str:
    """The exception's line and what follows it, without the traceback before."""
    found = list(
        re.finditer(r"^[\w.]*(?:Error|Exception|Fail|InvalidArgument|InvalidGraph)\b.*", stderr, re.MULTILINE)
    )
    return stderr[found[-1].start() :] if found else ""


def edited(text: str, edits: list[dict[str, Any]]) -> str:
    """The program with these lines replaced; each must still hold the old text."""
    lines = text.splitlines()
    for edit in edits:
        at = edit["line"] - 1
        if lines[at] != edit["old"]:
            raise ValueError(f"line {edit['line']} is {lines[at]!r}, not {edit['old']!r}")
        lines[at] = edit["new"]
    return "\n".join(lines) + "\n"


def faults(name: str, expected: dict[str, Any], folder: Path = HERE) -> list[str]:
    """What does not hold of one program; nothing where all is well."""
    text = (folder / f"{name}.py").read_text()
    code, _, stderr = run(text, name)
    error = last_error(stderr)
    wrong = []
    if code == 0:
        wrong.append("it runs to its end")
    elif not error or not SHAPE_ERROR.search(error) or WRONG_KIND.match(error):
        wrong.append(f"it fails otherwise: {(error or stderr)[-600:]}")
    for fix in (expected["fix"], *expected.get("alternatives", ())):
        code, _, stderr = run(edited(text, fix), name)
        if code != 0:
            wrong.append(f"with the fix of line {fix[0]['line']}: {(last_error(stderr) or stderr)[:600]}")
    return wrong


def main(arguments: list[str]) -> int:
    """Check the named programs, or all; the exit code is 1 where one does not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument("--folder", type=Path, default=HERE)
    chosen = parser.parse_args(arguments)
    expected = json.loads((chosen.folder / "expected.json").read_text())
    programs = {p.stem for p in chosen.folder.glob("*_*.py")}
    if programs != set(expected):
        print("programs and expected.json differ:", sorted(programs ^ set(expected)))
        return 1
    bad = 0
    for name in chosen.names or sorted(expected):
        wrong = faults(name, expected[name], chosen.folder)
        print(f"{name}: {'as expected' if not wrong else 'WRONG'}", *wrong, sep="\n  ", flush=True)
        bad += bool(wrong)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
