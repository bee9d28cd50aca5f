"""What a plug-in's debugger is: it finds the failed call behind an exception, and runs it again changed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

from shapeinspect.ir import Attribute, Frozen, Layer, Model
from shapeinspect.sources.source import Source

#: One edit of a tensor: its name and its argument; see :func:`reshaped` for all of them.
Step: TypeAlias = "tuple[str, Any]"


@dataclass(frozen=True, slots=True)
class OnInput:
    """Feed another tensor: the steps are done to one input of the model.

    Args:
        name: the input's value.
        steps: what is done to it, in order.
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
    """Do steps to a tensor just before a call reads it.

    Args:
        call: the place of the call in the model's calls; None for the call that failed.
        operand: which of its inputs.
        steps: what is done to it, in order.
    """

    call: int | None
    operand: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class OnCall:
    """Give the failed call other settings.

    Args:
        attributes: the settings that change, as the vocabulary of kinds names them; ``around`` axes to
            permute what it reads, and to turn back what it gives; ``swapped`` for its first two inputs
            in the other order.
    """

    attributes: Frozen[Attribute]


@dataclass(frozen=True, slots=True)
class Evaluating:
    """Run the model in evaluation mode."""


Change: TypeAlias = OnInput | OnLayer | OnOperand | OnCall | Evaluating


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a run ended, and everything that led there.

    Args:
        model: the layers, the calls that came to their end, and their values, in the source's layout.
        layer: the layer or op that refused; its path is that of the innermost container where no
            single op did.
        inputs: the names of the values it was given.
        message: the framework's own words.
        where: the user's own source line, such as ``train.py:12  y = self.fc(x)``.
        root: how the model's own call is spelled where it matters, such as a class's name.
        facts: what only the real numbers tell, such as ``largest`` (the largest index that is looked up),
            and ``names``, what the user's line calls the inputs.
    """

    model: Model
    layer: Layer
    inputs: tuple[str, ...]
    message: str
    where: str | None = None
    root: str = ""
    facts: Frozen[Any] = field(default_factory=Frozen)


class Rerun(ABC):
    """One failed call of a model that can be run again, without numbers and with changes."""

    #: How it went wrong.
    failure: Failure

    @abstractmethod
    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Run the whole call again with changes.

        Args:
            changes: what is different this time; none of them touches the user's own objects.

        Returns:
            None if it comes to its end, else where it ended now. Only ``layer``, ``inputs`` and the
            values of these inputs have to be filled in.
        """

    @abstractmethod
    def spell(self, change: Change, name: str) -> str:
        """Write a change in the framework's own words.

        Args:
            change: the change.
            name: what the tensor is called that it is about.
        """


class Retried(Rerun):
    """A failure outside of every model, such as a constructor's: one function tells whether a change helps.

    Args:
        failure: how it went wrong; ``facts["tried"]`` says in words what passes with a fix.
        passes: does what failed once more with changes, in earnest, and tells whether it comes to its end.
        spell: writes a change in the framework's words, as ``Rerun.spell`` does.
    """

    def __init__(
        self,
        failure: Failure,
        passes: Callable[[Sequence[Change]], bool],
        spell: Callable[[Change, str], str],
    ) -> None:
        self.failure = failure
        self._passes, self._spell = passes, spell

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Do it again; see :class:`Rerun`."""
        return None if self._passes(changes) else self.failure

    def spell(self, change: Change, name: str) -> str:
        """Write a change; see :class:`Rerun`."""
        return self._spell(change, name)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A failed call of a model whose graph is recorded: the core walks it again by its arithmetic.

    Args:
        model: the graph in its own layout, the failed call included.
        fed: what each input was given, by its name; the declared shape where a name is missing.
        message: the framework's own words.
        where: the user's source line.
        spell: writes a change in the framework's words, as ``Rerun.spell`` does.
        contract: whether the shapes that the model declares are to be compared with the computed ones.
        refuses: what the framework refuses before any layer sees it: a feed of another ``shape`` than
            the declared one, or only of another ``rank``; empty for nothing.
        batched: whether every convolution and pool needs a batch axis.
        facts: what only the numbers tell, as in :class:`Failure`; ``at`` is the layer then.
        steps: the steps that the framework can spell; empty for all.
        refused: the layer that the framework refused, where it told why; ``facts["takes"]`` says that in
            words. The walk ends there even if the arithmetic knows nothing against it.
        confirm: lets the framework itself do what the arithmetic says fits: False where it refuses, None
            where it cannot be asked.
    """

    model: Model
    fed: Frozen[Any]
    message: str
    where: str | None
    spell: Callable[[Change, str], str]
    contract: bool = False
    refuses: str = ""
    batched: bool = False
    facts: Frozen[Any] = field(default_factory=Frozen)
    steps: frozenset[str] = frozenset()
    refused: str = ""
    confirm: Callable[[Sequence[Change]], bool | None] | None = None


