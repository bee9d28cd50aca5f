"""What a diagnosis says was expected, and what it got, where a fact says more than the shapes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from shapeinspect.plugin_api import facts
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.rules.rule import show


def expected(failure: Failure) -> list[str] | None:
    """Say what was expected, or None where only the shapes can say it.

    Args:
        failure: where the run ended.
    """
    return _expected(failure.fact, failure)


def got(failure: Failure, shown: Sequence[str]) -> list[str] | None:
    """Say what came instead, or None where only the shapes can say it.

    Args:
        failure: where the run ended.
        shown: the operands, as they are written.
    """
    return _got(failure.fact, failure, shown)


@singledispatch
def _expected(fact: Any, failure: Failure) -> list[str] | None:
    del fact, failure
    return None


@singledispatch
def _got(fact: Any, failure: Failure, shown: Sequence[str]) -> list[str] | None:
    del fact, failure, shown
    return None


@_expected.register
def _(fact: facts.IndexOutside, failure: Failure) -> list[str]:
    del failure
    there = "there is 1 entry" if fact.size == 1 else f"there are {fact.size} entries"
    return [f"indices from 0 to {fact.size - 1}: {there}"]


@_got.register
def _(fact: facts.IndexOutside, failure: Failure, shown: Sequence[str]) -> list[str]:
    del failure
    outside = fact.largest if fact.largest >= fact.size else fact.smallest
    return [f"{outside}, in {shown[-1]}" if shown else str(outside)]


@_expected.register
def _(fact: facts.Overwritten, failure: Failure) -> list[str]:
    del failure
    keeper = (
        f"as {fact.saved_by} saved it for its gradient" if fact.saved_by else "as it was saved for a gradient"
    )
    line = f", at {fact.saved_at}" if fact.saved_at else ""
    return [f"the tensor of {show(fact.shape)} {keeper}{line}"]


@_got.register
def _(fact: facts.Overwritten, failure: Failure, shown: Sequence[str]) -> list[str]:
    del failure, shown
    lines = []
    if fact.wrote:
        lines.append(f"another value: {fact.wrote} wrote into it")
    elif fact.versions:
        saved, now = fact.versions
        lines.append(f"version {now} of it; version {saved} was saved")
    if fact.weight:
        lines.append(f'it is the weight "{fact.weight}"')
    return lines


@_expected.register
def _(fact: facts.Indivisible, failure: Failure) -> list[str]:
    del failure
    lengths = " and ".join(f"{name} = {length}" for name, length in fact.lengths.items())
    return [f"{fact.setting} that divides {lengths}"]


@_got.register
def _(fact: facts.Indivisible, failure: Failure, shown: Sequence[str]) -> list[str]:
    del shown
    return [f"{fact.setting} = {failure.layer.attributes[fact.setting]}"]


@_expected.register
def _(fact: facts.RaggedBatch, failure: Failure) -> list[str]:
    del failure
    return [f"tensors of one shape in all samples, such as {show(fact.first)}"]


@_got.register
def _(fact: facts.RaggedBatch, failure: Failure, shown: Sequence[str]) -> list[str]:
    del failure, shown
    return [show(fact.other)]


@_expected.register
def _(fact: facts.SeveralInputs, failure: Failure) -> list[str]:
    del failure
    return [f"{len(fact.names)} arrays, one for each input: {', '.join(fact.names)}"]


@_got.register
def _(fact: facts.SeveralInputs, failure: Failure, shown: Sequence[str]) -> list[str]:
    del fact, failure
    return [f"one array of {shown[0]}"]


@_expected.register
def _(fact: facts.SeveralOutputs, failure: Failure) -> list[str]:
    del failure
    return [f"{len(fact.names)} targets, one for each output: {', '.join(fact.names)}"]


@_got.register
def _(fact: facts.SeveralOutputs, failure: Failure, shown: Sequence[str]) -> list[str]:
    del fact, failure, shown
    return ["1 target"]


@_expected.register
def _(fact: facts.Refusal, failure: Failure) -> list[str]:
    del failure
    return [fact.expected]


@_expected.register
def _(fact: facts.OtherType, failure: Failure) -> list[str]:
    del failure
    return [f"elements of type {fact.wants}"]


@_got.register
def _(fact: facts.OtherType, failure: Failure, shown: Sequence[str]) -> list[str]:
    del failure, shown
    return [fact.has]


@_expected.register
def _(fact: facts.NotFed, failure: Failure) -> list[str]:
    shapes = {name: value.shape or () for name, value in failure.model.values.items()}
    return [f'"{name}" of shape {show(shapes[name])}, {dtype}' for name, dtype in fact.missing.items()]


@_got.register
def _(fact: facts.NotFed, failure: Failure, shown: Sequence[str]) -> list[str]:
    del failure, shown
    return [", ".join(f'"{name}"' for name in fact.fed) or "nothing"]


@_expected.register
def _(fact: facts.UndeclaredShape, failure: Failure) -> list[str]:
    return [f'"{failure.inputs[0]}" of shape {show(fact.declared)}, as the model declares it']


@_expected.register
def _(fact: facts.Contradiction, failure: Failure) -> list[str]:
    del failure
    return [f'"{fact.value}" of shape {show(fact.declared)}, as the model declares it']


@_got.register
def _(fact: facts.Contradiction, failure: Failure, shown: Sequence[str]) -> list[str]:
    del failure
    return [f"{show(fact.computed)}, computed from {' and '.join(shown)}"]


@_expected.register
def _(fact: facts.TupleGiven, failure: Failure) -> list[str]:
    del fact, failure
    return ["a single tensor"]


@_got.register
def _(fact: facts.TupleGiven, failure: Failure, shown: Sequence[str]) -> list[str]:
    del fact, failure
    return [f"a tuple of {' and '.join(shown)}" if shown else "a tuple"]


@_expected.register
def _(fact: facts.TooLong, failure: Failure) -> list[str]:
    del failure
    return [f"{fact.name} of at most {fact.limit}, the steps that there are"]


@_got.register
def _(fact: facts.TooLong, failure: Failure, shown: Sequence[str]) -> list[str]:
    del failure
    return [f"{fact.largest}, beside {shown[0]}" if shown else str(fact.largest)]


@_expected.register
def _(fact: facts.OneValuePerChannel, failure: Failure) -> list[str]:
    del fact, failure
    return ["more than one value per channel"]


@_expected.register
def _(fact: facts.OtherWeights, failure: Failure) -> list[str]:
    """Write the shape of each weight as its framework stores it."""
    lines = []
    for path, stored in fact.stored:
        layer = next((layer for layer in failure.model.layers if layer.path == path), None)
        weights = {weight.role: weight for weight in layer.weights} if layer is not None else {}
        for role, _shape in stored:
            if role in weights:
                layout = weights[role].layout
                shape = show(weights[role].shape, "" if layout is None else layout.native)
                lines.append(f'"{path}.{role}" of {shape}')
    return lines


@_got.register
def _(fact: facts.OtherWeights, failure: Failure, shown: Sequence[str]) -> list[str]:
    del failure, shown
    verb = "given" if fact.given else "stored"
    return [
        f'{show(shape)} {verb} for "{path}.{role}"' for path, stored in fact.stored for role, shape in stored
    ]


@_expected.register
def _(fact: facts.KeyedLoad, failure: Failure) -> list[str]:
    del fact, failure
    return []  # the table of keys says it


@_got.register
def _(fact: facts.KeyedLoad, failure: Failure, shown: Sequence[str]) -> list[str]:
    del failure, shown
    return list(fact.why)


@_expected.register
def _(fact: facts.Explained, failure: Failure) -> list[str] | None:
    del failure
    return None if fact.expected is None else list(fact.expected)


@_got.register
def _(fact: facts.Explained, failure: Failure, shown: Sequence[str]) -> list[str] | None:
    del failure, shown
    return None if fact.got is None else list(fact.got)
