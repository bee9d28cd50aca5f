"""From bare names and shapes to layers: grouping by prefix, and kinds only where they are proven.

This module knows no framework. The evidence is data from a plug-in: rows of :class:`Evidence`, each
with the weights that a kind of layer has and the axes of each weight. A row fits a group of weights
if it accounts for all of them and every axis name can have one length. If all rows that fit are of
one kind, it is proven; several kinds are candidates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import TypeAlias

from shapeinspect.binary.names import DEEPEST
from shapeinspect.dims import Shape
from shapeinspect.errors import LayoutError
from shapeinspect.frozen import Frozen, changed
from shapeinspect.ir import Layer, Layout, Weight
from shapeinspect.layout.pattern import KERNEL_AXES, lengths, parse

#: Looks up the layout of a weight: native type, role, rank, lengths of parts of composite axes.
Bind: TypeAlias = "Callable[[str, str, int, Mapping[str, int]], Layout | None]"
#: The length of each axis name; for a starred name all of its lengths.
Sizes: TypeAlias = "dict[str, int | tuple[int, ...]]"

_AXIS = re.compile(r"\(([^)]*)\)|(\S+)")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one kind of layer looks like in a file of bare names and shapes.

    Args:
        kind: the kind that it proves.
        type: the native layer type whose layouts its weights have.
        roles: its weights and the axes of each, such as ``"weight: o i *k; bias?: o"``. A name
            with ``?`` may be missing, an axis name has the same length wherever it stands, ``*k``
            stands for one to three axes and any other starred name for one or more.
        attributes: the attributes that follow, and the axes (a product of names) each one is.
        sizes: the lengths of axis names that are fixed, such as ``{"gate": 4}``.
        constants: further attributes.

    Example:
        >>> row = Evidence("linear", "Linear", "weight: o i; bias: o", Frozen(in_features="i"))
        >>> row.fit({"weight": (3, 5), "bias": (3,)})
        {'o': 3, 'i': 5}
        >>> row.fit({"weight": (3, 5), "bias": (5,)}) is None
        True
    """

    kind: str
    type: str
    roles: str
    attributes: Frozen[str] = Frozen()
    sizes: Frozen[int] = Frozen()
    constants: Frozen[object] = Frozen()

    def fit(self, shapes: Mapping[str, Shape]) -> Sizes | None:
        """Return the length of each axis name if these weights can be this kind's, else None.

        Args:
            shapes: every weight of the group by its role.
        """
        patterns = _compiled(self.roles)
        if any(role not in patterns for role in shapes):
            return None
        if any(role not in shapes for role, (optional, _) in patterns.items() if not optional):
            return None
        return _solve([(patterns[role][1], shape) for role, shape in shapes.items()], self.sizes)


@dataclass(frozen=True, slots=True)
class Match:
    """One row of evidence that fits a group.

    Args:
        kind: the kind of the row.
        type: the native layer type.
        attributes: the settings that follow from the shapes.
        sizes: the length of each axis name.
    """

    kind: str
    type: str
    attributes: Frozen[object]
    sizes: Frozen[int]


