"""The archive of torch.export: its weights, its graph, and the ranges of its symbols.

Source: ``torch/export/pt2_archive/_package.py`` and ``_package_weights.py`` (since 2.7), and
``torch/export/__init__.py`` (``save`` before that): below one root directory
``models/<name>.json``, ``data/weights/<name>_weights_config.json``, ``data/weights/weight_<n>``,
the same with ``constants``; earlier a zip of ``serialized_exported_program.json``,
``serialized_state_dict.pt`` and ``serialized_constants.pt``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from shapeinspect.binary.json_text import parse_object
from shapeinspect.binary.window import Window
from shapeinspect.binary.zip_reader import Archive, Member, payload
from shapeinspect.errors import UnreadableFileError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model, Note, Weight
from shapeinspect.sources.source import Source
from shapeinspect_torch.checkpoints.nested import read_nested
from shapeinspect_torch.exported.graph import Graph, read_graph
from shapeinspect_torch.exported.tensors import Lengths
from shapeinspect_torch.pickles.collect import Named, overlapping, shared, to_weight
from shapeinspect_torch.pickles.tensors import Tensor
from shapeinspect_torch.pickles.values import Extent, reader
from shapeinspect_torch.recognition.state_dict import layers_of
from shapeinspect_torch.vocabulary.kinds import native_name
from shapeinspect_torch.vocabulary.layouts import bind

_MAX_JSON = 256 << 20
_MAX_FACT = 64
_OLD = "serialized_exported_program.json"
_SHOWN = 8
#: Kinds of signature entries that are stored tensors, and the field with their name.
_STORED = {
    "parameter": "parameter_name",
    "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}


def read_export(source: Source) -> Model:
    """Read a program saved by ``torch.export.save``.

    Args:
        source: the file.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    try:
        return _Program(source).model()
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # A field is missing or has the wrong type.
        raise UnreadableFileError(
            source.label, f"its description of the program is malformed: {type(error).__name__} {error}"
        ) from None


@dataclass(slots=True)
class _Weights:
    """The stored tensors by their full names.

    Args:
        by_name: the tensors.
        buffers: the names of those that are not trained.
        notes: notes about them.
    """

    by_name: dict[str, Weight] = field(default_factory=dict)
    buffers: set[str] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)


