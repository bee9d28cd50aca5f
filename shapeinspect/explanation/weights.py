"""A layer's weights, axis by axis: what each axis is and where its length comes from."""

from __future__ import annotations

from typing import Any

from shapeinspect.dims import Dim
from shapeinspect.explanation.graph import FILTERS, RECURRENT, Graph
from shapeinspect.explanation.quantization import quantization_text
from shapeinspect.explanation.values import AxisFact, WeightFact
from shapeinspect.ir import Call, Layer, Layout, Weight, companions
from shapeinspect.layout.normalize import transform
from shapeinspect.layout.pattern import lengths, parse
from shapeinspect.rules.spatial import is_last, space_of

#: The meaning of an axis where neither the kind of the layer nor its input gives more.
_MEANINGS = {
    "kl": "kernel length: how many neighboring positions a filter sees",
    "kh": "kernel height",
    "kw": "kernel width",
    "kd": "kernel depth",
    "m": "depth multiplier: filters for each input channel",
    "V": "vocabulary: one row for each id",
    "E": "embedding: the numbers of one id",
    "h": "the layer's own state",
    "head": "heads",
    "d": "features a head",
    "g": "groups",
    "dir": "directions",
    "qkv": "query, key, value",
    "expert": "experts: one matrix each",
    "r": "rank of the update",
    "two": "two biases: of the input and of the state",
    "1": "a dummy axis of length 1",
    "p": "projected state",
}


def weight_facts(graph: Graph, layer: Layer, call: Call | None) -> tuple[WeightFact, ...]:
    """Return a layer's weights; the scales and the like of a quantized one are described with it.

    Args:
        graph: the model's graph.
        layer: the layer.
        call: the execution whose input sets the lengths; None where there is none.
    """
    beside = companions(layer.weights)
    return tuple(_weight(graph, layer, call, weight) for weight in layer.weights if weight.name not in beside)


def _weight(graph: Graph, layer: Layer, call: Call | None, weight: Weight) -> WeightFact:
    layout, how = weight.layout, quantization_text(weight, layer.weights)
    if layout is None:
        axes = tuple(AxisFact(None, length) for length in weight.shape)
        return WeightFact(weight.name, weight.role, axes, weight.size, quantized=how)
    native, common = parse(layout.native), parse(layout.common)
    result = lengths(native, weight.shape, layout.sizes)
    single = len(native.axes) == 1
    axes = tuple(
        AxisFact(label, length, "; ".join(_meaning(graph, layer, call, name, result, layout, single)
                                          for name in (parts or ("1",)))
                 if len(parts) < 2 else _composite(graph, layer, call, parts, result, layout))
        for label, parts, length in zip(native.labels, native.axes, weight.shape, strict=True)
    )  # fmt: skip
    shown = None
    if weight.common_shape is not None:
        shown = tuple(zip(common.labels, weight.common_shape, strict=True))
    return WeightFact(
        weight.name,
        weight.role,
        axes,
        weight.size,
        shown,
        transform(layout) if layout.native != layout.common or layout.orders or layout.flips else None,
        _remark(layer, weight, layout),
        how,
        layout.orders,
    )


def _composite(
    graph: Graph,
    layer: Layer,
    call: Call | None,
    parts: tuple[str, ...],
    sizes: dict[str, Dim],
    layout: Layout,
) -> str:
    if sizes[parts[0]] == 1 and parts[0] == "g":  # a single group means no grouping
        return "; ".join(
            _meaning(graph, layer, call, name, sizes, layout, single=False) for name in parts[1:]
        )
    numbers = "·".join(str(sizes[name]) for name in parts)
    if set(parts) <= set("CDHWLT"):
        source = _input_origin(graph, layer, call)
        return f"inputs: {numbers}, {'·'.join(parts)} in this order" + (f"; {source}" if source else "")
    texts = [_meaning(graph, layer, call, name, sizes, layout, single=False) for name in parts]
    return f"{numbers}: " + "; ".join(f"{name} {text}" for name, text in zip(parts, texts, strict=True))


