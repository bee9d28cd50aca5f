"""A comparison as text and as plain data: the verdict first, then what is not the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from shapeinspect.compare.result import Comparison, LayerPair, SettingPair, Stored, WeightPair
from shapeinspect.plugin_api.loader import Refusal
from shapeinspect.render.grid import Column, Line, draw, width
from shapeinspect.render.results.side_by_side import hanging, headings, source_data
from shapeinspect.text import printable

SCHEMA = 1

_COLUMNS = (Column("layer", style="path", elastic=True), Column("what", style="kind"), Column("why"))

#: How many keys of one list are shown unless all are asked for.
_MOST = 10

#: How many weights are listed of a layer that only one side has.
_MOST_SLOTS = 3

#: How many candidates of an ambiguous layer are listed.
_MOST_CANDIDATES = 3

_WIDEST_NAME = 34
_GAPS = 4

_EVIDENCE = {
    "name": "same name",
    "shape": "the only ones of this shape",
    "structure": "same place in the graph",
    "similar name": "similar names",
    "numbering": "same number",
    "values": "equal values",
    "one left": "the only ones left of this shape",
}


@dataclass(frozen=True, slots=True)
class _Block:
    """The rows of one layer: its names, then pairs of a label and a text."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]


def verdict(comparison: Comparison) -> str:
    """Write the result in one sentence.

    Args:
        comparison: the comparison.
    """
    total, same = len(comparison.layers), comparison.count("same")
    if comparison.adapter and total:
        return _fitting(comparison, total, same)
    if not total:
        return "neither model has a layer to compare"
    counts = (
        ("differs", "differ", comparison.count("differs")),
        ("is only in A", "are only in A", comparison.count("only_a")),
        ("is only in B", "are only in B", comparison.count("only_b")),
        ("is ambiguous", "are ambiguous", comparison.count("ambiguous")),
    )
    others = ", ".join(f"{n} {singular if n == 1 else plural}" for singular, plural, n in counts if n)
    if others:
        noun, verb = ("layer" if total == 1 else "layers"), ("is" if same == 1 else "are")
        return f"{same:,} of {total:,} {noun} {verb} the same; {others}"
    subject = "the one layer is" if total == 1 else f"all {total:,} layers are"
    stored = any(pair.weights for pair in comparison.layers)
    numbers = ", and so are their values" if comparison.valued and stored else ""
    figures = (weight.figures for pair in comparison.layers for weight in pair.weights)
    if numbers and any(one is not None and not one.close for one in figures):
        numbers += " up to rounding"
    refusal = comparison.refusal
    refused = f"; {refusal.call} refuses {_keys(refusal)}" if refusal is not None and refusal.refused else ""
    return f"{subject} the same{numbers}{refused}"


def _fitting(comparison: Comparison, total: int, same: int) -> str:
    """Say whether an adapter fits the layers that it changes."""
    base = "B" if comparison.adapter == "A" else "A"
    missing = comparison.count("only_a") + comparison.count("only_b")
    noun = "layer" if total == 1 else "layers"
    if same == total:
        return (
            f"the adapter fits {'the one layer' if total == 1 else f'all {total:,} layers'} that it changes"
        )
    lost = f"; {missing:,} {'is' if missing == 1 else 'are'} not in {base}" if missing else ""
    return f"the adapter fits {same:,} of the {total:,} {noun} that it changes{lost}"


def _keys(refusal: Refusal) -> str:
    return "1 key" if refusal.refused == 1 else f"{refusal.refused:,} keys"


def diff_table(comparison: Comparison, limit: int, *, everything: bool = False) -> list[Line]:
    """Draw a comparison.

    Args:
        comparison: the comparison.
        limit: terminal cells.
        everything: whether to list also what is the same, and every key.
    """
    lines: list[Line] = [
        *headings(comparison.a, comparison.b),
        (),
        ((verdict(comparison), "heading"),),
    ]
    blocks = [_block(pair, everything) for pair in comparison.layers if everything or pair.status != "same"]
    if blocks:
        lines += [(), *_grid(blocks if everything else _folded(blocks), limit)]
    if comparison.refusal is not None and comparison.refusal.refused:
        lines += [(), *_refused(comparison.refusal, limit, everything)]
    if comparison.notes:
        lines.append(())
    for note in comparison.notes:
        lines += hanging("note  ", note.text, limit, "note")
    return lines


