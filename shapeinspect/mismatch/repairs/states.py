"""What could be done where a recurrent layer begins with a state of another shape than its own."""

from __future__ import annotations

from collections.abc import Iterator

from shapeinspect.dims import known
from shapeinspect.errors import ShapeMismatchError
from shapeinspect.ir import Frozen, Layer
from shapeinspect.mismatch.repairs.fix import Fix
from shapeinspect.mismatch.requirements import is_stack, lengths_of, wanted_states
from shapeinspect.plugin_api.rerun import Change, Failure, OnInput, OnLayer, OnOperand, Step
from shapeinspect.rules import initial_states
from shapeinspect.rules.rule import unlike

_RECURRENT = frozenset({"rnn", "lstm", "gru"})


def states(failure: Failure) -> Iterator[Fix]:
    """Yield other states, and other settings of the layer that made them or that reads them.

    Args:
        failure: where the run ended.
    """
    if not _is_stack(failure.layer):
        yield from _fed(failure)
        return
    shapes = tuple(lengths_of(failure, name) for name in failure.inputs)
    wanted = wanted_states(failure.layer, shapes)
    wrong = {at: new for at, new in wanted.items() if shapes[at] not in (None, new)}
    if not wrong:
        return
    at, new = next(iter(wrong.items()))
    old = shapes[at] or ()
    turned = (1, 0, *range(2, len(new)))
    if len(old) == len(new) > 2 and tuple(old[axis] for axis in turned) == new:
        yield Fix("batch-first", _all(wrong, (("permute", turned),)), 9)
    if len(old) == len(new) - 1 and (1, *old) == new:
        yield Fix("missing-axis", _all(wrong, (("unsqueeze", 0),)), 9)
    if len(old) == len(new):
        yield from _settings(failure, failure.inputs[at], old, new)
        if old[-1] == new[-1] and old[0] == new[0] and old[-2] > new[-2]:
            cut: tuple[Step, ...] = (("crop", new),)
            text = (
                f"cut the state to the batch, [:, :{new[-2]}] (or DataLoader's drop_last=True)"
                if len(new) == 3
                else None
            )
            yield Fix("state", _all(wrong, cut), 33, text)
    text = f'a state of shape {new} for "{failure.layer.path}"'
    changes = tuple(OnOperand(None, one, (("resize", shape),)) for one, shape in wrong.items())
    constant = _is_constant(failure, at)
    yield Fix("state", changes, 29 if constant else 35, text, not constant)


def _all(wrong: dict[int, tuple[int, ...]], steps: tuple[Step, ...]) -> tuple[Change, ...]:
    return tuple(OnOperand(None, at, steps) for at in wrong)


def _settings(failure: Failure, state: str, old: tuple[int, ...], new: tuple[int, ...]) -> Iterator[Fix]:
    """Propose that the layer that made the state keeps one of the wanted shape."""
    maker, own = _maker(failure, state), failure.layer
    if maker is None:
        return
    if old[-1] != new[-1]:
        yield Fix("state", (OnLayer(maker.path, Frozen(hidden_size=new[-1])),), 30)
        yield Fix("state", (OnLayer(own.path, Frozen(hidden_size=old[-1])),), 31)
    if len(new) == 3 and old[0] != new[0] and own.kind in _RECURRENT:
        for key in ("bidirectional", "num_layers"):
            if maker.attributes.get(key) != own.attributes.get(key):
                for layer, other, rank in ((maker, own, 30), (own, maker, 31)):
                    value = other.attributes.get(key)
                    if value is not None:
                        yield Fix("state", (OnLayer(layer.path, Frozen({key: value})),), rank)


def _maker(failure: Failure, name: str) -> Layer | None:
    layers = {layer.path: layer for layer in failure.model.layers}
    for call in reversed(failure.model.calls):
        layer = layers.get(call.layer)
        if layer is not None and name in call.outputs and layer.kind in _RECURRENT:
            return layer
    return None


def _is_constant(failure: Failure, at: int) -> bool:
    kinds = {layer.path: layer.kind for layer in failure.model.layers}
    return any(
        failure.inputs[at] in call.outputs and kinds.get(call.layer) == "constant"
        for call in failure.model.calls
    )


def _is_stack(layer: Layer) -> bool:
    """Tell whether the states are torch's: of all layers and directions at once, or of a cell."""
    return layer.kind.endswith("_cell") or is_stack(layer)


def _fed(failure: Failure) -> Iterator[Fix]:
    """Propose to feed states of the layer's own shape, or a layer for states of the given width."""
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

    A stack of layers, torch's, says by itself what it keeps: see ``demand.wanted_states``.

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
