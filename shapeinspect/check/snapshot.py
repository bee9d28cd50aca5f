"""Snapshots: the layers with weights as readable text, the same for every framework.

They contain only what frameworks agree on: shapes in the common convention, the batch as ``N``, each
weight by its slot. So a port can be compared with the original's snapshot.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from shapeinspect.dims import Shape, symbol
from shapeinspect.ir import Axes, Call, Frozen, Layer, Model, Value
from shapeinspect.layout.canonical import slots
from shapeinspect.render import cells
from shapeinspect.render.grid import Column, draw

#: The order of axes in the common convention: channels before space, but after time.
_ORDER = ("N", "T", "C", "D", "H", "W", "L")

#: Kinds that work on feature maps, channels before space, even where a framework calls the space time.
_OF_MAPS = frozenset(
    {"conv", "conv_transpose", "separable_conv", "batch_norm", "group_norm", "instance_norm", "prelu"}
)

#: Composite axes that other frameworks store as plain outputs or inputs: groups, heads, single channels.
_PLAIN = frozenset({"(g o)", "(g i)", "(c m)", "(head d)", "1"})

_BIAS = re.compile(r"bias_[ih]h(\.l\d+(?:\.reverse)?)")

#: A slot of weights, before its axes.
_SLOT = re.compile(r"[a-z][a-z_0-9.]* \S")

#: The cells of a layer, each with its column's name.
_Row: TypeAlias = "tuple[tuple[str, str], ...]"

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
            outputs = [_output(model, layer, call) for call in calls.get(layer.path, ())]
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


def difference(before: str, after: str) -> str:
    r"""Write how two snapshots differ, layer by layer, whatever their order.

    Layers are found by their names: a port may run parallel branches in another order.

    Args:
        before: the kept snapshot.
        after: the new one.

    Returns:
        The layers that differ, with their neighbors, and below a changed layer what changed; an empty
        text if the snapshots are equal apart from spacing.

    Example:
        >>> print(difference("fc  linear  3→5\n", "fc  linear  3→7\n"))
        - fc  linear  3→5
        + fc  linear  3→7
              3→5 changed to 3→7
    """
    old, new = _rows(before), _rows(after)
    names = _merged(list(old), list(new))
    changed = [at for at, name in enumerate(names) if old.get(name) != new.get(name)]
    shown = sorted({near for at in changed for near in (at - 1, at, at + 1) if 0 <= near < len(names)})
    lines: list[str] = []
    for last, at in zip([-1, *shown], shown, strict=False):
        if at > last + 1:
            lines.append("  …")
        was, now = old.get(names[at]), new.get(names[at])
        if was == now:
            lines += [f"  {_line(now)}"]
            continue
        lines += [f"- {_line(was)}"] if was else []
        lines += [f"+ {_line(now)}"] if now else []
        lines += _cells(was, now) if was and now else []
    if lines and shown[-1] < len(names) - 1:
        lines.append("  …")
    return "\n".join(lines)


def _line(row: _Row | None) -> str:
    return "  ".join(cell for _, cell in row or () if cell)


def _merged(old: list[str], new: list[str]) -> list[str]:
    """Return all names in the old order, each new name after the one that it follows."""
    names = list(old)
    for at, name in enumerate(new):
        if name not in names:
            names.insert(names.index(new[at - 1]) + 1 if at else 0, name)
    return names


def _rows(snapshot: str) -> dict[str, _Row]:
    """Read a snapshot: the cells of each layer, with their columns."""
    lines = [line for line in snapshot.splitlines() if line.strip() and not line.startswith("#")]
    heads: list[tuple[str, int, int | None]] = []
    if lines and lines[0].split()[:2] == ["layer", "kind"]:
        words = [(match.group(), match.start()) for match in re.finditer(r"\S+", lines.pop(0))]
        ends = [start for _, start in words[1:]]
        heads = [(name, start, end) for (name, start), end in zip(words, [*ends, None], strict=True)]
    rows: dict[str, _Row] = {}
    for line in lines:
        row: _Row = tuple((name, line[start:end].strip()) for name, start, end in heads)
        if not heads:
            row = tuple(("", cell) for cell in re.split(r" {2,}", line.strip()))
        rows[row[0][1]] = row
    return rows


def _cells(was: _Row, now: _Row) -> list[str]:
    """Write the axes and settings that differ, column by column."""
    lines = []
    before, after = dict(enumerate(was)), dict(enumerate(now))
    for index in range(max(len(before), len(after))):
        name, old = before.get(index, ("", ""))
        name, new = after.get(index, (name, ""))
        if old != new:
            head = f"{name:<8}  " if name else ""
            lines += [f"      {head}{change}" for change in _changes(old, new)]
    return lines


def _changes(old: str, new: str) -> list[str]:
    """Return how two cells differ: by an axis of a weight, or a setting."""
    before, after = _pieces(old), _pieces(new)
    removed = [f"{name} was removed" for name in before if name and name not in after]
    added = [f"{name} is new: {' '.join(after[name])}" for name in after if name and name not in before]
    changed = []
    for name in before:
        if name not in after or before[name] == after[name]:
            continue
        left, right, of = before[name], after[name], f"{name} " if name else ""
        if len(left) == len(right):
            changed += [f"{of}{a} changed to {b}" for a, b in zip(left, right, strict=True) if a != b]
        else:
            changed.append(f"{of}{' '.join(left) or 'nothing'} changed to {' '.join(right) or 'nothing'}")
    return changed + removed + added


def _pieces(cell: str) -> dict[str, list[str]]:
    """Split a cell: the axes of each weight by its slot, or the words of any other cell."""
    if _SLOT.match(cell):
        return {part.split()[0]: part.split()[1:] for part in cell.split(", ")}
    return {"": cell.split()}
