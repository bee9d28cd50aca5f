"""Public means exported, documented and typed: every public name of the core and the plug-ins."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import shapeinspect

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("shapeinspect", "plugins")
    for path in (ROOT / folder).rglob("*.py")
    if not path.name.startswith("_") or path.name == "__init__.py"
)


def _public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_names_are_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module needs a docstring"
    for node in _public(tree):
        text = ast.get_docstring(node)
        assert text, f"{node.name} needs a docstring"
        first = text.split("\n\n")[0]
        assert first.endswith((".", ":")), f"{node.name}: the first paragraph is one sentence"
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            named = [argument.arg for argument in arguments]
            missing = [name for name in named if f"{name}:" not in text and f"{name} (" not in text]
            assert "Args:" not in text or not missing, f"{node.name}: {missing} not described"


def test_everything_exported_is_there() -> None:
    for name in shapeinspect.__all__:
        assert getattr(shapeinspect, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'inspekt'"):
        _ = shapeinspect.inspekt


def test_the_top_level_is_as_promised() -> None:
    tracked = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    built = {"build", "dist", "PKG-INFO"}  # the last is in a source distribution
    assert tracked - built == {"README.md", "plugins", "pyproject.toml", "shapeinspect", "tests"}
