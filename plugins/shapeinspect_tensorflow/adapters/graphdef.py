"""The adapter of frozen GraphDefs; it matches by bytes and opens nothing until it reads."""

from __future__ import annotations

from shapeinspect.ir import Model
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source
from shapeinspect_tensorflow.sniff import is_graph


class GraphDef(Adapter):
    """Reads a TensorFlow graph with its constants, as freezing leaves it.

    Example:
        >>> GraphDef().match(Source("m.txt", head=b"hello"))
        0
    """

    name = "tensorflow-graph"
    framework = "tensorflow"
    formats = ("TensorFlow frozen GraphDef (.pb)", "TensorFlow MetaGraphDef (.meta)")

    def match(self, source: Source) -> int:
        """Say how surely this is a GraphDef, from its first node and its ending.

        Args:
            source: the request.

        Returns:
            2 where the first node says so, 1 for the ending alone, else 0.
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
