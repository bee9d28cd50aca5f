"""The changes of a fix: values that a plug-in's debugger applies, and spells in its framework's terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Attribute

#: One edit of a tensor: its name and its argument; see :func:`reshaped` for all of them.
Step: TypeAlias = "tuple[str, Any]"


@dataclass(frozen=True, slots=True)
class OnInput:
    """Feed another tensor: the steps are applied to one input of the model.

    Args:
        name: the input's value.
        steps: the edits applied to it, in order.
    """

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class OnLayer:
    """Build a layer with other settings; its weights follow.

    Args:
        path: the layer.
        attributes: the settings that change, as the vocabulary of kinds names them.
    """

    path: str
    attributes: Frozen[Attribute]


@dataclass(frozen=True, slots=True)
class OnOperand:
    """Apply steps to a tensor just before a call reads it.

    Args:
        call: the index of the call in the model's calls; None for the call that failed.
        operand: which of its inputs.
        steps: the edits applied to it, in order.
    """

    call: int | None
    operand: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class OnCall:
    """Run the failed call with other settings.

    Args:
        attributes: the settings that change, as the vocabulary of kinds names them.
    """

    attributes: Frozen[Attribute]


@dataclass(frozen=True, slots=True)
class Around:
    """Permute what the failed call reads, and permute what it returns back.

    Args:
        path: the layer that is called.
        axes: the permutation of what it reads.
    """

    path: str
    axes: tuple[int, ...]

    @property
    def back(self) -> tuple[int, ...]:
        """The permutation that undoes ``axes``."""
        return tuple(self.axes.index(axis) for axis in range(len(self.axes)))


@dataclass(frozen=True, slots=True)
class Exchanged:
    """Swap the first two inputs of the failed call."""


@dataclass(frozen=True, slots=True)
class OnDeclaration:
    """Declare another shape for a value in the file.

    Args:
        value: the value's name.
        shape: its new shape.
    """

    value: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class OnTargets:
    """Give the loss one target for each output of the model.

    Args:
        names: the outputs.
    """

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unstacked:
    """Feed the parts of one array, each to an input of its own.

    Args:
        axis: the array's axis that is split.
        count: how many inputs there are.
    """

    axis: int
    count: int


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """Pad the samples to one shape where they are collated into a batch."""


@dataclass(frozen=True, slots=True)
class TransposedWeight:
    """Permute the axes of a stored weight before the layer loads it.

    Args:
        path: the layer.
        axes: the permutation.
    """

    path: str
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PartialLoad:
    """Load all stored weights but those that do not fit.

    Args:
        skipped: the paths of the layers that are left out.
    """

    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Load the stored weights by one of the repairs that the debugger found.

    Args:
        repair: its number, from 0.
    """

    repair: int


@dataclass(frozen=True, slots=True)
class Edited:
    """Apply one of the edits of the user's code that explain a failure.

    Args:
        edit: its number, from 0.
    """

    edit: int


@dataclass(frozen=True, slots=True)
class OutOfPlace:
    """Apply one of the edits of the user's code that the debugger found, so that nothing is overwritten.

    Args:
        edit: its number, from 0.
    """

    edit: int


@dataclass(frozen=True, slots=True)
class Evaluating:
    """Run the model in evaluation mode."""


#: The changes that a debugger applies.
Change: TypeAlias = (
    OnInput
    | OnLayer
    | OnOperand
    | OnCall
    | Around
    | Exchanged
    | OnDeclaration
    | OnTargets
    | Unstacked
    | PaddedBatch
    | TransposedWeight
    | PartialLoad
    | Loaded
    | Edited
    | OutOfPlace
    | Evaluating
)


@dataclass(frozen=True, slots=True)
class InsteadOf:
    """A replacement for an operation.

    Args:
        path: the operation that is replaced. steps: the edits applied to its input instead.
    """

    path: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class MoreSamples:
    """More samples in a batch: the loader should drop a smaller last batch.

    Args:
        count: the smallest number of samples.
    """

    count: int


@dataclass(frozen=True, slots=True)
class NoState:
    """No initial state: the layer begins with zeros by itself."""


@dataclass(frozen=True, slots=True)
class FewerStates:
    """The part of a recurrent state that belongs to a smaller batch.

    Args:
        batch: how many samples the batch has; the state's batch axis is axis 1.
    """

    batch: int


@dataclass(frozen=True, slots=True)
class Remade:
    """The user's code makes a tensor for other lengths; it is written with the right ones at its place.

    Args:
        operand: the input of the failed call that is this tensor, or is computed from it.
        shape: the shape that the input has to have.
    """

    operand: int
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recounted:
    """The user's code states lengths that are too large; they are taken from the sequence itself.

    Args:
        operand: the input of the failed call that holds the lengths.
        largest: the largest of them.
        limit: the length of the sequence.
    """

    operand: int
    largest: int
    limit: int


#: What a debugger spells: a change, or a value that describes its effect better.
Wording: TypeAlias = Change | InsteadOf | MoreSamples | FewerStates | NoState | Remade | Recounted


