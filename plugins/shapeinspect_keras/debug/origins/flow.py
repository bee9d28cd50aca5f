"""Follows values through a script: from an expression back to the one that its value was made by."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.program import Program
from shapeinspect_keras.debug.script.running import Nested, Seen, Shaped, numbered

Lengths = tuple[int | None, ...]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: Methods that run a model on data, and what a loss calls its two arguments there.
_TRAINS = ("fit", "evaluate", "train_on_batch", "test_on_batch")


@dataclass(frozen=True, slots=True)
class Place:
    """An expression, or one part of the tuple that it is.

    Args:
        node: the expression.
        part: which part of its value; None for the whole.
    """

    node: ast.expr
    part: int | None = None


@dataclass(frozen=True)
class Flow:
    """The expressions of a script that has failed, and what they were.

    Args:
        program: the script.
        seen: the values of its expressions.
        lines: its lines that were running when it failed, the outermost first.
    """

    program: Program
    seen: Seen
    lines: tuple[int, ...]

    @cached_property
    def _numbers(self) -> dict[ast.AST, int]:
        return numbered(self.program)

    def when(self, node: ast.AST) -> int:
        """Return how many expressions had been computed when one last was; 0 for never.

        Args:
            node: the expression.
        """
        return self.seen.when.get(self._numbers.get(node, -1), 0)

    def values(self, node: ast.AST) -> list[Any]:
        """Return what an expression has been, the latest last.

        Args:
            node: the expression.
        """
        return self.seen.values.get(self._numbers.get(node, -1), [])

    def shapes(self, node: ast.AST, nested: bool = False) -> list[Lengths]:
        """Return the shapes that an expression has had, the latest last.

        Args:
            node: the expression.
            nested: whether lists of arrays count, too.
        """
        kinds = Shaped | Nested if nested else Shaped
        return [item.shape for item in self.values(node) if isinstance(item, kinds)]

    def shape(self, node: ast.AST, nested: bool = False) -> Lengths | None:
        """Return the latest shape of an expression; None for none.

        Args:
            node: the expression.
            nested: whether lists of arrays count, too.
        """
        return next(reversed(self.shapes(node, nested)), None)

    def layer(self, node: ast.AST) -> Any:
        """Return the layer or model that an expression is; None for none.

        Args:
            node: the expression.
        """
        return self.seen.layers.get(self._numbers.get(node, -1))

    @cached_property
    def _assigned(self) -> dict[tuple[ast.AST | None, str], list[Place]]:
        """What is assigned to each name of a scope, and to each attribute (with None for the scope)."""
        found: dict[tuple[ast.AST | None, str], list[Place]] = defaultdict(list)
        for node in ast.walk(self.program.tree):
            value = getattr(node, "value", None)
            if isinstance(node, ast.Assign) and isinstance(value, ast.expr):
                for target in node.targets:
                    self._bind(found, target, Place(value))
            elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and isinstance(value, ast.expr):
                self._bind(found, node.target, Place(value))
        return found

    def _bind(self, found: dict[Any, list[Place]], target: ast.expr, place: Place) -> None:
        if isinstance(place.node, ast.IfExp):
            for branch in (place.node.body, place.node.orelse):
                self._bind(found, target, Place(branch, place.part))
        elif isinstance(target, ast.Name):
            found[self.program.scope(target), target.id].append(place)
        elif isinstance(target, ast.Attribute):
            found[None, target.attr].append(place)
        elif isinstance(target, ast.Tuple | ast.List):
            for index, item in enumerate(target.elts):
                if isinstance(place.node, ast.Tuple | ast.List) and len(place.node.elts) == len(target.elts):
                    self._bind(found, item, Place(place.node.elts[index]))
                elif place.part is None and not isinstance(item, ast.Starred):
                    self._bind(found, item, Place(place.node, index))

    @cached_property
    def _functions(self) -> dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]]:
        found = defaultdict(list)
        for node in ast.walk(self.program.tree):
            if isinstance(node, _FUNCTIONS):
                found[node.name].append(node)
        return found

    def had(self, node: ast.AST, value: Lengths | int) -> bool:
        """Tell whether an expression has been an array of a shape, or a number.

        Args:
            node: the expression.
            value: the shape, whose open lengths stand for any; or the number.
        """
        if isinstance(value, int):
            return value in [item for item in self.values(node) if type(item) is int]
        return any(alike(value, shape) for shape in self.shapes(node, nested=True))

    def before(self, place: Place, shape: Lengths | int) -> Place | None:
        """Return the expression that a value comes from unchanged; None where it is made here.

        Args:
            place: the expression that has the value.
            shape: its shape, or the number that it is.
        """
        node = place.node
        if isinstance(node, ast.Name):
            found = self._latest(self._assigned.get((self.program.scope(node), node.id), ()), node, shape)
            return found or self._passed(node, shape) or self._of_module(node, shape)
        if isinstance(node, ast.Attribute):
            return self._latest(self._assigned.get((None, node.attr), ()), node, shape)
        if isinstance(node, ast.NamedExpr):
            return Place(node.value, place.part)
        if isinstance(node, ast.Tuple | ast.List) and place.part is not None:
            return Place(node.elts[place.part]) if place.part < len(node.elts) else None
        if isinstance(node, ast.IfExp):
            return self._latest([Place(node.body, place.part), Place(node.orelse, place.part)], node, shape)
        return None

    def _of_module(self, node: ast.Name, shape: Lengths | int) -> Place | None:
        return self._latest(self._assigned.get((self.program.tree, node.id), ()), node, shape)

    def _latest(self, places: Sequence[Place], use: ast.AST, shape: Lengths | int) -> Place | None:
        """Return what was computed last before its use, and can have had this shape."""
        limit = self.when(use) or self.seen.count + 1
        ran = [item for item in places if self.when(item.node) and item.node is not use]
        ran = [item for item in ran if item.part is not None or self.had(item.node, shape)]
        known = [item for item in ran if self.when(item.node) <= limit]
        known = known or [item for item in ran if self._repeats(item.node, use)]
        return max(known, key=lambda item: self.when(item.node), default=None)

    def entered(self, node: ast.expr) -> Place | None:
        """Return what a variable was before the loop that changes it; None where that is not clear.

        Args:
            node: the variable, inside of the loop.
        """
        if not isinstance(node, ast.Name):
            return None
        places = self._assigned.get((self.program.scope(node), node.id), ())
        outside = [item for item in places if self.when(item.node) and not self._repeats(item.node, node)]
        outside = [item for item in outside if self.when(item.node) < self.when(node)]
        return max(outside, key=lambda item: self.when(item.node), default=None)

    def _repeats(self, node: ast.AST, use: ast.AST) -> bool:
        """Tell whether an expression may have been computed by an earlier turn of the loop around its use."""
        loops = [item for item in self.program.around(use) if isinstance(item, ast.For | ast.While)]
        return any(item in loops for item in self.program.around(node))

    def _passed(self, node: ast.Name, shape: Lengths | int) -> Place | None:
        """Return the argument that a parameter stands for."""
        function = self.program.scope(node)
        if not isinstance(function, _FUNCTIONS):
            return None
        if not any(item.arg == node.id for item in ast.walk(function.args) if isinstance(item, ast.arg)):
            return None
        found = [
            Place(item)
            for call in self.callers(function)
            if (item := argument_of(call, function, node.id)) is not None and self.had(item, shape)
        ]
        default = default_of_name(function, node.id)
        if not found and default is not None and self.had(default, shape):
            return Place(default)
        return self._latest(found, node, shape)

    def callers(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.Call]:
        """Return the calls of a function; of one that was running, the call that it was running for.

        Args:
            function: the function, or the method.
        """
        active = self._active(function)
        owner = self.program.parents.get(function)
        owner = owner if isinstance(owner, ast.ClassDef) else None
        found = [node for node in ast.walk(active) if self._calls(node, function, owner)] if active else []
        found = found or [node for node in ast.walk(self.program.tree) if self._calls(node, function, owner)]
        return [node for node in found if isinstance(node, ast.Call)]

    def _calls(self, node: ast.AST, function: ast.AST, owner: ast.ClassDef | None) -> bool:
        name = getattr(function, "name", "")
        if not isinstance(node, ast.Call):
            return False
        if owner is not None and name in ("call", "__call__"):
            return type(self.layer(node.func)).__name__ == owner.name
        return callee_of(node) == (owner.name if owner is not None and name == "__init__" else name)

    def _active(self, function: ast.AST) -> ast.stmt | None:
        """Return the statement that called a function that was running; None for another one."""
        for outer, line in zip(self.lines, self.lines[1:], strict=False):
            statement = self.program.covering(line)
            if statement is not None and self.program.scope(statement) is function:
                return self.program.covering(outer)
        return None

    def compared(self, node: ast.expr) -> tuple[ast.Call, str] | None:
        """Return the run whose targets or outputs a parameter of a loss is, and which of them it is.

        Args:
            node: the parameter, in the function that Keras called.
        """
        function = self.program.scope(node)
        active = self._active(function)
        if not isinstance(node, ast.Name) or not isinstance(function, _FUNCTIONS) or active is None:
            return None
        run = next((item for item in ast.walk(active) if callee_of(item) in _TRAINS), None)
        own = [item.arg for item in function.args.args if item.arg != "self"][:2]
        if not isinstance(run, ast.Call) or node.id not in own or len(own) < 2 or self.callers(function):
            return None
        return run, "y" if own.index(node.id) == 0 else "x"

    def returned(self, call: ast.Call, part: int | None) -> Iterator[Place]:
        """Yield what a call of the user's own function returned, the latest first.

        Args:
            call: the call.
            part: which part of it.
        """
        layer = self.layer(call.func)
        owners = [
            function
            for function in self._functions.get("call" if layer is not None else callee_of(call), ())
            if layer is None
            or getattr(self.program.parents.get(function), "name", "") == type(layer).__name__
        ]
        found = [
            Place(node.value, part)
            for function in owners
            for node in ast.walk(function)
            if isinstance(node, ast.Return)
            and node.value is not None
            and self.program.scope(node) is function
        ]
        limit = self.when(call)
        places = [item for item in found if 0 < self.when(item.node) <= limit]
        yield from sorted(places, key=lambda item: -self.when(item.node))

    def operands(self, node: ast.expr, nested: bool = False) -> Iterator[ast.expr]:
        """Yield the arrays that an expression is computed from.

        Args:
            node: the expression.
            nested: whether lists of arrays count, too.
        """
        if isinstance(node, ast.Call):
            parts: list[ast.AST] = [*node.args, *(item.value for item in node.keywords)]
            parts += [node.func.value] if isinstance(node.func, ast.Attribute) else []
        elif isinstance(node, ast.Subscript):
            parts = [node.value]
        elif isinstance(node, ast.List | ast.Tuple):
            parts = [*node.elts]
        else:
            parts = [*ast.iter_child_nodes(node)]
        for part in parts:
            inner = part.value if isinstance(part, ast.Starred) else part
            if isinstance(inner, ast.List | ast.Tuple) and not nested:
                yield from self.operands(inner)
            elif isinstance(inner, ast.expr) and self.shape(inner, nested) is not None:
                yield inner


def alike(one: Lengths, other: Lengths) -> bool:
    """Tell whether two shapes are the same as far as their lengths are known.

    Args:
        one: a shape.
        other: the other one.

    Example:
        >>> alike((None, 7), (3, 7)), alike((2, 7), (3, 7))
        (True, False)
    """
    return len(one) == len(other) and all(
        a == b or a is None or b is None for a, b in zip(one, other, strict=True)
    )


def default_of_name(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> ast.expr | None:
    """Return the default of a parameter; None for none.

    Args:
        function: the function.
        name: the parameter.
    """
    given = function.args
    named = [*given.posonlyargs, *given.args]
    pairs = [*zip(named[len(named) - len(given.defaults) :], given.defaults, strict=True)]
    pairs += [(arg, item) for arg, item in zip(given.kwonlyargs, given.kw_defaults, strict=True) if item]
    return next((item for arg, item in pairs if arg.arg == name), None)


def argument_of(
    call: ast.Call, function: ast.FunctionDef | ast.AsyncFunctionDef, name: str
) -> ast.expr | None:
    r"""Return what a call passes for a parameter.

    Args:
        call: the call.
        function: what it calls.
        name: the parameter.

    Example:
        >>> tree = ast.parse("def f(self, a, b=2): pass\nx.f(7, b=5)").body
        >>> [ast.unparse(argument_of(tree[1].value, tree[0], name)) for name in "ab"]
        ['7', '5']
    """
    names = [item.arg for item in [*function.args.posonlyargs, *function.args.args]]
    names = names[1:] if names[:1] in (["self"], ["cls"]) else names
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    place = names.index(name) if name in names else len(call.args)
    if place < len(call.args) and not any(isinstance(item, ast.Starred) for item in call.args):
        return call.args[place]
    return None
