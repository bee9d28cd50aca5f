"""Names for the open axes of a model's inputs, where what reads them proves what they are."""

from __future__ import annotations

from collections.abc import Mapping

from shapeinspect.dims import UNKNOWN, Dim, Shape, symbol
from shapeinspect_keras.containers.jsontext import text
from shapeinspect_keras.saved.config import Node, Recorded

#: The batch axis of every Keras layer.
BATCH = symbol("N")

_SPACE = {3: ("L",), 4: ("H", "W"), 5: ("D", "H", "W")}
#: Layers whose axis 1 is time.
_SEQUENCE = frozenset(
    ("Bidirectional", "Embedding", "GRU", "GroupedQueryAttention", "LSTM", "MultiHeadAttention", "RNN",
     "SimpleRNN", "TimeDistributed")
)  # fmt: skip
#: Layers that leave every axis what it was.
_PASSING = frozenset(
    (
        "Activation",
        "BatchNormalization",
        "Dropout",
        "GaussianNoise",
        "Masking",
        "Normalization",
        "ReLU",
        "Rescaling",
    )
)
_STEPS = 10_000


def names(model: Node) -> dict[str, tuple[str, ...]]:
    """Name the axes behind the batch of each input of a functional or sequential model.

    Args:
        model: the model.

    Returns:
        For each input whose axes are proven, a name for each of them; empty where one has none. Rank
        4 read by a layer with a data format has H and W; rank 2 or 3 read by a recurrent layer,
        an embedding or an attention has T.
    """
    readers = _readers(model)
    found = {}
    for child in model.children:
        shape = input_shape(child)
        if shape is not None:
            axes = _axes(child.name, len(shape), readers)
            if axes:
                found[child.name] = axes
    return found


def input_shape(node: Node) -> Recorded | None:
    """Return the shape that an input layer fixes, or a first layer that says its own.

    Args:
        node: the layer.
    """
    from shapeinspect_keras.saved.config import recorded

    for key in ("batch_shape", "batch_input_shape"):
        shape = recorded(node.config.get(key))
        if shape:
            return shape
    inner = recorded(node.config.get("input_shape"))
    return None if inner is None else (None, *inner)


def _readers(model: Node) -> Mapping[str, list[tuple[Node, int]]]:
    found: dict[str, list[tuple[Node, int]]] = {}
    if model.form == "sequential":
        for before, after in zip(model.children, model.children[1:], strict=False):
            found.setdefault(before.name, []).append((after, 0))
        return found
    for child in model.children:
        for call in child.inbound:
            for position, tensor in enumerate(call.tensors):
                found.setdefault(tensor.layer, []).append((child, position))
    return found


def _axes(start: str, rank: int, readers: Mapping[str, list[tuple[Node, int]]]) -> tuple[str, ...]:
    queue = [(start, readers)]
    seen: set[tuple[str, int]] = set()
    for name, graph in queue:
        if (name, id(graph)) in seen or len(seen) > _STEPS:
            continue
        seen.add((name, id(graph)))
        for node, position in graph.get(name, ()):
            axes = _proven(node, rank)
            if axes:
                return axes
            if node.form == "functional" and position < len(node.inputs):
                queue.append((node.inputs[position].layer, _readers(node)))
            elif node.form == "sequential" and node.children:
                first = node.children[0]
                axes = () if first.is_input else _proven(first, rank)
                if axes:
                    return axes
                queue.append((first.name, _readers(node)))
            elif node.own and node.class_name in _PASSING:
                queue.append((node.name, graph))
    return ()


def _proven(node: Node, rank: int) -> tuple[str, ...]:
    if not node.own:
        return ()
    if "data_format" in node.config and rank in _SPACE and node.class_name != "Flatten":
        first = text(node.config.get("data_format")) == "channels_first"
        return ("", *_SPACE[rank]) if first else (*_SPACE[rank], "")
    if node.class_name in _SEQUENCE and rank >= 2:
        return ("T", *("" for _ in range(rank - 2)))
    return ()


def open_shape(shape: Recorded, axes: tuple[str, ...], suffix: str) -> Shape:
    """Turn an input's recorded shape into lengths, symbols, and the unknown.

    Args:
        shape: the recorded lengths, None where open; the first axis is the batch.
        axes: the names of the axes behind the batch; empty where nothing proves them.
        suffix: what tells this input's symbols from another's; empty if it is the only one.

    Example:
        >>> open_shape((None, None, None, 3), ("H", "W", ""), ""), open_shape((None, None), (), "")
        ((N, H, W, 3), (N, ?))
    """
    spelled = [*axes, *[""] * len(shape)]

    def one(length: int | None, name: str) -> Dim:
        return length if length is not None else symbol(name + suffix) if name else UNKNOWN

    return tuple(
        (BATCH if length is None else length) if index == 0 else one(length, spelled[index - 1])
        for index, length in enumerate(shape)
    )
