"""Edits of a call or an operation on arrays that may make it pass, in the user's own source."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import prod
from typing import TypeAlias

from shapeinspect.plugin_api.user_code.source import UserSource

Lengths: TypeAlias = "tuple[int, ...]"
#: Reductions after which an axis is gone.
_REDUCTIONS = ("mean", "std", "sum", "var", "amax", "amin", "norm", "median", "logsumexp")
#: The parameters that name the axis of a reduction.
_AXES = ("axis", "dim")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a library of arrays writes its edits.

    Args:
        permuted: an array with its axes in another order.
        grown: an array with an axis of length 1 more.
        squeezed: an array with one axis less.
        repeated: an array whose axis of length 1 is repeated.
        keeps: the parameter with which a reduction keeps its axis.
        joins: the functions that join along an axis there is, by those that join along a new one.
        indices: a cast to the dtype of indices.
        colored: a list of pictures in which those without channels get as many as the others.
    """

    permuted: Callable[[str, Lengths], str]
    grown: Callable[[str, int], str]
    squeezed: Callable[[str, int], str]
    repeated: Callable[[str, int, int, int], str]
    keeps: str
    joins: Mapping[str, str]
    indices: str
    colored: Callable[[str, int], str]


@dataclass(frozen=True, slots=True)
class Operand:
    """An array that the failed operation reads.

    Args:
        node: its expression.
        shapes: its shape; several for a list of arrays.
        listed: whether it is one entry of a list that is written out.
    """

    node: ast.expr
    shapes: tuple[Lengths, ...]
    listed: bool = False

    @property
    def shape(self) -> Lengths:
        """The shape of the first array."""
        return self.shapes[0]


@dataclass(frozen=True, slots=True)
class Change:
    """Parts of the source that are replaced, and what is wrong if that helps.

    Args:
        parts: a part and the text in its place, for each.
        cause: a key of the core's causes.
        alters: what it changes besides; empty for nothing.
    """

    parts: tuple[tuple[ast.AST, str], ...]
    cause: str
    alters: str = ""


def changes(
    kind: str, source: UserSource, failed: ast.AST, operands: Sequence[Operand], dialect: Dialect
) -> Iterator[Change]:
    """Yield the changes that are worth a try, the likeliest first.

    Args:
        kind: what the operation is, a key of the table below.
        source: the user's line.
        failed: the operation.
        operands: the arrays that it reads.
        dialect: how the library writes edits.
    """
    if kind in _OF_KINDS:
        yield from _OF_KINDS[kind](_Site(source, failed, operands, dialect))


@dataclass(frozen=True, slots=True)
class _Site:
    source: UserSource
    failed: ast.AST
    operands: Sequence[Operand]
    dialect: Dialect

    def text(self, node: ast.AST) -> str:
        """Return an expression that something may be written behind."""
        text = self.source.source(node)
        simple = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
        return text if simple else f"({text})"

    def with_axis(self, operand: Operand, axis: int, cause: str = "missing-axis") -> Change:
        """Return the change that adds an axis."""
        return Change(((operand.node, self.dialect.grown(self.text(operand.node), axis)),), cause)

    def without_axes(self, operand: Operand) -> Iterator[Change]:
        """Yield the changes that remove an axis of length 1."""
        for axis, length in enumerate(operand.shape):
            if length == 1:
                text = self.dialect.squeezed(self.text(operand.node), axis)
                yield Change(((operand.node, text),), "extra-axis")

    def permuted(self, operand: Operand, axes: Lengths, cause: str) -> Change:
        """Return the change that permutes the axes."""
        return Change(((operand.node, self.dialect.permuted(self.text(operand.node), axes)),), cause)


def _elementwise(site: _Site) -> Iterator[Change]:
    for operand in site.operands:
        yield from _kept(site, operand.node)
    for operand, other in _pairs(site.operands):
        rank = len(operand.shape)
        if rank < len(other.shape):
            for axis in range(rank, -1, -1):
                yield site.with_axis(operand, axis)
        yield from _channels(site, operand, other)
        if rank > len(other.shape):
            yield from site.without_axes(operand)
    for operand, other in _pairs(site.operands):
        yield from _spread(site, operand, other)
        yield from _cut(site, operand, other)
    for operand, other in _pairs(site.operands):
        if len(operand.shape) == 2 and operand.shape[::-1] == other.shape:
            yield site.permuted(operand, (1, 0), "swapped-axes")


def _pairs(operands: Sequence[Operand]) -> Iterator[tuple[Operand, Operand]]:
    if len(operands) == 2:
        yield operands[0], operands[1]
        yield operands[1], operands[0]


def _kept(site: _Site, node: ast.AST) -> Iterator[Change]:
    """Keep the axis that a reduction removes."""
    for call in ast.walk(node):
        if not isinstance(call, ast.Call) or getattr(call.func, "attr", "") not in _REDUCTIONS:
            continue
        words = {keyword.arg for keyword in call.keywords}
        if site.dialect.keeps in words or not (call.args or words & set(_AXES)):
            continue
        text = site.source.source(call).rstrip()
        yield Change(((call, f"{text[:-1]}, {site.dialect.keeps}=True)"),), "missing-axis")


