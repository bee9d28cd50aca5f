"""Edits of the weights of samples and classes that a run is given."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.operators.insertion import assigned
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.site import argument, calls_in

#: Runs that are given weights.
_RUNS = ("fit", "evaluate", "train_on_batch", "test_on_batch")
#: The places of the targets and of the weights of the samples in a call of such a run.
#: Source: ``keras.Model.fit``, ``evaluate``, ``train_on_batch``, ``test_on_batch``.
_PLACES = {"fit": (1, 9), "evaluate": (1, 4), "train_on_batch": (1, 2), "test_on_batch": (1, 2)}
#: Losses that take the mean over the last axis, and the function of each that leaves it.
#: Source: ``keras.src.losses.losses``.
_OVER_LAST = {
    "mse": ("square", "y_true - y_pred"), "mean_squared_error": ("square", "y_true - y_pred"),
    "mae": ("abs", "y_true - y_pred"), "mean_absolute_error": ("abs", "y_true - y_pred"),
    "binary_crossentropy": ("binary_crossentropy", "y_true, y_pred"),
}  # fmt: skip
_CLASSES = frozenset({"categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence"})


def samples(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of weights of samples that are one for each step, where the loss has one for each sample.

    Args:
        scene: the failed run.
    """
    if scene.weighted is None or len(scene.weighted[1]) != len(scene.weighted[0]) + 1:
        return
    values, given = scene.weighted
    for name, (of_targets, of_weights) in _PLACES.items():
        for call in calls_in(scene.program.tree, name):
            y = argument(call, of_targets, "y")
            weights = argument(call, of_weights, "sample_weight")
            if y is None or weights is None or scene.reach.of(call) > 0:
                continue
            target, rows = scene.shape(y), scene.shape(weights)
            if not target or not rows or rows[1:] != given[1:]:
                continue
            if target == rows:
                yield from _kept(scene, weights, rows, values)
                yield from _of_rows(scene, y, weights, rows)
            elif len(target) < len(rows):
                yield from _taken_alike(scene, y, weights)


def _kept(
    scene: Scene, weights: ast.expr, rows: tuple[int | None, ...], values: tuple[int | None, ...]
) -> Iterator[Candidate]:
    """Let the loss keep the values of the last axis, of which it takes the mean."""
    for node in ast.walk(scene.program.tree):
        if not isinstance(node, ast.Constant) or node.value not in _OVER_LAST:
            continue
        name, arguments = _OVER_LAST[node.value]
        function, imported = scene.function("keras", name)
        why = f'"{node.value}" at {scene.at(node)} takes the mean over the last axis, {rows[-1]} values: '
        why += f"the loss is {show(values)}, one value for each sample, and `{scene.text(weights)}` has "
        why += f"{rows[-1]} weights for each"
        alike = arguments == "y_true, y_pred"
        new = function if alike else f"lambda y_true, y_pred: {function}({arguments})"
        yield Candidate((Replacement(node, new), *imported), 0.3, "sample-weights", why, fact=True)


def _of_rows(
    scene: Scene, y: ast.expr, weights: ast.expr, rows: tuple[int | None, ...]
) -> Iterator[Candidate]:
    """Take the weight of the class that each row of targets names."""
    for node in ast.walk(scene.program.tree):
        if isinstance(node, ast.Constant) and node.value in _CLASSES:
            why = (
                f"`{scene.text(weights)}` at {scene.at(weights)}, {show(rows)}, has a weight for each class, "
            )
            why += f'and "{node.value}" at {scene.at(node)} has one value for each sample'
            text, targets = scene.program.source(weights), scene.program.source(y)
            edit = (Replacement(weights, f"({text} * {targets}).sum(-1)"),)
            yield Candidate(edit, 0.4, "sample-weights", why, fact=True)


