"""Edits that a message itself asks for: an axis that is there, a count, a layer that joins, a loss."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from shapeinspect.plugin_api.edit_words import AXIS_ARGUMENTS
from shapeinspect.plugin_api.evidence.edit import number_of
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.edit_words import WORDS
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.operators.flags import numbered
from shapeinspect_keras.debug.script.operators.numbers import FILLED
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.names import RUNS
from shapeinspect_keras.debug.statements.site import calls_in
from shapeinspect_keras.debug.statements.targets import OTHER_LOSS, stated

#: What NumPy, TensorFlow and Keras say of an axis that an array does not have.
_AXIS = (
    re.compile(r"axis (?P<axis>-?\d+) is out of bounds for array of dimension (?P<rank>\d+)"),
    re.compile(r"Invalid reduction dimension \(?(?P<axis>-?\d+)\)? for input with (?P<rank>\d+) dim"),
    re.compile(r"Expected dimension in the range \[-(?P<rank>\d+), \d+\), but got (?P<axis>-?\d+)"),
    re.compile(r"dim (?P<axis>-?\d+) not in the interval \[-?(?P<rank>\d+)"),
)
_COUNTS = re.compile(
    r"cardinality is ambiguous.*?sizes: (?P<x>[\d, ]+)(?:\s*'y' sizes: (?P<y>[\d, ]+))?", re.S
)
_SEVERAL = re.compile(r"expects 1 input\(s\), but it received (\d+) input tensors")
#: Losses of indices, each with that of targets like the outputs, and the other way round; also in words.
_OF_INDICES = {
    "SparseCategoricalCrossentropy": OTHER_LOSS["SparseCategoricalCrossentropy"],
    "sparse_categorical_crossentropy": "categorical_crossentropy",
}
_LIKE_OUTPUTS = {
    **{like: sparse for sparse, like in _OF_INDICES.items()},
    "BinaryCrossentropy": "SparseCategoricalCrossentropy",
    "binary_crossentropy": "sparse_categorical_crossentropy",
}
#: Functions that make a row of numbers of each class index.
_MAKE_ROWS = ("to_categorical", "one_hot", "get_dummies")
#: Two sizes that are no further apart may differ by a term of a sum.
_APART = 4
#: What a message asks for comes first, though it changes the data or the loss.
_FIRST = -19.0


def axes_outside(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that take an axis which the array has.

    Args:
        scene: the failed run.
    """
    match = next(filter(None, (pattern.search(scene.message) for pattern in _AXIS)), None)
    if match is None:
        return
    axis, rank = int(match["axis"]), int(match["rank"])
    for node in scene.near if rank else ():
        outer = scene.program.parents.get(node)
        named = isinstance(outer, ast.keyword) and outer.arg in AXIS_ARGUMENTS
        last = isinstance(outer, ast.Call) and node in outer.args[-1:]
        if number_of(node) != axis or not (named or last):
            continue
        # the last argument of another function may be anything
        certain = named or callee_of(outer) in WORDS.axes
        why = f"axis {axis} is asked for at {scene.at(node)}, and the array has {rank} axes, 0 to {rank - 1}"
        for place, new in enumerate((-1, *range(rank - 2, -1, -1))):
            prior = 0.6 + 0.1 * place + scene.far(node)
            edit = (Replacement(node, str(new)),)
            yield Candidate(edit, prior, "", why if certain else "", fact=certain and not place)


