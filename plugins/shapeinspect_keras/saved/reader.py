"""Reads a saved Keras model: the container, then the graph, then the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shapeinspect.errors import UnreadableFileError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Note, Weight
from shapeinspect.sources.source import Source
from shapeinspect_keras.calls.assumed import marked
from shapeinspect_keras.containers import hdf5
from shapeinspect_keras.containers.container import Contents, open_archive, open_hdf5, open_index
from shapeinspect_keras.saved import weights_v2, weights_v3
from shapeinspect_keras.saved.config import Node, parse
from shapeinspect_keras.saved.evidence import prove, prove_structure
from shapeinspect_keras.saved.graph import Graph, build
from shapeinspect_keras.saved.low_rank import ranks, updated
from shapeinspect_keras.saved.node_kinds import Described
from shapeinspect_keras.saved.weight_lists import Assignment, Path, Stored
from shapeinspect_keras.vocabulary.kinds import complete
from shapeinspect_keras.vocabulary.old_names import UNEXPECTED_FORM
from shapeinspect_keras.vocabulary.parts import bind
from shapeinspect_keras.vocabulary.quantized import folded

_CODE = frozenset({"Lambda", "TFSMLayer", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer",
                   "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})  # fmt: skip
_NAMED = 12
#: The element types of counters, indices and masks.
_COUNTING = frozenset({"bool", "int32", "int64", "uint32", "uint64"})


def read(source: Source) -> Model:
    """Read a ``.keras`` archive, a Keras HDF5 file, or the shards that an index names.

    Args:
        source: the file.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    if not source.size:
        raise UnreadableFileError(source.label, "the file is empty")
    try:
        if source.head.startswith(b"PK\x03\x04"):
            return _model(source, open_archive(source))
        if source.head.startswith(b"\x89HDF\r\n\x1a\n"):
            return _model(source, open_hdf5(source))
        if source.head.lstrip().startswith(b"{"):
            return _model(source, open_index(source))
    except RecursionError:
        raise UnreadableFileError(source.label, "its configuration is nested too deeply") from None
    raise UnreadableFileError(
        source.label, f"it is neither a Keras archive nor HDF5: it begins with {source.head[:8]!r}"
    )


def _model(source: Source, contents: Contents) -> Model:
    config = parse(contents.config, source.label) if contents.config is not None else None
    tree = contents.tree
    assigned = (
        weights_v2.assign(config, tree) if weights_v2.is_legacy(tree) else weights_v3.assign(config, tree)
    )
    listed = config if config is not None and config.form != "layer" else None
    graph = Graph(source.label) if listed is None else build(listed, source.label)
    assembly = _Assembly(source, graph, assigned, contents.metadata.get("backend"))
    layers = assembly.layers()
    notes = [*contents.notes, *_notes(config, graph, assigned, contents.metadata.get("backend"))]
    if tree.skipped:
        shown = ", ".join(sorted(tree.skipped)[:_NAMED])
        notes.append(Note(f"links and arrays in the weight file that were not read: {shown}"))
    return Model(
        source.label,
        contents.format,
        "keras",
        "keras",
        layers,
        tuple(graph.calls),
        Frozen(marked(layers, graph.calls, graph.values.by_name)),
        graph.inputs,
        graph.outputs,
        tuple(notes),
        Frozen(contents.metadata),
        described=_described(contents, config),
    )


def _described(contents: Contents, config: Node | None) -> tuple[str, ...]:
    what = "Keras archive" if contents.format == "keras" else "HDF5 file of Keras"
    words = what if config is not None else f"{what}, weights only"
    version = contents.metadata.get("keras_version")
    return (words, f"saved by keras {version}") if version else (words,)


def _trainable(stored: Stored, node: Node | None) -> bool | None:
    """Tell whether an array is trained; of a class of the user's own, and of integers, no name tells that."""
    proven = (node is None or node.own) and stored.dataset.dtype not in _COUNTING
    return stored.trainable if proven or not stored.trainable else None


def _notes(config: Node | None, graph: Graph, assigned: Assignment, backend: str | None) -> list[Note]:
    nodes = [layer.node for layer in graph.layers.values()]
    own = sorted({node.class_name for node in nodes if not node.own})
    code = sorted({node.class_name for node in nodes if node.own and node.class_name in _CODE})
    old = backend is None and any(node.config.get("dim_ordering") == "th" for node in nodes)
    listed = config is not None and config.form != "layer"
    texts = {
        "the file contains weights but no configuration: its calls are unknown, and a kind is given only "
        "where names and shapes prove it": config is None,
        f"{config.class_name if config else ''} is a subclassed model: the file records the weights of its "
        "layers, but neither their classes nor their calls": config is not None and not listed,
        'the file does not record its backend: kernels with dim_ordering="th" are assumed to be Theano\'s, '
        "which are stored flipped": old,
        f"custom classes, listed but not run: {', '.join(own[:_NAMED])}": bool(own),
        f"layers that contain code or other programs, listed but not run: {', '.join(code)}": bool(code),
        "the file contains no weights": listed and not assigned.weights and not assigned.below,
    }
    notes = [Note(text) for text, applies in texts.items() if applies]
    notes += [
        Note(f"{layer.problem}, so its kind is unknown", "/".join(path))
        for path, layer in graph.layers.items()
        if layer.problem
    ]
    notes += [
        Note(
            f"the file holds its low-rank update (rank {rank}) in its weight; "
            "Keras makes a new one when it loads the file, which is counted, without bytes or values",
            "/".join(path),
        )
        for path, layer in graph.layers.items()
        if layer.node.own and layer.node.form == "layer"
        for rank in sorted(set(ranks(layer.node.class_name, layer.node.config).values()))
    ]
    notes += [
        Note(
            f'it may be the same layer as "{"/".join(twin)}": the file stores both and does not record '
            "whether they are shared",
            "/".join(path),
        )
        for twin, path in assigned.doubtful
    ]
    return notes


