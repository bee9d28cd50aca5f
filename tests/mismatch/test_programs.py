"""Every broken program: is the layer named, is the cause right, is the repair offered?"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def _score() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mismatch_score", Path(__file__).parent / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


score = _score()


@pytest.fixture(scope="module")
def results() -> list[object]:
    with pytest.MonkeyPatch.context() as patch:
        # What is found is tested here, not how fast this machine is just now.
        patch.setattr(importlib.import_module("shapeinspect.mismatch.diagnose"), "_SECONDS", 60.0)
        return [score.examine(path) for path in score.PROGRAMS]


@pytest.mark.parametrize(
    ("what", "reached"), [("layer_named", 210), ("cause_right", 210), ("fix_offered", 210)]
)
def test_score_does_not_fall(results, what: str, reached: int) -> None:
    missed = [one.name for one in results if not getattr(one, what)]
    assert len(results) - len(missed) >= reached, missed


@pytest.mark.parametrize("path", score.PROGRAMS, ids=lambda path: path.stem)
def test_the_repair_repairs(path: Path) -> None:
    """The framework itself says that what the author would change is right."""
    score.execute(path, score.repaired(path.read_text()))


@pytest.mark.parametrize("path", score.CORRECT, ids=lambda path: path.stem)
def test_correct_programs_are_left_alone(path: Path) -> None:
    assert not score.false_alarm(path)


def test_screens_fit_80_columns(results) -> None:
    for one in results:
        for line in one.note.split("\n"):
            assert len(line) <= 80 or " " not in line.strip(), (one.name, line)


def test_a_name_prints_the_diagnosis_of_one_program(capsys: pytest.CaptureFixture[str]) -> None:
    score.main(["torch_color_into_gray_net"])
    out = capsys.readouterr().out
    assert out.startswith("torch_color_into_gray_net.py\n")
    assert out.count("shapeinspect: layer") == 1
    assert out.splitlines()[-3:-1] == [
        "cause: channels",
        f"first fix: {_wanted('torch_color_into_gray_net')}",
    ]
    with pytest.raises(SystemExit, match="no program has the name no_such_program"):
        score.main(["no_such_program"])


def _wanted(name: str) -> str:
    return str(score.constants((score.HERE / "programs" / f"{name}.py").read_text())["FIX"])
