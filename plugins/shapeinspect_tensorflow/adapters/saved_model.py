"""The adapter of SavedModels; it matches by the first bytes and opens files only to read."""

from __future__ import annotations

from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source

_FILE = "saved_model.pb"
#: The version of the format, which is 1, followed by a graph.
_HEAD = b"\x08\x01\x12"


class SavedModel(Adapter):
    """Reads a SavedModel: its variables, its signatures, and the graph of its serving signature.

    Example:
        >>> from pathlib import Path
        >>> SavedModel().match(Source("m", Path("m"), entries=("saved_model.pb", "variables")))
        2
    """

    name = "tensorflow-saved-model"
    framework = "tensorflow"
    formats = ("TensorFlow SavedModel (directory)",)
    signatures = True
    script = "shapeinspect_tensorflow.vocabulary.loading_code:SAVED_MODEL"
    runner = "shapeinspect_tensorflow.adapters.saved_model_runner:RUNNER"

    def match(self, source: Source) -> int:
        """Rate how likely this is a SavedModel.

        Args:
            source: the request.

        Returns:
            2 for a directory with a ``saved_model.pb`` or a file that begins like one, 1 for the
            name alone, else 0.
        """
        if source.is_live:
            return 0
        if source.is_directory:
            return 2 if _FILE in source.entries else 0
        named = source.name == _FILE
        if source.head.startswith(_HEAD) and (named or source.suffix == ".pb"):
            return 2
        return 1 if named else 0

    def read(self, source: Source) -> Model:
        """Read a SavedModel; nothing in it is executed and no variable is loaded.

        Args:
            source: a request for which ``match`` was above 0.

        Raises:
            UnreadableFileError: if the file is cut off, corrupt or hostile.
        """
        from shapeinspect_tensorflow.graph.saved_model_reader import read

        return read(source)


ADAPTER = SavedModel()
