"""Which pictures a layer has: those of its kind, of its weights, of its axes, and of what it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shapeinspect.explanation import CallFact, LayerExplanation
from shapeinspect.render.pictures.attention import heads
from shapeinspect.render.pictures.axes import axes_through, weight_order
from shapeinspect.render.pictures.canvas import Canvas, stacked
from shapeinspect.render.pictures.fields import cone
from shapeinspect.render.pictures.flattened import flattened
from shapeinspect.render.pictures.gates import gates
from shapeinspect.render.pictures.products import product
from shapeinspect.render.pictures.tables import chosen, looked_up
from shapeinspect.render.pictures.taps import window_rows
from shapeinspect.render.pictures.windows import sliding

#: A weight's axes are drawn for so many weights of a layer.
_MOST_WEIGHTS = 3

_OfCall = Callable[[LayerExplanation, CallFact], "Canvas | None"]


def _looked_up(layer: LayerExplanation, call: CallFact) -> Canvas | None:
    return looked_up(layer.weights[0], call.inputs[0]) if layer.weights and call.inputs else None


def _flattened(_layer: LayerExplanation, call: CallFact) -> Canvas | None:
    return flattened(call.inputs[0], call.outputs[0]) if call.inputs and call.outputs else None


def _chosen(layer: LayerExplanation, call: CallFact) -> Canvas | None:
    axis, labels = layer.attributes.get("axis"), layer.kind == "argmax"
    return chosen(call.inputs[0], axis, labels=labels) if call.inputs and isinstance(axis, int) else None


def _product(layer: LayerExplanation, _call: CallFact) -> Canvas | None:
    return product(layer.weights[0]) if layer.weights else None


#: The picture of what a kind does; of windows it is drawn wherever a call has some.
_OF_KIND: dict[str, _OfCall] = {
    "attention": heads,
    "embedding": _looked_up,
    "embedding_bag": _looked_up,
    "flatten": _flattened,
    "reshape": _flattened,
    "softmax": _chosen,
    "argmax": _chosen,
    "linear": _product,
}


def pictures(layer: LayerExplanation) -> Iterator[Canvas]:
    """Yield the pictures of a layer: what it does, its weights, its axes, its receptive field.

    Args:
        layer: the layer, explained.
    """
    drawn: list[Canvas | None] = []
    for call in layer.calls[:1]:
        if call.windows:
            drawn += [sliding(layer, call), window_rows(call.windows)]
        elif layer.kind in _OF_KIND:
            drawn.append(_OF_KIND[layer.kind](layer, call))
    drawn.append(gates(layer.weights))
    drawn += [weight_order(weight) for weight in layer.weights[:_MOST_WEIGHTS]]
    for call in layer.calls[:1]:
        if not call.windows:
            drawn.append(axes_through(layer, call))
        drawn.append(cone(layer, call))
    yield from (canvas for canvas in drawn if canvas is not None)


def sheet(layer: LayerExplanation) -> str:
    """Return all pictures of a layer as one SVG document; an empty text where there is none.

    Args:
        layer: the layer, explained.
    """
    canvases = list(pictures(layer))
    return stacked(canvases).svg(f"{layer.path}: {layer.summary}") if canvases else ""
