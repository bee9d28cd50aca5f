"""Receptive fields over the whole graph: what one place of a value sees of the model's inputs.

Statistics that a normalization takes over space are not counted.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from shapeinspect.dims import Shape, Unknown
from shapeinspect.explanation.graph import Graph
from shapeinspect.explanation.lengths import ADAPTIVE, SLIDING
from shapeinspect.explanation.values import FieldFact
from shapeinspect.ir import Call
from shapeinspect.rules import Attributes
from shapeinspect.rules.receptive import (
    SAME,
    Reach,
    adaptive,
    linear,
    moved,
    nearest,
    sliding,
    through,
    transposed,
    union,
)
from shapeinspect.rules.sliding import paddings
from shapeinspect.rules.spatial import is_last, pairs, per_axis, space_axes, space_of, take_apart

_SPATIAL = frozenset("DHWLT")
# The axes of a value: for each the model input's axis it runs along, and its reach on that.
_Key: TypeAlias = "tuple[str, int]"
_Fields: TypeAlias = "dict[int, tuple[_Key, Reach]]"
# Ops that change a length along an axis they link; any other that does is not followed.
# What these read where depends on numbers, so nothing is said of them and of what lies behind.
_NOT_FOLLOWED = frozenset({"scatter", "gather", "take_along", "roi_align", "lambda", "unknown"})
_KEEPS_ORDER = frozenset({"embedding", "concat", "stack", "split", "expand"})


class Fields:
    """The receptive field of every value of a graph.

    Args:
        graph: the graph.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._found: dict[str, _Fields] = {}
        self._whole: dict[str, frozenset[_Key]] = {}
        for name in graph.model.inputs:
            shape = graph.shape(name)
            if shape is not None:
                self._found[name] = {
                    axis: ((name, axis), SAME)
                    for axis in range(len(shape))
                    if graph.letter(name, axis) in _SPATIAL
                }
        for call in graph.model.calls:
            layer = graph.layers.get(call.layer)
            if layer is not None and layer.kind not in ("module", "input"):
                self._walk(call, layer.kind)

    def of(self, name: str) -> tuple[FieldFact, ...]:
        """Return what one place of a value sees, an entry for each axis of the model's inputs.

        Args:
            name: the value's name.
        """
        facts: dict[_Key, FieldFact] = {}
        for (source, axis), reach in self._found.get(name, {}).values():
            length = (self._graph.shape(source) or ())[axis]
            facts[source, axis] = FieldFact(
                source,
                self._letter(source, axis),
                reach.size,
                str(reach.jump),
                reach.start,
                reach.least,
                length,
            )
        for source, axis in self._whole.get(name, frozenset()):
            length = (self._graph.shape(source) or ())[axis]
            facts[source, axis] = FieldFact(
                source, self._letter(source, axis), None, None, None, None, length
            )
        return tuple(facts[key] for key in sorted(facts))

    def _letter(self, source: str, axis: int) -> str:
        return self._graph.letter(source, axis) or str(axis)

    def _walk(self, call: Call, kind: str) -> None:
        graph, sources = self._graph, self._graph.sources(call)
        seen = {key for name in sources for key, _ in self._found.get(name, {}).values()}
        whole = frozenset[_Key]().union(*(self._whole.get(name, frozenset()) for name in sources))
        if not seen and not whole:
            return
        if kind in _NOT_FOLLOWED:
            return
        for place, name in enumerate(call.outputs):
            shape = graph.shape(name)
            fields = {} if shape is None else self._output(call, kind, place, shape)
            self._found[name] = fields
            if shape is not None:
                # An axis that the output does not run along any more is seen as a whole.
                self._whole[name] = whole | (seen - {key for key, _ in fields.values()})

    def _output(self, call: Call, kind: str, place: int, shape: Shape) -> _Fields:
        graph, sources = self._graph, self._graph.sources(call)
        inputs, attributes = graph.inputs(call), graph.attributes(call)
        own = {}
        if inputs and inputs[0] is not None:
            own = _reaches(kind, attributes, inputs[0], shape)
        found: _Fields = {}
        lost: set[int] = set()
        for source, axis, output, other in _links(graph, call, kind, inputs, place, shape):
            if output != place or source >= len(sources) or other in lost:
                continue
            before = self._found.get(sources[source], {}).get(axis)
            given = inputs[source] if source < len(inputs) else None
            if before is None or given is None:
                continue
            step = own.get(axis, SAME if given[axis] == shape[other] else None) if source == 0 else SAME
            if kind in _KEEPS_ORDER:
                step = SAME
            key, reach = before
            joined = None if step is None else through(reach, step)
            if joined is not None and other in found:
                joined = union(found[other][1], joined) if found[other][0] == key else None
            if joined is None:
                lost.add(other)
                found.pop(other, None)
            else:
                found[other] = (key, joined)
        return found


