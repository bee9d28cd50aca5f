"""The two containers of a Keras model: a zip archive, or one HDF5 file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.binary import json_text
from shapeinspect.binary.window import Window
from shapeinspect.binary.zip_reader import Archive, Member, payload
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Note
from shapeinspect.progress import counted
from shapeinspect.sources.source import Source
from shapeinspect_keras.containers import hdf5, jsontext

_WEIGHTS = "model.weights.h5"
_SHARDS = "model.weights.json"
_NUMPY = "model.weights.npz"
_NAMED = 12
_FACTS = ("keras_version", "backend", "date_saved")


@dataclass(frozen=True, slots=True)
class Contents:
    """The raw contents of a container, before any layers are built.

    Args:
        format: ``keras`` or ``keras-h5``.
        config: the parsed configuration; None in a file of weights alone.
        tree: the listed weights.
        metadata: facts about the file.
        notes: remarks about what is missing.
    """

    format: str
    config: Any
    tree: hdf5.Tree
    metadata: Mapping[str, str]
    notes: tuple[Note, ...] = ()


def open_hdf5(source: Source) -> Contents:
    """List an HDF5 file.

    Args:
        source: the file.

    Raises:
        UnreadableFileError: if it cannot be read.
    """
    tree = hdf5.listing(source, 0, source.size or 0)
    root = tree.groups.get("", {})
    raw = root.get("model_config")
    config = json_text.parse(raw, source.label, "model_config") if isinstance(raw, str) else None
    facts = {**tree.groups.get("model_weights", {}), **root}
    metadata = {name: jsontext.text(facts.get(name)) for name in _FACTS if facts.get(name)}
    if config is not None and "keras_version" not in metadata:
        metadata["keras_version"] = "1"
    return Contents("keras-h5", config, tree, metadata)


def open_archive(source: Source) -> Contents:
    """List a ``.keras`` archive.

    Args:
        source: the file.

    Raises:
        UnreadableFileError: if it cannot be read, or is not a Keras archive.
    """
    with Window.open(source) as window:
        archive = Archive(window)
        if "config.json" not in archive.members:
            raise UnreadableFileError(source.label, "not a Keras model: the archive has no config.json")
        config = _json(archive, "config.json")
        facts: Mapping[str, Any] = {}
        if "metadata.json" in archive.members:
            facts = jsontext.mapping(_json(archive, "metadata.json"))
        metadata = {name: jsontext.text(facts.get(name)) for name in _FACTS if facts.get(name)}
        tree, notes = _weights(source, archive)
    return Contents("keras", config, tree, metadata, notes)


def _json(archive: Archive, name: str) -> Any:
    return json_text.parse(archive.read(name, json_text.MAX_BYTES), archive.window.label, name)


def _weights(source: Source, archive: Archive) -> tuple[hdf5.Tree, tuple[Note, ...]]:
    members = archive.members
    if _WEIGHTS in members:
        return _listed(source, archive, members[_WEIGHTS]), ()
    if _SHARDS in members:
        return _shards(source, archive), ()
    if _NUMPY in members:
        return _arrays(archive.window, members[_NUMPY])
    return hdf5.EMPTY, (Note("the archive holds no weights"),)


def _arrays(window: Window, member: Member) -> tuple[hdf5.Tree, tuple[Note, ...]]:
    from shapeinspect_keras.containers import npz

    tree, named = npz.listing(window.part(_plain(window, member), member.size))
    notes = [Note("its weights are pickled into an .npz, which Keras itself no longer loads")]
    others = sorted(f"{name.module}.{name.name}" for name in named - npz.EXPECTED)
    if others:
        more = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
        notes.append(Note(f"not executed; globals referenced: {', '.join(others[:_NAMED])}{more}"))
    return tree, tuple(notes)


def _plain(window: Window, member: Member) -> int:
    """Return the offset of the bytes of an uncompressed member."""
    start = payload(window, member)
    if member.deflated:
        reason = f"{member.name} is compressed, but Keras stores it uncompressed"
        raise window.fail(reason, start, hint="repack the archive without compression (zip -0)")
    return start


def _listed(source: Source, archive: Archive, member: Member) -> hdf5.Tree:
    return hdf5.listing(source, _plain(archive.window, member), member.size)


def _shards(source: Source, archive: Archive) -> hdf5.Tree:
    """List every shard inside an archive and merge them."""

    def listed(name: str) -> hdf5.Tree:
        if name not in archive.members:
            raise UnreadableFileError(source.label, f"its shard {name!r} is not in the archive")
        return _listed(source, archive, archive.members[name])

    return _merged(source, _json(archive, _SHARDS), _SHARDS, listed)


def open_index(source: Source) -> Contents:
    """List the shards next to an ``X.weights.json`` that it names.

    Args:
        source: the index.

    Raises:
        UnreadableFileError: if it or a shard cannot be read, or a shard is missing.
    """

    def listed(name: str) -> hdf5.Tree:
        try:
            shard = source.sibling(name)
        except UsageError:
            raise UnreadableFileError(source.label, f"its shard {name!r} is not beside it") from None
        tree = hdf5.listing(shard, 0, shard.size or 0)
        datasets = {path: replace(dataset, file=shard) for path, dataset in tree.datasets.items()}
        return replace(tree, datasets=datasets)

    index = json_text.read_file(source, source.name)
    return Contents("keras-h5", None, _merged(source, index, source.name, listed), {})


def _merged(source: Source, index: Any, what: str, listed: Callable[[str], hdf5.Tree]) -> hdf5.Tree:
    """List the shards that an index names and merge them.

    Source: ``ShardedH5IOStore`` of keras/src/saving/saving_lib.py, 3.15.
    """
    weight_map = jsontext.mapping(jsontext.mapping(index).get("weight_map"))
    names: dict[str, None] = {}
    for value in weight_map.values():
        for name in value if isinstance(value, list) else [value]:
            if jsontext.text(name):
                names[name] = None
    if not names:
        raise UnreadableFileError(source.label, f"{what} names no files of weights")
    groups: dict[str, Mapping[str, Any]] = {}
    datasets: dict[str, hdf5.Dataset] = {}
    skipped: dict[str, str] = {}
    for name in counted(list(names), "files"):
        tree = listed(name)
        for path, attributes in tree.groups.items():
            groups[path] = {**groups.get(path, {}), **attributes}
        datasets.update(tree.datasets)
        skipped.update(tree.skipped)
    return hdf5.Tree(groups, datasets, skipped)
