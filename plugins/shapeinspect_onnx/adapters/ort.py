"""The adapter for ONNX Runtime's own format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source
from shapeinspect_onnx.reading import sniff

if TYPE_CHECKING:
    from shapeinspect.ir import Model


class OrtAdapter(Adapter):
    """Reads ``.ort`` files, the flatbuffers that ONNX Runtime saves, without their weights."""

    name = "onnx-ort"
    framework = "onnx"
    formats = ("ONNX Runtime (.ort)",)
    requires = "onnx"

    def match(self, source: Source) -> int:
        """Look at the head of a file.

        Args:
            source: the request.
        """
        if source.is_live or source.is_directory:
            return 0
        if sniff.is_ort(source.head):
            return 2
        return 1 if source.suffix == ".ort" else 0

    def read(self, source: Source) -> Model:
        """Read the graph; weights are named and measured, not loaded.

        Args:
            source: a file.

        Raises:
            UnreadableFileError: if the file is cut off, corrupt, hostile or of another format.
            UsageError: if an asked-for input does not exist.
        """
        from shapeinspect_onnx.graph.read import read_ort

        return read_ort(source)


ADAPTER = OrtAdapter()
