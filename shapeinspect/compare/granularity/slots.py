"""What is compared: layers that own weights, cut into slots, and their place in the graph."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shapeinspect.compare.granularity.attention import group_projections
from shapeinspect.compare.granularity.directions import join_directions
from shapeinspect.compare.granularity.stacks import halves, single_layers, stacked
from shapeinspect.compare.names import Name, aliases
from shapeinspect.dims import Shape
from shapeinspect.ir import Call, Layer, Layout, Model, Weight, companions
from shapeinspect.layout.canonical import Piece, pieces
from shapeinspect.layout.normalize import common_shape
from shapeinspect.progress import counted

#: How many of the latest layers are kept as the sources of a value: enough for every branch of a join, and
#: few where a residual stream accumulates all of them.
_LATEST = 8

#: The parts of an attention that a bare file lists as layers.
_OUT = ("out_proj",)

#: Roles whose slot no layout names, because the kind of the layer is not proven.
_ROLES = {
    "kernel": "weight", "W": "weight", "embeddings": "weight", "embedding": "weight", "gamma": "weight",
    "scale": "weight", "beta": "bias", "b": "bias",
}  # fmt: skip

#: Layers whose bias some frameworks add as an op of its own, and the setting that says how long it is.
_BIASED = {"linear": "out_features", "conv": "out_channels", "conv_transpose": "out_channels"}

_COUNTER = re.compile(r"int|bool")


@dataclass(frozen=True, slots=True)
class Slot:
    """One piece of a layer's weights.

    Args:
        name: the slot.
        weight: the stored weight that holds it.
        piece: where it stands in that weight; None where no layout is proven.
        stored: the source's weights that form this one, where they are one an entry; None where it is one.
    """

    name: str
    weight: Weight
    piece: Piece | None
    stored: tuple[Weight, ...] | None = None

    @property
    def shape(self) -> Shape:
        """Its lengths in the common convention; the stored ones where that is not proven."""
        return self.weight.shape if self.piece is None else self.piece.shape

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the weights in the source that hold it."""
        if self.stored is None:
            return (self.weight.name,)
        return tuple(weight.name for weight in self.stored)

    @property
    def size(self) -> int:
        """How many numbers it holds; 0 where a length is not known."""
        total = 1
        for length in self.shape:
            total *= length if isinstance(length, int) else 0
        return total


