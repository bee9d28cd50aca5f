"""Reads TensorShapeProto."""

from __future__ import annotations

from shapeinspect.binary.protobuf import fields, need, signed
from shapeinspect.binary.window import Window
from shapeinspect.dims import UNKNOWN, Dim, Shape

#: TensorFlow's own bound on the axes of a tensor is 254.
MAX_RANK = 254


def shape(window: Window, start: int, end: int) -> Shape | None:
    """Read a shape; a length of -1 is unknown, a shape of unknown rank is None.

    Args:
        window: the file.
        start: the message's first byte.
        end: the byte after it.

    Raises:
        UnreadableFileError: if it is malformed, or has too many axes or a negative length.

    Source: tensorflow/core/framework/tensor_shape.proto
    """
    lengths: list[Dim] = []
    unknown_rank = False
    for field in fields(window, start, end):
        if field.number == 2:
            need(window, field)
            size = 0
            for part in fields(window, field.start, field.end):
                if part.number == 1:
                    need(window, part, 0)
                    size = signed(part.value)
            if size < -1:
                raise window.fail(f"an axis has the length {size}", field.start)
            lengths.append(UNKNOWN if size < 0 else size)
        elif field.number == 3:
            unknown_rank = bool(field.value)
        if len(lengths) > MAX_RANK:
            raise window.fail(f"a shape has more than {MAX_RANK} axes", start)
    return None if unknown_rank else tuple(lengths)
