"""Layers without weights whose settings can differ: pools, resizing, and the activation behind a layer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace

from shapeinspect.compare.result import LayerPair, SettingPair, Status
from shapeinspect.compare.settings import differing, placed
from shapeinspect.compare.sides import ModelSide
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model

#: Kinds without weights that have settings of their own.
_KINDS = frozenset(
    (
        "max_pool",
        "avg_pool",
        "lp_pool",
        "adaptive_avg_pool",
        "adaptive_max_pool",
        "global_avg_pool",
        "global_max_pool",
        "resize",
        "pixel_shuffle",
        "pixel_unshuffle",
        "local_response_norm",
    )
)

#: Further kinds, of which only a difference is told: frameworks write them in more than one way.
_MORE = frozenset(
    ("softmax", "elementwise", "identity", "normalize", "lookup", "spectrogram", "augment", "pad", "crop")
)

#: What reads the output of a layer as it is, where nothing stands in between.
_READING = frozenset(("linear", "conv", "conv_transpose", "lstm", "gru", "rnn"))

#: What stands behind a layer that nothing activates.
_NO_ACTIVATION = Layer("", "activation", "", attributes=Frozen(function="none"))

#: How many ops are followed from a layer to its activation.
_MOST_STEPS = 8

#: Kinds that may stand between a layer and its activation without changing which one it is.
_TRANSPARENT = frozenset(
    (
        "reshape",
        "permute",
        "transpose2",
        "movedim",
        "flatten",
        "squeeze",
        "unsqueeze",
        "dropout",
        "identity",
        "cast",
        "batch_norm",
    )
)


def compare_weightless(a: ModelSide, b: ModelSide, pairs: Iterable[tuple[str, str]]) -> tuple[LayerPair, ...]:
    """Compare the pools and resizing layers that follow the same layers.

    They are found in the graph: both follow paired layers, or such a pair themselves. What only one side
    has is not reported, since frameworks write the same op in several ways. Within one framework, layers of
    one name are compared, too.

    Args:
        a: the first model.
        b: the second one.
        pairs: the paths of the layers that were paired.
    """
    partner = dict(pairs)
    behind_a, behind_b = _behind(a.model, set(partner)), _behind(b.model, set(partner.values()))
    compared: list[LayerPair] = []
    for path, paths_a in behind_a.items():
        paths_b = behind_b.get(partner[path] if path else "", [])
        for kind in dict.fromkeys(a.layers[name].kind for name in paths_a):
            left = [name for name in paths_a if a.layers[name].kind == kind]
            right = [name for name in paths_b if b.layers[name].kind == kind]
            if len(left) != len(right):
                continue
            for path_a, path_b in zip(left, right, strict=True):
                settings = differing(a.layer(a.layers[path_a]), b.layer(b.layers[path_b]))
                status: Status = "differs" if settings else "same"
                if kind in _MORE and not settings:
                    continue
                compared.append(LayerPair(path_a, path_b, kind, status, "structure", (), settings))
        compared += _other_pools(a, b, paths_a, paths_b)
    if a.model.adapter == b.model.adapter:
        compared += _of_one_name(a, b, partner.keys() | {pair.a for pair in compared})
        compared += _of_one_place(a, b, partner, {pair.a for pair in compared})
    return tuple(compared)


#: What a pool computes of a window.
_POOLED = {
    **dict.fromkeys(("max_pool", "adaptive_max_pool", "global_max_pool"), "maximum"),
    **dict.fromkeys(("avg_pool", "adaptive_avg_pool", "global_avg_pool"), "mean"),
}


def _other_pools(
    a: ModelSide, b: ModelSide, paths_a: Sequence[str], paths_b: Sequence[str]
) -> Iterator[LayerPair]:
    """Yield the pools behind the same layer of which one side takes the maximum, the other one the mean."""
    left = [path for path in paths_a if a.layers[path].kind in _POOLED]
    right = [path for path in paths_b if b.layers[path].kind in _POOLED]
    pooled = [[_POOLED[side.layers[path].kind] for path in paths] for side, paths in ((a, left), (b, right))]
    if len(left) != len(right) or Counter(pooled[0]) == Counter(pooled[1]):
        return
    for path_a, path_b, one, other in zip(left, right, *pooled, strict=True):
        if one != other:
            kinds = SettingPair("kind", a.layers[path_a].kind, b.layers[path_b].kind)
            yield LayerPair(path_a, path_b, a.layers[path_a].kind, "differs", "structure", (), (kinds,))


def _of_one_name(a: ModelSide, b: ModelSide, known: Set[str | None]) -> Iterator[LayerPair]:
    """Compare the other layers that one framework gives one name; those that are the same are not listed."""
    skipped = known | {layer.path for layer in functions(a.model).values()}
    for path, layer in a.layers.items():
        other = b.layers.get(path)
        if other is None or other.kind != layer.kind or layer.weights or other.weights or path in skipped:
            continue
        settings = differing(a.layer(layer), b.layer(other))
        if settings:
            yield LayerPair(path, path, layer.kind, "differs", "name", (), settings)


def _of_one_place(
    a: ModelSide, b: ModelSide, partner: Mapping[str, str], known: Set[str | None]
) -> Iterator[LayerPair]:
    """Compare what stands between the same layers in two models of one framework, step by step.

    Only where both have equally many steps is it known which one stands for which.
    """
    behind_a, behind_b = (
        _behind(side.model, set(owners), everything=True)
        for side, owners in ((a, partner.keys()), (b, partner.values()))
    )
    for owner, paths_a in behind_a.items():
        paths_b = behind_b.get(partner[owner] if owner else "", [])
        if len(paths_a) != len(paths_b):
            continue
        for left, right in _in_places(a, b, paths_a, paths_b):
            layer, other = a.layers[left], b.layers[right]
            if left in known or (layer.kind == other.kind and layer.kind in _KINDS | {"activation"}):
                continue
            settings = (
                placed(a.layer(layer), b.layer(other))
                if layer.kind == other.kind
                else (SettingPair("kind", layer.kind, other.kind),)
            )
            if settings:
                yield LayerPair(left, right, layer.kind, "differs", "structure", (), settings)


def _in_places(
    a: ModelSide, b: ModelSide, paths_a: Sequence[str], paths_b: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Pair as many steps in their order; of the same kinds, within each kind, as branches have no order."""
    kind_a, kind_b = (lambda path: a.layers[path].kind), (lambda path: b.layers[path].kind)
    if Counter(map(kind_a, paths_a)) == Counter(map(kind_b, paths_b)):
        paths_a, paths_b = sorted(paths_a, key=kind_a), sorted(paths_b, key=kind_b)
    return zip(paths_a, paths_b, strict=True)


