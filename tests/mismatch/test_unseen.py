"""The programs of strangers' reports fail as reported, and each of their fixes runs to its end."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDERS = [
    HERE / name
    for name in (
        "unseen",
        "unseen_second",
        "unseen_third",
        "unseen_fourth",
        "unseen_fifth",
        "unseen_sixth",
    )
]
EXPECTED = {folder: json.loads((folder / "expected.json").read_text()) for folder in FOLDERS}

SPEC = importlib.util.spec_from_file_location("unseen_verify", HERE / "unseen" / "verify.py")
assert SPEC is not None
assert SPEC.loader is not None
verify = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(verify)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_program_has_its_answer(folder: Path) -> None:
    programs = {p.stem for p in folder.glob("*_*.py")}
    assert programs == set(EXPECTED[folder])


def test_no_report_is_used_twice() -> None:
    sources = [entry["source"] for answers in EXPECTED.values() for entry in answers.values()]
    assert len(sources) == len(set(sources))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "name"), [pytest.param(f, n, id=n) for f in FOLDERS for n in sorted(EXPECTED[f])]
)
def test_fails_and_is_fixed(folder: Path, name: str) -> None:
    assert verify.faults(name, EXPECTED[folder][name], folder) == []