def pair_rows(pair: LayerPair) -> tuple[tuple[str, str], ...]:
    """Return everything that is found of a layer: rows of a label and a text, the status first.

    Args:
        pair: two matched layers, or one without a partner.
    """
    return _block(pair, everything=True).rows


def _block(pair: LayerPair, everything: bool) -> _Block:
    kind = "" if pair.kind == "unknown" else f"{pair.kind}: "
    if pair.status in ("only_a", "only_b"):
        label = "only in A" if pair.status == "only_a" else "only in B"
        return _Block(_names(pair), ((label, kind + _slots(pair.weights, everything)),))
    if pair.others:
        return _Block(_names(pair), (("ambiguous", kind + _candidates(pair)),))
    rows = [("kind", text) for text in pair.why]
    if everything:
        rows.insert(0, (pair.status, kind + (_EVIDENCE[pair.evidence] if pair.evidence else "")))
    for weight in pair.weights:
        if everything or weight.status != "same":
            rows += _weight(weight, everything)
    rows += [(setting.name, _setting(setting)) for setting in pair.settings]
    return _Block(_names(pair), tuple((label, printable(text)) for label, text in rows) or (("differs", ""),))


def _names(pair: LayerPair) -> tuple[str, ...]:
    """Return the first model's path, and the second's where it is another."""
    a, b = (None if path is None else printable(path or "(the model)") for path in (pair.a, pair.b))
    if a is None or b is None or a == b:
        return (a if a is not None else b or "",)
    return a, f"= {b}"


def _slots(weights: Sequence[WeightPair], everything: bool) -> str:
    """List the weights of a layer that only one side has."""
    listed = weights if everything or len(weights) <= _MOST_SLOTS + 1 else weights[:_MOST_SLOTS]
    text = ", ".join(_slot(weight) for weight in listed)
    return text + (f" and {len(weights) - len(listed)} more" if len(listed) < len(weights) else "")


def _candidates(pair: LayerPair) -> str:
    """List the layers of the other side that an ambiguous layer may be."""
    other = "B" if pair.a is not None else "A"
    listed = ", ".join(printable(path) for path in pair.others[:_MOST_CANDIDATES])
    rest = len(pair.others) - _MOST_CANDIDATES
    more = f" and {rest} more" if rest > 0 else ""
    verb = "matches" if len(pair.others) == 1 else "match equally well"
    return f"{listed}{more} of {other} {verb}"


def _slot(weight: WeightPair) -> str:
    side = weight.a or weight.b
    return f"{weight.slot} {(side.common or side.native) if side else ''}".strip()


def _weight(weight: WeightPair, everything: bool) -> list[tuple[str, str]]:
    slot = printable(weight.slot)
    if weight.status in ("only_a", "only_b"):
        return [(slot, "only in A" if weight.status == "only_a" else "only in B")]
    texts = list(weight.why)
    if everything and weight.steps:
        texts.append("; ".join(weight.steps))
    texts = texts or ["the same"]
    return [(slot if not index else "", text) for index, text in enumerate(texts)]


def _setting(setting: SettingPair) -> str:
    return f"{setting.a} in A, {setting.b} in B" + (f": {setting.why}" if setting.why else "")


def _folded(blocks: Iterable[_Block]) -> list[_Block]:
    """Merge layers with exactly the same rows into one block."""
    by_rows: dict[tuple[tuple[str, str], ...], list[_Block]] = {}
    for block in blocks:
        by_rows.setdefault(block.rows, []).append(block)
    return [
        same[0] if len(same) == 1 else _Block((*same[0].names, f"and {len(same) - 1} more"), rows)
        for rows, same in by_rows.items()
    ]


