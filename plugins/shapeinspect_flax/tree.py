"""Builds the layers from the leaves of a tree: the model's own, not the optimizer's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from shapeinspect.dims import Shape
from shapeinspect.errors import UnreadableFileError
from shapeinspect.ir import Frozen, Layer, Layout, Note, Weight
from shapeinspect.layout import lengths, parse
from shapeinspect.layout.bare import Group, Match, Verdict, judge, layer, prove
from shapeinspect.sources.source import Source
from shapeinspect_flax import values
from shapeinspect_flax.dtypes import READABLE
from shapeinspect_flax.evidence import ATTENTION, BUFFERS, CELLS, EVIDENCE, INWARD, OUTWARD, ROLES
from shapeinspect_flax.layouts import bind
from shapeinspect_flax.leaves import Leaf

#: The path of weights whose names have no prefix.
ROOT = "(root)"
#: Collections of a model's variables, how deep they are looked for, and what an optimizer keeps.
_PARAMS, _STATISTICS, _DEEP = "params", "batch_stats", 4
_OPTIMIZER = frozenset(("opt_state", "opt_states", "optimizer", "optimizer_state"))
#: The name that flax.linen gives to a layer that has none: its class and a number.
_AUTOMATIC = re.compile(r"([A-Z]\w*)_\d+")
#: Types of the table that are one class of flax.linen with another setting.
_CLASSES = {"ConvTransposeTurned": "ConvTranspose", "DenseGeneralJoin": "DenseGeneral"}
_NORMALIZED = frozenset(("layer_norm", "rms_norm"))
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class _Member:
    parts: tuple[str, ...]
    role: str
    leaf: Leaf
    buffer: bool


@dataclass(slots=True)
class _Gathered:
    """One layer to be: its weights, and whether the shapes of some are not told."""

    weights: dict[str, Weight] = field(default_factory=dict)
    untold: bool = False


def layers_of(leaves: Iterable[Leaf], source: Source) -> tuple[tuple[Layer, ...], tuple[Note, ...]]:
    """Group the model's weights into layers, each kind only where it is proven.

    Args:
        leaves: all values of the checkpoint.
        source: where their numbers are.

    Returns:
        The layers, and what has to be said about them.
    """
    members, rest = _sort(list(leaves))
    gathered = _gather(members, source)
    made = _Maker(gathered).layers()
    return made, (*_notes(made), *_left_out(rest))


def _sort(leaves: Sequence[Leaf]) -> tuple[list[_Member], list[Leaf]]:
    """Tell the model's weights from the rest."""
    named = [(_apart(leaf.parts), leaf) for leaf in leaves]
    collected = any(_collection(parts) is not None for parts, leaf in named if leaf.array)
    members, rest = [], []
    for parts, leaf in named:
        if leaf.array and (_collection(parts) is not None or not (collected or parts[0] in _OPTIMIZER)):
            members.append(_member(parts, leaf))
        else:
            rest.append(leaf)
    return members, rest


