"""A model as records, one a layer: for CSV, and for data frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shapeinspect.backward.following import Share, total
from shapeinspect.dims import Dim, Expr, Unknown
from shapeinspect.ir import Model, calls_by_layer
from shapeinspect.layer_names import matching
from shapeinspect.render import cells
from shapeinspect.render.activations import activations
from shapeinspect.render.forms.fields import FIELDS
from shapeinspect.render.letters import Letters
from shapeinspect.render.rows import Sheet, Texts
from shapeinspect.render.totals import weigh
from shapeinspect.render.tree import Node
from shapeinspect.text import one_line

#: What a spreadsheet would take for the start of a formula.
_FORMULA = ("=", "+", "-", "@")


def records(model: Model, pattern: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield a record a layer, in the model's order; containers without weights of their own have none.

    ``input`` and ``output`` are shapes with letters, those of several calls separated by semicolons;
    ``weights`` are in the source's own layout, ``common`` in the common convention. ``share`` is the fraction
    of the model's parameters, ``trainable`` the number of parameters that an optimizer would change,
    ``activations`` the bytes of what the calls return, ``kept`` those that they add to what training keeps
    for the reverse pass. Amounts are numbers, or texts where they depend on
    symbols; what is not known is None.

    Args:
        model: a model that went through ``layout.normalize`` and ``infer``.
        pattern: only layers that this glob names; None for all.

    Example:
        >>> from shapeinspect.ir import Layer, Weight
        >>> fc = Layer("fc", "linear", "Linear", weights=(Weight("fc.w", "weight", (2, 3), "float32", 24),))
        >>> [record["params"] for record in records(Model("m.pt", "torch", "torch", "torch", (fc,)))]
        [6]
    """
    calls = calls_by_layer(model.calls)
    sheet = Sheet(model, Letters(model))
    whole = sheet.totals
    chosen = model.layers if pattern is None else matching(model, pattern).layers
    for layer in chosen:
        contains = layer.kind == "module"
        if contains and not layer.weights:
            continue
        own = calls.get(layer.path, [])
        node = Node(layer.path, layer, own)
        texts = dict(
            zip(_TEXTS, map("; ".join, Texts(sheet, node, whole=False).columns(_TEXTS)), strict=True)
        )
        sums = weigh(layer.weights, [] if contains else own)
        size, lacking = (None, 0) if contains else activations(own, model.values)
        share = total(sheet.kept.get(id(call), Share()) for call in own) if not contains else Share()
        amounts: Mapping[str, Any] = {
            "params": None if sums.unknown else sums.params,
            "share": None
            if sums.unknown or whole.unknown or not whole.params
            else sums.params / whole.params,
            "trainable": sums.trainable,
            "buffers": sums.buffers,
            "bytes": None if sums.bytes_unknown else sums.bytes,
            "macs": None if sums.macs_unknown else _plain(sheet.letters.amount(sums.macs)),
            "activations": None if lacking else _plain(sheet.letters.amount(size)),
            "kept": None if share.lacking else _plain(sheet.letters.amount(share.size)),
        }
        yield {
            "path": layer.path,
            **texts,
            "kind": cells.kind(layer) or "module",
            "calls": len(own),
            **amounts,
        }


_TEXTS = ("type", "from", "input", "output", "settings", "weights", "common")


def _plain(amount: Dim | None) -> int | str | None:
    if amount is None or isinstance(amount, Unknown):
        return None
    return str(amount) if isinstance(amount, Expr) else int(amount)


def csv_lines(model: Model, pattern: str | None = None) -> Iterator[str]:
    r"""Write a record a line, below a line with the names of the fields.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.

    Args:
        model: a model that went through ``layout.normalize`` and ``infer``.
        pattern: only layers that this glob names; None for all.

    Example:
        >>> from shapeinspect.ir import Layer
        >>> [line[:12] for line in csv_lines(Model("m", "f", "f", "a", (Layer("=fc", "relu", "ReLU"),)))]
        ['path,kind,ty', "'=fc,relu,Re"]
    """
    yield _line(FIELDS)
    for record in records(model, pattern):
        yield _line(_safe(record[name]) for name in FIELDS)


def _safe(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = one_line(str(value))
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _line(texts: Iterable[str]) -> str:
    import csv
    import io

    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()