@dataclass(frozen=True, slots=True)
class Group:
    """The weights under one prefix.

    Args:
        path: the prefix, without the separator.
        parts: the parts of the prefix.
        weights: its own weights by role.

    Example:
        >>> [group.path for group in groups([Weight("a.0.w", "", (1,)), Weight("b", "", ())])]
        ['a.0', '']
    """

    path: str
    parts: tuple[str, ...]
    weights: Mapping[str, Weight]

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of each weight by its role."""
        return {role: weight.shape for role, weight in self.weights.items()}


def counters_aside(weight: Weight) -> Weight:
    """Return an array that no optimizer changes as a buffer: a counter, an index, a mask or a key.

    Narrower integers may be a quantized weight; as one number they are a counter, too.

    Args:
        weight: the array.

    Example:
        >>> stored = [("steps", (), "int32"), ("ids", (7,), "int64"), ("codes", (3, 5), "int8")]
        >>> [counters_aside(Weight(name, name, shape, dtype)).buffer for name, shape, dtype in stored]
        [True, True, False]
    """
    dtype = weight.dtype or ""
    wide = dtype in ("int64", "uint64", "bool") or (dtype == "uint32" and len(weight.shape) < 2)
    if (wide or (not weight.shape and dtype.startswith(("int", "uint")))) and not weight.buffer:
        return replace(weight, buffer=True, trainable=False)
    return weight


def groups(weights: Iterable[Weight], separator: str = ".", inner: Sequence[str] = ()) -> list[Group]:
    """Group weights by the prefixes of their names, in the order in which each first appears.

    Args:
        weights: the weights, with unique names; the role of each is what follows its prefix.
        separator: what stands between the parts of a name.
        inner: the first parts of roles that have several parts, such as ``"lora_A"``.

    Example:
        >>> grouped = groups([Weight("q.lora_A.weight", "", (8, 64))], inner=("lora_A",))
        >>> grouped[0].path, list(grouped[0].weights)
        ('q', ['lora_A.weight'])
    """
    weights = tuple(weights)
    every = "\n".join(weight.name for weight in weights)
    marks = tuple(f"{separator}{part}{separator}" for part in inner if part in every)
    collected: dict[str, dict[str, Weight]] = {}
    for weight in weights:
        path, role = _split(weight.name, separator, marks)
        members = collected.get(path)
        if members is None:
            collected[path] = {role: weight}
        else:
            members[role] = weight
    return [
        Group(path, tuple(map(intern, path.split(separator, DEEPEST - 1))) if path else (), members)
        for path, members in collected.items()
    ]


def _split(name: str, separator: str, marks: tuple[str, ...]) -> tuple[str, str]:
    for mark in marks:
        whole = f"{separator}{name}{separator}"
        start = whole.find(mark)
        if start >= 0:
            return whole[len(separator) : start], name[start:]
    path, _, role = name.rpartition(separator)
    return path, role


def prove(shapes: Mapping[str, Shape], rows: Iterable[Evidence]) -> tuple[Match, ...]:
    """Return every row of evidence that a group's weights fit.

    Args:
        shapes: every weight of the group by its role.
        rows: the evidence.

    Example:
        >>> rows = [Evidence("linear", "Linear", "weight: o i; bias?: o"),
        ...         Evidence("embedding", "Embedding", "weight: V E")]
        >>> [match.kind for match in prove({"weight": (3, 5)}, rows)]
        ['linear', 'embedding']
    """
    matches = []
    for row in rows:
        fitted = row.fit(shapes)
        if fitted is not None:
            attributes = {name: _length(axes, fitted) for name, axes in row.attributes.items()}
            known = {name: value for name, value in attributes.items() if value is not None}
            sizes = {name: size for name, size in fitted.items() if isinstance(size, int)}
            matches.append(Match(row.kind, row.type, Frozen({**row.constants, **known}), Frozen(sizes)))
    return tuple(matches)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The conclusion about every group of the same roles and shapes.

    Args:
        kind: the proven kind, or ``"unknown"``.
        candidates: the possible kinds where none is proven.
        attributes: the settings that follow from the shapes.
        layouts: the layout of each weight, by role; None where nothing proves one.
        buffers: the roles that are buffers.
    """

    kind: str
    candidates: tuple[str, ...]
    attributes: Frozen[object]
    layouts: Mapping[str, Layout | None]
    buffers: frozenset[str] = frozenset()


def judge(shapes: Mapping[str, Shape], matches: Sequence[Match], bind: Bind) -> Verdict:
    """Conclude what all rows of evidence that fit a group agree on.

    Args:
        shapes: every weight of the group by its role.
        matches: the rows that fit; without any the kind is ``"unknown"``.
        bind: looks up layouts by native type.

    Example:
        >>> judge({"weight": (3, 5)}, [], lambda *_: None).kind
        'unknown'
    """
    kinds = tuple(dict.fromkeys(match.kind for match in matches))
    proven = len(kinds) == 1
    layouts: dict[str, Layout | None] = {}
    for role, shape in shapes.items():
        bound = {_bound(role, shape, match, bind) for match in matches}
        layouts[role] = bound.pop() if len(bound) == 1 else None
    return Verdict(
        kinds[0] if proven else "unknown",
        () if proven else kinds,
        _agreed(matches) if proven else Frozen(),
        layouts,
    )


