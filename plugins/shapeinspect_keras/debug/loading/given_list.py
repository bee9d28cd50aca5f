"""A list of weights that ``set_weights`` refuses: too few, too many, or transposed."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import partial
from typing import Any

from shapeinspect.plugin_api.facts import KeyedLoad, Repair
from shapeinspect.plugin_api.user_code.calls import UserCall, failed_call
from shapeinspect.plugin_api.user_code.frames import Place
from shapeinspect_keras.debug.loading.attempt import attempt
from shapeinspect_keras.debug.loading.survey import Surveyed

_PACKAGES = ("keras", "tensorflow", "numpy", "shapeinspect_keras")


def of_list(layer: Any, given: Any, frames: list[Place]) -> Surveyed | None:
    """Explain a list of weights, if its length or the order of its axes is wrong.

    Args:
        layer: the layer or model; it stays as it is.
        given: the list.
        frames: those of the traceback, the outermost first, with their lines.
    """
    own = list(layer.weights)
    if not isinstance(given, Sequence) or not all(hasattr(value, "shape") for value in given):
        return None
    shapes = [tuple(map(int, value.shape)) for value in given]
    call = failed_call(frames, _PACKAGES, ("set_weights",))
    if len(given) == len(own):
        return _turned(layer, given, shapes, call) or _of_another(layer, shapes, frames)
    return _gates(layer, given, shapes, call) or _counted(layer, given, shapes, call)


def _of_another(layer: Any, shapes: list[tuple[int, ...]], frames: list[Place]) -> Surveyed | None:
    """Say which other layers of the same model have the shapes that are given."""
    import keras

    for frame, _ in reversed(frames):
        for model in [*frame.f_locals.values()]:
            layers = model._flatten_layers() if isinstance(model, keras.Model) else ()
            listed = [item for item in layers if item.weights and not isinstance(item, keras.Model)]
            if not any(item is layer for item in listed):
                continue
            alike = [item for item in listed if [tuple(one.shape) for one in item.weights] == shapes]
            if not alike:
                continue
            names = " and ".join(f'"{item.name}"' for item in alike[:3])
            own = ", ".join(f"{one.name} {tuple(one.shape)}" for one in layer.weights)
            why = [
                f"what is given, {', '.join(map(str, shapes))}, has the shapes of {names}",
                f'"{layer.name}" has {own}',
            ]
            steps = listed.index(alike[0]) - [item is layer for item in listed].index(True)
            if len(alike) == 1 and abs(steps) == 1:
                where = "behind" if steps > 0 else "before"
                why[0] += f', the layer with weights right {where} "{layer.name}"'
            return Surveyed(KeyedLoad("other-layer", tuple(why)), (), layer, "set_weights")
    return None


def _counted(
    layer: Any, given: Sequence[Any], shapes: list[tuple[int, ...]], call: UserCall | None
) -> Surveyed:
    own = list(layer.weights)
    fits = [tuple(map(int, item.shape)) for item in own[: len(shapes)]] == shapes[: len(own)]
    repairs, outcomes = [], []
    rest = own[len(shapes) :]
    if call is not None and fits and rest:
        kept = [item.numpy() if hasattr(item, "numpy") else item for item in rest]
        if attempt(layer, lambda: layer.set_weights([*given, *kept])) is not None:
            argument = call.argument(0, "weights")
            code = f"{call.owner}.set_weights([*{argument}, *{call.owner}.get_weights()[{len(shapes)}:]])"
            repairs.append(Repair("weights-too-few", code))
            outcomes.append(f"the layer keeps its {', '.join(str(item.name) for item in rest)}")
    names = tuple(str(item.name) for item in own)
    weights = ", ".join(f"{item.name} {tuple(item.shape)}" for item in own)
    why = (
        f"the layer has {len(own)} weights: {weights}",
        f"{len(shapes)} given: {', '.join(map(str, shapes)) or 'none'}",
    )
    cause = "weights-too-few" if len(shapes) < len(own) else "weights-too-many"
    fact = KeyedLoad(cause, why, missing=names[len(shapes) :] if fits else (), repairs=tuple(repairs))
    return Surveyed(fact, tuple(outcomes), layer, "set_weights")


def _gates(
    layer: Any, given: Sequence[Any], shapes: list[tuple[int, ...]], call: UserCall | None
) -> Surveyed | None:
    """Join the weights of single gates along their last axis, where that makes those of the layer."""
    import numpy as np

    own = [tuple(map(int, item.shape)) for item in layer.weights]
    gates, rest = divmod(len(shapes), len(own))
    if call is None or rest or gates < 2:
        return None
    by_gate = [[gate * len(own) + role for gate in range(gates)] for role in range(len(own))]
    by_role = [[role * gates + gate for gate in range(gates)] for role in range(len(own))]
    for order in (by_gate, by_role):
        joined = [
            (*shapes[part[0]][:-1], sum(shapes[at][-1] for at in part))
            for part in order
            if len({shapes[at] for at in part}) == 1 and shapes[part[0]]
        ]
        if joined != own:
            continue
        values = [np.concatenate([given[at] for at in part], -1) for part in order]
        if attempt(layer, partial(layer.set_weights, values)) is None:
            return None
        module = next(iter(call.names(np)), "np")
        items = call.node.args[0] if call.node.args else None
        listed = (
            items.elts if isinstance(items, ast.List | ast.Tuple) and len(items.elts) == len(shapes) else ()
        )
        argument = call.argument(0, "weights")
        texts = [call.source(item) for item in listed] or [f"{argument}[{at}]" for at in range(len(shapes))]
        parts = [f"{module}.concatenate([{', '.join(texts[at] for at in part)}], -1)" for part in order]
        code = f"{call.owner}.set_weights([{', '.join(parts)}])"
        names = [str(item.name) for item in layer.weights]
        why = tuple(
            f"{name} {wanted} is {gates} gates side by side; {gates} arrays of {shapes[part[0]]} are given"
            for name, wanted, part in zip(names, own, order, strict=True)
        )
        fact = KeyedLoad("fused", why, repairs=(Repair("fused", code),))
        return Surveyed(fact, ("the gates stay in the order in which they are given",), layer, "set_weights")
    return None


def _turned(
    layer: Any, given: Sequence[Any], shapes: list[tuple[int, ...]], call: UserCall | None
) -> Surveyed | None:
    """Put the axes of what is given in Keras's order, where that makes everything fit."""
    import numpy as np

    own = [tuple(map(int, item.shape)) for item in layer.weights]
    orders = [_order(shape, wanted) for shape, wanted in zip(shapes, own, strict=True)]
    if call is None or None in orders or not any(orders):
        return None
    values = [np.transpose(v, order) if order else v for v, order in zip(given, orders, strict=True)]
    if attempt(layer, lambda: layer.set_weights(values)) is None:
        return None
    code = f"{call.owner}.set_weights({_written(call, orders, next(iter(call.names(np)), ''))})"
    names = [str(item.name) for item in layer.weights]
    rows = list(zip(names, shapes, own, strict=True))
    fact = KeyedLoad(
        "stored-transposed",
        (),
        tuple(name for name, shape, wanted in rows if shape == wanted),
        tuple((name, shape, wanted) for name, shape, wanted in rows if shape != wanted),
        repairs=(Repair("stored-transposed", code),),
    )
    return Surveyed(fact, ("",), layer, "set_weights")


def _order(shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the permutation from torch's order to Keras's; empty for none, None where it does not fit."""
    if shape == wanted:
        return ()
    rank = len(shape)
    turn = (*range(2, rank), 1, 0)  # torch stores o i *k, Keras *k i o
    return turn if rank >= 2 and tuple(shape[axis] for axis in turn) == wanted else None


def _written(call: UserCall, orders: Sequence[tuple[int, ...] | None], numpy: str) -> str:
    """Write the list, each item with its permutation."""
    items = call.node.args[0] if call.node.args else None
    if isinstance(items, ast.List | ast.Tuple) and len(items.elts) == len(orders):
        parts = [
            _one(call.source(item), order, numpy) for item, order in zip(items.elts, orders, strict=True)
        ]
        return f"[{', '.join(parts)}]"
    argument = call.argument(0, "weights")
    parts = [_one(f"{argument}[{index}]", order, numpy) for index, order in enumerate(orders)]
    return f"[{', '.join(parts)}]"


def _one(text: str, order: tuple[int, ...] | None, numpy: str) -> str:
    if not order:
        return text
    if len(order) == 2:
        return f"{text}.T"
    return f"{numpy}.transpose({text}, {order})" if numpy else f"{text}.transpose{order}"
