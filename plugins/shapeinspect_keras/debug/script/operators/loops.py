"""Edits of how often a loop runs, where the steps that it collects are joined to one length."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene
from shapeinspect_keras.debug.script.operators.flags import JOINS
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.site import calls_in

#: What puts the entries of a list into one array.
_STACKS = JOINS | {"stack", "hstack", "vstack"}


def collected(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of the number of turns of a loop whose entries together have one of two sizes that differ.

    Args:
        scene: the failed run.
    """
    pairs = [pair for one, other in scene.clues.pairs[:4] for pair in ((one, other), (other, one))]
    for loop in ast.walk(scene.program.tree):
        if not isinstance(loop, ast.For) or callee_of(loop.iter) != "range" or not _collects(scene, loop):
            continue
        turns = getattr(loop.iter, "args", [])[-1:]
        count = scene.value(turns[0]) if len(turns) == 1 else None
        if type(count) is not int or count < 2:
            continue
        for old, new in pairs:
            each, rest = divmod(old, count)
            place = _written(scene, turns[0], count)
            if rest or each < 1 or new % each or place is None:
                continue
            one = f"{old} = {count}·{each}" if each > 1 else str(old)
            other = f"{new} = {new // each}·{each}" if each > 1 else str(new)
            why = f"the entries of the loop at {scene.at(loop)} are joined: "
            why += f"`{scene.text(turns[0])}` = {count} turns, and {one}; {other}"
            edit = (Replacement(place, str(new // each)),)
            yield Candidate(edit, 0.7, "", why, fact=True)


def _collects(scene: Scene, loop: ast.For) -> bool:
    """Tell whether a loop appends to a list that the code around it joins."""
    lists = {scene.program.source(call.func.value) for call in calls_in(loop, "append")
             if isinstance(call.func, ast.Attribute)}  # fmt: skip
    joins = calls_in(scene.program.scope(loop), *_STACKS)
    return any(call.args and scene.program.source(call.args[0]) in lists for call in joins)


def _written(scene: Scene, node: ast.expr, count: int) -> ast.Constant | None:
    """Return the one place where a number is written, as it stands or under the name that is read."""
    if isinstance(node, ast.Constant):
        return node
    name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
    found: list[ast.expr] = []
    for item in ast.walk(scene.program.tree) if name else ():
        if isinstance(item, ast.Assign):
            names = [getattr(target, "id", getattr(target, "attr", "")) for target in item.targets]
            found += [item.value] if name in names else []
        elif isinstance(item, ast.keyword) and item.arg == name:
            found.append(item.value)
    numbers = [item for item in found if isinstance(item, ast.Constant) and item.value == count]
    return numbers[0] if len(numbers) == 1 else None


OPERATORS = (collected,)
