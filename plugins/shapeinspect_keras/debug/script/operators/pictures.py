"""Edits of how many channels a picture is read with."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.operators.batches import told
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.names import RUNS
from shapeinspect_keras.debug.statements.site import argument, calls_in

#: Functions that read the channels of the file where they are not told how many.
#: Source: ``tf.io.decode_image`` and its brothers: ``channels`` defaults to 0, those of the file.
_DECODE = ("decode_image", "decode_png", "decode_jpeg", "decode_bmp", "decode_and_crop_jpeg")
#: Functions that read three channels where they are not told otherwise.
#: Source: ``keras.utils.load_img``, ``keras.utils.image_dataset_from_directory``: ``color_mode`` is "rgb".
_LOAD = ("load_img", "image_dataset_from_directory", "flow_from_directory", "flow_from_dataframe")
_MODES = {1: "grayscale", 3: "rgb", 4: "rgba"}
#: What Keras says of the channels that it reads, and what makes one value of several.
_READ = re.compile(
    r"axis -1 of input shape to have value (\d+)|Expected shape \([^)]*?(\d+)\), but input has"
)
_REDUCE = frozenset({"mean", "sum", "max", "min", "average", "reduce_mean", "rgb_to_grayscale"})
#: How an axis is added behind the others.
_ADDS = frozenset({"..., np.newaxis", "..., None", "..., tf.newaxis", ":, :, :, np.newaxis", ":, :, :, None"})


def channels(scene: Scene) -> Iterator[Candidate]:
    """Yield edits by which a picture is read with the channels that the model takes.

    Args:
        scene: the failed run.
    """
    pairs = [*scene.clues.pairs[:2]]
    declared = told(scene)
    if declared is not None and len(declared[0]) == len(declared[1]):
        pairs += [(one, other) for one, other in [(declared[1][-1], declared[0][-1])] if one and other]
    sizes = {frozenset(pair) for pair in pairs}
    for call in calls_in(scene.program.tree, *_DECODE, *_LOAD):
        name = callee_of(call)
        given = argument(call, 1, "channels") if name in _DECODE else _named(call, "color_mode")
        has = _read(scene, call, given)
        others = [size for pair in sizes if has in pair for size in pair if size != has]
        if has is None or len(others) != 1 or others[0] not in _MODES:
            continue
        wanted = others[0]
        new = str(wanted) if name in _DECODE else f'"{_MODES[wanted]}"'
        argument_name = "channels" if name in _DECODE else "color_mode"
        edit = (
            Replacement(given, new)
            if given is not None
            else Replacement(call, scene.extended(call, f"{argument_name}={new}"))
        )
        default = "those of the file" if name in _DECODE else '"rgb"'
        how = f"`{argument_name}` is left at its default, {default}" if given is None else scene.text(given)
        why = (
            f"`{scene.text(call)}` at {scene.at(call)} reads {has} channel{'s' if has > 1 else ''} ({how}), "
        )
        why += f"and {wanted} {'are' if wanted > 1 else 'is'} taken"
        yield Candidate(
            (edit,), 0.35 + 0.3 * scene.far(call), "channels", why, fact=scene.reach.of(call) <= 3
        )


def _named(call: ast.Call, name: str) -> ast.expr | None:
    return next((item.value for item in call.keywords if item.arg == name), None)


def _read(scene: Scene, call: ast.Call, given: ast.expr | None) -> int | None:
    """Return how many channels a call has read; None where that is not known."""
    shape = scene.shape(call)
    if shape:
        return shape[-1] if len(shape) == 3 else None
    mode = "rgb" if given is None else scene.value(given)
    if callee_of(call) in _DECODE:
        return None
    return next((count for count, name in _MODES.items() if name == mode), None)


def colored(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that give gray pictures the three channels that a network for colors takes.

    Args:
        scene: the failed run.
    """
    runs = [(call, argument(call, 0, "x")) for call in calls_in(scene.program.tree, *RUNS)]
    gray = [node for _, node in runs if node is not None and (scene.shape(node) or (0,))[-1] == 1]
    failing = [call for call, _ in runs if scene.reach.of(call) == 0]
    declared = [
        shape.elts[-1]
        for call in calls_in(scene.program.tree, "Input")
        if isinstance(shape := argument(call, 0, "shape"), ast.Tuple) and len(shape.elts) == 3
        if scene.value(shape.elts[-1]) == 1
    ]
    if not gray or not failing or not declared or (1, 3) not in scene.clues.pairs:
        return
    repeat, imported = scene.function("numpy", "repeat")
    edits = [Replacement(node, f"{repeat}({scene.program.source(node)}, 3, -1)") for node in gray]
    edits += [Replacement(item, "3") for item in declared]
    why = (
        f"`{scene.text(gray[0])}` at {scene.at(gray[0])} is gray, {show(scene.shape(gray[0]) or ())}, and a "
    )
    why += "layer takes three channels: the gray values are repeated for each"
    yield Candidate((*edits, *imported), 0.5, "color", why)


def reduced(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that keep the channels which a model reads, where a mean or the like makes one of them.

    Args:
        scene: the failed run.
    """
    match = _READ.search(scene.message)
    wanted = 0 if match is None else int(match[1] or match[2])
    for call in ast.walk(scene.program.tree) if wanted > 1 else ():
        if not isinstance(call, ast.Call) or callee_of(call) not in _REDUCE:
            continue
        method = call.func.value if isinstance(call.func, ast.Attribute) else None
        operand = next(
            (item for item in (method, *call.args[:1]) if item is not None and scene.shape(item)), None
        )
        shape = None if operand is None else scene.shape(operand)
        if operand is None or not shape or len(shape) < 3 or shape[-1] != wanted:
            continue
        if scene.shape(call) not in (shape[:-1], (*shape[:-1], 1)):
            continue
        why = (
            f"`{scene.text(call)}` at {scene.at(call)} makes one value of the {wanted} channels that are read"
        )
        edit = Replacement(call, scene.program.source(operand))
        added = [
            Replacement(node, scene.program.source(node.value))
            for node in ast.walk(scene.program.tree)
            if isinstance(node, ast.Subscript) and scene.program.source(node.slice) in _ADDS
        ]
        for place, edits in enumerate(((edit, *added), (edit,)) if len(added) == 1 else ((edit,),)):
            yield Candidate(edits, -0.5 + 0.1 * place, "color", why, fact=True)


OPERATORS = (channels, colored, reduced)
