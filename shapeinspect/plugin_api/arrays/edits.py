"""Edits of an array in NumPy that give it the shape and the dtype that a model declares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from math import prod
from typing import Any, NamedTuple

#: An array with a longer axis and one of two is a recording in stereo.
_RECORDING = 400
#: A declared shape: a length, or anything else for one that is free.
Declared = Sequence[Any]


class ArrayEdit(NamedTuple):
    """An edit of one array.

    Args:
        template: the expression, with ``{x}`` for the array.
        cause: what is wrong if it helps.
        alters: what it changes of what is fed; empty for nothing.
    """

    template: str
    cause: str
    alters: str = ""

    def text(self, name: str) -> str:
        """Return the expression for an array of this name.

        Args:
            name: the user's expression for the array.
        """
        simple = name.replace(".", "").replace("_", "").isalnum() or name.endswith((")", "]"))
        return self.template.replace("{x}", name if simple else f"({name})")

    def of(self, array: Any) -> Any:
        """Return the edited array.

        Args:
            array: the array of NumPy.
        """
        import numpy as np

        return eval(self.template.replace("{x}", "x"), {"x": array, "np": np})  # noqa: S307  # a text of this file


def fits(shape: Sequence[int], declared: Declared) -> bool:
    """Tell whether a shape is one that is declared.

    Args:
        shape: the shape.
        declared: the declared lengths.

    Example:
        >>> fits((8, 3), ("N", 3)), fits((8, 3), ("N", 4))
        (True, False)
    """
    return len(shape) == len(declared) and all(
        type(wanted) is not int or wanted == length for length, wanted in zip(shape, declared, strict=True)
    )


def arrangements(shape: tuple[int, ...], declared: Declared) -> Iterator[ArrayEdit]:
    """Yield the edits that move, add or remove axes until a shape fits; nothing where it does.

    Args:
        shape: the array's shape.
        declared: the declared lengths.

    Example:
        >>> [edit.text("x") for edit in arrangements((64, 80, 3), ("N", 3, 64, 80))]
        ['np.expand_dims(x.transpose(2, 0, 1), 0)']
    """
    rank = len(declared)
    if fits(shape, declared):
        return
    if len(shape) == rank:
        yield from _moved(shape, declared)
    if len(shape) == rank - 1:
        yield from _grown(shape, declared)
    if len(shape) == rank - 2 and fits((1, *shape, 1), declared):
        yield ArrayEdit("np.expand_dims({x}, (0, -1))", "no-batch")
    if len(shape) == rank - 2 and fits((1, 1, *shape), declared):
        yield ArrayEdit("np.expand_dims({x}, (0, 1))", "no-batch")
    for axis, length in enumerate(shape):
        if length == 1 and fits((*shape[:axis], *shape[axis + 1 :]), declared):
            yield ArrayEdit(f"{{x}}.squeeze({axis})", "extra-axis")
            break
    else:
        yield from _flattened(shape, declared)
    yield from _mixed_down(shape, declared)
    yield from _colors(shape, declared)
    yield from _grouped(shape, declared)
    other = len(shape) not in (rank - 1, rank) or rank == 2
    if other and all(type(length) is int for length in declared) and prod(shape) == prod(declared):
        yield ArrayEdit(f"{{x}}.reshape{tuple(declared)}", "feed")


def _mixed_down(shape: tuple[int, ...], declared: Declared) -> Iterator[ArrayEdit]:
    """Yield the mean over the two channels of a recording, which stand last or first."""
    if len(shape) != 2 or 2 not in shape or max(shape) < _RECORDING or len(declared) > 3:
        return
    axis = shape.index(2)
    alone = (shape[1 - axis],)
    for added in range(3):
        if fits((*(1,) * added, *alone), declared):
            mean = f"{{x}}.mean({axis})"
            yield ArrayEdit(mean if not added else f"{mean}[{'None, ' * (added - 1)}None]", "two-channels")
            return


def _colors(shape: tuple[int, ...], declared: Declared) -> Iterator[ArrayEdit]:
    """Yield gray for color pictures, and color for gray ones, where the channels alone differ.

    Example:
        >>> [edit.text("x") for edit in _colors((1, 96, 96, 3), (1, 96, 96, 1))]
        ['x.mean(3, keepdims=True).astype(x.dtype)']
        >>> [edit.text("x") for edit in _colors((1, 1, 96, 80), ("N", 3, 96, 80))]
        ['np.repeat(x, 3, axis=1)']
    """
    if len(shape) != 4 or len(declared) != 4:
        return
    for axis in (1, 3):
        has, wants = shape[axis], declared[axis]
        if not fits((*shape[:axis], wants, *shape[axis + 1 :]), declared):
            continue
        if (has, wants) == (3, 1):
            yield ArrayEdit(f"{{x}}.mean({axis}, keepdims=True).astype({{x}}.dtype)", "gray")
        elif (has, wants) == (1, 3):
            yield ArrayEdit(f"np.repeat({{x}}, 3, axis={axis})", "color")


def _grouped(shape: tuple[int, ...], declared: Declared) -> Iterator[ArrayEdit]:
    """Yield several groups of the declared length as samples, where the number of samples is free.

    Example:
        >>> [edit.text("x") for edit in _grouped((1, 60, 3, 64, 64), ("N", 6, 3, 64, 64))]
        ['x.reshape(-1, 6, *x.shape[2:])']
    """
    if (
        len(shape) != len(declared)
        or len(shape) < 4
        or type(declared[0]) is int
        or type(declared[1]) is not int
    ):
        return
    whole = shape[1] > declared[1] > 1 and shape[1] % declared[1] == 0
    if whole and fits(shape[2:], declared[2:]):
        yield ArrayEdit(f"{{x}}.reshape(-1, {declared[1]}, *{{x}}.shape[2:])", "groups-of-frames")


def _flattened(shape: tuple[int, ...], declared: Declared) -> Iterator[ArrayEdit]:
    rank = len(declared)
    if len(shape) > rank >= 2 and fits((*shape[: rank - 1], prod(shape[rank - 1 :])), declared):
        yield ArrayEdit(f"{{x}}.reshape(*{{x}}.shape[:{rank - 1}], -1)", "not-flattened")


def _moved(shape: tuple[int, ...], declared: Declared) -> Iterator[ArrayEdit]:
    rank = len(declared)
    for axes in permutations(range(rank)) if rank <= 5 else ():
        if axes != tuple(range(rank)) and fits([shape[axis] for axis in axes], declared):
            cause = "channels-last" if rank == 4 and axes[0] == 0 else "swapped-axes"
            yield ArrayEdit(f"{{x}}.transpose{axes}", cause)


def _grown(shape: tuple[int, ...], declared: Declared) -> Iterator[ArrayEdit]:
    rank, found = len(declared), False
    for axis in range(rank):
        if axis and shape[axis - 1] == 1 and found:
            continue  # an axis before or behind one of length 1 is the same
        if fits((*shape[:axis], 1, *shape[axis:]), declared):
            found = True
            # An array that begins with a batch of one has its batch axis.
            has = axis == 0 and shape[:1] == (1,)
            cause = "no-channel" if axis and rank == 4 else "missing-axis" if axis or has else "no-batch"
            yield ArrayEdit(f"np.expand_dims({{x}}, {axis})", cause)
    if not found and rank == 4:
        for axes in ((2, 0, 1), (1, 2, 0)):
            if fits((1, *(shape[axis] for axis in axes)), declared):
                yield ArrayEdit(f"np.expand_dims({{x}}.transpose{axes}, 0)", "channels-last")


def trims(shape: tuple[int, ...], declared: Declared) -> Iterator[ArrayEdit]:
    """Yield the edits that cut an array to the declared lengths, or fill it up with zeros.

    Args:
        shape: the array's shape.
        declared: the declared lengths, as many.

    Example:
        >>> [edit.text("x") for edit in trims((1, 23, 56), (1, 23, 100))]
        ['np.pad(x, ((0, 0), (0, 0), (0, 100 - x.shape[2])))']
    """
    if len(shape) != len(declared) or fits(shape, declared):
        return
    wanted = [new if type(new) is int else old for old, new in zip(shape, declared, strict=True)]
    axes = [axis for axis, (old, new) in enumerate(zip(shape, wanted, strict=True)) if old != new]
    if all(shape[axis] > wanted[axis] for axis in axes):
        cuts = ", ".join(
            f":{new}" if axis in axes else ":" for axis, new in enumerate(wanted[: axes[-1] + 1])
        )
        said = " and ".join(f"{shape[axis] - wanted[axis]} entries of axis {axis}" for axis in axes)
        yield ArrayEdit(f"{{x}}[{cuts}]", "feed", f"what is fed: {said} are left out")
    elif all(shape[axis] < wanted[axis] for axis in axes):
        # Other arrays at the same place may be longer or shorter.
        pads = ", ".join(
            f"(0, {new} - {{x}}.shape[{axis}])" if axis in axes else "(0, 0)"
            for axis, new in enumerate(wanted)
        )
        said = " and ".join(f"{wanted[axis] - shape[axis]} zeros along axis {axis}" for axis in axes)
        yield ArrayEdit(f"np.pad({{x}}, ({pads}))", "feed", f"what is fed: {said} are added")


def retyped(has: str, wants: str) -> ArrayEdit | None:
    """Return the edit that casts an array; None where the dtype is right.

    Args:
        has: its dtype.
        wants: the dtype that is declared.

    Example:
        >>> retyped("float64", "float32").text("h")
        'h.astype(np.float32)'
    """
    return (
        None
        if has == wants
        else ArrayEdit(f"{{x}}.astype(np.{'bool_' if wants == 'bool' else wants})", "dtype")
    )


def joined(first: ArrayEdit | None, then: ArrayEdit | None) -> ArrayEdit | None:
    """Return two edits as one.

    Args:
        first: the edit that is made first; None for none.
        then: the one that follows it.
    """
    if first is None or then is None:
        return first or then
    alters = " and ".join(part for part in (first.alters, then.alters) if part)
    return ArrayEdit(then.template.replace("{x}", first.template), first.cause, alters)
