"""From an exception to an explanation by the user's own statement, where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Value
from shapeinspect.plugin_api.facts import Explained
from shapeinspect.plugin_api.rerun import Failure, Recorded
from shapeinspect.plugin_api.rewriting import Rewriting
from shapeinspect.plugin_api.user_code.frames import Place, in_packages, traceback_frames
from shapeinspect_keras.debug.spelling import Speller
from shapeinspect_keras.debug.statements import by_hand, declared, masks, names, operations, samples, targets
from shapeinspect_keras.debug.statements.site import Site, site_of
from shapeinspect_keras.debug.tf_operation import operation

#: What the files are called that hold a user's function as TensorFlow has rewritten it.
_GENERATED = "__autograph_generated_file"


def own_frames(error: BaseException) -> list[Place]:
    """Return the frames of an exception without those of code that TensorFlow has written itself.

    Args:
        error: the exception, with its traceback.
    """
    frames = traceback_frames(error.__traceback__)
    return [place for place in frames if _GENERATED not in place[0].f_code.co_filename]


def explanation(error: BaseException, packages: tuple[str, ...]) -> Rewriting | None:
    """Explain an exception by the user's statement.

    Args:
        error: the exception, with its traceback.
        packages: the packages whose lines are not the user's.
    """
    frames = own_frames(error)
    if not any(in_packages(frame.f_code.co_filename, ("keras", "tensorflow")) for frame, _ in frames):
        return None
    site = site_of(frames, packages)
    if site is None:
        return None
    for explain in (_of_counts, _of_mask, _of_layer, _of_inputs, _of_run, _by_hand, _of_operation):
        with suppress(Exception):  # what this cannot explain, the recorded call still may
            result = explain(error, frames, site)
            if result is not None:
                return result
    return None


def _of_counts(error: BaseException, frames: Sequence[Place], site: Site) -> Rewriting | None:
    """Explain inputs of a run that have different numbers of samples."""
    if "Data cardinality is ambiguous" not in str(error):
        return None
    for name, _, args, kwargs in _handled(frames):
        found = samples.unequal(name, args, kwargs, site)
        if found is not None:
            fact, shapes = found
            return alone(name, "statement", shapes, fact, str(error), site.where)
        return None
    return None


def _of_inputs(error: BaseException, frames: Sequence[Place], site: Site) -> Rewriting | None:
    """Explain what a model is called on."""
    for name, owner, args, kwargs in _handled(frames):
        found = samples.explained(name, owner, args, kwargs, site)
        if found is not None:
            fact, shapes = found
            return alone(next(iter(shapes)), "input", shapes, fact, str(error), site.where)
        return None
    return None


def _of_operation(error: BaseException, frames: Sequence[Place], site: Site) -> Rewriting | None:
    """Explain an operation of TensorFlow that the user's own code calls."""
    del frames
    message = str(error)
    where = operations.stated_line(message, ("keras", "tensorflow")) or site.where
    labels = operations.logits(message, site)
    if labels is not None:
        return alone("loss", "loss", dict(labels[1]), labels[0], message, where)
    recorded = operation(error, where)
    fact_of = None if recorded is None else operations.elementwise(recorded, site)
    if recorded is None or fact_of is None:
        return None
    layer = recorded.model.layers[-1]
    shapes: dict[str, Any] = {name: value.shape for name, value in recorded.model.values.items()}
    return alone(layer.path, layer.kind, shapes, fact_of, message, where)


def _of_mask(error: BaseException, frames: Sequence[Place], site: Site) -> Rewriting | None:
    """Explain a mask that an attention refuses."""
    del frames
    found = masks.explained(site)
    if found is None:
        return None
    fact, shapes, name = found
    return alone(name, "attention", shapes, fact, str(error), site.where)


def _by_hand(error: BaseException, frames: Sequence[Place], site: Site) -> Rewriting | None:
    """Explain the targets of a loss that the user calls."""
    found = by_hand.explained(frames, site)
    if found is None:
        return None
    fact, shapes = found
    return alone("loss", "loss", shapes, fact, str(error), site.where)


def _handled(frames: Sequence[Place]) -> Iterator[tuple[str, Any, list[Any], dict[str, Any]]]:
    """Yield the calls that Keras's traceback filter keeps: their name, owner and arguments."""
    for frame, _ in frames:
        local = frame.f_locals
        if frame.f_code.co_name == "error_handler" and local.get("args"):
            owner, *args = local["args"]
            yield getattr(local.get("fn"), "__name__", ""), owner, args, dict(local.get("kwargs", {}))


