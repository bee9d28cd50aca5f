"""Edits of what a recurrent layer is given as its first state."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.operators.flags import RECURRENT
from shapeinspect_keras.debug.script.operators.insertion import assigned, recurrent
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.site import argument, calls_in

#: The argument that says what a recurrent layer starts from.
_STATE = "initial_state"


def states(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of states that are no vector of the layer's units for each sample.

    Args:
        scene: the failed run.
    """
    for call in calls_in(scene.program.tree):
        given = next((item.value for item in call.keywords if item.arg == _STATE), None)
        layer = None if given is None else scene.seen.layers.get(scene.numbers.get(call.func, -1))
        units = getattr(layer, "units", None)
        if given is None or type(units) is not int or type(layer).__name__ not in RECURRENT:
            continue
        listed = assigned(scene, given) if isinstance(given, ast.Name) else given
        parts = listed.elts if isinstance(listed, ast.List | ast.Tuple) else [given]
        shapes = [scene.shape(part) or () for part in parts]
        if any(len(shape) == 3 for shape in shapes):
            yield from _of_all_steps(scene, parts, shapes, units)
        elif parts and all(len(shape) == 2 and shape[1] not in (units, None) for shape in shapes):
            yield from _of_other_width(scene, call, parts, shapes, units)


def _of_all_steps(
    scene: Scene, parts: list[ast.expr], shapes: list[tuple[int | None, ...]], units: int
) -> Iterator[Candidate]:
    """Take the last step of what is given for a state, or let the layer before return no other."""
    long = [(part, shape) for part, shape in zip(parts, shapes, strict=True) if len(shape) == 3]
    part, shape = long[0]
    why = f"`{scene.text(part)}` at {scene.at(part)}, {show(shape)}, has the outputs of all "
    why += f"{'steps' if shape[1] is None else f'{shape[1]} steps'}, and a first state is one vector of "
    why += f"{units} values for each sample"
    maker = assigned(scene, part) if isinstance(part, ast.Name) else part
    layer = recurrent(maker.func) if isinstance(maker, ast.Call) else None
    given = layer.keywords if layer is not None else []
    flag = next((item for item in given if item.arg == "return_sequences"), None)
    name = part.id if isinstance(part, ast.Name) else ""
    behind = getattr(maker, "lineno", 0)
    reads = [
        node
        for node in ast.walk(scene.program.scope(part))
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        if node.lineno > behind
    ]
    if layer is not None and flag is not None and all(node in parts for node in reads):
        why += f"; `{scene.text(layer)}` at {scene.at(layer)} returns all its steps"
        edit = (Replacement(flag.value, "False"),)
        yield Candidate(edit, 0.2, "state", why, fact=True)
    edits = tuple(Replacement(one, f"{scene.program.source(one)}[:, -1]") for one, _ in long)
    yield Candidate(edits, 0.25, "state", why, fact=True)


def _of_other_width(
    scene: Scene, call: ast.Call, parts: list[ast.expr], shapes: list[tuple[int | None, ...]], units: int
) -> Iterator[Candidate]:
    """Give the layer as many units as its states have values."""
    width = shapes[0][1]
    made = assigned(scene, call.func) if isinstance(call.func, ast.Name) else call.func
    if not isinstance(made, ast.Call) or callee_of(made) not in RECURRENT:
        return
    written = argument(made, 0, "units")
    why = f"the states `{scene.text(parts[0])}` at {scene.at(parts[0])} are {show(shapes[0])}, and "
    why += f"`{scene.text(made)}` at {scene.at(made)} has {units} units: a state has one value for each"
    if written is not None and width is not None:
        text = scene.program.source(written)
        plain = isinstance(written, ast.Name | ast.Attribute) and width % units == 0
        new = f"{text} * {width // units}" if plain else str(width)
        yield Candidate((Replacement(written, new),), 0.3, "state", why, fact=True)


OPERATORS = (states,)
