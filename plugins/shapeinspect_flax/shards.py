"""Sets of msgpack files: an index maps arrays to files, and all files form one tree.

Source: ``transformers/modeling_flax_utils.py``, ``flax_shard_checkpoint``: the index is
``{"metadata": {"total_size": bytes}, "weight_map": {array: file}}``; an array's name is its keys joined
with slashes, and each file is a tree of its own arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

from shapeinspect.binary.json_text import read_file
from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Note
from shapeinspect.progress import counted
from shapeinspect.sources.links import check_inside
from shapeinspect.sources.source import Source
from shapeinspect.text import many
from shapeinspect_flax.leaves import Leaf
from shapeinspect_flax.msgpack_tree import read_leaves

#: The file endings of an index and of one file.
INDEX, SUFFIX = ".msgpack.index.json", ".msgpack"
_MOST_INDEX, _MOST_FILES, _MOST_NAMED = 64 << 20, 10_000, 5


def pick(source: Source) -> tuple[Source, tuple[Note, ...]]:
    """Choose the file of a directory that holds the model.

    Args:
        source: the directory.

    Returns:
        The file, and a note that names it.

    Raises:
        UsageError: if it holds several models.
    """
    for ending in (INDEX, SUFFIX):
        named = [name for name in source.entries if name.endswith(ending)]
        if len(named) > 1:
            raise UsageError(
                f'the directory "{source.label}" holds several models',
                got=_list(named),
                hint=f'name one, such as "{source.label}/{named[0]}"',
            )
        if named:
            return source.sibling(named[0]), (Note(f"read from {named[0]} in the directory"),)
    raise UsageError(f'the directory "{source.label}" holds no such model')


def read_shards(source: Source) -> tuple[list[Leaf], tuple[Note, ...]]:
    """List the arrays of all files of a set.

    Args:
        source: the index.

    Raises:
        UnreadableFileError: if the index or a file is cut off, corrupt or hostile, a name leads outside,
            or an array is in two files.
    """
    homes = _read_index(source)
    files = sorted(set(homes.values()))
    leaves: list[Leaf] = []
    files_by_name: dict[str, str] = {}
    missing = []
    for name in counted(files, "files"):
        try:
            file = source.sibling(name)
        except UsageError:
            missing.append(name)
            continue
        for leaf in read_leaves(file):
            if leaf.name in files_by_name:
                both = f"{files_by_name[leaf.name]} and {name}"
                raise UnreadableFileError(source.label, f"the array {leaf.name!r} is in both {both}")
            files_by_name[leaf.name] = name
            leaves.append(leaf._replace(home=file))
    if len(missing) == len(files):
        raise UnreadableFileError(source.label, f"all files that it names are missing, such as {files[0]!r}")
    return leaves, _notes(homes, files_by_name, missing)


def _notes(homes: dict[str, str], files_by_name: dict[str, str], missing: Sequence[str]) -> tuple[Note, ...]:
    texts = [f"the set has {many(len(set(homes.values())), 'file')}"]
    if missing:
        lost = many(sum(file in missing for file in homes.values()), "array")
        texts.append(f"missing: {_list(missing)}, and with that {lost}")
    absent = [name for name, file in homes.items() if file not in missing and files_by_name.get(name) != file]
    if absent:
        texts.append(f"the index names arrays that their files do not hold: {_list(absent)}")
    spare = [name for name in files_by_name if name not in homes]
    if spare:
        texts.append(f"the files hold arrays that the index does not name: {_list(spare)}")
    return tuple(Note(text) for text in texts)


def _read_index(source: Source) -> dict[str, str]:
    """Return the file of every array."""
    content = read_file(source, "the index", limit=_MOST_INDEX)
    weight_map = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(weight_map, dict) or not all(isinstance(file, str) for file in weight_map.values()):
        raise UnreadableFileError(source.label, "the index has no weight_map of names to files")
    files = set(weight_map.values())
    if not files or len(files) > _MOST_FILES:
        raise UnreadableFileError(source.label, f"the index names {many(len(files), 'file')}")
    for name in files:
        check_inside(name, source.label)
    return weight_map


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
