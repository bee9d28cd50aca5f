"""Sets of weight files: an index that says which file holds what, and directories of files.

Source: ``huggingface_hub/serialization/_base.py`` and ``transformers/modeling_utils.py``: an index is
``{"metadata": {"total_size": bytes}, "weight_map": {weight: file}}``, its files beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from shapeinspect.binary.json_text import read_file
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Frozen, Note, Weight
from shapeinspect.progress import counted
from shapeinspect.sources.not_a_model import foreign
from shapeinspect.sources.source import Source, check_inside
from shapeinspect.text import many

_MAX_INDEX = 64 << 20
_MAX_FILES = 10_000
_SHOWN = 5
#: How the files of a sharded set are called.
_PART = re.compile(r"(?P<stem>.+)-\d{1,6}-of-(?P<count>\d{1,6})(?P<ending>\.\w+)")

BARE = (
    "the file holds weights only: no settings such as stride or groups, no order of calls and no "
    "shapes of activations"
)


@dataclass(frozen=True, slots=True)
class Shard:
    """The weights of one file.

    Args:
        format: which format it is of.
        weights: its weights, their roles not known yet.
        notes: what has to be said of it.
        metadata: what it says about itself.
    """

    format: str
    weights: tuple[Weight, ...]
    notes: tuple[Note, ...] = ()
    metadata: Frozen[str] = Frozen()


def is_index(source: Source) -> bool:
    """Tell whether a file is the index of a sharded set.

    Args:
        source: the file.
    """
    return source.name.endswith(".index.json")


def pick(source: Source, best: Sequence[str], endings: Sequence[str]) -> tuple[Source, tuple[Note, ...]]:
    """Choose the file of a directory that holds the model.

    Args:
        source: the directory.
        best: names that are chosen whatever else there is, the best first.
        endings: endings of names of which one alone is chosen, the best first.

    Returns:
        The file, and a note that names it and what was passed over.

    Raises:
        UsageError: if there are several and none is the best.
    """
    found = next((name for name in best if name in source.entries), None)
    for ending in endings:
        named = [name for name in source.entries if name.endswith(ending)]
        if found is None and len(named) > 1:
            _refuse_set(source, named)
            more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
            raise UsageError(
                f'the directory "{source.label}" holds several models',
                got=", ".join(named[:_SHOWN]) + more,
                hint=f'name one, such as "{source.label}/{named[0]}"',
            )
        found = found or (named[0] if named else None)
    if found is None:
        raise UsageError(f'the directory "{source.label}" holds no such model')
    return source.sibling(found), (Note(f"read from {found} in the directory"),)


def _refuse_set(source: Source, names: Sequence[str]) -> None:
    """Say so where the files are parts of one model and the index is what is missing."""
    parts = [found for name in names if (found := _PART.fullmatch(name)) is not None]
    sets = {(found["stem"], found["count"], found["ending"]) for found in parts}
    if len(parts) == len(names) and len(sets) == 1:
        ((stem, count, ending),) = sets
        raise UsageError(
            f'the directory "{source.label}" holds {len(names)} of the {int(count)} files of one model, '
            "and not their index",
            expected=f"{stem}{ending}.index.json, which says which weight is in which file",
            hint=f'add it, or name one file, such as "{source.label}/{names[0]}"',
        )


def read_index(source: Source, load: Callable[[Source, str], Shard]) -> Shard:
    """Read an index and the header of every file that it names.

    Args:
        source: the index.
        load: reads one file; the second argument is its name in the index.

    Raises:
        UnreadableFileError: if the index is malformed, a name leads outside, or no file is there.
    """
    index = _Index(source)
    shards: dict[str, dict[str, Weight]] = {}
    notes: dict[Note, None] = {}
    metadata: dict[str, str] = {}
    missing: dict[str, None] = {}
    format_ = ""
    for name in counted(index.files, "files"):
        try:
            file = source.sibling(name)
        except UsageError:
            missing[name] = None
            continue
        if (refused := foreign(file)) is not None:
            raise refused
        shard = load(file, name)
        shards[name] = {weight.name: weight for weight in shard.weights}
        metadata.update(shard.metadata)
        notes.update(dict.fromkeys(shard.notes))
        format_ = shard.format
    if not shards:
        raise UnreadableFileError(
            source.label, f"none of the files it names is there, such as {next(iter(missing))!r}"
        )
    weights, more = _gather(index, shards, missing)
    return Shard(format_, tuple(weights), (*notes, *more), Frozen(metadata))


def _gather(
    index: _Index, shards: dict[str, dict[str, Weight]], missing: dict[str, None]
) -> tuple[list[Weight], list[Note]]:
    weights: list[Weight] = []
    absent: list[str] = []
    homeless: list[str] = []
    for name, file in index.weight_map.items():
        if file in shards and name in shards[file]:
            weight = shards[file][name]
            if weight.storage is not None or weight.where != file:
                storage = f"{file}: {weight.storage}" if weight.storage is not None else None
                weight = replace(weight, where=file, storage=storage)
            weights.append(weight)
        else:
            (homeless if file in missing else absent).append(name)
    notes = [Note(f"the set has {many(len(shards) + len(missing), 'file')}")]
    if missing:
        lost = many(len(homeless), "weight")
        notes.append(
            Note(f"{_list([*missing])} is missing: nothing is known of {lost} in it")
            if len(missing) == 1
            else Note(f"{_list([*missing])} are missing: nothing is known of {lost} in them")
        )
    if absent:
        notes.append(Note(f"the index names weights that their files do not hold: {_list(absent)}"))
    spare = [name for held in shards.values() for name in held if name not in index.weight_map]
    if spare:
        notes.append(Note(f"the files hold weights that the index does not name: {_list(spare)}"))
    total = sum(weight.nbytes or 0 for held in shards.values() for weight in held.values())
    if index.total is not None and index.total != total and not missing:
        notes.append(
            Note(f"the index says the set has {index.total:,} bytes of weights; its files have {total:,}")
        )
    return weights, notes


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


class _Index:
    """An index file: which weight is in which file, and how many bytes all take."""

    def __init__(self, source: Source) -> None:
        self._label = source.label
        told = read_file(source, "the index", limit=_MAX_INDEX)
        found = told.get("weight_map") if isinstance(told, dict) else None
        if not isinstance(found, dict) or not all(isinstance(file, str) for file in found.values()):
            self._fail("the index has no weight_map of names to files")
        self.weight_map: dict[str, str] = found
        self.files = sorted(set(found.values()))
        if not self.files or len(self.files) > _MAX_FILES:
            self._fail(f"the index names {len(self.files):,} files")
        for name in self.files:
            check_inside(name, self._label)
        facts = told.get("metadata")
        total = facts.get("total_size") if isinstance(facts, dict) else None
        # Some writers keep it as a text or a float.
        self.total = int(total) if isinstance(total, int | float) and total == total // 1 else None

    def _fail(self, reason: str) -> NoReturn:
        raise UnreadableFileError(self._label, reason)
