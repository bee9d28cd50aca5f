"""Fixes for a recurrent layer whose initial state has the wrong shape."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.dims import known
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.repairs.ranks import Rung
from shapeinspect.mismatch.sizes.requirements import is_stack, lengths_of, wanted_states
from shapeinspect.plugin_api.changes import (
    Change,
    FewerStates,
    NoState,
    OnInput,
    OnLayer,
    OnOperand,
    Remade,
    Step,
    Wording,
)
from shapeinspect.plugin_api.rerun import Failure
from shapeinspect.rules import initial_states
from shapeinspect.rules.rule import unlike

_RECURRENT = frozenset({"rnn", "lstm", "gru"})


def states(failure: Failure) -> Iterator[Fix]:
    """Yield other states, and other settings of the layer that produced them or that reads them.

    Args:
        failure: where the run ended.
    """
    if not _is_stack(failure.layer):
        yield from _fed(failure)
        return
    shapes = tuple(lengths_of(failure, name) for name in failure.inputs)
    wanted = wanted_states(failure.layer, shapes)
    wrong = {operand: new for operand, new in wanted.items() if shapes[operand] not in (None, new)}
    if not wrong:
        return
    operand, new = next(iter(wrong.items()))
    old = shapes[operand] or ()
    swapped = (1, 0, *range(2, len(new)))
    if len(old) == len(new) > 2 and tuple(old[axis] for axis in swapped) == new:
        yield Fix("batch-first", _all(wrong, (("permute", swapped),)), Rung.ARRANGED_STATE)
    if len(old) == len(new) - 1 and (1, *old) == new:
        yield Fix("missing-axis", _all(wrong, (("unsqueeze", 0),)), Rung.ARRANGED_STATE)
    yield from _turned(failure, old, new)
    if len(old) == len(new):
        yield from _settings(failure, failure.inputs[operand], old, new)
        if old[-1] == new[-1] and old[0] == new[0] and old[-2] > new[-2]:
            cut: tuple[Step, ...] = (("crop", new),)
            wording: tuple[Wording, ...] = (FewerStates(new[-2]),) if len(new) == 3 else ()
            kept = f"which states are read: the first {new[-2]} of {old[-2]}"
            yield Fix("state", _all(wrong, cut), Rung.CUT_STATE, wording=wording, alters=kept)
        same = old[0] == new[0] and old[-1] == new[-1] and failure.layer.kind in _RECURRENT
        if same and all(_is_constant(failure, index, "zeros") for index in wrong):
            sized = tuple(OnOperand(None, index, (("resize", shape),)) for index, shape in wrong.items())
            yield Fix("state", sized, Rung.NO_STATE, wording=(NoState(),))
    text = f'a state of shape {new} for "{failure.layer.path}"'
    changes = tuple(OnOperand(None, index, (("resize", shape),)) for index, shape in wrong.items())
    made = tuple(Remade(index, shape) for index, shape in wrong.items())
    yield Fix("state", changes, Rung.REMADE, wording=made)
    constant = _is_constant(failure, operand)
    rank = Rung.CONSTANT_STATE if constant else Rung.NEW_STATE
    yield Fix("state", changes, rank, text, alone=not constant)


def _turned(failure: Failure, old: tuple[int, ...], new: tuple[int, ...]) -> Iterator[Fix]:
    """Propose to swap batch and time of what is read, where the state's batch stands on the axis of time."""
    read = lengths_of(failure, failure.inputs[0]) or ()
    time = 1 if failure.layer.attributes.get("batch_first") else 0
    if len(read) != 3 or len(old) != 3 or old[1] == new[1] or read[time] != old[1]:
        return
    for name in failure.model.inputs:
        shape = lengths_of(failure, name) or ()
        if shape[:2] == read[:2]:
            swapped = (1, 0, *range(2, len(shape)))
            yield Fix("batch-first", (OnInput(name, (("permute", swapped),)),), Rung.ARRANGED_STATE)


def _all(wrong: dict[int, tuple[int, ...]], steps: tuple[Step, ...]) -> tuple[Change, ...]:
    return tuple(OnOperand(None, operand, steps) for operand in wrong)