def reshaped(step: Step, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that a step produces.

    Args:
        step: ``permute`` axes, ``unsqueeze`` axis, ``squeeze`` axis, ``flatten`` first axis, ``merge``
            (first, last) axes into one, ``reshape`` shape (one -1), ``resize`` shape (another tensor),
            ``crop`` shape, ``expand`` lengths (-1 keeps one), ``interpolate`` or ``adaptive_pool`` space,
            ``channels`` (axis, length, length before, rank),
            ``project`` (channels, stride), ``last`` axis (its last entry), ``first`` axis (its first),
            ``dtype`` name, ``interpolate_last``, ``adaptive_pool_last`` and ``project_last`` (channels,
            stride, spatial axes) the same with the channels last, ``one_hot`` classes,
            ``contiguous`` (nothing moves), ``repeat`` (axis, count: each entry so often in turn),
            ``clamp`` limit (no number is larger),
            ``shift`` by (added to every number), ``argmax`` axis, ``item`` (of several outputs in
            the tensor's place), ``named`` (the array that is fed under this name).
        shape: the tensor's shape.

    Raises:
        ValueError: if the step does not fit the shape.

    Example:
        >>> reshaped(("permute", (0, 3, 1, 2)), (8, 32, 30, 3))
        (8, 3, 32, 30)
        >>> reshaped(("flatten", 1), (8, 3, 4, 5))
        (8, 60)
    """
    name, given = step
    if name not in _STEPS:
        raise ValueError(f"there is no step {name!r}")
    return _STEPS[name](shape, given)


_Lengths: TypeAlias = "tuple[int, ...]"


def _permuted(shape: _Lengths, axes: _Lengths) -> _Lengths:
    if sorted(axes) != list(range(len(shape))):
        raise ValueError(f"{axes} of {len(shape)} axes")
    return tuple(shape[axis] for axis in axes)


def _unsqueezed(shape: _Lengths, axis: int) -> _Lengths:
    position = axis % (len(shape) + 1)
    return (*shape[:position], 1, *shape[position:])


def _without(shape: _Lengths, axis: int) -> _Lengths:
    position = axis % len(shape)
    return (*shape[:position], *shape[position + 1 :])


def _squeezed(shape: _Lengths, axis: int) -> _Lengths:
    if shape[axis] != 1:
        raise ValueError(f"axis {axis} is {shape[axis]} long")
    return _without(shape, axis)


def _merged(shape: _Lengths, axes: tuple[int, int]) -> _Lengths:
    first, last = axes
    return (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :])


def _refilled(shape: _Lengths, target: _Lengths) -> _Lengths:
    known, total = prod(length for length in target if length >= 0), prod(shape)
    if known == 0 or total % known or target.count(-1) > 1:
        raise ValueError(f"{target} of {shape}")
    filled = tuple(total // known if length < 0 else length for length in target)
    if prod(filled) != total:
        raise ValueError(f"{target} of {shape}")
    return filled


def _cropped(shape: _Lengths, lengths: _Lengths) -> _Lengths:
    if len(lengths) != len(shape) or any(new > old for new, old in zip(lengths, shape, strict=True)):
        raise ValueError(f"{lengths} of {shape}")
    return tuple(lengths)


def _expanded(shape: _Lengths, lengths: _Lengths) -> _Lengths:
    if len(lengths) != len(shape) or any(
        new != -1 and old != 1 for new, old in zip(lengths, shape, strict=True)
    ):
        raise ValueError(f"{lengths} of {shape}")
    return tuple(old if new == -1 else new for new, old in zip(lengths, shape, strict=True))


def _with_channels(shape: _Lengths, given: tuple[int, int, int, int]) -> _Lengths:
    position = given[0] % len(shape)
    return (*shape[:position], given[1], *shape[position + 1 :])


def _projected(shape: _Lengths, given: tuple[int, int]) -> _Lengths:
    channels, stride = given
    return (shape[0], channels, *(-(-length // stride) for length in shape[2:]))


def _with_space(shape: _Lengths, space: _Lengths) -> _Lengths:
    return (*shape[: len(shape) - len(space)], *space)


def _with_inner_space(shape: _Lengths, space: _Lengths) -> _Lengths:
    return (shape[0], *space, *shape[len(space) + 1 :])


_STEPS: dict[str, Callable[[_Lengths, Any], _Lengths]] = {
    "permute": _permuted,
    "unsqueeze": _unsqueezed,
    "squeeze": _squeezed,
    "last": _without,
    "first": _without,
    "flatten": lambda shape, first: _merged(shape, (first, len(shape) - 1)),
    "merge": _merged,
    "reshape": _refilled,
    "resize": lambda _shape, given: tuple(given),
    "crop": _cropped,
    "expand": _expanded,
    "interpolate": _with_space,
    "adaptive_pool": _with_space,
    "channels": _with_channels,
    "project": _projected,
    "interpolate_last": _with_inner_space,
    "adaptive_pool_last": _with_inner_space,
    "project_last": lambda shape, given: (
        shape[0],
        *(-(-length // given[1]) for length in shape[1:-1]),
        given[0],
    ),
    "one_hot": lambda shape, count: (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), count),
    "argmax": _without,
    "dtype": lambda shape, _name: shape,
    "shift": lambda shape, _by: shape,
    "contiguous": lambda shape, _given: shape,
    "clamp": lambda shape, _limit: shape,
    "repeat": lambda shape, given: (*shape[: given[0]], shape[given[0]] * given[1], *shape[given[0] + 1 :]),
}
