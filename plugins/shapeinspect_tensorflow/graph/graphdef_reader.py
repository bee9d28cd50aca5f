"""Reads a frozen graph as a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from shapeinspect.binary.protobuf import BYTES, fields
from shapeinspect.binary.window import Window
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Model, Note
from shapeinspect.sources.source import Source
from shapeinspect.text import many
from shapeinspect_tensorflow.graph.flow import LOOPS, VARIABLES, Flow, Ref
from shapeinspect_tensorflow.graph.frames.whole import functional
from shapeinspect_tensorflow.graph.graph_model import PLACEHOLDERS, build
from shapeinspect_tensorflow.graph.nodes import Graph, Node, Tensor
from shapeinspect_tensorflow.graph.parts import Facts
from shapeinspect_tensorflow.sniff import is_graph
from shapeinspect_tensorflow.vocabulary import dtypes

_HEAD = 4096

#: Operators that read and write checkpoints.
_SAVER = frozenset(
    {"SaveV2", "Save", "SaveSlices", "RestoreV2", "Restore", "RestoreSlice", "ShardedFilename"}
    | {"MergeV2Checkpoints", "StringJoin"}
)
#: An input that nothing reads in the end. Source: ``tensorflow/python/eager/lift_to_graph.py``.
_COPIED = re.compile(r"unused_control_flow_input(_\d+)?")
#: Operators at the end of a graph that are not results: bookkeeping, and unread stored tensors.
_NO_RESULT = frozenset(
    {"NoOp", "Assert", "Const", "SaveV2", "Save", "RestoreV2", "MergeV2Checkpoints", "Assign", "Print"}
    | {"AssignVariableOp", "AssignAddVariableOp", "AssignAdd", "ReadVariableOp", "VarIsInitializedOp"}
    | {"TensorListReserve", "EmptyTensorList", "Switch"}
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
        ends = _ends(graph.nodes)
        graph = functional(graph)
        flow = Flow(graph, source.label)
        saver = _of_the_saver(graph)
        kept = (name for name in _fed(graph.nodes) if name not in saver)
        inputs = [ref for ref in (flow.resolve(flow.root, name) for name in kept) if ref is not None]
        aside = {flow.resolve(flow.root, name) for name in saver}
        outputs = [ref for ref in _results(ends, graph.nodes, flow) if ref not in aside]
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
        tuple(notes), blocks=tuple(parts.blocks), described=("TensorFlow graph",),
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


def _fed(nodes: Mapping[str, Node]) -> list[str]:
    """Return the names of the inputs, without those that TensorFlow puts in while it copies a loop."""
    names = [name for name, node in nodes.items() if node.op in PLACEHOLDERS]
    copied = {name for name in names if _COPIED.fullmatch(name)}
    if copied:
        copied -= {source.partition(":")[0] for node in nodes.values() for source in node.inputs}
    return [name for name in names if name not in copied]


def _ends(nodes: Mapping[str, Node]) -> dict[str, None]:
    """Return the names of the nodes that no node reads, and that may be results."""
    read_by_some = {source.partition(":")[0] for node in nodes.values() for source in node.inputs}
    return {
        name: None
        for name, node in nodes.items()
        if not (name in read_by_some or node.op in _NO_RESULT or node.op in PLACEHOLDERS)
        and not node.op.startswith("Restore")
    }


def _results(ends: Iterable[str], nodes: Mapping[str, Node], flow: Flow) -> list[Ref]:
    """Return the values of the nodes that nothing reads, each once.

    Every value of a loop leaves it, counters and all: where one of them is read, the others are no results.
    """
    outlets = {
        name: loop
        for name, node in nodes.items()
        if node.op == "Identity"
        and node.inputs
        and (loop := node.inputs[0].partition(":")[0]) in nodes
        and nodes[loop].op in LOOPS
    }
    read = {loop for name, loop in outlets.items() if name not in ends}
    refs = (flow.resolve(flow.root, name) for name in ends if outlets.get(name) not in read)
    found = dict.fromkeys(ref for ref in refs if ref is not None)
    return [ref for ref in found if flow.step(ref).node.op not in _NO_RESULT]


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
