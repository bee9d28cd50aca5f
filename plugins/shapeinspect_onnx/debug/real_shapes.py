"""The node that refuses in a graph as it is written, and the shapes that it was really given."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shapeinspect_onnx.debug.quiet import opened, refusal, runs

#: What onnxruntime says of the node that failed.
NODE = re.compile(
    r"while running (?P<type>\w+) node\. Name:'(?P<name>[^']*)' Status Message: (?P<said>.*)", re.S
)
#: A graph of more bytes is not opened again.
_LARGEST = 256_000_000


@dataclass(frozen=True, slots=True)
class Refused:
    """A node that refuses what it is given.

    Args:
        node: the ``NodeProto``.
        said: what onnxruntime says of it.
        shapes: the shape of each of its inputs, by name, as far as a run gives them.
    """

    node: Any
    said: str
    shapes: Mapping[str, tuple[int, ...]]


def model_of(session: Any) -> Any:
    """Return the model that a session was made of; None where its file is gone.

    Args:
        session: the session.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no types
    from onnx import ModelProto, load

    path, content = getattr(session, "_model_path", None), getattr(session, "_model_bytes", None)
    try:
        if content:
            return ModelProto.FromString(content)
        return load(path, load_external_data=False) if path and os.path.exists(path) else None
    except DecodeError:  # it is no model
        return None


def plain_session(session: Any) -> Any:
    """Return a session of the same graph, of which no nodes are joined; None where it cannot be opened again.

    Args:
        session: the session.
    """
    proto = model_of(session)
    return None if proto is None or not _is_small(proto) else opened(proto.SerializeToString(), plain=True)


def _is_small(proto: Any) -> bool:
    """Tell whether a graph is opened again: it is not too large, and holds its weights itself."""
    return proto.ByteSize() <= _LARGEST and not any(one.data_location for one in proto.graph.initializer)


def refused(proto: Any, feed: Mapping[str, Any]) -> Refused | None:
    """Run a graph without onnxruntime's own changes of it, and say which of its nodes refuses what.

    What onnxruntime has joined or turned around bears names that the file does not have. The operands of the
    node are made outputs of a copy, which runs up to there.

    Args:
        proto: the ``ModelProto``; it is not changed.
        feed: the arrays that are fed, by name.
    """
    if not _is_small(proto):
        return None
    plain = opened(proto.SerializeToString(), plain=True)
    found = None if plain is None else NODE.search(refusal(plain, feed) or "")
    nodes = [] if found is None else [one for one in proto.graph.node if one.name == found["name"]]
    if found is None or len(nodes) != 1 or not found["name"]:
        return None
    return Refused(nodes[0], found["said"], _shapes(proto, nodes[0], feed))


def _shapes(proto: Any, node: Any, feed: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    stored = {one.name: tuple(one.dims) for one in proto.graph.initializer}
    shapes = {name: tuple(array.shape) for name, array in feed.items() if hasattr(array, "shape")} | stored
    made = [name for name in node.input if name and name not in shapes]
    copy = type(proto)()
    copy.CopyFrom(proto)
    del copy.graph.output[:], copy.graph.node[[one.name for one in proto.graph.node].index(node.name) :]
    for name in made:  # a value without a type is one whose type onnxruntime finds out
        copy.graph.output.add().name = name
    session = opened(copy.SerializeToString(), plain=True) if made else None
    if session is not None and runs(session, feed):
        values = session.run(made, dict(feed))
        shapes |= {
            name: tuple(one.shape) for name, one in zip(made, values, strict=True) if hasattr(one, "shape")
        }
    return {name: shapes[name] for name in node.input if name in shapes}
