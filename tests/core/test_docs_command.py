"""Every page that ``shapeinspect docs`` and the help pages point to is one of the site's sources."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import metadata
from pathlib import Path

import pytest

from shapeinspect.commands.docs import TOPICS, page, site
from shapeinspect.commands.names import COMMANDS

Run = Callable[..., tuple[int, str, str]]

DOCS = Path(__file__).parents[2] / ".docs"
NAV = re.findall(r": ([\w/]+)\.md$", (DOCS / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)


def test_the_address_is_that_of_the_project(run: Run) -> None:
    urls = dict(text.split(", ", 1) for text in metadata("shapeinspect").get_all("Project-URL") or [])
    assert run("docs") == (0, f"{urls['Documentation']}\n", "")
    assert f"site_url: {site()}\n" in (DOCS / "mkdocs.yml").read_text("utf-8")


@pytest.mark.parametrize("topic", [*COMMANDS, *TOPICS])
def test_every_topic_has_a_page(topic: str) -> None:
    path = page(topic).removeprefix(site()).partition("#")[0]
    assert path.endswith(".html")
    assert path.removesuffix(".html") in NAV


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_points_to_its_page(command: str, run: Run) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert page(command) in out


def test_a_topic_that_is_nearly_one_gets_it_suggested(run: Run) -> None:
    code, out, err = run("docs", "shwo")
    assert (code, out) == (2, "")
    assert "did you mean show" in err


def test_a_browser_is_opened_only_where_it_is_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    run("docs", "letters")
    assert opened == []
    code, out, _ = run("docs", "letters", "--open")
    assert (code, opened) == (0, [out.strip()])
