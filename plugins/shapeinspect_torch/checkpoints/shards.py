"""Sets of weight files: an index that maps weights to files, and directories of files.

Source: ``huggingface_hub/serialization/_base.py`` and ``transformers/modeling_utils.py``: an index is
``{"metadata": {"total_size": bytes}, "weight_map": {weight: file}}``, with its files next to it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from shapeinspect.binary.json_text import read_file
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Contradiction, Note, Weight
from shapeinspect.progress import counted
from shapeinspect.sources.links import check_inside
from shapeinspect.sources.not_a_model import foreign
from shapeinspect.sources.source import Source
from shapeinspect.text import many

_MAX_INDEX = 64 << 20
_MAX_FILES = 10_000
_SHOWN = 5
#: So many contradictions of one kind are kept.
_MOST = 200
#: The file names of a sharded set.
_PART = re.compile(r"(?P<stem>.+)-\d{1,6}-of-(?P<count>\d{1,6})(?P<ending>\.\w+)")

BARE = (
    "the file holds weights only: no settings such as stride or groups, no order of calls and no "
    "shapes of activations"
)


@dataclass(frozen=True, slots=True)
class Shard:
    """The weights of one file.

    Args:
        format: its format.
        weights: its weights; their roles are not known yet.
        notes: remarks for the user.
        metadata: its own metadata.
        scalars: the integers among its weights that tell how these are quantized.
    """

    format: str
    weights: tuple[Weight, ...]
    notes: tuple[Note, ...] = ()
    metadata: Frozen[str] = Frozen()
    scalars: Frozen[tuple[int, ...]] = Frozen()


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
        best: names that are chosen whatever else there is, in order of preference.
        endings: endings by which a name is chosen if it is the only one, in order of preference.

    Returns:
        The file, and a note that names it.

    Raises:
        UsageError: if there are several candidates, or none.
    """
    chosen = next((name for name in best if name in source.entries), None)
    for ending in endings:
        named = [name for name in source.entries if name.endswith(ending)]
        if chosen is None and len(named) > 1:
            _refuse_set(source, named)
            more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
            raise UsageError(
                f'the directory "{source.label}" holds several models',
                got=", ".join(named[:_SHOWN]) + more,
                hint=f'name one, such as "{source.label}/{named[0]}"',
            )
        chosen = chosen or (named[0] if named else None)
    if chosen is None:
        raise UsageError(f'the directory "{source.label}" holds no such model')
    return source.sibling(chosen), (Note(f"read from {chosen} in the directory"),)


def _refuse_set(source: Source, names: Sequence[str]) -> None:
    """Raise an error if the files are parts of one model whose index is missing."""
    parts = [match for name in names if (match := _PART.fullmatch(name)) is not None]
    sets = {(match["stem"], match["count"], match["ending"]) for match in parts}
    if len(parts) == len(names) and len(sets) == 1:
        ((stem, count, ending),) = sets
        raise UsageError(
            f'the directory "{source.label}" holds {len(names)} of the {int(count)} files of one model, '
            "but not their index",
            expected=f"{stem}{ending}.index.json, which says which weight is in which file",
            hint=f'add it, or name one file, such as "{source.label}/{names[0]}"',
        )


def read_index(source: Source, load: Callable[[Source, str], Shard]) -> Shard:
    """Read an index and the header of every file that it names.

    Args:
        source: the index.
        load: reads one file; the second argument is its name in the index.

    Raises:
        UnreadableFileError: if the index is malformed, a name leads outside, or all files are missing.
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
            source.label,
            f"all files that it names are missing, such as {next(iter(missing))!r}",
            hint="it is only the list of the weights' files: put them into its directory",
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
        one = len(missing) == 1
        text = f"{_list([*missing])} {'is' if one else 'are'} missing: nothing is known about {lost} in "
        held = Counter(index.weight_map.values())
        found = [
            Contradiction(name, "a file", "missing", f"the index: {many(held[name], 'weight')}")
            for name in [*missing][:_MOST]
        ]
        notes.append(Note(text + ("it" if one else "them"), fault=True, contradictions=tuple(found)))
    if absent:
        text = f"the index names weights that their files do not hold: {_list(absent)}"
        found = [
            Contradiction(name, f"in {index.weight_map[name]}", "not in it", "the index: weight_map")
            for name in absent[:_MOST]
        ]
        notes.append(Note(text, fault=True, contradictions=tuple(found)))
    spare = [
        name
        for weights_by_name in shards.values()
        for name in weights_by_name
        if name not in index.weight_map
    ]
    if spare:
        text = f"the files hold weights that the index does not name: {_list(spare)}"
        found = [
            Contradiction(name, "a file in the weight_map", "no entry", f"stored: {_holders(shards, name)}")
            for name in spare[:_MOST]
        ]
        notes.append(Note(text, fault=True, contradictions=tuple(found)))
    twice = [
        name
        for name, count in Counter(name for held in shards.values() for name in held).items()
        if count > 1
    ]
    if twice:
        found = [
            Contradiction(name, "in one file", f"in {_holders(shards, name)}", _index_says(index, name))
            for name in twice[:_MOST]
        ]
        text = f"several files hold the same weights: {_list(twice)}"
        notes.append(Note(text, fault=True, contradictions=tuple(found)))
    total = sum(
        weight.nbytes or 0 for weights_by_name in shards.values() for weight in weights_by_name.values()
    )
    if index.total is not None and index.total != total and not missing:
        notes.append(
            Note(f"the index says the set has {index.total:,} bytes of weights; its files have {total:,}")
        )
    return weights, notes


def _index_says(index: _Index, name: str) -> str:
    return f"the index: {index.weight_map.get(name, 'no entry')}"


def _holders(shards: Mapping[str, Mapping[str, Weight]], name: str) -> str:
    return " and ".join(file for file, held in shards.items() if name in held)


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


class _Index:
    """An index file: which weight is in which file, and their total size in bytes."""

    def __init__(self, source: Source) -> None:
        self._label = source.label
        content = read_file(source, "the index", limit=_MAX_INDEX)
        weight_map = content.get("weight_map") if isinstance(content, dict) else None
        if not isinstance(weight_map, dict) or not all(isinstance(file, str) for file in weight_map.values()):
            self._fail("the index has no weight_map of names to files")
        self.weight_map: dict[str, str] = weight_map
        self.files = sorted(set(weight_map.values()))
        if not self.files or len(self.files) > _MAX_FILES:
            self._fail(f"the index names {len(self.files):,} files")
        for name in self.files:
            check_inside(name, self._label)
        facts = content.get("metadata")
        total = facts.get("total_size") if isinstance(facts, dict) else None
        # Some writers store it as a float.
        self.total = int(total) if isinstance(total, int | float) and total == total // 1 else None

    def _fail(self, reason: str) -> NoReturn:
        raise UnreadableFileError(self._label, reason)
