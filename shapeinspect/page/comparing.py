"""Two models side by side on one page: matched layers find each other, and what differs stands out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from shapeinspect.compare.result import Comparison, LayerPair
from shapeinspect.page.document import Content, document, first_rows, note_texts
from shapeinspect.render.results.diff import pair_rows, verdict
from shapeinspect.text import printable

#: How a status is called on the page: in the legend, on the card and in the table.
STATUSES = {
    "same": "the same",
    "differs": "differs",
    "only_a": "only in A",
    "only_b": "only in B",
    "ambiguous": "not decided",
}
_COLUMNS = ("in A", "in B", "status", "what")
_SIDES = ("A", "B")
#: Between the two models, in pixels, and where a box's list holds its width.
_GAP, _WIDTH = 56, 6


def diff_page(comparison: Comparison) -> str:
    """Return two models as one HTML page.

    Args:
        comparison: the two, compared.

    Example:
        >>> from shapeinspect.ir import Model
        >>> empty = Model("m.onnx", "onnx", "onnx", "onnx")
        >>> diff_page(Comparison(empty, empty, ()))[:15]
        '<!doctype html>'
    """
    title = f"{printable(comparison.a.source)} · {printable(comparison.b.source)}"
    first = Content(comparison.a, _told(comparison, 0))
    second = Content(comparison.b, _told(comparison, 1), shared=first)
    roots = [first.root(_name(comparison, 0)), second.root(_name(comparison, 1))]
    data = first.all(_beside(first, roots))
    data |= {
        "title": title,
        "facts": [
            ["format", _formats(comparison)],
            ["", verdict(comparison)],
        ],
        "notes": [*note_texts(comparison.notes), *dict.fromkeys((*first.limits(), *second.limits()))],
        "statuses": STATUSES,
        "usual": max(first.usual, second.usual),
        "pairs": [_pair(first, pair) for pair in _drawn(comparison)],
        "texts": first.texts,
    }
    table = first_rows(_rows(comparison), len(comparison.layers))
    return document(title, data, table, first.album.packed, _COLUMNS)


def _formats(comparison: Comparison) -> str:
    return " and ".join(dict.fromkeys((comparison.a.format, comparison.b.format)))


def _name(comparison: Comparison, side: int) -> str:
    model = (comparison.a, comparison.b)[side]
    return f"{_SIDES[side]}  {model.source.rstrip('/').rpartition('/')[2] or model.source}"


def _drawn(comparison: Comparison) -> Iterator[LayerPair]:
    """Yield the pairs of boxes: weights that the graph may read as values have boxes of their own."""
    for pair in comparison.layers:
        for weight in pair.weights if pair.kind == "module" else ():
            a, b = (stored.names[0] if stored else None for stored in (weight.a, weight.b))
            yield replace(pair, a=a, b=b, status=weight.status, weights=(weight,))
    yield from comparison.layers


def _told(comparison: Comparison, side: int) -> dict[str, float | str]:
    """Return what is found of each layer: blocks of which one differs share no box."""
    found: dict[str, float | str] = {}
    for pair in _drawn(comparison):
        path = (pair.a, pair.b)[side]
        if path is not None:
            found[path] = "; ".join((pair.status, *(text for row in pair_rows(pair)[1:] for text in row)))
    return found


def _beside(content: Content, roots: list[list[Any]]) -> list[Any]:
    """Return the box around both models."""
    half = max(root[_WIDTH] for root in roots) // 2
    return content.outer([[0, 0], [0, 0], [half, 3 * half + _GAP], [], 4 * half + _GAP], roots)


def _pair(content: Content, pair: LayerPair) -> list[Any]:
    return [
        content.text(pair.a) if pair.a is not None else -1,
        content.text(pair.b) if pair.b is not None else -1,
        pair.status,
        [[content.text(label), content.text(text)] for label, text in pair_rows(pair)],
    ]


def _rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for pair in comparison.layers:
        told = "; ".join(f"{label} {text}".strip() for label, text in pair_rows(pair)[1:])
        names = (printable(name, 2000) if name is not None else "" for name in (pair.a, pair.b))
        yield (*names, STATUSES[pair.status], printable(told, 2000) if pair.status != "same" else "")
