"""The page of questions shows what the commands really print."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

PAGE = Path(__file__).parents[2] / "shapeinspect" / "QUESTIONS.md"
SHOWN = re.findall(r"^    \$ shapeinspect (.*)\n((?:    (?!\$ ).*\n|\n)*)", PAGE.read_text(), re.MULTILINE)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("words", "shown"), SHOWN, ids=[words for words, _ in SHOWN])
def test_every_screen_is_real(words: str, shown: str, run: Run, at_models: Path) -> None:
    _, out, err = run(*shlex.split(words))
    assert err == ""
    printed = out.rstrip().splitlines()
    assert max(map(len, printed)) <= 80
    assert [line.removeprefix("    ") for line in shown.rstrip().splitlines()] == printed


def test_each_question_has_a_screen() -> None:
    sections = PAGE.read_text().split("\n## ")[1:]
    assert len(sections) >= 6
    for section in sections:
        assert "    $ shapeinspect " in section, section.partition("\n")[0]
