"""The entries along one axis in another order: packed projections, heads, groups, blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import TYPE_CHECKING, Any

from shapeinspect.compare.numbers.reorder.trial import Trial

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: The longest axis whose entries are tried, and the most divisors of its length.
_LONGEST, _MOST_SIZES = 1 << 18, 64
#: The shortest one: fewer entries are in some order by chance. The axes that are tried: outputs and inputs.
_SHORTEST, _AXES = 4, 2
#: How many entries are compared before all of them are.
_PROBED = 8
#: How many query heads share a key head at most.
_MOST_SHARED = 16
#: How many blocks are tried in every order: halves, thirds and quarters, as of gates and projections.
_BLOCKS = (2, 3, 4)


@dataclass(frozen=True, slots=True)
class _Split:
    """A way to cut an axis into parts that one side orders differently.

    Args:
        text: what it means if it fits; ``{n}`` is the length that is tried.
        here: the parts, as einops writes them; ``n``, where it is among them, is tried, ``d`` is the rest.
        there: their order on the other side.
        sizes: the part whose length is fixed, and that length.
    """

    text: str
    here: str
    there: str
    sizes: tuple[str, int]


_QKV = ("qkv", 3)
_TWO = ("two", 2)
_SPLITS = (
    _Split(
        "with the two halves of each of {n} heads as pairs, as a rotation of neighbors takes them",
        "n two d", "n d two", _TWO,
    ),
    _Split(
        "with the pairs of each of {n} heads as two halves, as a rotation of halves takes them",
        "n d two", "n two d", _TWO,
    ),
    _Split("with q, k and v in each of {n} heads, not all q, all k, all v", "qkv n d", "n qkv d", _QKV),
    _Split("with all q, all k, all v, not q, k and v in each of {n} heads", "n qkv d", "qkv n d", _QKV),
    _Split("with q, k and v of each entry, not all q, all k, all v", "qkv d", "d qkv", _QKV),
    _Split("with all q, all k, all v, not q, k and v of each entry", "d qkv", "qkv d", _QKV),
    _Split("with q, k and v of each entry of {n} heads, not of each head", "n qkv d", "n d qkv", _QKV),
    _Split("with q, k and v of each of {n} heads, not of each entry", "n d qkv", "n qkv d", _QKV),
)  # fmt: skip


def along(left: Array, right: Array, groups: int = 1) -> Iterator[Trial]:
    """Yield the orders of the entries along each axis.

    Args:
        left: the values of the first model, in the common convention.
        right: those of the second one.
        groups: how many groups of channels the layer has.
    """
    if left.shape != right.shape and [n for n in left.shape if n != 1] != [n for n in right.shape if n != 1]:
        return
    yield from _depthwise(left.shape[0], groups)
    for axis, length in enumerate(left.shape):
        if _SHORTEST <= length <= _LONGEST and axis < _AXES:
            for text, line, order in _orders(length, axis):
                named = text if axis == 0 else f"{text}, along axis {axis}"
                apply, probe = (
                    partial(_along, axis=axis, order=order),
                    partial(_probe, axis=axis, order=order),
                )
                yield Trial(named, line, apply, probe)


def _depthwise(length: int, groups: int) -> Iterator[Trial]:
    """Yield the orders of the channels and the multipliers of a depthwise kernel."""
    if groups < 2 or length % groups or length == groups:
        return
    for here, there, rows in (("c m", "m c", groups), ("m c", "c m", length // groups)):
        first = here.split()[0]
        order = _moved(_places(length), here, there, {first: rows, there.split()[0]: length // rows})
        text = f"with the channels and multipliers of its depthwise kernel exchanged, ({here}) for ({there})"
        apply, probe = partial(_along, axis=0, order=order), partial(_probe, axis=0, order=order)
        yield Trial(text, _code(here, there, {first: rows}, 0), apply, probe)


def _along(array: Array, axis: int, order: Array) -> Array:
    import numpy as np

    moved: Array = np.take(array, order, axis=axis)
    return moved


def _probe(left: Array, right: Array, axis: int, order: Array) -> tuple[Array, Array]:
    """Return a few entries along the axis of both sides."""
    import numpy as np

    other = right.reshape(left.shape)
    at = np.linspace(0, len(order) - 1, _PROBED).astype(np.int64)
    return np.take(left, order[at], axis=axis), np.take(other, at, axis=axis)


def _orders(length: int, axis: int) -> Iterator[tuple[str, str, Array]]:
    """Yield each order of so many entries: what it means, its line, and the entries."""
    places = _places(length)
    for split in _SPLITS:
        part, fixed = split.sizes
        rest, left = divmod(length, fixed)
        counted = "n" in split.here.split()
        for count in () if left else _sizes(rest)[1:] if counted else (1,):
            sizes = {part: fixed, **({"n": count} if counted else {})}
            order = _moved(places, split.here, split.there, {**sizes, "d": rest // count})
            yield split.text.format(n=count), _code(split.here, split.there, sizes, axis), order
    if axis == 0:
        yield from _shared(length, places)
    for blocks in _BLOCKS:
        if length % blocks == 0 and length > blocks:
            yield from _blocks(places, blocks, axis)
    for count in _sizes(length)[1:]:
        order = _moved(places, "n d", "d n", {"n": count, "d": length // count})
        text = f"with its entries, {count} rows of {length // count}, taken by columns"
        yield text, _code("n d", "d n", {"n": count}, axis), order


def _shared(length: int, places: Array) -> Iterator[tuple[str, str, Array]]:
    """Yield packings of queries, keys and values where several query heads share a key head."""
    import numpy as np

    for shared in range(2, _MOST_SHARED + 1):
        each = length // (shared + 2)
        if each * (shared + 2) != length:
            continue
        for groups in _sizes(each):
            size = each // groups
            ends = (shared * each, (shared + 1) * each)
            q, k, v = np.split(places, ends)
            cut = [part.reshape(groups, -1, size) for part in (q, k, v)]
            grouped = np.concatenate(cut, axis=1).reshape(-1)
            heads = f"{groups} groups of {shared} queries, a key and a value"
            if groups > 1:
                line = (
                    f"q, k, v = np.split(A, {list(ends)}); B = np.concatenate("
                    f"[x.reshape({groups}, -1, {size}, *x.shape[1:]) for x in (q, k, v)], 1).reshape(A.shape)"
                )
                yield f"in {heads}, not all q, all k, all v", line, grouped
                inverse = np.argsort(grouped)
                line = (
                    f"q, k, v = np.split(A.reshape({groups}, {shared + 2}, {size}, *A.shape[1:]), "
                    f"[{shared}, {shared + 1}], 1); "
                    "B = np.concatenate([x.reshape(-1, *A.shape[1:]) for x in (q, k, v)])"
                )
                yield f"as all q, all k, all v, not in {heads}", line, inverse


def _blocks(places: Array, count: int, axis: int) -> Iterator[tuple[str, str, Array]]:
    names = {2: "halves", 3: "thirds", 4: "quarters"}[count]
    cut = places.reshape(count, -1)
    for order in list(permutations(range(count)))[1:]:
        text = f"with its {names} in the order {' '.join(str(part) for part in order)}"
        line = f"B = np.concatenate([np.split(A, {count}, {axis})[n] for n in {list(order)}], {axis})"
        yield text, line, cut[list(order)].reshape(-1)


def _places(length: int) -> Array:
    import numpy as np

    return np.arange(length)


def _sizes(length: int) -> list[int]:
    """Return the divisors of a length, without itself, the smallest ones first."""
    return [size for size in range(1, length // 2 + 1) if length % size == 0][:_MOST_SIZES]


def _moved(places: Array, here: str, there: str, sizes: dict[str, int]) -> Array:
    names, target = here.split(), there.split()
    apart = places.reshape([sizes[name] for name in names])
    moved: Array = apart.transpose([names.index(name) for name in target]).reshape(-1)
    return moved


def _code(here: str, there: str, sizes: dict[str, int], axis: int) -> str:
    known = ", ".join(f"{name}={size}" for name, size in sizes.items())
    before = "".join(f"a{index} " for index in range(axis))
    return f"B = rearrange(A, '{before}({here}) ... -> {before}({there}) ...', {known})"
