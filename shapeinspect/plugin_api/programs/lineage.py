"""The expressions from which a failing one has what it reads, with their distance from it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of

#: What is further away is not looked at.
_STEPS = 8
#: What a call of an object runs.
_CALLED = ("forward", "call", "__call__")
#: A name that stands for more functions or values than this tells nothing.
_MANY = 4


def lineage(trace: Trace, start: Iterable[ast.AST]) -> Mapping[ast.expr, int]:
    """Return the expressions behind those that failed, each with its distance from them.

    A name leads to what is assigned to it, a parameter to what is passed for it, an attribute to what any
    method sets it to, and a call to what the script's own function returns and to where its object is made.

    Args:
        trace: the script.
        start: the expressions that were running.
    """
    return _Follower(trace).followed(start)


class _Follower:
    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._names: dict[tuple[ast.AST, str], list[tuple[int, ast.expr]]] = defaultdict(list)
        self._attributes: dict[str, list[ast.expr]] = defaultdict(list)
        self._functions: dict[str, list[ast.FunctionDef]] = defaultdict(list)
        self._classes: dict[str, ast.ClassDef] = {}
        self._calls: dict[str, list[ast.Call]] = defaultdict(list)
        #: What is given by a keyword, or under a text in a dictionary.
        self._keywords: dict[str, list[ast.expr]] = defaultdict(list)
        #: The names and attributes that objects of a class are assigned to.
        self._objects: dict[str, set[str]] = defaultdict(set)
        for file in trace.texts:
            for node in ast.walk(trace.tree(file)):
                self._note(node)
        for values in (
            self._attributes.items(),
            ((key[1], [v for _, v in found]) for key, found in self._names.items()),
        ):
            for name, made in values:
                for value in made:
                    for part in ast.walk(value):
                        if isinstance(part, ast.Call) and callee_of(part) in self._classes:
                            self._objects[callee_of(part)].add(name)

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef):
            self._functions[node.name].append(node)
        elif isinstance(node, ast.ClassDef):
            self._classes[node.name] = node
        elif isinstance(node, ast.Call):
            self._calls[callee_of(node)].append(node)
            for word in node.keywords:
                self._keywords[word.arg or ""].append(word.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    self._keywords[key.value].append(value)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._assigned(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
            self._assigned(node.target, node.value)
        elif isinstance(node, ast.For | ast.comprehension):
            self._assigned(node.target, node.iter)

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            scope = self._trace.function(target) or self._trace.tree(self._trace.homes[target])
            self._names[scope, target.id].append((target.lineno, value))
            above = self._trace.parents.get(self._trace.parents[target])
            if isinstance(self._trace.parents[target], ast.AnnAssign | ast.Assign) and isinstance(
                above, ast.ClassDef
            ):
                self._attributes[target.id].append(value)
        elif isinstance(target, ast.Attribute):
            self._attributes[target.attr].append(value)
        elif isinstance(target, ast.Subscript):
            self._assigned(target.value, value)
        elif isinstance(target, ast.Tuple | ast.List):
            same = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
            values: list[ast.expr] = value.elts if same else [value] * len(target.elts)  # type: ignore[attr-defined]  # a tuple
            for one, part in zip(target.elts, values, strict=True):
                self._assigned(one, part)

    def followed(self, start: Iterable[ast.AST]) -> Mapping[ast.expr, int]:
        """Go back from the expressions, breadth first."""
        found: dict[ast.expr, int] = {}
        edge = [*start]
        failed = set(edge)
        for distance in range(_STEPS):
            following: list[ast.AST] = []
            for top in edge:
                for node in ast.walk(top):
                    if isinstance(node, ast.expr) and node not in found:
                        found[node] = distance
                        following += self._behind(node, node in failed)
            edge = following
        return found

    def _behind(self, node: ast.expr, failed: bool) -> Iterator[ast.AST]:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield from self._of_name(node)
        elif isinstance(node, ast.Attribute):
            values = self._attributes.get(node.attr) or self._keywords.get(node.attr, [])
            yield from values if len(values) <= _MANY else ()
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            key = node.slice.value
            values = self._keywords.get(key, []) if isinstance(key, str) else []
            yield from values if len(values) <= _MANY else ()
        elif isinstance(node, ast.Call) and (failed or self._trace.ran(node)):
            yield from self._returned(node)

    def _of_name(self, node: ast.Name) -> Iterator[ast.AST]:
        function = self._trace.function(node)
        scope = function or self._trace.tree(self._trace.homes[node])
        values = self._names.get((scope, node.id), [])
        before = [value for line, value in values if line < node.lineno] or [value for _, value in values]
        yield from before[-_MANY:]
        if isinstance(function, ast.FunctionDef) and node.id in _parameters(function):
            yield from self._passed(function, node.id)
        elif function is not None and not values:
            module = self._trace.tree(self._trace.homes[node])
            yield from [value for _, value in self._names.get((module, node.id), [])][-_MANY:]

    def _passed(self, function: ast.FunctionDef, name: str) -> Iterator[ast.expr]:
        """Yield what calls pass for a parameter, and its default."""
        owner = self._trace.parents.get(function)
        callees = {function.name}
        names = _parameters(function)
        if isinstance(owner, ast.ClassDef):
            names = names[1:]
            if function.name == "__init__":
                callees = {owner.name}
            elif function.name in _CALLED:
                callees = self._objects.get(owner.name, set())
        place = names.index(name) if name in names else -1
        for callee in callees:
            for call in self._calls.get(callee, ()):
                if self._trace.ran(call):
                    yield from [*_argument(call, place, name)] or [call]
        plain = [*function.args.posonlyargs, *function.args.args]
        last = function.args.defaults
        for one, value in zip(plain[len(plain) - len(last) :], last, strict=True):
            if one.arg == name:
                yield value

    def _returned(self, call: ast.Call) -> Iterator[ast.AST]:
        name = callee_of(call)
        functions = self._functions.get(name, [])
        owners = [owner for owner, names in self._objects.items() if name in names]
        if callee_of(call.func) in self._classes:  # of an object that has no name: Net()(x)
            owners.append(callee_of(call.func))
        for owner in owners[:_MANY]:
            functions = [
                *functions,
                *(
                    part
                    for part in self._classes[owner].body
                    if isinstance(part, ast.FunctionDef) and part.name in _CALLED
                ),
            ]
        for function in functions[:_MANY]:
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None:
                    yield node.value
        if name in self._classes:  # the object itself: its constructor
            yield from (
                part
                for part in self._classes[name].body
                if isinstance(part, ast.FunctionDef) and part.name == "__init__"
            )
        if isinstance(call.func, ast.Name):
            yield from self._of_name(call.func)
        elif isinstance(call.func, ast.Attribute):
            values = self._attributes.get(call.func.attr, [])
            yield from values if len(values) <= _MANY else ()


def _parameters(function: ast.FunctionDef) -> list[str]:
    given = function.args
    return [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def calls_along(trace: Trace, along: Mapping[ast.expr, int]) -> Mapping[ast.Call, int]:
    """Return the calls behind a failure, and those of which an argument is, each with its distance.

    Args:
        trace: the script.
        along: the expressions behind the failure, with their distance.
    """
    found: dict[ast.Call, int] = {}
    for node, distance in along.items():
        parent = trace.parents.get(node)
        outer = trace.parents.get(parent) if isinstance(parent, ast.keyword) else parent
        for call in (node, outer):
            if isinstance(call, ast.Call) and trace.ran(call):
                found[call] = min(distance, found.get(call, distance))
    return found


def _argument(call: ast.Call, place: int, name: str) -> Iterator[ast.expr]:
    named: Any = next((word.value for word in call.keywords if word.arg == name), None)
    if named is not None:
        yield named
    elif 0 <= place < len(call.args) and not isinstance(call.args[place], ast.Starred):
        yield call.args[place]
