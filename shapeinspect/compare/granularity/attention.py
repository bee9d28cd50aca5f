"""Groups separate q/k/v/out projections into one attention layer, by their names or by the other model's."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import replace

from shapeinspect.compare.names import aliases
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Weight

#: The names of attention projections, by the slot that each becomes.
_NAMES = {
    "q": ("q", "q_proj", "query", "query_proj", "to_q", "wq", "q_lin", "linear_q"),
    "k": ("k", "k_proj", "key", "key_proj", "to_k", "wk", "k_lin", "linear_k"),
    "v": ("v", "v_proj", "value", "value_proj", "to_v", "wv", "v_lin", "linear_v"),
    "out": (
        "o",
        "out",
        "out_proj",
        "o_proj",
        "output",
        "proj",
        "wo",
        "out_lin",
        "linear_out",
        "to_out",
        "attention_output",
    ),
}
#: What TensorFlow appends to a name that is taken: "query_1".
_COUNTED = re.compile(r"_\d+$")
_PARTS = {name: slot for slot, names in _NAMES.items() for name in names}


def group_projections(
    layers: Sequence[Layer], attentions: Sequence[Layer] = ()
) -> tuple[list[Layer], dict[str, tuple[str, ...]]]:
    """Join sibling linear layers that are the query, key, value and output projections of an attention.

    Args:
        layers: a model's layers.
        attentions: the other model's attentions: what stands under the name of one is it, whatever its parts
            are called. An exporter writes one product for query, key and value, or one for each in order.

    Returns:
        the layers, each attention in the place of its first projection; and the paths of its projections,
        by its own path.

    Example:
        >>> from shapeinspect.ir import Layout
        >>> def linear(name):
        ...     layout = Layout("o i", "o i", slot="weight")
        ...     weight = Weight(f"a.{name}.weight", "weight", (6, 6), layout=layout)
        ...     return Layer(f"a.{name}", "linear", "Linear", ("a", name), weights=(weight,))
        >>> names = ("q_proj", "k_proj", "v_proj", "o_proj")
        >>> joined, parts = group_projections([linear(name) for name in names])
        >>> [layer.path for layer in joined], parts["a"][1]
        (['a'], 'a.k_proj')
    """
    siblings: dict[tuple[str, ...], dict[str, Layer]] = defaultdict(dict)
    for layer in layers:
        parts = _named(layer)
        slot = _slot(parts[-1]) if parts else None
        if layer.kind == "linear" and len(parts) > 1 and slot is not None:
            siblings[parts[:-1]].setdefault(slot, layer)
    first: dict[str, Layer] = {}
    grouped: set[str] = set()
    members_of: dict[str, tuple[str, ...]] = {}
    for parts, by_slot in siblings.items():
        if not {"q", "k", "v"} <= by_slot.keys():
            continue
        members = [by_slot[slot] for slot in _NAMES if slot in by_slot]
        weights = tuple(
            _renamed(weight, slot) for slot in _NAMES if slot in by_slot for weight in by_slot[slot].weights
        )
        path = members[0].path[: members[0].path.rindex(_named(members[0])[-1])].rstrip("./")
        first[members[0].path] = Layer(path, "attention", "", parts, weights=weights)
        grouped.update(member.path for member in members)
        members_of[path] = tuple(member.path for member in members)
    unnamed: list[Layer] = []
    found: list[tuple[list[Layer], Layer]] = []
    for attention in attentions:
        below = [layer for layer in layers if _is_below(layer, attention) and layer.path not in grouped]
        if not below:
            unnamed.append(attention)
        found.append((below, attention))
    found += _in_containers([layer for layer in layers if layer.path not in grouped], unnamed)
    for below, attention in found:
        weights = _of_exporter(below, attention)
        if weights:
            path = below[0].path[: -len(below[0].parts[-1])].rstrip("./")
            first[below[0].path] = Layer(path, "attention", "", below[0].parts[:-1], weights=weights)
            grouped.update(layer.path for layer in below)
            members_of[path] = tuple(layer.path for layer in below)
    inside = {layer.parts[:-1] for layer in layers if layer.path in grouped and len(layer.parts) > 1}
    joined = [
        first.get(layer.path, _without_factor(layer, inside))
        for layer in layers
        if layer.path in first or (layer.path not in grouped and layer.path not in members_of)
    ]
    return joined, members_of


def _without_factor(layer: Layer, containers: Set[tuple[str, ...]]) -> Layer:
    """Leave out the one number by which an attention multiplies its products: it is no weight."""
    factor = layer.kind == "elementwise" and all(weight.size == 1 for weight in layer.weights)
    return replace(layer, weights=()) if factor and layer.parts[:-1] in containers else layer


def _named(layer: Layer) -> tuple[str, ...]:
    """Return a layer's name without what only repeats its type or is an op: "/attention/query_1/MatMul1"."""
    parts = next(iter(aliases(layer)), ())
    while len(parts) > 1 and _slot(parts[-1]) is None and parts[-1][:1].isupper():
        parts = parts[:-1]
    return parts


