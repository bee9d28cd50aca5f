"""The expression that gave an array more axes or fewer: ``norm at line 46 makes (12,) of (12, 32)``."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from shapeinspect.plugin_api.evidence.edit import shortened, shown
from shapeinspect.plugin_api.programs.lineage import lineage
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of

#: What is further away from the failure is not looked at.
_STEPS = 6


@dataclass(frozen=True, slots=True)
class RankChange:
    """An expression that made an array of another number of axes.

    Args:
        made: the shape of the array.
        source: the shape of what it was made of.
        sentence: what is said of it.
    """

    made: tuple[int, ...]
    source: tuple[int, ...]
    sentence: str


def rank_change(trace: Trace, node: ast.expr) -> RankChange | None:
    """Return where the array that an expression is got its number of axes; None for nowhere.

    Args:
        trace: the script, as it failed.
        node: the expression.
    """
    shape = trace.shape(node)
    for one, distance in sorted(lineage(trace, [node]).items(), key=lambda pair: pair[1]):
        if distance > _STEPS or shape is None:
            break
        if trace.shape(one) != shape:
            continue
        sources = [source for part in _read(one) if (source := trace.shape(part)) is not None]
        if sources and all(len(source) != len(shape) for source in sources):
            sentence = f"{_made(trace, one)} {shown(shape)} of {shown(sources[0])}"
            return RankChange(shape, sources[0], sentence)
    return None


def birth(trace: Trace, node: ast.expr, failed: Iterable[ast.expr]) -> str:
    """Return where an array got its lengths, of arrays of others; empty for nowhere.

    Args:
        trace: the script, as it failed.
        node: the array.
        failed: all that the expression reads that failed.
    """
    shape = trace.shape(node)
    behind = sorted(lineage(trace, failed).items(), key=lambda pair: pair[1])
    for one in (one for one, distance in behind if distance and shape is not None):
        parts = [found for part in _read(one) if (found := trace.shape(part)) is not None]
        if trace.shape(one) == shape and parts and shape not in parts:
            several = " and ".join(map(shown, dict.fromkeys(parts[:3])))
            return f"{_made(trace, one)} {shown(shape)} of {several}"
    return ""


def _read(node: Any) -> Iterator[ast.expr]:
    """Yield what an expression makes an array of."""
    if isinstance(node, ast.Subscript):
        yield node.value
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            yield node.func.value
        for one in node.args:
            yield from one.elts if isinstance(one, ast.Tuple | ast.List) else (one,)


def _made(trace: Trace, node: ast.expr) -> str:
    """Begin to say what an expression makes; of a longer call its name is enough."""
    code = shortened(trace.source(node))
    name = callee_of(node) if code.endswith("…") else ""
    return f"{name or code}, {trace.line(node)}, makes"