class _Assembly:
    """Combines layers and their weights."""

    def __init__(self, source: Source, graph: Graph, assigned: Assignment, backend: str | None) -> None:
        self.source, self.graph, self.assigned, self.backend = source, graph, assigned, backend
        self.paths: set[str] = set()
        self.holding = {path[:end] for path in assigned.below for end in range(len(path))}
        self.frozen = {
            path for path, layer in graph.layers.items() if layer.node.config.get("trainable") is False
        }

    def layers(self) -> tuple[Layer, ...]:
        inputs = {call.layer: call.inputs for call in reversed(self.graph.calls)}
        result = []
        below: dict[Path, list[Path]] = {}
        for path in self.assigned.below:
            above = (path[:end] for end in range(len(path), 0, -1))
            below.setdefault(next((item for item in above if item in self.graph.layers), ()), []).append(path)
        for path, layer in self.graph.layers.items():
            result.append(self.known(path, layer, inputs.get("/".join(path), ())))
            result += [self.unlisted(item) for item in below.get(path, ())]
        result += [self.unlisted(item) for item in below.get((), ())]
        return tuple(result)

    def known(self, path: Path, layer: Described, inputs: tuple[str, ...]) -> Layer:
        stored = self.assigned.weights.get(path, [])
        node = layer.node
        shapes = tuple(self.graph.values.shape(name) for name in inputs if name)
        weights = tuple(self.weight(path, item, node) for item in stored)
        if node.own:
            built = node.build.get("input_shape") or (shapes[0] if len(shapes) == 1 else None)
            weights = folded(weights, node.class_name, node.config, built)
            weights = updated(weights, node.class_name, node.config)
        roles = {weight.role: weight.shape for weight in weights}
        try:
            attributes = complete(layer.kind, layer.attributes, roles, shapes)
        except UNEXPECTED_FORM:
            attributes = dict(layer.attributes)
        name = "/".join(path)
        if name in self.paths:
            raise UnreadableFileError(self.source.label, f"two of its layers have the path {name!r}")
        self.paths.add(name)
        return Layer(
            name,
            layer.kind,
            node.class_name,
            path,
            Frozen(attributes),
            weights,
        )

    def unlisted(self, path: Path) -> Layer:
        stored = self.assigned.below[path]
        # Names in a weight file are free; a second layer of one path gets a number.
        name = stem = "/".join(path) or "model"
        number = 1
        while name in self.paths:
            number += 1
            name = f"{stem}#{number}"
        self.paths.add(name)
        found = self.assigned.structures.get(path)
        shapes = {item.role: item.dataset.shape for item in stored}
        proof = prove(shapes)
        name_of_class, config = found or (proof.type, {})
        weights = tuple(self.weight(path, item, None, name_of_class, config) for item in stored)
        if found:
            weights = folded(weights, name_of_class, config)
            proof = prove_structure(name_of_class, config, {weight.role: weight.shape for weight in weights})
        kind = "module" if path in self.holding and not stored else proof.kind
        return Layer(
            name,
            kind,
            proof.type,
            path or ("model",),
            Frozen(proof.attributes),
            weights,
            proof.candidates,
        )

    def weight(
        self,
        path: Path,
        stored: Stored,
        node: Node | None,
        kind: str = "",
        settings: Mapping[str, Any] = Frozen(),
    ) -> Weight:
        dataset = stored.dataset
        alone = self.source.suffix == ".h5"
        layout = None
        config = node.config if node is not None else settings
        if kind or (node is not None and node.own):
            weight = (node.class_name if node else kind, config, stored.role, dataset.shape)
            try:
                layout = bind(*weight, self.backend)
            except UNEXPECTED_FORM:
                layout = None
        frozen = any(path[:end] in self.frozen for end in range(1, len(path) + 1))
        return Weight(
            stored.name or "/".join((*path, stored.role)),
            stored.role,
            dataset.shape,
            dataset.dtype,
            dataset.nbytes,
            False if frozen else _trainable(stored, node),
            layout,
            storage=dataset.path if stored.tied else None,
            values=hdf5.values(self.source, dataset),
            # What only numbers its weights is written to by their places in the file.
            key=dataset.path if node is None and stored.role.isdecimal() and alone else None,
        )
