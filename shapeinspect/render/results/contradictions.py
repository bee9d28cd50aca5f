"""What contradicts a file of weights: a table of expected, got and where from, and what loaders print."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import product

from shapeinspect.ir import Contradiction, Note
from shapeinspect.text import printable

_WIDTH = 80
#: The widest columns of what is expected and what there is.
_WIDEST = 22
_ROWS = 30
_NUMBER = re.compile(r"(?<![^.])\d{1,6}(?![^.])")
_HEADINGS = ("expected", "got", "where from")


def contradicting(source: str, faults: Sequence[Note]) -> str:
    """Return the text for weights that contradict what their file states or what stands beside it.

    Args:
        source: the model, as the user named it.
        faults: what contradicts it.

    Example:
        >>> up = Contradiction("up.weight", "(5, 3)", "(4, 3)", "config.json: width 5")
        >>> print(contradicting("tiny", [Note("its up is cut", fault=True, contradictions=(up,))]))
        "tiny" contradicts itself
          up.weight
            expected  got     where from
            (5, 3)    (4, 3)  config.json: width 5
    """
    lines = [f'"{printable(source, 200)}" contradicts itself']
    for fault in faults:
        if not fault.contradictions:
            text = fault.text if fault.about is None else f"{fault.about}: {fault.text}"
            lines += _wrapped("  at        ", text)
    every = [item for fault in faults for item in fault.contradictions]
    rows = folded(faults)
    lines += _table(rows[:_ROWS])
    if len(rows) > _ROWS:
        lines.append(f"  and {len(rows) - _ROWS:,} more")
    messages = dict.fromkeys(message for item in every for message in item.messages)
    for loader, text in messages:
        lines += _wrapped("  message   ", f"{loader}: {text}")
    return "\n".join(lines)


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        printable(text, 1000),
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * (len(head) + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def folded(faults: Sequence[Note]) -> list[Contradiction]:
    """Return the contradictions of notes; what is the same in many blocks is told once, with their numbers.

    Args:
        faults: the notes.
    """
    groups: dict[tuple[str, ...], list[Contradiction]] = {}
    for item in [item for fault in faults for item in fault.contradictions]:
        key = (_NUMBER.sub("#", item.about), item.expected, item.got, item.origin)
        groups.setdefault(key, []).append(item)
    return [line for group in groups.values() for line in _group(group)]


def _group(items: Sequence[Contradiction]) -> list[Contradiction]:
    names = dict.fromkeys(item.about for item in items)
    numbers = [tuple(int(number) for number in _NUMBER.findall(name)) for name in names]
    places = [sorted(set(place)) for place in zip(*numbers, strict=True)]
    if len(names) < 2 or set(numbers) != set(product(*places)):
        return list({item.about: item for item in items}.values())
    texts = iter([_ranges(place) for place in places])
    first = items[0]
    name = _NUMBER.sub(lambda _: next(texts), first.about)
    return [Contradiction(name, first.expected, first.got, first.origin)]


def _ranges(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return str(numbers[0])
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return "{" + ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found) + "}"


def _table(rows: Sequence[Contradiction]) -> Iterator[str]:
    """Yield each name with its cells below it: names are too long to stand beside them."""
    if not rows:
        return
    cells = [(item.expected, item.got, item.origin) for item in rows]
    widths = [
        min(_WIDEST, max(len(_HEADINGS[place]), *(len(row[place]) for row in cells))) for place in (0, 1)
    ]
    widths.append(_WIDTH - 8 - sum(widths))
    heading = _line(_HEADINGS, widths)
    for item, row in zip(rows, cells, strict=True):
        yield f"  {printable(item.about, 200)}"
        if item is rows[0]:
            yield heading
        columns = [
            textwrap.wrap(printable(text, 400), width, break_on_hyphens=False) or [""]
            for text, width in zip(row, widths, strict=True)
        ]
        for index in range(max(map(len, columns))):
            yield _line([column[index] if index < len(column) else "" for column in columns], widths)


def _line(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "    " + "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True)).rstrip()
