"""Matches the layers of two models: by names, shapes and the graph, never by position.

Compatible layers form a class. Within a class, layers are paired by the first of these that
leaves no choice: an equal name, being the only ones, a neighbor in the graph that is paired already,
the likeness of names, the numbers in names. Where nothing decides, nothing is paired.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shapeinspect.compare.compatible import classes, same_kind
from shapeinspect.compare.granularity.slots import Unit
from shapeinspect.compare.names import Name, common_prefix, likeness, strip, template, tokens
from shapeinspect.compare.result import Evidence

#: The largest number of pairs of names that are compared one by one within a class.
_MOST_PAIRS = 4096


@dataclass(slots=True)
class Matching:
    """Pairs of two models' layers, found one after another.

    Args:
        a: one model's layers.
        b: the other's.
        notes: what was taken for granted, one sentence each.
    """

    a: Sequence[Unit]
    b: Sequence[Unit]
    partner_a: dict[int, int] = field(default_factory=dict)
    partner_b: dict[int, int] = field(default_factory=dict)
    evidence: dict[int, Evidence] = field(default_factory=dict)
    class_a: list[int] = field(default_factory=list)
    class_b: list[int] = field(default_factory=list)
    prefix_a: Name = ()
    prefix_b: Name = ()
    pairs: list[tuple[int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def pair(self, a: int, b: int, evidence: Evidence) -> None:
        """Take two layers for the same one.

        Args:
            a: the index of the first.
            b: the index of the second.
            evidence: why.
        """
        self.partner_a[a], self.partner_b[b] = b, a
        self.evidence[a] = evidence
        self.pairs.append((a, b))

    def open_a(self) -> list[int]:
        """Return the layers of ``a`` without a partner."""
        return [index for index in range(len(self.a)) if index not in self.partner_a]

    def open_b(self) -> list[int]:
        """Return the layers of ``b`` without a partner."""
        return [index for index in range(len(self.b)) if index not in self.partner_b]

    def open_classes(self) -> dict[int, tuple[list[int], list[int]]]:
        """Return the open layers of every class that has some on both sides."""
        left, right = _by(self.open_a(), self.class_a), _by(self.open_b(), self.class_b)
        return {key: (members, right[key]) for key, members in left.items() if key in right}

    def names_a(self, index: int) -> tuple[Name, ...]:
        """Return the names of a layer of ``a``, without the side's common prefix.

        Args:
            index: which layer of ``a``, counted from 0.
        """
        return tuple(strip(name, self.prefix_a) for name in self.a[index].names)

    def names_b(self, index: int) -> tuple[Name, ...]:
        """Return the names of a layer of ``b``, without the side's common prefix.

        Args:
            index: which layer of ``b``, counted from 0.
        """
        return tuple(strip(name, self.prefix_b) for name in self.b[index].names)


def match(a: Sequence[Unit], b: Sequence[Unit], fingerprint: Callable[[Unit], str | None] | None) -> Matching:
    """Find which layers of two models are the same.

    Args:
        a: one model's layers.
        b: the other's.
        fingerprint: returns a text that layers with equal numbers share, where these may be read.
    """
    matching = Matching(a, b)
    matching.class_a, matching.class_b = classes(a, b)
    names_a, names_b = _all_names(a), _all_names(b)
    matching.prefix_a = common_prefix(names_a, names_b)
    matching.prefix_b = () if matching.prefix_a else common_prefix(names_b, names_a)
    _equal_paths(matching)
    _equal_names(matching)
    _settle(matching)
    if fingerprint is not None:
        _equal_values(matching, fingerprint)
        _settle(matching)
    _one_left(matching)
    _propagate(matching)
    _changed(matching)
    _named_alike(matching)
    return matching


def _all_names(units: Iterable[Unit]) -> list[Name]:
    return [name for unit in units for name in unit.names]


def _by(indices: Iterable[int], keys: Sequence[int]) -> dict[int, list[int]]:
    grouped: dict[int, list[int]] = defaultdict(list)
    for index in indices:
        grouped[keys[index]].append(index)
    return grouped


def _settle(matching: Matching) -> None:
    """Apply everything that leaves no choice until nothing is added."""
    steps: tuple[Callable[[Matching], None], ...] = (_alone, _endings, _numbers, _likeness, _ranks)
    before = -1
    while before != len(matching.partner_a):
        before = len(matching.partner_a)
        _propagate(matching)
        for step in steps:
            step(matching)
            if len(matching.partner_a) != before:
                break


def _equal_paths(matching: Matching) -> None:
    """Two models of the very same paths: names decide even where they are made by counting."""
    paths_a, paths_b = ([unit.layer.path for unit in side] for side in (matching.a, matching.b))
    if sorted(paths_a) == sorted(paths_b) and len(set(paths_a)) == len(paths_a):
        index = {path: index for index, path in enumerate(paths_b)}
        for a, path in enumerate(paths_a):
            if matching.class_a[a] == matching.class_b[index[path]]:
                matching.pair(a, index[path], "name")


def _equal_names(matching: Matching) -> None:
    _unique(
        matching,
        lambda index: [(name, matching.class_a[index]) for name in matching.names_a(index)],
        lambda index: [(name, matching.class_b[index]) for name in matching.names_b(index)],
        "name",
    )


def _unique(
    matching: Matching,
    key_a: Callable[[int], Iterable[Hashable]],
    key_b: Callable[[int], Iterable[Hashable]],
    evidence: Evidence,
) -> None:
    """Pair the open layers that alone have a key on both sides."""
    left, right = _keyed(matching.open_a(), key_a), _keyed(matching.open_b(), key_b)
    for key, members in left.items():
        others = right.get(key, [])
        if len(members) == 1 and len(others) == 1:
            a, b = members[0], others[0]
            if a not in matching.partner_a and b not in matching.partner_b:
                matching.pair(a, b, evidence)


def _keyed(indices: Iterable[int], key: Callable[[int], Iterable[Hashable]]) -> dict[Hashable, list[int]]:
    table: dict[Hashable, list[int]] = defaultdict(list)
    for index in indices:
        for value in dict.fromkeys(key(index)):
            table[value].append(index)
    return table


def _alone(matching: Matching) -> None:
    """A class with one layer on each side, in the whole models."""
    total_a, total_b = Counter(matching.class_a), Counter(matching.class_b)
    for key, (left, right) in matching.open_classes().items():
        if total_a[key] == total_b[key] == 1:
            matching.pair(left[0], right[0], "shape")


def _propagate(matching: Matching) -> None:
    """Pair the neighbors of pairs in the graph, where only one on each side is possible."""
    open_in = Counter(matching.class_a[index] for index in matching.open_a())
    open_in.subtract(matching.class_b[index] for index in matching.open_b())
    _neighbors(matching, _ends(matching.a, matching.b, "<", "sources"), open_in)
    _neighbors(matching, _ends(matching.a, matching.b, ">", "sinks"), open_in)
    # A pair found since the last walk may leave one choice to neighbors that had two.
    waiting = deque(matching.pairs)
    while waiting:
        left, right = waiting.popleft()
        a, b = matching.a[left], matching.b[right]
        before = len(matching.pairs)
        for side in ("sources", "sinks"):
            pairs = (_open(getattr(a, side), matching.partner_a), _open(getattr(b, side), matching.partner_b))
            _neighbors(matching, pairs, open_in)
        waiting.extend(matching.pairs[before:])


def _open(indices: Iterable[int | str], partner: Mapping[int, int]) -> list[int]:
    return [index for index in indices if isinstance(index, int) and index not in partner]


def _ends(a: Sequence[Unit], b: Sequence[Unit], mark: str, side: str) -> tuple[list[int], list[int]]:
    """Return the layers at the model's only input, or only output; none where there are several."""
    ends: list[list[int]] = []
    for units in (a, b):
        touching: dict[str, list[int]] = defaultdict(list)
        for unit in units:
            for end in getattr(unit, side):
                if isinstance(end, str) and end.startswith(mark):
                    touching[end].append(unit.index)
        ends.append(next(iter(touching.values())) if len(touching) == 1 else [])
    return ends[0], ends[1]


