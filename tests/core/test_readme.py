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
    lines = re.findall(r"^    python -m venv (?:.*)$", TEXT, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        for command in line.split(" && ")[1:]:
            assert command.replace("pip install", "pip install --quiet") in script, command


ADAPTERS = (ROOT / "plugins" / "README.md").read_text()


def _indented(path: Path) -> str:
    lines = path.read_text().splitlines(keepends=True)
    return "".join(f"    {line}" if line.strip() else line for line in lines)


def test_the_adapter_that_is_shown_is_the_one_that_passes_the_contract() -> None:
    example = ROOT / "tests" / "example_plugin"
    assert _indented(example / "shapeinspect_example" / "__init__.py") in ADAPTERS
    tests = _indented(example / "check_example.py")
    assert tests[tests.index("    import json") :] in ADAPTERS


def _modules() -> set[str]:
    return {
        path.stem
        for path in (ROOT / "shapeinspect").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and not path.name.startswith("__")
    }


def test_the_description_names_every_module_of_the_core() -> None:
    table = re.findall(r"^\| (`.*?`) \|", (ROOT / "shapeinspect" / "README.md").read_text(), re.MULTILINE)
    assert set(re.findall(r"\w+", " ".join(table))) == _modules()


def _under(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def test_every_module_of_the_core_is_published_to_plug_ins_or_forbidden() -> None:
    contract = (ROOT / "pyproject.toml").read_text().split('name = "plug-ins take from the core only')[1]
    forbidden = set(re.findall(r'"shapeinspect\.([\w.]+)"', contract.split("allow_indirect_imports")[0]))
    parts = {f"sources.{path.stem}" for path in (ROOT / "shapeinspect" / "sources").iterdir()}
    names = {name for name in _modules() - {"sources"} | parts if "__" not in name}
    for text in (ADAPTERS, (ROOT / "shapeinspect" / "README.md").read_text()):
        found = re.search(r"from the core\s+only\s+`([^`]+)`", text)
        assert found
        published = set(re.findall(r"[\w.]+", found[1]))
        assert [name for name in sorted(names) if _under(name, published) == _under(name, forbidden)] == []
