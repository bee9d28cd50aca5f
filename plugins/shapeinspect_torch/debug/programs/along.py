"""Edits of the expressions behind a failure: axes, calls that rearrange, parts that are read, arguments."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from shapeinspect.plugin_api.programs.arguments import arguments, keyword_edit
from shapeinspect.plugin_api.programs.lineage import calls_along
from shapeinspect.plugin_api.programs.named_rules import STEP, forgotten
from shapeinspect.plugin_api.programs.numbers import Pair, is_batch, numbers
from shapeinspect.plugin_api.programs.source_edit import replaced
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.programs.vocabulary import Vocabulary
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of

#: Calls of which no two arguments are exchanged.
_ORDERED = frozenset(
    {"range", "print", "isinstance", "super", "zip", "format", "setattr", "getattr", "Sequential"}
)
#: Two sizes that differ are hardly both given to one layer by chance.
_BOTH = -0.12
#: A layer that is made and never called is hardly meant so.
_NEVER = -0.1
#: A class with more layers that are never called is not meant to call them.
_UNCALLED = 3
#: What is greater is more likely a size than a count, a stride or a factor.
_SMALL = 64
#: Further behind than this, no arguments are exchanged.
_NEAR = 5


def forgotten_arguments(
    trace: Trace, along: Mapping[ast.expr, int], vocabulary: Vocabulary
) -> Iterator[Suggestion]:
    """Yield calls with an argument that they do not give, for which the script has a name that is alike.

    Args:
        trace: the script.
        along: the expressions behind the failure, with their distance.
        vocabulary: the names.
    """
    left: list[tuple[ast.Call, str, object]] = []
    for node in calls_along(trace, along):
        if not callee_of(node).startswith("__"):
            left += _left(trace, node)
    for call, name, text, rank in forgotten(along, left, vocabulary):
        yield Suggestion(trace.homes[call], (keyword_edit(trace, call, name, text),), rank)


def _left(trace: Trace, call: ast.Call) -> Iterator[tuple[ast.Call, str, object]]:
    """Yield the sizes that a call leaves at their defaults."""
    if trace.definition(call)[0] is not None:
        for one in arguments(trace, call):
            value: Any = getattr(one.node, "value", None)
            if not one.written and isinstance(one.node, ast.Constant) and type(value) is int:
                yield call, one.name, value
        return
    given = {word.arg for word in call.keywords}
    if None in given or any(isinstance(one, ast.Starred) for one in call.args):
        return
    for place, (name, default) in enumerate(_parameters(callee_of(call))):
        if place >= len(call.args) and name not in given and type(default) is int:
            yield call, name, default


def _parameters(name: str) -> list[tuple[str, object]]:
    """Return the parameters of one of torch's layers, with their defaults."""
    import torch

    if name in ("RNN", "LSTM", "GRU"):  # their signatures do not say them
        return [("input_size", None), ("hidden_size", None), ("num_layers", 1), ("proj_size", 0)]
    layer = getattr(torch.nn, name, None)
    if not inspect.isclass(layer):
        return []
    return [(one.name, one.default) for one in inspect.signature(layer).parameters.values()]


def exchanged(trace: Trace, along: Mapping[ast.expr, int], pairs: Sequence[Pair]) -> Iterator[Suggestion]:
    """Yield two arguments of a call, or two of several sizes, in each other's place.

    Args:
        trace: the script.
        along: the expressions behind the failure, with their distance.
        pairs: the sizes that are wanted, each with the one that is there.
    """
    differing = {frozenset(pair) for pair in pairs}
    found: dict[ast.expr, int] = {}
    found.update(calls_along(trace, along).items())
    found.update((node, d) for node, d in along.items() if isinstance(node, ast.Tuple | ast.List))
    for node, distance in found.items():
        if distance > _NEAR:
            continue
        if isinstance(node, ast.Call) and callee_of(node) not in _ORDERED:
            parts = [
                one
                for one in (*node.args, *(word.value for word in node.keywords))
                if _is_read(trace, node, one)
            ]
        elif isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load):
            parts = node.elts
        else:
            continue
        if len(parts) > 6:
            continue
        for place, (a, b) in enumerate([*combinations(parts, 2)][:10]):
            one, other = trace.values(a)[-1:], trace.values(b)[-1:]
            alike = one and other and one != other and _kind(one[0]) == _kind(other[0])
            if not alike or type(one[0]) is bool:
                continue
            if type(one[0]) is int:  # the sizes that differ, in each other's place
                rank = 0.7 if frozenset((one[0], other[0])) in differing else 2.2
                if rank < 1 and isinstance(node, ast.Call) and callee_of(node)[:1].isupper():
                    rank = _BOTH  # a layer that is made of just these two
            else:
                rank = 1.3
            first, second = trace.span(a), trace.span(b)
            edits = ((first.start, first.end, trace.source(b)), (second.start, second.end, trace.source(a)))
            yield Suggestion(trace.homes[node], edits, rank + 0.02 * place + STEP * distance)


