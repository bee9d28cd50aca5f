"""Builds layers from the leaves of a tree: those of the model, not of the optimizer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from shapeinspect.dims import Shape
from shapeinspect.errors import UnreadableFileError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Layout, Note, Weight
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
#: Collections of a model's variables, the depth to which they are searched, and an optimizer's keys.
_PARAMS, _STATISTICS, _DEEP = "params", "batch_stats", 4
_OPTIMIZER = frozenset(("opt_state", "opt_states", "optimizer", "optimizer_state"))
#: The default name of a layer in flax.linen: its class and a number.
_AUTOMATIC = re.compile(r"([A-Z]\w*)_\d+")
#: Types of the table that are a class of flax.linen with a different setting.
_CLASSES = {"ConvTranspose(transpose_kernel)": "ConvTranspose", "DenseGeneralJoin": "DenseGeneral"}
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
    """The weights of one future layer, and whether the shapes of some are unknown."""

    weights: dict[str, Weight] = field(default_factory=dict)
    incomplete: bool = False


def layers_of(leaves: Iterable[Leaf], source: Source) -> tuple[tuple[Layer, ...], tuple[Note, ...]]:
    """Group the model's weights into layers; a kind is assigned only where it is proven.

    Args:
        leaves: all values of the checkpoint.
        source: the file of their values.

    Returns:
        The layers, and notes about them.
    """
    members, rest = _sort(list(leaves))
    gathered = _gather(members, source)
    layers = _Builder(gathered).layers()
    return layers, (*_notes(layers), *_left_out(rest))


def _sort(leaves: Sequence[Leaf]) -> tuple[list[_Member], list[Leaf]]:
    """Separate the model's weights from the rest."""
    named = [(_split_paths(leaf.parts), leaf) for leaf in leaves]
    collected = any(_collection(parts) is not None for parts, leaf in named if leaf.array)
    members, rest = [], []
    for parts, leaf in named:
        if leaf.array and (_collection(parts) is not None or not (collected or parts[0] in _OPTIMIZER)):
            members.append(_member(parts, leaf))
        else:
            rest.append(leaf)
    return members, rest


def _split_paths(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Split keys that are themselves paths."""
    for part in parts:
        if "/" in part:
            return tuple("/".join(parts).split("/"))
    return parts


def _member(parts: tuple[str, ...], leaf: Leaf) -> _Member:
    index = _collection(parts)
    statistics = index is not None and parts[index] == _STATISTICS
    if index is not None:
        next_index = index + 1
        while next_index < len(parts) - 1 and parts[next_index] == parts[index]:
            next_index += 1  # a TrainState whose params are all variables: params/params
        parts = parts[:index] + parts[next_index:]
    if len(parts) > 1 and parts[-1] == "value" and parts[-2] in ROLES:
        parts = parts[:-1]
    return _Member(parts[:-1], parts[-1], leaf, statistics)


def _collection(parts: tuple[str, ...]) -> int | None:
    """Return the index of the key that names a collection of the model's variables, or None."""
    for index, part in enumerate(parts[:_DEEP]):
        if part in _OPTIMIZER:
            return None
        if part in (_PARAMS, _STATISTICS) and index < len(parts) - 1:
            return index
    return None


def _gather(members: Sequence[_Member], source: Source) -> dict[tuple[str, ...], _Gathered]:
    children: dict[tuple[str, ...], set[str]] = {}
    for member in members:
        if member.parts:
            children.setdefault(member.parts[:-1], set()).add(member.parts[-1])
    groups: dict[tuple[str, ...], _Gathered] = {}
    for member in members:
        parts, role = member.parts, member.role
        if parts and len(parts) > 1 and frozenset(children[parts[:-1]]) in CELLS:
            parts, role = parts[:-1], f"{parts[-1]}/{role}"
        group = groups.setdefault(parts, _Gathered())
        if role in group.weights:
            raise UnreadableFileError(source.label, f"two weights are named {'/'.join((*parts, role))!r}")
        if member.leaf.shape is None:
            group.incomplete = True
        else:
            group.weights[role] = _weight(member, role, member.leaf.shape, source)
    return groups


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


class _Builder:
    """Builds the layers of one tree; the kind of equal layers is proven only once."""

    def __init__(self, gathered: dict[tuple[str, ...], _Gathered]) -> None:
        self._gathered = gathered
        self._known: dict[object, tuple[Verdict, str]] = {}

    def layers(self) -> tuple[Layer, ...]:
        paths: set[str] = set()
        result = []
        for parts, group in self._gathered.items():
            path = "/".join(parts) or ROOT
            while path in paths:
                path += "'"  # a key that looks like a path, or like the name of the root
            paths.add(path)
            result.append(self._layer(Group(path, parts, group.weights), group.incomplete))
        return tuple(result)

    def _layer(self, group: Group, incomplete: bool) -> Layer:
        # A scale below "kernel" belongs to weight normalization and is not a layer.
        unclear = incomplete or (bool(group.parts) and group.parts[-1] in ROLES)
        shapes = {} if unclear else group.shapes
        side = self._attention_side(group.parts)
        automatic = _AUTOMATIC.fullmatch(group.parts[-1]) if group.parts else None
        key = (tuple(shapes.items()), side, automatic and automatic[1])
        proven = self._known.get(key)
        if proven is None:
            matches, type_ = _matches(shapes, side, automatic[1] if automatic else "")
            verdict = judge(shapes, matches, bind)
            layouts = {role: _invertible(layout, shapes[role]) for role, layout in verdict.layouts.items()}
            proven = self._known[key] = replace(verdict, layouts=layouts), type_
        verdict, type_ = proven
        built = layer(group, verdict)
        attributes = built.attributes
        if built.kind in _NORMALIZED:
            attributes = Frozen({**attributes, "normalized_shape": built.weights[0].shape})
        # Written out, which takes half the time of dataclasses.replace.
        return Layer(built.path, built.kind, type_, built.parts, attributes, built.weights, built.candidates)

    def _attention_side(self, parts: tuple[str, ...]) -> str:
        """Return ``in`` or ``out`` for a layer of multi-head attention, else an empty string."""
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
    """Keep the lengths that are needed to split a joined axis of the common convention again."""
    if layout is None:
        return None
    joined = {name for axis in parse(layout.common).axes if len(axis) > 1 for name in axis}
    known_lengths = lengths(parse(layout.native), shape, layout.sizes)
    sizes = {
        name: length for name, length in known_lengths.items() if name in joined and isinstance(length, int)
    }
    return replace(layout, sizes=Frozen(sizes)) if sizes else layout


def _matches(shapes: dict[str, Shape], side: str, automatic: str) -> tuple[tuple[Match, ...], str]:
    """Return the evidence that fits, and the class of the layer where its name reveals it."""
    if not shapes:
        return (), ""
    if side:
        return prove(shapes, (ATTENTION[side],)), ""
    matches = prove(shapes, EVIDENCE)
    exact = tuple(match for match in matches if _CLASSES.get(match.type, match.type) == automatic)
    return (exact, automatic) if exact else (matches, "")


def _notes(layers: Sequence[Layer]) -> tuple[Note, ...]:
    unproven = [item for item in layers if item.kind == "unknown" and item.weights]
    if not unproven:
        return ()
    count, total = len(unproven), len(layers)
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
        notes.append(Note(f"arrays that are not part of the model were left out: {listed}"))
    if plain:
        listed = ", ".join(plain[:_MOST_NAMED]) + (" …" if len(plain) > _MOST_NAMED else "")
        notes.append(Note(f"plain values were left out: {listed}"))
    return tuple(notes)
