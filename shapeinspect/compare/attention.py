"""Projections that are layers of their own, seen as the one attention that they are in other frameworks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from shapeinspect.ir import Layer, Weight

#: What the projections of an attention are called, by the slot that each one is.
_NAMES = {
    "q": ("q", "q_proj", "query", "query_proj", "to_q", "wq", "q_lin", "linear_q"),
    "k": ("k", "k_proj", "key", "key_proj", "to_k", "wk", "k_lin", "linear_k"),
    "v": ("v", "v_proj", "value", "value_proj", "to_v", "wv", "v_lin", "linear_v"),
    "out": ("o", "out", "out_proj", "o_proj", "output", "proj", "wo", "out_lin", "linear_out", "to_out"),
}
_PARTS = {name: slot for slot, names in _NAMES.items() for name in names}


def gather(layers: Sequence[Layer]) -> tuple[list[Layer], dict[str, tuple[str, ...]]]:
    """Join linear layers that stand side by side as query, key and value, and the output beside them.

    Args:
        layers: a model's layers.

    Returns:
        the layers, each attention in the place of its first projection; and what every attention is
        made of, by its path.

    Example:
        >>> from shapeinspect.ir import Layout
        >>> def linear(name):
        ...     layout = Layout("o i", "o i", slot="weight")
        ...     weight = Weight(f"a.{name}.weight", "weight", (6, 6), layout=layout)
        ...     return Layer(f"a.{name}", "linear", "Linear", ("a", name), weights=(weight,))
        >>> joined, parts = gather([linear("q_proj"), linear("k_proj"), linear("v_proj"), linear("o_proj")])
        >>> [layer.path for layer in joined], parts["a"][1]
        (['a'], 'a.k_proj')
    """
    beside: dict[tuple[str, ...], dict[str, Layer]] = defaultdict(dict)
    for layer in layers:
        name = layer.parts[-1] if layer.parts else ""
        slot = _PARTS.get(name)
        if layer.kind == "linear" and len(layer.parts) > 1 and slot is not None:
            beside[layer.parts[:-1]].setdefault(slot, layer)
    first: dict[str, Layer] = {}
    gone: set[str] = set()
    made_of: dict[str, tuple[str, ...]] = {}
    for parts, found in beside.items():
        if not {"q", "k", "v"} <= found.keys():
            continue
        members = [found[slot] for slot in _NAMES if slot in found]
        weights = tuple(
            _renamed(weight, slot) for slot in _NAMES if slot in found for weight in found[slot].weights
        )
        path = members[0].path[: len(members[0].path) - len(members[0].parts[-1])].rstrip("./")
        first[members[0].path] = Layer(path, "attention", "", parts, weights=weights)
        gone.update(member.path for member in members)
        made_of[path] = tuple(member.path for member in members)
    joined = [
        first.get(layer.path, layer)
        for layer in layers
        if layer.path in first or (layer.path not in gone and layer.path not in made_of)
    ]
    return joined, made_of


def _renamed(weight: Weight, slot: str) -> Weight:
    layout = weight.layout
    return weight if layout is None else replace(weight, layout=replace(layout, slot=f"{slot}.{layout.slot}"))
