"""Builds the complete explanation of one layer."""

from __future__ import annotations

import re

from shapeinspect.dims import Shape
from shapeinspect.explanation.graph import RECURRENT, Graph, product_text
from shapeinspect.explanation.lengths import ADAPTIVE, axis_formulas, windows
from shapeinspect.explanation.receptive_field import Fields
from shapeinspect.explanation.remarks import findings, readings, remarks
from shapeinspect.explanation.values import (
    AxisFact,
    CallFact,
    Formula,
    LayerExplanation,
    TensorFact,
    Work,
)
from shapeinspect.explanation.weights import weight_facts
from shapeinspect.explanation.work import in_rounds, numbers, work
from shapeinspect.ir import Call, Layer
from shapeinspect.rules import KINDS
from shapeinspect.rules.kind import no_arithmetic
from shapeinspect.text import plural

_BIASES = frozenset({"bias", "b", "B"})
_NAMES = {
    "N": "batch: samples",
    "C": "channels",
    "H": "height",
    "W": "width",
    "D": "depth",
    "L": "length",
    "T": "time: positions of the sequence",
    "E": "embedding",
}


def explain_layer(graph: Graph, fields: Fields, layer: Layer) -> LayerExplanation:
    """Explain one layer of a model.

    Args:
        graph: the model's graph.
        fields: the receptive fields of its values.
        layer: the layer.
    """
    calls = graph.calls_of(layer.path)
    first = calls[0] if calls else None
    facts = [call_fact(graph, fields, call) for call in calls]
    distinct = tuple(dict.fromkeys(facts))
    weights = weight_facts(graph, layer, first)
    sentences = remarks(graph, layer, first, distinct[0].windows if distinct else ())
    biases = [weight for weight in weights if weight.role.rpartition("/")[2].rpartition(".")[2] in _BIASES]
    if biases and len(biases[0].axes) == 1 and layer.kind in ("conv", "conv_transpose", "linear"):
        whole = "output channel" if layer.kind != "linear" else "output"
        sentences = (*sentences, f"One bias for each {whole}: {biases[0].axes[0].length} in all.")
    shape = graph.inputs(first)[0] if first is not None and graph.inputs(first) else None
    notes = tuple(note.text for note in graph.model.notes if note.about == layer.path)
    if not calls:
        notes = (*notes, "the source records no graph, so the input is not known")
    return LayerExplanation(
        layer.path,
        layer.kind,
        layer.type,
        summary(layer, first, graph),
        weights,
        distinct,
        sentences,
        readings(layer, weights, shape),
        findings(graph, layer, first),
        tuple(dict.fromkeys(notes)),
        numbers(weights),
        layer.attributes,
    )


def summary(layer: Layer, call: Call | None, graph: Graph) -> str:
    """Describe in one sentence what a layer does.

    Args:
        layer: the layer.
        call: one of its calls, or None.
        graph: the model's graph.
    """
    kind = KINDS.get(layer.kind)
    if kind is None or kind.outputs is no_arithmetic:
        return ""
    attributes = graph.attributes(call) if call is not None else layer.attributes
    return kind.detail(attributes) or kind.summary


def call_fact(graph: Graph, fields: Fields, call: Call) -> CallFact:
    """Explain one execution of a layer.

    Args:
        graph: the model's graph.
        fields: the receptive fields of its values.
        call: the execution.
    """
    layer = graph.layers[call.layer]
    attributes, inputs, outputs = graph.attributes(call), graph.inputs(call), graph.outputs(call)
    return CallFact(
        tuple(_input(graph, name) for name in graph.sources(call) if name),
        tuple(_output(graph, call, index) for index in range(len(call.outputs)) if call.outputs[index]),
        _work(graph, call),
        fields.of(call.outputs[0]) if call.outputs else (),
        windows(layer.kind, attributes, inputs, outputs),
    )


def _work(graph: Graph, call: Call) -> Work | None:
    layer = graph.layers[call.layer]
    once = work(layer.kind, graph.attributes(call), graph.inputs(call), graph.outputs(call))
    return in_rounds(once, call.macs) if any(graph.loops.around(call.layer)) else once


