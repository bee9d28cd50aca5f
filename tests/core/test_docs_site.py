"""The sources of the documentation: nothing is left out, nothing leads nowhere, and screens are run."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import shapeinspect
from shapeinspect import schema, testing
from shapeinspect.commands.names import COMMANDS
from shapeinspect.render import cells
from shapeinspect.render.forms.fields import FIELDS
from shapeinspect.render.legend import ACTIVATION_AXES, WEIGHT_AXES
from shapeinspect.render.rows import ALL_COLUMNS

Run = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).parents[2]
DOCS = ROOT / ".docs"


@pytest.fixture(scope="module")
def tools() -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of the site's tools."""
    sys.path.insert(0, str(DOCS / "tools"))
    names = ("generated", "include", "screens", "terminal")
    yield importlib.import_module
    sys.path.remove(str(DOCS / "tools"))
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def pages(tools: Callable[[str], ModuleType]) -> dict[str, str]:
    """Every page of the site by its path, with what it includes; its screens have not been run."""
    written = {
        str(path.relative_to(DOCS / "pages")): path.read_text("utf-8") for path in DOCS.rglob("pages/**/*.md")
    }
    whole = {**written, **tools("generated").pages()}
    assert len(whole) == len(written) + len(tools("generated").pages())
    return {path: tools("include").expanded(text, path)[0] for path, text in whole.items()}


