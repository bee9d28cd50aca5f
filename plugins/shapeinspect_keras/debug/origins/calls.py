"""What the same layer or model was called on elsewhere in the script, and what a model makes of a size."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from shapeinspect_keras.debug.origins.flow import Flow, Lengths
from shapeinspect_keras.debug.origins.making import line, product_of, text
from shapeinspect_keras.debug.script.candidate import show
from shapeinspect_keras.tracing import graph as graphs

#: A model is followed through so many layers.
_LAYERS = 2000


def taken(flow: Flow) -> Iterator[tuple[ast.Call, ast.expr, Lengths, ast.expr, Lengths]]:
    """Yield the failing calls whose layer or model took an array of another shape elsewhere in the script.

    Yields: The call that passed, what it took and its shape, what the failing call is given and its shape.

    Args:
        flow: the script.
    """
    for at in reversed(flow.lines):
        statement = flow.program.covering(at)
        for call in [node for node in ast.walk(statement) if isinstance(node, ast.Call)] if statement else ():
            layer = flow.layer(call.func)
            if layer is None or not call.args or flow.when(call) > flow.when(call.args[0]):
                continue
            given = flow.shape(call.args[0])
            for other in ast.walk(flow.program.tree):
                if (
                    isinstance(other, ast.Call)
                    and other is not call
                    and other.args
                    and flow.layer(other.func) is layer
                    and flow.when(other) > flow.when(other.args[0]) > 0
                ):
                    before = flow.shape(other.args[0])
                    if given and before and len(given) == len(before) and given[1:] != before[1:]:
                        yield other, other.args[0], before, call.args[0], given


def first_only(flow: Flow, samples: int) -> Iterator[str]:
    """Name what a layer of the user's takes one sample of a batch by.

    Args:
        flow: the script.
        samples: how many samples the batch has.
    """
    for node in ast.walk(flow.program.tree):
        if not isinstance(node, ast.Subscript) or getattr(flow.program.scope(node), "name", "") != "call":
            continue
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        before, after = flow.shape(node.value), flow.shape(node)
        one = bool(parts) and isinstance(parts[0], ast.Constant) and type(parts[0].value) is int
        if one and before and after is not None and before[0] == samples and before[1:] == after:
            yield f"`{text(flow, node)}` at {line(node)} takes one of {samples} samples"
            return


def merged(layer: Any, size: int) -> str:
    """Name the layer of a model that made a length of its output; empty where it is not clear.

    Args:
        layer: the model.
        size: the length.
    """
    graph = graphs.functional(layer)
    tensors = list(graph._outputs)[:1] if graph is not None else []
    for _ in range(_LAYERS):
        node = graphs.node_of(tensors[0]) if tensors else None
        if node is None or node.is_input or size not in tuple(tensors[0].shape):
            return ""
        before = node.input_tensors[0]
        if size not in tuple(before.shape):
            shapes = f"{show(tuple(tensors[0].shape))} of {show(tuple(before.shape))}"
            parts = product_of(tuple(before.shape), size)
            product = f", and {size} = {'·'.join(map(str, parts))}" if parts else ""
            lengths = [length for item in node.input_tensors for length in _other(item, tensors[0], size)]
            joins = type(node.operation).__name__ == "Concatenate" and len(lengths) == len(node.input_tensors)
            if joins and len(lengths) > 1 and sum(lengths) == size:
                return f'{size} = {" + ".join(map(str, lengths))}: "{node.operation.name}" joins them'
            return f'"{node.operation.name}" makes {shapes}{product}'
        tensors = [before]
    return ""


def grown(layer: Any, axis: int, size: int) -> str:
    """Say by which lengths a model makes one of its output; empty where it is one step.

    Args:
        layer: the model.
        axis: the axis of its output.
        size: the length.
    """
    lengths = _lengths(layer, axis)
    if len(lengths) < 3 or lengths[-1] != size:
        return ""
    return f'"{layer.name}" makes {" → ".join(map(str, lengths))}'


def kept(layer: Any, target: tuple[int | None, ...]) -> str:
    """Say which layers keep an axis that targets of one for each sample lack; empty for none.

    Args:
        layer: the model.
        target: the shape of the targets.
    """
    graph = graphs.functional(layer)
    tensor = next(iter(graph._outputs)) if graph is not None else None
    if (
        tensor is None
        or len(tensor.shape) != len(target) + 1
        or tensor.shape[-1] not in (target[-1:] or (1,))
    ):
        return ""
    steps, names = tensor.shape[1], []
    for _ in range(_LAYERS):
        node = graphs.node_of(tensor)
        if node is None or node.is_input or len(tensor.shape) < 3 or tensor.shape[1] != steps:
            break
        names.append(f'"{node.operation.name}"')
        tensor = node.input_tensors[0]
    by = ", ".join(reversed(names[:4]))
    return f"{by} keep {steps} on axis 1, so that each sample has {steps} outputs" if names else ""


def _other(tensor: Any, joined: Any, size: int) -> Iterator[int]:
    """Yield the length of a joined tensor where the whole has a size."""
    if len(tensor.shape) == len(joined.shape):
        yield from [a for a, b in zip(tensor.shape, joined.shape, strict=True) if b == size and a != b and a]


def rounded(layer: Any, axis: int, had: int, made: int) -> str:
    """Say what a model makes of a length that is no multiple of its strides; empty where it is another thing.

    Args:
        layer: the model.
        axis: the axis of its input and output.
        had: the length that it is given.
        made: the length that it makes.
    """
    lengths = _lengths(layer, axis)
    if lengths[:1] != [had] or lengths[-1:] != [made] or len(lengths) < 3:
        return ""
    factor = 1
    for one, other in pairwise(lengths):
        step = round(one / other) if other else 1
        factor *= step if other < one and step > 1 else 1
    steps = " → ".join(map(str, lengths))
    if factor > 1 and had % factor:
        return f'{had} is no multiple of {factor}: "{layer.name}" makes {steps}'
    return f'"{layer.name}" makes {steps}'


def _lengths(layer: Any, axis: int) -> list[int]:
    """List the lengths of an axis from a model's input to its output, each once in a row."""
    return [*_lengths_back(layer, axis)][::-1]


def _lengths_back(layer: Any, axis: int) -> Iterator[int]:
    graph = graphs.functional(layer)
    tensors = list(graph._outputs)[:1] if graph is not None else []
    last, rank = None, len(tensors[0].shape) if tensors else 0
    for _ in range(_LAYERS):
        if not tensors:
            return
        tensor = tensors[0]
        if len(tensor.shape) != rank or axis >= rank or tensor.shape[axis] is None:
            return
        if tensor.shape[axis] != last:
            last = tensor.shape[axis]
            yield int(last)
        node = graphs.node_of(tensor)
        tensors = [] if node is None or node.is_input else list(node.input_tensors)[:1]
