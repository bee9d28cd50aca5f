"""Traces the graph that leads to a refused call of a Keras layer, on symbols and without numbers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import IndexOutside
from shapeinspect.plugin_api.rerun import CALLED, COMPUTED, Recorded
from shapeinspect.plugin_api.user_code.frames import passed_arguments, traceback_frames
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
class Raised:
    """The message of an exception, and the user's line."""

    message: str
    where: str | None


@dataclass(frozen=True, slots=True)
class _Refused:
    """The innermost operation that refused, and its arguments on symbols."""

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def of_call(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], raised: Raised) -> Recorded | None:
    """Recover a call of a layer or model, on symbols or on numbers.

    Args:
        operation: what was called.
        args: its positional arguments.
        kwargs: the others.
        raised: the exception's message, and the user's line.
    """
    import keras

    if not isinstance(operation, keras.Operation):
        return None
    built = any(graphs.node_of(item) is not None for item in _symbols(args, kwargs))
    if not built:
        args, kwargs = _symbolic(args, kwargs)
    looked_up = _looked_up(operation, args, raised)
    if looked_up is not None:
        return looked_up
    with untouched(_variables(operation)):
        refused = _innermost(operation, args, kwargs)
        if refused is None:
            return None
        if not built and graphs.functional(operation) is not None:
            graph = _Refused(operation, args, kwargs)
            return _pointed(_recorded(graph, operation, raised, data=True), refused)
        return _recorded(refused, operation, raised, data=not built)


def of_run(model: Any, x: Any, y: Any, raised: Raised) -> Recorded | None:
    """Recover a run of a model on data: the call itself, or the loss behind it.

    Args:
        model: the model.
        x: its data.
        y: the targets, or None.
        raised: the exception's message, and the user's line.
    """
    args, kwargs = _symbolic((x,), {})
    if not _symbols(args):
        return None
    looked_up = _looked_up(model, args, raised) or _labelled(model, args[0], y, raised)
    if looked_up is not None:
        return looked_up
    with untouched(_variables(model)):
        refused = _innermost(model, args, kwargs)
        if refused is not None and graphs.functional(model) is not None:
            return _pointed(_recorded(_Refused(model, args, kwargs), model, raised, data=True), refused)
        if refused is not None:
            return _recorded(refused, model, raised, data=True)
    if graphs.functional(model) is not None and "stateful" in raised.message:
        graph = _recorded(_Refused(model, args, kwargs), model, raised, data=True)
        result = (_pointed(graph, _Refused(item, args, {})) for item in model._flatten_layers())
        return next((item for item in result if item.refused), None)
    compared = None if not hasattr(y, "shape") else _compared(model, args[0], y, raised)
    return compared or whole(model, args, raised)


_NAMED = re.compile(
    r"of layer '(?P<name>[^']+)' is incompatible with the layer: .*?"
    r"(?:with shape|shape received:) \((?P<shape>[\dNone, ]*)\)",
    re.S,
)


#: Keras names the layer; what the model around it is fed is not known.
_ALONE = Claim(Level.UNTRIED, rest="the arithmetic of shapes finds nothing in the layer that refuses it")
_LAYER = Claim(Level.PART, "the layer", "what the model was called on is not known")
#: Of a call inside of a model, or while one is built, the layers behind it are not known.
_FITS = Claim(Level.UNTRIED, rest="the sizes of this layer fit with it; what follows is not known")
#: A call on symbols computes nothing; a call inside of a model is only a part of it.
_BUILT = Claim(Level.PART, "the layer", "the model is only being built")
_INSIDE = Claim(Level.PART, "the layer", "it is a part of the model's call")