def test_the_navigation_has_every_page_once(pages: dict[str, str]) -> None:
    listed = re.findall(r"(?:: |- )([\w/]+\.md)$", (DOCS / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(pages)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_page_of_a_command_has_every_option_of_its_help(
    command: str, pages: dict[str, str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = run(command, "--help")
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", out.partition("Options")[2])) - {"--help"}
    text = pages[f"reference/commands/{command}.md"]
    assert [option for option in sorted(options) if f"`{option}`" not in text] == []
    assert f"$ shapeinspect {command}" in text, "an example that is run"


@pytest.mark.parametrize(
    ("module", "page"), [(shapeinspect, "reference/python.md"), (testing, "reference/testing.md")]
)
def test_every_public_name_is_in_the_reference(module: ModuleType, page: str, pages: dict[str, str]) -> None:
    names = [name for name in module.__all__ if not name.startswith("__")]
    assert [name for name in names if f"::: {module.__name__}.{name}\n" not in pages[page]] == []


def test_every_letter_setting_column_and_field_has_its_line(pages: dict[str, str]) -> None:
    letters, columns = pages["reference/letters.md"], pages["reference/columns.md"]
    wanted = [*ACTIVATION_AXES, *WEIGHT_AXES, *(name for name, _ in cells.SETTINGS)]
    assert [name for name in wanted if f"| `{name}` |" not in letters] == []
    assert [name for name in (*ALL_COLUMNS, *FIELDS) if f"\n`{name}`" not in columns] == []


def test_every_field_of_the_schemas_has_its_line(pages: dict[str, str]) -> None:
    for name in schema.NAMES:
        section = pages["reference/schemas.md"].split(f"## {name} {{ #{name} }}\n")[1].split("\n## ")[0]
        data = schema.load(name)
        parts = [data, *data.get("$defs", {}).values()]
        fields = {field for part in parts for field in part.get("properties", {})}
        assert len(fields) > 5
        assert [field for field in sorted(fields) if f"`{field}` " not in section] == []


_LINK = re.compile(r"\]\((?!https?:|mailto:|made:)([^)\s#]*)(?:#[^)\s]*)?\)")


def test_every_internal_link_leads_to_a_page(pages: dict[str, str]) -> None:
    checked = 0
    for path, text in pages.items():
        prose = re.sub(r"^```.*?^```$|`[^`\n]+`", "", text, flags=re.MULTILINE | re.DOTALL)
        for target in _LINK.findall(prose):
            found = (DOCS / "pages" / path).parent.joinpath(target).resolve() if target else DOCS
            inside = str(found.relative_to(DOCS / "pages")) if target else path
            assert inside in pages or inside.startswith("assets/"), (path, target)
            checked += 1
    assert checked > 60


def test_every_screen_of_an_included_text_is_run_again(
    pages: dict[str, str], tools: Callable[[str], ModuleType]
) -> None:
    assert [
        path for path, text in pages.items() if re.search(r"^ +\$ shapeinspect", text, re.MULTILINE)
    ] == []
    calls = {path: [step.text for step in tools("screens").steps(text)] for path, text in pages.items()}
    for source, page in (("shapeinspect/QUESTIONS.md", "questions.md"), ("README.md", "guide/formats.md")):
        shown = re.findall(r"^    \$ (shapeinspect .*)$", (ROOT / source).read_text("utf-8"), re.MULTILINE)
        own = [call for call in shown if call in calls[page]]
        assert own == calls[page] != []


def test_what_a_page_shows_is_made_by_its_commands(
    pages: dict[str, str], tools: Callable[[str], ModuleType]
) -> None:
    shown = {path: found for path, text in pages.items() if (found := tools("screens").made(text))}
    assert "gallery.md" in shown
    for path, files in shown.items():
        commands = "\n".join(step.text for step in tools("screens").steps(pages[path]))
        assert [file for file in files if file not in commands] == []


def test_a_missing_section_and_a_dead_link_are_refused(
    tools: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    include = tools("include")
    monkeypatch.setattr(include, "ROOT", tmp_path)
    (tmp_path / "a.md").write_text("# A\n\n## Is\n\n[there](b.md)\n\n## Gone\n\n[not](c.md)\n")
    (tmp_path / "b.md").write_text("# B\n")
    text, _ = include.expanded("<!-- include: a.md#Is -->", "index.md")
    assert text.strip() == f"[there]({include.REPOSITORY}b.md)"
    for section, problem in (("Was", "has no section"), ("Gone", "links to c.md")):
        with pytest.raises(include.IncludeError, match=problem):
            include.expanded(f"<!-- include: a.md#{section} -->", "index.md")


PAGE = """# A page

```python title="number.py"
print(6 * 7)
```

```console
$ python number.py
$ shapeinspect legend nothing.onnx | head -n 1
```

```console exit=3 lines=1
$ shapeinspect show number.bin
```

```pycon
>>> import number
>>> 6 * 7 + 1
```
"""


@pytest.fixture
def work(tools: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool that runs screens, with an empty cache and one broken file in the place of the models."""
    screens = tools("screens")
    monkeypatch.setattr(screens, "CACHE", tmp_path / "cache")
    models = tmp_path / "cache" / "models"
    models.mkdir(parents=True)
    (models / "number.bin").write_bytes(b"\x00\x01")
    monkeypatch.setattr(screens, "_models", lambda: models)
    return screens


def test_the_screens_of_a_page_are_run(work: ModuleType) -> None:
    results = work.run_all([PAGE])[work.key(PAGE)]
    shown = work.with_screens(PAGE, results)
    assert '<span class="command">python number.py</span>\n42\n' in shown
    assert "&gt;&gt;&gt; " not in shown
    assert ">>> import number\n42\n>>> 6 * 7 + 1\n43\n" in shown
    assert '<span class="t-' in shown.partition("head -n 1")[2].partition("show number.bin")[0]
    assert "error: cannot read" in shown.partition("show number.bin")[2]
    # A second build finds what was written.
    kept = work.CACHE / work.key(PAGE) / "results.json"
    told = json.loads(kept.read_text("utf-8"))
    told[1]["out"] = "41\n"
    kept.write_text(json.dumps(told), encoding="utf-8")
    assert "41" in work.with_screens(PAGE, work.run_all([PAGE])[work.key(PAGE)])


def test_a_command_that_fails_ends_the_build(work: ModuleType) -> None:
    wrong = PAGE.replace("exit=3", "exit=0")
    with pytest.raises(work.ScreenError, match=r"show number.bin\nended with 3, not with 0"):
        work.run_all([wrong])


def test_an_output_that_was_written_by_hand_is_refused(tools: Callable[[str], ModuleType]) -> None:
    screens = tools("screens")
    for block in ("```console\n$ true\nfine\n```\n", "```pycon\n>>> 1\n1\n```\n"):
        with pytest.raises(screens.ScreenError, match="written by the build"):
            screens.steps(block)
