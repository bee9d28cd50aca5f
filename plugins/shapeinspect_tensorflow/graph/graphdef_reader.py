"""Reads a frozen graph as a model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from shapeinspect.binary.protobuf import BYTES, fields
from shapeinspect.binary.window import Window
from shapeinspect.ir import Frozen, Model, Note
from shapeinspect.sources.source import Source
from shapeinspect.text import many
from shapeinspect_tensorflow.graph.flow import VARIABLES, Flow, Ref
from shapeinspect_tensorflow.graph.graph_model import PLACEHOLDERS, build
from shapeinspect_tensorflow.graph.nodes import Graph, Tensor
from shapeinspect_tensorflow.graph.parts import Facts
from shapeinspect_tensorflow.sniff import is_graph
from shapeinspect_tensorflow.vocabulary import dtypes

_HEAD = 4096

#: Operators that read and write checkpoints.
_SAVER = frozenset(
    {"SaveV2", "Save", "SaveSlices", "RestoreV2", "Restore", "RestoreSlice", "ShardedFilename"}
    | {"MergeV2Checkpoints", "StringJoin"}
)
#: Operators at the end of a graph that are not results: bookkeeping, and unread stored tensors.
_NO_RESULT = frozenset(
    {"NoOp", "Assert", "Const", "SaveV2", "Save", "RestoreV2", "MergeV2Checkpoints", "Assign", "Print"}
    | {"AssignVariableOp", "AssignAddVariableOp", "AssignAdd", "ReadVariableOp", "VarIsInitializedOp"}
    | {"ScalarSummary", "HistogramSummary", "ImageSummary", "MergeSummary", "IsVariableInitialized"}
    | VARIABLES
)


def read(source: Source) -> Model:
    """Read a GraphDef.

    Args:
        source: the file.

    Raises:
        UnreadableFileError: if it is truncated, corrupt or not a graph.
    """
    with Window.open(source) as window:
        graph = Graph(window, *_extent(window))
        if not graph.nodes:
            raise window.fail("it holds no node of a TensorFlow graph")
        for node in graph.nodes.values():
            if not node.op or not node.name:
                raise window.fail("one of its nodes has no name or no operator")
        flow = Flow(graph, source.label)
        saver = _of_the_saver(graph)
        kept = (name for name, node in graph.nodes.items() if node.op in PLACEHOLDERS and name not in saver)
        inputs = [ref for ref in (flow.resolve(flow.root, name) for name in kept) if ref is not None]
        aside = {flow.resolve(flow.root, name) for name in saver}
        outputs = [ref for ref in _outputs(graph, flow) if ref not in aside]
        parts = build(flow, inputs, outputs, Facts(reader=reader(source)))
    notes = list(parts.notes)
    if parts.variables:
        notes.append(
            Note(f"the graph holds the shapes, not the values, of {many(len(parts.variables), 'variable')}")
        )
    if len(outputs) > 1:
        notes.append(Note("a graph does not name its outputs: these are the values that nothing reads"))
    return Model(
        source.label, "tensorflow-graph", "tensorflow", "tensorflow-graph",
        tuple(parts.layers), tuple(parts.calls), Frozen(parts.values), parts.inputs, parts.outputs,
        tuple(notes), blocks=tuple(parts.blocks),
    )  # fmt: skip


def _extent(window: Window) -> tuple[int, int]:
    """Return the extent of the graph: the whole file, or the second field of a MetaGraphDef.

    A GraphDef begins with a node, whose second field is the name of an operator; a MetaGraphDef with the
    facts about it, whose second field, if any, is the list of the operators it needs: a message.

    Source: ``tensorflow/core/protobuf/meta_graph.proto``, ``tensorflow/core/framework/node_def.proto``.
    """
    if is_graph(window.span(0, min(window.size, _HEAD)), window.size):
        return 0, window.size
    first = list(islice(fields(window, 0, window.size), 2))
    if [(field.number, field.wire) for field in first] == [(1, BYTES), (2, BYTES)]:
        return first[1].start, first[1].end
    return 0, window.size


def _of_the_saver(graph: Graph) -> set[str]:
    """Return the placeholders that only saving and restoring read, such as the file name."""
    readers: dict[str, set[str]] = {}
    for name, node in graph.nodes.items():
        for source in node.inputs:
            if not source.startswith("^"):
                readers.setdefault(source.partition(":")[0], set()).add(name)
    saver: set[str] = set()
    for name in reversed(graph.nodes):  # readers come after the nodes they read
        ends = [graph.nodes[reader] for reader in readers.get(name, ())]
        if graph.nodes[name].op in PLACEHOLDERS and ends:
            aside = (end.name in saver or end.op in _SAVER or end.op == "Identity" for end in ends)
            if all(aside) and any(end.name in saver or end.op in _SAVER for end in ends):
                saver.add(name)
    return saver


def _outputs(graph: Graph, flow: Flow) -> list[Ref]:
    """Return the values that no node reads."""
    read_by_some = {source.partition(":")[0] for node in graph.nodes.values() for source in node.inputs}
    refs: dict[Ref, None] = {}
    for name, node in graph.nodes.items():
        if name in read_by_some or node.op in _NO_RESULT or node.op in PLACEHOLDERS:
            continue
        ref = flow.resolve(flow.root, name)
        if ref is not None and not node.op.startswith("Restore"):
            refs[ref] = None
    return list(refs)


def reader(source: Source) -> Callable[[Tensor], Callable[[], Any] | None]:
    """Return a function that returns readers of the values of constants.

    Args:
        source: the file that contains them.
    """

    def of(tensor: Tensor) -> Callable[[], Any] | None:
        name = dtypes.name(tensor.dtype)
        if tensor.start == tensor.end or name not in dtypes.NUMPY:
            return None

        def values() -> Any:
            import numpy as np

            with Window.open(source) as window:
                raw = window.whole(tensor.start, tensor.end)
            return np.frombuffer(raw, np.dtype(name)).reshape(tensor.shape)

        return values

    return of