class _Program:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._lengths = Lengths(source.label)
        self._notes: list[Note] = []
        with Window.open(source) as window:
            archive = Archive(window)
            names = archive.members
            if _OLD in names:
                raw = archive.read(_OLD, _MAX_JSON)
                self._document = parse_object(raw, source.label, "its program")
                self._weights = self._old_weights(archive)
            else:
                root, model = self._choose(archive)
                raw = archive.read(f"{root}/models/{model}.json", _MAX_JSON)
                self._document = parse_object(raw, source.label, "its program")
                self._weights = self._new_weights(archive, root, model)

    def _choose(self, archive: Archive) -> tuple[str, str]:
        root, names = archive.root(), archive.members
        start = f"{root}/models/"
        models = sorted(
            name[len(start) : -len(".json")]
            for name in names
            if name.startswith(start) and name.endswith(".json") and "/" not in name[len(start) :]
        )
        if not models:
            if any(name.startswith(f"{root}/data/aotinductor/") for name in names):
                self._fail("it holds a model that was compiled to machine code, and no program")
            self._fail("the archive holds no program of torch.export")
        chosen = "model" if "model" in models else models[0]
        if len(models) > 1:
            others = ", ".join(f'"{name}"' for name in models if name != chosen)
            self._notes.append(Note(f'shown is the model "{chosen}"; the file also holds {others}'))
        return root, chosen

    def _new_weights(self, archive: Archive, root: str, model: str) -> _Weights:
        weights = _Weights()
        tensors: dict[str, Tensor] = {}
        places: dict[str, Member] = {}
        for group in ("weights", "constants"):
            folder = f"{root}/data/{group}"
            config = f"{folder}/{model}_{group}_config.json"
            pickled = f"{folder}/{model}.pt"
            if config in archive.members:
                index = parse_object(
                    archive.read(config, _MAX_JSON), self._source.label, f"its list of {group}"
                )
                for name, entry in index["config"].items():
                    key = f"{folder}/{entry['path_name']}"
                    if key not in archive.members:
                        self._fail(f"the archive holds no {key!r}, where {name!r} should be")
                    if entry["tensor_meta"] is None:
                        weights.notes.append(Note(f"{name} is an object and no tensor; it is not shown"))
                        continue
                    tensor = self._lengths.stored(name, entry["tensor_meta"], key)
                    tensors[name] = tensor._replace(parameter=entry["is_param"] is True)
                    if entry["is_param"] is not True:
                        weights.buffers.add(name)
                    if entry["use_pickle"] is not True:
                        places[key] = archive.members[key]
            elif pickled in archive.members:
                self._add_pickled(archive.window, archive.members[pickled], weights)
        self._add(tensors, places, weights)
        return weights

    def _add(self, tensors: dict[str, Tensor], places: Mapping[str, Member], weights: _Weights) -> None:
        def values(tensor: Tensor) -> Any:
            member = places.get(tensor.storage.key) if tensor.storage is not None else None
            if member is None:
                return None
            if tensor.nbytes is not None and tensor.numel and member.size < tensor.nbytes:
                self._fail(
                    f"{member.name!r} has {member.size:,} bytes, where a tensor takes {tensor.nbytes:,}"
                )
            return reader(self._source, Extent(0, member.size, False, member), tensor)

        keys = shared(tensors.values())
        for name, tensor in tensors.items():
            weight = to_weight(Named(name, tensor), values, keys)
            if weight is not None:
                weights.by_name[name] = weight
        views = overlapping(tensors.values())
        if views:
            weights.notes.append(Note(f"{views:,} weights are different views of storage that they share"))

    def _old_weights(self, archive: Archive) -> _Weights:
        weights = _Weights()
        for group in ("state_dict", "constants"):
            for ending in ("pt", "json"):
                member = archive.members.get(f"serialized_{group}.{ending}")
                if member is not None:
                    self._add_pickled(archive.window, member, weights)
        return weights

    def _add_pickled(self, window: Window, member: Member, weights: _Weights) -> None:
        """Add the tensors of a checkpoint inside the archive."""
        start = payload(window, member)
        if not member.size:
            return
        if member.deflated:
            weights.notes.append(Note(f"{member.name} is compressed and not read"))
            return
        shard = read_nested(self._source, window, start, member.size, member.name)
        for weight in shard.weights:
            storage = f"{member.name}: {weight.storage}" if weight.storage is not None else None
            weights.by_name[weight.name] = replace(weight, storage=storage)

    def model(self) -> Model:
        """Return the program as a model."""
        module = self._document["graph_module"]
        signature = module["signature"]
        stored, buffers = _stored(signature["input_specs"], self._weights)
        tensors = module["graph"]["tensor_values"]
        for name, full in stored.items():
            if full not in self._weights.by_name:
                self._weights.by_name[full] = self._bare(full, tensors[name], full in buffers)
        modules = [str(entry["fqn"]) for entry in module["module_call_graph"]]
        ends = _ends(signature["input_specs"], "user_input"), _ends(signature["output_specs"], "user_output")
        graph = read_graph(module["graph"], stored, modules, ends, self._lengths, self._source.label)
        layers, unused = _with_weights(graph, self._weights.by_name, buffers)
        facts = self._facts()
        version = facts.get("torch.version")
        return Model(
            self._source.label,
            "torch-export",
            "torch",
            "torch-export",
            layers,
            tuple(graph.calls),
            Frozen(graph.values),
            *ends,
            (*self._notes, *self._weights.notes, *self._said(signature["output_specs"]), *unused),
            Frozen(facts),
            described=("torch.export program", *([f"exported by torch {version}"] if version else [])),
        )

    def _bare(self, name: str, meta: Any, buffer: bool) -> Weight:
        tensor = self._lengths.stored(name, meta, name)._replace(parameter=not buffer)
        weight = to_weight(Named(name, tensor), lambda _tensor: None, {})
        if weight is None:
            self._fail(f"weight {name!r} has no shape")
        return weight

    def _facts(self) -> dict[str, str]:
        facts = {"torch.version": str(self._document.get("torch_version", ""))[:_MAX_FACT]}
        for name, count in sorted((self._document.get("opset_version") or {}).items())[:_SHOWN]:
            facts[f"opset.{name}"] = str(count)[:_MAX_FACT]
        facts.update({f"symbol.{name}": text for name, text in self._ranges()})
        return {name: text for name, text in facts.items() if text}

    def _ranges(self) -> list[tuple[str, str]]:
        ranges = []
        for name, bounds in (self._document.get("range_constraints") or {}).items():
            limits = [bounds.get(side) for side in ("min_val", "max_val")]
            low, high = (str(end) if type(end) is int else None for end in limits)
            text = f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"
            if high is None and low is None:
                text = "any length"
            hint = self._lengths.hints.get(name)
            ranges.append((str(name), text if hint is None else f"{text} ({hint} in the example)"))
        return ranges

    def _said(self, specs: Sequence[Mapping[str, Any]]) -> list[Note]:
        notes = []
        ranges = self._ranges()
        if ranges:
            listed = "; ".join(f"{name}: {text}" for name, text in ranges[:_SHOWN])
            more = f" and {len(ranges) - _SHOWN} more" if len(ranges) > _SHOWN else ""
            notes.append(Note(f"lengths that may vary are {listed}{more}"))
        unread = self._lengths.unread
        if unread:
            shown = unread[0][:120]
            notes.append(Note(f"{len(unread):,} lengths are expressions that no rule reads, such as {shown}"))
        changed = sum("buffer_mutation" in spec for spec in specs)
        if changed:
            notes.append(Note(f"running it changes {changed:,} of its buffers"))
        return notes

    def _fail(self, reason: str) -> NoReturn:
        raise UnreadableFileError(self._source.label, reason)


