"""What an edit of a word or a small number tells, by which a program chooses: which size follows from it."""

from __future__ import annotations

import ast
from typing import Any

from shapeinspect.plugin_api.evidence.edit import Edit, number_of
from shapeinspect.plugin_api.evidence.edit_sizes import placed

#: Larger numbers are sizes themselves.
_LARGEST = 8


def choice(edit: Edit) -> str:
    """Say what a word is, and which size follows from it; empty where the edit is of none.

    Args:
        edit: the edit.
    """
    old, new = (_word(one) for one in (edit.old, edit.new))
    if old is None or new is None:
        return ""
    told = follows(edit, edit.new) or _elsewhere(edit, new)
    if not told and edit.after is None:  # nothing more is known of it than that it runs
        told = f'; the script runs with "{new}"'
    return f'{placed(edit)} is "{old}"{told}'


def switch(edit: Edit) -> str:
    """Say what a small number is, and which size follows from it; empty where none is known.

    Args:
        edit: the edit.
    """
    numbers = [number_of(one) for one in (edit.old, edit.new)]
    small = all(one is not None and abs(one) < _LARGEST for one in numbers)
    told = follows(edit, edit.new) if small else ""
    return f"{placed(edit)} is {numbers[0]}{told}" if told else ""


def _elsewhere(edit: Edit, word: str) -> str:
    """Say where the same is set to another word."""
    around = edit.trace.parents.get(edit.old)
    if not isinstance(around, ast.Dict) or edit.old not in around.values:
        return ""
    key = ast.dump(around.keys[around.values.index(edit.old)] or edit.old)
    for node in edit.trace.homes:
        for other, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
            if other is not None and ast.dump(other) == key and _word(value) == word:
                return f'; "{word}" in {edit.trace.line(value)}'
    return ""


def follows(edit: Edit, word: Any) -> str:
    """Say which size of the script is another one with a word or number; empty where none is known.

    Args:
        edit: the edit that puts it in its place.
        word: the word or number.
    """
    said = f'"{_word(word)}"' if _word(word) is not None else number_of(word)
    if said is None or edit.after is None:
        return ""
    for place, node in sorted(edit.trace.by_place.items()):
        named = isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load)
        if not named or node.lineno == edit.old.lineno:
            continue
        before, after = (one.ended.values.get(place, ()) for one in (edit.trace, edit.after))
        if before == after or [*{*after}] == [number_of(word)]:  # it is the number itself
            continue
        if all(len({*one}) == 1 and type(one[0]) is int for one in (before, after)):
            size = f"{edit.code(node)} is {after[0]} instead of {before[0]}, {edit.trace.line(node)}"
            return f"; with {said}, {size}"
    return ""


def _word(node: Any) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
