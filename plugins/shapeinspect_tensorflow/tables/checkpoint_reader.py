"""Reads a checkpoint as a model: its variables by their original names, and notes on other contents."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from shapeinspect.binary.names import DEEPEST
from shapeinspect.binary.window import Window
from shapeinspect.errors import UnreadableFileError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Model, Note
from shapeinspect.sources.links import check_inside
from shapeinspect.sources.source import Source
from shapeinspect.text import many
from shapeinspect_tensorflow.tables import bundle, objects
from shapeinspect_tensorflow.tables.bundle import OBJECT_GRAPH, Bundle, Entry
from shapeinspect_tensorflow.tables.data_files import Shard, file_size, object_graph, values
from shapeinspect_tensorflow.tables.variables import Variable, layers, natural
from shapeinspect_tensorflow.vocabulary import dtypes

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_SLOT = "/.OPTIMIZER_SLOT/"
_COUNTERS = frozenset({"save_counter", "global_step"})
#: The state that TensorFlow 1 optimizers store for a variable, and on their own.
_SLOTS = frozenset(
    {"Adam", "AdaMax", "Adagrad", "Adadelta", "Momentum", "RMSProp", "Ftrl", "LAMB"}
    | {"LARSOptimizer", "AdamWeightDecay", "adam_m", "adam_v"}
)
#: The second and third state of a variable are numbered.
_SLOT_NUMBER = re.compile(r"_[12]$")
_POWERS = frozenset({"beta1_power", "beta2_power"})


def read(source: Source) -> Model:
    """Read a checkpoint.

    Args:
        source: the ``.index`` file, or a directory of checkpoints.

    Raises:
        UnreadableFileError: if the index is truncated, corrupt or hostile.
    """
    notes: list[Note] = []
    index = _choose(source, notes) if source.is_directory else source
    contents = bundle.read(index)
    shards = _shards(index, contents, notes)
    graph = _graph(index, contents, shards, notes)
    entries, optimizer, counters, texts = _sort(contents.entries, graph)
    notes.extend(_other_contents(optimizer, counters, texts))
    entries = _in_order(_once(entries, graph, notes), graph)
    named = _names(entries, graph)
    variables = [
        Variable(
            entry.key, named[entry.key][0], named[entry.key][1], entry.dtype, entry.shape,
            dtypes.nbytes(entry.dtype, _size(entry)), None, shards[entry.shard].name,
            values=values(index, shards[entry.shard], entry, contents.big_endian),
        )
        for entry in entries
    ]  # fmt: skip
    return Model(
        source.label, "tensorflow-checkpoint", "tensorflow", "tensorflow-checkpoint", layers(variables),
        notes=tuple(notes), metadata=Frozen(shards=str(contents.shards)),
        described=("TensorFlow checkpoint",),
    )  # fmt: skip


def _size(entry: Entry) -> int:
    total = 1
    for dim in entry.shape:
        total *= dim if isinstance(dim, int) else 1
    return total


def _choose(source: Source, notes: list[Note]) -> Source:
    """Return the checkpoint that a directory's ``checkpoint`` file names, else the last one."""
    stems = sorted((entry[:-6] for entry in source.entries if entry.endswith(".index")), key=natural)
    chosen = None
    if "checkpoint" in source.entries:
        chosen = _latest(source.sibling("checkpoint"))
        if chosen is not None and chosen not in stems:
            notes.append(Note(f'the file "checkpoint" names "{chosen}", which is not in this directory'))
            chosen = None
    if chosen is None:
        if not stems:
            raise UnreadableFileError(source.label, "this directory holds no checkpoint's index")
        chosen = stems[-1]
    if len(stems) > 1:
        notes.append(Note(f'of {len(stems)} checkpoints in the directory, this is "{chosen}"'))
    return source.sibling(f"{chosen}.index")


def _latest(state: Source) -> str | None:
    """Read ``model_checkpoint_path: "name"``; of an absolute path only the name is used."""
    for line in state.head.decode("utf-8", "replace").splitlines():
        label, colon, value = line.partition(":")
        if colon and label.strip() == "model_checkpoint_path":
            path = value.strip().strip('"')
            name = path.rpartition("/")[2] if path.startswith("/") else path
            if name or not path:  # the prefix of a folder may be empty
                check_inside(name, state.label)
            return name
    return None


def _shards(index: Source, contents: Bundle, notes: list[Note]) -> Mapping[int, Shard]:
    """Check the data files that the index needs, without opening them."""
    ends: dict[int, int] = {}
    for entry in contents.entries:
        ends[entry.shard] = max(ends.get(entry.shard, 0), entry.offset + entry.nbytes)
    shards: dict[int, Shard] = {}
    missing: list[str] = []
    for number, end in sorted(ends.items()):
        name = contents.shard_name(index.name, number)
        size = file_size(index, name)
        if size is None:
            missing.append(name)
        shards[number] = Shard(name, size)
        if size is not None and size < end:
            notes.append(
                Note(f'the data file "{name}" is {end - size:,} bytes too short for its last variable')
            )
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        notes.append(Note(f'the data file "{missing[0]}"{more} is not beside the index'))
    return shards


_Graph = tuple[dict[str, objects.Named], frozenset[str]]


