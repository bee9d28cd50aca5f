"""What the card of a layer says: everything that ``explain`` knows of it, in parts that a page lays out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shapeinspect.explanation import CallFact, LayerExplanation, TensorFact, WeightFact
from shapeinspect.explanation.values import AxisFact
from shapeinspect.render.grid import as_text
from shapeinspect.render.results.drawing import draw_text, list_text
from shapeinspect.render.results.explain import (
    axis_texts,
    field_texts,
    numbers_text,
    shape_text,
    work_texts,
)
from shapeinspect.text import printable

#: How wide a drawing of windows is, and a line of a formula, in characters.
_DRAWING, _LINE = 46, 400
#: How long a text may be.
_LONGEST = 2000


def card(layer: LayerExplanation) -> dict[str, Any]:
    """Return what a card says, as lists of texts under short names; what there is nothing of is left out.

    Args:
        layer: the explanation of the layer.

    Returns:
        ``path``, ``kind``, ``type``, ``about``; ``in`` and ``out``: name, shape, origin and axes (letter,
        length, meaning) of each tensor; ``weights``: name, shape, count, quantization, axes, common order,
        the einops line, remark; ``numbers``, ``work``, ``sees``, ``remarks``, ``readings``, ``window``,
        ``findings``, ``notes``.

    Example:
        >>> card(LayerExplanation("fc", "linear", "Dense", "a layer"))["about"]
        'a layer'
    """
    call = layer.calls[0] if layer.calls else CallFact((), ())
    parts: dict[str, Any] = {
        "path": _fit(layer.path),
        "kind": layer.kind,
        "type": _fit(layer.type) if layer.type != layer.kind else "",
        "about": _fit(layer.summary),
        "in": [_tensor(tensor) for tensor in dict.fromkeys(call.inputs)],
        "weights": [_weight(weight) for weight in layer.weights],
        "numbers": _fit(numbers_text(layer.numbers)),
        "out": [_tensor(tensor) for each in layer.calls for tensor in each.outputs],
        "work": [_fit(text) for text in work_texts(call.work)],
        "sees": [_fit(text) for text in field_texts(call.field)],
        "remarks": [_fit(text) for text in layer.remarks],
        "readings": [[_fit(row.question), *map(_fit, row.answers)] for row in layer.readings],
        "window": _window(call),
        "findings": [_fit(text) for text in layer.findings],
        "notes": [_fit(text) for text in layer.notes],
    }
    return {name: value for name, value in parts.items() if value}


def _fit(text: object) -> str:
    return printable(text, _LONGEST)


def _tensor(tensor: TensorFact) -> list[Any]:
    shape = "unknown shape" if tensor.axes is None else _fit(shape_text(axis.length for axis in tensor.axes))
    return [_fit(tensor.name), shape, _fit(tensor.source), _axes(tensor.axes or ())]


def _axes(axes: Iterable[AxisFact]) -> list[list[str]]:
    return [
        [_fit(axis.name or ""), _fit(axis.length), _fit("; ".join(axis_texts(axis, _LINE)))] for axis in axes
    ]


def _weight(weight: WeightFact) -> list[Any]:
    common = ""
    if weight.common is not None and len(weight.axes) > 1:
        letters = " ".join(name for name, _ in weight.common)
        common = f"{letters} = {shape_text(length for _, length in weight.common)}"
    return [
        _fit(weight.name),
        _fit(shape_text(axis.length for axis in weight.axes)),
        "" if weight.count is None else f"{weight.count:,}",
        _fit(weight.quantized),
        _axes(weight.axes),
        _fit(common),
        _fit(f"rearrange(w, '{weight.transform}')") if weight.transform and common else "",
        _fit(weight.remark),
    ]


def _window(call: CallFact) -> list[str]:
    windows = [window for window in call.windows if window.taps]
    if not windows or all(len(window.taps[0]) == 1 and not window.before for window in windows):
        return []
    if any(window.ragged for window in windows):
        return [text for window in windows for text in list_text(window, _DRAWING)]
    return as_text(draw_text(windows[0], _DRAWING)).split("\n")