def _channels(site: _Site, operand: Operand, other: Operand) -> Iterator[Change]:
    """Move the channels of a picture to where the values of each channel are."""
    shape, values = operand.shape, other.shape
    long = [axis for axis, length in enumerate(values) if length > 1]
    if len(shape) not in (3, 4) or len(long) != 1 or len(values) > len(shape):
        return
    place = long[0] + len(shape) - len(values)
    holders = [axis for axis, length in enumerate(shape) if length == values[long[0]] and axis != place]
    for axis in holders[:1]:
        order = [one for one in range(len(shape)) if one != axis]
        order.insert(place, axis)
        yield site.permuted(operand, tuple(order), "channels-last")


def _spread(site: _Site, operand: Operand, other: Operand) -> Iterator[Change]:
    """Repeat a single channel for as many values as there are."""
    shape, values = operand.shape, other.shape
    if len(shape) != len(values) or len(shape) < 3:
        return
    for axis, (has, wants) in enumerate(zip(shape, values, strict=True)):
        if (
            has == 1
            and wants in (3, 4)
            and all(length == 1 for length in (*values[:axis], *values[axis + 1 :]))
        ):
            text = site.dialect.repeated(site.text(operand.node), axis, wants, len(shape))
            said = f"the number of channels: {wants} equal ones instead of 1"
            yield Change(((operand.node, text),), "channels", said)


