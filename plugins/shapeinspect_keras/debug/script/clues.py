"""What an error message tells: the shapes in it, the sizes that differ, and how many axes are missing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SHAPE = re.compile(r"[(\[]((?:(?:\d+|None|\?)\s*,\s*)*(?:\d+|None|\?)?,?)[)\]]")
_VALUE = re.compile(r"to have value (\d+), but received input with shape [(\[]([^)\]]*)")
_TWO = re.compile(r"\b(?:are|has|have|got|[Dd]imensions?) (\d+) (?:and|vs\.?|!=) (\d+)")
_TOTAL = re.compile(
    r"tensor with (\d+) (?:values|elements),? (?:but the requested shape (?:has|requires a multiple of)"
    r"|to shape \[[-\d, ?]*\] \() ?(\d+)"
)
#: A check of Keras's: the shape that is expected, and the one that is found.
EXPECTED = re.compile(
    r"[Ee]xpected shape[= ]?(\([\dNone, ]*\)).*?(?:found shape[= ]?|incompatible shape )(\([\dNone, ]*\))",
    re.S,
)
_NDIM = re.compile(r"expected (?:min_|max_)?ndim=(\d+), found ndim=(\d+)")
_RESHAPED = re.compile(r"input_shape=\(([\d, ]+)\), target_shape=\(([\d, ]+)\)")
_PRODUCT = re.compile(r"In\[0\]: \[([\d,]+)\], In\[1\]: \[([\d,]+)\]")
#: How TensorFlow prints what an assertion has compared.
_ASSERTED = re.compile(r"(?<=\[)\d+(?: \d+)+(?=\])")
_LIMIT = re.compile(r"(?:<=?|at most|less than(?: or equal to)?|no (?:more|longer) than) (\d+)")
#: What says where TensorFlow's operation stands, and the numbers of its operands.
_PLACES = re.compile(r"\{\{(?:function_)?node [^}]*\}\}|In\[\d+\]:|device:\w+:\d+")
_OTHER = re.compile(r"(\d+)")
#: Keras repeats what it was called with below its message.
_END = "Arguments received by"
_LONGEST = 3000


@dataclass(frozen=True, slots=True)
class Clues:
    """The numbers of a failure.

    Args:
        pairs: two sizes that differ and should not, the likeliest first.
        shapes: the shapes that are told.
        rank: how many axes what is given lacks, negative for too many; 0 where that is not told.
        ranks: whether shapes of different numbers of axes are told.
        turned: whether the same lengths are told in two orders.
        limits: sizes that something may not be greater than.
        sure: those of the pairs that the framework itself compares.
    """

    pairs: tuple[tuple[int, int], ...]
    shapes: tuple[tuple[int | None, ...], ...]
    rank: int
    ranks: bool
    turned: bool = False
    limits: tuple[int, ...] = ()
    sure: tuple[tuple[int, int], ...] = ()


def clues_of(messages: Sequence[str], operands: Sequence[tuple[int | None, ...]] = ()) -> Clues:
    """Read the messages of a failure.

    Args:
        messages: the same failure in several words, the most exact first.
        operands: the shapes of what the failing statement names.

    Example:
        >>> clues_of(["Incompatible shapes: [32,1,1,1] vs. [22,28,28,1]"]).pairs
        ((32, 22), (1, 28))
        >>> clues_of(["assertion failed: [Need value.shape >= size, got ] [9 24 3] [9 28 3]"]).sure
        ((24, 28),)
        >>> clues_of(["expected ndim=3, found ndim=2. Full shape received: (None, 7)"]).rank
        1
    """
    pairs: dict[tuple[int, int], None] = {}
    shapes: dict[tuple[int | None, ...], None] = {}
    limits: dict[int, None] = {}
    sure: dict[tuple[int, int], None] = {}
    rank, ranks = 0, False
    for message in messages:
        text = message.partition(_END)[0][:_LONGEST]
        for left, right in _PRODUCT.findall(text):
            inner = [int(part) for part in (*left.split(",")[-1:], *right.split(",")[-2:-1])]
            pairs |= {(inner[0], inner[1]): None} if len(inner) == 2 else {}
        limits |= dict.fromkeys(int(limit) for limit in _LIMIT.findall(text))
        text = _plain(text)
        for value, shape in _VALUE.findall(text):
            last = [int(part) for part in _OTHER.findall(shape)][-1:]
            pairs |= {(last[0], int(value)): None} if last else {}
        for match in (*_TWO.finditer(text), *_TOTAL.finditer(text)):
            pairs[int(match[1]), int(match[2])] = None
        for given, asked in _RESHAPED.findall(text):
            totals = [math.prod(int(part) for part in _OTHER.findall(shape)) for shape in (given, asked)]
            pairs[totals[0], totals[1]] = None
        for wanted, found in _NDIM.findall(text):
            rank, ranks = int(wanted) - int(found), True
        told = [_lengths(item) for item in _SHAPE.findall(text)]
        told = [shape for shape in told if shape]
        sure |= pairs if not shapes else {}
        sure |= dict.fromkeys(_compared([*dict.fromkeys(told)]))
        for index, one in enumerate(told):
            for other in told[index + 1 :]:
                pairs |= dict.fromkeys(_differing(one, other))
                if len(one) != len(other):
                    ranks = True
                    rank = rank or _signed(text, one, other)
        shapes |= dict.fromkeys(told)
    named = [shape for shape in operands if shape]
    for index, one in enumerate(named):
        for other in named[index + 1 :]:
            pairs |= dict.fromkeys(_differing(one, other))
    if "Invalid input shape" in " ".join(messages) and not rank:
        ranks, rank = True, 1
    both = {pair: None for pair in pairs if pair[0] != pair[1]}
    listed = tuple(shapes)
    turned = any(_turned(one, other) for index, one in enumerate(listed) for other in listed[index + 1 :])
    return Clues(
        tuple(both), listed, rank, ranks, turned, tuple(limit for limit in limits if limit > 1), tuple(sure)
    )


def _plain(text: str) -> str:
    """Return a message without the places of operations, and with the arrays of an assertion as shapes."""
    text = _PLACES.sub("", text)
    return (
        _ASSERTED.sub(lambda match: match[0].replace(" ", ","), text) if "ssertion failed" in text else text
    )


def _compared(shapes: Sequence[tuple[int | None, ...]]) -> list[tuple[int, int]]:
    """Return the two sizes in which the only two shapes of a message differ."""
    pairs = [pair for pair in _differing(*shapes) if 1 not in pair] if len(shapes) == 2 else []
    return pairs if len(pairs) == 1 else []


def _signed(text: str, one: Sequence[object], other: Sequence[object]) -> int:
    """Return how many axes the second shape lacks, where the first one is what is expected."""
    expected = "xpected" in text
    return len(one) - len(other) if expected else 0


def _lengths(text: str) -> tuple[int | None, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(int(part) if part.isdigit() else None for part in parts)


def _turned(one: Sequence[int | None], other: Sequence[int | None]) -> bool:
    """Tell whether two shapes have the same lengths behind the batch, in another order."""
    if len(one) != len(other) or len(one) < 3 or one[1:] == other[1:]:
        return False
    return sorted(map(str, one[1:])) == sorted(map(str, other[1:]))


def _differing(one: Sequence[int | None], other: Sequence[int | None]) -> Iterator[tuple[int, int]]:
    if len(one) != len(other) or _turned(one, other):
        return
    for left, right in zip(one, other, strict=True):
        if left is not None and right is not None and left != right and 1 not in (left, right):
            yield left, right
    for left, right in zip(one, other, strict=True):
        if left is not None and right is not None and left != right and 1 in (left, right):
            yield left, right
