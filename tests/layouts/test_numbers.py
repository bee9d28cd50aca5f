"""Weights moved by two rows from one framework into another give the same output on the same input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layouts_built import move
from layouts_kinds import KINDS, PAIRS, Settings

Close = Callable[[Any, Any], None]


def _agree(close: Close, name: str, source: str, target: str, chosen: Settings) -> None:
    kind = KINDS[name]
    one, other = (kind.builders[side](chosen) for side in (source, target))
    inputs = kind.inputs(chosen, np.random.default_rng(3))
    expected = one.run(*inputs)
    before = other.run(*inputs)
    assert before.shape == expected.shape
    assert not np.allclose(before, expected, rtol=1e-2)  # both were random
    move(one.weights, other)
    close(other.run(*inputs), expected)


@pytest.mark.parametrize(("name", "source", "target"), PAIRS)
@settings(max_examples=2, deadline=None, derandomize=True, database=None,
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(data=st.data())
def test_where_no_two_axes_have_one_length(
    close: Close, name: str, source: str, target: str, data: st.DataObject
) -> None:
    _agree(close, name, source, target, KINDS[name].distinct(data.draw))


@pytest.mark.parametrize(("name", "source", "target"), PAIRS)
def test_where_all_axes_have_one_length(close: Close, name: str, source: str, target: str) -> None:
    _agree(close, name, source, target, KINDS[name].equal)
