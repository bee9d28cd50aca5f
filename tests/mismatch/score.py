"""Runs every broken program under the debugger and counts what it finds out.

``python tests/mismatch/score.py`` prints the score, with ``-v`` every miss as well. With the name of a
program, such as ``torch_lenet_on_mnist``, it prints the program's diagnosis and what was expected of it; a
part of a name stands for all programs that have it.
"""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

HERE = Path(__file__).parent
PROGRAMS = tuple(sorted((HERE / "programs").glob("*.py")))
CORRECT = tuple(sorted((HERE / "correct").glob("*.py")))


@dataclass(frozen=True)
class Result:
    """What the debugger says about one program."""

    name: str
    wanted: dict[str, Any]
    error: str
    layer: str | None = None
    cause: str | None = None
    fixes: tuple[str, ...] = ()
    note: str = ""

    @property
    def layer_named(self) -> bool:
        return self.layer == self.wanted["LAYER"]

    @property
    def cause_right(self) -> bool:
        return self.cause == self.wanted["CAUSE"]

    @property
    def fix_offered(self) -> bool:
        """Whether the fix that its author would make stands first."""
        return bool(self.fixes) and self.fixes[0] == self.wanted["FIX"]


def execute(path: Path, source: str) -> None:
    """Run a program as a script."""
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(source, str(path), "exec"), space)


def constants(source: str) -> dict[str, Any]:
    """Read a program's expectations without running it."""
    import ast

    values = {}
    for node in ast.parse(source).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id.isupper()
        ):
            values[node.targets[0].id] = ast.literal_eval(node.value)
    return values


def examine(path: Path) -> Result:
    """Run one broken program under the debugger."""
    import shapeinspect
    from shapeinspect.api.debugging import explain_error

    source = path.read_text()
    wanted = constants(source)
    try:
        with shapeinspect.debug():
            execute(path, source)
    except Exception as error:  # noqa: BLE001  # any exception is what the program is for
        message = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        diagnosis = explain_error(error)
        note = "\n".join(getattr(error, "__notes__", ()))
        if diagnosis is None:
            return Result(path.stem, wanted, message, note=note)
        fixes = tuple(tried.text for tried in diagnosis.fixes)
        return Result(path.stem, wanted, message, diagnosis.layer.path, diagnosis.cause, fixes, note)
    raise AssertionError(f"{path.name} runs")


def repaired(source: str) -> str:
    """Return a program with its author's repair."""
    old, new = constants(source)["REPAIR"]
    lines = source.split("\n")
    start = next(at for at, line in enumerate(lines) if line.startswith("REPAIR"))
    while lines[start].strip():
        start += 1
    body = "\n".join(lines[start:])
    if body.count(old) != 1:
        raise AssertionError(f"{old!r} stands {body.count(old)} times in the program")
    return "\n".join(lines[:start]) + "\n" + body.replace(old, new)


def false_alarm(path: Path) -> bool:
    """Tell whether a correct program is diagnosed."""
    import shapeinspect

    try:
        with shapeinspect.debug():
            execute(path, path.read_text())
    except Exception as error:  # noqa: BLE001  # some of these end with an exception that is not about shapes
        return bool(getattr(error, "__notes__", ())) or type(error).__name__ != constants(
            path.read_text()
        ).get("RAISES")
    return "RAISES" in constants(path.read_text())


def line(results: list[Result], alarms: int) -> str:
    """Write the score."""
    count = len(results)
    return (
        f"layer named {sum(result.layer_named for result in results)}/{count}, "
        f"cause right {sum(result.cause_right for result in results)}/{count}, "
        f"verified fix {sum(result.fix_offered for result in results)}/{count}, "
        f"false alarms {alarms}/{len(CORRECT)}"
    )


def chosen(names: list[str]) -> list[Path]:
    """Return the programs of these names, else those that have them in their names; all for no names."""
    exact = [path for path in PROGRAMS if path.stem in names]
    return exact or [path for path in PROGRAMS if not names or any(name in path.stem for name in names)]


def screen(result: Result) -> str:
    """Write the diagnosis of one program, and what was expected of it."""
    rows = (
        ("layer", result.layer_named, result.layer, result.wanted["LAYER"]),
        ("cause", result.cause_right, result.cause, result.wanted["CAUSE"]),
        ("first fix", result.fix_offered, result.fixes[0] if result.fixes else None, result.wanted["FIX"]),
    )
    verdicts = [
        f"{what}: {got}" if right else f"{what}: {got}, expected {wanted}"
        for what, right, got, wanted in rows
    ]
    return "\n".join((f"{result.name}.py", result.error, result.note, "", *verdicts, ""))


def main(words: list[str]) -> None:
    names = [word for word in words if not word.startswith("-")]
    programs = chosen(names)
    if not programs:
        raise SystemExit(f"no program has the name {' or '.join(names)}; they are in {HERE / 'programs'}")
    results = [examine(path) for path in programs]
    for result in results:
        missed = not (result.layer_named and result.cause_right and result.fix_offered)
        if names or ("-v" in words and missed):
            print(screen(result))
    if not names:
        print(line(results, sum(false_alarm(path) for path in CORRECT)))


if __name__ == "__main__":
    main(sys.argv[1:])
