"""The table of a load that was refused: which keys load, and which do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shapeinspect.plugin_api.facts import KeyedLoad
from shapeinspect.rules.rule import show
from shapeinspect.text import printable

#: At most so many keys are listed of those with another shape, and of the others.
_RESHAPED, _LISTED = 4, 3
#: Cells for the keys of one row.
_WIDTH = 38
#: Cells for a key with both of its shapes.
_LINE = 53


def key_rows(fact: KeyedLoad) -> list[str]:
    r"""Write the table, one line a row.

    Args:
        fact: what is known of the load.

    Example:
        >>> fact = KeyedLoad("keys-missing", (), ("a.weight", "a.bias"), (), ("b.weight",))
        >>> print(*key_rows(fact), sep="\n")
        loaded      2  a.weight, a.bias
        missing     1  b.weight
    """
    rows: list[tuple[str, str, str]] = []
    shapes = [
        f"{printable(key, 60)}: {show(stored)}, wanted {show(own)}" for key, stored, own in fact.reshaped
    ]
    for label, count, texts in (
        ("loaded", len(fact.loaded), [_listed(fact.loaded)]),
        ("reshaped", len(shapes), _folded(shapes)),
        ("skipped", len(fact.skipped), [_listed(fact.skipped)]),
        ("missing", len(fact.missing), [_listed(fact.missing)]),
        ("unexpected", len(fact.unexpected), [_listed(fact.unexpected)]),
    ):
        if count:
            rows += [
                (label if not index else "", str(count) if not index else "", text)
                for index, text in enumerate(texts)
            ]
    if not fact.loaded and rows:
        rows.insert(0, ("loaded", "0", ""))
    width = max((len(count) for _, count, _ in rows), default=0)
    return [f"{label:<10}  {count:>{width}}  {text}".rstrip() for label, count, text in rows]


def _sizes(key: str, stored: tuple[int, ...], own: tuple[int, ...]) -> str:
    """Write both shapes of a key, whose beginning is left out if the line is too long."""
    text = f"{show(stored)}, wanted {show(own)}"
    name, room = printable(key, 60), max(_LINE - len(text) - 2, 12)
    return f"{name if len(name) <= room else '…' + name[1 - room :]}: {text}"


def _listed(keys: Sequence[str]) -> str:
    """Name the first keys, as many as fit into a line, and count the others."""
    shown = list(_fitting(keys))
    rest = len(keys) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")


def _fitting(keys: Sequence[str]) -> Iterator[str]:
    used = 0
    for index, key in enumerate(keys[:_LISTED]):
        name = printable(key, 60)
        used += len(name) + 2
        if index and used > _WIDTH:
            return
        yield name


def _folded(texts: Sequence[str]) -> list[str]:
    if len(texts) <= _RESHAPED + 1:
        return list(texts)
    return [*texts[:_RESHAPED], f"and {len(texts) - _RESHAPED:,} more"]
