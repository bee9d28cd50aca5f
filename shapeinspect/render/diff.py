"""A comparison as a page of text and as plain data: the verdict first, then what is not the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from shapeinspect.compare.result import (
    Comparison,
    LayerPair,
    Refusal,
    SettingPair,
    Stored,
    WeightPair,
)
from shapeinspect.ir import Model
from shapeinspect.render.grid import Column, Line, draw, width
from shapeinspect.text import printable

SCHEMA = 1

_COLUMNS = (Column("layer", style="path", elastic=True), Column("what", style="kind"), Column("why"))

#: How many keys of one sort are listed where not all of them are asked for.
_MOST = 10

#: How many weights of a layer that only one side has are listed.
_MOST_SLOTS = 3

_WIDEST_NAME = 34
_GAPS = 4

_EVIDENCE = {
    "name": "same name",
    "shape": "the only ones of this shape",
    "structure": "same place in the graph",
    "similar name": "similar names",
    "numbering": "same number",
    "values": "equal numbers",
    "one left": "the only ones left of this shape",
}


@dataclass(frozen=True, slots=True)
class _Block:
    """The rows of one layer: its names, then pairs of what and why."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]


def verdict(found: Comparison) -> str:
    """Write the result in one sentence.

    Args:
        found: the comparison.
    """
    total, same = len(found.layers), found.count("same")
    if not total:
        return "neither model has a layer to compare"
    counts = (
        ("differs", "differ", found.count("differs")),
        ("is only in A", "are only in A", found.count("only_a")),
        ("is only in B", "are only in B", found.count("only_b")),
        ("is ambiguous", "are ambiguous", found.count("ambiguous")),
    )
    others = ", ".join(f"{n} {one if n == 1 else many}" for one, many, n in counts if n)
    if not others:
        what = "the one layer is" if total == 1 else f"all {total:,} layers are"
        numbers = ", and so are their numbers" if found.valued else ""
        refused = found.refusal.refused if found.refusal is not None else 0
        keys = f"; load_state_dict refuses {refused:,} key{'s' if refused > 1 else ''}" if refused else ""
        return f"{what} the same{numbers}{keys}"
    word, verb = ("layer" if total == 1 else "layers"), ("is" if same == 1 else "are")
    return f"{same:,} of {total:,} {word} {verb} the same; {others}"


def diff_table(found: Comparison, limit: int, *, everything: bool = False) -> list[Line]:
    """Draw a comparison.

    Args:
        found: the comparison.
        limit: terminal cells.
        everything: whether to list what is the same, too, and every key.
    """
    lines: list[Line] = [
        ((f"A  {printable(found.a.source)}", "heading"), (f"  {_origin(found.a)}", "dim")),
        ((f"B  {printable(found.b.source)}", "heading"), (f"  {_origin(found.b)}", "dim")),
        (),
        ((verdict(found), "heading"),),
    ]
    blocks = [_block(pair, everything) for pair in found.layers if everything or pair.status != "same"]
    if blocks:
        lines += [(), *_grid(blocks if everything else _folded(blocks), limit)]
    if found.refusal is not None and found.refusal.refused:
        lines += [(), *_refused(found.refusal, limit, everything)]
    if found.notes:
        lines.append(())
    for note in found.notes:
        lines += _hanging("note  ", note.text, limit, "note")
    return lines


def _origin(model: Model) -> str:
    return printable(
        model.framework if model.format == model.framework else f"{model.framework}, {model.format}"
    )


def _block(pair: LayerPair, everything: bool) -> _Block:
    a, b = (None if path is None else printable(path or "(the model)") for path in (pair.a, pair.b))
    names = (
        (a, f"= {b}") if a is not None and b is not None and a != b else (a if a is not None else b or "",)
    )
    kind = "" if pair.kind == "unknown" else f"{pair.kind}: "
    if pair.status in ("only_a", "only_b"):
        listed = (
            pair.weights if everything or len(pair.weights) <= _MOST_SLOTS + 1 else pair.weights[:_MOST_SLOTS]
        )
        held = ", ".join(_slot(weight) for weight in listed)
        if len(listed) < len(pair.weights):
            held += f" and {len(pair.weights) - len(listed)} more"
        return _Block(names, (("only in A" if pair.status == "only_a" else "only in B", f"{kind}{held}"),))
    if pair.others:
        side = "B" if pair.a is not None else "A"
        shown = ", ".join(printable(path) for path in pair.others[:3])
        more = f" and {len(pair.others) - 3} more" if len(pair.others) > 3 else ""
        fit = "fits" if len(pair.others) == 1 else "fit equally well"
        return _Block(names, (("ambiguous", f"{kind}{shown}{more} of {side} {fit}"),))
    rows = [("kind", text) for text in pair.why]
    if everything:
        rows = [
            (pair.status, f"{kind}{_EVIDENCE.get(pair.evidence or '', '')}"),
            *(("kind", text) for text in pair.why),
        ]
    for weight in pair.weights:
        if everything or weight.status != "same":
            rows += _weight(weight, everything)
    rows += [(setting.name, _setting(setting)) for setting in pair.settings]
    return _Block(names, tuple((what, printable(why)) for what, why in rows) or (("differs", ""),))


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
    return [(slot if not place else "", text) for place, text in enumerate(texts)]