def counts(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of an array that is made for another number of samples than the others have.

    Args:
        scene: the failed run.
    """
    match = _COUNTS.search(scene.message)
    if match is None:
        return
    told = [int(one) for one in re.findall(r"\d+", f"{match['x']}, {match['y'] or ''}")]
    for node in scene.near:
        outer = scene.program.parents.get(node)
        call = scene.program.parents.get(outer) if outer is not None else None
        first = isinstance(outer, ast.Tuple) and outer.elts[:1] == [node] and isinstance(call, ast.Call)
        number = number_of(node)
        if not first or number not in told or callee_of(call) not in FILLED:
            continue
        why = f"`{scene.text(call)}` at {scene.at(node)} makes {number} samples" if call is not None else ""
        for new in dict.fromkeys(one for one in told if one != number):
            prior = _FIRST + scene.far(node)
            yield Candidate((Replacement(node, str(new)),), prior, "", f"{why}, not {new}")


def joined(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that join the tensors of a list which is given to a layer of one input.

    Args:
        scene: the failed run.
    """
    match = _SEVERAL.search(scene.message)
    if match is None:
        return
    for node in scene.near:
        if not isinstance(node, ast.List) or len(node.elts) != int(match[1]):
            continue
        shapes = [scene.shape(item) for item in node.elts]
        if None in shapes or len({len(shape or ()) for shape in shapes}) > 1:
            continue
        given = " and ".join(show(shape or ()) for shape in shapes)
        why = f"`{scene.text(node)}` at {scene.at(node)} is a list of {given}, which nothing joins"
        text = scene.program.source(node)
        alike = len({shape[:-1] for shape in shapes if shape is not None}) == 1
        for place, name in enumerate(("Concatenate", "Add") if len(set(shapes)) == 1 else ("Concatenate",)):
            if alike:
                layer, imported = scene.layer(name)
                edits = (Replacement(node, f"{layer}()({text})"), *imported)
                yield Candidate(edits, 0.7 + 0.2 * place + scene.far(node), "", why)


def losses(scene: Scene) -> Iterator[Candidate]:
    """Yield the loss that takes the targets as they are: a class index each, or one number for each class.

    Args:
        scene: the failed run.
    """
    target, output = stated(scene.message) or ((), ())
    if not target or not output:
        return
    indices = target[1:] == output[1:-1] or (len(target) == len(output) and target[-1] == 1)
    others = _LIKE_OUTPUTS if indices and output[-1] != 1 else _OF_INDICES if target == output else {}
    for node in ast.walk(scene.program.tree):
        if isinstance(node, ast.Attribute) and node.attr in others:
            new = f"{scene.program.source(node.value)}.{others[node.attr]}"
        elif isinstance(node, ast.Constant) and node.value in others:
            new = repr(others[node.value]).replace("'", '"')
        else:
            continue
        takes = "one number for each class" if indices else "a class index each"
        why = f"`{scene.text(node)}` at {scene.at(node)} takes {takes}, and the targets are {show(target)}"
        told = numbered(scene, node) if indices and isinstance(node, ast.Constant) else ""
        cause = "labels-for-classes" if told else ""
        own = _compiled(scene, node)
        rows = "" if indices or not own else _rows(scene, node, target)
        apart = 0.0 if own else -_FIRST
        text, fact = told or rows or why, bool(told or rows)
        yield Candidate((Replacement(node, new),), _FIRST + apart, cause, text, fact=fact)


def _rows(scene: Scene, node: ast.expr, target: tuple[int | None, ...]) -> str:
    """Say that the targets have a number for each class, and what made them so."""
    told = f"`{scene.text(node)}` at {scene.at(node)} takes the index of one class, and the targets, "
    told += f"{show(target)}, have a number for each of {target[-1]} classes"
    makers = [
        call
        for call in calls_in(scene.program.tree, *_MAKE_ROWS)
        if (shape := scene.shape(call)) and shape[1:] == target[1:]
    ]
    return f"{told}, by `{scene.text(makers[0])}` at {scene.at(makers[0])}" if makers else told


def _compiled(scene: Scene, node: ast.AST) -> bool:
    """Tell whether the model that was running is compiled with a part of the script."""
    calls = [one for one in scene.near if isinstance(one, ast.Call) and callee_of(one) in RUNS]
    running = min(calls, key=scene.reach.of, default=None)
    around = next((one for one in scene.program.around(node) if _is_compile(one)), None)
    owners = [getattr(one, "func", None) for one in (running, around)]
    names = [scene.program.source(one.value) for one in owners if isinstance(one, ast.Attribute)]
    return len(names) == 2 and names[0] == names[1]


def _is_compile(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and callee_of(node) == "compile"


def terms(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a small number that is added or taken away, by as much as two sizes differ.

    Args:
        scene: the failed run.
    """
    for old, new in scene.clues.sure[:1] or scene.clues.pairs[:1]:
        gap = abs(old - new)
        for node in scene.near if 0 < gap <= _APART else ():
            outer = scene.program.parents.get(node)
            summed = isinstance(outer, ast.BinOp) and isinstance(outer.op, ast.Add | ast.Sub)
            number = number_of(node) if isinstance(node, ast.Constant) else None
            if not summed or number is None or number > _APART:
                continue
            for other in (number + gap, number - gap):
                if other >= 0:
                    why = f"`{scene.text(outer)}` at {scene.at(node)}; with {other} there the sizes fit"  # type: ignore[arg-type]  # it is one
                    yield Candidate((Replacement(node, str(other)),), 1.5 + scene.far(node), "", why)


OPERATORS = (axes_outside, counts, joined, losses, terms)
