"""Facts about tensors and their storages: shape, element type, stride, bytes."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from shapeinspect.binary.pickles.records import Blob
from shapeinspect.dims import Shape
from shapeinspect_torch.vocabulary.dtypes import BITS


class Storage(NamedTuple):
    """A run of elements that the file stores outside its pickle.

    Args:
        key: its name in the file.
        dtype: its element type.
        size: its number of elements; for types that pack several into a byte, its number of bytes.
        start: for a view of a larger storage, the index of its first element there.
        location: the device it was saved from.
    """

    key: str
    dtype: str
    size: int
    start: int = 0
    location: str = ""

    @property
    def nbytes(self) -> int:
        """Its length in bytes."""
        return self.size * max(BITS[self.dtype] // 8, 1)


class Tensor(NamedTuple):
    """What a file states about one tensor.

    Args:
        shape: its lengths; UNKNOWN where they are themselves weight data (nested tensors); None for
            a parameter that has not been initialized.
        dtype: its element type, or None if unknown.
        stride: elements between neighbors along each axis; None where it has no plain storage.
        offset: the index of its first element in the storage.
        storage: the storage of its elements; None where the file has none.
        parameter: whether it is an ``nn.Parameter``.
        requires_grad: whether it is trained; None if unknown.
        form: ``strided``, or the name of another form (``sparse_coo``, ``nested``, ``meta``,
            ``per_tensor_affine``, a tensor subclass).
        parts: the tensors it consists of where it has no storage of its own.
        blob: its bytes in the pickle itself, for a numpy array.
        names: the attributes that its parts are, where each is one of a subclass.
        facts: further attributes of a subclass: names of types, and lengths.
        scaling: the scale and zero point of a quantized tensor, or those of each entry of an axis.
    """

    shape: Shape | None
    dtype: str | None
    stride: tuple[int, ...] | None = None
    offset: int = 0
    storage: Storage | None = None
    parameter: bool = False
    requires_grad: bool | None = None
    form: str = "strided"
    parts: tuple[Tensor, ...] = ()
    blob: Blob | bytes | None = None
    names: tuple[str, ...] = ()
    facts: tuple[tuple[str, str | tuple[int, ...]], ...] = ()
    scaling: tuple[float | Tensor, int | Tensor, int | None] | None = None

    @property
    def numel(self) -> int:
        """The number of elements; 0 if unknown."""
        if self.form == "nested":
            return self.parts[0].numel
        return 0 if self.shape is None else product(self.shape)

    @property
    def nbytes(self) -> int | None:
        """The stored size of its elements in bytes; None if unknown.

        Elements that several positions share (an expanded axis has stride 0) count once.
        """
        if self.form == "meta":
            return 0
        if self.parts:
            sizes = [part.nbytes for part in self.parts]
            return None if None in sizes else sum(size for size in sizes if size is not None)
        if self.shape is None or self.dtype not in BITS:
            return None
        count = self.numel
        if self.stride is not None:
            count = min(count, reach(self.shape, self.stride))
        return (count * BITS[self.dtype] + 7) // 8


@lru_cache(maxsize=1024)  # a network has few distinct shapes
def reach(shape: Shape, stride: tuple[int, ...]) -> int:
    """Return how many elements a strided tensor spans in its storage.

    Args:
        shape: its lengths.
        stride: elements between neighbors along each axis.

    Example:
        >>> reach((2, 3), (3, 1)), reach((2, 3), (1, 0)), reach((0, 3), (3, 1))
        (6, 2, 0)
    """
    last = 0
    for length, step in zip(shape, stride, strict=True):
        if length == 0:
            return 0
        if isinstance(length, int):
            last += (length - 1) * step
    return last + 1


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a contiguous tensor in row-major order.

    Args:
        shape: its lengths.

    Example:
        >>> contiguous((2, 3, 5))
        (15, 5, 1)
    """
    stride, step = [], 1
    for length in reversed(shape):
        stride.append(step)
        step *= length
    return tuple(reversed(stride))


@lru_cache(maxsize=1024)
def product(lengths: Shape) -> int:
    """Return the product of lengths; 1 for none.

    Args:
        lengths: the lengths; those that are unknown are left out.

    Example:
        >>> product((2, 3, 5))
        30
    """
    total = 1
    for length in lengths:
        if isinstance(length, int):
            total *= length
    return total
