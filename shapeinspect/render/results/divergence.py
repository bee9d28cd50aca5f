"""Two models run side by side, as text and as plain data: where they part, then the layers around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.divergence.result import Found, Step, Suspect, Trace
from shapeinspect.render import cells
from shapeinspect.render.grid import Column, Line, draw
from shapeinspect.render.results.side_by_side import hanging, headings, source_data
from shapeinspect.text import printable

SCHEMA = 1

_COLUMNS = (
    Column("layer of A", style="path", elastic=True), Column("of B", style="path", elastic=True),
    Column("returns"), Column("apart by", right=True), Column("", style="note"),
)  # fmt: skip

#: So many layers before and behind the first that parts are listed.
_BEFORE, _BEHIND = 3, 2


def verdict(trace: Trace) -> str:
    """Write the result in one sentence.

    Args:
        trace: the models side by side.
    """
    outputs = [step for step in trace.steps if step.is_output]
    seen = [step for step in trace.steps if step.verdict != "unseen" and not step.is_output]
    if not trace.found:
        if not trace.same:
            return f"{_layers(seen)} could be compared and agree; the output could not be compared"
        if not seen:
            returned = "the output agrees" if len(outputs) == 1 else "the outputs agree"
            return f"{returned}; no layer inside could be compared"
        agree = "agrees" if len(seen) == 1 else "agree"
        rest = "so does the output" if len(outputs) == 1 else "so do the outputs"
        return f"all {_layers(seen)} that could be compared {agree}, and {rest}"
    first = trace.found[0].step
    if first.is_output:
        return (
            f"{_layers(seen)} could be compared and agree; what the models return does not: {_apart(first)}"
        )
    return f"they part at {_pair(first)}: {_how(trace.found[0])}"


def _layers(steps: Sequence[Step]) -> str:
    return "1 layer" if len(steps) == 1 else f"{len(steps):,} layers"


def _pair(step: Step) -> str:
    a, b = printable(step.a), printable(step.b)
    return f'"{a}"' if a == b else f'"{a}" of A, "{b}" of B'


def _how(found: Found) -> str:
    """Say how far two calls are apart, or what is behind them where they cannot be compared."""
    if found.step.apart is not None or found.seen is None:
        return _apart(found.step)
    behind = "the output" if found.seen.is_output else _pair(found.seen)
    return f"{found.step.why}; {behind} is {_apart(found.seen)}"


def _apart(step: Step) -> str:
    if step.apart is None or step.largest is None:
        return "not compared"
    if step.apart != step.apart:  # NaN alone is not itself
        return "one of them is NaN"
    part = f", {100 * step.apart / step.largest:.3g} % of the largest value" if step.largest else ""
    return f"up to {step.apart:.3g} apart{part}"


def divergence_table(trace: Trace, limit: int, *, everything: bool = False) -> list[Line]:
    """Draw two models that were run side by side.

    Args:
        trace: the models side by side.
        limit: terminal cells.
        everything: whether to list all layers, and not only those around the first that parts.
    """
    lines: list[Line] = [
        *headings(trace.a, trace.b),
    ]
    for name, a, b in trace.inputs:
        where = f"{a} in both" if a == b else f"{a} in A, {b} in B"
        lines.append(((f"   random {printable(name)}: {where}", "dim"),))
    lines += [(), *hanging("", verdict(trace), limit, "heading")]
    for place, found in enumerate(trace.found):
        lines += _reasons(found, limit, first=place == 0)
    shown = _shown(trace, everything=everything)
    if shown:
        lines += [(), *_grid(shown, limit)]
    hidden = sum(step.verdict == "unseen" for step in trace.steps)
    if hidden and not everything:
        lines += [
            (),
            *hanging("note  ", f"{hidden:,} pairs could not be compared: --all lists them", limit, "note"),
        ]
    return lines


def _reasons(found: Found, limit: int, *, first: bool) -> Iterator[Line]:
    if not first:
        yield from hanging("", f"then they part at {_pair(found.step)}: {_how(found)}", limit, "heading")
    if not found.suspects:
        yield from hanging("  why   ", "no setting and no weight differs there that is known", limit, "note")
    for suspect in found.suspects:
        label = "  why   " if suspect.helps else "  maybe "
        yield from hanging(label, _suspect(suspect), limit, "note")


def _suspect(suspect: Suspect) -> str:
    text = f'"{suspect.layer}": {suspect.text}'
    if not suspect.tried:
        return text
    if not suspect.helps:
        return f"{text}; {suspect.tried} they part there all the same"
    after = "everything agrees" if suspect.next is None else f'they agree up to "{suspect.next}"'
    return f"{text}; {suspect.tried} {after}"


def _shown(trace: Trace, *, everything: bool) -> list[Step]:
    if everything or not trace.found:
        return list(trace.steps) if everything else []
    compared = [step for step in trace.steps if step.verdict != "unseen"]
    place = next(index for index, step in enumerate(compared) if step.verdict == "parts")
    chosen = compared[max(place - _BEFORE, 0) : place + _BEHIND + 1]
    last = compared[-1]
    return chosen if last in chosen else [*chosen, last]


def _grid(steps: Sequence[Step], limit: int) -> list[Line]:
    rows = []
    for step in steps:
        a, b = printable(step.a), printable(step.b)
        returned = cells.shape(step.shape, step.axes) if step.apart is not None or step.shape else ""
        apart = f"{step.apart:.2g} of {step.largest:.2g}" if step.apart is not None else "?"
        state = {"same": "", "parts": "parts", "unseen": "not compared"}[step.verdict]
        rows.append([a, "" if b == a else b, returned, apart, "; ".join(filter(None, (state, step.why)))])
    return draw(_COLUMNS, rows, limit)


def to_dict(trace: Trace) -> dict[str, Any]:
    """Return the result as dicts, lists, strings and numbers.

    Args:
        trace: the models side by side.
    """
    return {
        "schema": SCHEMA,
        "a": source_data(trace.a),
        "b": source_data(trace.b),
        "inputs": [{"name": name, "a": a, "b": b} for name, a, b in trace.inputs],
        "same": trace.same,
        "verdict": verdict(trace),
        "rtol": trace.rtol,
        "found": [
            {
                "step": _step(found.step),
                "seen": _step(found.seen) if found.seen is not None else None,
                "suspects": [_suspect_data(one) for one in found.suspects],
            }
            for found in trace.found
        ],
        "steps": [_step(step) for step in trace.steps],
    }


def _suspect_data(suspect: Suspect) -> dict[str, Any]:
    return {
        "layer": suspect.layer, "text": suspect.text, "tried": suspect.tried or None, "helps": suspect.helps,
        "next": suspect.next,
    }  # fmt: skip


def _step(step: Step) -> dict[str, Any]:
    apart = None if step.apart is None or step.apart != step.apart else step.apart  # NaN
    return {
        "a": step.a, "b": step.b, "kind": step.kind or None, "verdict": step.verdict,
        "shape": [int(length) if isinstance(length, int) else str(length) for length in step.shape],
        "axes": list(step.axes), "apart": apart, "largest": step.largest, "why": step.why or None,
    }  # fmt: skip
