"""One more layer in front of another one, in whichever way the script puts its layers together."""

from __future__ import annotations

import ast

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Scene
from shapeinspect_keras.debug.script.program import Replacement

#: Layers that leave one row of features a sample, by the number of axes of their input. The mean, not the
#: maximum: of layers that pool steps, it alone leaves out those that a mask marks.
#: Source: ``keras.layers.GlobalAveragePooling1D`` (``supports_masking``), ``GlobalMaxPooling1D``.
POOLS = {3: "GlobalAveragePooling1D", 4: "GlobalAveragePooling2D", 5: "GlobalAveragePooling3D"}


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
