"""The adapter of TFLite files; it matches by the first bytes and opens files only to read."""

from __future__ import annotations

from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source

_IDENTIFIER = b"TFL3"


class TFLite(Adapter):
    """Reads TFLite's flatbuffers.

    Example:
        >>> TFLite().match(Source("m", head=b"....TFL3"))
        2
    """

    name = "tflite"
    framework = "tflite"
    formats = ("TFLite (.tflite, .lite)",)
    signatures = True
    shown = "shapeinspect_tensorflow.tflite.shown:TFLITE"
    script = "shapeinspect_tensorflow.vocabulary.loading_code:TFLITE"
    runner = "shapeinspect_tensorflow.adapters.runner:RUNNER"
    debugger = "shapeinspect_tensorflow.debug.debugger:DEBUGGER"
    insists = False

    def match(self, source: Source) -> int:
        """Rate how likely this is a TFLite file, by its identifier and its file ending.

        Args:
            source: the request.

        Returns:
            2 if the identifier shows it, 1 for the file ending alone, else 0.
        """
        if source.is_directory:
            return 0
        if source.head[4:8] == _IDENTIFIER:
            return 2
        return 1 if source.suffix in (".tflite", ".lite") else 0

    def read(self, source: Source) -> Model:
        """Read the graph; the weights stay in the file.

        Args:
            source: a request for which ``match`` was above 0.

        Raises:
            UnreadableFileError: if the file is cut off, corrupt or hostile.
        """
        from shapeinspect_tensorflow.tflite.reader import read

        return read(source)


ADAPTER = TFLite()
