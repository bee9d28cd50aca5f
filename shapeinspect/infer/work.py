"""Counts the multiply-accumulates of every call."""

from __future__ import annotations

from collections.abc import Iterable

from shapeinspect.frozen import changed
from shapeinspect.infer.facts import CallFacts
from shapeinspect.ir import Call, Model
from shapeinspect.rules import macs


def count_work(model: Model, facts: Iterable[CallFacts]) -> tuple[Call, ...]:
    """Return the calls with their multiply-accumulates; None where they cannot be known.

    A container counts nothing itself: the calls inside it do.

    Args:
        model: the model.
        facts: the facts of the calls whose kind has arithmetic, in their order.

    Example:
        >>> count_work(Model("m", "onnx", "onnx", "onnx"), ())
        ()
    """
    by_call = {id(fact.call): fact for fact in facts}
    counted = []
    for call in model.calls:
        item = by_call.get(id(call))
        work = None
        if call.macs is None and item is not None:
            work = macs(item.layer.kind, item.attributes, item.inputs, item.outputs)
        counted.append(call if work is None else changed(call, macs=work))
    return tuple(counted)