def _cut(site: _Site, operand: Operand, other: Operand) -> Iterator[Change]:
    """Leave out the last entries of a sequence that is longer."""
    mine, theirs = operand.shape, other.shape
    if len(mine) != len(theirs):
        return
    axes = [axis for axis, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b and 1 not in (a, b)]
    if len(axes) != 1 or mine[axes[0]] <= theirs[axes[0]]:
        return
    axis, more = axes[0], mine[axes[0]] - theirs[axes[0]]
    if more > max(theirs[axis] // 4, 1):
        return
    for cut, end in ((f":-{more}", "last"), (f"{more}:", "first")):
        index = ", ".join([":"] * axis + [cut])
        said = f"what is read: the {end} {more if more > 1 else 'entry'} of {mine[axis]} left out"
        yield Change(((operand.node, f"{site.text(operand.node)}[{index}]"),), "length", said)


def _concat(site: _Site) -> Iterator[Change]:
    ranks = [len(one.shape) for one in site.operands]
    if len(set(ranks)) > 1:
        most, least = max(ranks), min(ranks)
        low = [one for one in site.operands if len(one.shape) < most]
        for axis in range(least, -1, -1):
            parts = tuple((one.node, site.dialect.grown(site.text(one.node), axis)) for one in low)
            yield Change(parts, "missing-axis")
        for one in site.operands:
            if len(one.shape) > least:
                yield from site.without_axes(one)
    yield from _other_join(site, reverse=True)
    for node in _axis_of(site.failed):
        for axis in range(max(ranks, default=0)):
            yield Change(((node, str(axis)),), "concat-axis")
    for one in site.operands:
        if len(one.shape) == 2 and len(site.operands) == 2:
            yield site.permuted(one, (1, 0), "swapped-axes")


def _stack(site: _Site) -> Iterator[Change]:
    shapes = [shape for one in site.operands for shape in one.shapes]
    if len({shape[1:] for shape in shapes}) == 1:
        yield from _other_join(site, reverse=False)
    ranks = sorted({len(shape) for shape in shapes})
    if len(site.operands) == 1 and ranks == [2, 3]:
        channels = next(shape[-1] for shape in shapes if len(shape) == 3)
        text = site.dialect.colored(site.text(site.operands[0].node), channels)
        yield Change(((site.operands[0].node, text),), "no-channel")


def _other_join(site: _Site, reverse: bool) -> Iterator[Change]:
    """Join along an axis there is instead of a new one, or the other way round."""
    failed = site.failed
    function = failed.func if isinstance(failed, ast.Call) else None
    if not isinstance(function, ast.Attribute):
        return
    names = {new: old for old, new in site.dialect.joins.items()} if reverse else site.dialect.joins
    if function.attr in names:
        owner = site.source.source(function.value)
        yield Change(((function, f"{owner}.{names[function.attr]}"),), "unequal")


def _axis_of(failed: ast.AST) -> Iterator[ast.AST]:
    if isinstance(failed, ast.Call):
        yield from (keyword.value for keyword in failed.keywords if keyword.arg in _AXES)
        yield from (node for node in failed.args[1:2] if isinstance(node, ast.Constant | ast.UnaryOp))


def _reshape(site: _Site) -> Iterator[Change]:
    if not site.operands or not isinstance(site.failed, ast.Call):
        return
    total = prod(site.operands[0].shape)
    found = site.failed.args[0] if len(site.failed.args) == 1 else None
    nodes = found.elts if isinstance(found, ast.Tuple | ast.List) else site.failed.args
    lengths = [_number(node) for node in nodes]
    for new in _lengths([0 if one is None else one for one in lengths], total):
        parts = tuple(
            (node, str(length))
            for node, length, old in zip(nodes, new, lengths, strict=True)
            if old is not None and length != old
        )
        if parts:
            yield Change(parts, "reshape")


def _number(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    return value if isinstance(value, int) else None


def _lengths(lengths: list[int], total: int) -> Iterator[list[int]]:
    """Yield other lengths of a reshape: one of them changed, the batch left open first."""
    if 0 in lengths:
        return
    known = prod(length for length in lengths if length > 0)
    if -1 not in lengths and lengths:
        rest = known // lengths[0]
        if total % rest == 0:
            yield [-1, *lengths[1:]]
    for place in range(len(lengths) - 1, 0, -1):
        if lengths[place] <= 1:
            continue
        rest = known // lengths[place]
        # With an open length, every divisor would do: one that makes a square is a picture.
        for new in (
            {lengths[place - 1], lengths[(place + 1) % len(lengths)]} if -1 in lengths else (total // rest,)
        ):
            if new > 1 and new != lengths[place] and total % (rest * new) == 0:
                yield [*lengths[:place], new, *lengths[place + 1 :]]


def _matmul(site: _Site) -> Iterator[Change]:
    for one in reversed(site.operands):
        rank = len(one.shape)
        if rank >= 2:
            yield site.permuted(one, (*range(rank - 2), rank - 1, rank - 2), "inner")
    for one in site.operands:
        if len(one.shape) == 1:
            yield site.with_axis(one, 0)
            yield site.with_axis(one, 1)


def _einsum(site: _Site) -> Iterator[Change]:
    """Exchange the letters of one operand."""
    node = site.failed.args[0] if isinstance(site.failed, ast.Call) and site.failed.args else None
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or "..." in node.value:
        return
    given, arrow, made = node.value.replace(" ", "").partition("->")
    terms = given.split(",")
    for place, term in enumerate(terms):
        for letters in permutations(term) if 1 < len(term) <= 4 else ():
            if "".join(letters) != term:
                new = ",".join([*terms[:place], "".join(letters), *terms[place + 1 :]])
                yield Change(((node, f'"{new}{arrow}{made}"'),), "swapped-axes")


def _gather(site: _Site) -> Iterator[Change]:
    """Add the axis that the indices lack, or remove the one that they have too many."""
    if len(site.operands) < 2:
        return
    table, *others = site.operands
    arguments = site.failed.args if isinstance(site.failed, ast.Call) else []
    named = [one for one in (_number(node) for node in arguments) if one is not None]
    for axis in named[:1] or range(len(table.shape), -1, -1):
        low = [one for one in others if len(one.shape) < len(table.shape)]
        parts = tuple((one.node, site.dialect.grown(site.text(one.node), axis)) for one in low)
        if parts:
            yield Change(parts, "missing-axis")
    for one in others:
        yield from site.without_axes(one)
        yield Change(((one.node, f"{site.text(one.node)}{site.dialect.indices}"),), "dtype")


def _index(site: _Site) -> Iterator[Change]:
    """Cut a mask to the entries that it chooses from, or move its axes."""
    if len(site.operands) < 2:
        return
    table, mask = site.operands[:2]
    yield from _cut(site, mask, Operand(table.node, (table.shape[: len(mask.shape)],)))
    if len(mask.shape) == 2:
        yield site.permuted(mask, (1, 0), "swapped-axes")
    yield from site.without_axes(mask)


def _store(site: _Site) -> Iterator[Change]:
    """Store only what there is room for."""
    if len(site.operands) < 2:
        return
    place, value = site.operands[:2]
    yield from site.without_axes(value)
    same = place.shape[1:] == value.shape[1:] and len(place.shape) == len(value.shape) > 0
    if same and value.shape[0] > place.shape[0]:
        text = f"{site.text(value.node)}[:len({site.source.source(place.node)})]"
        said = f"what is stored: {place.shape[0]} of {value.shape[0]} rows, as there is no room for more"
        yield Change(((value.node, text),), "length", said)
    if len(value.shape) == len(place.shape) <= 4:
        for axes in permutations(range(len(value.shape))):
            if axes != tuple(range(len(axes))) and tuple(value.shape[one] for one in axes) == place.shape:
                yield site.permuted(value, axes, "swapped-axes")


_OF_KINDS: dict[str, Callable[[_Site], Iterator[Change]]] = {
    "elementwise": _elementwise,
    "concat": _concat,
    "stack": _stack,
    "reshape": _reshape,
    "matmul": _matmul,
    "einsum": _einsum,
    "gather": _gather,
    "index": _index,
    "store": _store,
}