def of_words(model: Any, raised: Raised) -> Recorded | None:
    """Recover the call of a layer that Keras names, where the model's data is unknown.

    Args:
        model: the model.
        raised: the exception's message, and the user's line.
    """
    import keras

    match = _NAMED.search(raised.message)
    if match is None or not isinstance(model, keras.Layer):
        return None
    layers = [item for item in model._flatten_layers() if item.name == match["name"]]
    parts = [part.strip() for part in match["shape"].split(",") if part.strip()]
    with untouched(()):
        symbol = keras.KerasTensor(tuple(None if part == "None" else int(part) for part in parts))
    alone = of_call(layers[0], (symbol,), {}, raised) if len(layers) == 1 else None
    if alone is None:
        return None
    shapes = {name: lengths(tuple(symbol.shape)) for name in alone.model.inputs}
    return replace(alone, spell=Speller(data=True, shapes=shapes), claim=_ALONE, confirmed=_LAYER)


def _pointed(graph: Recorded, refused: _Refused) -> Recorded:
    """Add the layer of a whole model that refused, and the input it expects."""
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

    with untouched(()):  # symbols have counters
        symbols = keras.tree.map_structure(convert, [list(args), kwargs])
    return tuple(symbols[0]), symbols[1]


def whole(model: Any, args: tuple[Any, ...], raised: Raised) -> Recorded | None:
    """Recover the call of a functional model, whether it was refused or not.

    Args:
        model: the model.
        args: what it is called on, in symbols.
        raised: the exception's message, and the user's line.
    """
    if graphs.functional(model) is None:
        return None
    with untouched(_variables(model)):
        return _recorded(_Refused(model, args, {}), model, raised, data=True)


def _symbols(args: tuple[Any, ...], kwargs: dict[str, Any] | None = None) -> list[Any]:
    """List the symbolic tensors among some arguments, in order."""
    import keras

    flat = keras.tree.flatten((list(args), kwargs or {}))
    return [item for item in flat if isinstance(item, keras.KerasTensor)]


