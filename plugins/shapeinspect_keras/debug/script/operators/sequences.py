"""Edits of sequences and maps: steps that a recurrent layer drops, and maps that nobody pools."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.operators.flags import JOINS
from shapeinspect_keras.debug.script.operators.insertion import POOLS, assigned, inserted, recurrent, reshaped
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.site import argument, calls_in
from shapeinspect_keras.debug.statements.targets import stated

#: So many steps back a tensor is followed.
_STEPS = 12


def kept_steps(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that let all recurrent layers behind a tensor that lacks its steps return them.

    Args:
        scene: the failed run.
    """
    if scene.clues.rank <= 0:
        return
    statement = scene.program.covering(scene.reach.last)
    found: dict[ast.Call, ast.Call] = {}
    joins: list[ast.Call] = []
    for node in ast.walk(statement) if statement is not None else ():
        if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.args[0], ast.Name):
            _follow(scene, node.args[0], found, joins, _STEPS)
    layers = [node for node in found if len(scene.shape(found[node]) or ()) < len(_given(scene, found[node]))]
    if not layers or (len(layers) < 2 and not joins):
        return
    edits = [Replacement(node, scene.extended(node, "return_sequences=True")) for node in layers]
    lengths = {_given(scene, found[node])[1:2] for node in layers}
    lines = ", ".join(sorted({str(node.lineno) for node in layers}))
    last = show(scene.shape(found[layers[0]]) or ())
    first = show(_given(scene, found[layers[0]]))
    why = f"the recurrent layers of lines {lines} return their last step only: {last} of {first}"
    if len(lengths) > 1 and joins:
        why += f"; sequences of other lengths are joined along the steps, {scene.at(joins[0])}"
        edits += _along_steps(scene, joins[0])
    yield Candidate(tuple(edits), 0.2, "return-sequences", why, fact=True)


def _given(scene: Scene, call: ast.Call) -> tuple[int | None, ...]:
    return (scene.shape(call.args[0]) if call.args else None) or ()


def _follow(
    scene: Scene, node: ast.AST, found: dict[ast.Call, ast.Call], joins: list[ast.Call], left: int
) -> None:
    """Collect the recurrent layers whose output a tensor is made of, each with its call."""
    if left == 0:
        return
    if isinstance(node, ast.Name):
        made = assigned(scene, node)
        if made is not None:
            _follow(scene, made, found, joins, left - 1)
    elif isinstance(node, ast.List | ast.Tuple):
        for item in node.elts:
            _follow(scene, item, found, joins, left - 1)
    elif isinstance(node, ast.Call):
        layer = recurrent(node.func)
        if layer is not None:
            if not any(item.arg in ("return_sequences", None) for item in layer.keywords):
                found[layer] = node
            return
        if callee_of(node) in JOINS or callee_of(node.func) in JOINS:
            joins.append(node)
        for item in node.args:
            _follow(scene, item, found, joins, left - 1)


def _along_steps(scene: Scene, join: ast.Call) -> Sequence[Replacement]:
    call = join if callee_of(join) in JOINS else join.func
    if not isinstance(call, ast.Call):
        return ()
    axis = next((item.value for item in call.keywords if item.arg == "axis"), None)
    if axis is not None:
        return (Replacement(axis, "1"),)
    return (Replacement(call, scene.extended(call, "axis=1")),)


