"""Draws the graph that leads to a refused call of a Keras layer, on symbols and without numbers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.ir import Call, Frozen, Layer, Model, Value
from shapeinspect.plugin_api.facts import IndexOutside
from shapeinspect.plugin_api.frames import passed_arguments, traceback_frames
from shapeinspect.plugin_api.rerun import Recorded
from shapeinspect.sources.source import Source
from shapeinspect_keras.debug.confirm import Confirm
from shapeinspect_keras.debug.input_specs import wanted
from shapeinspect_keras.debug.spelling import Speller
from shapeinspect_keras.debug.unbuilt import Redrawn
from shapeinspect_keras.tracing import graph as graphs
from shapeinspect_keras.tracing.guard import touchable, untouched
from shapeinspect_keras.tracing.inputs import lengths
from shapeinspect_keras.tracing.model import read_model
from shapeinspect_keras.tracing.walk import SymbolicCall, Tensor, Walk
from shapeinspect_keras.tracing.weights import tied


@dataclass(frozen=True, slots=True)
class Said:
    """What the exception says: its words, and the user's line."""

    message: str
    where: str | None


@dataclass(frozen=True, slots=True)
class _Refused:
    """The innermost operation that refused, and its arguments on symbols."""

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def of_call(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], said: Said) -> Recorded | None:
    """Recover a call of a layer or model, on symbols or on numbers.

    Args:
        operation: what was called.
        args: its positional arguments.
        kwargs: the others.
        said: what the exception says.
    """
    import keras

    if not isinstance(operation, keras.Operation):
        return None
    built = any(graphs.node_of(one) is not None for one in _symbols(args, kwargs))
    if not built:
        args, kwargs = _symbolic(args, kwargs)
    looked_up = _looked_up(operation, args, said)
    if looked_up is not None:
        return looked_up
    with untouched(_held(operation)):
        refused = _innermost(operation, args, kwargs)
        if refused is None:
            return None
        if not built and graphs.functional(operation) is not None:
            graph = _Refused(operation, args, kwargs)
            return _pointed(_recorded(graph, operation, said, data=True), refused)
        return _recorded(refused, operation, said, data=not built)


def of_run(model: Any, x: Any, y: Any, said: Said) -> Recorded | None:
    """Recover a run of a model on data: the call itself, or the loss behind it.

    Args:
        model: the model.
        x: its data.
        y: the targets, or None.
        said: what the exception says.
    """
    args, kwargs = _symbolic((x,), {})
    if not _symbols(args):
        return None
    looked_up = _looked_up(model, args, said) or _labelled(model, args[0], y, said)
    if looked_up is not None:
        return looked_up
    with untouched(_held(model)):
        refused = _innermost(model, args, kwargs)
        if refused is not None and graphs.functional(model) is not None:
            return _pointed(_recorded(_Refused(model, args, kwargs), model, said, data=True), refused)
        if refused is not None:
            return _recorded(refused, model, said, data=True)
    if graphs.functional(model) is not None and "stateful" in said.message:
        graph = _recorded(_Refused(model, args, kwargs), model, said, data=True)
        found = (_pointed(graph, _Refused(one, args, {})) for one in model._flatten_layers())
        return next((one for one in found if one.refused), None)
    compared = None if not hasattr(y, "shape") else _compared(model, args[0], y, said)
    return compared or whole(model, args, said)


_NAMED = re.compile(
    r"of layer '(?P<name>[^']+)' is incompatible with the layer: .*?"
    r"(?:with shape|shape received:) \((?P<shape>[\dNone, ]*)\)",
    re.S,
)


def of_words(model: Any, said: Said) -> Recorded | None:
    """Recover the call of a layer that Keras names, where nothing tells what the model was run on.

    Args:
        model: the model.
        said: what the exception says.
    """
    import keras

    found = _NAMED.search(said.message)
    if found is None or not isinstance(model, keras.Layer):
        return None
    layers = [one for one in model._flatten_layers() if one.name == found["name"]]
    parts = [part.strip() for part in found["shape"].split(",") if part.strip()]
    with untouched(()):
        symbol = keras.KerasTensor(tuple(None if part == "None" else int(part) for part in parts))
    alone = of_call(layers[0], (symbol,), {}, said) if len(layers) == 1 else None
    if alone is None:
        return None
    return replace(alone, spell=Speller(data=True, shapes={}), passes="the layer itself takes it")


def _pointed(graph: Recorded, refused: _Refused) -> Recorded:
    """Say which layer of a whole model refused, and what it takes."""
    takes = wanted(refused.operation, _symbols(refused.args, refused.kwargs))
    name = str(refused.operation.name)
    paths = [layer.path for layer in graph.model.layers if layer.path.rpartition("/")[2] == name]
    if takes is None or len(paths) != 1:
        return graph
    return replace(graph, refused=paths[0], fact=takes)


