"""What could be done where a recurrent layer begins with a state of another shape than its own."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.dims import known
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.ir import Frozen
from shapeinspect.mismatch.fix import Fix
from shapeinspect.rerun import Change, Failure, OnInput, OnLayer
from shapeinspect.rules import initial_states
from shapeinspect.rules.rule import unlike

_KINDS = ("rnn", "lstm", "gru")


def states(failure: Failure) -> Iterator[Fix]:
    """Yield states of the layer's own shape, and a layer for states of the given width.

    Args:
        failure: where the run ended.
    """
    differing = unfit(failure)
    if not differing:
        return
    changes = tuple(
        OnInput(name, (("resize", wanted),)) for name, wanted, _ in differing if name in failure.model.inputs
    )
    if len(changes) == len(differing) and all(known(wanted) for _, wanted, _ in differing):
        text = " and ".join(f"{name} of shape {wanted}" for name, wanted, _ in differing)
        yield Fix("state", _each(changes), 8, f"feed {text}")
    widths = {has[-1] for _, _, has in differing}
    if len(widths) == 1 and failure.layer.weights and "input_size" in failure.layer.attributes:
        yield Fix("state", (OnLayer(failure.layer.path, Frozen(hidden_size=widths.pop())),), 9)


def unfit(failure: Failure) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """List the states that differ: their values' names, the shapes wanted and those given.

    Args:
        failure: where the run ended.
    """
    layer, values = failure.layer, failure.model.values
    shapes = [values[name].shape if name in values else None for name in failure.inputs]
    if layer.kind not in _KINDS or not shapes or shapes[0] is None:
        return []
    try:
        wanted = initial_states(layer.kind, layer.attributes, shapes[0])
    except ShapeMismatchError:
        return []
    given = [
        (name, shape)
        for name, shape in zip(failure.inputs[1:], shapes[1:], strict=True)
        if shape is not None and len(shape) == len(wanted[0])
    ]
    return [
        (name, state, has)  # type: ignore[misc]  # lengths that are no numbers differ from none
        for (name, has), state in zip(given, wanted, strict=False)
        if any(map(unlike, has, state))
    ]


def _each(changes: tuple[OnInput, ...]) -> tuple[Change, ...]:
    return tuple({change.name: change for change in changes}.values())