def _neighbors(matching: Matching, pairs: tuple[list[int], list[int]], open_in: Counter[int]) -> None:
    left = _by((index for index in pairs[0] if index not in matching.partner_a), matching.class_a)
    right = _by((index for index in pairs[1] if index not in matching.partner_b), matching.class_b)
    for key, members in left.items():
        others = right.get(key, [])
        # Where one model has more of them, an inserted layer could stand anywhere in a chain.
        if len(members) == 1 and len(others) == 1 and not open_in[key]:
            matching.pair(members[0], others[0], "structure")


def _endings(matching: Matching) -> None:
    """Names that end alike, the longest common ending first."""
    for length in (4, 3, 2, 1):
        _unique(
            matching,
            lambda index, k=length: _ending(matching.names_a(index), k, matching.class_a[index]),  # type: ignore[misc]  # a bound default
            lambda index, k=length: _ending(matching.names_b(index), k, matching.class_b[index]),  # type: ignore[misc]  # the same
            "similar name",
        )


def _ending(names: Iterable[Name], length: int, key: int) -> list[Hashable]:
    # A number alone says too little: "0" ends the names of unrelated blocks.
    kept = [name[-length:] for name in names if len(name) >= length]
    return [(name, key) for name in kept if not all(part.isdigit() for part in name)]


