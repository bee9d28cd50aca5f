"""The sizes that a network accepts, as lines of text and as plain data."""

from __future__ import annotations

import textwrap
from typing import Any

from shapeinspect.render.grid import Line, width
from shapeinspect.render.results.explain import to_data
from shapeinspect.solve import LIMIT, Refusal, Solution
from shapeinspect.text import printable

_LABEL = 10
_SHOWN_RUNS = 6
_OWN_CODE = "its own code"


def fit_lines(solution: Solution, limit: int = 80) -> list[Line]:
    """Write which sizes fit, which layers refuse the others, and the resulting output shapes.

    Args:
        solution: the answer.
        limit: the width in terminal cells.
    """
    lines: list[Line] = []
    for name, shape in solution.inputs:
        lines += _labeled("input" if not lines else "", f"{name} {_shape(shape)}", limit)
    lines.append(())
    if solution.declared:
        declared = ", ".join(f"{name} = {length}" for name, length in solution.declared)
        lines += _labeled("fits", f"{declared}, as the file declares: what runs it refuses any other", limit)
    for index, text in enumerate(_accepted(solution)):
        first = "layers" if solution.declared else "fits"
        lines += _labeled(first if index == 0 else "", text, limit, "heading")
    lines += _open(solution, limit)
    if solution.samples:
        lines.append(())
    for index, sample in enumerate(solution.samples):
        sizes = ", ".join(f"{name} {length}" for name, length in sample.sizes)
        outputs = ", ".join("?" if shape is None else _shape(shape) for _, shape in sample.outputs)
        lines += _labeled("gives" if index == 0 else "", f"{sizes} → {outputs}", limit)
    for axes in dict.fromkeys(refusal.axes for refusal in solution.refusals):
        lines += [(), *_refusals([one for one in solution.refusals if one.axes == axes], limit)]
    for layer, why in solution.unsolved:
        part = f'"{layer}"' if layer else "the network's own code"
        lines += [(), *_labeled("unknown", f"{part} could not be solved: {why}", limit, "error")]
    if solution.unsolved:
        lines += _labeled("", "sizes that it or a later layer refuses are not known", limit)
    for note in solution.notes:
        lines += [(), *_labeled("note", note, limit, "note")]
    return lines


def _accepted(solution: Solution) -> list[str]:
    """Return what fits; with ``declared`` lengths, what the layers would take in another file."""
    accepted = [answer.text for answer in solution.answers if answer.ranges or not solution.open]
    if solution.together is not None and (solution.together.ranges or not solution.open):
        axes = " = ".join(solution.together.axes)
        accepted.insert(0, f"{axes}: {solution.together.sizes}")
    if not any(answer.ranges for answer in solution.answers):
        return ["no size that was run or proven"] if solution.open else ["no size of those tried"]
    if solution.declared:
        accepted[0] = f"would take {accepted[0]}"
    return accepted or ["any"]


def _open(solution: Solution, limit: int) -> list[Line]:
    """Say which sizes are not refused as far as is known, and what was tried."""
    lines: list[Line] = []
    for index, answer in enumerate(solution.open):
        lines += _labeled("open" if index == 0 else "", answer.text, limit, "note")
    if lines:
        count = len(solution.runs)
        shown = "; ".join(
            ", ".join(f"{name} {length}" for name, length in sizes) + ("" if fits else " (refused)")
            for sizes, fits in solution.runs[:_SHOWN_RUNS]
        )
        more = f" and {count - _SHOWN_RUNS} more" if count > _SHOWN_RUNS else ""
        tried = f"it was run at {shown}{more}" if count else "it was not run"
        lines += _labeled("", f"not refused as far as is known, neither proven nor run; {tried}", limit)
    return lines


def _refusals(refusals: list[Refusal], limit: int) -> list[Line]:
    """Write the refused sizes, each with the first layer that refuses it."""
    axes = " = ".join(refusals[0].axes)
    lines = _labeled("refused", f"{axes}, by the first layer that does not fit:", limit)
    first = min(max(width(printable(refusal.layer or _OWN_CODE)) for refusal in refusals), 30)
    for refusal in refusals:
        lines.append(((f"  {printable(refusal.layer or _OWN_CODE).ljust(first)}  {refusal.sizes}", ""),))
        if refusal.got is not None:
            expects = f"expects {refusal.expected}, got " if refusal.expected is not None else ""
            why = f"at {refusal.example}: {expects}{refusal.got}"
            lines += [
                ((" " * (first + 4) + line, "dim"),)
                for line in textwrap.wrap(printable(why, 500), max(limit - first - 4, 20))
            ]
    return lines


def _labeled(label: str, text: str, limit: int, style: str = "heading") -> list[Line]:
    parts = textwrap.wrap(printable(text, 2000), max(limit - _LABEL, 20)) or [""]
    lines: list[Line] = [((label.ljust(_LABEL), style), (parts[0], ""))]
    return lines + [((" " * _LABEL + part, ""),) for part in parts[1:]]


def _shape(shape: tuple[Any, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def fit_data(solution: Solution) -> dict[str, Any]:
    """Return the answer as plain data.

    Args:
        solution: the answer.

    Example:
        >>> fit_data(Solution("m", (), (), None, True))["tried"]
        [1, 4096]
    """
    return {"schema": 1, "tried": [1, LIMIT], **to_data(solution)}