def _behind(model: Model, owners: set[str], everything: bool = False) -> dict[str, list[str]]:
    """Return the layers of ``_KINDS`` behind each owner (or the input, ""), in the order of the graph."""
    layers = {layer.path: layer for layer in model.layers}
    last: dict[str, str] = dict.fromkeys(model.inputs, "")
    behind: dict[str, list[str]] = defaultdict(list)
    listed: set[tuple[str, str]] = set()
    for call in model.calls:
        layer = layers.get(call.layer)
        if layer is None or layer.kind == "module":
            continue
        names = [name for name in call.inputs if name]
        origin = last.get(names[0]) if len(names) >= 1 else None
        if layer.path in owners:
            origin = layer.path
        elif (
            (layer.kind in _KINDS | _MORE or (everything and layer.kind != "input" and not layer.weights))
            and origin is not None
            and (origin, layer.path) not in listed
        ):
            listed.add((origin, layer.path))
            behind[origin].append(layer.path)
        if origin is not None:
            last.update(dict.fromkeys(call.outputs, origin))
    return behind


def functions(model: Model) -> dict[str, Layer]:
    """Return the activation behind each layer whose output has one reader, past ops that only move values.

    Args:
        model: the model.
    """
    layers = {layer.path: layer for layer in model.layers}
    readers: dict[str, list[Call]] = defaultdict(list)
    for call in model.calls:
        if layers.get(call.layer) is None or layers[call.layer].kind == "module":
            continue
        for name in dict.fromkeys(call.inputs):
            readers[name].append(call)
    activations: dict[str, Layer] = {}
    for call in model.calls:
        layer = layers.get(call.layer)
        if layer is None or not layer.weights or not call.outputs:
            continue
        if layer.attributes.get("activation"):  # it is a setting of the layer itself
            inside = layer.attributes.get("activation_settings") or {}
            settings = Frozen({**inside, "function": layer.attributes["activation"]})
            activations[layer.path] = Layer(layer.path, "activation", "", attributes=settings)
        elif (activation := _activation(call.outputs[0], layers, readers, set(model.outputs))) is not None:
            activations[layer.path] = activation
    return activations


def _activation(
    name: str, layers: Mapping[str, Layer], readers: Mapping[str, Sequence[Call]], outputs: Set[str]
) -> Layer | None:
    """Follow a value through its only readers to an activation, or to where there is none for certain."""
    for _ in range(_MOST_STEPS):
        after = readers.get(name, [])
        if name in outputs or not after:
            return _NO_ACTIVATION if name in outputs and not after else None
        reader = layers[after[0].layer] if len(after) == 1 else None
        if reader is None or reader.kind == "activation":
            return reader
        if reader.kind == "softmax":
            function = "log_softmax" if reader.attributes.get("log") else "softmax"
            return replace(reader, attributes=Frozen({**reader.attributes, "function": function}))
        if reader.kind in _READING and reader.weights and after[0].inputs[0] == name:
            return _NO_ACTIVATION
        if reader.kind not in _TRANSPARENT or not after[0].outputs:
            return None
        name = after[0].outputs[0]
    return None


def behind(a: Layer | None, b: Layer | None, side_a: ModelSide, side_b: ModelSide) -> tuple[SettingPair, ...]:
    """Compare the activations behind two layers, where both have one or one reader found one inside a layer.

    Args:
        a: the activation behind the first layer.
        b: the one behind the second.
        side_a: the first model.
        side_b: the second one.
    """
    if a is None or b is None:
        return _fused_alone(a, b, side_a, side_b)
    if a.type and b.type and a.kind == b.kind == "softmax":
        return ()  # both are layers of their own, which are compared where they stand
    if _is_none(a) and _is_none(b):
        return ()
    return differing(side_a.layer(_named(a)), side_b.layer(_named(b)))


def _is_none(layer: Layer) -> bool:
    return layer is _NO_ACTIVATION


def _named(layer: Layer) -> Layer:
    """Return a function as an activation, whether it is a layer or was found inside of one."""
    return layer if layer.kind == "activation" else replace(layer, kind="activation")


def _fused_alone(
    a: Layer | None, b: Layer | None, side_a: ModelSide, side_b: ModelSide
) -> tuple[SettingPair, ...]:
    """Compare a function inside a layer with none in its partner; a layer of its own may stand elsewhere."""
    fused = a or b
    if fused is None or fused.type or side_a.model.adapter != side_b.model.adapter:
        return ()
    if not side_a.model.calls or not side_b.model.calls:
        return ()
    names = [str(layer.attributes["function"]) if layer is not None else "none" for layer in (a, b)]
    return (SettingPair("function", names[0], names[1]),)