def _numbers(matching: Matching) -> None:
    """Names with the same numbers: ``encoder.layer.3.fc`` and ``blocks.3.linear``."""
    _unique(
        matching,
        lambda index: _numbered(matching.names_a(index), matching.class_a[index]),
        lambda index: _numbered(matching.names_b(index), matching.class_b[index]),
        "numbering",
    )


def _numbered(names: Iterable[Name], key: int) -> list[Hashable]:
    numbers = [template(name)[1] for name in names]
    return [(series, key) for series in numbers if series]


def _likeness(matching: Matching) -> None:
    """Within a class, names that are more alike to each other than to any third."""
    words_a = {index: [tokens(name) for name in matching.names_a(index)] for index in matching.open_a()}
    words_b = {index: [tokens(name) for name in matching.names_b(index)] for index in matching.open_b()}
    for left, right in matching.open_classes().values():
        if len(left) * len(right) <= _MOST_PAIRS:
            _most_alike(matching, left, right, words_a, words_b)
            continue
        by_numbers_a = _keyed(left, lambda index: [template(name)[1] for name in matching.names_a(index)])
        by_numbers_b = _keyed(right, lambda index: [template(name)[1] for name in matching.names_b(index)])
        for key, members in by_numbers_a.items():
            others = by_numbers_b.get(key, [])
            if key and 0 < len(members) * len(others) <= _MOST_PAIRS:
                _most_alike(matching, members, others, words_a, words_b)


def _most_alike(
    matching: Matching,
    left: Sequence[int],
    right: Sequence[int],
    words_a: Mapping[int, list[Counter[str]]],
    words_b: Mapping[int, list[Counter[str]]],
) -> None:
    score = {(a, b): likeness(words_a[a], words_b[b]) for a in left for b in right}
    best_b = {a: _single_best({b: score[a, b] for b in right}) for a in left}
    best_a = {b: _single_best({a: score[a, b] for a in left}) for b in right}
    for a, b in best_b.items():
        if b is not None and best_a[b] == a and a not in matching.partner_a and b not in matching.partner_b:
            matching.pair(a, b, "similar name")


def _single_best(scores: Mapping[int, float]) -> int | None:
    top = max(scores.values(), default=0.0)
    winners = [index for index, score in scores.items() if score == top]
    return winners[0] if top > 0 and len(winners) == 1 else None