def _settings(failure: Failure, state: str, old: tuple[int, ...], new: tuple[int, ...]) -> Iterator[Fix]:
    """Propose equal settings for the layer that produced the state and the one that reads it."""
    source, own = _recurrent(failure, state), failure.layer
    if source is None:
        return
    if old[-1] != new[-1]:
        yield Fix("state", (OnLayer(source.path, Frozen(hidden_size=new[-1])),), Rung.STATE_MAKER)
        yield Fix("state", (OnLayer(own.path, Frozen(hidden_size=old[-1])),), Rung.STATE_READER)
    if len(new) == 3 and old[0] != new[0] and own.kind in _RECURRENT:
        for key in ("bidirectional", "num_layers"):
            if source.attributes.get(key) != own.attributes.get(key):
                for layer, other, rank in ((source, own, Rung.STATE_MAKER), (own, source, Rung.STATE_READER)):
                    value = other.attributes.get(key)
                    if value is not None:
                        yield Fix("state", (OnLayer(layer.path, Frozen({key: value})),), rank)


def _recurrent(failure: Failure, name: str) -> Layer | None:
    layers = {layer.path: layer for layer in failure.model.layers}
    for call in reversed(failure.model.calls):
        layer = layers.get(call.layer)
        if layer is not None and name in call.outputs and layer.kind in _RECURRENT:
            return layer
    return None


def _is_constant(failure: Failure, operand: int, function: str = "") -> bool:
    """Tell whether an operand is a constant, of all functions or of one."""
    constants = {
        layer.path
        for layer in failure.model.layers
        if layer.kind == "constant" and layer.type.rpartition(".")[2].endswith(function)
    }
    return any(
        failure.inputs[operand] in call.outputs and call.layer in constants for call in failure.model.calls
    )


def _is_stack(layer: Layer) -> bool:
    """Tell whether one tensor holds the states of all layers and directions, or a cell has its own."""
    return layer.kind.endswith("_cell") or is_stack(layer)


def _fed(failure: Failure) -> Iterator[Fix]:
    """Propose to feed states of the expected shape, or a layer for states of the given width."""
    differing = unfit(failure)
    if not differing:
        return
    changes = tuple(
        OnInput(name, (("resize", wanted),)) for name, wanted, _ in differing if name in failure.model.inputs
    )
    if len(changes) == len(differing) and all(known(wanted) for _, wanted, _ in differing):
        text = " and ".join(f"{name} of shape {wanted}" for name, wanted, _ in differing)
        yield Fix("state", _each(changes), Rung.FED_STATES, f"feed {text}")
    widths = {has[-1] for _, _, has in differing}
    if len(widths) == 1 and failure.layer.weights and "input_size" in failure.layer.attributes:
        yield Fix("state", (OnLayer(failure.layer.path, Frozen(hidden_size=widths.pop())),), Rung.STATE_WIDTH)


def unfit(failure: Failure) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """List the states that differ: their values' names, the shapes wanted and those given.

    ``requirements.wanted_states`` gives the states that a stack of layers keeps in one tensor.

    Args:
        failure: where the run ended.
    """
    layer, values = failure.layer, failure.model.values
    shapes = [values[name].shape if name in values else None for name in failure.inputs]
    if layer.kind not in _RECURRENT or _is_stack(layer) or not shapes or shapes[0] is None:
        return []
    try:
        wanted = initial_states(layer.kind, layer.attributes, shapes[0])
    except ShapeMismatchError:
        return []
    count = layer.attributes.get("initial_states", len(shapes))
    given = [
        (name, shape)
        for name, shape in list(zip(failure.inputs, shapes, strict=True))[1 : 1 + count]
        if shape is not None and len(shape) == len(wanted[0])
    ]
    return [
        (name, state, has)  # type: ignore[misc]  # lengths that are no numbers differ from none
        for (name, has), state in zip(given, wanted, strict=False)
        if any(map(unlike, has, state))
    ]


def _each(changes: tuple[OnInput, ...]) -> tuple[Change, ...]:
    return tuple({change.name: change for change in changes}.values())