@dataclass(frozen=True, eq=False, slots=True)
class Unit:
    """A layer to be compared.

    Args:
        index: its index among the model's units.
        layer: the layer.
        slots: its weights, by slot.
        names: its names, see ``aliases``.
        paths: the paths of the layers that it groups, where it groups several.
        within: the layer that it is a part of, where it is one.
        change: what was done to its numbers when the model was converted, as a clause; here it is undone.
        sources: the units (and inputs, as ``"<name"``) whose values reach it through weightless ops.
        sinks: the units (and outputs, as ``">name"``) that its values reach.
    """

    index: int
    layer: Layer
    slots: Mapping[str, Slot]
    names: tuple[Name, ...]
    paths: tuple[str, ...] = ()
    within: str = ""
    change: str = ""
    sources: set[int | str] = field(default_factory=set)
    sinks: set[int | str] = field(default_factory=set)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds it can be of: its own, or the candidates."""
        kinds = self.layer.candidates if self.layer.kind == "unknown" else (self.layer.kind,)
        return frozenset(_FAMILIES.get(kind, kind) for kind in kinds)

    @property
    def main(self) -> tuple[Slot, ...]:
        """The slots that identify it: its kernels, or its first slot if it has none."""
        kernels = [slot for slot in self.slots.values() if "bias" not in slot.name and "+" not in slot.name]
        first = [slot for slot in kernels if "weight" in slot.name] or kernels[:1]
        return tuple(first or list(self.slots.values())[:1])


#: Kinds that are variants of the same layer.
_FAMILIES = {
    "rnn_cell": "rnn", "lstm_cell": "lstm", "gru_cell": "gru", "embedding_bag": "embedding",
    "gemm": "linear", "einsum": "linear",
}  # fmt: skip


def is_counter(weight: Weight) -> bool:
    """Tell whether a weight only counts something, such as ``num_batches_tracked``, or random numbers.

    Args:
        weight: the weight.

    Example:
        >>> is_counter(Weight("bn.num_batches_tracked", "num_batches_tracked", (), "int64"))
        True
    """
    integer = weight.dtype is not None and _COUNTER.search(weight.dtype) is not None
    generator = integer and weight.buffer and weight.role.startswith("seed_generator_state")
    return generator or (weight.size in (0, 1) and (integer or weight.role == "num_batches_tracked"))


def is_new(weight: Weight) -> bool:
    """Tell whether no file holds a weight: loading makes it, such as a low-rank update.

    Args:
        weight: the weight.

    Example:
        >>> is_new(Weight("up.lora_kernel_a", "lora_kernel_a", (5, 2), "float32", 0))
        True
    """
    return weight.nbytes == 0 and weight.values is None and 0 not in weight.shape


def units_of(
    model: Model,
    *,
    joined: bool = False,
    attentions: Sequence[Layer] = (),
    halved: bool = False,
    unstacked: bool = False,
    both_ways: Sequence[Layer] = (),
    notes: list[str] | None = None,
) -> list[Unit]:
    """Return the layers of a model that own weights, with their neighbors.

    Args:
        model: a model that went through ``layout.normalize`` and ``infer``.
        joined: whether to join separate projections into one attention.
        attentions: the attentions of the other model, where they are to be joined as these.
        halved: whether to split a separable convolution into two layers.
        unstacked: whether to split a recurrent stack into its layers.
        both_ways: the recurrent layers of the other model that read from both ends, where this one has a
            layer for each end: two of them are joined.
        notes: takes what was taken for granted there, one sentence each.
    """
    layers = _without_companions(_with_parts(_with_biases(model)))
    layers, members_of = group_projections(layers, attentions) if joined else (layers, {})
    if both_ways:
        ends = join_directions(layers, both_ways)
        layers, members_of = ends.layers, {**members_of, **ends.members}
        if notes is not None:
            notes += ends.notes
    units: list[Unit] = []
    for layer in counted(layers, "laying out layers"):
        if all(is_counter(weight) for weight in layer.weights):
            continue
        for part in _parts(layer, halved=halved, unstacked=unstacked):
            whole, stored = stacked(part)
            within = layer.path if part is not layer else ""
            slots = _slots(whole, stored)
            paths = members_of.get(layer.path, ())
            units.append(Unit(len(units), whole, slots, aliases(whole), paths, within))
    _connect(model, units)
    return units


def _parts(layer: Layer, *, halved: bool, unstacked: bool) -> Iterator[Layer]:
    for half in halves(layer) if halved else (layer,):
        yield from single_layers(half) if unstacked else (half,)


def _slots(layer: Layer, stored: Mapping[str, tuple[Weight, ...]]) -> dict[str, Slot]:
    by_name: dict[str, Slot] = {}
    for weight in layer.weights:
        if is_counter(weight) or (weight.layout is not None and not weight.layout.slot):
            continue
        cut = pieces(weight)
        for piece in cut:
            by_name.setdefault(piece.slot, Slot(piece.slot, weight, piece, stored.get(weight.name)))
        if not cut:
            name = _ROLES.get(weight.role, weight.role)
            by_name.setdefault(name if name not in by_name else weight.role, Slot(name, weight, None))
    return by_name


def _with_biases(model: Model) -> list[Layer]:
    """Make a vector that is added to a layer's output its bias: ONNX writes a MatMul and an Add."""
    layers = {layer.path: layer for layer in model.layers}
    readers: dict[str, list[Call]] = defaultdict(list)
    for call in model.calls:
        for name in call.inputs:
            readers[name].append(call)
    merged: dict[str, Layer] = {}
    for call in model.calls:
        layer = layers.get(call.layer)
        if layer is None or layer.kind not in _BIASED or len(layer.weights) != 1 or not call.outputs:
            continue
        adding = _adding(layer, call.outputs[0], layers, readers)
        layout = _BIASES.get(len(adding.weights[0].shape)) if adding is not None else None
        if adding is None or layout is None:
            continue
        vector = replace(adding.weights[0], layout=layout)
        vector = replace(vector, common_shape=common_shape(layout, vector.shape))
        merged[layer.path] = replace(layer, weights=(*layer.weights, vector))
        merged[adding.path] = replace(adding, weights=())
    return [merged.get(layer.path, layer) for layer in model.layers]


