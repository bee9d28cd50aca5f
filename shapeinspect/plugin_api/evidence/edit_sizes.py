"""What an edit of a size tells: what the number is elsewhere in the script, and what its brothers are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from math import prod
from typing import Any

from shapeinspect.plugin_api.evidence.edit import Edit, number_of, shown
from shapeinspect.plugin_api.evidence.edit_effects import operands
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of

#: Smaller numbers are those of many things.
_TELLING = 8
#: Words of names that say how large a picture is.
_SIDES = frozenset({
    "img", "image", "picture", "crop", "side", "resolution", "input", "target", "width", "height",
    "imgsz", "res",
})  # fmt: skip
#: Words of names and of sentences that say nothing of what a number is.
_COMMON = frozenset({
    "self", "in", "the", "number", "n", "num", "size", "args", "cfg", "config", "nn", "linear", "conv",
    "dim", "len", "hps", "opt", "params", "out", "channels", "features", "d", "model", "net",
})  # fmt: skip


def size(edit: Edit) -> str:
    """Say what a number is, and what else in the program is the number that takes its place.

    Args:
        edit: the edit; empty where it is of no number, or nothing else is that number.
    """
    named = _elsewhere(edit) or naming(edit, edit.new)
    number = number_of(edit.old)
    return f"{placed(edit)} is {number}{named}" if number is not None and named else ""


def placed(edit: Edit) -> str:
    """Name the place of a part: its variable, its argument, or its line.

    Args:
        edit: the edit of the part.
    """
    around = edit.trace.parents.get(edit.old)
    if isinstance(around, ast.keyword) and around.arg:
        call = edit.trace.parents.get(around)
        of = f" in {edit.code(call.func)}(…)" if isinstance(call, ast.Call) else ""
        return f"{around.arg}{of}, {edit.line},"
    if isinstance(around, ast.Dict) and edit.old in around.values:
        key = around.keys[around.values.index(edit.old)]
        return f'"{getattr(key, "value", "")}", {edit.line},'
    if isinstance(around, ast.Assign) and isinstance(around.targets[0], ast.Name | ast.Attribute):
        return f"{edit.code(around.targets[0])}, {edit.line},"
    if isinstance(around, ast.arguments):
        named = dict(zip(map(id, reversed(around.defaults)), reversed(around.args), strict=False))
        if id(edit.old) in named:
            return f"{named[id(edit.old)].arg}, {edit.line}, by default"
    if isinstance(around, ast.Call) and edit.old in around.args:
        function, method = edit.trace.definition(around)
        names = [] if function is None else [one.arg for one in function.args.args][int(method) :]
        at = around.args.index(edit.old)
        own = f"{names[at]} in " if at < len(names) else "the number in "
        return f"{own}{edit.code(around.func)}(…), {edit.line},"
    return f"the number in {edit.code(around)}, {edit.line}," if around is not None else edit.line


def _elsewhere(edit: Edit) -> str:
    """Say that the other calls of the same function are given what takes an argument's place."""
    found = _slot(edit)
    if found is None:
        return ""
    call, slot = found
    others = [*_brothers(edit, call, slot)]
    same = [one for one in others if ast.unparse(one) == ast.unparse(edit.new)]
    if not same or len(same) < len(others):
        return ""
    lines = [str(line) for line in dict.fromkeys(one.lineno for one in same) if line != edit.old.lineno]
    noun = "line" if len(lines) == 1 else "lines"
    at = f", {noun} {', '.join(lines[:3])}" if lines else ""
    which = "the other" if len(same) == 1 else f"the {len(same)} others"
    return f"; {which} {'is' if len(same) == 1 else 'are'} given {ast.unparse(edit.new)}{at}"


def _slot(edit: Edit) -> tuple[ast.Call, str | int] | None:
    """Return the call that a part is an argument of, and its name or place there."""
    around = edit.trace.parents.get(edit.old)
    if isinstance(around, ast.keyword) and around.arg:
        call = edit.trace.parents.get(around)
        return (call, around.arg) if isinstance(call, ast.Call) else None
    if isinstance(around, ast.Call) and edit.old in around.args:
        return around, around.args.index(edit.old)
    return None


