"""What each name and attribute of a script is bound to: by assignments, loops and appends."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.program import Program

#: A part that is one of the entries, whichever; and that of a list to which a value was appended.
EACH, APPENDED = -1, -2


@dataclass(frozen=True, slots=True)
class Place:
    """An expression, or one part of its value.

    Args:
        node: the expression.
        parts: which entry of its value, by its place or its key, which one of that, and so on; ``EACH`` for
            one that is not known, and ``APPENDED`` for a value that is itself appended.
    """

    node: ast.expr
    parts: tuple[int | str, ...] = ()


#: The scope and the name of a variable; without a scope an attribute.
Bound = tuple[ast.AST | None, str]


def bindings(program: Program) -> dict[Bound, list[Place]]:
    """List what is assigned to each name of a scope, and to each attribute.

    Args:
        program: the script.
    """
    found: dict[Bound, list[Place]] = defaultdict(list)
    for node in ast.walk(program.tree):
        for target, place in _targets(node):
            for bound, value in _bound(program, target, place):
                found[bound].append(value)
    return found


def _targets(node: ast.AST) -> Iterator[tuple[ast.expr, Place]]:
    if isinstance(node, ast.Assign):
        yield from ((target, Place(node.value)) for target in node.targets)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, Place(node.value)
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        yield from _turns(node.target, node.iter)
    elif (
        isinstance(node, ast.Expr) and callee_of(node.value) == "append" and isinstance(node.value, ast.Call)
    ):
        function = node.value.func
        if isinstance(function, ast.Attribute) and node.value.args:
            yield function.value, Place(node.value.args[0], (APPENDED,))


def _turns(target: ast.expr, source: ast.expr) -> Iterator[tuple[ast.expr, Place]]:
    """Yield what a loop binds: one entry of what it goes over."""
    name = callee_of(source)
    if isinstance(source, ast.Call) and name == "zip" and isinstance(target, ast.Tuple):
        for item, given in zip(target.elts, source.args, strict=False):
            yield item, Place(given, (EACH,))
    elif isinstance(source, ast.Call) and name == "enumerate" and isinstance(target, ast.Tuple):
        yield from _turns(target.elts[-1], source.args[0]) if source.args else ()
    else:
        yield target, Place(source, (EACH,))


def _bound(program: Program, target: ast.expr, place: Place) -> Iterator[tuple[Bound, Place]]:
    if isinstance(place.node, ast.IfExp):
        for branch in (place.node.body, place.node.orelse):
            yield from _bound(program, target, Place(branch, place.parts))
    elif isinstance(target, ast.Name):
        yield (program.scope(target), target.id), place
    elif isinstance(target, ast.Attribute):
        yield (None, target.attr), place
    elif isinstance(target, ast.Tuple | ast.List):
        for index, item in enumerate(target.elts):
            if not isinstance(item, ast.Starred):
                yield from _bound(program, item, part_of(place, index))


def part_of(place: Place, index: int | str) -> Place:
    """Return one entry of a value, where it is written out its own expression.

    Args:
        place: the value.
        index: which entry.
    """
    node = place.node
    written = isinstance(node, ast.Tuple | ast.List) and not place.parts
    if isinstance(node, ast.Tuple | ast.List) and written and isinstance(index, int):
        return Place(node.elts[index]) if 0 <= index < len(node.elts) else Place(node, (index,))
    return Place(node, (*place.parts, index))
