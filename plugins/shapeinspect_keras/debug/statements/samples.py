"""A model that is called on one sample, or on its inputs in another order."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.rules.rule import show
from shapeinspect_keras.debug.statements.names import RUNS
from shapeinspect_keras.debug.statements.site import Site, argument
from shapeinspect_keras.tracing.graph import functional
from shapeinspect_keras.tracing.guard import touchable, untouched

_SYMBOLS = Claim()


def explained(
    name: str, owner: Any, args: Sequence[Any], kwargs: Mapping[str, Any], site: Site
) -> tuple[Explained, dict[str, Any]] | None:
    """Explain one row that is called without its batch, or inputs that are exchanged.

    Args:
        name: the method that is called.
        owner: the model.
        args: the positional arguments.
        kwargs: the others.
        site: the user's statement.
    """
    model = functional(owner)
    if model is None or (name not in RUNS and name != "__call__"):
        return None
    wanted = [tuple(item.shape) for item in model._inputs]
    given = args[0] if args else kwargs.get("x")
    if name == "__call__" and hasattr(given, "shape") and len(wanted) == 1:
        return _one(owner, wanted[0], given, args, site)
    if isinstance(given, list | tuple) and len(given) == len(wanted) > 1:
        return _order(owner, model, wanted, given, name, site)
    return None


def _one(
    owner: Any, wanted: tuple[Any, ...], given: Any, args: Sequence[Any], site: Site
) -> tuple[Explained, dict[str, Any]] | None:
    shape = tuple(given.shape)
    if len(shape) != 1 or not _fits(shape, wanted[1:]):
        return None
    node = next((call.args[0] for call in site.calls() if call.args and site.value(call.func) is owner), None)
    node = node or next(
        (item for call in site.calls() for item in call.args if site.value(item) is args[0]), None
    )
    name = str(_model(owner)._inputs[0]._keras_history.operation.name)
    edits = []
    if node is not None and not _refuses(owner, [(1, *shape)], [given]):
        edits.append(Edit("", f"feed {site.text(node)}[None]", _SYMBOLS))
    line = f"a batch: (N, {', '.join(map(str, shape))})"
    return Explained("no-batch", (line,), (f"one sample, {show(shape)}",), tuple(edits)), {name: shape}


def _model(owner: Any) -> Any:
    return functional(owner)


def _order(
    owner: Any, model: Any, wanted: Sequence[tuple[Any, ...]], given: Sequence[Any], name: str, site: Site
) -> tuple[Explained, dict[str, Any]] | None:
    if not all(hasattr(item, "shape") for item in given) or len(given) > 5:
        return None
    shapes = [tuple(item.shape) for item in given]
    if all(_fits(shape, want) for shape, want in zip(shapes, wanted, strict=True)):
        return None
    orders = [
        order
        for order in itertools.permutations(range(len(given)))
        if all(_fits(shapes[place], want) for place, want in zip(order, wanted, strict=True))
    ]
    if len(orders) != 1 or _refuses(owner, [shapes[place] for place in orders[0]], given):
        return None
    calls = [call for call in site.calls(name) if name in RUNS] or [
        call for call in site.calls() if site.value(call.func) is owner
    ]
    node = argument(calls[0], 0, "x") if calls else None
    edits = []
    if isinstance(node, ast.List | ast.Tuple) and len(node.elts) == len(given):
        parts = [site.text(node.elts[place]) for place in orders[0]]
        ends = "[]" if isinstance(node, ast.List) else "()"
        text = f"{ends[0]}{', '.join(parts)}{ends[1]}"
        edits.append(Edit("", f"{text} instead of {site.text(node)}", _SYMBOLS))
    names = [str(item._keras_history.operation.name) for item in model._inputs]
    lines = tuple(f'"{one}" of {_declared(want)}' for one, want in zip(names, wanted, strict=True))
    return (
        Explained("exchanged", lines, tuple(show(shape) for shape in shapes), tuple(edits)),
        dict(zip(names, shapes, strict=True)),
    )


def _declared(wanted: tuple[Any, ...]) -> str:
    return f"({', '.join('?' if length is None else str(length) for length in wanted)})"


def _fits(shape: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    return len(shape) == len(wanted) and all(b is None or a == b for a, b in zip(shape, wanted, strict=True))


def _refuses(owner: Any, shapes: Sequence[tuple[Any, ...]], given: Sequence[Any]) -> bool:
    """Tell whether the model refuses tensors of these shapes, without numbers."""
    import keras

    with untouched(touchable(owner)):
        symbols = [
            keras.KerasTensor(shape, dtype=keras.backend.standardize_dtype(given[0].dtype))
            for shape in shapes
        ]
        try:
            owner(symbols[0] if len(symbols) == 1 else symbols)
        except Exception:  # noqa: BLE001  # whatever it raises, it does not take them
            return True
    return False
