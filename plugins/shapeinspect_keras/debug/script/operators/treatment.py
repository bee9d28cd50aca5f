"""Edits by which two arrays are treated alike: what is made of one of them, and what each is taken from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.operators.axes import OF_LOSSES
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.script.running import Shaped
from shapeinspect_keras.debug.statements.names import RUNS

Lengths = tuple[int | None, ...]

#: What is taken further away is not what fails.
_NEAR = 3
#: What tells the parts of a data set from each other in a name.
_PARTS = re.compile(r"train(?:ing)?|test(?:ing)?|valid(?:ation)?|val|dev|eval|trn|tst", re.IGNORECASE)


def treated(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that do to an array what the script does to its companion.

    Companions are one part of two sets each, such as ``x_train`` and ``x_test``. Or both are given to a run,
    and a function of the user's is called with one.

    Args:
        scene: the failed run.
    """
    used = [*_used(scene)]
    for statement in ast.walk(scene.program.tree):
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call | ast.Subscript):
            continue
        made = statement.value
        after = scene.shape(made)
        first = _first_array(scene, made)
        if after is None or first is None:
            continue
        before = scene.shape(first)
        if before is None or before[1:] == after[1:]:
            continue
        own = isinstance(made, ast.Call) and callee_of(made) in scene.functions
        for node, far in used:
            shape = scene.shape(node)
            siblings = _PARTS.search(node.id) and _stem(node.id) == _stem(first.id)
            if node.id == first.id or shape is None or not (siblings or own):
                continue
            if shape[1:] != before[1:] and not (own and shape[1:-1] == before[1:-1] and len(shape) > 2):
                continue
            text = re.sub(rf"\b{first.id}\b", node.id, scene.program.line(made))
            what = f"`{first.id}` of {show(before)} becomes {show(after)} at {scene.at(made)}"
            why = f"{what}, and nothing does the same to `{node.id}` of {show(shape)}"
            yield Candidate((Replacement(node, text),), 0.6 + 0.1 * far, "", why)


def _first_array(scene: Scene, made: ast.expr) -> ast.Name | None:
    """Return the array that a call or a subscript is about; none that a network makes."""
    for node in ast.walk(made):
        if isinstance(node, ast.Name) and scene.shape(node):
            kinds = {value.kind for value in scene.values(node) if isinstance(value, Shaped)}
            return None if "keras" in kinds else node
    return None


def _used(scene: Scene) -> Iterator[tuple[ast.Name, float]]:
    """Yield the names of arrays that are given to a run, or on their way there, and how far each is."""
    given: set[str] = set()
    names = [node for node in scene.near if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    for node in names:
        if any(
            isinstance(outer, ast.Call) and callee_of(outer) in RUNS for outer in scene.program.around(node)
        ):
            given.add(node.id)
            yield node, 1.0
    for node in names:
        outer = scene.program.statement(node)
        target = outer.targets[0] if isinstance(outer, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id == node.id and node.id in given:
            yield node, 0.0  # x = x.astype(...): the array is prepared here


def sources(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that take what is fed from another array of as many samples, which has the wanted lengths.

    Args:
        scene: the failed run.
    """
    wanted = {shape[1:] for shape in scene.clues.shapes if len(shape) > 1}
    arrays: dict[str, Lengths] = {}
    for node in ast.walk(scene.program.tree):
        target = node.targets[0] if isinstance(node, ast.Assign) else node
        shape = scene.shape(node.value if isinstance(node, ast.Assign) else node)
        if isinstance(target, ast.Name) and shape:
            arrays[target.id] = shape
    every = [(one, pair) for one in ast.walk(scene.program.tree) if (pair := _taken(one)) is not None]
    for statement, (name, taken) in every:
        if scene.reach.of(statement) > _NEAR:
            continue
        shape = scene.shape(taken)
        if not shape or not any(_given(scene, name)):
            continue
        for other, lengths in arrays.items():
            alike = lengths[0] == shape[0] and lengths[1:] != shape[1:] and lengths[1:] in wanted
            if other in (taken.id, name) or not alike:
                continue
            same = [part for _, (to, part) in every if part.id == taken.id and _stem(to) == _stem(name)]
            why = f"`{name}` is taken from `{taken.id}` of {show(shape)} at {scene.at(taken)}"
            why += f", and `{other}` is {show(lengths)}"
            whole = tuple(Replacement(part, other) for part in same)
            yield Candidate(whole, 0.7, "", why)
            if len(whole) > 1:
                yield Candidate((Replacement(taken, other),), 1.2, "", why)


def _taken(statement: ast.AST) -> tuple[str, ast.Name] | None:
    """Return the name that a statement gives a part of an array, and that array."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return None
    value = statement.value.value if isinstance(statement.value, ast.Subscript) else None
    return (statement.targets[0].id, value) if isinstance(value, ast.Name) else None


def _given(scene: Scene, name: str) -> Iterator[bool]:
    """Tell of each use of an array whether it is given to a run, as targets where those are refused."""
    losses = OF_LOSSES.search(scene.message) is not None
    for node in scene.near:
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            around = [node, *scene.program.around(node)]
            run = next((one for one in around if isinstance(one, ast.Call) and callee_of(one) in RUNS), None)
            outer = around[1]
            first = (
                outer.elts[:1] if isinstance(outer, ast.Tuple) else run.args[:1] if run is not None else []
            )
            yield run is not None and not (losses and node in first)


def _stem(name: str) -> str:
    """Return a name without what tells the part of the data set."""
    return _PARTS.sub("", name)


def unit_axes(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that take the only entry of an axis that is too many, where the rest is what is read.

    Args:
        scene: the failed run.
    """
    if scene.clues.rank >= 0:
        return
    for node in scene.near:
        outer = scene.program.parents.get(node)
        made = isinstance(outer, ast.Return | ast.Assign) and outer.value is node
        given = isinstance(outer, ast.Call) and node in outer.args
        shape = scene.shape(node) if made or given else None
        if not shape or not isinstance(node, ast.expr):
            continue
        for axis in (*range(1, len(shape)), 0):
            if shape[axis] != 1 or not _is_read(scene, (*shape[:axis], *shape[axis + 1 :])):
                continue
            if axis == 0 and shape[1] != 1 and None in (scene.clues.shapes or ((1,),))[0][:1]:
                continue  # the samples
            text = scene.program.line(node)
            plain = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
            index = "[..., 0]" if axis == len(shape) - 1 > 1 else f"[{':, ' * axis}0]"
            why = (
                f"`{scene.text(node)}` at {scene.at(node)} is {show(shape)}: its axis {axis} is one too many"
            )
            new = f"{text if plain else f'({text})'}{index}"
            prior = 0.7 + 0.2 * given + 0.1 * isinstance(outer, ast.Assign) + 0.1 * (axis == 0)
            yield Candidate((Replacement(node, new),), prior, "extra-axis", why)


def _is_read(scene: Scene, shape: Lengths) -> bool:
    """Tell whether a shape is one that the failure speaks of, apart from its first axis."""
    told = (other for other in scene.clues.shapes if len(other) == len(shape) > 1)
    return any(
        all(one is None or one == length for one, length in zip(other[1:], shape[1:], strict=True))
        for other in told
    )


OPERATORS = (treated, sources, unit_axes)