class Debugger(ABC):
    """Knows how a framework's exceptions look; an adapter names one in ``Adapter.debugger``."""

    #: The packages whose exceptions it knows; it is asked only if one of them is imported.
    packages: tuple[str, ...]

    @abstractmethod
    def recover(
        self, error: BaseException, model: object | None
    ) -> Rerun | Recorded | Iterator[Rerun | Recorded] | None:
        """Find the failed call behind an exception.

        Args:
            error: the exception, with its traceback.
            model: the model that the user is debugging, or None where it is not known.

        Returns:
            What can be run again, or None where the exception is not about shapes; where several calls
            may have been the one, all of them, the likeliest first: the first that does not fit is taken.
        """

    @abstractmethod
    def watch(self, model: object) -> AbstractContextManager[Any]:
        """Keep what a later exception will have lost, at no cost that a training step would feel.

        Args:
            model: the model that the user is debugging; one of another framework is left alone.

        Returns:
            A context manager: while it is entered, the model is watched; ``nullcontext`` for nothing.
        """

    @abstractmethod
    def examine(self, source: Source) -> Rerun | Recorded | None:
        """Look at a saved or live model before anything has failed.

        Args:
            source: the model, and the input shapes that are asked for.

        Returns:
            A graph to be walked, a call that fails on these inputs, or None where the call passes.

        Raises:
            UsageError: if the request does not fit the model.
        """


def reshaped(step: Step, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that a step makes.

    Args:
        step: ``permute`` axes, ``unsqueeze`` axis, ``squeeze`` axis, ``flatten`` first axis, ``merge``
            (first, last) axes into one, ``reshape`` shape (one -1), ``resize`` shape (another tensor),
            ``crop`` shape, ``expand`` lengths (-1 keeps one), ``interpolate`` or ``adaptive_pool`` space,
            ``channels`` (axis, length, length before, rank),
            ``project`` (channels, stride), ``last`` axis (its last entry), ``dtype`` name,
            ``interpolate_last`` and ``project_last`` (channels, stride, spatial axes) the same with the
            channels last, ``one_hot`` classes, ``contiguous`` (nothing moves), ``shift`` by (added to
            every number), ``argmax`` axis, ``item`` (of several outputs that stand in the tensor's place),
            ``named`` (the array that is fed under this name).
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
    at = axis % (len(shape) + 1)
    return (*shape[:at], 1, *shape[at:])


def _without(shape: _Lengths, axis: int) -> _Lengths:
    at = axis % len(shape)
    return (*shape[:at], *shape[at + 1 :])


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
    made = tuple(total // known if length < 0 else length for length in target)
    if prod(made) != total:
        raise ValueError(f"{target} of {shape}")
    return made


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
    at = given[0] % len(shape)
    return (*shape[:at], given[1], *shape[at + 1 :])


def _projected(shape: _Lengths, given: tuple[int, int]) -> _Lengths:
    channels, stride = given
    return (shape[0], channels, *(-(-length // stride) for length in shape[2:]))


def _with_space(shape: _Lengths, space: _Lengths) -> _Lengths:
    return (*shape[: len(shape) - len(space)], *space)


_STEPS: dict[str, Callable[[_Lengths, Any], _Lengths]] = {
    "permute": _permuted,
    "unsqueeze": _unsqueezed,
    "squeeze": _squeezed,
    "last": _without,
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
    "interpolate_last": lambda shape, space: (shape[0], *space, *shape[len(space) + 1 :]),
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
}


#: How NumPy spells the steps that it has words for.
IN_NUMPY: dict[str, Callable[[str, Any], str]] = {
    "permute": lambda x, axes: f"{x}.transpose{axes}",
    "unsqueeze": lambda x, axis: f"np.expand_dims({x}, {axis})",
    "squeeze": lambda x, axis: f"{x}.squeeze({axis})",
    "flatten": lambda x, first: f"{x}.reshape(*{x}.shape[:{first}], -1)",
    "reshape": lambda x, shape: f"{x}.reshape{shape}",
    "crop": lambda x, shape: f"{x}[{', '.join(f':{length}' for length in shape)}]",
    "interpolate": lambda x, space: f"a Resize of {x} to {'×'.join(map(str, space))}",
    "dtype": lambda x, given: f"{x}.astype(np.{given})",
    "resize": lambda x, shape: f"{x} of shape {shape}",
    "named": lambda x, given: f'"{given}" under the name "{x}"',
    "channels": lambda x, given: (
        f"{x}.mean({given[0]}, keepdims=True)" if given[1] == 1
        else f"np.repeat({x}, {given[1]}, {given[0]})" if given[2] == 1
        else f"{x}[{':, ' * given[0]}:{given[1]}]"
    ),
}  # fmt: skip


def in_numpy(change: Change, name: str) -> str:
    """Write a change as NumPy spells it, for the model of a file.

    Args:
        change: the change.
        name: what the tensor is called.

    Example:
        >>> in_numpy(OnInput("x", (("permute", (0, 3, 1, 2)),)), "x")
        'x.transpose(0, 3, 1, 2)'
    """
    if isinstance(change, OnInput | OnOperand):
        for step, given in change.steps:
            write = IN_NUMPY.get(step)
            name = write(name, given) if write is not None else f"{step} {given} of {name}"
        return name
    if isinstance(change, OnLayer) and "transposed" in change.attributes:
        return f'the weight of "{change.path}" transposed (transB of a Gemm)'
    if isinstance(change, OnLayer | OnCall):
        said = ", ".join(
            f"{'perm' if key == 'axes' else key}={value}" for key, value in change.attributes.items()
        )
        return f'{said} in "{change.path}"' if isinstance(change, OnLayer) else said
    return str(change)
