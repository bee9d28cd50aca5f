"""Walks a live Keras model's graph into layers, calls and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect.dims import Dim, Expr, Shape, Unknown
from shapeinspect.ir import Call, Frozen, Layer, Note, Value
from shapeinspect_keras.tracing import graph as graphs
from shapeinspect_keras.tracing.calls import attended, constants, item, keeps_batch
from shapeinspect_keras.tracing.inputs import lengths
from shapeinspect_keras.tracing.weights import held, weights
from shapeinspect_keras.vocabulary.kinds import complete, describe

_MODULE = "module"


@dataclass(slots=True)
class Tensor:
    """A value and the symbolic tensor that stands for it in the call at hand."""

    name: str
    symbol: Any


@dataclass(slots=True)
class Arguments:
    """The arguments of one call.

    Args:
        args: positional ones, in their structure.
        kwargs: the others.
        inputs: the tensors among them, in order.
        names: the value that each symbol is, by the symbol's identity.
    """

    args: Any
    kwargs: Mapping[str, Any]
    inputs: list[Tensor]
    names: Mapping[int, str]


@dataclass(slots=True)
class Walk:
    """What has been found so far.

    Args:
        layers: each layer with the identity of every weight's variable, in order.
        calls: in the order of execution.
        values: by name.
        notes: what could not be known.
    """

    layers: dict[str, tuple[Layer, tuple[int, ...]]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    paths: dict[int, str] = field(default_factory=dict)

    def value(self, name: str, shape: Shape | None, dtype: str | None) -> str:
        """Add a value under a name of its own.

        Args:
            name: the name that it should have; a number follows where that is taken.
            shape: its shape, None where the rank is unknown.
            dtype: its dtype, None where that is unknown.
        """
        unique, number = name, 0
        while unique in self.values:
            number += 1
            unique = f"{name}@{number}"
        self.values[unique] = Value(unique, shape, dtype)
        return unique

    def note(self, text: str, about: str | None = None) -> None:
        """Add a note, once.

        Args:
            text: what it says.
            about: the path of the layer that it is about, None for the whole model.
        """
        note = Note(text, about)
        if note not in self.notes:
            self.notes.append(note)

    # Graphs

    def graph(self, graph: graphs.Graph, parts: tuple[str, ...], given: Sequence[Tensor]) -> list[Tensor]:
        """Walk one graph and return its outputs.

        Args:
            graph: the graph.
            parts: the path of the layer that holds it.
            given: what its inputs are.
        """
        known = {id(inner): tensor for inner, tensor in zip(graph.inputs, given, strict=False)}
        for inner, tensor in zip(graph.inputs, given, strict=False):
            history = getattr(inner, "_keras_history", None)
            if history is not None and type(history.operation).__name__ == "InputLayer":
                path = self.register(history.operation, parts, "InputLayer", ())
                self.calls.append(Call(path, (), (tensor.name,)))
        for node in graph.nodes:
            if all(id(one) in known for one in node.input_tensors):
                for outer, tensor in zip(node.outputs, self.node(node, parts, known), strict=False):
                    known[id(outer)] = tensor
        return [known.get(id(one)) or Tensor(self.value("output", None, None), one) for one in graph.outputs]

    def node(self, node: Any, parts: tuple[str, ...], known: Mapping[int, Tensor]) -> list[Tensor]:
        """Run one call of Keras's graph and return its outputs.

        Args:
            node: the call.
            parts: the path of the layer that holds the graph.
            known: the tensors so far, by the identity of Keras's own.
        """
        operation = node.operation
        inputs = [known[id(one)] for one in node.input_tensors]
        args, kwargs = node.arguments.fill_in({key: tensor.symbol for key, tensor in known.items()})
        same = all(
            one.shape == tensor.symbol.shape for one, tensor in zip(node.input_tensors, inputs, strict=True)
        )
        made = list(node.outputs) if same else self.recomputed(operation, args, kwargs, node.outputs)
        by_symbol = {id(tensor.symbol): tensor.name for tensor in inputs}
        return self.call(operation, parts, Arguments(args, kwargs, inputs, by_symbol), made)

    def recomputed(self, operation: Any, args: Any, kwargs: Any, outputs: Sequence[Any]) -> list[Any]:
        """Ask an operation for the shapes it makes of other inputs than it was first called on.

        Args:
            operation: the layer or operation.
            args: its positional arguments.
            kwargs: its named arguments.
            outputs: what it gave on its first call.
        """
        import keras

        try:
            return list(keras.tree.flatten(operation.compute_output_spec(*args, **kwargs)))
        except Exception as error:  # noqa: BLE001  # the user's own code may raise anything; it becomes a note
            self.note(f"its shapes in a second call are not known: {error}"[:200], operation.name)
            return [None for _ in outputs]

    def call(
        self, operation: Any, parts: tuple[str, ...], given: Arguments, made: Sequence[Any]
    ) -> list[Tensor]:
        """Add a call of one layer or operation, and of what is inside it.

        Args:
            operation: the layer or operation.
            parts: the path of the layer that holds it.
            given: the arguments of the call.
            made: what the call gave.
        """
        name = graphs.keras_class(operation)
        shapes = [self.values[tensor.name].shape for tensor in given.inputs]
        path = self.register(operation, parts, name, shapes)
        layer = self.layers[path][0]
        if layer.kind == _MODULE:
            inner = self.inside(operation, layer, given)
            if inner is not None:
                names = tuple(tensor.name for tensor in inner)
                self.calls.append(Call(path, tuple(tensor.name for tensor in given.inputs), names))
                return inner
        attributes: dict[str, Any] = {}
        if name == "GetItem" and len(given.args) > 1 and shapes and shapes[0] is not None:
            kind, attributes = item(given.args[1], len(shapes[0]))
            layer = replace(layer, kind=kind, attributes=Frozen(attributes))
            self.layers[path] = (layer, self.layers[path][1])
        kept = self.batch(operation, layer, shapes)
        outputs = [self.output(path, one, index, len(made), kept) for index, one in enumerate(made)]
        inputs = self.inputs(operation, name, path, given)
        self.calls.append(Call(path, inputs, tuple(one.name for one in outputs), Frozen(attributes)))
        return outputs

    def inside(self, operation: Any, layer: Layer, given: Arguments) -> list[Tensor] | None:
        """Walk what is inside a container; None where it cannot be followed.

        Args:
            operation: the layer or operation.
            layer: the layer in the core's values.
            given: the arguments of the call.
        """
        model = graphs.functional(operation)
        if model is not None:
            return self.graph(graphs.of_functional(model), layer.parts, entering(model, given))
        if type(operation).__name__ == "TimeDistributed":
            self.distributed(operation, layer, given)
            return None
        return self.followed(operation, layer.parts, given)

    def followed(self, operation: Any, parts: tuple[str, ...], given: Arguments) -> list[Tensor] | None:
        """Draw the graph of a layer that keeps none, on fresh symbols, and walk it.

        Args:
            operation: the layer or operation.
            parts: the path of the layer that holds it.
            given: the arguments of the call.
        """
        import keras

        fresh: dict[int, Any] = {}
        order: list[Tensor] = []

        def renew(value: Any) -> Any:
            if not isinstance(value, keras.KerasTensor):
                return value
            if id(value) not in fresh:
                fresh[id(value)] = keras.KerasTensor(value.shape, dtype=value.dtype)
            order.append(Tensor(given.names.get(id(value), ""), fresh[id(value)]))
            return fresh[id(value)]

        args, kwargs = keras.tree.map_structure(renew, (list(given.args), dict(given.kwargs)))
        try:
            graph = graphs.drawn(operation, args, kwargs)
        except Exception as error:  # noqa: BLE001  # the user's own code may raise anything; it becomes a note
            reason = f"{type(error).__name__}: {error}".split("\n", maxsplit=1)[0]
            self.note(
                f"the calls inside it are not known: it cannot run on symbols ({reason[:160]})",
                "/".join(parts) or None,
            )
            return None
        by_symbol = {id(tensor.symbol): tensor for tensor in order}
        return self.graph(graph, parts, [by_symbol[id(one)] for one in graph.inputs])

    def distributed(self, operation: Any, layer: Layer, given: Arguments) -> None:
        """Run the layer inside a ``TimeDistributed`` once on all steps: batch and time as one axis.

        Args:
            operation: the layer or operation.
            layer: the layer in the core's values.
            given: the arguments of the call.
        """
        import keras

        child = operation.layer
        outer = given.inputs[0]
        shape = self.values[outer.name].shape
        if shape is None or len(shape) < 2:
            return
        steps = self.value(
            "/".join((*layer.parts, f"{child.name}_input")), (shape[0] * shape[1], *shape[2:]), None
        )
        inner = keras.KerasTensor((None, *outer.symbol.shape[2:]), dtype=outer.symbol.dtype)
        made = self.recomputed(child, (inner,), {}, (None,))
        self.call(
            child, layer.parts, Arguments((inner,), {}, [Tensor(steps, inner)], {id(inner): steps}), made
        )

    # Facts

    def batch(self, operation: Any, layer: Layer, shapes: Sequence[Shape | None]) -> Dim | None:
        """Return the batch that a call keeps as its first axis, or None.

        Args:
            operation: the layer or operation.
            layer: the layer in the core's values.
            shapes: the shape of each input.
        """
        import keras

        first = [shape[0] for shape in shapes if shape]
        if not first or not isinstance(first[0], Expr):
            return None
        if isinstance(operation, keras.Layer):
            return first[0] if all(dim == first[0] for dim in first) else None
        rank = len(shapes[0] or ())
        return first[0] if keeps_batch(layer.kind, layer.attributes, rank) else None

    def output(self, path: str, made: Any, index: int, count: int, batch: Dim | None) -> Tensor:
        """Add one output value of a call.

        Args:
            path: the layer's path.
            made: what the call gave.
            index: which output it is.
            count: how many outputs there are.
            batch: the length of the first axis where it is the batch, else None.
        """
        name = f"{path}:{index}" if count > 1 else path
        if made is None or made.shape is None:
            return Tensor(self.value(name, None, None), made)
        shape = lengths(made.shape)
        if shape and isinstance(shape[0], Unknown) and batch is not None:
            shape = (batch, *shape[1:])
        return Tensor(self.value(name, shape, str(made.dtype)), made)

    def inputs(self, operation: Any, name: str | None, path: str, given: Arguments) -> tuple[str, ...]:
        """Order a call's inputs; an operation's arrays become values of their own.

        Args:
            operation: the layer or operation.
            name: the Keras class that it behaves as, or None.
            path: the layer's path.
            given: the arguments of the call.
        """
        import keras

        special = attended(name, given.args, given.kwargs)
        if special is not None and all(id(one) in given.names for one in special):
            return tuple(given.names[id(one)] for one in special)
        if isinstance(operation, keras.Layer) or name == "GetItem":
            return tuple(tensor.name for tensor in given.inputs)
        found = []
        for one in constants(given.args, given.kwargs, lambda value: isinstance(value, keras.KerasTensor)):
            if id(one) in given.names:
                found.append(given.names[id(one)])
            elif not isinstance(one, keras.KerasTensor):
                dtype = keras.backend.standardize_dtype(one.dtype)
                found.append(self.value(f"{path}:constant", lengths(tuple(one.shape)), dtype))
        return tuple(found)

    def register(
        self, operation: Any, parts: tuple[str, ...], name: str | None, shapes: Sequence[Shape | None]
    ) -> str:
        """Add a layer or operation unless it is there; return its path.

        Args:
            operation: the layer or operation.
            parts: the path of the layer that holds it.
            name: the Keras class that it behaves as, or None.
            shapes: the shape of each input.
        """
        if id(operation) in self.paths:
            return self.paths[id(operation)]
        own, number = str(operation.name), 0
        where = (*parts, own)
        while "/".join(where) in self.layers:
            number += 1
            where = (*parts, f"{own}:{number}")
        path = self.paths[id(operation)] = "/".join(where)
        self.layers[path] = described(operation, name, where, shapes)
        return path

    def idle(self, container: Any, parts: tuple[str, ...]) -> None:
        """Add the layers inside a container that no call reached.

        Args:
            container: the layer whose inner layers are meant.
            parts: the path of the layer that holds it.
        """
        model = graphs.functional(container)
        for child in model.layers if model is not None else container._layers:
            if id(child) == id(model):
                continue
            new = id(child) not in self.paths
            path = self.register(child, parts, graphs.keras_class(child), ())
            layer = self.layers[path][0]
            if new and not child.built:
                self.note("it is not built: its weights have no shapes yet", path)
            if layer.kind == _MODULE:
                self.idle(child, layer.parts)


def entering(model: Any, given: Arguments) -> list[Tensor]:
    """Match what a functional model is called on to its own inputs; a dict goes by its keys.

    Args:
        model: the model.
        given: the arguments.
    """
    import keras

    argument = given.args[0] if given.args else next(iter(given.kwargs.values()), None)
    struct = model._inputs_struct
    if isinstance(argument, dict):
        names = [str(tensor._keras_history.operation.name) for tensor in model._inputs]
        by_key = list(struct) if isinstance(struct, dict) else names
        if set(by_key) == set(argument):
            wanted = keras.tree.flatten({key: argument[key] for key in by_key})
            if not isinstance(struct, dict):
                wanted = [argument[key] for key in by_key]
            return [Tensor(given.names[id(one)], one) for one in wanted if id(one) in given.names]
    flat = [one for one in keras.tree.flatten(argument) if id(one) in given.names]
    return [Tensor(given.names[id(one)], one) for one in flat]


def described(
    operation: Any, name: str | None, parts: tuple[str, ...], shapes: Sequence[Shape | None]
) -> tuple[Layer, tuple[int, ...]]:
    """Describe a layer or operation, and its weights with their variables' identities.

    Args:
        operation: the layer or operation.
        name: the Keras class that it behaves as, or None.
        parts: its path taken apart.
        shapes: the shape of each input of its first call.
    """
    import keras

    path, native = "/".join(parts), type(operation).__name__
    config = _config(operation)
    kind, attributes = describe(name, config or {}, type(operation).__module__) if name else ("unknown", {})
    if not isinstance(operation, keras.Layer):
        return Layer(path, kind, native, parts, Frozen(attributes)), ()
    if graphs.functional(operation) is not None or (kind == "unknown" and operation._layers):
        kind, attributes = _MODULE, {}
    found = held(operation, config, folded=kind != _MODULE)
    listed = weights(path, operation, config, found)
    attributes = complete(kind, attributes, {weight.role: weight.shape for weight, _ in listed}, shapes)
    candidates: tuple[str, ...] = ()
    if kind == "unknown" and (base := graphs.keras_base(operation)) is not None:
        guess = describe(base, config or {}, "keras.layers")[0]
        candidates = () if guess == "unknown" else (guess,)
    layer = Layer(path, kind, native, parts, Frozen(attributes), tuple(one for one, _ in listed), candidates)
    return layer, tuple(key for _, key in listed)


def _config(operation: Any) -> Mapping[str, Any] | None:
    try:
        config = operation.get_config()
    except Exception:  # noqa: BLE001  # a user's layer may not tell its settings; they stay unknown
        return None
    return config if isinstance(config, Mapping) else None