def _slot(part: str) -> str | None:
    return _PARTS.get(part) or _PARTS.get(_COUNTED.sub("", part))


def _renamed(weight: Weight, slot: str) -> Weight:
    layout = weight.layout
    return weight if layout is None else replace(weight, layout=replace(layout, slot=f"{slot}.{layout.slot}"))


def _in_containers(layers: Sequence[Layer], attentions: Sequence[Layer]) -> list[tuple[list[Layer], Layer]]:
    """Return the containers that are attentions by what they hold, where no name says so.

    They hold a softmax and the products of an attention, and there are as many as attentions are wanted.
    """
    by_container: dict[tuple[str, ...], list[Layer]] = defaultdict(list)
    for layer in layers if attentions else ():
        by_container[layer.parts[:-1]].append(layer)
    found: list[list[Layer]] = []
    for parts, members in by_container.items():
        linear = [layer for layer in members if layer.kind == "linear"]
        weighs = any(layer.kind == "softmax" for layer in members)
        if parts and weighs and any(_of_exporter(linear, attention) for attention in attentions):
            found.append(linear)
    return list(zip(found, attentions, strict=True)) if len(found) == len(attentions) else []


def _is_below(layer: Layer, attention: Layer) -> bool:
    above, name = _words(layer)[:-1], _words(attention)
    return layer.kind == "linear" and bool(above) and above[-len(name) :] == name[-len(above) :]


def _words(layer: Layer) -> list[str]:
    """Return the parts of a path, of which exporters join some by another sign: "/blocks.0/attn/MatMul"."""
    return [word for word in layer.path.replace("/", ".").split(".") if word]


def _of_exporter(below: Sequence[Layer], attention: Layer) -> tuple[Weight, ...]:
    """Return the weights of an attention whose products stand one after another; none if they are others."""
    heads, size = (attention.attributes.get(name) for name in ("num_heads", "head_dim"))
    width = attention.attributes.get("embed_dim")
    if width is None and isinstance(heads, int) and isinstance(size, int):
        width = heads * size
    rows = [layer.attributes.get("out_features") for layer in below]
    if not isinstance(width, int):
        return ()
    if rows == [3 * width, width]:
        packed, out = below
        return (*map(_packed, packed.weights), *(_renamed(weight, "out") for weight in out.weights))
    if rows == [width] * len(_NAMES):
        named = zip(_NAMES, below, strict=True)
        return tuple(_renamed(weight, slot) for slot, layer in named for weight in layer.weights)
    return ()


def _packed(weight: Weight) -> Weight:
    """Return the weight of a product for query, key and value as three, which its outputs are."""
    layout, shape = weight.layout, weight.common_shape
    if layout is None or layout.common.split()[:1] != ["o"] or shape is None or not isinstance(shape[0], int):
        return weight
    apart = replace(
        layout,
        native=" ".join("(qkv o)" if axis == "o" else axis for axis in layout.native.split()),
        common=f"qkv {layout.common}",
        sizes=Frozen({**layout.sizes, "qkv": 3}),
        slot=f"{{qkv}}.{layout.slot}",
        splits=(("qkv", ("q", "k", "v")),),
    )
    return replace(weight, layout=apart, common_shape=(3, shape[0] // 3, *shape[1:]))
