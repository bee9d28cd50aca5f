"""Errors outside of every Keras model: in a constructor, a batch of tf.data, or too few targets."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Value
from shapeinspect.plugin_api.changes import Change, OnLayer, OnTargets, PaddedBatch, Unstacked, Wording
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import Indivisible, RaggedBatch, SeveralInputs, SeveralOutputs
from shapeinspect.plugin_api.rerun import Failure, Rerun, Retried
from shapeinspect.plugin_api.user_code.frames import Place, constructor_arguments
from shapeinspect_keras.tracing.guard import touchable, untouched
from shapeinspect_keras.vocabulary.kinds import describe

_SIZES = re.compile(
    r"First element had shape \[(?P<first>[\d,]*)\] and element \d+ had shape \[(?P<other>[\d,]*)\]"
)
#: Keras's names of the settings that must divide each other.
_NAMES = {"groups": "groups", "filters": "out_channels"}


def building(message: str, where: str | None, frames: Sequence[Place]) -> Rerun | None:
    """Find the layer whose groups do not divide its filters.

    Args:
        message: Keras's words.
        where: the user's source line.
        frames: those of the traceback, with their lines.
    """
    import keras

    for frame, _ in frames:
        owner = frame.f_locals.get("self")
        if frame.f_code.co_name != "__init__" or not isinstance(owner, keras.Layer):
            continue
        given = constructor_arguments(frame)
        if not all(isinstance(given.get(key), int) and given[key] > 0 for key in _NAMES):
            return None
        name = str(given.get("name") or type(owner).__name__)
        attributes = Frozen({new: given[old] for old, new in _NAMES.items()})
        layer = Layer(
            name, describe(type(owner).__name__, given)[0], type(owner).__name__, (name,), attributes
        )
        fact = Indivisible("groups", Frozen(out_channels=given["filters"]))
        model = Model("", "live", "keras", "keras-live", (layer,))
        claim = Claim(what="the constructor")
        failure = Failure(model, layer, (), message, where, fact=fact, claim=claim)
        return Retried(failure, functools.partial(_builds, type(owner), given), _spell)
    return None


def _builds(kind: Any, given: dict[str, Any], changes: Sequence[Change]) -> bool:
    own = {new: old for old, new in _NAMES.items()}
    settings = [change.attributes for change in changes if isinstance(change, OnLayer)]
    try:
        kind(**{**given, **{own[key]: value for item in settings for key, value in item.items()}})
    except (ValueError, TypeError):
        return False
    return bool(settings)


def batching(message: str, where: str | None) -> Rerun | None:
    """Read the shapes of two samples that do not fit one batch of ``tf.data``.

    Args:
        message: TensorFlow's words.
        where: the user's source line.
    """
    match = _SIZES.search(message)
    if match is None:
        return None
    first, other = (
        tuple(int(part) for part in match[name].split(",") if part) for name in ("first", "other")
    )
    layer = Layer("batch", "stack", "tf.data.Dataset.batch", ("batch",))
    values = {"sample": Value("sample", first), "sample:1": Value("sample:1", other)}
    model = Model("", "live", "tensorflow", "keras-live", (layer,), (), Frozen(values), tuple(values))
    fact = RaggedBatch(first, other)
    claim = Claim(Level.PART, "a batch of two samples of these shapes", "the dataset was not read again")
    failure = Failure(model, layer, tuple(values), message, where, fact=fact, claim=claim)
    return Retried(failure, lambda changes: _pads((first, other), changes), _spell)


def _pads(shapes: Sequence[tuple[int, ...]], changes: Sequence[Change]) -> bool:
    import tensorflow as tf

    if not any(isinstance(change, PaddedBatch) for change in changes):
        return False
    signature = tf.TensorSpec((None,) * len(shapes[0]), tf.bool)
    data = tf.data.Dataset.from_generator(
        lambda: (tf.zeros(shape, tf.bool) for shape in shapes), output_signature=signature
    )
    batch = next(iter(data.padded_batch(len(shapes))))
    return tuple(batch.shape) == (len(shapes), *map(max, zip(*shapes, strict=True)))


def several(model: Any, y: Any, message: str, where: str | None) -> Rerun | None:
    """Find a model of several outputs that is given one target.

    Args:
        model: the model.
        y: the targets.
        message: Keras's words.
        where: the user's source line.
    """
    import keras

    names = tuple(str(name) for name in getattr(model, "output_names", None) or ())
    if len(names) < 2 or not hasattr(y, "shape"):
        return None
    layer = Layer("loss", "loss", "loss", ("loss",))
    values = {"y": Value("y", tuple(y.shape))}
    whole = Model(str(model.name), "live", "keras", "keras-live", (layer,), (), Frozen(values), ("y",))
    claim = Claim(Level.UNTRIED, rest="outputs and targets have the same structure with it")
    failure = Failure(whole, layer, ("y",), message, where, fact=SeveralOutputs(names), claim=claim)

    def passes(changes: Sequence[Change]) -> bool:
        given = [change.names for change in changes if isinstance(change, OnTargets)]
        try:
            keras.tree.assert_same_structure(list(model.outputs), list(given[0]))
        except (ValueError, TypeError, IndexError):
            return False
        return True

    return Retried(failure, passes, _spell)


_INPUTS = re.compile(r"expects (\d+) (?:named )?input\(s\).*but it received 1 input tensors", re.S)


def stacked(model: Any, x: Any, message: str, where: str | None) -> Rerun | None:
    """Find a model of several inputs that receives them as one array.

    Args:
        model: the model.
        x: the array.
        message: Keras's words.
        where: the user's source line.
    """
    import keras

    if _INPUTS.search(message) is None or not hasattr(x, "shape") or not getattr(model, "inputs", None):
        return None
    names = tuple(str(item._keras_history.operation.name) for item in model.inputs)
    layer = Layer(names[0], "input", "input")
    values = {"x": Value("x", tuple(x.shape))}
    whole = Model(str(model.name), "live", "keras", "keras-live", (layer,), (), Frozen(values), ("x",))
    claim = Claim()
    failure = Failure(whole, layer, ("x",), message, where, fact=SeveralInputs(names), claim=claim)

    def passes(changes: Sequence[Change]) -> bool:
        axis = next((item.axis for item in changes if isinstance(item, Unstacked)), None)
        if axis is None or not -len(x.shape) <= axis < len(x.shape) or x.shape[axis] != len(names):
            return False
        if any(len(item.shape) != len(x.shape) - 1 for item in model.inputs):
            return False  # on symbols Keras takes another number of axes, on arrays it does not
        part = keras.KerasTensor((*x.shape[:axis], *x.shape[axis + 1 :]), dtype=model.inputs[0].dtype)
        with untouched(touchable(model)):
            try:
                model([part] * len(names))
            except (ValueError, TypeError):
                return False
        return True

    return Retried(failure, passes, _spell)


def _spell(change: Wording, name: str) -> str:
    del name
    if isinstance(change, Unstacked):
        before = ":, " * change.axis
        parts = [f"x[{before}{index}]" for index in range(min(change.count, 3))]
        more = ", …" if change.count > len(parts) else ""
        return f"feed [{', '.join(parts)}{more}]"
    if isinstance(change, OnTargets):
        return f"y=[{', '.join(change.names)}]"
    if isinstance(change, PaddedBatch):
        return "padded_batch instead of batch"
    if isinstance(change, OnLayer):
        own = {new: old for old, new in _NAMES.items()}
        text = ", ".join(f"{own.get(key, key)}={value}" for key, value in change.attributes.items())
        return f'{text} in "{change.path}"'
    return str(change)
