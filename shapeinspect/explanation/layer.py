"""Puts together everything that there is to say about one layer."""

from __future__ import annotations

import re

from shapeinspect.dims import Shape
from shapeinspect.explanation.graph import RECURRENT, Graph, product_text
from shapeinspect.explanation.lengths import ADAPTIVE, SLIDING, axis_formulas, windows
from shapeinspect.explanation.receptive_field import Fields
from shapeinspect.explanation.remarks import findings, readings, remarks
from shapeinspect.explanation.values import AxisFact, CallFact, Formula, LayerExplanation, TensorFact
from shapeinspect.explanation.weights import weight_facts
from shapeinspect.explanation.work import numbers, work
from shapeinspect.ir import Call, Layer

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
    said = remarks(graph, layer, first, distinct[0].windows if distinct else ())
    biases = [weight for weight in weights if weight.role.rpartition("/")[2].rpartition(".")[2] in _BIASES]
    if biases and len(biases[0].axes) == 1 and layer.kind in ("conv", "conv_transpose", "linear"):
        whole = "output channel" if layer.kind != "linear" else "output"
        said = (*said, f"One bias for each {whole}: {biases[0].axes[0].length} in all.")
    shape = graph.inputs(first)[0] if first is not None and graph.inputs(first) else None
    notes = tuple(note.text for note in graph.model.notes if note.about == layer.path)
    if not calls:
        notes = (*notes, "the source records no graph, so what goes in is not known")
    return LayerExplanation(
        layer.path,
        layer.kind,
        layer.type,
        summary(layer, first, graph),
        weights,
        distinct,
        said,
        readings(layer, weights, shape),
        findings(graph, layer, first),
        tuple(dict.fromkeys(notes)),
        numbers(weights),
    )


def summary(layer: Layer, call: Call | None, graph: Graph) -> str:
    """Say in one sentence what a layer does.

    Args:
        layer: the layer.
        call: one of its calls, or None.
        graph: the model's graph.
    """
    attributes = graph.attributes(call) if call is not None else layer.attributes
    out, into = attributes.get("out_channels"), attributes.get("in_channels")
    kernel = attributes.get("kernel_size")
    size = "×".join(map(str, kernel)) if isinstance(kernel, tuple | list) else str(kernel)
    if layer.kind == "conv" and out is not None:
        groups = attributes.get("groups") or 1
        over = f" over {into} channels" if into is not None else ""
        apart = f" in {groups} groups" if over and groups != 1 else ""
        return f"{out} filters of {size} slide{over}{apart}"
    if layer.kind == "conv_transpose" and out is not None:
        return f"each input position writes a {size} patch into each of {out} output channels"
    if layer.kind == "linear":
        return (
            f"every output is a sum over all {attributes.get('in_features', '')} inputs: a matrix product"
        ).replace("all  inputs", "all inputs")
    if layer.kind in SLIDING and layer.kind.endswith("_pool") and kernel is not None:
        what = {"max_pool": "the largest", "avg_pool": "the mean"}.get(layer.kind, "one number")
        return f"{what} of every window of {size}, in each channel by itself"
    if layer.kind in ADAPTIVE:
        what = "the mean" if layer.kind == "adaptive_avg_pool" else "the largest"
        return f"cuts the space into as many windows as outputs are asked for: {what} of each"
    if layer.kind in RECURRENT and attributes.get("hidden_size") is not None:
        return f"{attributes['hidden_size']} units; each reads the input and the state of the step before"
    if layer.kind == "embedding":
        return "a look-up: each id gives one row of numbers"
    return _SUMMARIES.get(layer.kind, "")


