"""Edits of functions of TensorFlow that are given a symbolic tensor, which has no numbers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.program import Replacement

_REFUSED = "KerasTensor cannot be used as input to a TensorFlow function"
#: Functions of TensorFlow, and those of Keras that take the same arguments in the same places.
#: Source: the documentation of ``tensorflow`` and ``keras.ops``.
_OTHER_NAMES = {
    "reduce_mean": "mean", "reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min",
    "concat": "concatenate",
}  # fmt: skip
_SAME_NAMES = frozenset({
    "abs", "add", "cast", "divide", "einsum", "exp", "expand_dims", "matmul", "maximum", "minimum",
    "multiply", "ones_like", "relu", "repeat", "reshape", "shape", "sigmoid", "softmax", "sqrt",
    "square", "squeeze", "stack", "subtract", "tanh", "tile", "transpose", "zeros_like",
})  # fmt: skip
_ARGUMENTS = frozenset({"axis", "keepdims"})


def functions(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that call Keras's function of the same name, or put TensorFlow's into a layer.

    Args:
        scene: the failed run.
    """
    prefix = scene.imports.prefix("tensorflow")
    if _REFUSED not in scene.message or prefix is None:
        return
    statement = scene.program.covering(scene.reach.last)
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)] if statement else []
    for call in calls:
        name = scene.program.line(call.func)
        operands = [node for item in call.args for node in _tensors(scene, item)]
        if not name.startswith(f"{prefix}.") or not operands:
            continue
        texts = [scene.program.source(node) for node in operands]
        shapes = " and ".join(
            f"`{text}`, {show(scene.shape(node) or ())}" for text, node in zip(texts, operands, strict=True)
        )
        why = f"`{name}` at {scene.at(call)} is TensorFlow's and needs numbers; {shapes}, "
        why += f"{'is a symbolic tensor' if len(texts) == 1 else 'are symbolic tensors'}: layers and "
        why += "`keras.ops` take it" if len(texts) == 1 else "`keras.ops` take them"
        called = callee_of(call)
        same = _OTHER_NAMES.get(called) or (called if called in _SAME_NAMES else None)
        if same is not None and all(item.arg in _ARGUMENTS for item in call.keywords):
            function, imported = scene.function("keras", same)
            edits = (Replacement(call.func, function), *imported)
            yield Candidate(edits, 0.2, "symbolic", why, fact=True)
        text = scene.program.source(call)
        start = scene.program.span(call)[0]
        inner = text.encode()
        several = len(operands) > 1
        for place, node in reversed([*enumerate(operands)]):
            begin, end = (at - start for at in scene.program.span(node))
            inner = inner[:begin] + (f"t[{place}]" if several else "t").encode() + inner[end:]
        layer, imported = scene.layer("Lambda")
        given = f"[{', '.join(texts)}]" if several else texts[0]
        new = f"{layer}(lambda t: {inner.decode()})({given})"
        yield Candidate((Replacement(call, new), *imported), 0.25, "symbolic", why, fact=True)


def _tensors(scene: Scene, node: ast.expr) -> Iterator[ast.expr]:
    """Yield the symbolic tensors of an argument, also those of a list."""
    if isinstance(node, ast.List | ast.Tuple):
        for item in node.elts:
            yield from _tensors(scene, item)
    elif scene.kind(node) == "keras":
        yield node


OPERATORS = (functions,)
