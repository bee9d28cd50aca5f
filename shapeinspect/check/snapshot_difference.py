"""How two snapshots differ, layer by layer, and setting by setting."""

from __future__ import annotations

import re
from typing import TypeAlias

from shapeinspect.check.snapshot import HEADER, OTHERS
from shapeinspect.check.snapshot_settings import SHORT

#: A slot of weights, before its axes.
_SLOT = re.compile(r"[a-z][a-z_0-9.]* \S")
#: A setting: its name, or its short name, and its value.
_NAMED = re.compile(r"([a-zA-Z_0-9]+)=(.*)")
_LETTERS = {letter: (name, usual) for name, (letter, usual) in SHORT.items()}
_LETTER = re.compile(rf"({'|'.join(sorted(_LETTERS, key=len, reverse=True))})([-=\d?].*)")
_SOURCE = re.compile(rf"{re.escape(HEADER)}, of a model of (.+)")

#: The cells of a layer, each with its column's name.
_Row: TypeAlias = "tuple[tuple[str, str], ...]"


def source(snapshot: str) -> str | None:
    r"""Return the framework and the format whose settings a snapshot holds; None if it holds none.

    Args:
        snapshot: the text.

    Example:
        >>> source("# layers with weights, in the common convention, of a model of torch (live)\n")
        'torch (live)'
    """
    first = snapshot.partition("\n")[0].strip()
    match = _SOURCE.fullmatch(first)
    return None if match is None else match.group(1)


def difference(before: str, after: str) -> str:
    r"""Write how two snapshots differ, layer by layer, whatever their order.

    Layers are found by their names: a port may run parallel branches in another order. A setting that only
    one of two frameworks states is not compared, nor are layers without weights: these differ by nature.

    Args:
        before: the kept snapshot.
        after: the new one.

    Returns:
        The layers that differ, with their neighbors, and below a changed layer what changed; an empty
        text if the snapshots are equal apart from spacing.

    Example:
        >>> print(difference("fc  linear  3→5\n", "fc  linear  3→7\n"))
        - fc  linear  3→5
        + fc  linear  3→7
              3→5 changed to 3→7
    """
    kept, other = before.partition(OTHERS), after.partition(OTHERS)
    alike = source(before) == source(after)
    parts = [_part(kept[0], other[0], alike)]
    if alike:
        parts.append(_part(kept[2], other[2], alike))
    return "\n".join(part for part in parts if part)


def _part(before: str, after: str, alike: bool) -> str:
    """Write how one list of layers differs; where the sources differ, by the settings that both state."""
    old, new = _rows(before), _rows(after)
    if not alike:
        for name in old.keys() & new.keys():
            old[name], new[name] = _shared(old[name], new[name])
    names = _merged(list(old), list(new))
    changed = [at for at, name in enumerate(names) if old.get(name) != new.get(name)]
    shown = sorted({near for at in changed for near in (at - 1, at, at + 1) if 0 <= near < len(names)})
    lines: list[str] = []
    for last, at in zip([-1, *shown], shown, strict=False):
        if at > last + 1:
            lines.append("  …")
        was, now = old.get(names[at]), new.get(names[at])
        if was == now:
            lines += [f"  {_line(now)}"]
            continue
        lines += [f"- {_line(was)}"] if was else []
        lines += [f"+ {_line(now)}"] if now else []
        lines += _cells(was, now) if was and now else []
    if lines and shown[-1] < len(names) - 1:
        lines.append("  …")
    return "\n".join(lines)


def _shared(old: _Row, new: _Row) -> tuple[_Row, _Row]:
    """Leave out the settings that only one of two rows states; the short ones have a usual value."""
    stated = [dict(row).get("settings", "").split() for row in (old, new)]
    named = [{match.group(1) for word in words if (match := _NAMED.fullmatch(word))} for words in stated]
    lone = named[0] ^ named[1]

    def cell(name: str, text: str) -> tuple[str, str]:
        if name != "settings":
            return name, text
        kept = [
            word for word in text.split() if (match := _NAMED.fullmatch(word)) is None or match[1] not in lone
        ]
        return name, " ".join(kept)

    return tuple(cell(*pair) for pair in old), tuple(cell(*pair) for pair in new)


