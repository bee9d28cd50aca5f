"""Tensors as memory: strides, storages, and which of two tensors are one piece of memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shapeinspect.dims import UNKNOWN, Dim, Shape, Unknown

#: The steps along each axis, in elements; None where they are not known.
Strides = tuple[Dim, ...] | None


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor with the piece of memory that holds it.

    Args:
        storage: a name of the memory; tensors that share it have one. Empty for that of a parameter.
        size: the bytes of the whole memory.
        shape: its lengths; None if not even the rank is known.
        strides: its steps; None where they are not known.
        item: the bytes of one element; 0 where the type is not known.
        grad: whether a gradient flows through it.
        sure: whether it is proven which memory holds it.
    """

    storage: str
    size: Dim
    shape: Shape | None
    strides: Strides
    item: int
    grad: bool
    sure: bool = True

    @property
    def own_bytes(self) -> Dim:
        """The bytes of its elements, were they alone."""
        return UNKNOWN if self.shape is None or not self.item else elements(self.shape) * self.item

    @property
    def contiguous(self) -> bool | None:
        """Whether its elements stand one behind the other; None if that is not known."""
        if self.strides is None or self.shape is None:
            return None
        wanted = packed(self.shape)
        return all(
            length == 1 or step == right
            for length, step, right in zip(self.shape, self.strides, wanted, strict=True)
        )


def elements(shape: Shape) -> Dim:
    """Return how many elements a shape has.

    Args:
        shape: the lengths.

    Example:
        >>> elements((2, 3, 5))
        30
    """
    count: Dim = 1
    for length in shape:
        count = count * length
    return count


def packed(shape: Shape) -> tuple[Dim, ...]:
    """Return the strides of elements that stand one behind the other, the last axis fastest.

    Args:
        shape: the lengths.

    Example:
        >>> packed((2, 3, 5))
        (15, 5, 1)
    """
    steps: list[Dim] = []
    step: Dim = 1
    for length in reversed(shape):
        steps.append(step)
        step = step * length
    return tuple(reversed(steps))


def view_strides(shape: Shape, strides: tuple[Dim, ...], wanted: Shape) -> Strides:
    """Return the strides with which the same memory has another shape; None where it has to be copied.

    Args:
        shape: the lengths.
        strides: the steps.
        wanted: the other lengths, of as many elements.

    Source: ``computeStride_impl`` in https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/TensorUtils.cpp

    Example:
        >>> view_strides((2, 3, 4), (12, 4, 1), (6, 4)), view_strides((3, 2, 4), (4, 12, 1), (6, 4))
        ((4, 1), None)
    """
    if not shape:
        return packed(wanted)
    found: list[Dim] = [0] * len(wanted)
    place = len(wanted) - 1
    base: Dim = strides[-1]
    count: Dim = 1
    seen: Dim = 1
    for axis in reversed(range(len(shape))):
        count = count * shape[axis]
        if axis and (shape[axis - 1] == 1 or strides[axis - 1] == count * base):
            continue
        while place >= 0 and (seen != count or wanted[place] == 1):
            found[place] = seen * base
            seen = seen * wanted[place]
            place -= 1
        if seen != count:
            return None
        if axis:
            base, count, seen = strides[axis - 1], 1, 1
    return tuple(found) if place == -1 else None


def reshaped(tensor: Tensor, wanted: Shape | None, copy: str) -> Tensor:
    """Return a tensor in another shape: in the same memory where that is possible, else in a copy.

    Args:
        tensor: the tensor.
        wanted: the shape.
        copy: the name of the copy's memory.
    """
    if wanted is None or tensor.shape is None or tensor.strides is None:
        return replace(tensor, shape=wanted, strides=None, sure=False)
    if any(isinstance(length, Unknown) for length in (*tensor.shape, *wanted)):
        return replace(tensor, shape=wanted, strides=None, sure=False)
    strides = view_strides(tensor.shape, tensor.strides, wanted)
    if strides is None:
        size = tensor.own_bytes
        return replace(tensor, storage=copy, size=size, shape=wanted, strides=packed(wanted))
    return replace(tensor, shape=wanted, strides=strides)
