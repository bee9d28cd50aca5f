"""The adapter of TensorFlow checkpoints; it matches by the first bytes and opens files only to read."""

from __future__ import annotations

import re

from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import HEAD, Source

_MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
#: A table begins with its first entry: no shared prefix, and the empty name of the header.
_FIRST = b"\0\0"
#: The data files next to the index.
_DATA = re.compile(r"(.*)\.data-\d{5}-of-\d{5}")


class Checkpoint(Adapter):
    """Reads the ``.index`` of TensorFlow's checkpoints, or a directory that holds one.

    Example:
        >>> from pathlib import Path
        >>> Checkpoint().match(Source("ck", Path("ck"), entries=("checkpoint", "ck-1.index")))
        2
    """

    name = "tensorflow-checkpoint"
    framework = "tensorflow"
    formats = ("TensorFlow checkpoint (.index)",)

    def match(self, source: Source) -> int:
        """Rate how likely this is a checkpoint's index, or a directory of checkpoints.

        Args:
            source: the request.

        Returns:
            2 if the bytes or the directory's files show it, 1 for the file ending alone, else 0.
        """
        if source.is_live:
            return 0
        if source.is_directory:
            if "saved_model.pb" in source.entries:
                return 0
            stems = [entry[:-6] for entry in source.entries if entry.endswith(".index")]
            data = any(entry.startswith(f"{stem}.data-") for stem in stems for entry in source.entries)
            return 2 if stems and (data or "checkpoint" in source.entries) else 0
        whole = source.size is not None and source.size <= HEAD
        if whole and source.head.endswith(_MAGIC):
            return 2
        if not source.name.endswith(".index"):  # a prefix may be empty
            return int(_DATA.fullmatch(source.name) is not None)
        return 2 if not whole and source.head.startswith(_FIRST) else 1

    def read(self, source: Source) -> Model:
        """Read the variables of a checkpoint; the data files are not loaded.

        Args:
            source: a request for which ``match`` was above 0.

        Raises:
            UnreadableFileError: if the index is cut off, corrupt or hostile.
        """
        from shapeinspect_tensorflow.tables.checkpoint_reader import read

        data = None if source.is_directory else _DATA.fullmatch(source.name)
        if data is not None:
            raise UnreadableFileError(
                source.label,
                "it holds the values of a checkpoint, without names and shapes",
                hint=f"name the index beside it: {data[1]}.index",
            )
        return read(source)


ADAPTER = Checkpoint()