def _links(
    graph: Graph, call: Call, kind: str, inputs: Any, place: int, shape: Shape
) -> tuple[tuple[int, int, int, int], ...]:
    links = graph.naming(call).links
    if kind in ("softmax", "reduce", "topk") and inputs and inputs[0] is not None:
        attributes = graph.attributes(call)
        axes = attributes.get("axes", attributes.get("axis", -1))
        if isinstance(axes, Unknown):
            return ()
        mixed = {axis % len(inputs[0]) for axis in ((axes,) if isinstance(axes, int) else axes or ())}
        return tuple(link for link in links if link[1] not in mixed)
    if kind in ("rnn", "lstm", "gru", "attention"):
        return tuple(
            link
            for link in links
            if link[2] == place and link[3] < len(shape) and graph.letter(call.outputs[place], link[3]) == "N"
        )
    return links


def _reaches(kind: str, attributes: Attributes, shape: Shape, out: Shape) -> dict[int, Reach | None]:
    """Return what an op sees along each of its input's axes that it does not simply keep."""
    if kind in SLIDING or kind == "conv_transpose":
        return _window(kind, attributes, shape)
    if kind in ADAPTIVE:
        count = space_of(attributes, "output_size") or len(shape) - 2
        return {
            axis: _known(adaptive, shape[axis], out[axis])
            for axis in space_axes(len(shape), count, is_last(attributes))
        }
    if kind == "resize":
        return {
            axis: _resized(attributes, shape[axis], out[axis])
            for axis in range(len(shape))
            if shape[axis] != out[axis]
        }
    if kind in ("pad", "crop"):
        return _moved_by_pad(kind, attributes, shape)
    if kind == "slice":
        return _sliced(attributes, shape)
    if kind in ("pixel_shuffle", "depth_to_space"):
        factor = attributes["factor"]
        return {axis: transposed(factor, factor) for axis in space_axes(len(shape), 2, is_last(attributes))}
    if kind in ("pixel_unshuffle", "space_to_depth"):
        factor = attributes["factor"]
        return {axis: sliding(factor, factor) for axis in space_axes(len(shape), 2, is_last(attributes))}
    return {}


def _known(make: Any, n: Any, out: Any) -> Reach | None:
    found: Reach | None = make(n, out) if isinstance(n, int) and isinstance(out, int) and out else None
    return found


def _window(kind: str, attributes: Attributes, shape: Shape) -> dict[int, Reach | None]:
    parts = take_apart(shape, space_of(attributes, "kernel_size"), is_last(attributes))
    count = len(parts.space)
    kernel = per_axis(attributes["kernel_size"], count)
    stride = per_axis(
        attributes.get("stride") or (attributes["kernel_size"] if kind.endswith("_pool") else None), count, 1
    )
    dilation = per_axis(attributes.get("dilation"), count, 1)
    axes = space_axes(len(shape), count, parts.last)
    if kind == "conv_transpose":
        padding = attributes.get("padding")
        if padding in ("same", "same_lower"):
            # What the kernel hangs over is taken off, the odd one behind (same_lower: in front).
            over = [max(d * (k - 1) + 1 - s, 0) for k, s, d in zip(kernel, stride, dilation, strict=True)]
            fronts = [one - one // 2 if padding == "same_lower" else one // 2 for one in over]
        else:
            fronts = [side[0] for side in pairs(None if padding == "valid" else padding, count)]
        return {
            axis: transposed(k, s, front, d)
            for axis, k, s, front, d in zip(axes, kernel, stride, fronts, dilation, strict=True)
        }
    sides = paddings({**attributes, "stride": stride}, parts.space, kernel)
    return {
        axis: sliding(k, s, side[0], d) if isinstance(side[0], int) else None
        for axis, k, s, side, d in zip(axes, kernel, stride, sides, dilation, strict=True)
    }


def _resized(attributes: Attributes, n: Any, out: Any) -> Reach | None:
    if not isinstance(n, int) or not isinstance(out, int) or out < 1:
        return None
    mode = attributes.get("mode") or "nearest"
    if mode == "area":
        return adaptive(n, out)
    if mode in ("nearest", "nearest-exact"):
        return nearest(n, out, exact=mode == "nearest-exact")
    if mode in ("linear", "bilinear", "trilinear", "cubic", "bicubic"):
        return linear(n, out, bool(attributes.get("align_corners")), 4 if mode.endswith("cubic") else 2)
    return None


def _moved_by_pad(kind: str, attributes: Attributes, shape: Shape) -> dict[int, Reach | None]:
    given: Any = attributes.get("padding", attributes.get("crop"))
    rank, count = len(shape), len(given)
    first = 1 if is_last(attributes) and count == rank - 2 else rank - count
    return {
        first + place: moved(before if kind == "crop" else -before)
        for place, (before, _) in enumerate(given)
        if isinstance(before, int)
    }


def _sliced(attributes: Attributes, shape: Shape) -> dict[int, Reach | None]:
    starts = attributes["starts"]
    axes = attributes.get("axes") or tuple(range(len(starts)))
    steps = attributes.get("steps") or (1,) * len(starts)
    found: dict[int, Reach | None] = {}
    for start, axis, step in zip(starts, axes, steps, strict=True):
        n = shape[axis]
        begin = 0 if start is None else start
        if isinstance(begin, int) and begin < 0:
            begin = begin + n if isinstance(n, int) else None
        known = isinstance(begin, int) and isinstance(step, int) and step > 0
        found[axis % len(shape)] = (
            moved(min(begin, n) if isinstance(n, int) else begin, step) if known else None
        )
    return found
