"""Answers to common questions about a kind of layer, with this layer's numbers, and likely mistakes."""

from __future__ import annotations

from math import prod

from shapeinspect.dims import Dim, Shape
from shapeinspect.explanation.graph import Graph
from shapeinspect.explanation.values import Reading, WeightFact, WindowFact
from shapeinspect.ir import Call, Layer
from shapeinspect.rules import Attributes, adaptive_end, adaptive_start
from shapeinspect.rules.spatial import is_last, per_axis
from shapeinspect.text import plural

_AXIS_WORDS = {
    "N": "the batch",
    "C": "the channels (classes)",
    "H": "the height",
    "W": "the width",
    "D": "the depth",
    "L": "the length",
    "T": "the time",
    "E": "the embedding",
}
_SPACE = frozenset("DHWL")
_MOST_WINDOWS = 1 << 16


def remarks(
    graph: Graph, layer: Layer, call: Call | None, windows: tuple[WindowFact, ...]
) -> tuple[str, ...]:
    """Return sentences that answer common questions about a layer of this kind.

    Args:
        graph: the model's graph.
        layer: the layer.
        call: one of its calls; None where there is none.
        windows: its windows.
    """
    attributes = graph.attributes(call) if call is not None else layer.attributes
    shape = graph.inputs(call)[0] if call is not None and graph.inputs(call) else None
    sentences: list[str] = []
    if layer.kind == "conv":
        sentences += _of_conv(attributes)
    if attributes.get("ceil_mode") and layer.kind.endswith("_pool"):
        sentences.append(
            "ceil_mode: a last window that extends past the end counts too, unless it starts in the padding "
            "behind."
        )
    if isinstance(attributes.get("padding"), str):
        sentences += _of_padding(attributes["padding"], windows)
    if layer.kind in ("softmax", "argmax") and call is not None and shape is not None:
        sentences += _of_softmax(graph, layer, call, shape)
    if _writes_in_place(layer.type):
        sentences.append(
            "It writes into its first input in place: every name for that tensor sees the change."
        )
    if layer.kind == "linear" and layer.weights:
        sentences.append("It works on the last axis; all other axes are unchanged.")
    ragged = layer.kind == "resize" and attributes.get("mode") == "area"
    if ragged or layer.kind in ("adaptive_avg_pool", "adaptive_max_pool"):
        sentences += _of_area(ragged, windows)
    if layer.kind in ("global_max_pool", "global_avg_pool"):
        sentences.append("It keeps one number for each channel and removes the length: any length fits.")
    return tuple(sentences)


def _writes_in_place(native: str) -> bool:
    """Recognize torch's in-place functions by their names: ``Tensor.add_``, ``Tensor.__setitem__``."""
    name = native.rpartition(".")[2]
    return name == "__setitem__" or (native != name and name.endswith("_") and not name.endswith("__"))


def _of_conv(attributes: Attributes) -> list[str]:
    kernel, groups = attributes.get("kernel_size"), attributes.get("groups") or 1
    out, into = attributes.get("out_channels"), attributes.get("in_channels")
    if kernel is None or not isinstance(out, int) or not isinstance(into, int):
        return []
    taps = prod(per_axis(kernel, 1)) if isinstance(kernel, int) else prod(kernel)
    per_group = into // groups
    sentences = []
    if taps == 1 and groups == 1:
        sentences.append(
            f"A 1×1 kernel mixes channels at each position: {into}·{out} = {into * out} weights, "
            "shared by all positions; not one set for each position."
        )
    elif groups == 1:
        size = plural(taps, "position" if isinstance(kernel, int) or len(kernel) == 1 else "tap")
        channels = "the one input channel" if into == 1 else f"all {into} input channels"
        there = "there is 1 filter" if out == 1 else f"there are {out} filters"
        sentences.append(
            f"One filter spans {channels}: {taps}·{per_group} = {plural(taps * per_group, 'number')} "
            f"({size} × {plural(per_group, 'channel')}), so {there} and {plural(out, 'output channel')} in "
            f"all{'' if into == 1 else f', not {into}·{out}'}."
        )
    elif groups == into:
        each = "one filter" if out == into else f"{out // groups} filters"
        sentences.append(
            f"Depthwise, groups = {into}: each input channel has {each} of its own, of "
            f"{plural(taps, 'number')}, and no filter sees a second channel."
        )
    else:
        per_filter = plural(taps * per_group, "number")
        have = "each filter has" if out == groups else f"every {out // groups} filters share"
        see = "sees" if out == groups else "see"
        sentences.append(
            f"{groups} groups: {have} {per_group} of the {into} input channels and {see} no others, "
            f"so a filter has {taps}·{per_group} = {per_filter}."
        )
    return sentences


def _of_padding(name: str, windows: tuple[WindowFact, ...]) -> list[str]:
    sides = [f"{window.axis} {window.before} before and {window.after} behind" for window in windows]
    if name == "valid" or not sides or not any(window.before or window.after for window in windows):
        return []
    odd = any(window.before != window.after for window in windows) and name.startswith("same")
    end = "; the odd one goes last" if odd and name == "same" else "; the odd one goes first" if odd else ""
    return [f'padding "{name}" adds on {", ".join(sides)}{end}.']


