"""Reads a request into a Model: strip, parse, name, expand, infer, walk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from shapeinspect.errors import UnreadableFileError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Model, Note
from shapeinspect.sources.source import Source
from shapeinspect_onnx.graph.element_types import complete
from shapeinspect_onnx.graph.functions import Expansion, name_and_expand
from shapeinspect_onnx.graph.graph import Walk
from shapeinspect_onnx.graph.inference import (
    Shapes,
    infer,
    mend,
    name_lengths,
    real_inputs,
    set_inputs,
    stated,
)
from shapeinspect_onnx.graph.isolated import Worker
from shapeinspect_onnx.reading import sniff
from shapeinspect_onnx.reading.constant_tensors import Store
from shapeinspect_onnx.reading.external import lacking
from shapeinspect_onnx.reading.messages import messages
from shapeinspect_onnx.reading.utf8_check import check
from shapeinspect_onnx.reading.wire import MAX_ENDS, Stripped, strip
from shapeinspect_onnx.vocabulary import ops

#: Metadata entries longer than this are cut.
_LONG = 1000


def read(source: Source) -> Model:
    """Read an ONNX file or a live ModelProto.

    Args:
        source: the request.

    Raises:
        UnreadableFileError: if the file is truncated, corrupt, hostile or not an ONNX model.
        UsageError: if an asked-for input does not exist.
    """
    stripped = None if source.is_live else _strip(source)
    with Worker() as worker:
        small, store = _live(source) if stripped is None else _file(source, stripped)
        return _model(source, small, store, worker, "live" if source.is_live else "onnx", "onnx")


def read_ort(source: Source) -> Model:
    """Read a file in ONNX Runtime's own format.

    Args:
        source: the request.

    Raises:
        UnreadableFileError: if the file is cut off, corrupt, hostile or of another format.
        UsageError: if an asked-for input does not exist.
    """
    from shapeinspect_onnx.reading.ort_file import load

    if not sniff.is_ort(source.head):
        raise UnreadableFileError(source.label, "it is not in ONNX Runtime's format: ORTM does not begin it")
    with Worker() as worker:
        small, stored = load(source)
        return _model(source, small, Store(source, stored, {}), worker, "ort", "onnx-ort")


def _model(source: Source, small: Any, store: Store, worker: Worker, form: str, adapter: str) -> Model:
    notes: list[Note] = []
    check(small, source.label)
    expansion = name_and_expand(small, source.label)
    if mend(small.graph):
        notes.append(Note("the file gives input lengths of 0 or below; they are read as unknown"))
    set_inputs(small.graph, source.inputs)
    name_lengths(small.graph)
    inputs = [entry.name for entry in real_inputs(small.graph)]
    if (ends := len(inputs) + len(small.graph.output)) > MAX_ENDS:
        reason = f"it has {ends:,} inputs and outputs, more than {MAX_ENDS:,}"
        raise UnreadableFileError(source.label, reason)
    metadata = _metadata(small)
    if not small.opset_import:
        notes.append(Note("the file names no opset, so its nodes are read by the first one"))
    sources = stated(small.graph)
    small, gave_up = infer(small, worker)
    notes += gave_up
    versions = {_domain(entry.domain): entry.version for entry in small.opset_import}
    learned = small.producer_name.lower().startswith("pytorch")
    shapes = Shapes(small.graph.input, sources)
    walk = Walk(store, shapes, versions, expansion.openings, expansion.origins, learned=learned)
    try:
        scope = walk.graph(small.graph, None, "")
        graph_inputs = tuple(walk.value(name, scope) for name in inputs)
        outputs = tuple(walk.value(entry.name, scope) for entry in small.graph.output)
    except RecursionError:
        raise UnreadableFileError(source.label, "its graphs are nested too deeply") from None
    complete(walk.layers, walk.calls, walk.values)
    notes += _notes(walk, expansion, source)
    return Model(
        source.label,
        form,
        "onnx",
        adapter,
        walk.finish(),
        tuple(walk.calls),
        Frozen(walk.values),
        graph_inputs,
        outputs,
        tuple(notes),
        Frozen(metadata),
        blocks=tuple(walk.blocks),
        described=_described(form, versions, metadata.get("producer")),
    )


def _strip(source: Source) -> Stripped:
    wrong = sniff.reason(source)
    if wrong is not None:
        raise UnreadableFileError(source.label, wrong[0], hint=wrong[1])
    return strip(source)


def _file(source: Source, stripped: Stripped) -> tuple[Any, Store]:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it ships no types

    try:
        small = messages().ModelProto.FromString(stripped.model)
    except (DecodeError, UnicodeDecodeError) as error:
        raise UnreadableFileError(source.label, f"it is no valid ONNX model ({error})") from None
    return small, Store(source, stripped.stored, {})


def _live(source: Source) -> tuple[Any, Store]:
    from shapeinspect_onnx.reading.slim import slim

    tensors: dict[str, Any] = {}
    return slim(source.target, os.urandom(8).hex(), tensors), Store(source, {}, tensors)


def _domain(text: str) -> str:
    return "" if text in ops.DEFAULT_DOMAINS else text


def _lacking(source: Source, outside: Mapping[tuple[str, str | None], int]) -> list[str]:
    """Return what is wrong with the data files, of which a key names the place and the span."""
    needed: dict[str, int] = {}
    for (where, key), _ in outside.items():
        offset, _, length = (key or "").rpartition("@")[2].partition("+")
        if where and offset.isdecimal() and length.isdecimal():
            needed[where] = max(needed.get(where, 0), int(offset) + int(length))
    return [text for where, most in needed.items() if (text := lacking(source, where, most)) is not None]


def _notes(walk: Walk, expansion: Expansion, source: Source) -> list[Note]:
    """Return notes about what is unknown, one sentence each."""
    notes = []
    unused = [constant for constant in walk.unused.values() if constant.key not in walk.used]
    if unused:
        names = _list([constant.name for constant in unused])
        notes.append(Note(f"{_count(len(unused), 'stored tensor')} used by no node: {names}"))
    outside = {
        (weight.where, weight.storage): weight.nbytes or 0
        for layer in walk.layers
        for weight in layer.weights
        if weight.where
    }
    if outside:
        places = _list(sorted({where for where, _ in outside if where}))
        total = sum(outside.values())
        text = f"{_count(len(outside), 'weight')} of {total:,} bytes in external data, not opened: {places}"
        notes.append(Note("; ".join([text, *_lacking(source, outside)])))
    notes += [Note("the function has no body", path) for path in expansion.empty]
    values = walk.values
    blind: dict[str, list[str]] = {}
    for layer, call in zip(walk.layers, walk.calls, strict=True):
        domain = layer.type.rpartition(".")[0]
        if (
            domain
            and layer.kind == "unknown"
            and any(values[name].shape is None for name in call.outputs if name)
        ):
            blind.setdefault(domain, []).append(layer.path)
    for domain, paths in blind.items():
        notes.append(Note(f'onnx does not infer the shapes of domain "{domain}": {_list(paths)}'))
    return notes


def _count(count: int, what: str) -> str:
    return f"{count:,} {what} is" if count == 1 else f"{count:,} {what}s are"


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3:,} more" if len(names) > 3 else shown


def _described(form: str, versions: Mapping[str, int], producer: str | None) -> tuple[str, ...]:
    """Say in words what the file is; a graph may use operators of other domains alone."""
    named = "ONNX Runtime model" if form == "ort" else "ONNX"
    opset = versions.get("")
    whole = f"{named}{',' if form == 'ort' else ''} opset {opset}" if opset is not None else named
    return (whole, f"exported by {producer}") if producer else (whole,)


def _metadata(model: Any) -> dict[str, str]:
    metadata = {
        "producer": " ".join(filter(None, (model.producer_name, model.producer_version))),
        "ir_version": str(model.ir_version),
        "opset": ", ".join(f"{entry.domain or 'ai.onnx'} {entry.version}" for entry in model.opset_import),
        "graph": model.graph.name,
        "domain": model.domain,
        "model_version": str(model.model_version or ""),
    }
    metadata.update({entry.key: entry.value[:_LONG] for entry in model.metadata_props})
    return {key: value for key, value in metadata.items() if value}
