"""Statements that are written otherwise than those beside them which do the same for the next of a row."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

from shapeinspect.plugin_api.evidence.differences import differences
from shapeinspect.plugin_api.evidence.edit import holds, shortened
from shapeinspect.plugin_api.programs.arguments import keyword_edit
from shapeinspect.plugin_api.programs.named_rules import STEP
from shapeinspect.plugin_api.programs.source_edit import replaced
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of

_RANK = 0.35
#: The rank of an argument that only others are given, and how far away a call is that is in no lineage.
_GIVEN, _FAR = 0.12, 6
#: The parts of a name: its words and its numbers.
_PARTS = re.compile(r"\d+|[A-Za-z]+|_")
_NAME = re.compile(r"[A-Za-z_]\w*")


def brothers(trace: Trace, along: Mapping[ast.expr, int]) -> Iterator[Suggestion]:
    """Yield assignments behind a failure in the form of another one of the same function.

    Of ``x2 = self.down1(x1)`` beside ``x3 = self.down2(self.pool(x2))`` it is ``self.down1(self.pool(x1))``.

    Args:
        trace: the script.
        along: the expressions behind the failure, with their distance.
    """
    for body in _bodies(trace):
        rows = [one for one in body if isinstance(one, ast.Assign) and len(one.targets) == 1]
        for row, beside in permutations(rows, 2):
            names = [shortened(ast.unparse(each.targets[0])) for each in (row, beside)]
            yield from _edit(trace, along, (row.value, beside.value), _as(row, beside), names)
    for node in along:
        parts = node.elts if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) else []
        for (first, one), (second, other) in permutations(enumerate(parts), 2):
            written = _renumbered(ast.unparse(other), first - second)
            names = [f"entry {first}", f"entry {second}"]
            yield from _edit(trace, along, (one, other), written, names)


def settings_of_brothers(
    trace: Trace, along: Mapping[ast.expr, int], flags: Mapping[str, Sequence[str]]
) -> Iterator[Suggestion]:
    """Yield calls that are given what others of the same function, with as many arguments, are given by name.

    Args:
        trace: the script.
        along: the expressions behind the failure, with their distance.
        flags: by the name of a function, flags, ``name=value``, that its callers mostly all set, or none.
    """
    calls = [
        node
        for file in trace.texts
        for node in ast.walk(trace.tree(file))
        if isinstance(node, ast.Call) and trace.ran(node)
    ]
    for call in calls:
        distance = min((along[part] for part in ast.walk(call) if part in along), default=_FAR)  # type: ignore[index]  # its keys are expressions
        given = {word.arg for word in call.keywords}
        name = callee_of(call)
        for other in calls if None not in given else ():
            like = callee_of(other) == name and len(other.args) == len(call.args)
            near = trace.function(other) is trace.function(call)
            for word in other.keywords:
                text = f"{word.arg}={ast.unparse(word.value)}"
                plain = isinstance(word.value, ast.Constant) and word.arg is not None
                flag = text in flags.get(name, ()) and text in flags.get(callee_of(other), ())
                if word.arg in given or not plain or not (flag or (like and near)):
                    continue
                why = (
                    f"{word.arg} is not passed to {name}(…), {trace.line(call)}; "
                    f"{callee_of(other)}(…), {trace.line(other)}, is given {ast.unparse(word.value)}"
                )
                edit = keyword_edit(trace, call, str(word.arg), ast.unparse(word.value))
                yield Suggestion(trace.homes[call], (edit,), _GIVEN + STEP * distance * (not flag), why=why)


def _edit(
    trace: Trace,
    along: Mapping[ast.expr, int],
    pair: tuple[ast.expr, ast.expr],
    written: str | None,
    names: Sequence[str],
) -> Iterator[Suggestion]:
    """Yield an expression in the form of another one, where just one part of it differs from that."""
    one, _ = pair
    distance = min((along[part] for part in ast.walk(one) if part in along), default=None)  # type: ignore[index]  # its keys are expressions
    if written is None or distance is None:
        return
    found = differences(ast.unparse(one), written)
    if len(found) != 1 or not _is_alike(*found[0], one):
        return
    codes = [(shortened(trace.source(part)), trace.line(part)) for part in pair]
    why = "; ".join(f"{name} is {code}, {line}" for name, (code, line) in zip(names, codes, strict=True))
    edit = replaced(trace.span(one), written, _RANK + STEP * distance)
    yield replace(edit, why=why)


def _is_alike(old: Any, new: Any, value: ast.expr) -> bool:
    """Tell whether two statements differ in a part of what they assign, or in what is around it."""
    whole = ast.unparse(old) == ast.unparse(value)
    return not whole or holds(new, old) or holds(old, new)


def _bodies(trace: Trace) -> Iterator[Sequence[ast.stmt]]:
    for file in trace.texts:
        for node in ast.walk(trace.tree(file)):
            body: Any = getattr(node, "body", None)
            if isinstance(body, list):
                yield body


def _as(one: ast.Assign, other: ast.Assign) -> str | None:
    """Return what a statement would assign if it were written as another one; None for no brothers.

    Example:
        >>> rows = ast.parse("a2 = f(b2)" + chr(10) + "a1 = b1").body
        >>> _as(rows[1], rows[0])
        'f(b1)'
    """
    names = [ast.unparse(row.targets[0]) for row in (one, other)]
    parts = [_PARTS.findall(name) for name in names]
    if not all(isinstance(row.targets[0], ast.Name | ast.Attribute) for row in (one, other)):
        return None
    if len(parts[0]) != len(parts[1]):
        return None
    apart = [(new, old) for new, old in zip(*parts, strict=True) if new != old]
    common = {*parts[0]} & {*parts[1]} - {"self", "_"}
    if len(apart) != 1 or "_" in apart[0] or not common:
        return None
    new, old = apart[0]
    text = ast.unparse(other.value)
    if new.isdigit() != old.isdigit():
        return None
    if new.isdigit():
        return _renumbered(text, int(new) - int(old))
    return _renamed(text, lambda part: new if part == old else part)


def _renumbered(text: str, further: int) -> str | None:
    """Return an expression with the numbers of its names moved on; None where a text is in it."""
    return _renamed(text, lambda part: str(max(int(part) + further, 0)) if part.isdigit() else part)


def _renamed(text: str, change: Callable[[str], str]) -> str | None:
    if "'" in text or '"' in text:
        return None
    return _NAME.sub(lambda name: _PARTS.sub(lambda part: change(part[0]), name[0]), text)