def _setting(setting: SettingPair) -> str:
    return f"{setting.a} in A, {setting.b} in B" + (f": {setting.why}" if setting.why else "")


def _folded(blocks: Iterable[_Block]) -> list[_Block]:
    """Put layers of which exactly the same is to be said into one block."""
    like: dict[tuple[tuple[str, str], ...], list[_Block]] = {}
    for block in blocks:
        like.setdefault(block.rows, []).append(block)
    return [
        same[0] if len(same) == 1 else _Block((*same[0].names, f"and {len(same) - 1} more"), rows)
        for rows, same in like.items()
    ]


def _grid(blocks: Sequence[_Block], limit: int) -> list[Line]:
    names = min(max(width(name) for block in blocks for name in block.names), max(_WIDEST_NAME, limit // 3))
    what = max((width(row[0]) for block in blocks for row in block.rows), default=0)
    room = max(limit - names - max(what, 4) - _GAPS, 20)
    rows: list[list[str]] = []
    for block in blocks:
        texts: list[tuple[str, str]] = []
        for label, why in block.rows:
            pieces = wrap(why, room) or [""]
            texts.append((label, pieces[0]))
            texts += [("", piece) for piece in pieces[1:]]
        height = max(len(block.names), len(texts))
        left = (*block.names, *[""] * (height - len(block.names)))
        texts += [("", "")] * (height - len(texts))
        rows += [[name, *pair] for name, pair in zip(left, texts, strict=True)]
    return draw(_COLUMNS, rows, limit)


def _refused(refusal: Refusal, limit: int, everything: bool) -> list[Line]:
    keys = "1 key" if refusal.refused == 1 else f"{refusal.refused:,} keys"
    head = (
        f"load_state_dict of {printable(refusal.checkpoint)} into {printable(refusal.model)} refuses {keys}"
    )
    lines: list[Line] = [((head, "heading"),)]
    sorts = (
        ("missing", refusal.missing),
        ("unexpected", refusal.unexpected),
        (
            "size",
            tuple(
                f"{one.key}: {one.checkpoint} in the checkpoint, {one.model} in the model"
                for one in refusal.mismatched
            ),
        ),
    )
    for label, texts in sorts:
        shown = texts if everything else texts[:_MOST]
        for place, text in enumerate(shown):
            lines += _hanging(f"  {label if not place else '':<10}  ", text, limit, "path")
        if len(texts) > len(shown):
            lines.append(((f"  {'':<10}  and {len(texts) - len(shown):,} more (--all lists them)", "dim"),))
    for cause in refusal.causes:
        lines += _hanging("  likely      ", cause, limit, "note")
    return lines


def _hanging(label: str, text: str, limit: int, style: str) -> list[Line]:
    pieces = wrap(printable(text), max(limit - len(label), 20), break_long_words=False) or [""]
    return [
        ((label if not place else " " * len(label), "dim"), (piece, style))
        for place, piece in enumerate(pieces)
    ]


def to_dict(found: Comparison) -> dict[str, Any]:
    """Return a comparison as dicts, lists, texts and numbers.

    Args:
        found: the comparison.
    """
    counts = {status: found.count(status) for status in ("same", "differs", "only_a", "only_b", "ambiguous")}
    return {
        "schema": SCHEMA,
        "a": _source(found.a),
        "b": _source(found.b),
        "same": found.same,
        "verdict": verdict(found),
        "values_compared": found.valued,
        "counts": counts,
        "layers": [_layer(pair) for pair in found.layers],
        "load_state_dict": _refusal_data(found.refusal),
        "notes": [note.text for note in found.notes],
    }


def _source(model: Model) -> dict[str, Any]:
    return {"source": model.source, "framework": model.framework, "format": model.format}


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
        "checkpoint": refusal.checkpoint,
        "model": refusal.model,
        "missing": list(refusal.missing),
        "unexpected": list(refusal.unexpected),
        "size_mismatches": [
            {"key": one.key, "checkpoint": one.checkpoint, "model": one.model} for one in refusal.mismatched
        ],
        "causes": list(refusal.causes),
    }
