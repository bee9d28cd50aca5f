"""A diagnosis as a piece of HTML for a notebook: no script, and readable where its style is taken away."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from shapeinspect.dims import Dim
from shapeinspect.mismatch.diagnosis import Diagnosis
from shapeinspect.mismatch.sizes.clash import clashes
from shapeinspect.mismatch.words.describe import parts
from shapeinspect.text import visible

#: How what clashes looks on light pages and on dark ones.
_RED = "color:#d93025;font-weight:bold"
_MONO = "font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:12px"
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0;background:none;border:0"


def as_html(diagnosis: Diagnosis) -> str:
    """Return a diagnosis as a table: the lengths that clash in red and bold, then what is said of them.

    Args:
        diagnosis: the diagnosis.
    """
    told = parts(diagnosis)
    rows = [("operands", "<br>".join(_operands(diagnosis)))]
    last = [row for row in told.rows if row[0] == "via"]  # how it came there, below what to do
    for label, texts in (*(row for row in told.rows if row not in last), *last):
        rows.append((label, "<br>".join(_text(text) for text in texts)))
    body = "".join(
        f'<tr><th style="{_CELL};opacity:.65;font-weight:normal">{label}</th>'
        f'<td style="{_CELL};{_MONO};white-space:pre-wrap">{text}</td></tr>'
        for label, text in rows
        if text
    )
    return (
        f'<div style="border-left:4px solid #d93025;padding:4px 12px;margin:6px 0">'
        f'<p style="margin:2px 0 6px"><strong>{_text(told.head)}</strong></p><table>{body}</table></div>'
    )


def operands(diagnosis: Diagnosis) -> Iterator[tuple[str, list[tuple[str, bool]]]]:
    """Yield the name of each operand whose shape is known, and each length with whether it clashes.

    Args:
        diagnosis: the diagnosis.
    """
    found = clashes(diagnosis.problem, diagnosis.layer)
    shapes = diagnosis.problem.shapes
    for number, (name, shape) in enumerate(zip(diagnosis.failure.inputs, shapes, strict=False)):
        if not name or shape is None:
            continue
        value = diagnosis.model.values.get(name)
        axes = value.axes if value is not None and value.axes is not None else (None,) * len(shape)
        lengths = [_axis(letter, length) for letter, length in zip(axes, shape, strict=False)]
        yield name, [(text, (number, place) in found) for place, text in enumerate(lengths)]


def _axis(letter: str | None, length: Dim) -> str:
    together = letter is not None and letter.startswith("(")
    return f"{letter}={length}" if together else f"{letter or ''}{length}"


def _operands(diagnosis: Diagnosis) -> Iterator[str]:
    makers = {name: call.layer for call in diagnosis.model.calls for name in call.outputs}
    for name, lengths in operands(diagnosis):
        written = " ".join(
            f'<b style="{_RED}">{_text(text)}</b>' if wrong else _text(text) for text, wrong in lengths
        )
        yield f"{written}  from {_text(makers.get(name, name))}"


def _text(text: str) -> str:
    return escape(visible(text))
