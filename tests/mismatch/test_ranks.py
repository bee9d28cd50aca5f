"""The order of fixes is read from one table, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from shapeinspect.mismatch.repairs.ranks import SETTINGS_FROM, SIZES_FROM, Rung

REPAIRS = sorted(Path("shapeinspect/mismatch/repairs").glob("*.py"))
#: What holds a rank, and at which position.
HOLDERS = {"Fix": 2, "Arrangement": 2, "OperandSteps": 3, "LossSteps": 2}


def _numbers(rank: ast.expr) -> list[ast.expr]:
    """Return the parts of a rank that are numbers by themselves: not those added to a rung."""
    if isinstance(rank, ast.BinOp):
        return _numbers(rank.left)
    if isinstance(rank, ast.IfExp):
        return [*_numbers(rank.body), *_numbers(rank.orelse)]
    return [rank] if isinstance(rank, ast.Constant) else []


@pytest.mark.parametrize("path", REPAIRS, ids=lambda path: path.stem)
def test_no_rank_is_a_number(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in HOLDERS:
            named = {word.arg: word.value for word in node.keywords}
            position = HOLDERS[node.func.id]
            rank = named.get("rank", node.args[position] if len(node.args) > position else None)
            assert rank is not None, node.lineno
            assert not _numbers(rank), f"{path}:{node.lineno}"


def test_the_table_reads_from_top_to_bottom() -> None:
    places = [int(rung) for rung in Rung]
    assert places == sorted(places)
    assert len({rung.meaning for rung in Rung}) == len(Rung) == len(places)


def test_every_rung_is_used() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in REPAIRS)
    assert not [rung.name for rung in Rung if f"Rung.{rung.name}" not in code]


def test_sizes_come_before_settings() -> None:
    assert SIZES_FROM < SETTINGS_FROM
