"""Directories of several parts that make one model: pipelines of diffusers, modules of sentence-transformers.

Source: ``diffusers/pipelines/pipeline_utils.py``: ``model_index.json`` maps the name of each part to its
library and class, and its files are in the folder of that name; ``sentence_transformers/base/model.py``:
``modules.json`` lists the name, folder and type of each module; the first may be the directory itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.binary.json_text import read_file
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Contradiction, Layer, Model, Note, Weight
from shapeinspect.sources.source import Source
from shapeinspect_torch.file_names import MODULES, PIPELINE

_MAX_INDEX = 1 << 20
_MAX_PARTS = 64
#: What the classes of parts without weights end with.
_WEIGHTLESS = (
    "Scheduler", "Tokenizer", "TokenizerFast", "Processor", "Extractor", "Pooling", "Normalize", "Dropout",
)  # fmt: skip
_WEIGHTS = (".safetensors", ".bin", ".safetensors.index.json", ".bin.index.json")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a model.

    Args:
        name: what stands before the names of its layers.
        folder: where its files are; empty for the directory itself.
        type: its class.
    """

    name: str
    folder: str
    type: str


def parts_of(source: Source) -> tuple[Part, ...]:
    """Return the parts that a directory names; none of a directory that is one model.

    Args:
        source: the directory.

    Raises:
        UnreadableFileError: if the file that names them is malformed.
    """
    if PIPELINE in source.entries:
        content = read_file(source.sibling(PIPELINE), f"the {PIPELINE}", limit=_MAX_INDEX)
        found = _of_pipeline(content)
    elif MODULES in source.entries:
        content = read_file(source.sibling(MODULES), f"the {MODULES}", limit=_MAX_INDEX)
        found = _of_modules(content)
    else:
        return ()
    if len(found) > _MAX_PARTS:
        raise UnreadableFileError(source.label, f"it names {len(found):,} parts")
    return tuple(found)


def _of_pipeline(content: Any) -> list[Part]:
    rows = content.items() if isinstance(content, dict) else ()
    return [
        Part(name, name, value[1])
        for name, value in rows
        if isinstance(value, list) and len(value) == 2 and all(isinstance(item, str) for item in value)
    ]


def _of_modules(content: Any) -> list[Part]:
    rows = content if isinstance(content, list) else ()
    return [
        Part(row["name"] if row["path"] else "", row["path"], row["type"].rpartition(".")[2])
        for row in rows
        if isinstance(row, dict) and all(isinstance(row.get(key), str) for key in ("name", "path", "type"))
    ]


def folder_of(source: Source, part: Part) -> Source | None:
    """Return the folder of a part; None where it is not there.

    Args:
        source: the directory.
        part: the part.

    Raises:
        UnreadableFileError: if it leads outside.
    """
    if not part.folder:
        return source
    try:
        folder = source.sibling(part.folder)
    except UsageError:
        return None
    return replace(folder, label=f"{source.label.rstrip('/')}/{part.folder}") if folder.is_directory else None


def holds_weights(folder: Source) -> bool:
    """Tell whether there are files of weights in a folder.

    Args:
        folder: it.
    """
    return any(name.endswith(_WEIGHTS) for name in folder.entries)


def lacking(part: Part, folder: Source | None) -> tuple[Note, ...]:
    """Return a note on a part without weights, if by its class it should have some.

    Args:
        part: the part.
        folder: its folder; None where it is not there.
    """
    if part.type.endswith(_WEIGHTLESS):
        return ()
    got = "no such folder" if folder is None else "no weights in it"
    named = "model_index.json or modules.json"
    found = Contradiction(f"{part.folder}/", f"the weights of a {part.type}", got, named)
    return (Note(f"{part.folder} has no weights", fault=True, contradictions=(found,)),)


def together(source: Source, models: list[tuple[Part, Model]], notes: tuple[Note, ...]) -> Model:
    """Return one model of the parts, each with its name before those of its layers.

    Args:
        source: the directory.
        models: the parts and what was read of them.
        notes: what is said of the whole.
    """
    first = models[0][1]
    layers = tuple(_within(layer, part.name) for part, model in models for layer in model.layers)
    parts_by_note: dict[Note, list[str]] = {}
    for part, model in models:
        for note in model.notes:
            parts_by_note.setdefault(note, []).append(part.name)
    # What holds for every part is said once.
    said = [
        note if len(named) == len(models) and note.about is None else said_of(note, name)
        for note, named in parts_by_note.items()
        for name in (named[:1] if len(named) == len(models) and note.about is None else named)
    ]
    metadata = {
        f"{part.name}.{name}" if part.name else name: text
        for part, model in models
        for name, text in model.metadata.items()
    }
    return replace(
        first,
        source=source.label,
        layers=layers,
        notes=(*notes, *said),
        metadata=type(first.metadata)(metadata),
    )


def _within(layer: Layer, name: str) -> Layer:
    if not name:
        return layer
    parts = (name, *(layer.parts or (layer.path,)))
    weights = tuple(_renamed(weight, name) for weight in layer.weights)
    return replace(layer, path=f"{name}.{layer.path}", parts=parts, weights=weights)


def _renamed(weight: Weight, name: str) -> Weight:
    where = f"{name}/{weight.where}" if weight.where else weight.where
    storage = f"{name}: {weight.storage}" if weight.storage is not None else None
    quantization = weight.quantization
    if quantization is not None:
        others = {
            key: tuple(f"{name}.{other}" for other in getattr(quantization, key))
            for key in ("scales", "zero_points", "state")
        }
        quantization = replace(
            quantization,
            scales=others["scales"],
            zero_points=others["zero_points"],
            state=others["state"],
        )
    return replace(
        weight, name=f"{name}.{weight.name}", where=where, storage=storage, quantization=quantization
    )


def said_of(note: Note, name: str) -> Note:
    """Return a note on a part as one on the whole.

    Args:
        note: the note.
        name: the part's name.
    """
    if not name:
        return note
    items = tuple(replace(item, about=f"{name}.{item.about}") for item in note.contradictions)
    if note.about is not None:
        return replace(note, about=f"{name}.{note.about}", contradictions=items)
    return replace(note, text=f"{name}: {note.text}", contradictions=items)
