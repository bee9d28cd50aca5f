"""The order in which a functional model runs its calls."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Hashable, Sequence


def running_order(outputs: Sequence[Hashable], needs: Sequence[Collection[Hashable]]) -> list[int]:
    """Order calls so that each comes after those it reads, otherwise as listed.

    Args:
        outputs: what each call returns, in the order in which Keras lists them.
        needs: what each call reads of what the others return.

    Returns:
        The numbers of the calls in order. Calls in a cycle are left out.

    Example:
        >>> running_order(["a", "b", "c"], [["c"], [], []])
        [1, 2, 0]
    """
    listed = set(outputs)
    waiting: list[int] = []
    readers: dict[Hashable, list[int]] = {}
    for number, needed in enumerate(needs):
        inside = set(needed) & listed
        waiting.append(len(inside))
        for key in inside:
            readers.setdefault(key, []).append(number)
    ready = [number for number, count in enumerate(waiting) if not count]
    order = []
    while ready:
        number = heapq.heappop(ready)
        order.append(number)
        for reader in readers.get(outputs[number], ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, reader)
    return order
