"""Public means exported, documented and typed: every public name of the core and the plug-ins."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
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


Documented = ast.FunctionDef | ast.ClassDef


def _public(tree: ast.Module) -> Iterator[tuple[ast.ClassDef | None, Documented]]:
    """Every public function and class, and the public methods of each, with the class they stand in.

    Overloads are left out: the function that they are of is documented.
    """
    for node in _named(tree.body):
        yield None, node
        for inner in _named(node.body) if isinstance(node, ast.ClassDef) else ():
            if isinstance(inner, ast.FunctionDef):
                yield node, inner


def _named(body: list[ast.stmt]) -> Iterator[Documented]:
    for node in body:
        if (
            isinstance(node, Documented)
            and not node.name.startswith("_")
            and "overload" not in _decorators(node)
        ):
            yield node


def _decorators(node: Documented) -> set[str]:
    return {ast.unparse(decorator) for decorator in node.decorator_list}


TREES = {path: ast.parse(path.read_text()) for path in FILES}
#: What an abstract class describes, its implementations need not say again.
ABSTRACT = {
    node.name for tree in TREES.values() for _, node in _public(tree) if "abstractmethod" in _decorators(node)
}
#: The docstring of a command is its --help; that of a test of the contract says what is promised.
OTHERS = {"cli.py", "commands", "testing.py"}


def _raised(node: ast.AST) -> Iterator[str]:
    """The names of the exceptions that a function itself raises, not those of the functions inside it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Documented | ast.Lambda):
            continue
        if isinstance(child, ast.Raise) and child.exc is not None:
            yield ast.unparse(child.exc.func if isinstance(child.exc, ast.Call) else child.exc)
        yield from _raised(child)


def _lacking(owner: ast.ClassDef | None, node: ast.FunctionDef, text: str) -> Iterator[str]:
    """What the text leaves out: the function's own, and that of a module whose functions are all alike."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    names = [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
    described = owner is not None and bool(owner.bases) and node.name in ABSTRACT
    if names and not described:
        for name in names:
            if not re.search(rf"^ *_*{name.lstrip('_')}( \(.*\))?:", text, re.MULTILINE):
                yield f"argument {name}"
    raised = {name for name in _raised(node) if name[0].isupper()}
    if raised and "Raises:" not in text and not described:
        yield f"Raises: {', '.join(sorted(raised))}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_names_are_documented(path: Path) -> None:
    tree = TREES[path]
    assert ast.get_docstring(tree), "the module needs a docstring"
    for owner, node in _public(tree):
        text = ast.get_docstring(node)
        assert text, f"{node.name} needs a docstring"
        first = text.split("\n\n")[0]
        assert first.endswith((".", ":")), f"{node.name}: the first paragraph is one sentence"
        if isinstance(node, ast.FunctionDef) and not OTHERS & set(path.parts):
            assert not [*_lacking(owner, node, f"{ast.get_docstring(tree)}\n{text}")], node.name


def test_what_is_not_documented_is_found() -> None:
    told = """
def scaled(n, factor):
    \"\"\"Scale it.

    Args:
        n: a length.
    \"\"\"
    if factor < 0:
        raise ValueError(factor)
"""
    [(owner, node)] = _public(ast.parse(told))
    assert isinstance(node, ast.FunctionDef)
    assert [*_lacking(owner, node, ast.get_docstring(node) or "")] == [
        "argument factor",
        "Raises: ValueError",
    ]


@pytest.mark.parametrize("name", [name for name in shapeinspect.__all__ if not name.startswith("__")])
def test_every_exported_name_has_an_example(name: str) -> None:
    assert ">>> " in (getattr(shapeinspect, name).__doc__ or "")


def _formulas() -> Iterator[tuple[str, str]]:
    """The functions of the rules that compute a length, a shape or a reach, with their docstrings."""
    made = re.compile(r"_(channels|end|macs|padding|shape|sizes?|start|terms)$")
    for path in (ROOT / "shapeinspect" / "rules").rglob("*.py"):
        for owner, node in _public(TREES[path]):
            if owner is None and isinstance(node, ast.FunctionDef):
                value = ast.unparse(node.returns) if node.returns else ""
                if value in ("Length", "Reach") or made.search(node.name):
                    yield node.name, ast.get_docstring(node) or ""


def test_every_formula_names_its_source_and_has_an_example() -> None:
    found = dict(_formulas())
    assert {"conv_size", "adaptive_start", "attention_macs", "broadcast_size", "sliding"} <= found.keys()
    # The larger of two lengths and windows put one behind another are no facts about a framework.
    plain = {"larger", "smaller", "repeated", "moved"}
    assert {name for name, text in found.items() if "Source:" not in text} <= plain
    assert [name for name, text in found.items() if ">>> " not in text] == []


def test_everything_exported_is_there() -> None:
    for name in shapeinspect.__all__:
        assert getattr(shapeinspect, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'inspekt'"):
        _ = shapeinspect.inspekt


def test_dir_lists_the_public_names_and_imports_none() -> None:
    code = """
import sys
import shapeinspect
print(dir(shapeinspect) == sorted(shapeinspect.__all__))
print([name for name in sys.modules if name.startswith("shapeinspect.")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["True", "[]"]


def test_the_top_level_is_as_promised() -> None:
    tracked = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    built = {"build", "dist", "PKG-INFO"}  # the last is in a source distribution
    assert tracked - built == {"README.md", "plugins", "pyproject.toml", "shapeinspect", "tests"}
