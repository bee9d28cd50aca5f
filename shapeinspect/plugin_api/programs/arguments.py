"""Edits of the arguments of calls: sizes that stand in variables, flags, and defaults that are not given."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.plugin_api.programs.numbers import Pair
from shapeinspect.plugin_api.programs.source_edit import replaced
from shapeinspect.plugin_api.programs.span import Span
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.suggestions import Replacement, Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of, defaults_of

#: Flags that do not touch shapes.
_OTHER_FLAGS = frozenset({
    "shuffle", "inplace", "pin_memory", "verbose", "requires_grad", "pretrained", "progress", "bias", "train",
    "training", "download", "debug", "non_blocking", "persistent_workers", "strict", "allow_unused", "copy",
})  # fmt: skip

#: A size is hardly a larger multiple of another one.
_FACTOR = 32


@dataclass(frozen=True, slots=True)
class Given:
    """An argument that a call gives or leaves at its default.

    Args:
        call: the call.
        name: the argument; empty for one that is given by its place to a library's function.
        node: its expression, or that of its default.
        written: whether the call gives it.
    """

    call: ast.Call
    name: str
    node: ast.expr
    written: bool


def calls_of(trace: Trace) -> Iterator[ast.Call]:
    """Yield the calls of a script: those that made what was running first, then the others.

    Args:
        trace: the script.
    """
    yield from reversed(trace.made)
    for file in trace.texts:
        for node in ast.walk(trace.tree(file)):
            if isinstance(node, ast.Call) and node not in trace.made:
                yield node


def arguments(trace: Trace, call: ast.Call) -> Iterator[Given]:
    """Yield the arguments of a call, and those that its function has a default for.

    Args:
        trace: the script.
        call: the call.
    """
    function, method = trace.definition(call)
    names: list[str] = []
    defaults: dict[str, ast.expr] = {}
    if function is not None:
        plain = [*function.args.posonlyargs, *function.args.args]
        names = [one.arg for one in plain][1 if method else 0 :]
        defaults = defaults_of(function.args)
    given = set()
    for place, node in enumerate(call.args):
        if isinstance(node, ast.Starred):
            return
        name = names[place] if place < len(names) else ""
        given.add(name)
        yield Given(call, name, node, True)
    for keyword in call.keywords:
        if keyword.arg is None:
            return
        given.add(keyword.arg)
        yield Given(call, keyword.arg, keyword.value, True)
    for name, node in defaults.items():
        if name not in given:
            yield Given(call, name, node, False)


def keyword_edit(trace: Trace, call: ast.Call, name: str, value: str) -> Replacement:
    """Return what adds an argument to a call.

    Args:
        trace: the script.
        call: the call.
        name: the argument.
        value: what it is to be.
    """
    whole, text = trace.span(call), trace.source(call)
    inner = text[:-1].rstrip()
    place = whole.start + len(inner.encode())
    comma = "" if inner.endswith(("(", ",")) else ","
    space = "" if inner.endswith("(") else " "
    return place, place, f"{comma}{space}{name}={value}"


def given_by_call(trace: Trace, suggestions: Iterable[Suggestion]) -> Iterator[Suggestion]:
    """Yield suggestions that edit a default, before each one that gives the argument to the call instead.

    Args:
        trace: the script.
        suggestions: the suggestions.
    """
    left: dict[Span, list[Given]] = {}
    for call in calls_of(trace):
        for argument in arguments(trace, call):
            if not argument.written:
                left.setdefault(trace.span(argument.node), []).append(argument)
    for one in suggestions:
        first, last, new = one.edits[0]
        calls = left.get(Span(one.file, first, last), ())
        files = {trace.homes[given.call] for given in calls}
        if 0 < len(calls) <= 2 and len(files) == 1 and len(one.edits) == 1:
            added = tuple(keyword_edit(trace, given.call, given.name, new) for given in calls)
            yield replace(one, file=files.pop(), edits=added, rank=one.rank - 0.05)
        yield one


def named_sizes(trace: Trace, pairs: Sequence[Pair]) -> Iterator[Suggestion]:
    """Yield edits of arguments that are no numbers and are worth one of the sizes.

    Args:
        trace: the script.
        pairs: the sizes that are wanted, each with the one that is there.
    """
    for order, call in enumerate(calls_of(trace)):
        near = 0.15 if order == 0 and trace.made else 0.55 if order < len(trace.made) else 0.95
        own = trace.definition(call)[0] is not None or order < len(trace.made)
        if not own or not trace.ran(call):
            continue
        for one in arguments(trace, call):
            if not one.written or isinstance(one.node, ast.Starred) or _is_number(one.node):
                continue
            values = trace.values(one.node)
            for wanted, had in pairs:
                for old, new, back in ((wanted, had, 0.0), (had, wanted, 0.3)):
                    if old in values and type(old) is int:
                        text = _scaled(trace, one.node, old, new)
                        made = not text.isdigit()  # a product of what the function has says why
                        yield replaced(trace.span(one.node), text, -0.1 if made else near + back)


def _is_number(node: ast.expr) -> bool:
    """Tell whether an expression is made of numbers alone; these are edited one by one."""
    parts = (one for one in ast.walk(node) if isinstance(one, ast.expr))
    return all(isinstance(one, ast.Constant | ast.BinOp | ast.UnaryOp) for one in parts)


def _scaled(trace: Trace, node: ast.expr, old: int, new: int) -> str:
    """Write a size by the names of the same function, where one of them makes it of the old one."""
    if new % old == 0 and isinstance(node, ast.Name | ast.Attribute):
        factor = new // old
        function = trace.function(node)
        for other in ast.walk(function) if function is not None else ():
            loaded = isinstance(other, ast.Name | ast.Attribute) and isinstance(other.ctx, ast.Load)
            if loaded and factor <= _FACTOR and trace.values(other)[-1:] == (factor,) and other is not node:
                return f"{trace.source(node)} * {trace.source(other)}"
    return str(new)


def flags(trace: Trace, extra: Mapping[str, Sequence[tuple[str, str]]]) -> Iterator[Suggestion]:
    """Yield calls with one flag the other way round, and with one that they do not give.

    Args:
        trace: the script.
        extra: flags of a framework's own functions, by their names: the flag and what it may be.
    """
    made = len(trace.made)
    for order, call in enumerate(calls_of(trace)):
        name = callee_of(call)
        if not trace.ran(call):
            continue
        near = 1.0 if order < made else 2.2
        written = set()
        for one in arguments(trace, call):
            written.add(one.name if one.written else "")
            value: Any = getattr(one.node, "value", None)
            if not isinstance(one.node, ast.Constant) or type(value) is not bool or one.name in _OTHER_FLAGS:
                continue
            if one.written:
                yield replaced(trace.span(one.node), str(not value), near)
            else:
                edit = keyword_edit(trace, call, one.name, str(not value))
                yield Suggestion(trace.homes[call], (edit,), near + 0.3)
        for flag, text in extra.get(name, ()):
            if flag not in written:
                yield Suggestion(trace.homes[call], (keyword_edit(trace, call, flag, text),), near + 0.2)
