"""Edits of reshapes: a count that is written down where the array has another."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.operators.insertion import reshaped
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.site import argument, calls_in


def products(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of the units that a layer makes for a map, or of the map's lengths.

    Args:
        scene: the failed run.
    """
    for call in calls_in(scene.program.tree, "Reshape"):
        shape = argument(call, 0, "target_shape")
        wanted = None if shape is None else scene.value(shape)
        if not isinstance(wanted, tuple) or not isinstance(shape, ast.Tuple) or scene.reach.of(call) > 1:
            continue
        if not all(type(length) is int and length > 0 for length in wanted):
            continue
        total = math.prod(wanted)
        for dense in calls_in(scene.program.tree, "Dense"):
            units = argument(dense, 0, "units")
            parts = None if units is None else _factors(units)
            count = None if units is None else scene.value(units)
            alike = {count, total} == {*(scene.clues.pairs or ((0, 0),))[0]}
            if units is None or parts is None or type(count) is not int or not alike or count == total:
                continue
            text = " * ".join(scene.program.source(item) for item in shape.elts)
            numbers = [scene.value(part) for part in parts]
            why = f"`{scene.text(units)}` = {count} at {scene.at(units)}, and `{scene.text(shape)}` at "
            why += f"{scene.at(shape)} holds {'·'.join(map(str, wanted))} = {total}"
            apart = [f"{a} and {b}" for a, b in zip(numbers, wanted, strict=False) if a != b]
            if len(parts) == len(wanted):
                why += f": they differ in {', '.join(dict.fromkeys(apart))}"
                edits = tuple(
                    Replacement(item, scene.program.source(part))
                    for item, part in zip(shape.elts, parts, strict=True)
                )
                yield Candidate(edits, 0.55, "reshape", why, fact=True)
            yield Candidate((Replacement(units, text),), 0.5, "reshape", why, fact=True)


def _factors(node: ast.expr) -> list[ast.expr] | None:
    """Return the factors of a product; None for what is none."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return None
    parts = [_factors(item) or [item] for item in (node.left, node.right)]
    return [item for part in parts for item in part]


def places(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a written number of places that an array does not have.

    Args:
        scene: the failed run.
    """
    for node in calls_in(scene.program.tree, "reshape", "Reshape"):
        subject, lengths = reshaped(scene, node)
        shape = None if subject is None else scene.shape(subject)
        if not shape or len(shape) != len(lengths) + 1 or len(lengths) != 3 or subject is None:
            continue
        inner, count = shape[1:-1], scene.value(lengths[1])
        if None in inner or type(count) is not int or count < 1:
            continue
        held = math.prod(length or 0 for length in inner)
        if held % count == 0 or scene.value(lengths[2]) not in (shape[-1], -1):
            continue
        written = [
            item
            for item in ast.walk(scene.program.tree)
            if isinstance(item, ast.Constant) and type(item.value) is int and item.value == count
            if _is_size(scene, item)
        ]
        product = "·".join(map(str, inner))
        why = (
            f"`{scene.text(subject)}` at {scene.at(node)}, {show(shape)}, has {product} = {held} places, and "
        )
        why += f"{count} is written"
        lines = sorted({item.lineno for item in written})
        why += f" at line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}" if lines else ""
        if written:
            edits = tuple(Replacement(item, str(held)) for item in written)
            yield Candidate(edits, 0.4, "reshape", why, fact=True)
        if len(written) != 1 or lengths[1] not in written:
            yield Candidate((Replacement(lengths[1], str(held)),), 0.45, "reshape", why, fact=True)


def _is_size(scene: Scene, node: ast.AST) -> bool:
    """Tell whether a number is an argument, an entry of a shape or a named number."""
    outer = scene.program.parents.get(node)
    if isinstance(outer, ast.keyword):
        return outer.arg not in ("seed", "epochs", "batch_size")
    places = ast.Call | ast.Tuple | ast.List | ast.Assign | ast.arguments
    return isinstance(outer, places) and callee_of(outer) != "fit"


def channels(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a reshape that takes channels apart which a later layer reads together.

    Args:
        scene: the failed run.
    """
    for call in calls_in(scene.program.tree, "Reshape"):
        shape = argument(call, 0, "target_shape")
        outer = scene.program.parents.get(call)
        node = outer.args[0] if isinstance(outer, ast.Call) and outer.func is call and outer.args else None
        given = None if node is None else scene.shape(node)
        if (
            not isinstance(shape, ast.Tuple)
            or not given
            or len(given) < 3
            or len(shape.elts) != 2
            or node is None
        ):
            continue
        count, had, wanted = scene.value(shape.elts[0]), scene.value(shape.elts[1]), given[-1]
        if None in given[1:] or type(had) is not int or type(count) is not int or had == wanted:
            continue
        if (had, wanted) not in scene.clues.pairs and (wanted, had) not in scene.clues.pairs:
            continue
        places = math.prod(length or 0 for length in given[1:-1])
        why = (
            f"`{scene.text(call)}` at {scene.at(call)} takes the {wanted} channels of `{scene.text(node)}`, "
        )
        why += f"{show(given)}, apart: {'·'.join(map(str, given[1:-1]))} = {places} places have {wanted} each"
        edits = (Replacement(shape.elts[0], str(places)), Replacement(shape.elts[1], str(wanted)))
        yield Candidate(edits, -0.4, "cut-channels", why, fact=True)


OPERATORS = (channels, products, places)