def _of_softmax(graph: Graph, layer: Layer, call: Call, shape: Shape) -> list[str]:
    axis = graph.attributes(call).get("axis")
    if not isinstance(axis, int):
        return []
    axis %= len(shape)
    letter = graph.letter(call.inputs[0], axis)
    length = shape[axis]
    positions = "·".join(str(n) for index, n in enumerate(shape) if index != axis)
    what = f"axis {axis}" + (
        f" = {letter} = {length}, {_AXIS_WORDS.get(letter, 'the ' + letter)}"
        if letter
        else f" of length {length}"
    )
    if layer.kind == "argmax":
        return [
            f"It takes the largest along {what}: one label, 0 to {_minus_one(length)}, "
            f"for {f'each of {positions} positions' if positions != '1' else 'the one position'}."
        ]
    there = f"There are {positions} such positions" if positions != "1" else "There is one such position"
    return [
        f"It runs over {what}: the {plural(length, 'value')} of one position sum to 1.",
        f"{there}, and as many outputs as inputs: {'·'.join(map(str, shape))}.",
    ]


def _minus_one(length: Dim) -> Dim:
    return length - 1


def _of_area(resize: bool, windows: tuple[WindowFact, ...]) -> list[str]:
    if not windows:
        return []
    sentences = []
    if resize:
        sentences.append(
            'mode="area" is adaptive average pooling: output i is the mean of the inputs '
            "floor(i·in/out) to ceil((i+1)·in/out), the end not included."
        )
    for item in windows:
        if item.out > _MOST_WINDOWS:
            continue
        starts = [adaptive_start(index, item.n, item.out) for index in range(item.out)]
        ends = [adaptive_end(index, item.n, item.out) for index in range(item.out)]
        sizes = sorted({end - start for start, end in zip(starts, ends, strict=True)})
        shared = sum(end - start for start, end in zip(starts[1:], ends, strict=False))
        overlap = f"and overlap at {plural(shared, 'input')}" if shared else "and do not overlap"
        sentences.append(f"On {item.axis} windows are {' or '.join(map(str, sizes))} long {overlap}.")
    if not resize:
        return sentences
    if any(window.out < window.n for window in windows):
        sentences.append(
            "The mean over a window is a low-pass filter before sampling: it removes detail that the "
            "smaller image cannot hold (aliasing)."
        )
    sentences.append(
        "It helps only when shrinking: windows that enlarge are 1 or 2 long, so they repeat or mix "
        "neighbors and average nothing out."
    )
    return sentences


def findings(graph: Graph, layer: Layer, call: Call | None) -> tuple[str, ...]:
    """Return what is probably a mistake in a layer.

    Args:
        graph: the model's graph.
        layer: the layer.
        call: one of its calls; None where there is none.
    """
    if layer.kind != "softmax":
        return ()
    attributes = graph.attributes(call) if call is not None else layer.attributes
    axis = attributes.get("axis")
    shape = graph.inputs(call)[0] if call is not None and graph.inputs(call) else None
    if axis is None:
        rank = None if shape is None else len(shape)
        # Source: torch.nn.functional._get_softmax_dim; elsewhere the axis has a default.
        chosen = "" if rank is None else f" (axis {0 if rank in (0, 1, 3) else 1} of {rank} is taken)"
        return (
            f"the softmax names no axis{chosen}: the implicit choice depends on the number of axes; "
            "name the class axis, 1 for N C H W",
        )
    if call is None or shape is None:
        return ()
    letter = graph.letter(call.inputs[0], axis % len(shape))
    letters = graph.axes(call.inputs[0]) or ()
    if letter == "N":
        return (
            f"the softmax runs over axis {axis % len(shape)}, the batch: samples are compared with one "
            "another; the classes are another axis",
        )
    if letter in _SPACE and "C" in letters:
        return (
            f"the softmax runs over axis {axis % len(shape)} = {letter}, a spatial axis of a feature map: "
            f"positions compete, not classes; the channels are axis {letters.index('C')}",
        )
    return ()


def readings(layer: Layer, weights: tuple[WeightFact, ...], shape: Shape | None) -> tuple[Reading, ...]:
    """Compare two readings of a 1-D convolution's input size: channels, or length.

    Args:
        layer: the layer.
        weights: its weights.
        shape: the input's shape, if it is known.
    """
    attributes = layer.attributes
    kernel, into, out = (attributes.get(key) for key in ("kernel_size", "in_channels", "out_channels"))
    plain = (attributes.get("stride") in (None, 1, (1,))) and (attributes.get("dilation") in (None, 1, (1,)))
    if layer.kind != "conv" or not isinstance(kernel, tuple) or len(kernel) != 1 or not plain:
        return ()
    if not isinstance(into, int) or not isinstance(out, int) or into <= max(kernel[0], 1):
        return ()
    if attributes.get("padding") not in (None, "valid", ((0, 0),), 0) or (attributes.get("groups") or 1) != 1:
        return ()
    k, last = kernel[0], is_last(attributes)
    n = None
    if shape is not None and isinstance(shape[-2 if last else -1], int):
        n = shape[-2 if last else -1]
    length = "n" if n is None else str(n)
    positions = f"n − {k} + 1" if n is None else str(n - k + 1)

    def pair(indices: str, channels: Dim) -> str:
        return f"({indices}, {channels})" if last else f"({channels}, {indices})"

    stored = next((left for left in weights if len(left.axes) > 1), None)
    right: str | None = None
    if stored is not None and stored.axes:
        right = "(" + ", ".join("1" if axis.name == "i" else str(axis.length) for axis in stored.axes) + ")"
    rows = [
        Reading(
            f"two readings of {into}",
            (f"{plural(into, 'channel')}: this layer", f"{plural(into, 'position')}, 1 channel"),
        ),
        Reading("input", (pair(length, into), pair(str(into), 1))),
        Reading("output", (pair(positions, out), pair(str(into - k + 1), out))),
        Reading("numbers in a filter", (f"{k}·{into} = {k * into}", f"{k}·1 = {k}")),
        Reading("filters", (str(out), str(out))),
    ]
    if stored is not None and right is not None:
        rows.insert(2, Reading("weights", ("(" + ", ".join(str(a.length) for a in stored.axes) + ")", right)))
    return tuple(rows)
