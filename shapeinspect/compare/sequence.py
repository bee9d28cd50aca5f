"""Two models of one framework without any weights, compared step by step in the order of their calls.

A file of weights has no calls, but it lists the layers that it stores nothing of: these are compared by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from shapeinspect.compare.result import LayerPair, SettingPair, Status
from shapeinspect.compare.settings import placed
from shapeinspect.compare.sides import ModelSide
from shapeinspect.ir import Layer

#: What does nothing to a tensor by itself.
_NO_STEP = frozenset({"module", "input"})
#: The most steps that are aligned; longer models are not compared.
_MOST = 4096


def steps_of(side: ModelSide) -> tuple[Layer, ...]:
    """Return the layers of a model that do something, in the order of their first calls.

    Args:
        side: the model.
    """
    called = dict.fromkeys(call.layer for call in side.model.calls)
    ordered = [side.layers[path] for path in called if path in side.layers] or list(side.model.layers)
    return tuple(layer for layer in ordered if layer.kind not in _NO_STEP)


def compare_steps(a: ModelSide, b: ModelSide) -> Iterator[LayerPair]:
    """Align the steps of two models by their kinds and compare those in one place.

    Args:
        a: a model without weights.
        b: another one, that the same adapter has read.
    """
    if bool(a.model.calls) != bool(b.model.calls):
        yield from _by_name(a, b)
        return
    left, right = steps_of(a), steps_of(b)
    if max(len(left), len(right)) > _MOST:
        return
    matcher = SequenceMatcher(None, [step.kind for step in left], [step.kind for step in right], False)
    for _, start_a, end_a, start_b, end_b in matcher.get_opcodes():
        shared = min(end_a - start_a, end_b - start_b)
        for layer, other in zip(
            left[start_a : start_a + shared], right[start_b : start_b + shared], strict=True
        ):
            settings = placed(a.layer(layer), b.layer(other))
            if layer.kind != other.kind:
                settings = (SettingPair("kind", layer.kind, other.kind),)
            status: Status = "differs" if settings else "same"
            yield LayerPair(layer.path, other.path, layer.kind, status, "structure", (), settings)
        for layer in left[start_a + shared : end_a]:
            yield LayerPair(layer.path, None, layer.kind, "only_a")
        for layer in right[start_b + shared : end_b]:
            yield LayerPair(None, layer.path, layer.kind, "only_b")


def _by_name(a: ModelSide, b: ModelSide) -> Iterator[LayerPair]:
    for path, layer in a.layers.items():
        other = b.layers.get(path)
        kinds = {layer.kind, other.kind if other is not None else layer.kind}
        if kinds & _NO_STEP:
            continue
        if other is None:
            yield LayerPair(path, None, layer.kind, "only_a")
            continue
        kind, bare = (layer.kind, "B") if a.model.calls else (other.kind, "A")
        yield LayerPair(path, path, kind, "same", "name", why=(f"{bare} has only its name",))
    for path, layer in b.layers.items():
        if path not in a.layers and layer.kind not in _NO_STEP:
            yield LayerPair(None, path, layer.kind, "only_b")
