"""Reads the values of one tensor on request, and nothing else of its file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from shapeinspect.binary.repeats import Repeats
from shapeinspect.binary.window import Window
from shapeinspect.binary.zip_reader import Member, contents
from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source
from shapeinspect_torch.pickles.tensors import Tensor, contiguous, reach
from shapeinspect_torch.vocabulary.dtypes import BITS
from shapeinspect_torch.vocabulary.element_types import element_type

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


class Extent(NamedTuple):
    """The range of a file that holds the bytes of one storage.

    Args:
        offset: the first byte in the file; for a zip member it is determined when they are read.
        size: the number of bytes.
        big: whether the most significant byte comes first.
        member: the zip member that holds them, or None.
    """

    offset: int
    size: int
    big: bool = False
    member: Member | None = None


def reader(
    source: Source, extent: Extent, tensor: Tensor, repeats: Repeats | None = None
) -> Callable[[], np.ndarray[Any, Any]] | None:
    """Return a reader of a tensor's values, or None if they are not plain strided elements.

    Args:
        source: the file.
        extent: the bytes of its storage.
        tensor: its shape, stride, offset and element type.
        repeats: counts the tensors of the file that repeat values.
    """
    if tensor.parts or tensor.stride is None or tensor.dtype is None or BITS[tensor.dtype] % 8:
        return None
    if repeats is None:
        return partial(read, source, extent, tensor)
    size = BITS[tensor.dtype] // 8
    for length in tensor.shape or ():
        size *= length if isinstance(length, int) else 1
    repeats.add(size, extent.size)

    def checked() -> np.ndarray[Any, Any]:
        repeats.check()
        return read(source, extent, tensor)

    return checked


def read(source: Source, extent: Extent, tensor: Tensor) -> np.ndarray[Any, Any]:
    """Read a tensor's values.

    Args:
        source: the file.
        extent: the bytes of its storage.
        tensor: its shape, stride, offset and element type, all known.

    Raises:
        UnreadableFileError: if the file does not hold them.
        UsageError: if its element type cannot be read here.
    """
    import numpy as np

    dtype = element_type(str(tensor.dtype))
    if extent.big:
        dtype = dtype.newbyteorder(">")
    shape = tuple(int(str(length)) for length in tensor.shape or ())
    stride = tensor.stride or ()
    count = reach(shape, stride)
    start = tensor.offset * dtype.itemsize
    raw = _bytes(source, extent, start, count * dtype.itemsize)
    if count == 0:
        return np.empty(shape, dtype)
    if tuple(stride) == contiguous(shape):
        whole: np.ndarray[Any, Any] = np.frombuffer(raw, np.uint8).view(dtype)  # as they are, without a copy
        return whole.reshape(shape)
    # Viewed as raw bytes: as_strided does not know the types of ml_dtypes.
    flat = np.frombuffer(raw, f"V{dtype.itemsize}")
    strides = tuple(step * dtype.itemsize for step in stride)
    strided: np.ndarray[Any, Any] = np.lib.stride_tricks.as_strided(flat, shape, strides).copy()
    return strided.view(dtype)


def _bytes(source: Source, extent: Extent, start: int, size: int) -> bytes:
    if start + size > extent.size:
        raise UnreadableFileError(source.label, "a tensor reaches beyond its storage", offset=extent.offset)
    if extent.member is None:
        return Window.bytes_of(source, extent.offset + start, size)
    with Window.open(source) as window:
        return contents(window, extent.member, start, size)
