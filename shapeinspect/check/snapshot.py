"""Snapshots: the layers as readable text, those with weights the same for every framework.

Of layers with weights they contain what frameworks agree on: shapes in the common convention, the batch as
``N``, each weight by its slot, and every setting that changes numbers or shapes. So a port can be compared
with the original's snapshot. The other layers follow in the terms of their framework, and are compared within
the same framework alone.
"""

from __future__ import annotations

import re

from shapeinspect.check.snapshot_settings import settings, word
from shapeinspect.compare.sides import ModelSide
from shapeinspect.dims import Dim, Shape, symbol
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Axes, Call, Layer, Model, Value
from shapeinspect.layout.canonical import slots
from shapeinspect.registry import native_table
from shapeinspect.render import cells
from shapeinspect.render.grid import Column, draw
from shapeinspect.text import printable

#: The order of axes in the common convention: channels before space, but after time.
_ORDER = ("N", "T", "C", "D", "H", "W", "L")

#: Kinds that work on feature maps, channels before space, even where a framework calls the space time.
_OF_MAPS = frozenset(
    {"conv", "conv_transpose", "separable_conv", "batch_norm", "group_norm", "instance_norm", "prelu"}
)

#: Composite axes that other frameworks store as plain outputs or inputs: groups, heads, single channels.
_PLAIN = frozenset({"(g o)", "(g i)", "(c m)", "(head d)", "1"})

_BIAS = re.compile(r"bias_[ih]h(\.l\d+(?:\.reverse)?)")

#: The first line; behind it stands the source of the settings, which snapshots once did not hold.
HEADER = "# layers with weights, in the common convention"
#: The line before the other layers.
OTHERS = "# other layers"


#: Wider than any row.
_LONGEST = 10_000


def text(model: Model) -> str:
    """Write the snapshot of a model.

    Args:
        model: a model after every stage.

    Example:
        >>> print(text(Model("m", "onnx", "onnx", "onnx")), end="")
        # layers with weights, in the common convention, of a model of onnx (onnx)
    """
    side = ModelSide(model, native_table(model.framework))
    batch, padded = _batch(model), _padded(model, side)
    with_weights, others = [], []
    for layer in model.layers:
        weights = _weights(layer)
        before = padded.get(layer.path, ())
        row = [
            layer.path.replace("/", "."),
            layer.kind,
            settings(side.layer(layer, alone=True), batch, before),
        ]
        row.append(cells.several(_output(model, layer, call) for call in side.calls.get(layer.path, ())))
        if weights:
            with_weights.append([*row, weights])
        elif row[2] or layer.weights:
            # Weights without a slot, such as the classes' of a loss, stand among the settings.
            more = (f"{weight.role}={word(weight.shape)}" for weight in layer.weights)
            others.append([*row[:2], " ".join((*row[2].split(), *more)), row[3]])
    lines = [f"{HEADER}, of a model of {model.framework} ({model.format})"]
    lines += _table(("layer", "kind", "settings", "output", "weights"), with_weights)
    if others:
        lines += [OTHERS, *_table(("layer", "kind", "settings", "output"), others)]
    return "\n".join(lines) + "\n"


def text_without_settings(model: Model) -> str:
    """Write the snapshot of a model as it was before snapshots held every setting.

    Args:
        model: a model after every stage.

    Example:
        >>> print(text_without_settings(Model("m", "onnx", "onnx", "onnx")), end="")
        # layers with weights, in the common convention
    """
    side = ModelSide(model)
    rows = []
    for layer in model.layers:
        weights = _weights(layer)
        if weights:
            outputs = cells.several(_output(model, layer, call) for call in side.calls.get(layer.path, ()))
            rows.append([layer.path.replace("/", "."), layer.kind, _channels(layer), outputs, weights])
    return "\n".join([HEADER, *_table(("layer", "kind", "settings", "output", "weights"), rows)]) + "\n"


