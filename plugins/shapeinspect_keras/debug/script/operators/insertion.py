"""How a script puts its layers together: one more in front of another, and what made a tensor."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Scene
from shapeinspect_keras.debug.script.operators.flags import RECURRENT
from shapeinspect_keras.debug.script.program import Replacement

#: Layers that leave one row of features a sample, by the number of axes of their input. The mean, not the
#: maximum: of layers that pool steps, it alone leaves out those that a mask marks.
#: Source: ``keras.layers.GlobalAveragePooling1D`` (``supports_masking``), ``GlobalMaxPooling1D``.
POOLS = {3: "GlobalAveragePooling1D", 4: "GlobalAveragePooling2D", 5: "GlobalAveragePooling3D"}

#: Layers that are put around another one.
_AROUND = frozenset({"Bidirectional", "TimeDistributed"})


def inserted(scene: Scene, node: ast.Call, name: str, arguments: str = "") -> tuple[Replacement, ...]:
    """Return the edits that put a layer in front of another one; none where that cannot be written.

    Args:
        scene: the failed run.
        node: the call that makes the other layer.
        name: the class of the new one.
        arguments: its arguments, as they are written.
    """
    text, more = scene.layer(name)
    if isinstance(node.func, ast.Attribute):  # written as the other one is
        text, more = f"{scene.program.source(node.func.value)}.{name}", ()
    made = f"{text}({arguments})"
    outer = scene.program.parents.get(node)
    if isinstance(outer, ast.List):
        return (Replacement(node, f"{made}, {scene.program.source(node)}"), *more)
    if not isinstance(outer, ast.Call):
        return ()
    if outer.func is node and len(outer.args) == 1:
        return (Replacement(outer.args[0], f"{made}({scene.program.source(outer.args[0])})"), *more)
    if callee_of(outer) == "add" and isinstance(outer.func, ast.Attribute):
        owner = scene.program.source(outer.func.value)
        return (Replacement(outer, f"{owner}.add({made}); {scene.program.source(outer)}"), *more)
    return ()


def recurrent(node: ast.AST) -> ast.Call | None:
    """Return the recurrent layer that a call makes, also inside of one around it; None for none.

    Args:
        node: the call.
    """
    if not isinstance(node, ast.Call):
        return None
    if callee_of(node) in RECURRENT:
        return node
    return recurrent(node.args[0]) if callee_of(node) in _AROUND and node.args else None


def assigned(scene: Scene, name: ast.Name) -> ast.expr | None:
    """Return what a name was given last before it is read; None where that is not known.

    Args:
        scene: the failed run.
        name: the name.
    """
    scope = scene.program.scope(name)
    found = [
        node
        for node in ast.walk(scope)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == name.id
        and node.lineno < name.lineno
    ]
    return max(found, key=lambda node: node.lineno).value if found else None


def reshaped(scene: Scene, node: ast.AST) -> tuple[ast.expr | None, Sequence[ast.expr]]:
    """Return the array that a reshape is given, as a method or a function, and the lengths asked for.

    Args:
        scene: the failed run.
        node: the call.
    """
    if not isinstance(node, ast.Call) or callee_of(node) != "reshape":
        return None, ()
    subject, lengths = None, node.args
    if isinstance(node.func, ast.Attribute) and scene.shape(node.func.value) is not None:
        subject = node.func.value
    elif node.args:
        subject, lengths = node.args[0], node.args[1:]
    if len(lengths) == 1 and isinstance(lengths[0], ast.Tuple | ast.List):
        lengths = lengths[0].elts
    return subject, lengths
