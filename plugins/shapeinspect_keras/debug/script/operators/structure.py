"""Edits of the network itself: a layer more or less, operands in another order, another tensor."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.operators.insertion import POOLS, inserted
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.names import COMPARES

#: What Keras says where a layer that reads steps is given maps.
_FOUND = re.compile(r"expected ndim=3, found ndim=[45]\. Full shape received: \(([^)]*)\)")
#: What Keras says where a layer that reads maps is given the numbers of classes.
_READS_MAPS = re.compile(r"expected ndim=4, found ndim=2\. Full shape received: \(None, \d+\)")
_OF_STEPS = ("LSTM", "GRU", "SimpleRNN")
_HEADS = ("Dense", "Dropout", "Bidirectional", "LSTM", "GRU")


def pooled(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that pool or flatten before a layer that reads features.

    Args:
        scene: the failed run.
    """
    ranks = {len(shape) for shape in scene.clues.shapes}
    name = next((POOLS[rank] for rank in (4, 3, 5) if rank in ranks), POOLS[4])
    for node in scene.near if scene.spatial else ():
        if not isinstance(node, ast.Call) or callee_of(node) not in _HEADS:
            continue
        outer = scene.program.parents.get(node)
        first = isinstance(outer, ast.List) and outer.elts.index(node) == 0
        called = isinstance(outer, ast.Call) and outer.func is node and len(outer.args) == 1
        rank = len(scene.shape(outer.args[0]) or ()) if called and isinstance(outer, ast.Call) else 0
        if first or (called and rank < 3):
            continue
        why = f"nothing pools or flattens before `{scene.text(node)}` at {scene.at(node)}"
        for place, layer in enumerate((POOLS.get(rank, name), "Flatten")):
            edits = inserted(scene, node, layer)
            if edits:
                yield Candidate(edits, 1.9 + scene.far(node) + 0.2 * place, "not-flattened", why)