def _taken_alike(scene: Scene, y: ast.expr, weights: ast.expr) -> Iterator[Candidate]:
    """Take that part of the weights which the targets are of an array of the same shape."""
    rows, made = scene.shape(weights), assigned(scene, y) if isinstance(y, ast.Name) else y
    whole = scene.shape(made.value) if isinstance(made, ast.Subscript) else None
    why = f"`{scene.text(weights)}` at {scene.at(weights)}, {show(rows or ())}, has a weight for each step, "
    why += f"and the loss has one value for each sample, as `{scene.text(y)}` has one target"
    if isinstance(made, ast.Subscript) and whole == rows and isinstance(weights, ast.Name | ast.Attribute):
        new = f"{scene.program.source(weights)}[{scene.program.source(made.slice)}]"
        yield Candidate((Replacement(weights, new),), 0.2, "sample-weights", why, fact=True)
        return
    mean, text = "mean(-1)", scene.program.source(weights)
    alters = "the weights: their mean over the steps is taken"
    yield Candidate((Replacement(weights, f"{text}.{mean}"),), 0.9, "sample-weights", why, alters, fact=True)


def classes(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that weigh each place by its class, where classes are weighed and samples have several.

    Args:
        scene: the failed run.
    """
    for call in calls_in(scene.program.tree, "fit", "train_on_batch"):
        keyword = next((item for item in call.keywords if item.arg == "class_weight"), None)
        y = argument(call, 1, "y")
        shape = None if y is None else scene.shape(y)
        if keyword is None or y is None or shape is None or len(shape) < 3 or scene.reach.of(call) > 0:
            continue
        if scene.program.source(keyword.value) == "None":
            continue
        rows = "one_hot" if _is_of_rows(scene) else ""
        places = shape[1:-1] if rows or shape[-1] == 1 else shape[1:]
        count = "·".join(map(str, places))
        why = f"`class_weight` gives each sample the weight of its one class, and `{scene.text(y)}` at "
        why += f"{scene.at(y)}, {show(shape)}, has a class for each of {count} places: `sample_weight` "
        why += "has one weight for each"
        text = scene.program.source(y)
        text = f"{text}.argmax(-1)" if rows else f"{text}[..., 0]" if shape[-1] == 1 else text
        vectorize, imported = scene.function("numpy", "vectorize")
        weights = scene.program.source(keyword.value)
        function = f"{weights}.get" if isinstance(keyword.value, ast.Dict | ast.Name) else f"({weights}).get"
        new = f"sample_weight={vectorize}({function})({text})"
        yield Candidate((Replacement(keyword, new), *imported), 0.2, "sample-weights", why, fact=True)


def _is_of_rows(scene: Scene) -> bool:
    """Tell whether the script has a loss of one number for each class alone."""
    texts = {node.value for node in ast.walk(scene.program.tree) if isinstance(node, ast.Constant)}
    return bool(texts & _CLASSES) and not any("sparse" in text for text in texts if isinstance(text, str))


def in_losses(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a loss that multiplies its values with a weight for each class.

    Args:
        scene: the failed run.
    """
    statement = scene.program.covering(scene.reach.last)
    function = None if statement is None else scene.program.scope(statement)
    if statement is None or not isinstance(function, ast.FunctionDef) or len(function.args.args) < 2:
        return
    true, pred = (item.arg for item in function.args.args[-2:])
    shapes = {
        node.id: shape
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and (shape := scene.shape(node))
    }
    target, output = shapes.get(true, ()), shapes.get(pred, ())
    for node in ast.walk(statement):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult) or len(output) != 2:
            continue
        for values, weights in ((node.left, node.right), (node.right, node.left)):
            if scene.shape(weights) != output[1:] or scene.shape(values) != output[:1]:
                continue
            text = scene.program.source(weights)
            if target == output:
                total, imported = scene.function("keras", "sum")
                new = f"{total}({text} * {true}, -1)"
            else:
                take, imported = scene.function("keras", "take")
                cast, more = scene.function("keras", "cast")
                indices = true if len(target) == 1 else f"{true}[:, 0]"
                new, imported = f'{take}({text}, {cast}({indices}, "int32"))', (*imported, *more)
            why = f"`{scene.text(weights)}` at {scene.at(node)}, {show(output[1:])}, has a weight for each "
            why += f"class, and `{scene.text(values)}`, {show(output[:1])}, a value for each sample: it "
            why += f"takes the weight of the class that `{true}` names"
            edits = (Replacement(weights, new), *dict.fromkeys(imported))
            yield Candidate(edits, 0.3, "class-weights", why, fact=True)
            return


OPERATORS = (samples, classes, in_losses)
