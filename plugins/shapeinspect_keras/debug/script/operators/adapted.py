"""Edits of what a layer is adapted to, where its statistics are of other features than it is given."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.names import RUNS
from shapeinspect_keras.debug.statements.site import argument, calls_in

#: How Keras tells what a layer that normalizes was given.
_GIVEN = re.compile(r"Normalization\.call\(\)\s*:?\s*•? *inputs=[\w.]+\(shape=\(([^)]*)\)")
#: How TensorFlow tells that a mean and what it is taken from do not fit.
_SUBTRACTS = re.compile(r"\[Op:Sub\]|__wrapped__Sub_")
_FIRST = -0.8


def statistics(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that adapt a layer to an array with the features that it is given.

    Args:
        scene: the failed run.
    """
    given = _given(scene)
    for call in calls_in(scene.program.tree, "adapt"):
        data = argument(call, 0, "data")
        shape = None if data is None else scene.shape(data)
        if data is None or not shape or len(given) < 2 or shape[1:] == given[1:]:
            continue
        features = shape[-1] if len(shape) > 1 else None
        if features == given[-1]:
            continue
        why = f"`{scene.text(call)}` at {scene.at(call)} computes the statistics of `{scene.text(data)}`, "
        why += f"{show(shape)}{f', {features} features' if features else ''}, and the layer is given "
        why += f"{given[-1]} features, {show(given)}"
        alone = list(calls_in(scene.program.tree, "adapt")) == [call]
        for name in dict.fromkeys(_arrays(scene, call, given)):
            edit = (Replacement(data, name),)
            yield Candidate(edit, _FIRST, "statistics", why, fact=alone)


def _given(scene: Scene) -> tuple[int | None, ...]:
    """Return the shape that a layer which normalizes was given; empty where it is not known."""
    match = _GIVEN.search(scene.message)
    if match is not None:
        return tuple(None if part == "None" else int(part) for part in re.findall(r"\d+|None", match[1]))
    if not _SUBTRACTS.search(scene.message) or len(scene.clues.shapes) != 2:
        return ()
    (*shapes,) = scene.clues.shapes
    means = [shape for shape in shapes if shape[:-1] == (1,) * (len(shape) - 1)]
    return next((shape for shape in shapes if means and shape is not means[0]), ())


def _arrays(scene: Scene, call: ast.Call, given: tuple[int | None, ...]) -> Iterator[str]:
    """Yield the names of arrays with the features that are given, those of a run first."""
    fed = [
        node
        for run in calls_in(scene.program.tree, *RUNS)
        for node in [argument(run, 0, "x")]
        if isinstance(node, ast.Name)
    ]
    scope = scene.program.scope(call)
    known = {
        item.id
        for item in ast.walk(scope)
        if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store) and item.lineno < call.lineno
    }
    others = [item for item in ast.walk(call) if isinstance(item, ast.Name)]
    for node in (*fed, *others):
        shape = scene.shape(node)
        if node.id in known and shape and len(shape) == len(given) and shape[1:] == given[1:]:
            yield node.id


OPERATORS = (statistics,)