def _input(graph: Graph, name: str) -> TensorFact:
    producer = graph.producer(name)
    source = (
        f'"{producer[0].layer}"'
        if producer is not None
        else "the model's input"
        if graph.is_input(name)
        else ""
    )
    shape = graph.shape(name)
    if shape is None:
        return TensorFact(name, None, source)
    axes = []
    for axis, length in enumerate(shape):
        letter, origin = graph.letter(name, axis), graph.origin(name, axis)
        meaning = _NAMES.get(letter or "", "")
        axes.append(AxisFact(letter, length, ", ".join(text for text in (meaning, origin) if text)))
    return TensorFact(name, tuple(axes), source)


def _output(graph: Graph, call: Call, index: int) -> TensorFact:
    layer, name = graph.layers[call.layer], call.outputs[index]
    shape = graph.shape(name)
    if shape is None:
        return TensorFact(name, None)
    inputs = graph.inputs(call)
    result = axis_formulas(layer.kind, graph.attributes(call), inputs, graph.outputs(call))
    carried = _carried(graph, call, index, shape)
    axes = []
    for axis, length in enumerate(shape):
        formula = result.get((index, axis))
        meaning = ""
        if formula is None or formula.plain:
            meaning = carried.get(axis, "") or _meaning_of_new_axis(graph, call, axis, shape)
        if formula is not None and not meaning:
            meaning = _source(formula, graph.sources(call))
        axes.append(AxisFact(graph.letter(name, axis), length, meaning, formula))
    return TensorFact(name, tuple(axes))


def _source(formula: Formula, names: tuple[str, ...]) -> str:
    """Return the axis that a name such as ``m1`` refers to, where there are several inputs."""
    match = re.fullmatch(r"([nm])(\d+)", formula.text)
    if match is None or len(names) < 2:
        return ""
    return f'axis {match[2]} of "{names["nm".index(match[1])]}"'


def _carried(graph: Graph, call: Call, index: int, shape: Shape) -> dict[int, str]:
    """Describe the output axes that are unchanged input axes, and those that merge several."""
    naming, inputs, sources = graph.naming(call), graph.inputs(call), graph.sources(call)
    result: dict[int, str] = {}
    for source, axis, output, other in naming.links:
        given = inputs[source] if source < len(inputs) else None
        if output != index or other in result or given is None or other >= len(shape):
            continue
        if axis < len(given) and given[axis] == shape[other]:
            which = "what goes in" if len(sources) < 2 else f'"{sources[source]}"'
            same = axis == other and len(sources) < 2
            result[other] = "as it goes in" if same else f"axis {axis} of {which}"
    for source, merged, output, other in naming.merges:
        given = inputs[source]
        if output == index and given is not None:
            letters = [graph.letter(sources[source], axis) for axis in merged]
            result[other] = (
                f"axes {', '.join(map(str, merged))} merged: {product_text(letters, given, merged)}"
            )
    return result


def _meaning_of_new_axis(graph: Graph, call: Call, axis: int, shape: Shape) -> str:
    layer, attributes = graph.layers[call.layer], graph.attributes(call)
    if layer.kind in RECURRENT and axis == len(shape) - 1:
        hidden = attributes.get("hidden_size")
        both = attributes.get("bidirectional") and shape[axis] != hidden
        return f"{plural(hidden, 'unit')} in 2 directions" if both else "one number for each unit"
    if attributes.get("out_channels") == shape[axis] and graph.letter(call.outputs[0], axis) == "C":
        return "one channel for each filter"
    if layer.kind == "linear" and axis == len(shape) - 1:
        return "one number for each output of the layer"
    if layer.kind == "embedding" and axis == len(shape) - 1:
        return "the numbers of one id"
    if layer.kind in ADAPTIVE or (layer.kind == "resize" and attributes.get("size") is not None):
        return "the requested size"
    if layer.kind in ("global_max_pool", "global_avg_pool", "global_lp_pool"):
        return "one number for the whole axis"
    return ""