def _line(row: _Row | None) -> str:
    return "  ".join(cell for _, cell in row or () if cell)


def _merged(old: list[str], new: list[str]) -> list[str]:
    """Return all names in the old order, each new name after the one that it follows."""
    names = list(old)
    for at, name in enumerate(new):
        if name not in names:
            names.insert(names.index(new[at - 1]) + 1 if at else 0, name)
    return names


def _rows(snapshot: str) -> dict[str, _Row]:
    """Read a snapshot: the cells of each layer, with their columns."""
    lines = [line for line in snapshot.splitlines() if line.strip() and not line.startswith("#")]
    heads: list[tuple[str, int, int | None]] = []
    if lines and lines[0].split()[:2] == ["layer", "kind"]:
        words = [(match.group(), match.start()) for match in re.finditer(r"\S+", lines.pop(0))]
        ends = [start for _, start in words[1:]]
        heads = [(name, start, end) for (name, start), end in zip(words, [*ends, None], strict=True)]
    rows: dict[str, _Row] = {}
    for line in lines:
        row: _Row = tuple((name, line[start:end].strip()) for name, start, end in heads)
        if not heads:
            row = tuple(("", cell) for cell in re.split(r" {2,}", line.strip()))
        rows[row[0][1]] = row
    return rows


def _cells(was: _Row, now: _Row) -> list[str]:
    """Write the axes and settings that differ, column by column."""
    lines = []
    before, after = dict(enumerate(was)), dict(enumerate(now))
    for index in range(max(len(before), len(after))):
        name, old = before.get(index, ("", ""))
        name, new = after.get(index, (name, ""))
        if old != new:
            head = f"{name:<8}  " if name else ""
            changes = _settings(old, new) if name == "settings" else _changes(_pieces(old), _pieces(new))
            lines += [f"      {head}{change}" for change in changes]
    return lines


def _settings(old: str, new: str) -> list[str]:
    """Return how two cells of settings differ, by the full names of the settings."""
    before, after = (dict(map(_setting, cell.split())) for cell in (old, new))
    for name, (_, usual) in SHORT.items():
        if usual and (name in before) != (name in after):  # the usual value is not written
            before.setdefault(name, [usual])
            after.setdefault(name, [usual])
    return _changes(before, after)


def _setting(word: str) -> tuple[str, list[str]]:
    named = _NAMED.fullmatch(word)
    if named is not None:
        return named.group(1), [named.group(2)]
    short = _LETTER.fullmatch(word)
    return ("", [word]) if short is None else (_LETTERS[short.group(1)][0], [short.group(2).lstrip("=")])


def _changes(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """Return how the pieces of two cells differ: by an axis of a weight, or a setting."""
    removed = [f"{name} was removed" for name in before if name and name not in after]
    added = [f"{name} is new: {' '.join(after[name])}" for name in after if name and name not in before]
    changed = []
    for name, left in before.items():
        right, of = after.get(name, []), f"{name} " if name else ""
        if name not in after or left == right:
            continue
        if len(left) == len(right):
            changed += [f"{of}{a} changed to {b}" for a, b in zip(left, right, strict=True) if a != b]
        else:
            changed.append(f"{of}{' '.join(left) or 'nothing'} changed to {' '.join(right) or 'nothing'}")
    return changed + removed + added


def _pieces(cell: str) -> dict[str, list[str]]:
    """Split a cell: the axes of each weight by its slot, or the words of any other cell."""
    if _SLOT.match(cell):
        return {part.split()[0]: part.split()[1:] for part in cell.split(", ")}
    return {"": cell.split()}
