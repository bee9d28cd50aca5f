"""An attention's mask of another shape than its scores."""

from __future__ import annotations

import ast
from typing import Any

from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.rules.rule import show
from shapeinspect_keras.debug.statements.site import Site, argument
from shapeinspect_keras.tracing.guard import touchable, untouched

_ATTENTION = Claim(Level.PART, "the attention", "the layer around it")


def explained(site: Site) -> tuple[Explained, dict[str, Any], str] | None:
    """Explain the mask that an attention refuses; return the operands' shapes and the layer's name.

    Args:
        site: the user's statement, which calls the attention.
    """
    import keras

    for call in site.calls():
        layer = site.value(call.func)
        if not isinstance(layer, keras.layers.MultiHeadAttention):
            layer = _tracked(site, call.func)
        node = argument(call, 4, "attention_mask")
        if isinstance(layer, keras.layers.MultiHeadAttention) and node is not None:
            return _of_call(layer, call, node, site)
    return None


def _tracked(site: Site, node: ast.expr) -> Any:
    """Return a layer that is an attribute of the user's own one."""
    if not isinstance(node, ast.Attribute):
        return None
    owner = site.value(node.value)
    return getattr(owner, "__dict__", {}).get(node.attr)


def _of_call(
    layer: Any, call: ast.Call, node: ast.expr, site: Site
) -> tuple[Explained, dict[str, Any], str] | None:
    query = site.value(argument(call, 0, "query") or node)
    value = site.value(argument(call, 1, "value") or node)
    mask = site.value(node)
    if not all(hasattr(item, "shape") for item in (query, value, mask)):
        return None
    shapes = {"query": tuple(query.shape), "value": tuple(value.shape), "attention_mask": tuple(mask.shape)}
    if len(shapes["query"]) != 3 or len(shapes["value"]) != 3:
        return None
    (batch, steps, _), (_, read, _) = shapes["query"], shapes["value"]
    given, wanted = shapes["attention_mask"], (batch, steps, read)
    if given == wanted:
        return None
    text = site.text(node)
    text = text if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call) else f"({text})"
    edits = []
    for index, shape in _indexed(given):
        broadcast = all(a in (1, b) for a, b in zip(shape, wanted, strict=True)) if len(shape) == 3 else False
        if broadcast and _takes(layer, query, value, shape, mask):
            edits.append(Edit("", f'{text}{index} for "{layer.name}"', _ATTENTION))
    line = f"attention_mask of {show(wanted)}: batch, steps of the query, steps of the value"
    fact = Explained("mask", (line,), (f"{site.text(node)} = {show(given)}",), tuple(edits))
    return fact, shapes, str(layer.name)


def _indexed(given: tuple[Any, ...]) -> list[tuple[str, tuple[Any, ...]]]:
    """List the masks that an index makes of a mask."""
    if len(given) == 2:
        return [("[:, None, :]", (given[0], 1, given[1]))]
    if len(given) == 4 and given[1] == 1:
        return [("[:, 0]", (given[0], *given[2:]))]
    if len(given) > 2 and set(given[2:]) == {1}:  # one entry for each step that is read
        return [(f"[:, None, :{', 0' * (len(given) - 2)}]", (given[0], 1, given[1]))]
    return []


def _takes(layer: Any, query: Any, value: Any, shape: tuple[Any, ...], mask: Any) -> bool:
    """Call the attention without numbers, with a mask of another shape."""
    import keras

    with untouched(touchable(layer)):
        symbols = [
            keras.KerasTensor(tuple(item.shape), dtype=keras.backend.standardize_dtype(item.dtype))
            for item in (query, value)
        ]
        ones = keras.KerasTensor(shape, dtype=keras.backend.standardize_dtype(mask.dtype))
        try:
            layer(symbols[0], symbols[1], attention_mask=ones)
        except Exception:  # noqa: BLE001  # whatever it raises, it does not take it
            return False
    return True
