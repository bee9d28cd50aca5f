"""A run of a model on data: how many samples its batches have, and what its targets are cut from."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from typing import Any

from shapeinspect_keras.debug.origins.bindings import Place
from shapeinspect_keras.debug.origins.flow import Flow
from shapeinspect_keras.debug.origins.making import line, text
from shapeinspect_keras.debug.script.candidate import show
from shapeinspect_keras.debug.script.clues import Clues
from shapeinspect_keras.debug.statements.names import COMPARES
from shapeinspect_keras.debug.statements.site import argument

#: The methods that cut data into batches, and the samples of a batch where nothing is said.
BATCHED, _BATCH = frozenset({"fit", "evaluate", "predict"}), 32


def run_of(statement: ast.AST | None, names: frozenset[str]) -> ast.Call | None:
    """Return the call of a statement that runs a model on data.

    Args:
        statement: the statement.
        names: the methods that count.
    """
    nodes = ast.walk(statement) if statement is not None else iter(())
    return next((node for node in nodes if isinstance(node, ast.Call) and _method(node) in names), None)


def _method(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def model_of(flow: Flow, run: ast.Call) -> Any:
    """Return the model that a call runs; None where it is not known.

    Args:
        flow: the script.
        run: the call.
    """
    return flow.layer(run.func.value) if isinstance(run.func, ast.Attribute) else None


def _number(flow: Flow, node: ast.expr | None) -> float | None:
    """Return the number that an expression is, as far as the source or the run tell it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if node is None:
        return None
    known = [item for item in flow.values(node) if type(item) is int]
    if known:
        return float(known[-1])
    back = flow.before(Place(node), ()) if isinstance(node, ast.Name) else None
    return _number(flow, back.node) if back is not None and back.node is not node else None


def last_batch(flow: Flow, clues: Clues) -> Iterator[str]:
    """Say that the last batch of a run is a smaller one, where its size is one of two that differ.

    Args:
        flow: the script.
        clues: the numbers of the failure.
    """
    for at in reversed(flow.lines):
        run = run_of(flow.program.covering(at), BATCHED)
        given = None if run is None else argument(run, 0, "x")
        shape = None if given is None else flow.shape(given)
        if run is None or given is None or not shape or shape[0] is None:
            continue
        size = _number(flow, argument(run, 2 if _method(run) != "predict" else 1, "batch_size")) or _BATCH
        share = argument(run, 99, "validation_split")
        split = _number(flow, share) or 0.0
        samples = math.floor(shape[0] * (1.0 - split))
        for count, what in ((samples, ""), (shape[0] - samples, " for validation")):
            left = int(count % size)
            if left and any({left, int(size)} == set(pair) for pair in clues.pairs):
                by = "" if share is None else f", and `validation_split={text(flow, share)}` leaves {count}"
                yield (
                    f"`{text(flow, given)}` has {shape[0]} samples{by}{what}: "
                    f"{count} = {count // int(size)}·{int(size)} + {left}, so the last batch has {left}"
                )
                return


def one_source(flow: Flow, clues: Clues) -> Iterator[str]:
    """Say that the targets of a run are cut from the same array as its inputs.

    Args:
        flow: the script.
        clues: the numbers of the failure.
    """
    for at in reversed(flow.lines):
        run = run_of(flow.program.covering(at), COMPARES)
        x, y = (None, None) if run is None else (argument(run, 0, "x"), argument(run, 1, "y"))
        if x is None or y is None:
            continue
        first, second = _cut(flow, x), _cut(flow, y)
        if first is None or second is None or first[1] != second[1] or first[0] is second[0]:
            continue
        (one, base), (other, _) = first, second
        inputs = f"as the inputs `{text(flow, x)}` are at {line(one)}"
        yield f"`{text(flow, y)}` is cut from `{base}` at {line(other)}, {inputs}: `{text(flow, other)}`"
        unused = _unused(flow, base, other, {size for pair in clues.pairs for size in pair})
        if unused:
            yield unused
        return


def _cut(flow: Flow, node: ast.expr) -> tuple[ast.expr, str] | None:
    """Return the slice that an array is, and the name of what it is a slice of."""
    place, shape = Place(node), flow.shape(node)
    for _ in range(20):
        inner = place.node
        if isinstance(inner, ast.Subscript) and isinstance(inner.value, ast.Name):
            return inner, inner.value.id
        back = None if shape is None else flow.before(place, shape)
        if back is None:
            return None
        place = back
    return None


def _unused(flow: Flow, base: str, cut: ast.expr, sizes: set[int]) -> str:
    """Name an array with as many samples that nothing is cut from."""
    scope = flow.program.scope(cut)
    samples = flow.shape(cut.value) if isinstance(cut, ast.Subscript) else None
    uses: dict[str, int] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id] = max(uses.get(node.id, 0), node.lineno)
    first = getattr(cut, "lineno", 0) - 1
    for name, shape in flow.variables(scope).items():
        same = bool(samples) and name != base and samples is not None and shape[0] == samples[0]
        if same and uses.get(name, 0) < first and sizes & {*shape[1:]}:
            return f"nothing is cut from `{name}`, {show(shape)}, which has as many samples"
    return ""