def steps(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that flatten the map of each step before a layer that reads vectors.

    Args:
        scene: the failed run.
    """
    found = _FOUND.search(scene.message)
    if found is None:
        return
    shape = re.findall(r"\d+|None", found[1])
    for node in scene.near:
        if not isinstance(node, ast.Call) or callee_of(node) not in _OF_STEPS or scene.reach.of(node) > 0:
            continue
        outer = scene.program.parents.get(node)
        whole = outer if isinstance(outer, ast.Call) and callee_of(outer) == "Bidirectional" else node
        layer, imported = _named_as(scene, whole, "Flatten")
        edits = inserted(scene, whole, "TimeDistributed", f"{layer}()")
        what = "each step" if len(shape) > 4 else "each row"
        why = f"`{callee_of(node)}` at {scene.at(node)} reads a vector for each step, and {what} of "
        why += f"{show(tuple(None if part == 'None' else int(part) for part in shape))} is an array of "
        why += f"{' x '.join(shape[2:])}: nothing flattens it"
        if edits:
            cause = "steps-of-images" if len(shape) > 4 else "image-into-sequence"
            yield Candidate((*edits, *imported), 0.4, cause, why, fact=len(shape) > 4)


def _named_as(scene: Scene, node: ast.Call, name: str) -> tuple[str, tuple[Replacement, ...]]:
    """Write a layer as another one is written."""
    if isinstance(node.func, ast.Attribute):
        return f"{scene.program.source(node.func.value)}.{name}", ()
    return scene.layer(name)


def removed(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that leave out a layer.

    Args:
        scene: the failed run.
    """
    for node in scene.near:
        outer = scene.program.parents.get(node)
        if not isinstance(node, ast.Call) or callee_of(node) not in _REMOVABLE:
            continue
        prior = 2.8 + scene.far(node)
        why = f"`{scene.text(node)}` at {scene.at(node)} leaves no axis that the next layer needs"
        if isinstance(outer, ast.Call) and outer.func is node and len(outer.args) == 1:
            text = scene.program.source(outer.args[0])
            yield Candidate((Replacement(outer, text),), prior, "", why)
        if isinstance(outer, ast.Call) and callee_of(outer) == "add":
            yield Candidate((Replacement(outer, "None"),), prior + 0.5, "", why)


_REMOVABLE = ("Flatten", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling2D",
              "GlobalMaxPooling1D", "Reshape", "TimeDistributed")  # fmt: skip


def exchanged(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that exchange the two operands of a call, or two entries of a list.

    Args:
        scene: the failed run.
    """
    for node in scene.near:
        items: list[ast.expr] = []
        if isinstance(node, ast.List | ast.Tuple) and isinstance(getattr(node, "ctx", None), ast.Load):
            items = node.elts
        elif isinstance(node, ast.Call):
            items = node.args
        joined = scene.program.parents.get(node)
        if callee_of(node) in ("Model", "Functional") or isinstance(joined, ast.Return):
            continue
        if len(items) != 2 or any(isinstance(item, ast.Constant | ast.Starred) for item in items):
            continue
        shapes = [scene.shape(item) for item in items]
        if None in shapes or (shapes[0] == shapes[1] and len(shapes) == 2):
            continue
        texts = [scene.program.source(item) for item in items]
        one, other = (f"`{scene.text(item)}` of {show(scene.shape(item) or ())}" for item in items)
        why = f"{one} stands before {other} at {scene.at(node)}"
        runs = callee_of(node) in COMPARES
        swap = (Replacement(items[0], texts[1]), Replacement(items[1], texts[0]))
        # the second one is what the first should be
        wanted = scene.clues.shapes
        fits = any(_alike(shapes[1], one) and not _alike(shapes[0], one) for one in wanted)
        prior = 1.0 if runs and fits else 2.0 + scene.far(node) + runs
        yield Candidate(swap, prior, "exchanged", why)


def _alike(shape: tuple[int | None, ...] | None, wanted: tuple[int | None, ...]) -> bool:
    """Tell whether a shape is a wanted one, apart from the batch."""
    return shape is not None and len(shape) == len(wanted) > 1 and shape[1:] == wanted[1:]


def neighbors(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that take the next entry instead, or another array of the script.

    Args:
        scene: the failed run.
    """
    for node in scene.near:
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            index = node.slice
            sign = isinstance(index, ast.UnaryOp) and isinstance(index.op, ast.USub)
            number = index.operand if isinstance(index, ast.UnaryOp) else index
            if not isinstance(number, ast.Constant) or type(number.value) is not int:
                continue
            shape_of = isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
            for other in (number.value + 1, number.value - 1):
                if (sign and other < 1) or other < 0:
                    continue
                new = f"-{other}" if sign else str(other)
                read = f"`{scene.text(node)}` at {scene.at(node)} reads entry {sign * '-'}{number.value}"
                why = f"{read}; the script runs with entry {new}"
                prior = 2.4 + scene.far(node) + 0.3 * shape_of
                yield Candidate((Replacement(index, new),), prior, "", why)
    yield from _named(scene)


def _named(scene: Scene) -> Iterator[Candidate]:
    """Take another array with a similar name, where the failing statement names one."""
    shapes: dict[str, tuple[int | None, ...]] = {}
    for node in ast.walk(scene.program.tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            shape = scene.shape(node)
            if shape is not None:
                shapes[node.id] = shape
    for node in scene.near:
        if not isinstance(node, ast.Name) or node.id not in shapes or scene.reach.of(node) > 1:
            continue
        if not isinstance(node.ctx, ast.Load):
            continue
        here = scene.program.scope(node)
        for other, shape in shapes.items():
            alike = len(_common(other, node.id)) >= 2
            fits = any(shape[1:] == wanted[1:] and len(shape) == len(wanted) for wanted in scene.clues.shapes)
            if other == node.id or not alike or not fits or shape == shapes[node.id]:
                continue
            known = {
                item.id
                for item in ast.walk(here)
                if isinstance(item, ast.Name) and item.lineno <= node.lineno and item.id != node.id
            }
            statement = scene.program.statement(node)
            beside = statement is not None and any(
                isinstance(item, ast.Name) and item.id == other for item in ast.walk(statement)
            )
            if other in known and not beside:  # one array twice is no better
                given = f"`{node.id}` of {show(shapes[node.id])} at {scene.at(node)}"
                why = f"{given}, where `{other}` is {show(shape)}"
                yield Candidate((Replacement(node, other),), 2.4, "", why)


def _common(one: str, other: str) -> str:
    pairs = zip(one, other, strict=False)
    return "".join(a for a, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def headed(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that leave out the classifier of a stored network whose maps are read.

    Args:
        scene: the failed run.
    """
    if _READS_MAPS.search(scene.message) is None:
        return
    made = [
        call
        for call in ast.walk(scene.program.tree)
        if isinstance(call, ast.Call) and _is_application(callee_of(call))
    ]
    for call in made if len(made) == 1 else ():
        top = next((item.value for item in call.keywords if item.arg == "include_top"), None)
        if isinstance(top, ast.Constant) and top.value is False:
            continue
        default = ", by default (`include_top`)" if top is None else ""
        why = f"`{scene.text(call)}` at {scene.at(call)} ends in its own classifier{default}, which gives a "
        why += "number for each class and no maps"
        edit = (
            Replacement(call, scene.extended(call, "include_top=False"))
            if top is None
            else Replacement(top, "False")
        )
        yield Candidate((edit,), -0.6, "head-kept", why, fact=True)


def _is_application(name: str) -> bool:
    """Tell whether a function makes one of the networks that Keras has stored weights for."""
    import keras

    found = getattr(keras.applications, name, None)
    return callable(found) and not isinstance(found, type)


OPERATORS = (pooled, headed, steps, removed, exchanged, neighbors)
