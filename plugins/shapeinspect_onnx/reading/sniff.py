"""Recognizes an ONNX file by its first bytes, without onnx and without reading further."""

from __future__ import annotations

from shapeinspect.binary.protobuf import varint
from shapeinspect.sources.source import HEAD, Source

_STRINGS = frozenset({2, 3, 4, 6})
_NUMBERS = frozenset({1, 5})
_MESSAGES = frozenset({7, 8, 14, 20, 25, 26})


def is_ort(head: bytes) -> bool:
    """Tell whether the bytes begin ONNX Runtime's own flatbuffer, by its identifier.

    Args:
        head: the first bytes of the file.

    Source: ``file_identifier "ORTM"`` in onnxruntime's ``ort.fbs``.

    Example:
        >>> is_ort(b"....ORTM"), is_ort(b"ORTM")
        (True, False)
    """
    return head[4:8] == b"ORTM"


def is_model(head: bytes, size: int) -> bool:
    r"""Tell whether the bytes begin an ONNX ModelProto.

    A TensorFlow SavedModel begins the same way, but its second field is a message and it has no graph in
    field 7. Therefore the bytes must show a graph, an opset or a readable text that continues beyond them.

    Args:
        head: the first bytes of the file.
        size: the file's length in bytes.

    Example:
        >>> is_model(b"\x08\x08\x12\x04onnx\x3a\x02\x0a\x00", 12)
        True
        >>> is_model(b"hello, world", 12)
        False
    """
    position, is_first = 0, True
    while position < min(len(head), HEAD):
        key, value_index = varint(head, position)
        number, wire = key >> 3, key & 7
        value, position = varint(head, value_index)
        if min(value_index, position) < 0 or (is_first and (number != 1 or not 0 < value < 1000)):
            return False
        is_first = False
        if number in _NUMBERS and wire == 0:
            continue
        if wire != 2 or value > size - position:
            return False
        if number in _MESSAGES:
            return True
        text = head[position : position + value]
        if number not in _STRINGS or not _is_text(text, cut=position + value > len(head)):
            return False
        position += value
        if position > len(head):
            return number == 6
    return False


def is_text(head: bytes) -> bool:
    r"""Tell whether the bytes are plain text, as in an error page or a pointer to the real file.

    Args:
        head: the first bytes of the file.

    Example:
        >>> is_text(b"<html>"), is_text(b"\x08\x08")
        (True, False)
    """
    return _is_text(head, cut=len(head) == HEAD)


def reason(source: Source) -> tuple[str, str | None] | None:
    """Return why a file named like an ONNX model is not one, and what to do; None if it may be one.

    Args:
        source: the file.
    """
    if source.size == 0:
        return "the file is empty", None
    if is_text(source.head):
        return "it is text, not an ONNX model", None
    return None


def _is_text(data: bytes, cut: bool) -> bool:
    if cut:  # a character may be cut in two
        data = data[: max(len(data) - 3, 0)]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if not cut or error.start < len(data) - 3:
            return False
        text = data[: error.start].decode()
    return all(char >= " " or char in "\t\r\n" for char in text)
