"""The cases of every script in this directory, and the process that shows them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_HERE = Path(__file__).parent


def _load(path: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# The scripts import what they share by its bare name, as scripts do.
cases = _load(_HERE / "cases.py", "cases")
child = _load(_HERE.parent / "safety" / "child.py", "hostile_child")
SCRIPTS = {path.stem.removeprefix("make_"): path for path in sorted(_HERE.glob("make_*.py"))}
EVERY: dict[str, Any] = {}
for _subject, _path in SCRIPTS.items():
    sys.path.insert(0, str(_HERE))
    try:
        _made = __import__(_path.stem).CASES
    finally:
        sys.path.remove(str(_HERE))
    EVERY.update({f"{_subject}: {name}": case for name, case in _made.items()})


@pytest.fixture(scope="session")
def shower() -> Iterator[Any]:
    """The process that shows files: bounded, watched, and started again where one ends it."""
    running = child.Child(_HERE / "show.py")
    yield running
    running.close()


@pytest.fixture(scope="session")
def within() -> Any:
    """Whether processor time stays within a limit."""
    return child.within
