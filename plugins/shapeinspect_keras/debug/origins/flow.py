"""Follows values through a script: from an expression back to the one that its value was made by."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shapeinspect.plugin_api.user_code.source import callee_of, defaults_of
from shapeinspect_keras.debug.origins.bindings import APPENDED, EACH, Bound, Place, bindings, part_of
from shapeinspect_keras.debug.script.program import Program
from shapeinspect_keras.debug.script.running import Nested, Seen, Shaped, numbered
from shapeinspect_keras.debug.statements.names import COMPARES
from shapeinspect_keras.debug.statements.site import argument

Lengths = tuple[int | None, ...]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: Methods of a dataset behind which its entries are the same, and of its batches.
PIPES = frozenset({
    "batch", "shuffle", "prefetch", "repeat", "cache", "take", "skip", "with_options", "from_tensor_slices",
    "from_tensors",
})  # fmt: skip
#: So many steps are followed.
_STEPS = 80
#: The tensors of a model or layer.
_TENSORS = frozenset({"output", "outputs", "input", "inputs"})


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
    def _assigned(self) -> dict[Bound, list[Place]]:
        return bindings(self.program)

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
        node, parts = place.node, place.parts
        if isinstance(node, ast.Name):
            found = self._latest((self.program.scope(node), node.id), place, shape)
            return (
                found
                or self._passed(place, shape)
                or self._latest((self.program.tree, node.id), place, shape)
            )
        if isinstance(node, ast.Attribute) and node.attr not in _TENSORS:
            return self._latest((None, node.attr), place, shape)
        if isinstance(node, ast.NamedExpr):
            return Place(node.value, parts)
        if isinstance(node, ast.IfExp):
            return self._best([Place(node.body, parts), Place(node.orelse, parts)], node, shape)
        if isinstance(node, ast.Subscript) and self.shape(node.value) is None:
            index = node.slice.value if isinstance(node.slice, ast.Constant) else EACH
            return Place(node.value, (index if isinstance(index, int | str) else EACH, *parts))
        return self._entry(place, shape) if parts else None

    def source(self, node: ast.expr, value: Lengths | int) -> ast.expr:
        """Return the expression that a value comes from unchanged, however far back it is.

        Args:
            node: the expression that has the value.
            value: its shape, or the number that it is.
        """
        place = Place(node)
        for _ in range(_STEPS):
            back = self.before(place, value)
            if back is None or back.node is node:
                break
            place = back
        return place.node

    def _entry(self, place: Place, shape: Lengths | int) -> Place | None:
        """Return the expression of one entry of a list, a tuple or a dataset."""
        node, (first, *rest) = place.node, place.parts
        if isinstance(first, str):
            value = _keyed(node, first)
            return None if value is None else Place(value, tuple(rest))
        if isinstance(node, ast.Tuple | ast.List):
            if 0 <= first < len(node.elts):
                return Place(node.elts[first], tuple(rest))
            return self._best([Place(item, tuple(rest)) for item in node.elts], node, shape)
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            return Place(node.elt, tuple(rest))
        if isinstance(node, ast.Call) and callee_of(node) in ("tuple", "list", "iter") and node.args:
            return Place(node.args[0], place.parts)
        if isinstance(node, ast.Call) and first == EACH and (entries := self._iterated(node)):
            fits = [item for item in entries if rest or self.had(item, shape)]
            latest = max(fits, key=self.when, default=None)
            return None if latest is None else Place(latest, tuple(rest))
        if isinstance(node, ast.Call) and callee_of(node) in PIPES and isinstance(node.func, ast.Attribute):
            slices = callee_of(node).startswith("from_tensor")
            given = node.args[0] if slices and node.args else node.func.value
            return Place(given, tuple(rest) if slices else place.parts)
        return None

    def _iterated(self, call: ast.Call) -> list[ast.expr]:
        """Return what a user's generator yields, or the loop over an object of a user's class."""
        name = callee_of(call)
        functions = [*self._functions.get(name, ()), *self._methods(name, "__iter__")]
        inside = [node for function in functions for node in ast.walk(function)]
        yielded = [node.value for node in inside if isinstance(node, ast.Yield) and node.value is not None]
        if yielded:
            return yielded
        loops = [node for node in inside if isinstance(node, ast.GeneratorExp)]
        return [node.elt for node in loops]

    def _methods(self, owner: str, name: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Return the methods of one name of the user's classes of another."""
        found = [(one, self.program.parents.get(one)) for one in self._functions.get(name, ())]
        return [one for one, around in found if isinstance(around, ast.ClassDef) and around.name == owner]

    def _latest(self, bound: Bound, use: Place, shape: Lengths | int) -> Place | None:
        """Return what was bound to a variable last before its use, and can have had this shape."""
        parts = use.parts
        found = []
        for item in self._assigned.get(bound, ()):
            if item.parts == (APPENDED,):
                found += [Place(item.node, parts[1:])] if parts else []
            else:
                found.append(Place(item.node, (*item.parts, *parts)))
        return self._best(found, use.node, shape)

    def _best(self, places: Sequence[Place], use: ast.AST, shape: Lengths | int) -> Place | None:
        """Return what was computed last before its use, and can have had this shape."""
        limit = self.when(use) or self.seen.count + 1
        ran = [item for item in places if item.node is not use and (self.when(item.node) or item.parts)]
        ran = [item for item in ran if not (item.parts and _is_empty(item.node))]
        ran = [item for item in ran if item.parts or self.had(item.node, shape)]
        known = [item for item in ran if self.when(item.node) <= limit]
        known = known or [item for item in ran if self._repeats(item.node, use)]
        return max(known, key=lambda item: (not item.parts, self.when(item.node)), default=None)

    def entered(self, node: ast.expr) -> Place | None:
        """Return what a variable was before the loop that changes it; None where that is not clear.

        Args:
            node: the variable, inside of the loop.
        """
        if not isinstance(node, ast.Name):
            return None
        places = [
            item for item in self._assigned.get((self.program.scope(node), node.id), ()) if not item.parts
        ]
        outside = [item for item in places if self.when(item.node) and not self._repeats(item.node, node)]
        outside = [item for item in outside if self.when(item.node) < self.when(node)]
        return max(outside, key=lambda item: self.when(item.node), default=None)

    def turns(self, node: ast.AST) -> bool:
        """Tell whether an expression stands in a loop of its function.

        Args:
            node: the expression.
        """
        for outer in self.program.around(node):
            if isinstance(outer, (*_FUNCTIONS, ast.Lambda)):
                return False
            if isinstance(outer, ast.For | ast.While):
                return True
        return False

    def _repeats(self, node: ast.AST, use: ast.AST) -> bool:
        """Tell whether an expression may have been computed by an earlier turn of the loop around its use."""
        loops = [item for item in self.program.around(use) if isinstance(item, ast.For | ast.While)]
        return any(item in loops for item in self.program.around(node))

    def variables(self, scope: ast.AST) -> dict[str, Lengths]:
        """Return the arrays that the variables of a scope were in the end, by name.

        Args:
            scope: the function or the module.
        """
        found = {}
        for (around, name), places in self._assigned.items():
            ran = [item for item in places if around is scope and not item.parts and self.when(item.node)]
            last = max(ran, key=lambda item: self.when(item.node), default=None)
            shape = None if last is None else self.shape(last.node)
            if shape:
                found[name] = shape
        return found

    def _passed(self, place: Place, shape: Lengths | int) -> Place | None:
        """Return the argument that a parameter stands for."""
        node, parts = place.node, place.parts
        function = self.program.scope(node)
        if not isinstance(node, ast.Name) or not isinstance(function, _FUNCTIONS):
            return None
        if not any(item.arg == node.id for item in ast.walk(function.args) if isinstance(item, ast.arg)):
            return None
        given = [argument_of(call, function, node.id) for call in self.callers(function)]
        found = [
            Place(item, parts) for item in given if item is not None and (parts or self.had(item, shape))
        ]
        default = defaults_of(function.args).get(node.id)
        if not found and default is not None and self.had(default, shape):
            return Place(default)
        return self._best(found, node, shape)

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
        run = next((item for item in ast.walk(active) if callee_of(item) in COMPARES), None)
        own = [item.arg for item in function.args.args if item.arg != "self"][:2]
        if not isinstance(run, ast.Call) or node.id not in own or len(own) < 2 or self.callers(function):
            return None
        return run, "y" if own.index(node.id) == 0 else "x"

    def batch(self, run: ast.Call, part: int) -> Place | None:
        """Return the expression of the targets, or of the inputs, in a user's generator or data set.

        Args:
            run: the call that runs a model on it.
            part: 0 for the inputs, 1 for the targets.
        """
        given = next((item.value for item in run.keywords if item.arg == "x"), None)
        given = given or next(iter(run.args), None)
        place = None if given is None else Place(given)
        for _ in range(20):
            if place is None or isinstance(place.node, ast.Call):
                break
            scope = (self.program.scope(place.node), getattr(place.node, "id", ""))
            known = [item for item in self._assigned.get(scope, ()) if not item.parts]
            place = known[-1] if known and isinstance(place.node, ast.Name) else None
        made = "" if place is None else callee_of(place.node)
        gives = [*self._functions.get(made, ()), *self._methods(made, "__getitem__")]
        found = [
            part_of(Place(node.value), part)
            for function in gives
            for node in ast.walk(function)
            if isinstance(node, ast.Return | ast.Yield) and isinstance(node.value, ast.Tuple)
        ]
        ran = [item for item in found if not item.parts]
        return max(ran, key=lambda item: self.when(item.node), default=None)

    def omitted(self, call: ast.Call) -> Iterator[tuple[str, str]]:
        """Yield the parameters that a call does not pass, though what others are read from has them, too.

        Args:
            call: the call of a function or a class of the user's.

        Yields: The parameter, and what has an attribute of its name.
        """
        name = callee_of(call)
        functions = [*self._functions.get(name, ()), *self._methods(name, "__init__")]
        for function in functions[:1]:
            given = [*function.args.args, *function.args.kwonlyargs]
            passed = {item.arg: argument_of(call, function, item.arg) for item in given}
            owners = [
                self.program.line(value.value)
                for key, value in passed.items()
                if isinstance(value, ast.Attribute) and value.attr == key
            ]
            for key, value in passed.items():
                optional = key in defaults_of(function.args)
                if value is None and optional and owners and (None, key) in self._assigned:
                    yield key, owners[0]

    def items(self, node: ast.AST) -> tuple[Lengths, ...]:
        """Return the shapes of the arrays that an expression lists; none where that is not known.

        Args:
            node: the expression.
        """
        if isinstance(node, ast.List | ast.Tuple):
            shapes = [self.shape(item) for item in node.elts]
            return tuple(shape for shape in shapes if shape is not None)
        known = [item for item in self.values(node) if isinstance(item, Nested)]
        return known[-1].items if known else ()

    def alike_calls(self, call: ast.Call) -> Iterator[ast.Call]:
        """Yield the other calls of the user's own function that a call is of, those that ended.

        Args:
            call: the call.
        """
        name = callee_of(call)
        for node in ast.walk(self.program.tree) if name in self._functions else ():
            if (
                isinstance(node, ast.Call)
                and node is not call
                and callee_of(node) == name
                and self.when(node)
            ):
                yield node

    def returned(self, call: ast.Call, parts: tuple[int | str, ...]) -> Iterator[Place]:
        """Yield what a call of the user's own function returned, the latest first.

        Args:
            call: the call.
            parts: which part of it.
        """
        layer = self.layer(call.func)
        owners = [
            function
            for function in self._functions.get("call" if layer is not None else callee_of(call), ())
            if layer is None
            or getattr(self.program.parents.get(function), "name", "") == type(layer).__name__
        ]
        found = [
            part_of(Place(node.value), parts[0]) if parts else Place(node.value)
            for function in owners
            for node in ast.walk(function)
            if isinstance(node, ast.Return)
            and node.value is not None
            and self.program.scope(node) is function
        ]
        limit = self.when(call)
        found = [Place(item.node, (*item.parts, *parts[1:])) for item in found]
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


def _is_empty(node: ast.AST) -> bool:
    return isinstance(node, ast.List) and not node.elts


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
    return argument(call, names.index(name) if name in names else len(call.args), name)


def _keyed(node: ast.expr, key: str) -> ast.expr | None:
    """Return the value of a key where a dictionary is written out."""
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return next(
            (value for one, value in pairs if isinstance(one, ast.Constant) and one.value == key), None
        )
    if isinstance(node, ast.Call) and callee_of(node) == "dict":
        return next((item.value for item in node.keywords if item.arg == key), None)
    return None
