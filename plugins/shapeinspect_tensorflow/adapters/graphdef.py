"""The adapter of frozen GraphDefs; it matches by the first bytes and opens files only to read."""

from __future__ import annotations

from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source
from shapeinspect_tensorflow.sniff import is_graph


class GraphDef(Adapter):
    """Reads a frozen TensorFlow graph with its constants.

    Example:
        >>> GraphDef().match(Source("m.txt", head=b"hello"))
        0
    """

    name = "tensorflow-graph"
    framework = "tensorflow"
    formats = ("TensorFlow frozen GraphDef (.pb)", "TensorFlow MetaGraphDef (.meta)")

    def match(self, source: Source) -> int:
        """Rate how likely this is a GraphDef, by its first node and its file ending.

        Args:
            source: the request.

        Returns:
            2 if the first node shows it, 1 for the file ending alone, else 0.
        """
        if source.is_live or source.is_directory:
            return 0
        if source.name == "saved_model.pb":
            return 0
        if source.suffix in (".pb", "", ".graphdef", ".meta") and is_graph(source.head, source.size or 0):
            return 2
        return 1 if source.suffix in (".pb", ".meta") else 0

    def read(self, source: Source) -> Model:
        """Read the graph; the weights stay in the file.

        Args:
            source: a request for which ``match`` was above 0.

        Raises:
            UnreadableFileError: if the file is cut off, corrupt or hostile.
        """
        from shapeinspect_tensorflow.graph.graphdef_reader import read

        return read(source)


ADAPTER = GraphDef()
