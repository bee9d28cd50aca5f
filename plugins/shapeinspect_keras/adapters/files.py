"""The adapter of saved Keras models; it matches by bytes and opens nothing until it reads."""

from __future__ import annotations

from shapeinspect.binary.zip_reader import MAGIC, first_name
from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_MEMBERS = (b"metadata.json", b"config.json", b"model.weights.h5")
_HDF5_SUFFIXES = frozenset({".h5", ".hdf5", ".keras"})
_INDEX = ".weights.json"


class KerasFiles(Adapter):
    r"""Reads ``.keras`` archives and Keras's HDF5 files without Keras.

    Example:
        >>> from pathlib import Path
        >>> KerasFiles().match(Source("m", Path("m"), head=b"\x89HDF\r\n\x1a\n", size=8))
        1
    """

    name = "keras"
    framework = "keras"
    native = "shapeinspect_keras.vocabulary.native:NATIVE"
    script = "shapeinspect_keras.vocabulary.loading_code:SCRIPT"
    runner = "shapeinspect_keras.tracing.runner:RUNNER"
    debugger = "shapeinspect_keras.debug.debugger:DEBUGGER"
    formats = ("Keras archive (.keras)", "Keras HDF5 (.h5, .hdf5)", "sharded set (.weights.json)")

    def match(self, source: Source) -> int:
        """Judge from its first bytes and its suffix whether this is a saved Keras model.

        Args:
            source: the request.

        Returns:
            2 for an archive with a Keras member or ending, for HDF5 with an ending that Keras
            writes, and for JSON with the ending of an index of shards; 1 for other HDF5, and for an
            archive's ending alone; else 0.
        """
        if source.is_live or source.is_directory:
            return 0
        if source.head.startswith(MAGIC):
            known = first_name(source.head) in _MEMBERS
            return 2 if known or source.suffix == ".keras" else 0
        if source.head.startswith(_HDF5):
            return 2 if source.suffix in _HDF5_SUFFIXES else 1
        if source.name.lower().endswith(_INDEX) and source.head.lstrip().startswith(b"{"):
            return 2
        return 1 if source.suffix in _HDF5_SUFFIXES else 0

    def read(self, source: Source) -> Model:
        """Read a saved model; nothing in it is executed and no weight is loaded.

        Args:
            source: a request for which ``match`` was above 0.

        Raises:
            UnreadableFileError: if the file is cut off, corrupt or hostile.
        """
        from shapeinspect_keras.saved.reader import read

        return read(source)


ADAPTER = KerasFiles()