_SUMMARIES = {
    "activation": "works element by element; the shape stays",
    "argmax": "the index of the largest along one axis",
    "attention": "every query takes a mean of the values, weighted by how well their keys fit it",
    "batch_dot": "one product of vectors for each pair of rows, sample by sample",
    "batch_norm": "shifts and scales each channel by statistics of its own; the shape stays",
    "bilinear": "every output is a sum over all pairs of one input each",
    "cast": "another type of number; the shape stays",
    "channel_shuffle": "mixes the channels of the groups; the shape stays",
    "constant": "a value made from nothing",
    "crop": "takes off the ends of axes",
    "distance": "one number for each pair of vectors along one axis",
    "dropout": "sets some numbers to 0 in training; the shape stays",
    "einsum": "the letters that are missing on the right are summed over",
    "embedding_bag": "a look-up: the rows of a bag of ids become one",
    "augment": "changes pictures and keeps their shape",
    "dequantize": "small whole numbers back to the numbers they stand for; the shape stays",
    "quantize": "the nearest of a few whole numbers; the shape stays",
    "lookup": "tokens become integers or codes",
    "normalize": "scales along one axis; the shape stays",
    "unary": "changes its entries or their order; the shape stays",
    "global_lp_pool": "the norm of all positions, in each channel by itself",
    "expand": "stretches axes of length 1",
    "fold": "adds columns of windows up to a map",
    "fractional_max_pool": "the largest of windows of varying length, in each channel by itself",
    "gather": "a look-up along one axis: each index gives one entry",
    "gemm": "a matrix product: every output is a row times a column",
    "glu": "one half of an axis gates the other",
    "grid_sample": "reads the input at the places that the grid names",
    "group_norm": "normalizes over the space and the channels of a group; the shape stays",
    "identity": "the input itself",
    "index": "takes one entry of an axis, which is dropped",
    "instance_norm": "normalizes over the space, each channel by itself; the shape stays",
    "layer_norm": "normalizes over the last axes; the shape stays",
    "local_conv": "filters that slide, with weights of their own at every place",
    "local_response_norm": "divides by the neighboring channels; the shape stays",
    "loss": "compares a prediction with a target",
    "matmul": "a matrix product: every output is a row times a column",
    "max_unpool": "puts every number back where a pool found it",
    "movedim": "the axes in another order, the elements with them",
    "one_hot": "each index becomes an axis of zeros and a one",
    "pad": "adds to the ends of axes",
    "permute": "the axes in another order, the elements with them",
    "pixel_shuffle": "blocks of channels become space",
    "depth_to_space": "blocks of channels become space",
    "pixel_unshuffle": "blocks of space become channels",
    "space_to_depth": "blocks of space become channels",
    "prelu": "scales what is below 0 by a learned number; the shape stays",
    "reduce": "makes one number of all along the axes that go",
    "repeat": "each entry of an axis several times",
    "reshape": "the same elements in the same order, counted out to other axes",
    "rms_norm": "divides by the root mean square over the last axes; the shape stays",
    "roi_align": "cuts regions out of a map, each resampled to the same size",
    "scatter": "writes into the first input; the shape stays",
    "separable_conv": "filters over space for each channel alone, then a 1×1 convolution over channels",
    "shape_of": "the lengths of its input, as numbers",
    "slice": "takes a part of an axis",
    "split": "cuts an axis into pieces",
    "squeeze": "drops axes of length 1",
    "stack": "puts its inputs beside each other along a new axis",
    "take_along": "takes the entries that the indices name along one axis",
    "tile": "the whole input several times along its axes",
    "topk": "the k largest along one axis, and where they stand",
    "transpose2": "two axes change places, the elements with them",
    "unflatten": "one axis is counted out to several",
    "unfold": "each window of the space becomes a column",
    "unsqueeze": "puts in axes of length 1",
    "unstack": "takes an axis apart into single entries",
    "softmax": "turns scores into shares that sum to 1 along one axis",
    "concat": "puts its inputs one after another along one axis",
    "flatten": "multiplies a run of axes into one, the last axis running fastest",
    "global_max_pool": "the largest of all positions, in each channel by itself",
    "global_avg_pool": "the mean of all positions, in each channel by itself",
    "elementwise": "works element by element; axes of length 1 are stretched",
    "resize": "makes the space larger or smaller; channels stay",
}


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
        tuple(_output(graph, call, place) for place in range(len(call.outputs)) if call.outputs[place]),
        work(layer.kind, attributes, inputs, outputs),
        fields.of(call.outputs[0]) if call.outputs else (),
        windows(layer.kind, attributes, inputs, outputs),
    )


