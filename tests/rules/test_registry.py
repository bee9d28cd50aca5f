"""The registry of kinds is complete, and what is generated from it is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from shapeinspect.rules import KINDS, RULES, has_rule, macs, work_line
from shapeinspect.rules.fields import Field
from shapeinspect.rules.kind import NO_EXAMPLE, Kind, no_arithmetic
from shapeinspect.rules.registry import FAMILIES, unregistered
from shapeinspect.rules.vocabulary import BEGIN, END, with_vocabulary

README = Path(__file__).parents[2] / "plugins" / "README.md"


@pytest.mark.parametrize("name", KINDS)
def test_every_row_has_every_part(name: str) -> None:
    missing = KINDS[name].missing
    assert not missing, f"the row of {name} lacks: {', '.join(missing)}"


def test_a_row_without_a_part_names_it() -> None:
    row = Kind("new", "a summary", NO_EXAMPLE, (), no_arithmetic)
    assert row.missing == ("naming", "lines", "work", "weights", "sees")


def test_a_kind_has_one_row() -> None:
    names = [row.name for family in FAMILIES for row in family.KINDS]
    assert len(names) == len(set(names))
    assert names == list(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_attributes_are_described(name: str) -> None:
    row = KINDS[name]
    assert len(row.settings) == len(row.attributes)
    for attribute in row.attributes:
        assert attribute.name.isidentifier()
        assert attribute.form
        assert attribute.default
        assert attribute.meaning
    assert "\n" not in row.summary
    assert row.sees.text


def test_a_default_is_unknown_not_nothing() -> None:
    row = Kind("new")
    assert row.outputs({}, ((2, 3),)) == (None,)
    assert row.work.count({}, ((2, 3),), ((2, 3),)) is None
    assert row.work.formula({}, ((2, 3),), ((2, 3),)) is None
    assert row.sees.by_data == Field.EVERY_INPUT
    assert not row.has_arithmetic


def test_kinds_without_arithmetic_do_unknown_work() -> None:
    without = set(KINDS) - set(RULES)
    assert without == {"module", "lora", "unknown"}
    for name in without:
        assert not has_rule(name)
        assert macs(name, {}, ((2, 3),), ((2, 5),)) is None
        assert work_line(name, {}, ((2, 3),), ((2, 5),)) is None


def test_what_is_not_registered() -> None:
    assert unregistered("getitem", frozenset()) is None
    assert unregistered("conv", frozenset({"kernel_size", "quantization", "colour"})) == {"colour"}


def test_the_vocabulary_of_the_readme_is_up_to_date() -> None:
    text = README.read_text(encoding="utf-8")
    assert with_vocabulary(text) == text, "run python -m shapeinspect.rules.vocabulary plugins/README.md"


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="no markers"):
        with_vocabulary(BEGIN)
    with pytest.raises(ValueError, match="no markers"):
        with_vocabulary(END)
