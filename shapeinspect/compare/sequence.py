"""Two models of one framework without any weights, compared step by step in the order of their calls."""

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