def _brothers(edit: Edit, call: ast.Call, slot: str | int) -> Iterator[ast.expr]:
    """Yield the same argument of the other calls of a function: of the script's own, or in the same scope."""
    own = edit.trace.definition(call)[0] is not None
    scope = edit.trace.tree(edit.trace.homes[call])
    near = edit.trace.function(call)
    for one in ast.walk(scope):
        if not isinstance(one, ast.Call) or one is call or ast.unparse(one.func) != ast.unparse(call.func):
            continue
        if not own and edit.trace.function(one) is not near:
            continue
        named = {word.arg: word.value for word in one.keywords}
        if isinstance(slot, str) and slot in named:
            yield named[slot]
        elif isinstance(slot, int) and slot < len(one.args):
            yield one.args[slot]


def naming(edit: Edit, node: Any) -> str:
    """Name what else in the program is a number: a name, a length, or the elements of an array.

    Args:
        edit: the edit.
        node: the number.
    """
    value = number_of(node)
    if value is None or abs(value) < _TELLING:
        return ""
    for rule in (_named, _long, _flat):
        said = rule(edit, value)
        if said:
            return f"; {said}"
    return ""


def _named(edit: Edit, value: int) -> str:
    """Name a count, or a name that says the same as the place."""
    words = {*re.findall(r"[a-z]+", placed(edit).partition(", line")[0].lower())} - _COMMON
    for node, name in _titled(edit):
        own = {*re.findall(r"[a-z]+", name.lower())}
        alike = isinstance(node, ast.Call) or words & own or (words & _SIDES and own & _SIDES)
        if alike and edit.trace.values(node)[-1:] == (value,):
            return f"{name} is {value}, {edit.trace.line(node)}"
    return ""


def _long(edit: Edit, value: int) -> str:
    """Name an array that the failed statements read, and of which the number is a length."""
    for node, name in _read(edit):
        shape = edit.trace.shape(node)
        if shape and value in shape:
            return f"{name} is {shown(shape)}, {edit.trace.line(node)}"
    return ""


def _flat(edit: Edit, value: int) -> str:
    for node, name in _titled(edit):
        shape = edit.trace.shape(node)
        if shape is not None and len(shape) > 2 and prod(shape[1:]) == value:
            factors = "·".join(map(str, shape[1:]))
            return f"{factors} = {value} are the elements of {name}, {shown(shape)}, {edit.trace.line(node)}"
    return ""


def _read(edit: Edit) -> Iterator[tuple[ast.expr, str]]:
    """Yield the arrays that the failed statements read; where none failed, all that have a name."""
    if edit.trace.ended.status != "error":
        yield from _titled(edit)
    for node in operands(edit.trace):
        yield node, edit.code(node)


def _titled(edit: Edit) -> Iterator[tuple[ast.expr, str]]:
    """Yield the expressions that have a name, or are given one, with that name; not those that failed."""
    failed = {*edit.trace.ended.places}
    for node in _expressions(edit.trace):
        if (edit.trace.homes[node], node.lineno) in failed:
            continue
        outer = edit.trace.parents.get(node)
        counts = isinstance(node, ast.Call) and callee_of(node) == "len"
        if counts or isinstance(node, ast.Name | ast.Attribute):
            yield node, edit.code(node)
        elif isinstance(outer, ast.Assign) and isinstance(outer.targets[0], ast.Name | ast.Attribute):
            yield node, edit.code(outer.targets[0])


def _expressions(trace: Trace) -> Iterator[ast.expr]:
    """Yield the expressions that had a value, those that stand first in the program first."""
    found = [node for place, node in trace.by_place.items() if place in trace.ended.values]
    yield from sorted(found, key=lambda node: (node.lineno, node.col_offset))
