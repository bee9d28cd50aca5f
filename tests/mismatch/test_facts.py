"""Every fact that a debugger may fill in has a cause, and texts where the shapes alone would not say it."""

from __future__ import annotations

from typing import get_args

import pytest

from shapeinspect.ir import Layer, Model
from shapeinspect.mismatch.default_cause import OF_FACTS
from shapeinspect.mismatch.words import fact_text
from shapeinspect.mismatch.words.causes import CAUSES
from shapeinspect.plugin_api import facts
from shapeinspect.plugin_api.rerun import Failure

#: Facts that only choose among fixes: the shapes say what was expected.
OF_SHAPES = {facts.RowsCompared, facts.BatchedMatrices}


def test_every_fact_has_a_cause() -> None:
    assert set(OF_FACTS) == set(get_args(facts.Fact))
    assert {cause for cause in OF_FACTS.values() if isinstance(cause, str) and cause} <= set(CAUSES)


def _failure(fact: facts.Fact, kind: str = "embedding") -> Failure:
    return Failure(
        Model("", "live", "torch", "torch-live"), Layer("words", kind, "Embedding"), (), "", fact=fact
    )


@pytest.mark.parametrize(
    ("fact", "expected", "got"),
    [
        (facts.IndexOutside(7, 0, 6), "indices from 0 to 5: there are 6 entries", "7"),
        (facts.IndexOutside(3, -2, 6), "indices from 0 to 5: there are 6 entries", "-2"),
        (facts.RaggedBatch((3, 5), (4, 5)), "tensors of one shape in all samples, such as (3, 5)", "(4, 5)"),
        (facts.OtherType("int64", "float32"), "elements of type int64", "float32"),
        (facts.Explained("targets", ("one row",), ("two",)), "one row", "two"),
        (facts.TupleGiven(), "a single tensor", "a tuple"),
        (facts.SeveralOutputs(("kind", "age")), "2 targets, one for each output: kind, age", "1 target"),
    ],
)
def test_texts(fact: facts.Fact, expected: str, got: str) -> None:
    assert fact_text.expected(_failure(fact)) == [expected]
    assert fact_text.got(_failure(fact), ()) == [got]


@pytest.mark.parametrize("fact", sorted(OF_SHAPES, key=lambda kind: kind.__name__))
def test_facts_of_shapes_alone_write_nothing(fact: type[facts.Fact]) -> None:
    assert fact_text.expected(_failure(fact())) is None
    assert fact_text.got(_failure(fact()), ()) is None


@pytest.mark.parametrize(
    ("size", "shift", "fits"), [(8, 0, True), (7, 0, False), (7, -1, True), (9, -2, False)]
)
def test_a_table_holds_all_indices_or_not(size: int, shift: int, fits: bool) -> None:
    assert facts.IndexOutside(7, 1, 7).fits(size, shift) is fits
