"""The adapter of frozen GraphDefs; it matches by bytes and opens nothing until it reads."""

from __future__ import annotations

from shapeinspect.adapter import Adapter
from shapeinspect.ir import Model
from shapeinspect.source import Source

_NODE = 0x0A
_OP = 0x12


def is_graph(head: bytes, size: int) -> bool:
    r"""Tell whether the bytes begin a GraphDef: a node with a name and an operator.

    Args:
        head: the first bytes of the file.
        size: how many it has.

    Example:
        >>> is_graph(b"\x0a\x06\x0a\x01x\x12\x01y", 8)
        True
    """
    if head[:1] != bytes([_NODE]):
        return False
    length, at = _length(head, 1)
    if at < 0 or at + length > size or head[at : at + 1] != bytes([_NODE]):
        return False
    name, at = _length(head, at + 1)
    if at < 0 or not 0 < name <= length or head[at + name : at + name + 1] != bytes([_OP]):
        return False
    op, start = _length(head, at + name + 1)
    text = head[start : start + op]
    return start > 0 and 0 < op <= length and text.isascii() and text.decode().isidentifier()


def _length(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[at : at + 5]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    return 0, -1


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
        from shapeinspect_tensorflow.graphdef_reader import read

        return read(source)


ADAPTER = GraphDef()