def _is_read(trace: Trace, call: ast.Call, part: ast.expr) -> bool:
    """Tell whether the function that is called reads an argument at all, as far as it is the script's own."""
    function, method = trace.definition(call)
    if function is None:
        return True
    names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)][int(method) :]
    words = {id(word.value): word.arg for word in call.keywords}
    place = call.args.index(part) if part in call.args else len(names)
    name = words.get(id(part), names[place] if place < len(names) else None)
    return name is None or any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(function))


def _kind(value: object) -> str:
    return str(value[0]) if isinstance(value, tuple) and isinstance(value[0], str) else type(value).__name__


def forgotten_layers(trace: Trace, along: Mapping[ast.expr, int]) -> Iterator[Suggestion]:
    """Yield tensors put through a layer that a module makes and never calls.

    Args:
        trace: the script.
        along: the expressions behind the failure, with their distance.
    """
    for file in trace.texts:
        for owner in ast.walk(trace.tree(file)):
            if not isinstance(owner, ast.ClassDef):
                continue
            names = _uncalled(trace, owner)
            if 0 < len(names) <= _UNCALLED:
                yield from _returned(trace, owner, names)
            for node, distance in along.items() if 0 < len(names) <= _UNCALLED else ():
                built = getattr(trace.function(node), "name", "") == "__init__"
                value = trace.shape(node) is not None or (isinstance(node, ast.Call) and trace.ran(node))
                if built or not value or distance >= _NEAR or owner not in trace.around(node):
                    continue
                rank = (0.9 if isinstance(node, ast.Call) else 1.1) + STEP * distance
                for name, line in names.items():
                    yield _through(trace, node, name, line, rank)


def _returned(trace: Trace, owner: ast.ClassDef, names: Mapping[str, str]) -> Iterator[Suggestion]:
    """Yield what a module returns put through a layer that it makes and never calls."""
    for function in owner.body:
        if isinstance(function, ast.FunctionDef) and function.name == "forward":
            for node in ast.walk(function):
                value: Any = node.value if isinstance(node, ast.Return) else None
                if value is not None and trace.function(node) is function and trace.shape(value) is not None:
                    for name, line in names.items():
                        yield _through(trace, value, name, line, _NEVER)


def _through(trace: Trace, node: ast.expr, name: str, line: str, rank: float) -> Suggestion:
    why = f"self.{name}, {line}, is made and never called"
    return replace(replaced(trace.span(node), f"self.{name}({trace.source(node)})", rank), why=why)


def _uncalled(trace: Trace, owner: ast.ClassDef) -> dict[str, str]:
    """Return the attributes to which a class assigns a call, and which nothing reads, with their lines."""
    made: dict[str, str] = {}
    read: set[str] = set()
    for node in ast.walk(owner):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            read.add(node.attr)
        elif isinstance(node, ast.Assign):
            layers = any(
                isinstance(part, ast.Call) and trace.values(part)[-1:] == ("object",)
                for part in ast.walk(node.value)
            )
            stored = (part for target in node.targets for part in ast.walk(target))
            line = trace.line(node)
            made.update({one.attr: line for one in stored if layers and isinstance(one, ast.Attribute)})
    return {name: line for name, line in made.items() if name not in read}


def parts_read(trace: Trace, along: Mapping[ast.expr, int]) -> Iterator[Suggestion]:
    """Yield slices whose ends are one further or one nearer, and other entries of rows.

    Args:
        trace: the script.
        along: the expressions behind the failure, with their distance.
    """
    for node, distance in along.items():
        if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load) or not trace.ran(node):
            continue
        if not trace.values(node.value):
            continue
        rank = 1.5 + STEP * distance
        slices = [part for part in ast.walk(node.slice) if isinstance(part, ast.Slice)]
        for end in [end for part in slices for end in (part.lower, part.upper) if end is not None]:
            for new in _beside(end):
                if new:
                    yield replaced(trace.span(end), str(new), rank)
        if trace.shape(node.value) and isinstance(node.slice, ast.Constant):
            continue
        for new in _beside(node.slice):  # another entry of a row of sizes
            yield replaced(trace.span(node.slice), str(new), rank + 0.2)


def nearby(trace: Trace, along: Mapping[ast.expr, int]) -> Iterator[Suggestion]:
    """Yield the small numbers behind a failure, one greater and one smaller.

    Args:
        trace: the script.
        along: the expressions behind the failure, with their distance.
    """
    sizes = {number.node for number in numbers(trace)}
    for node, distance in along.items():
        if node not in sizes or not isinstance(node, ast.Constant) or not isinstance(node.value, int):
            continue
        for place, new in enumerate((node.value + 1, node.value - 1)):
            if new and node.value <= _SMALL:
                batch = "how many samples there are" if is_batch(trace, node) else ""
                yield replaced(trace.span(node), str(new), 1.8 + 0.3 * place + STEP * distance / 2, batch)


def _beside(node: ast.expr) -> tuple[int, ...]:
    """Return one more and one less than a number that is written; none for another expression."""
    value = _number(node)
    return () if value is None else (value + 1, value - 1)


def _number(node: ast.expr) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None
