"""Walks a live Keras model's graph into layers, calls and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim, Expr, Shape, Unknown
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Note
from shapeinspect_keras.calls import distributed
from shapeinspect_keras.calls.arguments import Arguments, Array, Given
from shapeinspect_keras.calls.batch import kept_batch
from shapeinspect_keras.calls.by_call import call_steps
from shapeinspect_keras.calls.call_settings import call_settings
from shapeinspect_keras.calls.indexing import Step
from shapeinspect_keras.calls.steps import chained
from shapeinspect_keras.calls.values import Values
from shapeinspect_keras.tracing import graph as graphs
from shapeinspect_keras.tracing.description import MODULE, config_of, described, doubt
from shapeinspect_keras.tracing.inputs import lengths

#: Two batch sizes with which the output shape of an operation is computed.
_PROBES = (3, 7)


@dataclass(slots=True)
class Tensor:
    """A value and the symbolic tensor that stands for it in the call at hand."""

    name: str
    symbol: Any


@dataclass(slots=True)
class SymbolicCall:
    """The arguments of one call, with symbols for its tensors.

    Args:
        args: positional arguments, in their structure.
        kwargs: the same by name.
        inputs: the tensors among them, in order.
        names: the value that each symbol is, by the symbol's identity.
    """

    args: Any
    kwargs: Mapping[str, Any]
    inputs: list[Tensor]
    names: Mapping[int, str]

    @property
    def arguments(self) -> Arguments:
        """The same arguments in plain values."""
        return Arguments(
            tuple(self._plain(value) for value in self.args),
            {name: self._plain(value) for name, value in self.kwargs.items()},
        )

    def _plain(self, value: Any) -> Any:
        import keras

        if isinstance(value, Mapping):
            return {key: self._plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return tuple(self._plain(item) for item in value)
        if isinstance(value, keras.KerasTensor):
            return Given(self.names[id(value)]) if id(value) in self.names else None
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            return Array(tuple(value.shape), keras.backend.standardize_dtype(value.dtype))
        return value


@dataclass(slots=True)
class Walk:
    """The layers, calls and values that have been reached so far.

    Args:
        layers: each layer with the identity of every weight's variable, in order.
        calls: in the order of execution.
        values: what flows between them.
        notes: what is unknown, and why.
        paths: the path of each layer in each model that holds it, by its identity and the model's path.
        first_paths: the first path of each layer.
    """

    layers: dict[str, tuple[Layer, tuple[int, ...]]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    values: Values = field(default_factory=Values)
    notes: list[Note] = field(default_factory=list)
    paths: dict[tuple[int, tuple[str, ...]], str] = field(default_factory=dict)
    first_paths: dict[int, str] = field(default_factory=dict)

    def note(self, text: str, about: str | None = None) -> None:
        """Add a note, once.

        Args:
            text: its text.
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
            if all(id(item) in known for item in node.input_tensors):
                for outer, tensor in zip(node.outputs, self.node(node, parts, known), strict=False):
                    known[id(outer)] = tensor
        return [
            known.get(id(item)) or Tensor(self.values.add("output", None, None), item)
            for item in graph.outputs
        ]

    def node(self, node: Any, parts: tuple[str, ...], known: Mapping[int, Tensor]) -> list[Tensor]:
        """Run one call of Keras's graph and return its outputs.

        Args:
            node: the call.
            parts: the path of the layer that holds the graph.
            known: the tensors so far, by the identity of Keras's own.
        """
        operation = node.operation
        inputs = [known[id(item)] for item in node.input_tensors]
        args, kwargs = node.arguments.fill_in({key: tensor.symbol for key, tensor in known.items()})
        same = all(
            item.shape == tensor.symbol.shape for item, tensor in zip(node.input_tensors, inputs, strict=True)
        )
        outputs = list(node.outputs) if same else self.recomputed(operation, args, kwargs, node.outputs)
        by_symbol = {id(tensor.symbol): tensor.name for tensor in inputs}
        return self.call(operation, parts, SymbolicCall(args, kwargs, inputs, by_symbol), outputs)

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
            self.note(f"the output shapes of a repeated call are unknown: {error}"[:200], operation.name)
            return [None for _ in outputs]

    def call(
        self, operation: Any, parts: tuple[str, ...], given: SymbolicCall, outputs: Sequence[Any]
    ) -> list[Tensor]:
        """Add a call of one layer or operation, and of what is inside it.

        Args:
            operation: the layer or operation.
            parts: the path of the layer that holds it.
            given: the arguments of the call.
            outputs: the symbols that the call returned.
        """
        import keras

        name = graphs.keras_class(operation)
        shapes = [self.values.shape(tensor.name) for tensor in given.inputs]
        path = self.register(operation, parts, name, shapes)
        layer = self.layers[path][0]
        arguments = given.arguments
        if layer.kind == MODULE:
            inner = self.inside(operation, layer, given, outputs)
            if inner is not None:
                return inner
        steps: tuple[Step, ...] | None = None
        settings: Mapping[str, Any] = {}
        if isinstance(operation, keras.Layer):
            operands = arguments.inputs(name or "") if name else arguments.given
            shapes = [self.values.shape(operand) for operand in operands]
            settings = call_settings(name or "", arguments)
        else:
            operands = self.values.operands(path, arguments.operands(name or ""))
            shapes = [self.values.shape(operand) for operand in operands]
            steps = call_steps(name or "", config_of(operation) or {}, arguments, shapes)
            layer = self.stepped(layer, steps)
        is_operation = not isinstance(operation, keras.Layer)
        kept = kept_batch(layer.kind, layer.attributes, shapes, operation=is_operation)
        if kept is None and is_operation:
            kept = self.probed(operation, given, outputs)
        tensors = [self.output(path, tensor, index, kept) for index, tensor in enumerate(outputs)]
        names = tuple(tensor.name for tensor in tensors)
        if steps is not None and len(steps) > 1:
            for inner_parts, kind, attributes, call in chained(
                layer.parts, steps, operands, names, self.values
            ):
                step = Layer(call.layer, kind, layer.type, inner_parts, Frozen(attributes))
                self.layers.setdefault(call.layer, (step, ()))
                self.calls.append(call)
        attributes = layer.attributes if steps and len(steps) == 1 else settings
        self.calls.append(Call(path, operands, names, Frozen(attributes)))
        return tensors

    def probed(self, operation: Any, given: SymbolicCall, outputs: Sequence[Any]) -> Dim | None:
        """Return the length of the batch where an operation's outputs have it first, for two batches tried.

        Args:
            operation: the operation.
            given: the arguments of the call.
            outputs: the symbols that it returned.
        """
        import keras

        shapes = [self.values.shape(tensor.name) for tensor in given.inputs]
        batches = {shape[0] for shape in shapes if shape}
        batch = batches.pop() if len(batches) == 1 else None
        open_ones = [item for item in outputs if item is not None and item.shape and item.shape[0] is None]
        if not isinstance(batch, Expr) or len(open_ones) != len(outputs):
            return None

        def run(length: int) -> set[int | None]:
            def sized(value: Any) -> Any:
                if not isinstance(value, keras.KerasTensor) or not value.shape or value.shape[0] is not None:
                    return value
                return keras.KerasTensor((length, *value.shape[1:]), dtype=value.dtype)

            args, kwargs = keras.tree.map_structure(sized, (list(given.args), dict(given.kwargs)))
            result = keras.tree.flatten(operation.compute_output_spec(*args, **kwargs))
            return {item.shape[0] for item in result}

        try:
            first, second = run(_PROBES[0]), run(_PROBES[1])
        except Exception:  # noqa: BLE001  # an operation may refuse it; its batch stays unknown
            return None
        return batch if first == {_PROBES[0]} and second == {_PROBES[1]} else None

    def stepped(self, layer: Layer, steps: tuple[Step, ...] | None) -> Layer:
        """Describe an operation by what one call of it does.

        Args:
            layer: the layer in the core's values.
            steps: what the call does, None where the settings determine it.
        """
        if steps is None:
            return layer
        kind, attributes = steps[0] if len(steps) == 1 else (MODULE, {})
        stepped = replace(layer, kind=kind, attributes=Frozen(attributes))
        self.layers[layer.path] = (stepped, self.layers[layer.path][1])
        return stepped

    def inside(
        self, operation: Any, layer: Layer, given: SymbolicCall, outputs: Sequence[Any]
    ) -> list[Tensor] | None:
        """Walk what is inside a container and add its call; None where it cannot be followed.

        Args:
            operation: the layer or operation.
            layer: the layer in the core's values.
            given: the arguments of the call.
            outputs: the symbols that the call returned.
        """
        model = graphs.functional(operation)
        distributed_layer = type(operation).__name__ == "TimeDistributed"
        if distributed_layer:
            tensors = self.distributed(operation, layer, given, outputs)
        elif model is not None:
            inner = self.graph(graphs.of_functional(model), layer.parts, entering(model, given))
            tensors = [Tensor(tensor.name, renewed(tensor.symbol)) for tensor in inner]
        else:
            tensors = self.followed(operation, layer.parts, given)
        if tensors is not None:
            names = tuple(tensor.name for tensor in tensors)
            read = [tensor.name for tensor in given.inputs]
            if model is not None:
                read = [tensor.name for tensor in entering(model, given)]
            elif distributed_layer:
                read = read[:1]
            self.calls.append(Call(layer.path, tuple(read), names))
        return tensors

    def followed(self, operation: Any, parts: tuple[str, ...], given: SymbolicCall) -> list[Tensor] | None:
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
                f"the calls inside it are unknown: it cannot run on symbolic tensors ({reason[:160]})",
                "/".join(parts) or None,
            )
            return None
        by_symbol = {id(tensor.symbol): tensor for tensor in order}
        return self.graph(graph, parts, [by_symbol[id(item)] for item in graph.inputs])

    def distributed(
        self, operation: Any, layer: Layer, given: SymbolicCall, outputs: Sequence[Any]
    ) -> list[Tensor] | None:
        """Run the layer inside a ``TimeDistributed`` once on all steps: batch and time as one axis.

        Args:
            operation: the layer or operation.
            layer: the layer in the core's values.
            given: the arguments of the call.
            outputs: the symbols that the call returned.
        """
        import keras

        child, outer = operation.layer, given.inputs[0]
        shape = self.values.shape(outer.name)
        steps = distributed.folded(shape)
        if shape is None or steps is None:
            return None
        folded = self.step(layer, distributed.FOLD, "flatten", distributed.FOLD_SETTINGS)
        name = self.values.add(folded, steps, None)
        self.calls.append(Call(folded, (outer.name,), (name,)))
        symbol = keras.KerasTensor((None, *outer.symbol.shape[2:]), dtype=outer.symbol.dtype)
        inner = self.call(
            child,
            layer.parts,
            SymbolicCall((symbol,), {}, [Tensor(name, symbol)], {id(symbol): name}),
            self.recomputed(child, (symbol,), {}, (None,)),
        )
        kept = kept_batch(layer.kind, layer.attributes, [shape], operation=False)
        tensors = [self.output(layer.path, tensor, index, kept) for index, tensor in enumerate(outputs)]
        settings = distributed.unfold_settings(shape, UNKNOWN)
        unfolded = self.step(layer, distributed.UNFOLD, "unflatten", settings)
        self.calls.append(Call(unfolded, (inner[0].name,), (tensors[0].name,)))
        return tensors

    def step(self, layer: Layer, name: str, kind: str, attributes: Mapping[str, Any]) -> str:
        """Add what a layer does besides running the layers in it; return its path.

        Args:
            layer: the layer in the core's values.
            name: its name below the layer.
            kind: its kind.
            attributes: its settings.
        """
        parts = (*layer.parts, name)
        path = "/".join(parts)
        self.layers.setdefault(path, (Layer(path, kind, layer.type, parts, Frozen(attributes)), ()))
        return path

    # Facts

    def output(self, path: str, tensor: Any, index: int, batch: Dim | None) -> Tensor:
        """Add one output of a call.

        Args:
            path: the layer's path.
            tensor: the symbol that the call returned, None where it is not known.
            index: which output it is.
            batch: the length of the first axis where it is the batch, else None.
        """
        if tensor is None or tensor.shape is None:
            return Tensor(self.values.add(path, None, None, index), tensor)
        shape = lengths(tensor.shape)
        if shape and isinstance(shape[0], Unknown) and batch is not None:
            shape = (batch, *shape[1:])
        return Tensor(self.values.add(path, shape, str(tensor.dtype), index), tensor)

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
        key = id(operation), parts
        if key in self.paths:
            return self.paths[key]
        own, number = str(operation.name), 0
        where = (*parts, own)
        while "/".join(where) in self.layers:
            number += 1
            where = (*parts, f"{own}:{number}")
        path = self.paths[key] = "/".join(where)
        self.first_paths.setdefault(id(operation), path)
        self.layers[path] = described(operation, name, where, shapes)
        if name is not None and type(operation).__name__ != name and (text := doubt(operation)) is not None:
            self.note(text, path)
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
            # A layer may be called by another model than the one that lists it.
            path = self.paths.get((id(child), parts)) or self.first_paths.get(id(child))
            new = path is None
            path = path or self.register(child, parts, graphs.keras_class(child), ())
            layer = self.layers[path][0]
            if new and not child.built:
                self.note("it is not built: its weights have no shapes yet", path)
            if layer.kind == MODULE:
                self.idle(child, layer.parts)


def renewed(symbol: Any) -> Any:
    """Copy a symbol: every call of a model returns the same ones, and each call has values of its own.

    Args:
        symbol: a symbolic tensor, or None.
    """
    import keras

    if not isinstance(symbol, keras.KerasTensor):
        return symbol
    return keras.KerasTensor(symbol.shape, dtype=symbol.dtype, sparse=symbol.sparse)


def entering(model: Any, given: SymbolicCall) -> list[Tensor]:
    """Match what a functional model is called on to its own inputs; those in a mapping go by its keys.

    Args:
        model: the model.
        given: the arguments.
    """
    struct = model._inputs_struct
    keys = sorted(struct) if isinstance(struct, Mapping) else ()
    layers = [str(tensor._keras_history.operation.name) for tensor in model._inputs]
    tensors = {tensor.name: tensor for tensor in given.inputs}
    return [tensors[name] for name in given.arguments.entering(keys, layers)]