def _ranks(matching: Matching) -> None:
    """One series of numbered names on each side, equally long: the numbers' order decides."""
    for left, right in matching.open_classes().values():
        ranked_a, ranked_b = _series([matching.a[i] for i in left]), _series([matching.b[i] for i in right])
        if len(left) == len(right) > 1 and ranked_a and ranked_b:
            for a, b in zip(ranked_a, ranked_b, strict=True):
                matching.pair(a, b, "numbering")


def _series(units: Sequence[Unit]) -> list[int] | None:
    """Order layers by the numbers in their paths; None if these are not all of one pattern."""
    numbered = []
    patterns = set()
    for unit in units:
        pattern, numbers = template((unit.layer.path,))
        patterns.add(pattern.replace("_#", ""))
        numbered.append((numbers, unit.index))
    if len(patterns) != 1 or len({numbers for numbers, _ in numbered}) != len(numbered):
        return None
    return [index for _, index in sorted(numbered)]


def _equal_values(matching: Matching, fingerprint: Callable[[Unit], str | None]) -> None:
    """Equal numbers, where exactly one layer on each side has them."""
    prints_a: dict[int, str | None] = {}
    prints_b: dict[int, str | None] = {}
    for left, right in matching.open_classes().values():
        prints_a.update((index, fingerprint(matching.a[index])) for index in left)
        prints_b.update((index, fingerprint(matching.b[index])) for index in right)
    _unique(
        matching,
        lambda index: [(text, matching.class_a[index]) for text in [prints_a.get(index)] if text],
        lambda index: [(text, matching.class_b[index]) for text in [prints_b.get(index)] if text],
        "values",
    )


def _one_left(matching: Matching) -> None:
    for left, right in matching.open_classes().values():
        if len(left) == len(right) == 1:
            matching.pair(left[0], right[0], "one left")


def _changed(matching: Matching) -> None:
    """Layers of one kind whose shapes differ: the same name, or the only ones between the same neighbors."""
    _unique(
        matching,
        lambda index: _kinded(matching.names_a(index), matching.a[index]),
        lambda index: _kinded(matching.names_b(index), matching.b[index]),
        "name",
    )
    taken = set(matching.open_classes())
    for a in [index for index in matching.open_a() if matching.class_a[index] not in taken]:
        around = _around(matching, matching.a[a])
        options = [
            b for b in around if matching.class_b[b] not in taken and same_kind(matching.a[a], matching.b[b])
        ]
        if len(options) == 1 and options[0] not in matching.partner_b:
            matching.pair(a, options[0], "structure")


def _named_alike(matching: Matching) -> None:
    """Layers of one name, whatever is known of their kinds and lengths; a number alone is no name."""
    _unique(
        matching,
        lambda index: [name for name in matching.names_a(index) if not name[-1].isdigit()],
        lambda index: [name for name in matching.names_b(index) if not name[-1].isdigit()],
        "name",
    )
    paths_a, paths_b = ({unit.layer.path: unit.index for unit in side} for side in (matching.a, matching.b))
    if paths_a.keys() == paths_b.keys():
        for path, a in paths_a.items():
            if a not in matching.partner_a and paths_b[path] not in matching.partner_b:
                matching.pair(a, paths_b[path], "name")


def _kinded(names: Iterable[Name], unit: Unit) -> list[Hashable]:
    return [(name, kind) for name in names for kind in sorted(unit.kinds) or [""]]


def _around(matching: Matching, unit: Unit) -> list[int]:
    """Return the open layers of ``b`` with the same paired neighbors on both sides."""
    options: set[int] | None = None
    for side, back in (("sources", "sinks"), ("sinks", "sources")):
        for neighbor in getattr(unit, side):
            if isinstance(neighbor, int) and neighbor in matching.partner_a:
                near = set(_open(getattr(matching.b[matching.partner_a[neighbor]], back), matching.partner_b))
                options = near if options is None else options & near
    return sorted(options or ())
