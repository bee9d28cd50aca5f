"""Whether bytes begin a GraphDef; adapters and readers ask it."""

from __future__ import annotations

from shapeinspect.binary.protobuf import varint

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
    length, at = varint(head, 1)
    if at < 0 or at + length > size or head[at : at + 1] != bytes([_NODE]):
        return False
    name, at = varint(head, at + 1)
    if at < 0 or not 0 < name <= length or head[at + name : at + name + 1] != bytes([_OP]):
        return False
    op, start = varint(head, at + name + 1)
    text = head[start : start + op]
    return start > 0 and 0 < op <= length and text.isascii() and text.decode().isidentifier()
