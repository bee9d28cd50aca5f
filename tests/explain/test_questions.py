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


#: The pictures of the page, and the commands that draw them: those of the screens above them.
DRAWN = re.findall(
    r"^    \$ shapeinspect (explain .*)\n(?:    (?!\$ ).*\n|\n)*!\[[^\]]+\]\((.*\.svg)\)$",
    PAGE.read_text(),
    re.MULTILINE,
)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("words", "picture"), DRAWN, ids=[picture for _, picture in DRAWN])
def test_every_picture_is_real(words: str, picture: str, run: Run, at_models: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn.svg"
    code, _, _ = run(*shlex.split(words), "--svg", str(drawn))
    assert code in (0, 1)  # 1: a likely mistake is found, too
    assert (PAGE.parent / picture).read_text("utf-8") == drawn.read_text("utf-8"), f"{words} --svg {picture}"


def test_the_pictures_are_those_of_the_folder() -> None:
    files = {f"questions/{path.name}" for path in (PAGE.parent / "questions").iterdir()}
    assert files == {picture for _, picture in DRAWN}
    assert len(files) >= 6


def test_each_question_has_a_screen() -> None:
    sections = PAGE.read_text().split("\n## ")[1:]
    assert len(sections) >= 6
    for section in sections:
        assert "    $ shapeinspect " in section, section.partition("\n")[0]