def _grid(blocks: Sequence[_Block], limit: int) -> list[Line]:
    names = min(max(width(name) for block in blocks for name in block.names), max(_WIDEST_NAME, limit // 3))
    labels = max((width(label) for block in blocks for label, _ in block.rows), default=0)
    room = max(limit - names - max(labels, 4) - _GAPS, 20)
    rows: list[list[str]] = []
    for block in blocks:
        texts: list[tuple[str, str]] = []
        for label, text in block.rows:
            pieces = wrap(text, room) or [""]
            texts.append((label, pieces[0]))
            texts += [("", piece) for piece in pieces[1:]]
        height = max(len(block.names), len(texts))
        left = (*block.names, *[""] * (height - len(block.names)))
        texts += [("", "")] * (height - len(texts))
        rows += [[name, *pair] for name, pair in zip(left, texts, strict=True)]
    return draw(_COLUMNS, rows, limit)


def _refused(refusal: Refusal, limit: int, everything: bool) -> list[Line]:
    head = (
        f"{refusal.call} of {printable(refusal.checkpoint)} into {printable(refusal.model)} refuses "
        f"{_keys(refusal)}"
    )
    lines: list[Line] = [((head, "heading"),)]
    sizes = tuple(
        f"{size.key}: {size.checkpoint} in the checkpoint, {size.model} in the model"
        for size in refusal.mismatched
    )
    for label, texts in (("missing", refusal.missing), ("unexpected", refusal.unexpected), ("size", sizes)):
        shown = texts if everything else texts[:_MOST]
        for index, text in enumerate(shown):
            lines += hanging(f"  {label if not index else '':<10}  ", text, limit, "path")
        if len(texts) > len(shown):
            lines.append(((f"  {'':<10}  and {len(texts) - len(shown):,} more (--all lists them)", "dim"),))
    for cause in refusal.causes:
        lines += hanging("  likely      ", cause, limit, "note")
    return lines


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as dicts, lists, strings and numbers.

    Args:
        comparison: the comparison.
    """
    counts = {
        status: comparison.count(status) for status in ("same", "differs", "only_a", "only_b", "ambiguous")
    }
    return {
        "schema": SCHEMA,
        "a": source_data(comparison.a),
        "b": source_data(comparison.b),
        "same": comparison.same,
        "verdict": verdict(comparison),
        "values_compared": comparison.valued,
        "adapter": comparison.adapter or None,
        "counts": counts,
        "layers": [_layer(pair) for pair in comparison.layers],
        "loading": _refusal_data(comparison.refusal),
        "notes": [note.text for note in comparison.notes],
    }


def _layer(pair: LayerPair) -> dict[str, Any]:
    return {
        "a": pair.a,
        "b": pair.b,
        "kind": pair.kind,
        "status": pair.status,
        "matched_by": pair.evidence,
        "why": list(pair.why),
        "candidates": list(pair.others),
        "weights": [
            {
                "slot": weight.slot,
                "status": weight.status,
                "a": _stored(weight.a),
                "b": _stored(weight.b),
                "a_to_b": list(weight.steps),
                "why": list(weight.why),
                "max_abs": _number(weight.figures.max_abs) if weight.figures else None,
                "max_rel": _number(weight.figures.max_rel) if weight.figures else None,
            }
            for weight in pair.weights
        ],
        "settings": [
            {"name": setting.name, "a": setting.a, "b": setting.b, "why": setting.why}
            for setting in pair.settings
        ],
    }


def _stored(stored: Stored | None) -> dict[str, Any] | None:
    if stored is None:
        return None
    return {
        "names": list(stored.names),
        "native": stored.native,
        "common": stored.common or None,
        "dtype": stored.dtype,
        "to_common": list(stored.to_common),
    }


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _refusal_data(refusal: Refusal | None) -> dict[str, Any] | None:
    if refusal is None:
        return None
    return {
        "call": refusal.call,
        "checkpoint": refusal.checkpoint,
        "model": refusal.model,
        "missing": list(refusal.missing),
        "unexpected": list(refusal.unexpected),
        "size_mismatches": [
            {"key": size.key, "checkpoint": size.checkpoint, "model": size.model}
            for size in refusal.mismatched
        ],
        "causes": list(refusal.causes),
    }
