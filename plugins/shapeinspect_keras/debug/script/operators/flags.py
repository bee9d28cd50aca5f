"""Edits of settings: a flag, the padding, the axis, the layout, the loss."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, default_of, show
from shapeinspect_keras.debug.script.operators.axes import OF_LOSSES
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.site import calls_in
from shapeinspect_keras.debug.statements.targets import OTHER_LOSS, stated

#: Flags that say nothing of shapes.
_OTHER = frozenset({
    "trainable", "training", "verbose", "shuffle", "use_bias", "endpoint", "keepdims_", "replace", "exist_ok",
    "use_multiprocessing", "compile", "jit_compile", "run_eagerly", "center", "scale", "allow_pickle",
    "reshuffle_each_iteration", "persistent", "mask_zero", "from_logits",
    "return_state",
})  # fmt: skip
#: Layers that return their last step only where they are not told otherwise.
RECURRENT = frozenset({"LSTM", "GRU", "SimpleRNN", "ConvLSTM1D", "ConvLSTM2D", "RNN"})
#: Functions and layers that join arrays along one of their axes.
JOINS = frozenset({"concatenate", "Concatenate", "concat"})
_WINDOWS = (
    "Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose",
    "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "MaxPool2D", "AveragePooling1D", "AveragePooling2D",
    "AveragePooling3D", "SeparableConv1D", "SeparableConv2D", "DepthwiseConv2D",
)  # fmt: skip
_TEXTS = {
    "same": ("valid",),
    "valid": ("same",),
    "channels_first": ("channels_last",),
    "channels_last": ("channels_first",),
    "categorical_crossentropy": ("sparse_categorical_crossentropy", "binary_crossentropy"),
    "sparse_categorical_crossentropy": ("categorical_crossentropy", "binary_crossentropy"),
    "binary_crossentropy": ("sparse_categorical_crossentropy", "categorical_crossentropy"),
    "int": ("one_hot", "multi_hot"),
}
#: Losses of numbers, and those of classes that are meant where the network ends with a softmax.
_OF_NUMBERS = dict.fromkeys(
    ("mse", "mae", "mean_squared_error", "mean_absolute_error"),
    ("sparse_categorical_crossentropy", "categorical_crossentropy"),
)
_CAUSES = {
    "return_sequences": "return-sequences", "padding": "space", "axis": "axis",
    "channels_first": "channels-last", "data_format": "channels-last",
}  # fmt: skip
#: What a flag changes of a program's meaning.
_ALTERS = {
    "include_top": "what is fed on: the classes of the head",
    "stateful": "the network: its states are no longer kept from batch to batch",
}


def flags(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a flag that is set, in a call or as the default of an argument.

    Args:
        scene: the failed run.
    """
    losses = _OF_NUMBERS if "softmax" in scene.program.text else {}
    texts = {**_TEXTS, **losses}
    for node in scene.near:
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            name = _name(scene, node)
            if name in _OTHER or not name:
                continue
            prior = 1.6 + scene.far(node)
            why = f"`{name}={node.value}` at {scene.at(node)}"
            cause = "" if name == "return_sequences" and node.value else _CAUSES.get(name, "")
            alters = _ALTERS.get(name, "")
            yield Candidate((Replacement(node, str(not node.value)),), prior, cause, why, alters)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in texts:
            name = _name(scene, node)
            if name == "padding" and not scene.spatial:
                continue
            of_loss = "crossentropy" in node.value or node.value in losses
            if of_loss and not OF_LOSSES.search(scene.message):
                continue
            for place, other in enumerate(texts[node.value]):
                prior = (1.1 + 0.3 * scene.far(node) if of_loss else 1.8 + scene.far(node)) + place
                why = f'{name or "the setting"} is "{node.value}" at {scene.at(node)}'
                told = numbered(scene, node) if of_loss and other.startswith("sparse") else ""
                cause = "labels-for-classes" if told else _CAUSES.get(name, "")
                edit = (Replacement(node, f'"{other}"'),)
                yield Candidate(edit, prior, cause, told or why, fact=bool(told))
        if callee_of(node) in OTHER_LOSS and OF_LOSSES.search(scene.message):
            text = scene.program.source(node)
            new = text.replace(callee_of(node), OTHER_LOSS[callee_of(node)], 1)
            why = f"`{scene.text(node)}` at {scene.at(node)} takes other targets than these"
            yield Candidate((Replacement(node, new),), 1.8 + scene.far(node), "targets", why)


