"""No framework's word in the core: its texts are the same for every framework, or a plug-in writes them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path("shapeinspect")
FILES = sorted(CORE.rglob("*.py"))

#: Names of frameworks, and how their code is written.
FRAMEWORK = re.compile(
    r"\b(?:py)?torch|\bkeras|\btensorflow|\btflite|\bonnx|\bjax\b|\bflax\b"
    r"|\bnn\.|\bF\.[a-z]|\btf\.|\blayers\.[A-Z]|\bops\.[a-z]"
    r"|DataLoader|state_dict|collate_fn|load_weights|drop_last|strict=|model\.eval"
    r"|\.(?:permute|unsqueeze|contiguous|view|expand|flatten|argmax|interpolate)\(",
    re.IGNORECASE,
)

#: Files in which the name of a framework is data, each with its reason.
DATA = {
    "shapeinspect/testing.py",  # the packages that reading a file must not import
    # The tools whose files and objects are told apart, and what converts them.
    "shapeinspect/sources/not_a_model/objects.py",
    "shapeinspect/sources/not_a_model/tools.py",
    "shapeinspect/backward/table.py",  # whose rules the memory of training follows
    # The vocabulary: the meaning of an attribute says where frameworks differ.
    "shapeinspect/rules/kinds/attention.py",
    "shapeinspect/rules/kinds/conv.py",
    "shapeinspect/rules/kinds/pad.py",
    "shapeinspect/rules/kinds/recurrent.py",
    "shapeinspect/rules/kinds/repeat.py",
    "shapeinspect/rules/kinds/reshape.py",
    "shapeinspect/rules/kinds/resize.py",
}


def _docstrings(tree: ast.Module) -> set[int]:
    """Return the ids of the nodes that are documentation."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found.add(id(first.value))
    return found


def _literals(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every string in some code that is not documentation."""
    tree = ast.parse(text)
    documentation = _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


def _framework_words(text: str) -> list[tuple[int, str]]:
    return [(line, literal) for line, literal in _literals(text) if FRAMEWORK.search(literal)]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_no_string_names_a_framework(path: Path) -> None:
    found = _framework_words(path.read_text(encoding="utf-8"))
    if str(path) in DATA:
        assert found, f"{path} is clean: take it off the list"
        return
    assert not found, "\n".join(f"{path}:{line}: {literal!r}" for line, literal in found)


CODE = """
def f(x):
    "Of Keras."
    return f"{x}.permute(1)", "nn.Linear", "a layer"
"""


def test_a_framework_word_is_found() -> None:
    assert {literal for _, literal in _framework_words(CODE)} == {".permute(1)", "nn.Linear"}
