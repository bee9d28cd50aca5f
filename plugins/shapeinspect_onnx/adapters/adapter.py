"""The adapter for ONNX: files and live ModelProtos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source
from shapeinspect_onnx.reading import sniff

if TYPE_CHECKING:
    from shapeinspect.ir import Model


class OnnxAdapter(Adapter):
    """Reads ``.onnx`` files without their weights, and ``onnx.ModelProto`` objects."""

    name = "onnx"
    framework = "onnx"
    native = "shapeinspect_onnx.vocabulary.native:NATIVE"
    runner = "shapeinspect_onnx.adapters.runner:RUNNER"
    script = "shapeinspect_onnx.vocabulary.loading_code:SCRIPT"
    formats = ("ONNX (.onnx)", "a live onnx.ModelProto")
    requires = "onnx"
    debugger = "shapeinspect_onnx.debug.debugger:DEBUGGER"

    def match(self, source: Source) -> int:
        """Look at the head of a file or the class of an object.

        Args:
            source: the request.
        """
        if source.is_live:
            return 2 if "onnx" in source.modules and hasattr(source.target, "graph") else 0
        if source.is_directory:
            return 0
        if sniff.is_model(source.head, source.size or 0):
            return 2
        return 1 if source.suffix == ".onnx" else 0

    def read(self, source: Source) -> Model:
        """Read the graph; weights are named and measured, not loaded.

        Args:
            source: a file or a live ModelProto.

        Raises:
            UnreadableFileError: if the file is cut off, corrupt, hostile or no ONNX model.
            UsageError: if an asked-for input does not exist.
        """
        from shapeinspect_onnx.graph.read import read

        return read(source)


ADAPTER = OnnxAdapter()
