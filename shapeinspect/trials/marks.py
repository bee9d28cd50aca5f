"""Marks in a user's source that tell which of the statements that were running run to their end."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

#: The function that a mark calls with the number of its statement, and with a value that it returns.
NAME = "__shapeinspect_passed__"


@dataclass(frozen=True, slots=True)
class Running:
    """A place of the user's that was running when a script failed.

    Args:
        file: the file, by its path in the script's folder.
        line: the line, counted from 1.
        code: the name of the code that it stands in, such as ``<lambda>``; empty for unknown.
        empty: the names of arrays that had an axis of length 0 there.
        inner: whether it is the innermost one, at which the script failed.
    """

    file: str
    line: int
    code: str = ""
    empty: tuple[str, ...] = ()
    inner: bool = False


def moved(before: str, after: str, line: int) -> int:
    r"""Return where a line stands after a change of one part of the text.

    Args:
        before: the text.
        after: the text with the change.
        line: the line in the text, counted from 1.

    Example:
        >>> moved("a\nb\nc\n", "a\nnew\nb\nc\n", 3)
        4
    """
    old, new = before.split("\n"), after.split("\n")
    if len(old) == len(new):
        return line
    same = next((index for index, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), None)
    if same is None or line <= same:
        return line
    return max(line + len(new) - len(old), same + 1)


def is_empty(value: object) -> bool:
    """Tell whether an array has an axis of length 0.

    Args:
        value: anything.
    """
    try:
        return 0 in tuple(getattr(value, "shape", ()))
    except Exception:  # noqa: BLE001  # a class of the user's whose shape is no tuple: no array
        return False


def marked(tree: ast.Module, places: Iterable[tuple[int, Running]]) -> ast.Module:
    """Put a mark where each place's statement has run to its end.

    A loop or a block counts when its body begins, a condition when it is known. For a ``raise`` of the user's
    own the condition counts under which it stands.

    Args:
        tree: the module; it is changed.
        places: each place with its number.
    """
    for number, place in places:
        if place.code in ("<lambda>", "<genexpr>"):
            _inside(tree, number, place)
            continue
        found = [*_at(tree.body, place.line, ())]
        if not found:
            continue
        chain = max(found, key=lambda chain: (len(chain), chain[-1].lineno, chain[-1].col_offset))
        if isinstance(chain[-1], ast.Raise):
            chain = chain[:-1]
        if chain:
            _mark(tree, chain, number)
    return ast.fix_missing_locations(tree)


def _inside(tree: ast.Module, number: int, place: Running) -> None:
    """Mark the value of each small function of a line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and place.code == "<lambda>":
            if place.line in _lines(node.body):
                node.body = _call(number, node.body)
        elif isinstance(node, ast.GeneratorExp) and place.code == "<genexpr>" and place.line in _lines(node):
            node.elt = _call(number, node.elt)


def _lines(node: ast.expr | ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _at(body: Sequence[ast.stmt], line: int, outer: tuple[ast.stmt, ...]) -> Iterator[tuple[ast.stmt, ...]]:
    """Yield the statements of a line, each behind those around it."""
    for statement in body:
        decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
        if line in _lines(statement) or any(line in _lines(one) for one in decorators):
            yield (*outer, statement)
        for block in _blocks(statement):
            yield from _at(block, line, (*outer, statement))


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        yield getattr(statement, name, [])
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def _mark(tree: ast.Module, chain: tuple[ast.stmt, ...], number: int) -> None:
    node = chain[-1]
    if isinstance(node, ast.Return):
        node.value = _call(number, node.value or ast.Constant(None))
    elif isinstance(node, ast.If | ast.While):
        node.test = _call(number, node.test)
    elif isinstance(node, ast.Match):
        node.subject = _call(number, node.subject)
    elif isinstance(node, ast.For | ast.AsyncFor | ast.With | ast.AsyncWith | ast.Try):
        node.body.insert(0, ast.copy_location(ast.Expr(_call(number)), node))
    else:
        around = [tree.body] if len(chain) == 1 else [*_blocks(chain[-2])]
        block = next(block for block in around if any(one is node for one in block))
        place = next(index for index, one in enumerate(block) if one is node)
        block.insert(place + 1, ast.copy_location(ast.Expr(_call(number)), node))


def _call(number: int, *value: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(NAME, ast.Load()), [ast.Constant(number), *value], [])
