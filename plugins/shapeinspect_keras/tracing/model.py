"""Reads a live Keras model into a Model without changing it."""

from __future__ import annotations

from typing import Any

from shapeinspect.errors import ModelCodeError, UsageError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Model
from shapeinspect.sources.source import Source
from shapeinspect_keras.calls.assumed import marked
from shapeinspect_keras.calls.batch import open_batch
from shapeinspect_keras.calls.open_axes import named_axes
from shapeinspect_keras.tracing import graph as graphs
from shapeinspect_keras.tracing.guard import touchable, untouched
from shapeinspect_keras.tracing.inputs import Entrance, arguments, lengths
from shapeinspect_keras.tracing.walk import SymbolicCall, Tensor, Walk
from shapeinspect_keras.tracing.weights import tied


def read_model(source: Source) -> Model:
    """Read a live model.

    Args:
        source: a request whose target is a Keras layer.

    Raises:
        UsageError: if the target is no layer, or is not built and no input is given.
    """
    import keras

    target: Any = source.target
    if not isinstance(target, keras.Layer):
        raise UsageError(
            f'"{source.label}" is not a Keras model or layer',
            got=f"an object of class {type(target).__module__}.{type(target).__qualname__}",
        )
    walk = Walk()
    with untouched(touchable(target)):
        inputs, outputs = _run(walk, target, source)
    layers = tied(list(walk.layers.values()))
    by_path = {layer.path: layer for layer in layers}
    shapes = {name: walk.values.shape(name) or () for name in inputs}
    for name, shape in named_axes(shapes, walk.calls, by_path).items():
        walk.values.reshape(name, shape)
    return Model(
        source.label,
        "live",
        "keras",
        "keras-live",
        layers,
        tuple(walk.calls),
        Frozen(marked(layers, walk.calls, walk.values.by_name)),
        tuple(inputs),
        tuple(outputs),
        tuple(walk.notes),
        Frozen({"keras_version": str(keras.__version__), "backend": str(keras.config.backend())}),
        described=(f"live Keras {'model' if isinstance(target, keras.Model) else 'layer'}",),
        asked=graphs.functional(target) is None,  # a functional model has the graph that it was built with
    )


def _run(walk: Walk, target: Any, source: Source) -> tuple[list[str], list[str]]:
    model = graphs.functional(target)
    if model is not None:
        graph = graphs.of_functional(model)
        given = [
            Tensor(walk.values.add(name, open_batch(lengths(tensor.shape)), str(tensor.dtype)), tensor)
            for name, tensor in zip(graph.names, graph.inputs, strict=True)
        ]
        outputs = walk.graph(graph, (), given)
        walk.idle(target, ())
        return [item.name for item in given], [item.name for item in outputs]
    entrance = arguments(target, source)
    if entrance is None and not target.built:
        raise UsageError(
            f'"{source.label}" is not built yet: its weights have no shapes',
            hint="give its input with --input, or call the model (or its build method) once first",
        )
    container = (graphs.keras_class(target) is None and bool(target._layers)) or _is_container(target)
    if container and any(True for _ in (*target._trainable_variables, *target._non_trainable_variables)):
        walk.register(target, (), None, ())
    returned = ([], []) if entrance is None else _follow(walk, target, entrance, container=container)
    if entrance is None:
        walk.note("its input shapes are unknown, and so are its calls: give them with --input")
    if container:
        walk.idle(target, ())
    elif not walk.layers:
        walk.register(target, (), graphs.keras_class(target), ())
    return returned


def _is_container(target: Any) -> bool:
    import keras

    return isinstance(target, keras.Model)


def _follow(walk: Walk, target: Any, entrance: Entrance, *, container: bool) -> tuple[list[str], list[str]]:
    import keras

    structures = (list(entrance.args), dict(entrance.kwargs))
    symbols = [item for item in keras.tree.flatten(structures) if isinstance(item, keras.KerasTensor)]
    given = [
        Tensor(walk.values.add(name, open_batch(shape), str(tensor.dtype)), tensor)
        for name, shape, tensor in zip(entrance.names, entrance.shapes, symbols, strict=True)
    ]
    inputs = [item.name for item in given]
    call = SymbolicCall(entrance.args, entrance.kwargs, given, {id(item.symbol): item.name for item in given})
    if not container:
        if not target.built:
            _build(target, entrance)
        returned = walk.recomputed(target, entrance.args, entrance.kwargs, (None,))
        return inputs, [item.name for item in walk.call(target, (), call, returned)]
    built = target.built
    outputs = walk.followed(target, (), call)
    if outputs is None and not built:
        raise UsageError(
            f"{type(target).__name__} cannot be built from this input",
            got="; ".join(note.text for note in walk.notes),
            hint="give another input, or call the model once on real data first",
        )
    if outputs is None:
        returned = walk.recomputed(target, entrance.args, entrance.kwargs, (None,))
        outputs = [walk.output("output", item, index, None) for index, item in enumerate(returned)]
    return inputs, [item.name for item in outputs]


def _build(target: Any, entrance: Entrance) -> None:
    """Let a layer create its variables without numbers; the guard removes them afterwards."""
    try:
        target(*entrance.args, **entrance.kwargs)
    except Exception as error:
        raise ModelCodeError(
            f"{type(target).__name__} refuses this input: {error}", hint="give another one with --input"
        ) from error
