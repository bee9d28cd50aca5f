"""Fixes for lengths that are stated as numbers and are larger than the sequence."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.plugin_api.changes import OnOperand, Recounted
from shapeinspect.plugin_api.facts import TooLong
from shapeinspect.plugin_api.rerun import Failure


def lengths(failure: Failure) -> Iterator[Fix]:
    """Yield the lengths of the sequence itself, in the place of those that the code states.

    Args:
        failure: where the run ended.
    """
    fact = failure.fact
    if isinstance(fact, TooLong) and fact.name in failure.roles:
        operand = failure.roles.index(fact.name)
        changes = (OnOperand(None, operand, (("clamp", fact.limit),)),)
        wording = (Recounted(operand, fact.largest, fact.limit),)
        yield Fix("length", changes, Rung.RECOUNTED, wording=wording)