def _graph(index: Source, contents: Bundle, shards: Mapping[int, Shard], notes: list[Note]) -> _Graph | None:
    """Read the names of the variables from the object graph, if there is one within the size limit."""
    if all(entry.key != OBJECT_GRAPH for entry in contents.entries):
        return None
    nodes = object_graph(index, contents, shards)
    if nodes is None:
        notes.append(Note("the variables' real names are unavailable: these are the keys of the index"))
        return None
    return objects.names(Window.from_bytes(b"", index.label), nodes)


def _sort(
    entries: Sequence[Entry], graph: _Graph | None
) -> tuple[list[Entry], list[Entry], list[Entry], list[Entry]]:
    """Separate the model's variables from those of an optimizer, counters, and texts."""
    keys = {entry.key: entry.shape for entry in entries}
    trackers = _shortest({key.partition("/_iterations/")[0] for key in keys if "/_iterations/" in key})
    model: list[Entry] = []
    optimizer: list[Entry] = []
    counters: list[Entry] = []
    texts: list[Entry] = []
    for entry in entries:
        if entry.key == OBJECT_GRAPH:
            continue
        if entry.is_string:
            texts.append(entry)
        elif entry.key.removesuffix(_VALUE) in _COUNTERS:
            counters.append(entry)
        elif (graph is not None and entry.key in graph[1]) or _is_state(entry.key, keys, trackers):
            optimizer.append(entry)
        else:
            model.append(entry)
    return model, optimizer, counters, texts


def _shortest(folders: Iterable[str]) -> list[str]:
    """Return the folders that are in no other one, each with its slash, in order.

    Example:
        >>> _shortest({"b", "a", "a/b"})
        ['a/', 'b/']
    """
    kept: list[str] = []
    for folder in sorted(f"{folder}/" for folder in folders):
        if not kept or not folder.startswith(kept[-1]):
            kept.append(folder)
    return kept


def _is_state(key: str, keys: Mapping[str, object], trackers: Sequence[str]) -> bool:
    if _SLOT in key:
        return True
    # None of the folders is in another one, so a key can be in the last one before it only.
    place = bisect_right(trackers, key)
    if place and key.startswith(trackers[place - 1]):
        # Keras 3's optimizers track the model's variables as well as their own state.
        return "/_trainable_variables/" not in key
    base, _, last = key.rpartition("/")
    return (
        last in _POWERS
        or (_SLOT_NUMBER.sub("", last) in _SLOTS and keys.get(base) == keys[key])
        or key in _POWERS
    )


def _other_contents(optimizer: list[Entry], counters: list[Entry], texts: list[Entry]) -> list[Note]:
    notes = []
    if optimizer:
        size = sum(entry.nbytes for entry in optimizer)
        state = f"{many(len(optimizer), 'tensor')}, {size:,} bytes"
        notes.append(Note(f"besides the model it holds an optimizer's state: {state}"))
    if counters:
        notes.append(Note("besides the model it holds " + ", ".join(_plain(entry.key) for entry in counters)))
    if texts:
        notes.append(Note(f"besides the model it holds {many(len(texts), 'text')}, such as {texts[0].key}"))
    return notes


def _plain(key: str) -> str:
    return key.removesuffix(_VALUE)


def _once(entries: list[Entry], graph: _Graph | None, notes: list[Note]) -> list[Entry]:
    """Drop the copies that Keras's export adds of all variables."""
    if graph is None:
        return entries
    copies, firsts = [], set()
    for entry in entries:
        named = graph[0].get(entry.key)
        if named is None:
            continue
        identity = (named.full_name, entry.dtype, entry.shape)
        if named.path[:1] == ("_all_variables",):
            copies.append((identity, entry))
        elif named.path[:1] in (("variables",), ("trainable_variables",), ("non_trainable_variables",)):
            firsts.add(identity)
    dropped = {entry.key for identity, entry in copies if identity in firsts and identity[0]}
    if dropped:
        notes.append(
            Note(f"{many(len(dropped), 'variable')} stored twice, as Keras's export does, count once")
        )
    return [entry for entry in entries if entry.key not in dropped]


def _in_order(entries: list[Entry], graph: _Graph | None) -> list[Entry]:
    """Sort the variables by the objects, or by the numbers in their names."""
    if graph is None:
        return sorted(entries, key=lambda entry: natural(entry.key))
    positions = {key: position for position, key in enumerate(graph[0])}
    return sorted(entries, key=lambda entry: positions.get(entry.key, len(positions)))


def _parts(name: str) -> tuple[str, ...]:
    """Split a name; what is the deepest of a very long one, and still its own, stays together."""
    parts = name.split("/")
    if len(parts) > DEEPEST:
        parts[DEEPEST - 2 : -1] = ["/".join(parts[DEEPEST - 2 : -1])]
    return tuple(parts)


def _names(entries: Sequence[Entry], graph: _Graph | None) -> dict[str, tuple[tuple[str, ...], str]]:
    """Assign each variable its layer's path and its role, in the order of the layers."""
    named = graph[0] if graph is not None else {}
    full = [named[entry.key].full_name for entry in entries if entry.key in named]
    if len(full) == len(entries) == len(set(full)) and all("/" in name.strip("/") for name in full):
        parts = {entry.key: _parts(named[entry.key].full_name) for entry in entries}
    else:
        parts = {
            entry.key: named[entry.key].path if entry.key in named else _parts(_plain(entry.key))
            for entry in entries
        }
    return {key: (part[:-1], part[-1] if part else key) for key, part in parts.items()}
