"""The programs of strangers' reports fail as reported, and each of their fixes runs to its end."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "unseen"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())

SPEC = importlib.util.spec_from_file_location("unseen_verify", FOLDER / "verify.py")
assert SPEC is not None
assert SPEC.loader is not None
verify = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(verify)


def test_every_program_has_its_answer() -> None:
    programs = {p.stem for p in FOLDER.glob("*_*.py")}
    assert programs == set(EXPECTED)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_fails_and_is_fixed(name: str) -> None:
    assert verify.faults(name, EXPECTED[name]) == []
