"""Where the boxes of one block stand: ranks from top to bottom, and a column for each box and each edge.

The layout is layered, after Sugiyama: boxes get ranks, edges that pass ranks get lanes of their own in them,
the order in each rank is chosen for few crossings, and columns are chosen for straight edges (Brandes and
Köpf, "Fast and simple horizontal coordinate assignment", 2001). Heights are left to whoever draws: a box that
opens makes its rank taller and its column wider and changes nothing else.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Between two boxes, between a lane and anything else, and the width of a lane, in pixels.
_GAP, _LANE_GAP, _LANE = 28, 14, 8
#: How often the order in the ranks is improved; less often where there is a lot to order.
_SWEEPS, _MANY, _MOST = 12, 4_000, 40_000
#: Lanes of all edges together; the longest edges beyond get none and are drawn as they come.
_LANES = 60_000
#: The boxes of a block without edges stand in rows of so many at most.
_ROW = 6


@dataclass(frozen=True, slots=True)
class Placed:
    """The places of the boxes of one block.

    Args:
        ranks: the rank of each box, from 0 at the top.
        columns: the x of the middle of each box, from 0 at the left.
        lanes: for each edge, the x at which it passes each rank between its ends.
        width: the width of the whole block, of closed boxes.
        crossings: how often edges cross.
    """

    ranks: tuple[int, ...]
    columns: tuple[int, ...]
    lanes: tuple[tuple[int, ...], ...]
    width: int
    crossings: int = 0


def place(
    sizes: Sequence[tuple[int, int]], edges: Sequence[tuple[int, int]], ends: tuple[int, int]
) -> Placed:
    """Place the boxes of a block.

    Args:
        sizes: of each box, how far it reaches to the left and to the right of its middle, in pixels.
        edges: pairs of boxes; each comes from an earlier one to a later one.
        ends: how many boxes at the beginning stand in the first rank, and how many at the end in the last.

    Example:
        >>> placed = place([(50, 50)] * 3, [(0, 1), (1, 2), (0, 2)], (0, 0))
        >>> placed.ranks, len(placed.lanes[2]), placed.crossings
        ((0, 1, 2), 1, 0)
    """
    if not edges:
        return _rows(sizes)
    fed = _fed(len(sizes), edges, ends[0])
    ranks = _ranks(len(sizes), edges, ends, fed)
    net = _Net(sizes, edges, ranks, fed)
    order = _ordered(net)
    x = _columns(net, order)
    left = min(x[node] - net.left[node] for node in range(len(net.left)))
    moved = [round(value - left) for value in x]
    return Placed(
        tuple(ranks),
        tuple(moved[: len(sizes)]),
        tuple(tuple(moved[node] for node in path) for path in net.paths),
        max(map(sum, zip(moved, net.right, strict=True))),
        sum(_crossings(net, order, rank) for rank in range(len(order) - 1)),
    )


def _rows(sizes: Sequence[tuple[int, int]]) -> Placed:
    """Place boxes that nothing connects in rows, in their order."""
    across = 1 if len(sizes) <= _ROW else min(_ROW, max(2, round((len(sizes) / 2) ** 0.5)))
    left = [max((size[0] for size in sizes[k::across]), default=0) for k in range(across)]
    right = [max((size[1] for size in sizes[k::across]), default=0) for k in range(across)]
    middles, x = [], 0
    for before, after in zip(left, right, strict=True):
        middles.append(x + before)
        x += before + after + _GAP
    return Placed(
        tuple(index // across for index in range(len(sizes))),
        tuple(middles[index % across] for index in range(len(sizes))),
        (),
        max(x - _GAP, 0),
    )


def _fed(count: int, edges: Sequence[tuple[int, int]], first: int) -> list[bool]:
    """Tell of each box whether it stands in the way of what enters at the top, as constants do not."""
    before: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        before[target].append(source)
    fed = [node < first for node in range(count)]
    for node in range(count):
        fed[node] = fed[node] or any(fed[source] for source in before[node])
    return fed


def _ranks(
    count: int, edges: Sequence[tuple[int, int]], ends: tuple[int, int], fed: Sequence[bool]
) -> list[int]:
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        before[target].append(source)
        after[source].append(target)
    ranks = [0] * count
    for node in range(count):
        ranks[node] = max((ranks[source] + 1 for source in before[node]), default=0)
    first, last = ends
    deepest = max(ranks)
    # Constants, and what few edges enter, stand by their readers.
    for node in reversed(range(first, count)):
        if after[node] and (not fed[node] or len(after[node]) > len(before[node])):
            ranks[node] = max(min(ranks[target] for target in after[node]) - 1, ranks[node])
    loose = [node for node in range(first, count - last) if not before[node] and not after[node]]
    for place, node in enumerate(loose):
        ranks[node] = deepest + 1 + place // _ROW
    bottom = max(max(ranks[: count - last], default=0) + 1, 1) if last else 0
    for node in range(count - last, count):
        ranks[node] = bottom
    used = {rank: place for place, rank in enumerate(sorted(set(ranks)))}
    return [used[rank] for rank in ranks]


class _Net:
    """Boxes and the lanes of long edges as one graph whose edges join neighboring ranks."""

    def __init__(
        self,
        sizes: Sequence[tuple[int, int]],
        edges: Sequence[tuple[int, int]],
        ranks: list[int],
        fed: Sequence[bool],
    ) -> None:
        self.real = len(sizes)
        self.fed = fed
        self.left = [size[0] for size in sizes]
        self.right = [size[1] for size in sizes]
        self.rank = list(ranks)
        self.down: list[list[int]] = [[] for _ in sizes]
        self.up: list[list[int]] = [[] for _ in sizes]
        self.paths: list[list[int]] = []
        lanes: dict[tuple[int, int], int] = {}  # edges from one box share the lanes that they have in common
        joined: set[tuple[int, int]] = set()
        for source, target in edges:
            path: list[int] = []
            at = source
            if len(lanes) < _LANES:
                for rank in range(ranks[source] + 1, ranks[target]):
                    lane = lanes.get((source, rank))
                    if lane is None:
                        lane = lanes[source, rank] = self._lane(rank)
                    self._join(at, lane, joined)
                    path.append(lane)
                    at = lane
                self._join(at, target, joined)
            self.paths.append(path)
        self.rows: list[list[int]] = [[] for _ in range(max(self.rank) + 1)]
        for node, rank in enumerate(self.rank):
            self.rows[rank].append(node)

    def _lane(self, rank: int) -> int:
        self.left.append(_LANE // 2)
        self.right.append(_LANE // 2)
        self.rank.append(rank)
        self.down.append([])
        self.up.append([])
        return len(self.left) - 1

    def _join(self, source: int, target: int, joined: set[tuple[int, int]]) -> None:
        if (source, target) not in joined:
            joined.add((source, target))
            self.down[source].append(target)
            self.up[target].append(source)

    def apart(self, left: int, right: int) -> float:
        """Return how far the middles of two neighbors have to be apart."""
        gap = _GAP if left < self.real and right < self.real else _LANE_GAP
        return self.right[left] + gap + self.left[right]


def _ordered(net: _Net) -> list[list[int]]:
    """Choose the order in every rank."""
    order = [list(row) for row in net.rows]
    best, fewest = [list(row) for row in order], _all_crossings(net, order)
    nodes = len(net.left)
    sweeps = _SWEEPS if nodes < _MANY else 4 if nodes < _MOST else 2
    for sweep in range(sweeps):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        rows = range(1, len(order)) if downwards else range(len(order) - 2, -1, -1)
        for rank in rows:
            _sort(order, rank, net.up if downwards else net.down, order[rank + (-1 if downwards else 1)])
        crossings = _all_crossings(net, order)
        if crossings < fewest:
            best, fewest = [list(row) for row in order], crossings
    return best


def _sort(order: list[list[int]], rank: int, beside: Sequence[Sequence[int]], fixed: Sequence[int]) -> None:
    place = {node: index for index, node in enumerate(fixed)}
    wanted: dict[int, float] = {}
    for index, node in enumerate(order[rank]):
        found = sorted(place[other] for other in beside[node] if other in place)
        middle = len(found) // 2
        wanted[node] = (found[middle] + found[-middle - 1]) / 2 if found else float(index)
    order[rank].sort(key=wanted.__getitem__)


def _all_crossings(net: _Net, order: Sequence[Sequence[int]]) -> int:
    return sum(_crossings(net, order, rank) for rank in range(len(order) - 1))


def _crossings(net: _Net, order: Sequence[Sequence[int]], rank: int) -> int:
    """Count the crossings between a rank and the next."""
    place = {node: index for index, node in enumerate(order[rank + 1])}
    targets = [
        index
        for node in order[rank]
        for index in sorted(place[other] for other in net.down[node] if other in place)
    ]
    total = 0
    seen: list[int] = []
    for target in targets:
        at = bisect_right(seen, target)
        total += len(seen) - at
        seen.insert(at, target)
    return total


def _columns(net: _Net, order: list[list[int]]) -> list[float]:
    """Choose a column for every box and lane: the middle of four extreme ways to do so."""
    marked = _conflicts(net, order)
    ways = []
    for upwards in (True, False):
        for mirrored in (True, False):
            rows = [list(reversed(row)) for row in order] if mirrored else order
            roots = _aligned(net, rows, upwards, marked)
            x = _compacted(net, rows, roots, mirrored)
            ways.append([-value for value in x] if mirrored else x)
    spans = [
        max(x[n] + net.right[n] for n in range(len(x))) - min(x[n] - net.left[n] for n in range(len(x)))
        for x in ways
    ]
    narrow = ways[min(range(4), key=spans.__getitem__)]
    low, high = min(narrow), max(narrow)
    for index, x in enumerate(ways):
        shift = low - min(x) if index % 2 else high - max(x)
        ways[index] = [value + shift for value in x]
    result = []
    for values in zip(*ways, strict=True):
        _, second, third, _ = sorted(values)
        result.append((second + third) / 2)
    return result


def _conflicts(net: _Net, order: Sequence[Sequence[int]]) -> set[tuple[int, int]]:
    """Return the edges that cross one between two lanes: those keep straight, these give way."""
    marked: set[tuple[int, int]] = set()
    for upper, lower in itertools.pairwise(order):
        place = {node: index for index, node in enumerate(upper)}
        first, scanned = 0, 0
        for index, node in enumerate(lower):
            lane = next((o for o in net.up[node] if o >= net.real), None) if node >= net.real else None
            if lane is None and index != len(lower) - 1:
                continue
            limit = place[lane] if lane is not None else len(upper) - 1
            for other in lower[scanned : index + 1]:
                for source in net.up[other]:
                    if not first <= place[source] <= limit and not (source >= net.real and other >= net.real):
                        marked.add((source, other))
            scanned, first = index + 1, limit
    return marked


def _aligned(
    net: _Net, rows: Sequence[Sequence[int]], upwards: bool, marked: set[tuple[int, int]]
) -> list[int]:
    """Put boxes and lanes into columns: each under the middle one of those above it (or below it)."""
    root = list(range(len(net.left)))
    taken: list[bool] = [False] * len(root)
    place = {node: index for row in rows for index, node in enumerate(row)}
    for row in rows if upwards else reversed(rows):
        last = -1
        for node in row:
            found = sorted(_preferred(net, node, upwards), key=place.__getitem__)
            half = (len(found) - 1) / 2
            for index in sorted({int(half), int(half + 0.5)}) if found else ():
                other = found[index]
                edge = (other, node) if upwards else (node, other)
                if root[node] == node and not taken[other] and edge not in marked and place[other] > last:
                    root[node] = root[other]
                    taken[other] = True
                    last = place[other]
    return root


def _preferred(net: _Net, node: int, upwards: bool) -> list[int]:
    """Return the neighbors with which a box or lane may share a column, so that the trunk is straight.

    A box prefers what the input flows through to constants, and boxes to lanes; a lane leaves a box to boxes.
    """
    ahead, back = (net.up, net.down) if upwards else (net.down, net.up)
    if node >= net.real:
        return [o for o in ahead[node] if o >= net.real or all(other >= net.real for other in back[o])]
    ranked = [(0 if other >= net.real else 1 + net.fed[other], other) for other in ahead[node]]
    best = max(ranked, default=(0, 0))[0]
    return [other for rank, other in ranked if rank == best]


def _compacted(net: _Net, rows: Sequence[Sequence[int]], root: list[int], mirrored: bool) -> list[float]:
    """Push columns together from the left, then pull those apart that have room to be nearer to the right."""
    before: dict[int, dict[int, float]] = defaultdict(dict)
    after: dict[int, dict[int, float]] = defaultdict(dict)
    for row in rows:
        for left, right in itertools.pairwise(row):
            a, b = root[left], root[right]
            distance = net.apart(right, left) if mirrored else net.apart(left, right)
            if distance > before[b].get(a, -1.0):
                before[b][a] = after[a][b] = distance
    roots = [node for node in range(len(root)) if root[node] == node]
    sequence = _sequence(roots, before, after)
    x: dict[int, float] = {}
    for node in sequence:
        x[node] = max((x[other] + gap for other, gap in before[node].items()), default=0.0)
    for node in reversed(sequence):
        if after[node]:
            x[node] = max(x[node], min(x[other] - gap for other, gap in after[node].items()))
    return [x[root[node]] for node in range(len(root))]


def _sequence(
    roots: Sequence[int], before: Mapping[int, Mapping[int, float]], after: Mapping[int, Mapping[int, float]]
) -> list[int]:
    waiting = {node: len(before.get(node, ())) for node in roots}
    ready = [node for node in roots if not waiting[node]]
    sequence: list[int] = []
    while ready:
        node = ready.pop()
        sequence.append(node)
        for other in after.get(node, ()):
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return sequence
