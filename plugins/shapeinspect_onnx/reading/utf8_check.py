"""Refuses names that are not text: protobuf returns them as bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shapeinspect.errors import UnreadableFileError
from shapeinspect_onnx.reading.subgraphs import subgraphs

_MAX_RANK = 64


def check(model: Any, label: str) -> None:
    """Check every name of a model that is used later.

    Args:
        model: the small ModelProto.
        label: the file, for the error.

    Raises:
        UnreadableFileError: if a name is not valid UTF-8.
    """
    texts: list[Any] = [model.producer_name, model.producer_version, model.domain, model.graph.name]
    texts += [entry.domain for entry in model.opset_import]
    texts += [text for entry in model.metadata_props for text in (entry.key, entry.value)]
    _check(texts, label)
    _graph(model.graph, label)
    for function in model.functions:
        _check((function.name, function.domain, function.overload, *function.input, *function.output), label)
        _check([entry.domain for entry in function.opset_import], label)
        _check([entry.name for entry in function.attribute_proto], label)
        _nodes(function.node, label)


def _graph(graph: Any, label: str) -> None:
    tensors = [*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)]
    for tensor in tensors:
        _tensor(tensor, label)
    for entry in (*graph.input, *graph.output, *graph.value_info):
        _check((entry.name,), label)
        for field in ("tensor_type", "sparse_tensor_type"):
            if entry.type.HasField(field):
                lengths = getattr(entry.type, field).shape.dim
                if len(lengths) > _MAX_RANK:
                    raise UnreadableFileError(label, f"the value {entry.name!r} has {len(lengths):,} axes")
                _check([dim.dim_param for dim in lengths], label)
    _nodes(graph.node, label)


def _nodes(nodes: Iterable[Any], label: str) -> None:
    for node in nodes:
        _check((node.name, node.op_type, node.domain, node.overload, *node.input, *node.output), label)
        _check([text for entry in node.metadata_props for text in (entry.key, entry.value)], label)
        for attribute in node.attribute:
            _check((attribute.name, attribute.ref_attr_name), label)
            if attribute.HasField("t"):
                _tensor(attribute.t, label)
            if attribute.HasField("sparse_tensor"):
                _tensor(attribute.sparse_tensor.values, label)
        for _, inner in subgraphs(node):
            _graph(inner, label)


def _tensor(tensor: Any, label: str) -> None:
    _check((tensor.name, tensor.doc_string), label)
    _check([text for entry in tensor.external_data for text in (entry.key, entry.value)], label)


def _check(texts: Iterable[Any], label: str) -> None:
    if bytes in map(type, texts):
        raise UnreadableFileError(label, "a name in it is not valid UTF-8")
