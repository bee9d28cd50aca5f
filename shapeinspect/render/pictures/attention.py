"""Attention: the embedding taken apart into heads, and what each token reads of the others."""

from __future__ import annotations

from shapeinspect.explanation import CallFact, LayerExplanation
from shapeinspect.render.pictures.canvas import SERIES, Canvas

_CELL, _EXAMPLE = 20, 6


def heads(layer: LayerExplanation, call: CallFact) -> Canvas | None:
    """Draw query, key and value, their heads, and the square of weights between tokens.

    Args:
        layer: a layer of attention.
        call: the call to draw.
    """
    count = layer.attributes.get("num_heads")
    shape = call.inputs[0].shape if call.inputs else None
    if not isinstance(count, int) or not shape:
        return None
    shared = layer.attributes.get("num_kv_heads")
    groups = shared if isinstance(shared, int) and shared else count
    wide = layer.attributes.get("embed_dim") or shape[-1]
    size = wide // count if isinstance(wide, int) and wide % count == 0 else None
    canvas = Canvas()
    each = f" of {size}" if size is not None else ""
    canvas.text(
        0,
        12,
        f"{layer.path}: {count} heads{each}" + (f", {groups} for key and value" if groups != count else ""),
        "bold",
    )
    shown = min(count, len(SERIES))
    for number, word in enumerate(("query", "key", "value")):
        y = 30 + number * 44
        canvas.text(0, y + 17, word, "quiet")
        many = shown if word == "query" else max(1, shown * groups // count)
        for head in range(many):
            step = 240 / many
            canvas.box(52 + head * step, y, step, 26, SERIES[head * (shown // many) % len(SERIES)])
            if step > 40:
                canvas.text(
                    52 + head * step + step / 2,
                    y + 17,
                    f"{'h' if many == count else 'head '}{head}",
                    "small",
                    "middle",
                )
        if many < (count if word == "query" else groups):
            canvas.text(52 + 244, y + 17, "…", "quiet")
    x, top = 340.0, 44
    canvas.arrow((302, top + 50), (332, top + 50))
    canvas.text(x, top - 10, "one square a head: who reads whom", "quiet")
    causal = bool(layer.attributes.get("is_causal") or layer.attributes.get("causal"))
    for row in range(_EXAMPLE):
        for column in range(_EXAMPLE):
            fill = "padding" if causal and column > row else "a"
            canvas.box(x + column * _CELL, top + row * _CELL, _CELL, _CELL, fill)
    canvas.text(x, top + _EXAMPLE * _CELL + 18, "rows: tokens of the query; columns: of the key", "quiet")
    words = "dashed: masked, as later tokens are" if causal else "each row adds up to 1 over the columns"
    canvas.text(x, top + _EXAMPLE * _CELL + 35, words, "quiet")
    return canvas
