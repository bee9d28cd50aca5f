"""Edits of targets that are painted in colors, where a network gives one of several classes at each place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.script.running import Shaped
from shapeinspect_keras.debug.statements.names import COMPARES
from shapeinspect_keras.debug.statements.site import argument, calls_in
from shapeinspect_keras.debug.statements.targets import stated

#: How many numbers a color has.
_COLOR = (3, 4)
#: The losses of classes, and whether each takes one number for each class.
_LOSSES = {
    "sparse_categorical_crossentropy": False, "SparseCategoricalCrossentropy": False,
    "categorical_crossentropy": True, "CategoricalCrossentropy": True,
}  # fmt: skip
_FIRST = -20.5


def labels(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that turn painted targets into the index of a class at each place.

    Args:
        scene: the failed run.
    """
    target, output = stated(scene.message) or ((), ())
    why = told(scene)
    for y in _targets(scene) if why else ():
        for palette in dict.fromkeys(_palettes(scene, target[-1], output[-1])):
            if scene.kind(y) != "numpy" or not _compared(scene, y, palette):
                continue
            text = scene.program.source(y)
            text = text if isinstance(y, ast.Name | ast.Attribute | ast.Subscript | ast.Call) else f"({text})"
            new = f"({text}[..., None, :] == {palette}).all(-1)"
            new += '.astype("float32")' if _loss(scene) else ".argmax(-1)"
            known = f"{why}; `{palette}` has the color of each class"
            yield Candidate((Replacement(y, new),), _FIRST, "painted", known, fact=True)


def told(scene: Scene) -> str:
    """Say that targets are painted, where a loss of classes refuses a color at each place; empty for else.

    Args:
        scene: the failed run.
    """
    target, output = stated(scene.message) or ((), ())
    if _loss(scene) is None or len(target) != 4 or len(output) != 4 or target[1:-1] != output[1:-1]:
        return ""
    colors, classes = target[-1], output[-1]
    if colors not in _COLOR or not classes or classes < 2 or classes == colors:
        return ""
    y = next(iter(_targets(scene)), None)
    what = "the targets" if y is None else f"`{scene.text(y)}` at {scene.at(y)}"
    given = target if y is None else scene.shape(y) or target
    return (
        f"{what}, {show(given)}, {'are' if y is None else 'is'} painted: {colors} numbers of a color at "
        f"each place, and the network gives one of {classes} classes there"
    )


def _targets(scene: Scene) -> list[ast.expr]:
    """List the targets of the run that failed."""
    runs = [call for call in calls_in(scene.program.tree, *COMPARES) if scene.reach.of(call) == 0]
    return [y for call in runs for y in [argument(call, 1, "y")] if y is not None]


def _loss(scene: Scene) -> bool | None:
    """Tell whether the loss of classes takes one number for each; None where there is no such loss."""
    for call in calls_in(scene.program.tree, "compile"):
        for node in ast.walk(argument(call, 1, "loss") or ast.Tuple([], ast.Load())):
            name = node.value if isinstance(node, ast.Constant) else callee_of(node)
            name = node.attr if isinstance(node, ast.Attribute) else name
            if name in _LOSSES:
                return _LOSSES[str(name)]
    return None


def _palettes(scene: Scene, colors: int | None, classes: int | None) -> Iterator[str]:
    """Yield the names of arrays with a color for each class."""
    for node in ast.walk(scene.program.tree):
        if isinstance(node, ast.Name) and scene.shape(node) == (classes, colors):
            yield node.id


def _compared(scene: Scene, y: ast.expr, palette: str) -> bool:
    """Tell whether the numbers of targets can be equal to those of a palette: both are whole, or none is."""
    nodes = ast.walk(scene.program.tree)
    kinds = []
    for node in (y, *(item for item in nodes if isinstance(item, ast.Name) and item.id == palette)):
        kinds += [item.dtype for item in scene.values(node) if isinstance(item, Shaped)][-1:]
    return len({"int" in kind for kind in kinds}) == 1


OPERATORS = (labels,)
