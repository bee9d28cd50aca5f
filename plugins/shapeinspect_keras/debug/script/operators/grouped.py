"""Edits of inputs that are not grouped, and of several outputs where one is read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene
from shapeinspect_keras.debug.script.operators.insertion import assigned
from shapeinspect_keras.debug.script.program import Replacement

#: What Keras says of another number of inputs, and TensorFlow of a list that a generator gives.
#: Source: ``keras.src.layers.input_spec.assert_input_compatibility``, ``tf.data.Dataset.from_generator``.
_OTHER = re.compile(r"expects (\d+) (?:named )?input\(s\).*?but it received (\d+) input tensors")
_LIST = re.compile(r"`output_signature` must contain objects .*? but found <class 'list'>")
_FIRST = -0.6
#: So many outputs are told apart.
_MOST = 4


def flat(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that group the inputs of samples, where these stand in a row with the targets.

    Args:
        scene: the failed run.
    """
    match = _OTHER.search(scene.message)
    several = int(match[1]) if match is not None and match[2] == "1" else 0
    for node in ast.walk(scene.program.tree) if several > 1 else ():
        if (
            not isinstance(node, ast.Tuple)
            or not isinstance(node.ctx, ast.Load)
            or not _is_sample(scene, node)
        ):
            continue
        if len(node.elts) not in (several + 1, several + 2):
            continue
        texts = [scene.program.source(item) for item in node.elts]
        new = f"({', '.join(texts[:several])}), {', '.join(texts[several:])}"
        whole = scene.program.source(node).startswith("(") and not texts[0].startswith("(")
        why = f"`{scene.text(node)}` at {scene.at(node)} gives {len(texts)} arrays in a row: the first alone "
        why += f"is read as the inputs, the second as the targets, and the model takes {several} inputs"
        edit = (Replacement(node, f"({new})" if whole else new),)
        yield Candidate(edit, _FIRST, "flat-inputs", why, fact=True)


def _is_sample(scene: Scene, node: ast.Tuple) -> bool:
    """Tell whether a tuple is what a generator or a sequence gives, or what a data set is made of."""
    outer = scene.program.parents.get(node)
    if isinstance(outer, ast.Return):
        around = (item for item in scene.program.around(node) if isinstance(item, ast.FunctionDef))
        return next((item.name == "__getitem__" for item in around), False)
    return isinstance(outer, ast.Yield) or callee_of(outer) == "from_tensor_slices"


def listed(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that give inputs as a tuple, where a generator gives them as a list.

    Args:
        scene: the failed run.
    """
    for node in ast.walk(scene.program.tree) if _LIST.search(scene.message) else ():
        if not isinstance(node, ast.Yield) or not isinstance(node.value, ast.Tuple):
            continue
        lists = [item for item in node.value.elts if isinstance(item, ast.List)]
        edits = tuple(Replacement(item, _as_tuple(scene, item)) for item in lists)
        if edits:
            why = f"`{scene.text(lists[0])}` at {scene.at(lists[0])} is a list; the arrays of a sample are "
            why += "given as a tuple"
            yield Candidate(edits, _FIRST, "list-inputs", why, fact=True)


def _as_tuple(scene: Scene, node: ast.List) -> str:
    inner = ", ".join(map(scene.program.source, node.elts))
    return f"({inner},)" if len(node.elts) == 1 else f"({inner})"


def outputs(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that take one output of a layer or model that gives several.

    Args:
        scene: the failed run.
    """
    match = _OTHER.search(scene.message)
    count = int(match[2]) if match is not None and match[1] == "1" else 0
    statement = scene.program.covering(scene.reach.last)
    nodes = [*ast.walk(statement)] if statement is not None and 1 < count <= _MOST else []
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        for node in call.args[:1]:
            maker = assigned(scene, node) if isinstance(node, ast.Name) else node
            if not isinstance(maker, ast.Call) or scene.shape(maker):
                continue
            what = f"`{scene.text(maker)}` at {scene.at(maker)} gives {count} arrays"
            flag = _state(scene, maker)
            if flag is not None:
                why = (
                    f"{what}, its outputs and then its states (`return_state=True` at {scene.at(flag)}), and "
                )
                why += f"`{scene.text(call)}` takes one"
                yield Candidate((Replacement(flag, "False"),), _FIRST, "several-outputs", why, fact=True)
            else:
                why = f"{what}, and `{scene.text(call.func)}` at {scene.at(call)} takes one"
            text = scene.program.source(node)
            # of three, as of an encoder that samples, the last is drawn from the others
            order = range(count) if flag is not None or count != 3 else (2, 0, 1)
            for place, entry in enumerate(order[:1] if flag is not None else order):
                prior = _FIRST + 0.1 * (place + 1)
                edit = (Replacement(node, f"{text}[{entry}]"),)
                yield Candidate(edit, prior, "several-outputs", why, fact=True)


def _state(scene: Scene, maker: ast.Call) -> ast.expr | None:
    """Return the flag that lets the layer which is called return its states; None for none."""
    made: ast.AST = maker.func
    if isinstance(made, ast.Name | ast.Attribute):
        name = scene.program.source(made)
        values = [
            item.value
            for item in ast.walk(scene.program.tree)
            if isinstance(item, ast.Assign) and scene.program.source(item.targets[0]) == name
        ]
        made = values[-1] if values else made
    flags = [
        item.value
        for call in ast.walk(made)
        for item in (call.keywords if isinstance(call, ast.Call) else ())
        if item.arg == "return_state"
    ]
    return flags[0] if flags and getattr(flags[0], "value", None) is True else None


OPERATORS = (flat, listed, outputs)