def _table(names: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    cells = [[printable(cell, _LONGEST) for cell in row] for row in rows]
    drawn = draw([Column(name) for name in names], cells, _LONGEST)
    return ["".join(piece for piece, _ in line).rstrip() for at, line in enumerate(drawn) if at != 1]


def _batch(model: Model) -> Dim | None:
    """Return the length of the batch: of the axis N of an input."""
    for name in model.inputs:
        value = model.values.get(name, Value(name))
        for axis, length in zip(value.axes or (), value.shape or (), strict=False):
            if axis == "N":
                return length
    return None


def _padded(model: Model, side: ModelSide) -> dict[str, tuple[tuple[int, int], ...]]:
    """Return the zeros that a layer of its own adds in front of a convolution, as many ports do."""
    made = {name: call.layer for call in model.calls for name in call.outputs}
    found: dict[str, tuple[tuple[int, int], ...]] = {}
    for call in model.calls:
        layer = side.layers.get(call.layer)
        pad = side.layers.get(made.get(next(iter(call.inputs), ""), ""))
        if layer is None or pad is None or layer.kind != "conv" or pad.kind != "pad":
            continue
        zeros = pad.attributes.get("mode", "constant") == "constant" and not pad.attributes.get("value")
        pairs, rank = pad.attributes.get("padding"), len(layer.attributes.get("kernel_size") or ())
        if zeros and isinstance(pairs, tuple) and pairs:
            last = layer.attributes.get("data_format") == "channels_last"
            spatial = pairs if len(pairs) <= rank else pairs[1:-1] if last else pairs[2:]
            if len(spatial) == rank and all(isinstance(end, int) for pair in spatial for end in pair):
                found[layer.path] = spatial
    return found


def _channels(layer: Layer) -> str:
    """Write the settings that snapshots held at first: channels, kernel and groups."""
    into, out = cells.channels(layer.attributes)
    kept = {name: layer.attributes[name] for name in ("kernel_size", "groups") if name in layer.attributes}
    if layer.kind == "batch_norm":
        into = out = None
    attributes = Frozen({**kept, "in_channels": into, "out_channels": out})
    return cells.settings(Layer(layer.path, layer.kind, "", attributes=attributes))


def _output(model: Model, layer: Layer, call: Call) -> str:
    value = model.values.get(call.outputs[0] if call.outputs else "", Value(""))
    shape, axes = _ordered(value.shape, value.axes, layer.kind in _OF_MAPS)
    return cells.shape(shape, axes)


def _ordered(shape: Shape | None, axes: Axes | None, of_map: bool) -> tuple[Shape | None, Axes | None]:
    """Put the axes in the common order, and a letter in the place of the batch."""
    if shape is None or axes is None or len(axes) != len(shape):
        return shape, axes
    # The features of a sequence are C or E, as the framework's ops call them.
    names = ["C" if name == "E" else name for name in axes]
    if len(names) == 3 and names.count("C") == 1 and "N" in names:
        # The third axis is a sequence, a line, or the space that was flattened into it.
        names = [name if name in ("N", "C") else "L" if of_map else "T" for name in names]
    pairs = list(zip(names, shape, strict=True))
    if all(name in _ORDER for name in names):
        pairs.sort(key=lambda pair: _ORDER.index(pair[0] or ""))
    kept = [(name, symbol("N") if name == "N" else length) for name, length in pairs]
    return tuple(length for _, length in kept), tuple(name for name, _ in kept)


def _weights(layer: Layer) -> str:
    shapes = {
        _BIAS.sub(r"bias\1", slot.split("+")[0]): cells.shape(piece.shape, _letters(piece.pattern))
        for slot, (_, piece) in slots(layer.weights).items()
        if piece.shape
    }
    return ", ".join(f"{slot} {shape}" for slot, shape in sorted(shapes.items()))


def _letters(pattern: str) -> tuple[str, ...]:
    """Return the letters of a weight's axes, without what only one framework's layout shows."""
    axes = cells.pattern_axes(pattern)
    if axes == ("n0",):
        return ("C",)
    return tuple("oi"[at] if at < 2 and axis in _PLAIN else axis for at, axis in enumerate(axes))
