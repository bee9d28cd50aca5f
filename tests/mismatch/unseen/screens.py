"""What the debugger prints of an error, taken apart."""

from __future__ import annotations

import re
from typing import NamedTuple


class Screen(NamedTuple):
    """What the debugger printed, taken apart."""

    layer: str | None
    text: str
    at: int | None
    inputs: dict[str, tuple[str, tuple[int | None, ...]]]
    fixes: list[str]


def read(stderr: str, name: str) -> Screen:
    """The first diagnosis on the screen."""
    start = stderr.find("shapeinspect:")
    if start < 0:
        return Screen(None, "", None, {}, [])
    text = stderr[start:]
    flat = re.sub(r"\s*\n\s+", " ", text.split("\n  fix ")[0])
    layer = re.search(r'layer "([^"]*)"', flat)
    at = re.search(rf"{name}\.py:(\d+)", text)
    inputs = {}
    rows = re.sub(r"\n {14}(?=\S)", " ", text)
    for row in re.finditer(
        r"^(?:  (?:came by|via    )   | {12})(\S+) +input +(?:([^=\n]*?) ?= )?\(([\d?, ]*)\)",
        rows,
        re.MULTILINE,
    ):
        sizes = tuple(int(s) if s.strip().isdigit() else None for s in row[3].split(",") if s.strip())
        inputs.setdefault(row[1], (row[2] or "", sizes))
    return Screen(layer[1] if layer else None, text, int(at[1]) if at else None, inputs, fixes_of(text))


def fixes_of(text: str) -> list[str]:
    """The fixes in their order, wrapped lines joined."""
    found = re.search(
        r"^  fix {7}(.*?)(?=^            \((?:it|each|\w+ (?:of|was))|^  \S|^\S|\Z)", text, re.M | re.S
    )
    if not found:
        return []
    joined = re.sub(r"\n {14}(?=\S)", " ", found[1]).strip()
    return [re.sub(r"\s+", " ", one).strip() for one in re.split(r"\n {12}or ", joined)]