def _apart(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Take keys that are paths themselves apart."""
    for part in parts:
        if "/" in part:
            return tuple("/".join(parts).split("/"))
    return parts


def _member(parts: tuple[str, ...], leaf: Leaf) -> _Member:
    at = _collection(parts)
    statistics = at is not None and parts[at] == _STATISTICS
    if at is not None:
        after = at + 1
        while after < len(parts) - 1 and parts[after] == parts[at]:
            after += 1  # a TrainState whose params are all variables: params/params
        parts = parts[:at] + parts[after:]
    if len(parts) > 1 and parts[-1] == "value" and parts[-2] in ROLES:
        parts = parts[:-1]
    return _Member(parts[:-1], parts[-1], leaf, statistics)


def _collection(parts: tuple[str, ...]) -> int | None:
    """Return where a collection of the model's variables is named, or None."""
    for at, part in enumerate(parts[:_DEEP]):
        if part in _OPTIMIZER:
            return None
        if part in (_PARAMS, _STATISTICS) and at < len(parts) - 1:
            return at
    return None


def _gather(members: Sequence[_Member], source: Source) -> dict[tuple[str, ...], _Gathered]:
    children: dict[tuple[str, ...], set[str]] = {}
    for member in members:
        if member.parts:
            children.setdefault(member.parts[:-1], set()).add(member.parts[-1])
    found: dict[tuple[str, ...], _Gathered] = {}
    for member in members:
        parts, role = member.parts, member.role
        if parts and len(parts) > 1 and frozenset(children[parts[:-1]]) in CELLS:
            parts, role = parts[:-1], f"{parts[-1]}/{role}"
        group = found.setdefault(parts, _Gathered())
        if role in group.weights:
            raise UnreadableFileError(source.label, f"two weights are called {'/'.join((*parts, role))!r}")
        if member.leaf.shape is None:
            group.untold = True
        else:
            group.weights[role] = _weight(member, role, member.leaf.shape, source)
    return found


def _weight(member: _Member, role: str, shape: Shape, source: Source) -> Weight:
    leaf = member.leaf
    buffer = member.buffer or role in BUFFERS
    readable = bool(leaf.pieces) and leaf.dtype in READABLE
    return Weight(
        leaf.name,
        role,
        shape,
        leaf.dtype,
        leaf.nbytes,
        trainable=False if buffer else None,
        buffer=buffer,
        where=leaf.home.name if leaf.home is not None else None,
        values=partial(values.read, leaf.home or source, leaf) if readable else None,
    )


class _Maker:
    """Proves the kinds of the layers of one tree; equal ones are proven once."""

    def __init__(self, gathered: dict[tuple[str, ...], _Gathered]) -> None:
        self._gathered = gathered
        self._known: dict[object, tuple[Verdict, str]] = {}

    def layers(self) -> tuple[Layer, ...]:
        paths: set[str] = set()
        made = []
        for parts, group in self._gathered.items():
            path = "/".join(parts) or ROOT
            while path in paths:
                path += "'"  # a key that is written as a path, or called as the root is
            paths.add(path)
            made.append(self._layer(Group(path, parts, group.weights), group.untold))
        return tuple(made)

    def _layer(self, group: Group, untold: bool) -> Layer:
        # A scale below "kernel" is that of a weight normalization, and no layer.
        unclear = untold or (bool(group.parts) and group.parts[-1] in ROLES)
        shapes = {} if unclear else group.shapes
        place = self._place(group.parts)
        automatic = _AUTOMATIC.fullmatch(group.parts[-1]) if group.parts else None
        key = (tuple(shapes.items()), place, automatic and automatic[1])
        known = self._known.get(key)
        if known is None:
            matches, type_ = _matches(shapes, place, automatic[1] if automatic else "")
            verdict = judge(shapes, matches, bind)
            layouts = {role: _invertible(layout, shapes[role]) for role, layout in verdict.layouts.items()}
            known = self._known[key] = replace(verdict, layouts=layouts), type_
        verdict, type_ = known
        made = layer(group, verdict)
        attributes = made.attributes
        if made.kind in _NORMALIZED:
            attributes = Frozen({**attributes, "normalized_shape": made.weights[0].shape})
        # Spelt out, at half the price of dataclasses.replace.
        return Layer(made.path, made.kind, type_, made.parts, attributes, made.weights, made.candidates)

    def _place(self, parts: tuple[str, ...]) -> str:
        """Return ``in`` or ``out`` for a layer of multi-head attention, else an empty text."""
        if not parts or parts[-1] not in (*INWARD, OUTWARD):
            return ""
        shapes = [self._kernel((*parts[:-1], name)) for name in (*INWARD, OUTWARD)]
        query, key, value, out = shapes
        if any(len(shape) != 3 for shape in shapes) or not query[1:] == key[1:] == value[1:] == out[:2]:
            return ""
        return "out" if parts[-1] == OUTWARD else "in"

    def _kernel(self, parts: tuple[str, ...]) -> Shape:
        group = self._gathered.get(parts)
        weight = group.weights.get("kernel") if group is not None else None
        return weight.shape if weight is not None else ()


def _invertible(layout: Layout | None, shape: Shape) -> Layout | None:
    """Keep the lengths that take a joined axis of the common convention apart again."""
    if layout is None:
        return None
    joined = {name for axis in parse(layout.common).axes if len(axis) > 1 for name in axis}
    found = lengths(parse(layout.native), shape, layout.sizes)
    sizes = {name: length for name, length in found.items() if name in joined and isinstance(length, int)}
    return replace(layout, sizes=Frozen(sizes)) if sizes else layout


def _matches(shapes: dict[str, Shape], place: str, automatic: str) -> tuple[tuple[Match, ...], str]:
    """Return the evidence that fits, and the class of the layer where its name tells it."""
    if not shapes:
        return (), ""
    if place:
        return prove(shapes, (ATTENTION[place],)), ""
    matches = prove(shapes, EVIDENCE)
    exact = tuple(match for match in matches if _CLASSES.get(match.type, match.type) == automatic)
    return (exact, automatic) if exact else (matches, "")


def _notes(made: Sequence[Layer]) -> tuple[Note, ...]:
    unproven = [item for item in made if item.kind == "unknown" and item.weights]
    if not unproven:
        return ()
    count, total = len(unproven), len(made)
    return (Note(f"names and shapes do not prove the kind of {count:,} of {total:,} layers"),)


def _left_out(rest: Sequence[Leaf]) -> tuple[Note, ...]:
    arrays: dict[str, int] = {}
    plain: list[str] = []
    for leaf in rest:
        if leaf.array:
            arrays[leaf.parts[0]] = arrays.get(leaf.parts[0], 0) + 1
        else:
            plain.append(leaf.name)
    notes = []
    if arrays:
        named = [f"{name} ({count:,})" for name, count in list(arrays.items())[:_MOST_NAMED]]
        listed = ", ".join(named) + (" …" if len(arrays) > _MOST_NAMED else "")
        notes.append(Note(f"arrays that are no part of the model were left out: {listed}"))
    if plain:
        listed = ", ".join(plain[:_MOST_NAMED]) + (" …" if len(plain) > _MOST_NAMED else "")
        notes.append(Note(f"plain values were left out: {listed}"))
    return tuple(notes)