def numbered(scene: Scene, node: ast.Constant) -> str:
    """Say that the targets are the number of a class each, and the loss takes a number for each class.

    Args:
        scene: the failed run.
        node: the name of the loss; an empty text is returned where it is not so.
    """
    target, output = stated(scene.message) or ((), ())
    if (len(target), len(output)) != (1, 2) or output[-1] == 1 or node.value in _OF_NUMBERS:
        return ""
    told = f'"{node.value!s}" at {scene.at(node)} takes targets like the outputs, {show(output)}; '
    return f"{told}those of {show(target)} are one number for each sample, as a sparse loss takes them"


def _name(scene: Scene, node: ast.AST) -> str:
    """Return the name of the argument that a constant is given for, also as its default."""
    outer = scene.program.parents.get(node)
    if isinstance(outer, ast.keyword):
        return outer.arg or ""
    if isinstance(outer, ast.arguments):
        return default_of(outer, node)
    if isinstance(outer, ast.Assign) and isinstance(outer.targets[0], ast.Name):
        return outer.targets[0].id
    return ""


def settings(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that give a layer a setting that it lacks, or another axis.

    Args:
        scene: the failed run.
    """
    for node in scene.near:
        if isinstance(node, ast.Call):
            given = {keyword.arg for keyword in node.keywords}
            name = callee_of(node)
            if not scene.spatial and scene.clues.rank <= 0:
                continue
            if name in RECURRENT and "return_sequences" not in given and None not in given:
                why = f"`{scene.text(node)}` at {scene.at(node)} returns its last step only"
                # what lacks an axis is made before the statement that fails
                lacks = 1.0 + 0.1 * (scene.reach.of(node) == 0)
                prior = lacks if scene.clues.rank > 0 else 1.6 + scene.far(node)
                yield _with(scene, node, "return_sequences=True", prior, "return-sequences", why)
            if scene.spatial and name in _WINDOWS and "padding" not in given and None not in given:
                grows = "Transpose" in name
                effect = "gives more than its strides make" if grows else "shrinks its input"
                why = f"`{scene.text(node)}` at {scene.at(node)} {effect}, without padding"
                padded = _brothers(scene, name)
                prior = 1.2 + 0.3 * scene.far(node) if padded else 2.4 + scene.far(node)
                why += f", and {padded} others have it" if padded else ""
                yield _with(scene, node, 'padding="same"', prior, "space", why)
        if isinstance(node, ast.keyword) and node.arg == "axis":
            value = ast.unparse(node.value)
            yield from _joined(scene, node)
            for other in ("-1", "1", "0", "2"):
                if other != value:
                    why = f"`{scene.text(node)}` at {scene.at(node.value)}"
                    prior = 2.0 + scene.far(node) + 0.2 * (other in "02")
                    call = scene.program.parents.get(node)
                    joins = call is not None and callee_of(call) in JOINS
                    cause = "concat-axis" if joins else "axis"
                    yield Candidate((Replacement(node.value, other),), prior, cause, why)


def _joined(scene: Scene, node: ast.keyword) -> Iterator[Candidate]:
    """Join arrays along the only axis on which they differ."""
    call = scene.program.parents.get(node)
    if call is None or callee_of(call) not in JOINS:
        return
    for one, other in itertools.combinations(scene.clues.shapes[:4], 2):
        if len(one) != len(other):
            continue
        apart = [axis for axis, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        if len(apart) != 1:
            continue
        last = apart[0] == len(one) - 1
        texts = {ast.unparse(other.value) for other in ast.walk(scene.program.tree)
                 if isinstance(other, ast.keyword) and other.arg == "axis"}  # fmt: skip
        text = "-1" if last and ("-1" in texts or str(apart[0]) not in texts) else str(apart[0])
        why = (
            f"`{scene.text(node)}` at {scene.at(node.value)}, and the arrays differ on axis {apart[0]} alone"
        )
        if text != ast.unparse(node.value):
            yield Candidate((Replacement(node.value, text),), 0.7 + 0.2 * scene.far(node), "concat-axis", why)


def _brothers(scene: Scene, name: str) -> int:
    """Return how many layers of the same class are padded, where most of them are."""
    calls = [*calls_in(scene.program.tree, name)]
    padded = sum('"same"' in scene.program.line(node) for node in calls)
    return padded if 2 * padded >= len(calls) else 0


def _with(scene: Scene, node: ast.Call, argument: str, prior: float, cause: str, why: str) -> Candidate:
    return Candidate((Replacement(node, scene.extended(node, argument)),), prior, cause, why)


OPERATORS = (flags, settings)
