"""Explanations as lines of text that fit a screen, and as plain data."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from shapeinspect.dims import Dim, Expr, Unknown
from shapeinspect.explanation import CallFact, Formula, LayerExplanation, TensorFact, WeightFact
from shapeinspect.explanation.values import AxisFact, FieldFact, Reading, WindowFact, Work
from shapeinspect.render.data import plain
from shapeinspect.render.grid import Line, width
from shapeinspect.render.results.drawing import draw_text, list_text
from shapeinspect.text import plural, printable

_LABEL = 10
_NARROWEST = 48


def explanation_lines(layer: LayerExplanation, limit: int = 80) -> list[Line]:
    """Write the explanation of one layer.

    Args:
        layer: the explanation.
        limit: the width in terminal cells.
    """
    limit = max(limit, _NARROWEST)
    lines = _title(layer, limit)
    lines += _paragraph(layer.summary, limit, "")
    if layer.calls:
        lines += [(), *_inputs(layer.calls[0], limit)]
    for index, weight in enumerate(layer.weights):
        lines += [(), *_weight(weight, layer.weights[:index], limit)]
    lines += _numbers(layer.numbers, limit)
    for call in layer.calls:
        lines += [(), *_outputs(call, limit)]
    if len(layer.calls) > 1:
        lines += _paragraph(f"Called with {len(layer.calls)} different shapes; each is shown.", limit, "")
    for call in layer.calls[:1]:
        lines += _work(call.work, limit) + _fields(call.field, limit)
    if layer.remarks:
        lines.append(())
        for remark in layer.remarks:
            lines += _paragraph(remark, limit, "")
    if layer.readings:
        lines += [(), *_readings(layer.readings)]
    if layer.calls and layer.calls[0].windows:
        lines += [(), *_windows(layer.calls[0].windows, limit)]
    for style, word, texts in (("error", "finding", layer.findings), ("note", "note", layer.notes)):
        for text in texts:
            lines += [(), *_labeled(word, text, limit, style)]
    return lines


def _title(layer: LayerExplanation, limit: int) -> list[Line]:
    native = f" ({printable(layer.type)})" if layer.type and layer.type != layer.kind else ""
    title = f"{layer.kind}{native}"
    path = printable(layer.path)
    lines: list[Line] = [((path, "path"),)]
    if title != layer.path and width(path) + 2 + width(title) <= limit:
        lines = [((path, "path"), (f"  {title}", "kind"))]
    elif title != layer.path:
        lines.append(((title, "kind"),))
    return lines


def _wrapped(text: str, limit: int) -> list[str]:
    return textwrap.wrap(printable(text, 4000), max(limit, 20), break_long_words=False) or [""]


def _paragraph(text: str, limit: int, style: str) -> list[Line]:
    return [((line, style),) for line in _wrapped(text, limit)] if text else []


def _indented(text: str, limit: int) -> list[Line]:
    return [(("  " + line, ""),) for line in _wrapped(text, limit - 2)]


def _labeled(label: str, text: str, limit: int, style: str = "heading") -> list[Line]:
    first, *rest = _wrapped(text, limit - _LABEL)
    lines: list[Line] = [((label.ljust(_LABEL), style), (first, ""))]
    return lines + [((" " * _LABEL + line, ""),) for line in rest]


def _inputs(call: CallFact, limit: int) -> list[Line]:
    lines: list[Line] = []
    before = set()
    for tensor in call.inputs:
        if tensor in before:
            lines += _labeled("goes in", f"{tensor.name} again", limit)
        else:
            lines += _tensor("goes in", tensor, limit)
        before.add(tensor)
    return lines


def _outputs(call: CallFact, limit: int) -> list[Line]:
    lines: list[Line] = []
    for tensor in call.outputs:
        lines += _tensor("comes out", tensor, limit)
    return lines


def _tensor(label: str, tensor: TensorFact, limit: int) -> list[Line]:
    source = f", from {tensor.source}" if tensor.source.startswith('"') else ""
    shown = "of unknown shape" if tensor.shape is None else shape_text(tensor.shape)
    lines = _labeled(label, f"{tensor.name} {shown}{source}", limit)
    return lines + _axes(tensor.axes or (), limit)


def shape_text(shape: Iterable[Dim]) -> str:
    """Write lengths as a tuple.

    Args:
        shape: the lengths.

    Example:
        >>> shape_text((2, 3)), shape_text([5])
        ('(2, 3)', '(5,)')
    """
    lengths = tuple(map(str, shape))
    return f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''})"


def _axes(axes: tuple[AxisFact, ...], limit: int) -> list[Line]:
    names = [axis.name or "" for axis in axes]
    wide = max((width(name) for name in names), default=0)
    numbers = [str(axis.length) for axis in axes]
    long = min(max((width(number) for number in numbers), default=0), 24)
    lines: list[Line] = []
    for index, (axis, name, number) in enumerate(zip(axes, names, numbers, strict=True)):
        head = f"  axis {index}  "
        start = f"{name.ljust(wide)}{'  ' if wide else ''}"
        indent = len(head) + len(start) + long + 3
        texts = axis_texts(axis, limit - indent)
        rest = limit - indent
        wrapped = [part for text in texts for part in _wrapped(text, rest)] or [""]
        lines.append(
            (
                (head, "dim"),
                (printable(start), "heading"),
                (number.rjust(long), "number"),
                ("   " + wrapped[0], ""),
            )
        )
        lines += [((" " * indent + part, ""),) for part in wrapped[1:]]
    return lines


def axis_texts(axis: AxisFact, room: int) -> list[str]:
    """Write what an axis is and how its length is computed.

    Args:
        axis: the axis.
        room: how wide a line may be.
    """
    texts = [] if axis.formula is None else _formula(axis.formula, room)
    if not axis.meaning:
        return texts
    together = ", ".join((*texts[:1], axis.meaning))
    return [together] if len(texts) < 2 and width(together) <= room else [*texts, axis.meaning]


def _formula(formula: Formula, room: int) -> list[str]:
    written, numbers = formula.written, formula.substituted
    if any(isinstance(number, Unknown) for _, number in formula.values):
        return [written]
    result = str(formula.result)
    if formula.text.isdigit():
        return []
    tail = f" = {result}" if numbers != result else ""
    line = f"{written} = {numbers}{tail}"
    if written == numbers or width(line) <= room:
        return [line if written != numbers else f"{written}{tail}"]
    return [f"{written}", f"= {numbers}{tail}"]


def _weight(weight: WeightFact, above: tuple[WeightFact, ...], limit: int) -> list[Line]:
    native = shape_text(axis.length for axis in weight.axes)
    count = "" if weight.count is None else f", {weight.count:,} number{'' if weight.count == 1 else 's'}"
    like = next(
        (other.name for other in above if weight.axes and other.axes == weight.axes and weight.axes[0].name),
        None,
    )
    if like is not None:
        lines = _labeled("weight", f"{weight.name} {native}{count}; same axes as {like}", limit)
        return lines + (_indented(weight.quantized, limit) if weight.quantized else [])
    lines = _labeled("weight", f"{weight.name} {native}{count}", limit)
    if weight.quantized:
        lines += _indented(weight.quantized, limit)
    lines += _axes(weight.axes, limit)
    if weight.common is not None and len(weight.axes) > 1:
        letters = " ".join(name for name, _ in weight.common)
        shape = shape_text(length for _, length in weight.common)
        if weight.transform is None:
            lines += _paragraph(f"  stored in the common order: {letters}", limit, "common")
        else:
            lines += _paragraph(f"  common order: {letters} = {shape}", limit, "common")
            lines += _paragraph(f"  rearrange(w, '{weight.transform}')", limit, "common")
    if weight.remark:
        lines += _paragraph(f"  {weight.remark}", limit, "")
    return lines


def _counted(number: Dim, noun: str) -> str:
    return plural(f"{number:,}" if isinstance(number, int) and number != 1 else number, noun)


def work_texts(work: Work | None) -> list[str]:
    """Write how many multiplications a call takes: how they are counted, then the numbers.

    Args:
        work: the work; None if it is not known, of which nothing is written.
    """
    if work is None:
        return []
    if work.total == 0:
        return ["0 multiplications: it adds up no products"]
    if work.formula is None:
        return [_counted(work.total, "multiplication")]
    names, numbers = work.formula.written, work.formula.substituted
    total = _counted(work.total, "multiplication")
    return [names, f"= {total}" if numbers == str(work.total) else f"= {numbers} = {total}"]


def _work(work: Work | None, limit: int) -> list[Line]:
    texts = work_texts(work)
    lines = [_labeled("" if index else "work", text, limit) for index, text in enumerate(texts)]
    return [(), *(part for line in lines for part in line)] if lines else []


def numbers_text(formula: Formula | None) -> str:
    """Write how many numbers the weights of a layer hold; nothing where that is one weight's.

    Args:
        formula: how they are counted, or None.
    """
    if formula is None or "+" not in formula.text:
        return ""
    written, numbers = formula.written, formula.substituted
    start = "" if written == numbers else f"{written} = "
    return f"{start}{numbers} = {_counted(formula.result, 'number')}"


def _numbers(formula: Formula | None, limit: int) -> list[Line]:
    text = numbers_text(formula)
    return [(), *_labeled("weights", text, limit)] if text else []


def field_texts(fields: tuple[FieldFact, ...]) -> list[str]:
    """Write what one output position sees of the model's inputs, a line for each axis.

    Args:
        fields: what it sees.
    """
    texts: list[str] = []
    for field in fields:
        whole = f'{field.axis} of "{field.input}"'
        if not field.followed:
            text = f"{whole}: unknown which of {field.length}"
        elif field.last is not None:
            near = (field.jump, field.last) == ("1", 0)
            own = "its own position" if near else f"{field.last} + {field.jump}·index"
            text = f"{whole}: all up to {own}, of {field.length}"
        elif field.size is None:
            text = f"{whole}: all {field.length}"
        else:
            size = str(field.size) if field.size == field.least else f"{field.least} to {field.size}"
            text = f"{whole}: {size} of {field.length}; jump {field.jump}, start {field.start}"
            if field.start is not None and field.start < 0:
                text += f" ({-field.start} of padding)"
        texts.append(text)
    return texts


def _fields(fields: tuple[FieldFact, ...], limit: int) -> list[Line]:
    texts = enumerate(field_texts(fields))
    return [line for index, text in texts for line in _labeled("" if index else "sees", text, limit)]


def _readings(rows: tuple[Reading, ...]) -> list[Line]:
    table = [(row.question, *row.answers) for row in rows]
    widths = [max(width(row[column]) for row in table) for column in range(3)]
    lines: list[Line] = []
    for index, row in enumerate(table):
        text = "  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip()
        lines.append(((text, "heading" if index == 0 else ""),))
    return lines


def _windows(windows: tuple[WindowFact, ...], limit: int) -> list[Line]:
    if any(window.ragged for window in windows):
        lines: list[Line] = [(("window of each output index, [start, stop)", "heading"),)]
        return lines + [((text, ""),) for window in windows for text in list_text(window, limit)]
    if all(len(window.taps[0]) == 1 and not window.before for window in windows if window.taps):
        return []
    return draw_text(windows[0], limit) if windows[0].taps else []


def noted(text: str, limit: int = 80) -> list[str]:
    """Return a note below an explanation, wrapped behind its label.

    Args:
        text: a sentence.
        limit: the maximum number of columns.

    Example:
        >>> noted("shown without the DataParallel around it", 30)
        ['note      shown without the', '          DataParallel around', '          it']
    """
    first, *rest = textwrap.wrap(printable(text, 4000), max(limit - 10, 20), break_long_words=False)
    return [f"{'note':<10}{first}", *(f"{'':<10}{line}" for line in rest)]


def summary_lines(layers: tuple[LayerExplanation, ...], limit: int = 80) -> list[Line]:
    """Write one line for each layer: what goes in, what comes out, and why.

    Args:
        layers: the explanations.
        limit: the width in terminal cells.
    """
    rows = [(printable(layer.path), *_in_out(layer), _why(layer)) for layer in layers]
    if not rows:
        return [(("no layer changes the shape", ""),)]
    limits = (max(limit // 4, 12), max(limit // 4, 12))
    first = min(max(width(row[0]) for row in rows), limits[0])
    second = min(max(width(row[1]) for row in rows), limits[1] + 8)
    lines: list[Line] = []
    listed: set[str] = set()
    above = ""
    for layer, (path, shapes, reason) in zip(layers, rows, strict=True):
        why = reason + _reads(layer, listed, above, first)
        rest = max(limit - first - second - 4, 20)
        parts = _wrapped(why, rest)
        lengths = _end(shapes, max(limit - first - 2, 20))
        if width(lengths) > second:  # the reason begins below them
            parts.insert(0, "")
        name = _end(path, first).ljust(first)
        lines.append(((name, "path"), (f"  {lengths.ljust(second)}  {parts[0]}", "")))
        lines += [((" " * (first + second + 4) + part, ""),) for part in parts[1:]]
        for text in layer.findings:
            lines += _labeled("  finding", text, limit, "error")
        above = layer.path
        listed.add(above)
    return lines


def _end(text: str, limit: int) -> str:
    """Return a text, or its end where it is too long."""
    return text if width(text) <= limit else "…" + text[-(limit - 1) :]


def _reads(layer: LayerExplanation, listed: set[str], above: str, limit: int) -> str:
    """Name the sources of a layer, unless its only source is the layer above it."""
    call = layer.calls[0] if layer.calls else None
    named = [tensor.source.strip('"') for tensor in call.inputs] if call is not None else []
    sources = list(filter(None, named))
    aside = len(sources) == 1 and sources[0] in listed and sources[0] != above
    shown = ", ".join(_end(source, limit) for source in sources)
    return f"; reads {shown}" if aside or len(sources) > 1 else ""


def _in_out(layer: LayerExplanation) -> tuple[str]:
    if not layer.calls or not layer.calls[0].outputs:
        return ("",)
    call = layer.calls[0]
    before = " + ".join(_letters(tensor) for tensor in call.inputs[:4])
    return (f"{before} → {_letters(call.outputs[0])}",)


def _letters(tensor: TensorFact) -> str:
    if tensor.axes is None:
        return "?"
    if not tensor.axes:
        return "scalar"
    texts = []
    for axis in tensor.axes:
        if axis.name == "N" and (axis.length == 1 or not isinstance(axis.length, int)):
            continue
        plain = axis.name is not None and axis.name.isalpha()
        texts.append(f"{axis.name}{axis.length}" if plain else str(axis.length))
    return " ".join(texts) or "N"


def _why(layer: LayerExplanation) -> str:
    outputs = layer.calls[0].outputs if layer.calls else ()
    axes = (outputs[0].axes or ()) if outputs else ()
    formulas: dict[str, list[str]] = {}
    for axis in axes:
        if axis.formula is not None and not axis.formula.plain:
            text = axis.formula.written
            formulas.setdefault(text, []).append(axis.name or "")
    texts = [
        f"{' '.join(name for name in names if name)} = {text}".removeprefix(" = ")
        for text, names in formulas.items()
    ]
    if texts:
        return "; ".join(texts)
    return layer.summary or ("its kind is not proven" if layer.kind == "unknown" else layer.kind)


def to_data(value: Any) -> Any:
    """Turn an explanation into dicts, lists, strings and numbers, as ``--format json`` prints them.

    Args:
        value: an explanation, or a part of one.

    Example:
        >>> to_data(Formula("n - k + 1", (("n", 300), ("k", 5)), 296))["substituted"]
        '300 − 5 + 1'
    """
    if isinstance(value, Unknown) or value is None:
        return None
    if isinstance(value, Expr):
        return str(value)
    if isinstance(value, Formula):
        return {
            "text": value.text,
            "written": value.written,
            "values": {name: to_data(number) for name, number in value.values},
            "substituted": value.substituted,
            "result": to_data(value.result),
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_data(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [to_data(item) for item in value]
    if isinstance(value, Mapping):
        return plain(value)
    return value if isinstance(value, bool | int | float | str) else str(value)
