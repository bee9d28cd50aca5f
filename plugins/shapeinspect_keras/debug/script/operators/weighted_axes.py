"""Edits of the axis whose length a layer of the user's reads for a weight, and of a mask of an attention."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from shapeinspect.plugin_api.evidence.edit import number_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.site import argument

_FIRST = -0.7


def built(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that make a weight for the axis that it meets, where it is made for another one.

    Args:
        scene: the failed run.
    """
    found = [*_read(scene)]
    for node, name, shape, index, other in found:
        text = f"{name}[{index}]"
        why = f"`{text}` at {scene.at(node)} is {shape[index]} in {show(shape)}, and the weight that is made "
        why += f"with it meets an axis of {shape[other]}, `{name}[{other}]`"
        edit = (Replacement(node.slice, str(other)),)
        yield Candidate(edit, _FIRST, "weight-axis", why, fact=len(found) == 1)


def _read(scene: Scene) -> Iterator[tuple[ast.Subscript, str, tuple[int | None, ...], int, int]]:
    """Yield where a `build` reads one of two lengths that differ, and the axis that has the other one."""
    aligned = [
        (a, b)
        for one, other in itertools.pairwise(scene.clues.shapes[:2])
        for a, b in zip(reversed(one), reversed(other), strict=False)
        if a != b and 1 not in (a, b)
    ]
    listed = [*scene.clues.pairs[:2], *aligned]
    pairs = {(a, b) for pair in listed for a, b in (pair, pair[::-1])}
    for node in ast.walk(scene.program.tree):
        if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
            continue
        around = scene.program.around(node)
        function = next((item for item in around if isinstance(item, ast.FunctionDef)), None)
        given = [] if function is None or function.name != "build" else function.args.args[1:2]
        index, shape = number_of(node.slice), scene.value(node.value)
        if (
            not any(one.arg == node.value.id for one in given)
            or index is None
            or not isinstance(shape, tuple)
        ):
            continue
        if not -len(shape) <= index < len(shape):
            continue
        others = [axis for axis in range(1, len(shape)) if (shape[index], shape[axis]) in pairs]
        if len(others) == 1:
            yield node, node.value.id, shape, index, -1 if others[0] == len(shape) - 1 else others[0]


def masks(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that give a mask of padded steps the axis of the steps that ask.

    Args:
        scene: the failed run.
    """
    statement = scene.program.covering(scene.reach.last)
    for call in ast.walk(statement) if statement is not None else ():
        node = argument(call, 4, "attention_mask") if isinstance(call, ast.Call) else None
        if node is None or not isinstance(call, ast.Call):
            continue
        query, mask = argument(call, 0, "query"), scene.shape(node)
        value = argument(call, 1, "value")
        asked, read = (scene.shape(item) if item is not None else None for item in (query, value))
        if not mask or not asked or not read or len(mask) != 2 or len(asked) != 3 or len(read) != 3:
            continue
        if mask[1] != read[1] or mask[0] not in (read[0], None) or mask[0] == asked[1]:
            continue
        text = scene.program.source(node)
        text = text if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call) else f"({text})"
        why = f"`{scene.text(node)}` at {scene.at(node)}, {show(mask)}, has one entry for each step that is "
        why += "read, and no axis for the steps that ask: (batch, 1, steps) holds for all of them"
        yield Candidate((Replacement(node, f"{text}[:, None, :]"),), _FIRST, "mask", why, fact=True)


OPERATORS = (built, masks)