#: How a bias stands by the number of its axes: that of a projection may be cut into heads.
_BIASES = {1: Layout("o", "o", slot="bias"), 2: Layout("head d", "(head d)", slot="bias")}
#: Only a reshape may stand before the sum: it leaves the order of the features alone.
_MOST_RESHAPES = 2


def _adding(
    layer: Layer, name: str, layers: Mapping[str, Layer], readers: Mapping[str, Sequence[Call]]
) -> Layer | None:
    """Return the layer that adds a number to each feature that a layer returns; None if none does."""
    features = layer.attributes.get(_BIASED[layer.kind])
    for _ in range(_MOST_RESHAPES):
        after = readers.get(name, [])
        reader = layers.get(after[0].layer) if len(after) == 1 else None
        if reader is None:
            return None
        if reader.attributes.get("op") == "add" and len(reader.weights) == 1:
            shape = reader.weights[0].shape
            lengths = [length for length in shape if isinstance(length, int)]
            fits = len(lengths) == len(shape) and math.prod(lengths) == features
            return reader if fits and len(_named(after[0])) == 1 else None
        if reader.kind != "reshape" or layer.kind != "linear" or not after[0].outputs:
            return None
        name = after[0].outputs[0]
    return None


def _without_companions(layers: list[Layer]) -> list[Layer]:
    """Leave out the scales and the like of quantized weights: dequantizing has used them up."""
    beside = companions(weight for layer in layers for weight in layer.weights)
    if not beside:
        return layers
    return [
        replace(layer, weights=tuple(weight for weight in layer.weights if weight.name not in beside))
        for layer in layers
    ]


def _named(call: Call) -> list[str]:
    return [name for name in call.inputs if name]


def _with_parts(layers: list[Layer]) -> list[Layer]:
    """Move an output projection into its attention, where a bare file lists it as a separate layer."""
    by_path = {layer.path: layer for layer in layers}
    moved: dict[str, Layer] = {}
    for layer in layers:
        if layer.kind != "attention":
            continue
        held = {piece.slot for weight in layer.weights for piece in pieces(weight)}
        for name in _OUT:
            child = by_path.get(f"{layer.path}.{name}")
            if child is None or child.kind != "linear" or "out.weight" in held:
                continue
            parts = tuple(
                replace(weight, layout=replace(weight.layout, slot=f"out.{weight.layout.slot}"))
                for weight in child.weights
                if weight.layout is not None
            )
            moved[layer.path] = replace(layer, weights=(*layer.weights, *parts))
            moved[child.path] = replace(child, weights=())
    return [moved.get(layer.path, layer) for layer in layers]


def _connect(model: Model, units: list[Unit]) -> None:
    """Connect every unit with the units before and after it, through ops without weights."""
    owners: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        for path in unit.paths or (unit.within or unit.layer.path,):
            owners[path].append(unit)
    containers = {layer.path for layer in model.layers if layer.kind == "module"}
    reaching: dict[str, tuple[int | str, ...]] = {name: (f"<{name}",) for name in model.inputs}
    for call in model.calls:
        if call.layer in containers:
            continue
        before = tuple(_latest(reaching, call))
        for owner in owners.get(call.layer, ()):  # the parts of one layer follow one another
            before = tuple(source for source in before if source != owner.index)
            owner.sources.update(before)
            for source in before:
                if isinstance(source, int):
                    units[source].sinks.add(owner.index)
            before = (owner.index,)
        for name in call.outputs:
            reaching[name] = before
    for name in model.outputs:
        for source in reaching.get(name, ()):
            if isinstance(source, int):
                units[source].sinks.add(f">{name}")


def _latest(reaching: Mapping[str, tuple[int | str, ...]], call: Call) -> Iterator[int | str]:
    sources = {source for name in call.inputs for source in reaching.get(name, ())}
    ordered = sorted(sources, key=lambda source: source if isinstance(source, int) else -1)
    yield from ordered[-_LATEST:]