def _of_run(error: BaseException, frames: Sequence[Place], site: Site) -> Rewriting | None:
    """Explain the targets of a run that the loss refuses."""
    for name, owner, args, kwargs in _handled(frames):
        if name not in names.COMPARES:
            return None
        found = targets.of_run(owner, args, kwargs, site, str(error))
        if found is not None:
            run, fact = found
            return alone("loss", "loss", dict(targets.shapes_of(run)), fact, str(error), site.where)
        return None
    return None


def in_users_words(
    spell: Speller, inputs: Sequence[str], error: BaseException, packages: tuple[str, ...]
) -> Speller:
    """Let a speller name data and declarations as the user's statement does.

    Args:
        spell: the speller.
        inputs: the names of the model's inputs, and ``y`` for targets.
        error: the exception, with its traceback.
        packages: the packages whose lines are not the user's.
    """
    frames = own_frames(error)
    site = site_of(frames, packages)
    if site is None:
        return spell
    spell = replace(spell, declared=partial(declared.redeclared, site))
    for name, owner, args, kwargs in _handled(frames):
        if name != "__call__" and name not in names.RUNS:
            continue
        if spell.validation:
            return replace(spell, called=names.validated(site, name, args, kwargs, inputs))
        data = args[0] if args else kwargs.get("x")
        batch = names.yielded(site, data) if name in names.RUNS and not hasattr(data, "shape") else None
        called = names.called(site, name, owner, args, kwargs, inputs)
        return replace(spell, called=called, batch=batch if len(inputs) == 1 else None)
    return spell


def _of_layer(error: BaseException, frames: Sequence[Place], site: Site) -> Rewriting | None:
    """Explain the refusal of a layer while a model is built."""
    from shapeinspect_keras.debug import refused_call as refusal

    for layer, symbol in _layers(frames):
        recorded = refusal.of_call(layer, (symbol,), {}, refusal.Raised(str(error), site.where))
        if recorded is None:
            return None
        fact = declared.explained(declared.Refused(layer, symbol, str(error), recorded, site))
        return None if fact is None else _recorded(recorded, fact)
    return None


def _layers(frames: Sequence[Place]) -> Iterator[tuple[Any, Any]]:
    """Yield the layer that is being called on a symbol, and the symbol."""
    import keras

    for frame, _ in frames:
        local = frame.f_locals
        if frame.f_code.co_name == "build" and {"self", "layer", "x"} <= local.keys():
            yield local["layer"], local["x"]
        if frame.f_code.co_name == "error_handler" and local.get("args"):
            owner, *args = local["args"]
            whole = isinstance(owner, keras.Model)
            if (
                isinstance(owner, keras.Layer)
                and args
                and isinstance(args[0], keras.KerasTensor)
                and not whole
            ):
                yield owner, args[0]


def _recorded(recorded: Recorded, fact: Explained) -> Rewriting | None:
    """Put an explanation at the last call of what is recorded."""
    model = recorded.model
    call = model.calls[-1] if model.calls else None
    layer = next((item for item in model.layers if call is not None and item.path == call.layer), None)
    if call is None or layer is None:
        return None
    before = Model(
        model.source, model.format, model.framework, model.adapter, model.layers, model.calls[:-1],
        model.values, model.inputs,
    )  # fmt: skip
    return Rewriting(Failure(before, layer, call.inputs, recorded.message, recorded.where, fact=fact))


def alone(
    path: str, kind: str, values: dict[str, Any], fact: Explained, message: str, where: str
) -> Rewriting:
    """Put an explanation at an operation of which nothing but its operands is known.

    Args:
        path: what the operation is called.
        kind: its kind.
        values: the shapes of its operands, by name.
        fact: the explanation.
        message: the framework's words.
        where: the user's line.
    """
    layer = Layer(path, kind, path.rpartition("/")[2], (path,))
    shapes = {name: Value(name, shape) for name, shape in values.items()}
    model = Model("", "live", "keras", "keras-live", (layer,), (), Frozen(shapes), ())
    return Rewriting(Failure(model, layer, tuple(shapes), message, where, fact=fact))
