"""Edits that call a layer which is given as a tensor, or give the layer where its output is given."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.program import Replacement

#: What Keras says of a layer in the place of a tensor, and the other way round.
#: Source: ``keras.src.layers.layer.CallSpec``, ``keras.src.models.sequential.Sequential.add``.
_AS_TENSOR = re.compile(r"Only input tensors may be passed as positional arguments\. The following .*?: <")
_AS_LAYER = re.compile(r"Only instances of `keras\.Layer` can be added to a Sequential model")
_FIRST = -0.9
#: Classes of layers that take tensors, or other layers, where they are made.
_TAKE_OTHERS = frozenset({
    "Input", "InputLayer", "Model", "Functional", "Sequential", "TimeDistributed", "Bidirectional", "Wrapper",
})  # fmt: skip


def tensors(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that call a layer where the layer itself is given to another one.

    Args:
        scene: the failed run.
    """
    if _AS_TENSOR.search(scene.message) is None:
        return
    for call in _last_calls(scene):
        for node in call.args:
            made = _maker(scene, node)
            if made is None:
                continue
            layer, place = made
            given = [item for item in layer.args if scene.kind(item) == "keras"]
            before = _tensor_before(scene, place)
            if given:
                why = f"`{scene.text(layer)}` at {scene.at(layer)} makes a layer and calls it on nothing: "
                why += f"the tensor `{scene.text(given[0])}` stands among its settings"
                yield Candidate(_called_on(scene, layer, given[0]), _FIRST, "not-called", why, fact=True)
            elif before:
                why = f"`{scene.text(layer)}` at {scene.at(layer)} is a layer and no tensor: nothing calls it"
                text = f"{scene.program.source(layer)}({before})"
                yield Candidate((Replacement(layer, text),), _FIRST, "not-called", why, fact=True)


def settings(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that call a layer on a tensor which is given among its settings.

    Args:
        scene: the failed run.
    """
    for layer in _last_calls(scene):
        if not layer.args or not _is_layer(scene, layer) or scene.kind(layer) == "keras":
            continue
        node = layer.args[0]
        shape = scene.shape(node) if scene.kind(node) == "keras" else None
        if shape is not None:
            why = f"`{scene.text(node)}`, {show(shape)}, is a tensor and stands among the settings of "
            why += f"`{callee_of(layer)}` at {scene.at(layer)}: a layer is made first, and then called on it"
            yield Candidate(_called_on(scene, layer, node), _FIRST, "not-called", why, fact=True)


def layers(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that add a layer to a list of layers, where its output or its class is added.

    Args:
        scene: the failed run.
    """
    if _AS_LAYER.search(scene.message) is None:
        return
    for call in _last_calls(scene):
        nodes = call.args
        if nodes and isinstance(nodes[0], ast.List):
            nodes = nodes[0].elts
        for node in nodes if callee_of(call) in ("add", "Sequential") else ():
            if isinstance(node, ast.Name | ast.Attribute) and _is_class(scene, node):
                why = f"`{scene.text(node)}` at {scene.at(node)} is the class, and no layer of it is made"
                new = f"{scene.program.source(node)}()"
                yield Candidate((Replacement(node, new),), _FIRST, "not-made", why, fact=True)
            shape = scene.shape(node) if scene.kind(node) == "keras" else None
            made = _definition(scene, node) if isinstance(node, ast.Name) else node
            if shape is None or not isinstance(made, ast.Call) or not isinstance(made.func, ast.Call):
                continue
            if not _is_layer(scene, made.func):
                continue
            why = f"`{scene.text(node)}`, {show(shape)}, is what `{scene.text(made.func)}` returns at "
            why += f"{scene.at(made)}, and a Sequential model takes the layer itself"
            edit = (Replacement(made, scene.program.source(made.func)),)
            yield Candidate(edit, _FIRST, "output-for-layer", why, fact=True)


def _last_calls(scene: Scene) -> list[ast.Call]:
    """List the calls of the failing statement."""
    statement = scene.program.covering(scene.reach.last)
    return [] if statement is None else [node for node in ast.walk(statement) if isinstance(node, ast.Call)]


def _is_layer(scene: Scene, call: ast.Call) -> bool:
    """Tell whether a call makes a layer of Keras's by its class."""
    return callee_of(call) not in _TAKE_OTHERS and _is_class(scene, call.func)


def _is_class(scene: Scene, node: ast.expr) -> bool:
    """Tell whether an expression is the name of a class of layers."""
    import keras

    name = scene.program.source(node).rpartition(".")
    found = getattr(keras.layers, name[2], None)
    if not isinstance(found, type) or not issubclass(found, keras.Layer):
        return False
    written, imported = scene.layer(name[2])
    return not imported and (written == scene.program.source(node) or name[0].endswith("layers"))


def _called_on(scene: Scene, layer: ast.Call, tensor: ast.expr) -> tuple[Replacement, ...]:
    """Write a layer with a tensor among its settings as a layer that is called on it."""
    kept = [
        f"{item.arg}={scene.program.source(item.value)}"
        if item.arg
        else f"**{scene.program.source(item.value)}"
        for item in layer.keywords
    ]
    kept = [*(scene.program.source(item) for item in layer.args if item is not tensor), *kept]
    made = f"{scene.program.source(layer.func)}({', '.join(kept)})"
    return (Replacement(layer, f"{made}({scene.program.source(tensor)})"),)


def _maker(scene: Scene, node: ast.expr) -> tuple[ast.Call, ast.stmt] | None:
    """Return the call that makes the layer that an expression is, and its statement."""
    made = _definition(scene, node) if isinstance(node, ast.Name) else node
    if not isinstance(made, ast.Call) or not _is_layer(scene, made):
        return None
    statement = scene.program.statement(made)
    return None if statement is None else (made, statement)


def _definition(scene: Scene, node: ast.Name) -> ast.expr | None:
    """Return what the nearest assignment before an expression gives to its name."""
    earlier = [
        item for item in _assignments(scene, node)
        if item.lineno < node.lineno and _target(item) == node.id
    ]  # fmt: skip
    return earlier[-1].value if earlier else None


def _assignments(scene: Scene, node: ast.AST) -> list[ast.Assign]:
    """List the assignments of the function, or of the module, around a node, in the order of the lines."""
    scope = scene.program.scope(node)
    found = [item for item in ast.walk(scope) if isinstance(item, ast.Assign)]
    return sorted(
        (item for item in found if scene.program.scope(item) is scope), key=lambda item: item.lineno
    )


def _target(item: ast.Assign) -> str:
    target = item.targets[0]
    return target.id if len(item.targets) == 1 and isinstance(target, ast.Name) else ""


def _tensor_before(scene: Scene, place: ast.stmt) -> str:
    """Return the name of the tensor that a statement goes on with: the latest one made before it."""
    earlier = [item for item in _assignments(scene, place) if item.lineno < place.lineno and _target(item)]
    named = [_target(item) for item in earlier if scene.kind(item.value) == "keras"]
    own = _target(place) if isinstance(place, ast.Assign) else ""
    found = next(iter(reversed(named)), "")
    if not found:  # the first argument of a function
        scope = scene.program.scope(place)
        given = scope.args.args if isinstance(scope, ast.FunctionDef) else []
        read = [
            item for item in ast.walk(scope)
            if isinstance(item, ast.Name) and scene.kind(item) == "keras"
        ]  # fmt: skip
        names = [one.arg for one, item in itertools.product(given, read) if one.arg == item.id]
        found = names[0] if names else ""
    return own if own in named else found


OPERATORS = (tensors, settings, layers)