def pooled(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that pool the maps of a network without its head.

    Args:
        scene: the failed run.
    """
    for node in scene.near:
        given = {item.arg: item.value for item in node.keywords} if isinstance(node, ast.Call) else {}
        top = given.get("include_top")
        if not isinstance(node, ast.Call) or "pooling" in given or not isinstance(top, ast.Constant):
            continue
        if top.value is False:
            why = f"`{callee_of(node)}` at {scene.at(node)} has no head, and its maps are not pooled"
            new = scene.extended(node, 'pooling="avg"')
            yield Candidate((Replacement(node, new),), 0.4, "not-flattened", why)


def unpooled(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a reshape that leaves out the steps or places that an array has for each sample.

    Args:
        scene: the failed run.
    """
    for node in scene.near if "reshape" in scene.message else ():
        subject, lengths = reshaped(scene, node)
        shape = None if subject is None else scene.shape(subject)
        if subject is None or not shape or len(shape) < 3 or None in shape[1:] or len(lengths) != 2:
            continue
        if scene.values(node):
            continue  # it ran
        size = scene.value(lengths[1])
        if size != shape[-1]:
            continue
        inner = "steps" if len(shape) == 3 else "places"
        why = f"`{scene.text(subject)}` at {scene.at(node)} is {show(shape)}: its "
        why += f"{'·'.join(map(str, shape[1:-1]))} {inner} are not pooled, and {size} values a sample are "
        why += "asked for"
        text, axes = scene.program.source(subject), tuple(range(1, len(shape) - 1))
        kind = scene.kind(subject)
        mean, more = scene.function(kind, "reduce_mean" if kind == "tensorflow" else "mean")
        new = f"{mean}({text}, {axes})"
        if kind == "numpy":
            plain = isinstance(subject, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
            new = f"{text if plain else f'({text})'}.mean({axes})"
        edits = (Replacement(node, new), *(() if kind == "numpy" else more))
        yield Candidate(edits, 0.4, "not-flattened", why, fact=True)


def joined(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that give one of several joined arrays the axis that the others have.

    Args:
        scene: the failed run.
    """
    if not scene.clues.ranks:
        return
    for node in scene.near:
        outer = scene.program.parents.get(node)
        joins = isinstance(outer, ast.Call) and (callee_of(outer) in JOINS or callee_of(outer.func) in JOINS)
        if not joins or not isinstance(node, ast.List | ast.Tuple) or scene.reach.of(node) > 1:
            continue
        shapes = [scene.shape(item) or () for item in node.elts]
        longest = max(range(len(shapes)), key=lambda at: len(shapes[at]), default=0)
        for item, shape in zip(node.elts, shapes, strict=True):
            axis = _lacking(shape, shapes[longest])
            if axis is None:
                continue
            other, length = node.elts[longest], shapes[longest][axis]
            why = f"`{scene.text(item)}` is {show(shape)} at {scene.at(node)}, an axis less than "
            why += f"`{scene.text(other)}`, {show(shapes[longest])}, with which it is joined"
            text = scene.program.source(item)
            expand, more = scene.function(scene.kind(item), "expand_dims")
            new = f"{expand}({text}, {axis})"
            if length != 1 and len(shape) == 2 and axis == 1:
                layer, more = scene.layer("RepeatVector")
                new = f"{layer}({length})({text})"
            kept: dict[ast.Call, ast.Call] = {}
            _follow(scene, item, kept, [], _STEPS)
            if kept:
                edits = tuple(
                    Replacement(layer, scene.extended(layer, "return_sequences=True")) for layer in kept
                )
                told = f"{why}; `{scene.text(next(iter(kept)))}` returns its last step only"
                yield Candidate(edits, 0.3, "return-sequences", told, fact=True)
            prior = 1.2 if kept else 0.3
            yield Candidate((Replacement(item, new), *more), prior, "rank-of-operands", why, fact=True)


def _lacking(shape: Sequence[int | None], other: Sequence[int | None]) -> int | None:
    """Return the axis that a shape lacks to be joined with another one along the last axis.

    Example:
        >>> _lacking((5, 16), (5, 1, 9)), _lacking((5, 3, 16), (5, 3, 2, 16)), _lacking((5, 16), (7, 5, 16))
        (1, 2, None)
    """
    if len(shape) != len(other) - 1 or not shape:
        return None
    places = range(1, len(other) - 1)
    return next((at for at in places if [*other[:at], *other[at + 1 : -1]] == [*shape[:-1]]), None)


def per_sample(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that pool before the last layer, where a network gives several outputs for each sample.

    Args:
        scene: the failed run.
    """
    target, output = stated(scene.message) or ((), ())
    name = POOLS.get(len(output))
    if name is None or len(target) > 2 or len(target) >= len(output):
        return
    heads = [node for node in scene.near if isinstance(node, ast.Call) and callee_of(node) == "Dense"]
    head = max(heads, key=lambda node: node.lineno, default=None)
    edits = () if head is None else inserted(scene, head, name)
    inner = "steps" if len(output) == 3 else "places"
    why = f"the network gives {show(output)}, an output for each of its {inner}, and the targets, "
    why += f"{show(target)}, are one for each sample"
    if edits:
        yield Candidate(edits, 0.5, "not-flattened", why, fact=True)


_CONVOLUTIONS = frozenset({"Conv1D", "Conv2D", "Conv3D"})
#: What a message about two maps of different sizes says.
_COMPARED = re.compile(
    r"concat|merge|broadcast|ncompatible shapes|same shape|target|logits|y_true", re.IGNORECASE
)


def padded(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that pad all convolutions, where none is padded and two maps differ in space.

    Args:
        scene: the failed run.
    """
    shapes = [shape for shape in scene.clues.shapes if len(shape) > 2]
    apart = any(len(one) == len(other) and one[1:-1] != other[1:-1] for one in shapes for other in shapes)
    calls = [node for node in calls_in(scene.program.tree, *_CONVOLUTIONS) if len(node.args) < 4]
    open_ = [node for node in calls if not any(item.arg in ("padding", None) for item in node.keywords)]
    if not _COMPARED.search(scene.message) or not apart or not calls or len(open_) < len(calls):
        return
    wide = [node for node in calls if _kernel(scene, node) != 1]
    if not wide:
        return
    lines = sorted({node.lineno for node in wide})
    told = f"{'lines' if len(lines) > 1 else 'line'} {', '.join(map(str, lines))}"
    why = f"the convolutions of {told} are not padded"
    plain = not any(argument(node, 2, "strides") or argument(node, 5, "dilation_rate") for node in wide)
    why += ": each takes its kernel_size - 1 from the lengths" if plain else ""
    edits = tuple(Replacement(node, scene.extended(node, 'padding="same"')) for node in wide)
    yield Candidate(edits, 0.8, "space", why, fact=True)


def _kernel(scene: Scene, node: ast.Call) -> int | None:
    """Return the greatest length of a kernel, as far as it is written or known."""
    size = argument(node, 1, "kernel_size")
    seen = [] if size is None else scene.values(size)
    try:
        known = seen[-1] if seen else ast.literal_eval(size) if size is not None else None
    except ValueError:
        known = None
    parts = known if isinstance(known, tuple) else (known,)
    return max((part for part in parts if isinstance(part, int)), default=None)


OPERATORS = (kept_steps, pooled, unpooled, joined, per_sample, padded)