def _symbolic(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    import keras

    def convert(value: Any) -> Any:
        if not hasattr(value, "shape") or not hasattr(value, "dtype"):
            return value
        return keras.KerasTensor(tuple(value.shape), dtype=keras.backend.standardize_dtype(value.dtype))

    with untouched(()):  # symbols are counted
        made = keras.tree.map_structure(convert, [list(args), kwargs])
    return tuple(made[0]), made[1]


def whole(model: Any, args: tuple[Any, ...], said: Said) -> Recorded | None:
    """Recover the call of a model that keeps its graph, whether it was refused or not.

    Args:
        model: the model.
        args: what it is called on, in symbols.
        said: what the exception says.
    """
    if graphs.functional(model) is None:
        return None
    with untouched(_held(model)):
        return _recorded(_Refused(model, args, {}), model, said, data=True)


def _symbols(args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> list[Any]:
    """List the symbolic tensors among some arguments, in order."""
    import keras

    flat = keras.tree.flatten((list(args), kwargs or {}))
    return [one for one in flat if isinstance(one, keras.KerasTensor)]


def _innermost(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Refused | None:
    """Call on symbols with the whole traceback kept; return the innermost operation that refuses."""
    import keras

    filtered = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        with warnings.catch_warnings():  # what Keras has to say of the model, it has said
            warnings.simplefilter("ignore")
            _call(operation, args, kwargs)
    except Exception as error:  # noqa: BLE001  # the user's own code may raise anything; its frames tell
        found = list(_called(error))
        if len(found) > 1 and found[-1].operation is graphs.functional(found[-2].operation):
            found.pop()  # what a Sequential keeps inside
        return found[-1] if found else _Refused(operation, args, kwargs)
    finally:
        if filtered:
            keras.config.enable_traceback_filtering()
    return None


def refuses(model: Any, symbols: tuple[Any, ...]) -> bool:
    """Tell whether a model refuses to be called.

    Args:
        model: the model or layer.
        symbols: its inputs, Keras's symbolic tensors.
    """
    return _innermost(model, symbols if len(symbols) == 1 else (list(symbols),), {}) is not None


def _held(operation: Any) -> list[Any]:
    """List what a call could write to."""
    import keras

    return touchable(operation) if isinstance(operation, keras.Layer) else []


def _call(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Call on symbols; a layer of the user's own by its ``call``, so that those inside see symbols too."""
    import keras

    own = isinstance(operation, keras.Layer) and graphs.keras_class(operation) is None
    if not own or graphs.functional(operation) is not None:
        operation(*args, **kwargs)
        return
    if not operation.built:
        first = next((one for one in args if isinstance(one, keras.KerasTensor)), None)
        operation.build(None if first is None else first.shape)
    operation.call(*args, **kwargs)


def _called(error: BaseException) -> Iterator[_Refused]:
    import keras

    for frame, _ in traceback_frames(error.__traceback__):
        owner = frame.f_locals.get("self")
        if frame.f_code.co_name in ("__call__", "symbolic_call") and isinstance(owner, keras.Operation):
            args, kwargs = passed_arguments(frame)
            if any(isinstance(one, keras.KerasTensor) for one in keras.tree.flatten([list(args), kwargs])):
                yield _Refused(owner, args, kwargs)


def _recorded(refused: _Refused, owner: Any, said: Said, data: bool) -> Recorded:
    model = graphs.functional(refused.operation)
    flat = _symbols(refused.args, refused.kwargs)
    if model is not None and (data or not any(_is_made(one) for one in flat)):
        inner = read_model(Source(str(model.name), target=model))
        fed = dict(zip(inner.inputs, [lengths(tuple(one.shape)) for one in flat], strict=False))
        called_on = dict(zip(inner.inputs, [tuple(one.shape) for one in flat], strict=False))
        confirm = Confirm(refused.operation, called_on, _held(refused.operation), refuses) if data else None
        return Recorded(
            inner,
            Frozen(fed),
            said.message,
            said.where,
            Speller(data, fed),
            refuses="rank",
            batched=True,
            confirm=confirm,
        )
    walk, inputs = Walk(), []
    sources = list(_sources(flat))
    given = []
    for index, one in enumerate(sources):
        history = getattr(one, "_keras_history", None)
        maker = history.operation if history is not None else None
        name = str(maker.name) if maker is not None else f"x{index or ''}"
        given.append(Tensor(walk.values.add(name, lengths(tuple(one.shape)), str(one.dtype)), one))
        inputs.append(given[-1].name)
    graph = graphs.Graph(tuple(sources), tuple(inputs), tuple(graphs.reached(flat, sources)), tuple(flat))
    made = walk.graph(graph, (), given)
    names = {id(one): tensor.name for one, tensor in zip(flat, made, strict=True)}
    operands = [Tensor(names[id(one)], one) for one in flat]
    arguments = SymbolicCall(list(refused.args), refused.kwargs, operands, names)
    walk.call(refused.operation, (), arguments, (None,))
    _forget_inputs(walk, refused.operation)
    found = Model(
        str(getattr(owner, "name", "model")),
        "live",
        "keras",
        "keras-live",
        tied(list(walk.layers.values())),
        tuple(walk.calls),
        Frozen(walk.values.by_name),
        tuple(inputs),
    )
    shapes = {name: walk.values.shape(name) for name in inputs}
    takes = wanted(refused.operation, flat)
    read = walk.calls[-1].inputs
    places = [read.index(names[id(one)]) if names[id(one)] in read else None for one in flat]
    redrawn = Redrawn(
        refused.operation,
        refused.args,
        refused.kwargs,
        flat,
        places,
        dict(zip(inputs, sources, strict=True)),
        [*_held(owner), *_held(refused.operation)],
    )
    return Recorded(
        found,
        Frozen(),
        said.message,
        said.where,
        Speller(data, shapes),
        batched=True,
        fact=takes,
        refused=walk.first_paths[id(refused.operation)] if takes else "",
        confirm=redrawn,
    )


def _is_made(tensor: Any) -> bool:
    node = graphs.node_of(tensor)
    return node is not None and not node.is_input


def _forget_inputs(walk: Walk, operation: Any) -> None:
    """Take back the input sizes of a layer that has no weights yet: it would take any."""
    path = walk.first_paths[id(operation)]
    layer, keys = walk.layers[path]
    if layer.weights:
        return
    kept = {key: value for key, value in layer.attributes.items() if key not in _OF_INPUTS}
    walk.layers[path] = (replace(layer, attributes=Frozen(kept)), keys)


_OF_INPUTS = frozenset({"in_features", "in_channels", "input_size", "num_features", "num_channels"})


def _sources(tensors: Sequence[Any]) -> Iterator[Any]:
    """Yield the tensors at which the graph behind some tensors begins."""
    seen: set[int] = set()
    stack = list(reversed(tensors))
    while stack:
        tensor = stack.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        node = graphs.node_of(tensor)
        if node is None or node.is_input:
            yield tensor
        else:
            stack.extend(reversed(node.input_tensors))


def _compared(model: Any, x: Any, y: Any, said: Said) -> Recorded | None:
    """Add the loss behind the model."""
    loss = getattr(model, "loss", None)
    if not hasattr(x, "shape"):
        return None
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", None)
    if not isinstance(name, str):
        return None
    example: Any = None if graphs.functional(model) is not None else ((x,), {})
    inner = read_model(Source(str(model.name), target=model, example=example))
    if len(inner.outputs) != 1 or not inner.inputs:
        return None
    targets, fed = (
        lengths(tuple(y.shape)),
        {inner.inputs[0]: lengths(tuple(x.shape)), "y": lengths(tuple(y.shape))},
    )
    layer = Layer("loss", "loss", name, ("loss",), Frozen({"function": name}))
    whole = replace(
        inner,
        layers=(*inner.layers, layer),
        calls=(*inner.calls, Call("loss", (inner.outputs[0], "y"), ("loss",))),
        values=Frozen({**inner.values, "y": Value("y", targets), "loss": Value("loss")}),
        inputs=(*inner.inputs, "y"),
        notes=(),
    )
    return Recorded(
        whole, Frozen(fed), said.message, said.where, Speller(data=True, shapes=fed), batched=True
    )


_LABEL = re.compile(r"label value of (-?\d+) which is outside the valid range of \[0, (\d+)\)")


def _labelled(model: Any, x: Any, y: Any, said: Said) -> Recorded | None:
    """Find the loss whose classes a label is outside of; the message holds the numbers."""
    found = _LABEL.search(said.message)
    compared = _compared(model, x, y, said) if found is not None and hasattr(y, "shape") else None
    if found is None or compared is None:
        return None
    numbers = [int(y.min()), int(y.max())] if hasattr(y, "min") else [0, int(found.group(1))]
    return replace(compared, fact=IndexOutside(numbers[1], numbers[0], int(found.group(2)), "loss"))


_INDEX = re.compile(r"indices\[.*?\] = (-?\d+) is not in \[0, (\d+)\)")


def _looked_up(model: Any, args: tuple[Any, ...], said: Said) -> Recorded | None:
    """Find the table that an index is outside of; the message holds the numbers."""
    import keras

    found = _INDEX.search(said.message)
    if found is None or not isinstance(model, keras.Layer):
        return None
    index, size = int(found.group(1)), int(found.group(2))
    example: Any = None if graphs.functional(model) is not None else (args, {})
    inner = read_model(Source(str(model.name), target=model, example=example))
    path = next((one.path for one in inner.layers if one.attributes.get("num_embeddings") == size), None)
    if path is None:
        return None
    fact = IndexOutside(index, index, size, path)
    fed: dict[str, Shape | None] = {}
    return Recorded(inner, Frozen(fed), said.message, said.where, Speller(data=True, shapes=fed), fact=fact)
