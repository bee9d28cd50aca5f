"""Which sizes a network takes, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shapeinspect.dims import Shape


@dataclass(frozen=True, slots=True)
class Answer:
    """The sizes that some axes accept.

    Args:
        axes: the axes: ``("H", "W")`` where both accept the same sizes.
        sizes: the sizes in words.
        ranges: the accepted sizes as progressions: first, last and step; none above ``LIMIT`` was tried.
        others: the lengths of the other axes for which this holds; empty where it always does.

    Example:
        >>> Answer(("H",), "any", ((1, 4096, 1),)).text
        'H any'
    """

    axes: tuple[str, ...]
    sizes: str
    ranges: tuple[tuple[int, int, int], ...]
    others: tuple[tuple[str, int], ...] = ()

    @property
    def text(self) -> str:
        """The answer as one clause."""
        where = ", ".join(f"{name} = {length}" for name, length in self.others)
        return f"{', '.join(self.axes)} {self.sizes}" + (f" where {where}" if where else "")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A layer that rules sizes out.

    Args:
        layer: its path.
        kind: its kind.
        axes: the axes that were varied together.
        sizes: the sizes that it is the first to refuse, in words.
        example: one of them.
        expected: what it takes, at the example; None where only its own message says it.
        got: what it was given there, or its message.

    Example:
        >>> Refusal("fc", "linear", ("H", "W"), "≥ 36", 36, "i = 400", "576").layer
        'fc'
    """

    layer: str
    kind: str
    axes: tuple[str, ...]
    sizes: str
    example: int
    expected: str | None
    got: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """The outputs at one accepted size.

    Args:
        sizes: the length of every free axis.
        outputs: the shape of every output, None where it is not known.

    Example:
        >>> Sample((("H", 32),), (("y", (1, 10)),)).outputs[0][1]
        (1, 10)
    """

    sizes: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, Shape | None], ...]


@dataclass(frozen=True, slots=True)
class Solution:
    """Which input sizes a network accepts.

    Args:
        source: the model.
        inputs: the inputs with their shapes, free axes by their letters.
        answers: the accepted sizes of the free axes: proven, or run. An axis that takes any length beside
            those of space and time is left out.
        together: the accepted sizes where all axes of space and time have one length; None for a single axis.
        independent: whether every combination of the answers fits, as far as was tried.
        refusals: the layers that rule sizes out.
        samples: the outputs at accepted sizes.
        unsolved: layers whose accepted sizes or outputs the arithmetic cannot determine, and why; no name
            where it is the network's own code.
        notes: what a reader should know.
        open: the sizes that are not refused as far as is known, and were neither proven to fit nor run.
        runs: the sizes at which the network was run, and whether it ran to its end.
        declared: the lengths that the file declares and a runtime insists on.

    Example:
        >>> Solution("m", (), (), None, True).refusals
        ()
    """

    source: str
    inputs: tuple[tuple[str, tuple[Any, ...]], ...]
    answers: tuple[Answer, ...]
    together: Answer | None
    independent: bool
    refusals: tuple[Refusal, ...] = ()
    samples: tuple[Sample, ...] = ()
    unsolved: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    open: tuple[Answer, ...] = ()
    runs: tuple[tuple[tuple[tuple[str, int], ...], bool], ...] = ()
    declared: tuple[tuple[str, int], ...] = ()
