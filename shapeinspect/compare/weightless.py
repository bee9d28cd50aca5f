"""The layers without weights whose settings can differ: pools, resizing, and the function behind a layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from shapeinspect.compare.result import LayerPair, SettingPair
from shapeinspect.compare.settings import differing, side
from shapeinspect.ir import Call, Frozen, Layer, Model

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

#: Kinds that stand between a layer and its function without changing what that means.
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


def compare_passing(
    a: Model, b: Model, pairs: Iterable[tuple[str, str]], calls: tuple[Calls, Calls]
) -> tuple[LayerPair, ...]:
    """Compare the pools and resizing layers that stand behind the same layers.

    They are found in the graph: both behind paired layers, or behind such a pair themselves; those that
    only one side has are left to the eye, since frameworks write the same op in several ways.

    Args:
        a: the first model.
        b: the second one.
        pairs: the paths of the layers that were paired.
        calls: the calls of each model by layer.
    """
    partner = dict(pairs)
    behind_a, behind_b = _behind(a, set(partner)), _behind(b, set(partner.values()))
    layers = ({layer.path: layer for layer in a.layers}, {layer.path: layer for layer in b.layers})
    found: list[LayerPair] = []
    for path, mine in behind_a.items():
        theirs = behind_b.get(partner[path] if path else "", [])
        for kind in dict.fromkeys(layers[0][name].kind for name in mine):
            left = [name for name in mine if layers[0][name].kind == kind]
            right = [name for name in theirs if layers[1][name].kind == kind]
            if len(left) != len(right):
                continue
            for one, other in zip(left, right, strict=True):
                sides = (side(layers[0][one], a, calls[0]), side(layers[1][other], b, calls[1]))
                settings = differing(*sides)
                status = "differs" if settings else "same"
                found.append(LayerPair(one, other, kind, status, "structure", (), settings))  # type: ignore[arg-type]  # one of two statuses
    return tuple(found)


#: The calls of a model, by the path of their layer.
Calls = Mapping[str, Sequence[Call]]


def _behind(model: Model, owners: set[str]) -> dict[str, list[str]]:
    """Return the layers of ``_KINDS`` behind each owner (or the input, ""), in the order of the graph."""
    layers = {layer.path: layer for layer in model.layers}
    last: dict[str, str] = dict.fromkeys(model.inputs, "")
    found: dict[str, list[str]] = defaultdict(list)
    for call in model.calls:
        layer = layers.get(call.layer)
        if layer is None or layer.kind == "module":
            continue
        names = [name for name in call.inputs if name]
        origin = last.get(names[0]) if len(names) >= 1 else None
        if layer.path in owners:
            origin = layer.path
        elif layer.kind in _KINDS and origin is not None and layer.path not in found[origin]:
            found[origin].append(layer.path)
        if origin is not None:
            last.update(dict.fromkeys(call.outputs, origin))
    return found


def functions(model: Model) -> dict[str, Layer]:
    """Return the activation behind each layer that has exactly one reader, through ops that only move.

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
    found: dict[str, Layer] = {}
    for call in model.calls:
        layer = layers.get(call.layer)
        if layer is None or not layer.weights or not call.outputs:
            continue
        if layer.attributes.get("activation"):
            # Written into the layer itself.
            found[layer.path] = Layer(
                layer.path, "activation", "", attributes=Frozen(function=layer.attributes["activation"])
            )
            continue
        name = call.outputs[0]
        for _ in range(8):
            after = readers.get(name, [])
            reader = layers[after[0].layer] if len(after) == 1 else None
            if reader is None:
                break
            if reader.kind == "activation":
                found[layer.path] = reader
                break
            if reader.kind not in _TRANSPARENT or not after[0].outputs:
                break
            name = after[0].outputs[0]
    return found


def behind(a: Layer | None, b: Layer | None, model_a: Model, model_b: Model) -> tuple[SettingPair, ...]:
    """Compare the functions behind two layers; one that is missing or written into the layer is not.

    Args:
        a: the activation behind the first layer.
        b: the one behind the second.
        model_a: the first model.
        model_b: the second one.
    """
    if a is None or b is None:
        return ()
    return differing(side(a, model_a, {}), side(b, model_b, {}))
