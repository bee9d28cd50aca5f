"""Cuts answers into pages: a tool's answer is read by a model, whose memory is small."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.errors import UsageError
from shapeinspect.text import ascii_json, visible

#: The characters of a page, and the most of one line.
SIZE, _LINE = 8000, 2000
#: How many answers are kept, so that a cursor goes on in the one that it was made for, and their characters.
_KEPT, _KEPT_SIZE = 8, 16 << 20
#: How many entries of a list, and characters of a text, are shown of what is longer than a page.
_SHORTER = ((64, 400), (16, 200), (4, 100), (1, 60), (0, 40))


@dataclass
class Pages:
    r"""The answers of a server, page by page.

    A cursor names an answer and where its next page begins. It goes on in that very answer, also where the
    file has changed since: where the answer is no longer kept, it is made again and has to be the same.

    Args:
        size: the characters of a page.

    Example:
        >>> pages = Pages(size=12)
        >>> print(pages.text(lambda: "one\ntwo\nthree\nfour", None))
        one
        two
        … lines 1 to 2 of 4; the next page: cursor "...:2"
    """

    size: int = SIZE
    _answers: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def text(self, make: Callable[[], str], cursor: str | None) -> str:
        """Return a page of a text, with a last line that says how to go on.

        Args:
            make: makes the whole text.
            cursor: where the page begins; None for the first one.

        Raises:
            UsageError: if the cursor leads nowhere, or the answer is no longer the same.
        """
        whole, name, start = self._answer(lambda: visible(make()), cursor)
        lines = whole.split("\n")
        if start and start >= len(lines):
            raise _no_cursor(cursor)
        end, left = start, self.size
        while end < len(lines) and (end == start or len(lines[end]) < left):
            left -= min(len(lines[end]), _LINE) + 1
            end += 1
        page = [line if len(line) <= _LINE else f"{line[:_LINE]}…" for line in lines[start:end]]
        if end < len(lines) or start:
            rest = f'; the next page: cursor "{name}:{end}"' if end < len(lines) else ""
            page.append(f"… lines {start + 1} to {end} of {len(lines)}{rest}")
        return "\n".join(page)

    def data(self, make: Callable[[], Mapping[str, Any]], cursor: str | None) -> str:
        """Return a page of plain data as JSON: what fits of its longest list, the rest on the first page.

        Where it is not the whole, ``page`` says which entries of which list these are, and the cursor of the
        next ones. Lists and texts that no page can hold are shortened, and say so.

        Args:
            make: makes the whole data.
            cursor: where the page begins; None for the first one.

        Raises:
            UsageError: if the cursor leads nowhere, or the answer is no longer the same.
        """
        whole, name, start = self._answer(lambda: _json(make()), cursor)
        if len(whole) <= self.size and not start:
            return whole
        data = json.loads(whole)
        lists = {key: value for key, value in data.items() if isinstance(value, list)}
        longest = max(lists, key=lambda key: len(_json(lists[key])), default=None)
        if longest is None:
            if start:
                raise _no_cursor(cursor)
            return _json(_shortened(data, self.size))
        items = lists[longest]
        if start and start >= len(items):
            raise _no_cursor(cursor)
        head = {key: value for key, value in data.items() if key != longest} if not start else {}
        page = _shortened(head, self.size // 2)
        left, shown = self.size - len(_json(page)), list[Any]()
        for item in items[start:]:
            fitting = _shortened(item, left) if not shown else item
            left -= len(_json(fitting)) + 2
            if shown and left < 0:
                break
            shown.append(fitting)
        end = start + len(shown)
        about: dict[str, Any] = {"list": longest, "from": start, "to": end, "of": len(items)}
        if end < len(items):
            about["cursor"] = f"{name}:{end}"
        return _json({**page, longest: shown, "page": about})

    def _answer(self, make: Callable[[], str], cursor: str | None) -> tuple[str, str, int]:
        """Return the whole answer, its name, and where the page begins."""
        name, _, position = (cursor or "").rpartition(":")
        if cursor is not None and not (name and position.isdecimal() and len(position) < 12):
            raise _no_cursor(cursor)
        if name in self._answers:
            self._answers.move_to_end(name)
            return self._answers[name], name, int(position)
        whole = make()
        made = hashlib.blake2b(whole.encode(), digest_size=6).hexdigest()
        if name and name != made:
            raise UsageError(
                "the answer is no longer the one that this cursor was made for",
                got=str(cursor)[:80],
                hint="ask again without a cursor, with the same arguments",
            )
        self._answers[made] = whole
        while len(self._answers) > 1 and (
            len(self._answers) > _KEPT or sum(map(len, self._answers.values())) > _KEPT_SIZE
        ):
            self._answers.popitem(last=False)
        return whole, made, int(position or 0)


def _no_cursor(cursor: str | None) -> UsageError:
    return UsageError(
        "this cursor leads to no page",
        expected="the cursor at the end of the page before, or none for the first page",
        got=str(cursor)[:80],
    )


def _json(data: object) -> str:
    """Write data in ASCII: escapes stand for all other characters, so that none acts on a terminal."""
    return ascii_json(json.dumps(data, allow_nan=False))


def _shortened(data: Any, size: int) -> Any:
    """Return data that is no longer than so many characters of JSON, as far as its keys allow."""
    if len(_json(data)) <= size:
        return data
    for entries, characters in _SHORTER:
        shorter = _cut(data, entries, characters)
        if len(_json(shorter)) <= size:
            return shorter
    return {"left_out": f"{len(_json(data)):,} characters; the text form shows them"}


def _cut(data: Any, entries: int, characters: int) -> Any:
    if isinstance(data, str):
        return data if len(data) <= characters else f"{data[:characters]}… ({len(data):,} characters)"
    if isinstance(data, list):
        cut = [_cut(item, entries, characters) for item in data[:entries]]
        return cut if len(data) <= entries else [*cut, f"… {len(data) - entries:,} more"]
    if isinstance(data, dict):
        most = max(4 * entries, 8)
        items = list(data.items())
        cut_items = {
            _cut(key, entries, characters): _cut(value, entries, characters) for key, value in items[:most]
        }
        return cut_items if len(items) <= most else {**cut_items, "…": f"{len(items) - most:,} more"}
    return data
