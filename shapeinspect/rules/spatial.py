"""The positions of batch, channels and space in a shape, and settings with one entry per spatial axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shapeinspect.dims import Dim, Shape
from shapeinspect.ir import Axes
from shapeinspect.rules.rule import Attributes, mismatch, show

_NAMES = {0: (), 1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}


@dataclass(frozen=True, slots=True)
class Parts:
    """A shape split by role.

    Args:
        batch: the lengths before channels and space: one, or none for an unbatched input.
        channels: the number of channels.
        space: the spatial lengths.
        last: whether the channels are last.

    Example:
        >>> Parts((1,), 3, (32, 33), last=True).join((16, 16), 8)
        (1, 16, 16, 8)
    """

    batch: Shape
    channels: Dim
    space: Shape
    last: bool

    def join(self, space: Shape, channels: Dim | None = None) -> Shape:
        """Return the shape with another space and other channels.

        Args:
            space: the spatial lengths; none where they are dropped.
            channels: the number of channels; its own by default.
        """
        middle = self.channels if channels is None else channels
        return (*self.batch, *space, middle) if self.last else (*self.batch, middle, *space)


def names(space: int, last: bool = False, batch: bool = True) -> tuple[str, ...]:
    """Return the names of the axes of a feature map.

    Args:
        space: how many spatial axes.
        last: whether the channels are last.
        batch: whether there is a batch axis.

    Example:
        >>> names(2), names(1, last=True)
        (('N', 'C', 'H', 'W'), ('N', 'L', 'C'))
    """
    result = _NAMES.get(space, tuple(f"S{axis}" for axis in range(space)))
    return (("N",) if batch else ()) + ((*result, "C") if last else ("C", *result))


def is_last(attributes: Attributes) -> bool:
    """Tell whether the channels are last.

    Args:
        attributes: the layer's.

    Example:
        >>> is_last({"data_format": "channels_last"}), is_last({})
        (True, False)
    """
    return attributes.get("data_format") == "channels_last"


def take_apart(shape: Shape, space: int | None, last: bool = False) -> Parts:
    """Split a shape into batch, channels and space.

    Args:
        shape: ``N C *space`` or ``N *space C``; without ``N`` for an unbatched input.
        space: how many spatial axes; None where only batched inputs have a meaning.
        last: whether the channels are last.

    Raises:
        ShapeMismatchError: if the rank fits neither.

    Example:
        >>> take_apart((1, 3, 8, 9), 2).space
        (8, 9)
    """
    count = len(shape) - 2 if space is None else space
    if count < 0 or len(shape) not in (count + 1, count + 2):
        wanted = " ".join(names(max(count, 1), last))
        raise mismatch(f"{count + 2} axes: {wanted}", f"{len(shape)} axes: {show(shape)}")
    batch = shape[: len(shape) - count - 1]
    rest = shape[len(batch) :]
    return Parts(batch, rest[-1], rest[:-1], last) if last else Parts(batch, rest[0], rest[1:], last)


def per_axis(value: Any, space: int, default: int | None = None) -> tuple[Any, ...]:
    """Return a setting with one entry per spatial axis.

    Args:
        value: a tuple, or one number for all axes, or None for the default.
        space: how many spatial axes.
        default: the number where none is set.

    Raises:
        ShapeMismatchError: if a tuple has another number of entries.

    Example:
        >>> per_axis(2, 3), per_axis((1, 2), 2), per_axis(None, 1, 1)
        ((2, 2, 2), (1, 2), (1,))
    """
    if value is None:
        value = default
    if not isinstance(value, tuple | list):
        return (value,) * space
    if len(value) != space:
        raise mismatch(f"one setting for each of {space} spatial axes", f"{len(value)}: {tuple(value)}")
    return tuple(value)


def pairs(value: Any, space: int) -> tuple[tuple[Any, Any], ...]:
    """Return a padding as one ``(before, after)`` pair per spatial axis.

    Args:
        value: pairs, or numbers that hold for both sides, or one number, or None for no padding.
        space: how many spatial axes.

    Example:
        >>> pairs(((1, 2),), 1), pairs(3, 2), pairs(None, 1)
        (((1, 2),), ((3, 3), (3, 3)), ((0, 0),))
    """
    result = per_axis(value, space, 0)
    return tuple(
        (entry[0], entry[1]) if isinstance(entry, tuple | list) else (entry, entry) for entry in result
    )


def feature_axes(shape: Shape | None, space: int | None, last: bool) -> Axes | None:
    """Name the axes of a feature map by its rank.

    Args:
        shape: its shape.
        space: how many spatial axes; None where it is always batched.
        last: whether the channels are last.

    Example:
        >>> feature_axes((3, 8, 9), 2, last=False)
        ('C', 'H', 'W')
    """
    if shape is None:
        return None
    count = len(shape) - 2 if space is None else space
    if len(shape) not in (count + 1, count + 2) or count < 0:
        return None
    return names(count, last, batch=len(shape) == count + 2)


def space_of(attributes: Attributes, key: str) -> int | None:
    """Return the number of spatial axes that a setting lists, or None if it is one number for all.

    Args:
        attributes: the layer's.
        key: the setting's name.

    Example:
        >>> space_of({"kernel_size": (3, 3)}, "kernel_size")
        2
    """
    value = attributes.get(key)
    return len(value) if isinstance(value, tuple | list) else None


def channels_fit(parts: Parts, wanted: Any, shape: Shape) -> None:
    """Refuse an input whose number of channels certainly differs.

    Args:
        parts: the input taken apart.
        wanted: the number of channels the layer takes; None if it takes any.
        shape: the input's shape, for the text.

    Raises:
        ShapeMismatchError: if they differ.

    Example:
        >>> channels_fit(take_apart((1, 3, 8), 1), 3, (1, 3, 8))
    """
    have = parts.channels
    if isinstance(wanted, int) and isinstance(have, int) and wanted != have:
        axes = " ".join(names(len(parts.space), parts.last, bool(parts.batch)))
        raise mismatch(
            f"C = {wanted}",
            f"C = {have} of {show(shape, axes)}",
            where="the weights' input channels",
            hint=_channel_hint(parts, wanted),
        )


def _channel_hint(parts: Parts, wanted: int) -> str:
    edge = parts.space[0] if parts.last and parts.space else parts.space[-1] if parts.space else None
    if edge == wanted:
        return "the channels seem to be at the other end: move that axis"
    return f"give it {wanted} channels, or build the layer with {parts.channels}"


def space_fits(out: Shape, parts: Parts, needs: tuple[Any, ...]) -> None:
    """Refuse a window that is larger than its padded input.

    Args:
        out: the computed spatial lengths.
        parts: the input taken apart.
        needs: the smallest length each spatial axis needs, for the text.

    Raises:
        ShapeMismatchError: if an output length is below 1.

    Example:
        >>> space_fits((4,), take_apart((1, 3, 8), 1), (5,))
    """
    labels = names(len(parts.space), parts.last)
    labels = labels[1:-1] if parts.last else labels[2:]
    for label, length, have, need in zip(labels, out, parts.space, needs, strict=True):
        if isinstance(length, int) and length < 1:
            raise mismatch(
                f"{label} of at least {need}",
                f"{label} = {have}",
                where="kernel, dilation and padding",
                hint="feed a larger input, pad it, or take a smaller kernel",
            )


def channel_place(rank: int, space: int, last: bool) -> int:
    """Return the index of the channels in a shape.

    Args:
        rank: how many axes the shape has.
        space: how many of them are spatial.
        last: whether the channels are last.

    Example:
        >>> channel_place(4, 2, last=False), channel_place(4, 2, last=True)
        (1, 3)
    """
    return rank - 1 if last else rank - 1 - space


def window_links(
    shape: Shape | None, out: Shape | None, space: int | None, last: bool, channels: bool
) -> tuple[tuple[int, int, int, int], ...]:
    """Link batch and space (and unchanged channels) of a feature map to its output's.

    Args:
        shape: the input's shape.
        out: the output's shape.
        space: how many spatial axes; None where it is always batched.
        last: whether the channels are last.
        channels: whether the channels stay the same ones.

    Example:
        >>> window_links((1, 3, 8), (1, 4, 6), 1, last=False, channels=False)
        ((0, 0, 0, 0), (0, 2, 0, 2))
    """
    if shape is None or out is None or len(shape) != len(out):
        return ()
    count = len(shape) - 2 if space is None else space
    skipped = len(shape) - 1 if last else len(shape) - 1 - count
    return tuple((0, axis, 0, axis) for axis in range(len(shape)) if channels or axis != skipped)


def space_axes(rank: int, count: int, last: bool) -> tuple[int, ...]:
    """Return the indices of the spatial axes in a shape.

    Args:
        rank: how many axes the shape has.
        count: how many of them are spatial.
        last: whether the channels are last.

    Example:
        >>> space_axes(4, 2, last=True), space_axes(4, 2, last=False)
        ((1, 2), (2, 3))
    """
    start = rank - count - (1 if last else 0)
    return tuple(range(start, start + count))