def layer(group: Group, verdict: Verdict, *, path: str | None = None) -> Layer:
    """Build the layer of a group.

    Args:
        group: the weights.
        verdict: the conclusion about them.
        path: the layer's path, where it is not the group's.

    Example:
        >>> group = groups([Weight("fc.weight", "", (3, 5))])[0]
        >>> layer(group, judge(group.shapes, [], lambda *_: None)).weights[0].role
        'weight'
    """
    name = group.path if path is None else path
    weights = tuple([_judged(weight, role, verdict) for role, weight in group.weights.items()])
    parts = group.parts or (name,)
    return Layer(name, verdict.kind, "", parts, verdict.attributes, weights, verdict.candidates)


def _judged(weight: Weight, role: str, verdict: Verdict) -> Weight:
    layout, buffer = verdict.layouts.get(role), role in verdict.buffers
    if role == weight.role and layout is weight.layout and not buffer:
        return weight
    if buffer:
        return changed(weight, role=role, layout=layout, buffer=True, trainable=False)
    return changed(weight, role=role, layout=layout)


def _agreed(matches: Sequence[Match]) -> Frozen[object]:
    first, *others = (match.attributes for match in matches)
    same = {name: value for name, value in first.items() if all(o.get(name) == value for o in others)}
    return Frozen(same)


def _bound(role: str, shape: Shape, match: Match, bind: Bind) -> Layout | None:
    layout = bind(match.type, role, len(shape), match.sizes)
    if layout is None:
        return None
    native = parse(layout.native)
    try:
        lengths(native, shape, layout.sizes)
    except LayoutError:
        return None
    composite = {name for axis in native.axes if len(axis) > 1 for name in axis}
    return replace(layout, sizes=Frozen({n: size for n, size in layout.sizes.items() if n in composite}))


def _length(axes: str, sizes: Sizes) -> int | tuple[int, ...] | None:
    total = 1
    for name in axes.split():
        value = sizes.get(name)
        if not isinstance(value, int):
            return value
        total *= value
    return total


_Axes: TypeAlias = "tuple[tuple[str, ...], ...]"
_PATTERNS: dict[str, dict[str, tuple[bool, _Axes]]] = {}


def _compiled(roles: str) -> dict[str, tuple[bool, _Axes]]:
    known = _PATTERNS.get(roles)
    if known is None:
        pairs = [text.partition(":") for text in roles.split(";")]
        known = _PATTERNS[roles] = {
            role.strip().removesuffix("?"): (role.strip().endswith("?"), _axes(axes))
            for role, _, axes in pairs
        }
    return known


def _axes(text: str) -> _Axes:
    # "(gate h) h 1" -> (("gate", "h"), ("h",), ()): unlike in a layout, a name may occur twice.
    axes = (group.split() if group else single.split() for group, single in _AXIS.findall(text))
    return tuple(() if axis == ["1"] else tuple(axis) for axis in axes)


def _solve(weights: list[tuple[_Axes, Shape]], sizes: Mapping[str, int]) -> Sizes | None:
    """Give every axis name one length, or None where no lengths fit."""
    solved: Sizes = dict(sizes)
    pending: list[tuple[tuple[str, ...], int]] = []
    for axes, shape in weights:
        spread = _spread(axes, shape, solved)
        if spread is None:
            return None
        pending += spread
    while pending:
        rest = []
        for names, length in pending:
            known, missing = 1, ""
            for name in names:
                value = solved.get(name)
                if isinstance(value, int):
                    known *= value
                else:
                    missing = name if not missing else "several"
            if missing == "several":
                rest.append((names, length))
            elif length % known or (not missing and length != known):
                return None
            elif missing:
                solved[missing] = length // known
        if len(rest) == len(pending):
            break  # every axis left has several unknown parts: some lengths always fit
        pending = rest
    return solved


def _spread(axes: _Axes, shape: Shape, solved: Sizes) -> list[tuple[tuple[str, ...], int]] | None:
    """Pair the axes of one weight with its lengths, and assign the remaining lengths to a starred name."""
    plain = [length for length in shape if isinstance(length, int) and length > 0]
    star = next((index for index, names in enumerate(axes) if names and names[0].startswith("*")), None)
    if len(plain) != len(shape):
        return None
    if star is None:
        return list(zip(axes, plain, strict=True)) if len(axes) == len(plain) else None
    name, count = axes[star][0], len(plain) - len(axes) + 1
    rest = tuple(plain[star : star + count])
    if count < 1 or (name == "*k" and count not in KERNEL_AXES) or solved.setdefault(name, rest) != rest:
        return None
    return list(zip(axes[:star] + axes[star + 1 :], plain[:star] + plain[star + count :], strict=True))