def _stored(specs: Sequence[Mapping[str, Any]], weights: _Weights) -> tuple[dict[str, str], set[str]]:
    """The full name of each stored tensor by its name in the graph, and which are buffers."""
    stored, buffers = {}, set(weights.buffers)
    for spec in specs:
        for kind, name in _STORED.items():
            if kind in spec:
                full = str(spec[kind][name])
                stored[str(spec[kind]["arg"]["name"])] = full
                if kind != "parameter":
                    buffers.add(full)
    return stored, buffers


def _ends(specs: Sequence[Mapping[str, Any]], kind: str) -> tuple[str, ...]:
    arguments = [spec[kind]["arg"] for spec in specs if kind in spec]
    return tuple(str(argument["as_tensor"]["name"]) for argument in arguments if "as_tensor" in argument)


def _with_weights(
    graph: Graph, weights: Mapping[str, Weight], buffers: set[str]
) -> tuple[tuple[Layer, ...], tuple[Note, ...]]:
    """Assign every weight to the layer that owns it; layers that are not called come last."""
    root = next(iter(graph.layers))
    owned: dict[str, list[Weight]] = {}
    rest = []
    for name, weight in weights.items():
        path, role = _owner(name, graph, root)
        if path is None:
            rest.append(replace(weight, buffer=name in buffers))
            continue
        layout = None
        type_ = graph.types.get(path, "")
        if type_.startswith("torch."):
            groups = graph.layers[path].attributes.get("groups")
            sizes = {"g": groups} if isinstance(groups, int) and groups > 0 else {}
            layout = bind(native_name(type_), role, len(weight.shape), sizes)
        if layout is None and name in graph.uses:
            kind, used_as, sizes = graph.uses[name]
            layout = bind(kind, used_as, len(weight.shape), sizes)
        buffer = name in buffers
        trainable = False if buffer else weight.trainable
        owned.setdefault(path, []).append(
            replace(weight, role=role, layout=layout, buffer=buffer, trainable=trainable)
        )
    layers = [
        replace(layer, weights=tuple(owned[path])) if path in owned else layer
        for path, layer in graph.layers.items()
    ]
    unused, notes = layers_of(rest)
    taken = set(graph.layers)
    named = [replace(layer, path=_free(layer.path, taken)) for layer in unused]
    # Of tied weights the graph keeps one, in no particular order.
    read = {weights[name].storage for name in graph.read if name in weights} - {None}
    idle = [
        name
        for name, weight in weights.items()
        if name not in graph.read and weight.storage not in read and not name.endswith("num_batches_tracked")
    ]
    if idle:
        more = f" and {len(idle) - _SHOWN:,} more" if len(idle) > _SHOWN else ""
        notes = (Note(f"no op of the program reads {', '.join(idle[:_SHOWN])}{more}"), *notes)
    return (*layers, *named), notes


def _owner(name: str, graph: Graph, root: str) -> tuple[str | None, str]:
    path, _, role = name.rpartition(".")
    if not path:
        return root, role
    if path in graph.types:
        return path, role
    # MultiheadAttention reads its out_proj without calling it.
    outer = path.rpartition(".")[0]
    while outer:
        role = name[len(outer) + 1 :]
        if graph.types.get(outer, "").startswith("torch.") and name in graph.uses:
            return outer, role
        outer = outer.rpartition(".")[0]
    return None, name


def _free(path: str, taken: set[str]) -> str:
    while path in taken:
        path += "_"
    taken.add(path)
    return path
