"""The numbers of a failure: which of them may be sizes that should be equal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

#: A message with more numbers than this says nothing of which of them differ.
_NUMBERS = 8
#: What stands in a message as a size.
_NUMBER = re.compile(r"(?<![A-Za-z_.\d])\d{1,7}(?!\.?\d|[\w.]*[A-Za-z_])|(?<=\dx)\d{1,7}|\d{1,7}(?=x\d)")


@dataclass(frozen=True, slots=True)
class Sizes:
    """The numbers of a failure.

    Args:
        pairs: sizes that have to be equal and are not: what is there, what is wanted.
        others: every other size in sight.
    """

    pairs: tuple[tuple[int, int], ...] = ()
    others: frozenset[int] = frozenset()


def numbers(message: str) -> list[int]:
    """Return the numbers of a message that may be sizes, in order.

    Args:
        message: the message.

    Example:
        >>> numbers("mat1 and mat2 shapes cannot be multiplied (3x4096 and 2304x96)")
        [3, 4096, 2304, 96]
    """
    return [int(found) for found in _NUMBER.findall(message)]


def sizes_of(
    message: str,
    known: Sequence[tuple[int, int]] = (),
    likely: Sequence[tuple[int, int]] = (),
    others: Sequence[int] = (),
) -> Sizes:
    """Return the sizes of a failure, the likeliest pair first.

    Args:
        message: the framework's message.
        known: pairs of sizes that are known to differ and should not.
        likely: pairs of sizes that may be meant; those of which the message speaks come first.
        others: further sizes that are known.
    """
    found = numbers(message)
    said = [*combinations(dict.fromkeys(found), 2)] if len(set(found)) <= _NUMBERS else []
    # of what is said, first the sizes that are there; a message ends with what differs
    said.sort(key=lambda pair: (not {*pair} <= {*others}, -found.index(pair[1]), -found.index(pair[0])))
    stated = {frozenset(pair) for pair in said}
    pairs = [*known, *sorted(likely, key=lambda pair: frozenset(pair) not in stated), *said]
    unlike: dict[frozenset[int], tuple[int, int]] = {}
    for pair in pairs:
        unlike.setdefault(frozenset(pair), pair)
    return Sizes((*unlike.values(),)[:8], frozenset([*found, *others]))
