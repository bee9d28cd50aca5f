"""What the README shows is what happens."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

from shapeinspect.cli import main

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
SHOWN = re.findall(r"^    \$ shapeinspect (.*)\n((?:    .*\n|\n)*)", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("words", "shown"), SHOWN, ids=[words for words, _ in SHOWN])
def test_every_shown_output_is_real(
    words: str, shown: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(shlex.split(words))
    printed = capsys.readouterr().out.rstrip().splitlines()
    assert [line.removeprefix("    ") for line in shown.rstrip().splitlines()] == printed


def test_something_is_shown() -> None:
    assert len(SHOWN) >= 2


def test_the_python_examples_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False, optionflags=flags)
    assert tried >= 5
    assert failed == 0


def test_ci_runs_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    for line in re.findall(r"^    python -m venv (?:.*)$", TEXT, re.MULTILINE):
        for command in line.split(" && ")[1:]:
            assert command.replace("pip install", "pip install --quiet") in script, command
