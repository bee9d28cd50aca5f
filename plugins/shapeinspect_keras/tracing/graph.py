"""The graph of one live Keras model or layer: its own, or one drawn by calling it on symbols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect_keras.calls.order import running_order

#: Where Keras's own classes live.
_KERAS = ("keras.src.", "keras.layers.", "keras.ops.")


@dataclass(frozen=True, slots=True)
class Graph:
    """The calls that Keras recorded.

    Args:
        inputs: the symbolic tensors that come from outside.
        names: the name of each.
        nodes: Keras's ``Node`` of each call, in the order of execution.
        outputs: the symbolic tensors that go out.
    """

    inputs: tuple[Any, ...]
    names: tuple[str, ...]
    nodes: tuple[Any, ...]
    outputs: tuple[Any, ...]


def keras_class(operation: Any) -> str | None:
    """Return the name of the Keras class whose behavior an object has, or None.

    A user's subclass counts as the class that it inherits from as long as it replaces none of the
    methods that define what a layer does.

    Args:
        operation: a layer or operation.
    """
    for base in type(operation).__mro__:
        if f"{base.__module__}.".startswith(_KERAS):
            return None if base.__name__ in _BASES else base.__name__
        if _DOING & vars(base).keys():
            return None
    return None


#: What a subclass replaces to do something of its own.
_DOING = frozenset({"call", "build", "__call__", "compute_output_shape", "compute_output_spec"})
_BASES = frozenset({"Layer", "Model", "Functional", "Sequential", "Operation", "KerasSaveable"})


def keras_base(operation: Any) -> str | None:
    """Return the name of the Keras class that a user's class inherits from, or None.

    Args:
        operation: a layer or operation.
    """
    names = [base.__name__ for base in type(operation).__mro__ if f"{base.__module__}.".startswith(_KERAS)]
    return names[0] if names and names[0] not in _BASES else None


def functional(layer: Any) -> Any | None:
    """Return the functional model that a layer is or holds, or None.

    Args:
        layer: a layer.
    """
    inner = getattr(layer, "_functional", None)
    result = inner if inner is not None else layer
    return result if hasattr(result, "_nodes_by_depth") else None


def of_functional(model: Any) -> Graph:
    """Return the graph that a functional model keeps.

    Args:
        model: a functional model.
    """
    inside = {id(node) for nodes in model._nodes_by_depth.values() for node in nodes if not node.is_input}
    # The order in which a file lists them, so that both are read alike.
    listed = [node for item in model._operations for node in item._inbound_nodes if id(node) in inside]
    needs = [{id(node_of(tensor)) for tensor in node.input_tensors} for node in listed]
    nodes = [listed[place] for place in running_order([id(node) for node in listed], needs)]
    names = tuple(str(tensor._keras_history.operation.name) for tensor in model._inputs)
    return Graph(tuple(model._inputs), names, tuple(nodes), tuple(model._outputs))


def drawn(layer: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Graph:
    """Trace a graph by calling a layer's own ``call`` on symbolic tensors.

    The caller guards what the call could change. Whatever the user's code raises passes through.

    Args:
        layer: a built layer.
        args: positional arguments: structures of ``KerasTensor`` and plain values.
        kwargs: the same by name.
    """
    import keras

    outputs = keras.tree.flatten(layer.call(*args, **kwargs))
    inputs = [item for item in keras.tree.flatten((list(args), dict(kwargs))) if _symbolic(item)]
    result = tuple(item for item in outputs if _symbolic(item))
    names = tuple(f"input_{index}" for index in range(len(inputs)))
    return Graph(tuple(inputs), names, tuple(reached(result, inputs)), result)


def _symbolic(value: Any) -> bool:
    import keras

    return isinstance(value, keras.KerasTensor)


def reached(outputs: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """List the calls between symbolic tensors; each comes after those that it reads.

    Args:
        outputs: the tensors to walk back from.
        inputs: the tensors at which to stop.
    """
    done = {id(tensor) for tensor in inputs}
    order: list[Any] = []
    seen: set[int] = set()
    stack = [
        (node, False) for node in reversed([node_of(tensor) for tensor in outputs if id(tensor) not in done])
    ]
    while stack:
        node, ready = stack.pop()
        if node is None or (id(node) in seen and not ready):
            continue
        if ready:
            order.append(node)
            continue
        seen.add(id(node))
        stack.append((node, True))
        stack.extend(
            (node_of(tensor), False) for tensor in reversed(node.input_tensors) if id(tensor) not in done
        )
    return order


def node_of(tensor: Any) -> Any | None:
    """Return the call that a symbolic tensor is an output of, or None.

    Args:
        tensor: the tensor.
    """
    history = getattr(tensor, "_keras_history", None)
    if history is None or history.operation is None:
        return None
    return history.operation._inbound_nodes[history.node_index]
