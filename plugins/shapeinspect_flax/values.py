"""Reads the values of one array on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shapeinspect.binary.window import Window
from shapeinspect.sources.source import Source
from shapeinspect_flax.leaves import Leaf

if TYPE_CHECKING:
    import numpy as np


def read(source: Source, leaf: Leaf) -> np.ndarray[Any, Any]:
    """Return the values of an array; bfloat16 as float32.

    Args:
        source: the file.
        leaf: the array.

    Raises:
        UnreadableFileError: if the file has shrunk.

    Source: ``flax/serialization.py``, ``_ndarray_to_bytes``: C order, in the byte order of the machine
    that wrote it, which is assumed to be little-endian.
    """
    import numpy as np

    with Window.open(source) as window:
        data = b"".join(window.whole(piece.offset, piece.offset + piece.nbytes) for piece in leaf.pieces)
    if leaf.dtype == "bfloat16":
        # The upper half of a float32.
        numbers = (np.frombuffer(data, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
    else:
        numbers = np.frombuffer(data, np.dtype(leaf.dtype).newbyteorder("<"))
    shape: Any = leaf.shape
    shaped: np.ndarray[Any, Any] = numbers.reshape(shape)
    return shaped
