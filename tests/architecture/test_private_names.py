"""A leading underscore means one thing: private to its file, or of a module, private to its folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("shapeinspect", "plugins", "tests")

#: What may be used from elsewhere, and why.
ALLOWED = {
    "tests/safety/worker.py: shapeinspect_keras.containers._hdf5_child": "it runs the child's code in a fork",
    "tests/safety/readers.py: shapeinspect_keras.containers._hdf5_child": "it fuzzes the child's code",
}


def sources() -> list[Path]:
    return sorted(
        path
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "data" not in path.relative_to(ROOT).parts
    )


def module_path(name: str) -> Path | None:
    """Return the file or folder of a module of the project, None for any other module."""
    for root in (ROOT, ROOT / "plugins"):
        path = root.joinpath(*name.split("."))
        if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
            return path
    return None


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def crossed(name: str, folder: Path) -> bool:
    """Tell whether a module is, or lies in, a private one of another folder."""
    path = module_path(name)
    if path is None:
        return False
    return any(
        is_private(part.name) and part.parent != folder for part in (path, *path.parents) if part != ROOT
    )


def imports(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    """List what a file imports: the module, the name in it (or nothing), and what it is called here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, "", alias.asname or alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield node.module, alias.name, alias.asname or alias.name


def private_uses(text: str, folder: Path) -> set[str]:
    """List the private names of other files of the project that a file uses.

    Args:
        text: the file's source.
        folder: where it lies.
    """
    tree = ast.parse(text)
    found: set[str] = set()
    modules: set[str] = set()
    for module, name, here in imports(tree):
        whole = f"{module}.{name}" if name and module_path(f"{module}.{name}") is not None else module
        if crossed(whole, folder):
            found.add(whole)
        elif name and whole == module and is_private(name) and module_path(module) is not None:
            found.add(f"{module}.{name}")
        if module_path(whole) is not None and (not name or whole != module):
            modules.add(here)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and ast.unparse(node.value) in modules:
            found.add(ast.unparse(node))
    return found


def test_no_file_uses_the_private_names_of_another() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources()
        for name in private_uses(path.read_text(), path.parent)
    }
    assert found == ALLOWED.keys()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from shapeinspect.dims import _Atom", {"shapeinspect.dims._Atom"}),
        ("from shapeinspect.dims import Dim as _Dim", set()),
        ("from shapeinspect import dims\ndims._atom(3)", {"dims._atom"}),
        ("import shapeinspect.dims as d\nd.symbol(d._name)", {"d._name"}),
        ("import shapeinspect.dims\nshapeinspect.dims._name", {"shapeinspect.dims._name"}),
        ("from torch import _C\nfrom keras import ops\nops._thing, self._own", set()),
        ("from __future__ import annotations", set()),
    ],
)
def test_the_search_sees_each_form(text: str, names: set[str]) -> None:
    assert private_uses(text, ROOT / "tests") == names


def test_a_private_module_is_open_to_its_own_folder() -> None:
    room = ROOT / "plugins" / "shapeinspect_onnx" / "graph"
    text = "from shapeinspect_onnx.graph import _child\n_child.main()"
    assert (room / "_child.py").is_file()
    assert private_uses(text, room) == set()
    assert private_uses(text, ROOT / "tests") == {"shapeinspect_onnx.graph._child"}