def _innermost(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Refused | None:
    """Call on symbols with the full traceback; return the innermost operation that refuses."""
    import keras

    filtered = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        with warnings.catch_warnings():  # Keras has warned about the model already
            warnings.simplefilter("ignore")
            _call(operation, args, kwargs)
    except Exception as error:  # noqa: BLE001  # the user's own code may raise anything; its frames show where
        calls = list(_called(error))
        if len(calls) > 1 and calls[-1].operation is graphs.functional(calls[-2].operation):
            calls.pop()  # the functional model inside a Sequential
        return calls[-1] if calls else _Refused(operation, args, kwargs)
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


def _variables(operation: Any) -> list[Any]:
    """List the variables that a call could write to."""
    import keras

    return touchable(operation) if isinstance(operation, keras.Layer) else []


def _call(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Call on symbols; a user's own layer by its ``call``, so that the layers inside also get symbols."""
    import keras

    own = isinstance(operation, keras.Layer) and graphs.keras_class(operation) is None
    if not own or graphs.functional(operation) is not None:
        operation(*args, **kwargs)
        return
    if not operation.built:
        first = next((item for item in args if isinstance(item, keras.KerasTensor)), None)
        operation.build(None if first is None else first.shape)
    operation.call(*args, **kwargs)


def _called(error: BaseException) -> Iterator[_Refused]:
    import keras

    for frame, _ in traceback_frames(error.__traceback__):
        owner = frame.f_locals.get("self")
        if frame.f_code.co_name in ("__call__", "symbolic_call") and isinstance(owner, keras.Operation):
            args, kwargs = passed_arguments(frame)
            if any(isinstance(item, keras.KerasTensor) for item in keras.tree.flatten([list(args), kwargs])):
                yield _Refused(owner, args, kwargs)


def _recorded(refused: _Refused, owner: Any, raised: Raised, data: bool) -> Recorded:
    model = graphs.functional(refused.operation)
    symbols = _in_order(model, refused.args) or _symbols(refused.args, refused.kwargs)
    if model is not None and (data or not any(_is_output(symbol) for symbol in symbols)):
        return _whole_graph(model, refused.operation, symbols, raised, data)
    return _one_call(refused, owner, symbols, raised, data)


def _in_order(model: Any, args: tuple[Any, ...]) -> list[Any] | None:
    """Return the tensors of a dictionary in the order of the model's inputs, None for no dictionary."""
    if model is None or len(args) != 1 or not isinstance(args[0], dict):
        return None
    names = [str(item._keras_history.operation.name) for item in model._inputs]
    return [args[0][name] for name in names] if set(names) <= set(args[0]) else None


def _whole_graph(model: Any, operation: Any, symbols: Sequence[Any], raised: Raised, data: bool) -> Recorded:
    """Record the graph of a functional model, with the inputs of the call."""
    inner = read_model(Source(str(model.name), target=model))
    fed = dict(zip(inner.inputs, [lengths(tuple(symbol.shape)) for symbol in symbols], strict=False))
    called_on = dict(zip(inner.inputs, [tuple(symbol.shape) for symbol in symbols], strict=False))
    confirm = Confirm(operation, called_on, _variables(operation), refuses) if data else None
    return Recorded(
        inner,
        Frozen(fed),
        raised.message,
        raised.where,
        Speller(data, fed),
        computed=True,
        takes=_Takes(operation),
        refuses="rank",
        batched=True,
        confirm=confirm,
    )


#: The batch of the zeros that a layer is tried on.
_SAMPLES = 2


class _Takes:
    """Runs one layer of a model on zeros: Keras checks more on numbers than on symbols."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, path: str, shapes: Sequence[Shape | None]) -> bool:
        import keras

        operation = self._model
        for name in path.split("/"):
            graph = graphs.functional(operation)
            inside = graph._operations if graph is not None else ()
            operation = next((item for item in inside if str(item.name) == name), None)
        nodes: Sequence[Any] = getattr(operation, "_inbound_nodes", None) or ()
        tensors = nodes[0].input_tensors if nodes else ()
        behind = [length for shape in shapes for length in (shape or ())[1:]]
        known = None not in shapes and all(isinstance(length, int) for length in behind)
        if len(tensors) != len(shapes) or not known:
            return True
        with untouched(_variables(operation)):
            values = {}
            for tensor, shape in zip(tensors, shapes, strict=True):
                sizes = [length if isinstance(length, int) else _SAMPLES for length in shape or ()]
                values[id(tensor)] = keras.ops.zeros(sizes, tensor.dtype)
            args, kwargs = nodes[0].arguments.fill_in(values)
            try:
                operation(*args, **kwargs)
            except Exception:  # noqa: BLE001  # whatever it raises, it does not take them
                return False
        return True


def _one_call(refused: _Refused, owner: Any, symbols: Sequence[Any], raised: Raised, data: bool) -> Recorded:
    """Record one call, and the graph that leads to it."""
    walk = Walk()
    sources = list(_sources(symbols))
    given = [_source(walk, symbol, index) for index, symbol in enumerate(sources)]
    inputs = tuple(tensor.name for tensor in given)
    nodes = tuple(graphs.reached(symbols, sources))
    outputs = walk.graph(graphs.Graph(tuple(sources), inputs, nodes, tuple(symbols)), (), given)
    names = {id(symbol): tensor.name for symbol, tensor in zip(symbols, outputs, strict=True)}
    operands = [Tensor(names[id(symbol)], symbol) for symbol in symbols]
    call = SymbolicCall(list(refused.args), refused.kwargs, operands, names)
    walk.call(refused.operation, (), call, (None,))
    _forget_inputs(walk, refused.operation)
    label = str(getattr(owner, "name", "model"))
    layers, values = tied(list(walk.layers.values())), Frozen(walk.values.by_name)
    model = Model(label, "live", "keras", "keras-live", layers, tuple(walk.calls), values, inputs)
    read = walk.calls[-1].inputs
    redrawn = Redrawn(
        refused.operation,
        refused.args,
        refused.kwargs,
        symbols,
        [read.index(names[id(symbol)]) if names[id(symbol)] in read else None for symbol in symbols],
        dict(zip(inputs, sources, strict=True)),
        [*_variables(owner), *_variables(refused.operation)],
    )
    takes = wanted(refused.operation, symbols)
    whole = data and refused.operation is owner
    return Recorded(
        model,
        Frozen(),
        raised.message,
        raised.where,
        Speller(data, {name: walk.values.shape(name) for name in inputs}),
        batched=True,
        fact=takes,
        refused=walk.first_paths[id(refused.operation)] if takes else "",
        claim=COMPUTED if whole else _FITS,
        confirmed=CALLED if whole else _INSIDE if data else _BUILT,
        confirm=redrawn,
    )


def _source(walk: Walk, symbol: Any, index: int) -> Tensor:
    """Add the value of a symbol where a graph begins, named after its layer."""
    history = getattr(symbol, "_keras_history", None)
    maker = history.operation if history is not None else None
    name = str(maker.name) if maker is not None else f"x{index or ''}"
    return Tensor(walk.values.add(name, lengths(tuple(symbol.shape)), str(symbol.dtype)), symbol)


def _is_output(tensor: Any) -> bool:
    node = graphs.node_of(tensor)
    return node is not None and not node.is_input


def _forget_inputs(walk: Walk, operation: Any) -> None:
    """Remove the input sizes of a layer that has no weights yet: it accepts any."""
    path = walk.first_paths[id(operation)]
    layer, keys = walk.layers[path]
    if layer.weights:
        return
    kept = {key: value for key, value in layer.attributes.items() if key not in _OF_INPUTS}
    walk.layers[path] = (replace(layer, attributes=Frozen(kept)), keys)


_OF_INPUTS = frozenset({"in_features", "in_channels", "input_size", "num_features", "num_channels"})


def _sources(tensors: Sequence[Any]) -> Iterator[Any]:
    """Yield the tensors where the graph of some tensors begins."""
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


def _compared(model: Any, x: Any, y: Any, raised: Raised) -> Recorded | None:
    """Add the loss after the model."""
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
        whole, Frozen(fed), raised.message, raised.where, Speller(data=True, shapes=fed), batched=True
    )


_LABEL = re.compile(r"label value of (-?\d+) which is outside the valid range of \[0, (\d+)\)")


def _labelled(model: Any, x: Any, y: Any, raised: Raised) -> Recorded | None:
    """Find the loss with a label outside its classes; the message contains the numbers."""
    match = _LABEL.search(raised.message)
    compared = _compared(model, x, y, raised) if match is not None and hasattr(y, "shape") else None
    if match is None or compared is None:
        return None
    numbers = [int(y.min()), int(y.max())] if hasattr(y, "min") else [0, int(match.group(1))]
    return replace(compared, fact=IndexOutside(numbers[1], numbers[0], int(match.group(2)), "loss"))


_INDEX = re.compile(r"indices\[.*?\] = (-?\d+) is not in \[0, (\d+)\)")


def _looked_up(model: Any, args: tuple[Any, ...], raised: Raised) -> Recorded | None:
    """Find the table with an index outside of it; the message contains the numbers."""
    import keras

    match = _INDEX.search(raised.message)
    if match is None or not isinstance(model, keras.Layer):
        return None
    index, size = int(match.group(1)), int(match.group(2))
    example: Any = None if graphs.functional(model) is not None else (args, {})
    inner = read_model(Source(str(model.name), target=model, example=example))
    path = next((item.path for item in inner.layers if item.attributes.get("num_embeddings") == size), None)
    if path is None:
        return None
    fact = IndexOutside(index, index, size, path)
    fed: dict[str, Shape | None] = {}
    claim = Claim(Level.UNTRIED, rest="what the other tables are asked for was not looked at")
    spell = Speller(data=True, shapes=fed)
    return Recorded(inner, Frozen(fed), raised.message, raised.where, spell, fact=fact, claim=claim)