def _meaning(
    graph: Graph,
    layer: Layer,
    call: Call | None,
    name: str,
    sizes: dict[str, Dim],
    layout: Layout,
    single: bool,
) -> str:
    if name == "o":
        return _outputs(layer, sizes[name], single)
    if name == "i":
        return _inputs(graph, layer, call, sizes[name])
    if name == "c" or (name == "C" and single):
        source = _input_origin(graph, layer, call)
        return ("one number for each channel" if single else "input channels") + (
            f": {source}" if source else ""
        )
    if name == "gate":
        order = next((native for axis, native, _ in layout.orders if axis == "gate"), None)
        gates = sizes[name]
        order = order or {4: "i f g o", 3: "r z n"}.get(gates if isinstance(gates, int) else 0)
        return f"gates {order}" if order else "gates"
    if name == "j" and layer.kind == "bilinear":
        return "the layer's second inputs"
    if layer.kind in ("layer_norm", "rms_norm"):
        return "one number for each position of a normalized axis"
    return _MEANINGS.get(name, "")


def _outputs(layer: Layer, length: Dim, single: bool) -> str:
    if single:
        item = "filter" if layer.kind in FILTERS else "unit" if layer.kind in RECURRENT else "output"
        return f"one number for each {item}, {length} in all"
    if layer.kind in RECURRENT:
        return "units"
    return "filters: one output channel each" if layer.kind in FILTERS else "outputs of the layer"


def _inputs(graph: Graph, layer: Layer, call: Call | None, length: Dim) -> str:
    groups = layer.attributes.get("groups") or 1
    features = layer.kind not in FILTERS
    what = "the layer's inputs" if features else "the layer's input channels"
    if groups != 1 and isinstance(length, int) and layer.kind != "conv_transpose":
        what = f"input channels of one group: {length * groups} / {groups} groups"
    source = _input_origin(graph, layer, call)
    return f"{what}, {source}" if source else what


def _input_origin(graph: Graph, layer: Layer, call: Call | None) -> str:
    """Describe what set the number of channels (or features) of the layer's input."""
    name = next((item for item in call.inputs if item), "") if call is not None else ""
    shape = graph.shape(name)
    if not shape:
        return ""
    return graph.origin(name, channel_axis(layer, len(shape)))


def channel_axis(layer: Layer, rank: int) -> int:
    """Return which axis of a layer's input holds its channels or features.

    Args:
        layer: the layer.
        rank: how many axes its input has.

    Example:
        >>> channel_axis(Layer("c", "conv", "Conv2d", attributes={"kernel_size": (3, 3)}), 4)
        1
    """
    attributes: Any = layer.attributes
    if layer.kind in ("batch_norm", "layer_norm") and isinstance(attributes.get("axis"), int):
        return int(attributes["axis"]) % rank
    first = FILTERS | {"batch_norm", "instance_norm", "group_norm", "prelu"}
    if layer.kind not in first or is_last(attributes) or rank < 2:
        return rank - 1
    space = space_of(attributes, "kernel_size")
    return 1 if space is None else rank - space - 1


def _remark(layer: Layer, weight: Weight, layout: Layout) -> str:
    native = parse(layout.native)
    if layer.kind == "linear" and native.labels[:1] != ("o",) and len(native.axes) == 2:
        return "stored inputs first: a batch of rows X computes X·W"
    if layer.kind == "linear" and len(native.axes) == 2:
        return "stored outputs first: a batch of rows X computes X·Wᵀ"
    if layer.kind in FILTERS and ("o",) in native.axes and len(native.axes) > 2:
        index = ", ".join("j" if axis == ("o",) else "0" if not axis else ":" for axis in native.axes)
        return f"filter j is {weight.role}[{index}]"
    return ""