def _input(graph: Graph, name: str) -> TensorFact:
    found = graph.producer(name)
    source = (
        f'"{found[0].layer}"'
        if found is not None
        else "the model's input"
        if name in graph.model.inputs
        else ""
    )
    shape = graph.shape(name)
    if shape is None:
        return TensorFact(name, None, source)
    axes = []
    for axis, length in enumerate(shape):
        letter, came = graph.letter(name, axis), graph.origin(name, axis)
        meaning = _NAMES.get(letter or "", "")
        axes.append(AxisFact(letter, length, ", ".join(text for text in (meaning, came) if text)))
    return TensorFact(name, tuple(axes), source)


def _output(graph: Graph, call: Call, place: int) -> TensorFact:
    layer, name = graph.layers[call.layer], call.outputs[place]
    shape = graph.shape(name)
    if shape is None:
        return TensorFact(name, None)
    inputs = graph.inputs(call)
    found = axis_formulas(layer.kind, graph.attributes(call), inputs, graph.outputs(call))
    carried = _carried(graph, call, place, shape)
    axes = []
    for axis, length in enumerate(shape):
        formula = found.get((place, axis))
        meaning = ""
        if formula is None or formula.plain:
            meaning = carried.get(axis, "") or _made(graph, call, axis, shape)
        if formula is not None and not meaning:
            meaning = _source(formula, graph.sources(call))
        axes.append(AxisFact(graph.letter(name, axis), length, meaning, formula))
    return TensorFact(name, tuple(axes))


def _source(formula: Formula, names: tuple[str, ...]) -> str:
    """Say which axis a name such as ``m1`` stands for, where there are several inputs."""
    found = re.fullmatch(r"([nm])(\d+)", formula.text)
    if found is None or len(names) < 2:
        return ""
    return f'axis {found[2]} of "{names["nm".index(found[1])]}"'


def _carried(graph: Graph, call: Call, place: int, shape: Shape) -> dict[int, str]:
    """Say which output axes are input axes with the same length, and which are several in one."""
    naming, inputs, sources = graph.naming(call), graph.inputs(call), graph.sources(call)
    found: dict[int, str] = {}
    for source, axis, output, other in naming.links:
        given = inputs[source] if source < len(inputs) else None
        if output != place or other in found or given is None or other >= len(shape):
            continue
        if axis < len(given) and given[axis] == shape[other]:
            which = "what goes in" if len(sources) < 2 else f'"{sources[source]}"'
            same = axis == other and len(sources) < 2
            found[other] = "as it goes in" if same else f"axis {axis} of {which}"
    for source, merged, output, other in naming.merges:
        given = inputs[source]
        if output == place and given is not None:
            letters = [graph.letter(sources[source], axis) for axis in merged]
            found[other] = (
                f"axes {', '.join(map(str, merged))} in one: {product_text(letters, given, merged)}"
            )
    return found


def _made(graph: Graph, call: Call, axis: int, shape: Shape) -> str:
    layer, attributes = graph.layers[call.layer], graph.attributes(call)
    if layer.kind in RECURRENT and axis == len(shape) - 1:
        hidden = attributes.get("hidden_size")
        both = attributes.get("bidirectional") and shape[axis] != hidden
        return f"{hidden} units in 2 directions" if both else "one number for each unit"
    if attributes.get("out_channels") == shape[axis] and graph.letter(call.outputs[0], axis) == "C":
        return "one channel for each filter"
    if layer.kind == "linear" and axis == len(shape) - 1:
        return "one number for each output of the layer"
    if layer.kind == "embedding" and axis == len(shape) - 1:
        return "the numbers of one id"
    if layer.kind in ADAPTIVE or (layer.kind == "resize" and attributes.get("size") is not None):
        return "the size that is asked for"
    if layer.kind in ("global_max_pool", "global_avg_pool", "global_lp_pool"):
        return "one number for the whole axis"
    return ""
