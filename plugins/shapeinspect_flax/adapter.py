"""The adapter of Flax checkpoints: msgpack files and Orbax directories."""

from __future__ import annotations

import re

from shapeinspect.ir import Model, Note
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source

#: A map with at least one text key: the beginning of a tree of names.
_TREE = re.compile(rb"(?:[\x81-\x8f]|\xde..|\xdf....)[\xa0-\xbf\xd9-\xdb]", re.DOTALL)
#: An extension of type 1 or 3 with a triple that begins with a shape: an array as Flax packs it.
_ARRAY = re.compile(rb"(?:\xc7.|\xc8..|\xc9....|[\xd4-\xd8])[\x01\x03]\x93(?:[\x90-\x9f]|\xdc..)", re.DOTALL)
_INDEX = ".msgpack.index.json"
_CHUNKED = b"\xb9__msgpack_chunked_array__"


class FlaxAdapter(Adapter):
    """Reads names and shapes; nothing is executed and no values are loaded."""

    name = "flax"
    framework = "flax"
    native = "shapeinspect_flax.native:LINEN"
    script = "shapeinspect_flax.loading_code:LINEN"
    formats = ("Flax msgpack (.msgpack)", "sharded set (.msgpack.index.json)", "Orbax checkpoint directory")

    def match(self, source: Source) -> int:
        """Look for a map with an array in it, an index, or Orbax's metadata files.

        Args:
            source: the request.
        """
        if source.is_live:
            return 0
        if source.is_directory:
            return _match_directory(source.entries)
        if source.name.endswith(_INDEX):
            return 2 if b'"weight_map"' in source.head else 1
        if _TREE.match(source.head) and (_ARRAY.search(source.head) or _CHUNKED in source.head):
            return 2
        return int(source.suffix == ".msgpack")

    def read(self, source: Source) -> Model:
        """Read the tree.

        Args:
            source: the file or directory.

        Raises:
            UnreadableFileError: if it is cut off, corrupt or hostile.
        """
        from shapeinspect_flax.tree import layers_of

        orbax = source.is_directory and _is_orbax(source.entries)
        choice: tuple[Note, ...] = ()
        file = source
        if source.is_directory and not orbax:
            from shapeinspect_flax.shards import pick

            file, choice = pick(source)
        if orbax:
            from shapeinspect_flax.orbax import read_checkpoint

            leaves, notes = read_checkpoint(source)
        elif file.name.endswith(_INDEX):
            from shapeinspect_flax.shards import read_shards

            leaves, notes = read_shards(file)
        else:
            from shapeinspect_flax.msgpack_tree import read_leaves

            leaves, notes = read_leaves(file), ()
        layers, more = layers_of(leaves, file)
        kind = "orbax" if orbax else "flax-msgpack"
        words = "Orbax checkpoint" if orbax else "Flax msgpack"
        found = (*choice, *notes, *more)
        return Model(source.label, kind, self.framework, self.name, layers, notes=found, described=(words,))


def _match_directory(entries: tuple[str, ...]) -> int:
    if "_METADATA" in entries or "_CHECKPOINT_METADATA" in entries:
        return 2
    return int(_is_orbax(entries) or any(name.endswith((_INDEX, ".msgpack")) for name in entries))


def _is_orbax(entries: tuple[str, ...]) -> bool:
    if "_METADATA" in entries or "_CHECKPOINT_METADATA" in entries:
        return True
    # The directory of a CheckpointManager: only numbered steps.
    shown = [entry for entry in entries if not entry.startswith(".") and entry != "metadata"]
    return bool(shown) and all(entry.isascii() and entry.isdecimal() for entry in shown)


ADAPTER = FlaxAdapter()
