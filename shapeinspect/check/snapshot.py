"""Snapshots: the layers that hold weights as readable text, the same for every framework.

Only what frameworks agree on is written: shapes in the common convention, the batch as ``N``, each
weight by its slot. A port can so be held against the original's snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from shapeinspect.dims import Dim, Shape, symbol
from shapeinspect.ir import Axes, Call, Frozen, Layer, Model, Value
from shapeinspect.layout.canonical import slots
from shapeinspect.render import cells
from shapeinspect.render.grid import Column, draw

#: The order of axes in the common convention.
_ORDER = ("N", "C", "D", "H", "W", "L")

_BIAS = re.compile(r"bias_[ih]h(\.l\d+(?:\.reverse)?)")

_HEADER = "# layers with weights, in the common convention"


def text(model: Model) -> str:
    """Write the snapshot of a model.

    Args:
        model: a model after every stage.

    Example:
        >>> print(text(Model("m", "onnx", "onnx", "onnx")), end="")
        # layers with weights, in the common convention
    """
    calls: dict[str, list[Call]] = {}
    for call in model.calls:
        calls.setdefault(call.layer, []).append(call)
    rows = []
    for layer in model.layers:
        weights = _weights(layer)
        if weights:
            outputs = [_output(model, call) for call in calls.get(layer.path, ())]
            path = layer.path.replace("/", ".")
            rows.append([path, layer.kind, _settings(layer), cells.several(outputs), weights])
    lines = [_HEADER]
    if rows:
        columns = [Column(name) for name in ("layer", "kind", "settings", "output", "weights")]
        drawn = draw(columns, rows, 10_000)
        lines += ["".join(piece for piece, _ in line).rstrip() for at, line in enumerate(drawn) if at != 1]
    return "\n".join(lines) + "\n"


def _settings(layer: Layer) -> str:
    """Write the settings that mean the same in every framework."""
    into, out = cells.channels(layer.attributes)
    kept = {name: layer.attributes[name] for name in ("kernel_size", "groups") if name in layer.attributes}
    if layer.kind == "batch_norm":
        into = out = None
    attributes = Frozen({**kept, "in_channels": into, "out_channels": out})
    return cells.settings(Layer(layer.path, layer.kind, "", attributes=attributes))


def _output(model: Model, call: Call) -> str:
    value = model.values.get(call.outputs[0] if call.outputs else "", Value(""))
    shape, axes = _ordered(value.shape, value.axes)
    return cells.shape(shape, axes)


def _ordered(shape: Shape | None, axes: Axes | None) -> tuple[Shape | None, Axes | None]:
    """Put a feature map's axes in the common order, and a letter in the place of the batch."""
    if shape is None or axes is None or len(axes) != len(shape):
        return shape, axes
    pairs: list[tuple[str | None, Dim]] = list(zip(axes, shape, strict=True))
    if all(name in _ORDER for name in axes):
        pairs.sort(key=lambda pair: _ORDER.index(pair[0] or ""))
    pairs = [(name, symbol("N") if name == "N" else length) for name, length in pairs]
    # The last axis of a sequence is C or E, as the framework's ops call it: features either way.
    named = tuple("C" if name == "E" else name for name, _ in pairs)
    return tuple(length for _, length in pairs), named


def _weights(layer: Layer) -> str:
    found = {
        _BIAS.sub(r"bias\1", slot.split("+")[0]): cells.shape(piece.shape, cells.pattern_axes(piece.pattern))
        for slot, (_, piece) in slots(layer.weights).items()
        if piece.shape
    }
    return ", ".join(f"{slot} {shape}" for slot, shape in sorted(found.items()))


def difference(before: str, after: str) -> str:
    r"""Write what two snapshots do not have in common: lines, and below a changed one its cells.

    Args:
        before: the kept snapshot.
        after: the new one.

    Returns:
        an empty text if they say the same, whatever their spacing.

    Example:
        >>> print(difference("fc  linear  3→5\n", "fc  linear  3→7\n"))
        - fc  linear  3→5
        + fc  linear  3→7
              3→5 became 3→7
    """
    old, new = _rows(before), _rows(after)
    lines: list[str] = []
    for op, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if op == "equal":
            continue
        for index in range(max(b - a, d - c)):
            was = old[a + index] if a + index < b else None
            now = new[c + index] if c + index < d else None
            lines += [f"- {'  '.join(was)}"] if was else []
            lines += [f"+ {'  '.join(now)}"] if now else []
            lines += _cells(was, now) if was and now and was[0] == now[0] else []
    return "\n".join(lines)


def _rows(snapshot: str) -> list[tuple[str, ...]]:
    lines = [line for line in snapshot.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(re.split(r" {2,}", line.strip())) for line in lines]


def _cells(was: Sequence[str], now: Sequence[str]) -> list[str]:
    if len(was) != len(now):
        return []
    return [
        f"      {part} became {other}"
        for old, new in zip(was, now, strict=True)
        if old != new
        for part, other in _parts(old, new)
    ]


def _parts(old: str, new: str) -> list[tuple[str, str]]:
    """Return the axes or settings that differ, where both sides have as many."""
    before, after = old.split(), new.split()
    if len(before) != len(after):
        return [(old, new)]
    return [(one, other) for one, other in zip(before, after, strict=True) if one != other]
