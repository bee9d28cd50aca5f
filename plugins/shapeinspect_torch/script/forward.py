"""The order in which TorchScript's forward calls its layers, read from the text of its code.

Nothing is run: names stand for layers, tensors, weights, plain numbers or the unknown. A condition
on plain numbers (``training``) is decided; where it depends on the input, both branches are followed.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from shapeinspect.dims import UNKNOWN
from shapeinspect.dims import Expr as Length
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Value, Weight
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect_torch.script.arguments import arguments
from shapeinspect_torch.script.attributes import Attributes
from shapeinspect_torch.script.budget import Budget
from shapeinspect_torch.script.calls import Calls
from shapeinspect_torch.script.code.layers import is_forward, is_whole, padding
from shapeinspect_torch.script.code.parser import CodeError, Expr, Function, Functions, Statement
from shapeinspect_torch.script.code.source import Source as Code
from shapeinspect_torch.script.dictionaries import entry, made
from shapeinspect_torch.script.input_sizes import Walk, with_sizes
from shapeinspect_torch.script.lengths import Known, number
from shapeinspect_torch.script.list_lengths import ListLengths
from shapeinspect_torch.script.plain_values import extreme
from shapeinspect_torch.script.tensors import Tensors
from shapeinspect_torch.script.values import (
    RAISED,
    RETURNS,
    Followed,
    Instance,
    Module,
    Name,
    Outputs,
    Return,
    Scope,
    Tensor,
    described,
    in_order,
    notes_of,
    places,
)  # fmt: skip
from shapeinspect_torch.vocabulary.aten import Argument

_MAX_DEPTH = 100
_MAX_ROUNDS = 256
_FUNCTIONAL = "torch.nn.functional."
_Settings: TypeAlias = "Mapping[str, Mapping[str, object]]"


def follow(
    layers: Sequence[Layer],
    settings: _Settings,
    code: Code,
    constants: Mapping[str, Weight],
    inputs: Sequence[InputSpec] = (),
) -> Followed | None:
    """Follow the forward of the outermost module.

    Args:
        layers: the modules, containers before their children.
        settings: the plain attributes of each layer, ``training`` among them, by its path.
        code: the code of their classes.
        constants: the constant tensors of the code, by name.
        inputs: the shapes of the inputs that are asked for.

    Returns:
        The calls, or None if the code cannot be followed.
    """

    def walk(specs: Sequence[InputSpec]) -> Walk | None:
        walker = _Walker(layers, settings, code, constants)
        try:
            followed = walker.follow(specs, asked=bool(inputs))
        except (CodeError, RecursionError):
            return None
        return None if followed is None else Walk(followed, *walker.judged())

    plain = walk(inputs)
    if plain is None or inputs:
        return None if plain is None else plain.followed
    return with_sizes(plain.followed, walk, plain.followed.inputs)


def _assigned(body: Sequence[Statement]) -> frozenset[str]:
    """Return the names that statements assign."""
    own = {name for one in body if one.form == "assign" for name in one.names}
    inner = [_assigned((*one.body, *one.other)) for one in body]
    return frozenset(own.union(*inner))


class _Walker:
    def __init__(
        self, layers: Sequence[Layer], settings: _Settings, code: Code, constants: Mapping[str, Weight]
    ) -> None:
        self._attributes = Attributes(layers, settings, constants)
        self._modules = self._attributes.modules
        self._stored = {w.name: w for layer in layers for w in layer.weights} | dict(constants)
        self._code = code
        self._functions = Functions(code)
        self._call_settings: dict[str, dict[str, Any]] = {}
        self._inner: dict[tuple[str, str], Any] = {}
        self._depth = self._branches = self._loops = 0
        self._raised = False
        self._budget = Budget()
        self._known = Known(self._stored, constants)
        self._lists = ListLengths()
        self._tensors = Tensors(self._stored, self._known, self._lists, self._budget)
        taken = {*self._modules, layers[0].path}
        self._calls = Calls(constants, self._known, self._tensors, self._lists, self._budget, taken)

    def follow(self, specs: Sequence[InputSpec], *, asked: bool) -> Followed | None:
        function = self._functions.find(self._attributes.origin(""), "forward", 2)
        if function is None:
            return None
        args, inputs = arguments(function, specs, self._known, self._tensors, asked=asked)
        result = self._method("", "forward", args, {}, Scope(None, {}))
        self._raised = result is None
        outputs = tuple(self._tensors.names(result))
        return Followed(
            in_order(list(self._modules.values()), self._calls.added, self._calls.order, self._call_settings),
            tuple(draft.call() for draft in self._calls.drafts),
            Frozen({name: self._described(name) for name in self._tensors.used}),
            tuple(inputs),
            outputs,
            notes_of(self._branches, self._loops, fed=bool(specs)),
        )

    def judged(self) -> tuple[bool, int]:
        """Tell whether a layer, or the code, refuses the shapes, and how many calls have known outputs."""
        known = sum(1 for draft in self._calls.drafts if draft.outputs.shapes)
        return self._raised or self._calls.refused > 0, known

    def _described(self, name: str) -> Value:
        if name in self._known.joined:
            return Value(name, self._known.shapes[name], self._known.dtypes[name])
        return described(name, self._stored.get(name))

    # Modules

    def _method(self, path: str, name: str, args: list[Any], kwargs: dict[str, Any], scope: Scope) -> Any:
        layer = self._modules[path]
        forward = is_forward(name)
        if forward and is_whole(layer):
            return self._leaf(path, layer, name, args, kwargs)
        function = self._functions.find(self._attributes.origin(path), name, 2)
        if function is None:
            raise CodeError
        if forward:
            return self._container(path, function, args, kwargs)
        used = scope.used if scope.module == path else Counter()
        return self._run(function, [Module(path), *args], kwargs, path, used)

    def _leaf(self, path: str, layer: Layer, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        parts = self._tensors.flat([*args, *kwargs.values()])
        # A weight that layers share is handed to the layer by traced code.
        inputs = [part.name for part in parts if not isinstance(part, Argument)]
        inputs = inputs or [part.name for part in parts]
        key = path, name
        if key not in self._inner:
            settings, self._inner[key] = self._inside(path, layer, name, args)
            self._call_settings.setdefault(layer.path, settings)
        outputs = self._calls.call(layer.path, inputs, Frozen())
        own = {**self._call_settings.get(layer.path, {}), **layer.attributes}
        self._calls.fill(outputs, layer.kind, own, inputs)
        shape = self._inner[key]
        return self._filled(RETURNS.get(layer.kind, 0) if shape is None else shape, outputs)

    def _filled(self, shape: Any, outputs: Outputs) -> Any:
        self._budget.spend()
        if isinstance(shape, tuple):
            return tuple(self._filled(part, outputs) for part in shape)
        return self._tensors.nth(outputs, shape)

    def _inside(self, path: str, layer: Layer, name: str, given: list[Any]) -> tuple[dict[str, Any], Any]:
        """The settings in the code of a layer's forward, and the structure of its outputs.

        A traced layer has nothing else; where the code of a scripted layer is too long to follow, its own
        attributes remain.
        """
        function = self._functions.find(self._attributes.origin(path), name, 2)
        if function is None or self._tensors.probing:
            return {}, None
        self._calls.begin_probe()
        saved = self._branches, self._loops, self._depth
        result: Any = None
        try:
            blank = [Tensor("") if is_tensor else UNKNOWN for _, is_tensor in function.parameters[1:]]
            args: list[Any] = [
                value if isinstance(value, Argument) else arg
                for arg, value in itertools.zip_longest(blank, given[: len(blank)])
            ]
            result = self._run(function, [Module(path), *args], {}, None, Counter())
            self._tensors.flat([result])  # it is within the limits
        except CodeError:
            pass
        finally:
            calls = self._calls.end_probe()
            self._branches, self._loops, self._depth = saved
        same = [(described, outputs) for described, outputs in calls if described.kind == layer.kind]
        if len(same) != 1:
            return {}, None
        described, outputs = same[0]
        padded = [found.attributes for found, _ in calls if found.kind == "pad"]
        return {**described.attributes, **padding(layer.kind, padded)}, places(result, outputs)

    def _container(self, path: str, function: Function, args: list[Any], kwargs: dict[str, Any]) -> Any:
        inputs = self._tensors.names(*args, *kwargs.values())
        # Its code is followed; it consists of its calls.
        self._modules[path] = replace(self._modules[path], kind="module", attributes=Frozen())
        outputs = self._calls.call(self._modules[path].path, inputs, Frozen())
        result = self._run(function, [Module(path), *args], kwargs, path, Counter())
        outputs.names[:] = self._tensors.names(result)
        return result

    def _run(
        self,
        function: Function,
        args: list[Any],
        kwargs: dict[str, Any],
        module: str | None,
        used: Counter[str],
    ) -> Any:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise CodeError
        env: dict[str, Any] = dict(kwargs)
        for (name, _), value in zip(function.parameters, args, strict=False):
            env[name] = value
        for name, _ in function.parameters:
            env.setdefault(name, UNKNOWN)
        done = self._block(function.body, Scope(module, env, used))
        self._depth -= 1
        return None if done is None else done.value

    def _of_instance(
        self, owner: Instance, name: str, args: list[Any], kwargs: dict[str, Any], scope: Scope
    ) -> Any:
        """Run a method of an object that the code has made, such as a list of images with their sizes."""
        function = self._functions.find(owner.type, name, 2)
        if function is None:
            raise CodeError
        return self._run(function, [owner, *args], kwargs, scope.module, scope.used)

    # Statements

    def _block(self, body: Sequence[Statement], scope: Scope) -> Return | None:
        for statement in body:
            self._budget.step()
            done = self._statement(statement, scope)
            if done is not None:
                return done
        return None

    def _statement(self, statement: Statement, scope: Scope) -> Return | None:
        form, expr = statement.form, statement.expr
        if form == "pass":
            return None
        if form == "return":
            return Return(None if expr is None else self._value(expr, scope))
        if expr is None:
            raise CodeError
        if form == "if":
            return self._follow_both(statement, expr, scope)
        if form in ("for", "while"):
            return self._loop(statement, expr, scope)
        value = self._value(expr, scope)
        if isinstance(value, Return):
            return value
        if form == "assign":
            self._assign(statement.names, value, scope)
        elif form == "set":
            owner = scope.env.get(statement.names[0])
            for name in statement.names[1:-1]:
                owner = self._attributes.of(owner, name)
            self._attributes.assign(owner, statement.names[-1], value)
        return None

    def _assign(self, names: tuple[str, ...], value: Any, scope: Scope) -> None:
        if names[0] != "unpack":
            scope.env[names[0]] = value
            return
        names = names[1:]
        self._budget.spend(len(names))
        if isinstance(value, Outputs):
            value = [self._tensors.nth(value, position) for position in range(len(names))]
        if not isinstance(value, list | tuple) or len(value) != len(names):
            value = [UNKNOWN] * len(names)
        scope.env.update(zip(names, value, strict=True))

    def _follow_both(self, statement: Statement, expr: Expr, scope: Scope) -> Return | None:
        condition = self._value(expr, scope)
        if isinstance(condition, bool | int | float):
            return self._block(statement.body if condition else statement.other, scope)
        self._budget.spend(len(scope.env) + len(self._attributes.state))
        before, state = dict(scope.env), dict(self._attributes.state)
        self._calls.undecided += 1
        self._budget.spend(self._lists.begin((*before.values(), *state.values())))
        doubted = self._lists.doubted()
        first = self._block(statement.body, scope)
        left, scope.env = scope.env, before
        changed, self._attributes.state = self._attributes.state, state
        halfway = self._lists.doubted()
        second = self._block(statement.other, scope)
        self._calls.undecided -= 1
        self._lists.end()
        if second is RAISED:
            self._lists.settle(halfway - doubted)
        elif first is RAISED:
            self._lists.settle(self._lists.doubted() - halfway)
        # What attributes hold behind two branches, of which one that raises an error does not count.
        if second is RAISED:
            self._attributes.state = changed
        elif first is not RAISED:
            self._attributes.state = self._tensors.both(changed, self._attributes.state)
        if first is RAISED or second is RAISED:
            # A branch that only raises an error is not followed.
            if second is RAISED:
                scope.env = left
                return first
            return second
        self._branches += 1
        if first is not None and second is not None:
            return Return(self._tensors.merged(first.value, second.value))
        if first is None and second is None:
            scope.env = self._tensors.both(left, scope.env)
        elif first is None:
            scope.env = left
        return None

    def _loop(self, statement: Statement, expr: Expr, scope: Scope) -> Return | None:
        iterable = self._value(expr, scope)
        rounds: Sequence[Any]
        if (
            statement.form == "for"
            and isinstance(iterable, range | list | tuple)
            and len(iterable) <= _MAX_ROUNDS
            and self._lists.known(iterable)
        ):
            rounds = iterable
        elif iterable is False:
            return None
        else:
            self._loops += 1
            self._budget.spend(self._lists.begin((*scope.env.values(), *self._attributes.state.values())))
            before = dict(scope.env)
            self._calls.contents.clear()
            for name in _assigned(statement.body) & before.keys():
                if type(before[name]) in (int, float, bool):
                    scope.env[name] = UNKNOWN  # it differs from round to round
            done = self._rounds(statement, [UNKNOWN], scope)
            self._lists.end()
            self._calls.contents.clear()
            self._settle(before, scope)
            return done
        return self._rounds(statement, rounds, scope)

    def _settle(self, before: Mapping[str, Any], scope: Scope) -> None:
        """Forget the numbers and the shapes that differ behind a loop of unknown rounds."""
        for name, first in before.items():
            last = scope.env.get(name, first)
            if last is first:
                continue
            number = type(first) in (int, float, bool)
            shapes = [self._known.of(self._tensors.plain(value)) for value in (first, last)]
            if number or (None not in shapes and shapes[0] != shapes[1]):
                scope.env[name] = self._tensors.merged(first, last)

    def _rounds(self, statement: Statement, items: Sequence[Any], scope: Scope) -> Return | None:
        for item in items:
            if statement.names:
                scope.env[statement.names[0]] = item
            done = self._block(statement.body, scope)
            if done is not None:
                return done
        return None

    # Expressions

    def _value(self, expr: Expr, scope: Scope) -> Any:
        self._budget.step()
        if expr.form == "literal":
            return expr.value
        if expr.form == "name":
            return scope.env[expr.text] if expr.text in scope.env else Name(expr.text)
        if expr.form == "list":
            return [self._value(part, scope) for part in expr.parts]
        if expr.form == "tuple":
            return tuple(self._value(part, scope) for part in expr.parts)
        if expr.form == "dict":
            keys, values = ([self._value(part, scope) for part in expr.parts[at::2]] for at in (0, 1))
            return made([list(zip(keys, values, strict=False))])
        if expr.form == "attribute":
            return self._attributes.of(self._value(expr.parts[0], scope), expr.text)
        if expr.form == "item":
            return self._item(expr, scope)
        if expr.form == "call":
            return self._called(expr, scope)
        for part in expr.parts:
            self._value(part, scope)
        return UNKNOWN

    def _item(self, expr: Expr, scope: Scope) -> Any:
        owner = self._value(expr.parts[0], scope)
        keys = [self._value(part, scope) for part in expr.parts[1:]]
        key = keys[0] if len(keys) == 1 else UNKNOWN
        if isinstance(owner, list | tuple) and type(key) is int and -len(owner) <= key < len(owner):
            return owner[key] if self._lists.known(owner) else UNKNOWN
        if isinstance(owner, dict):
            return entry(owner, key) if self._lists.known(owner) else UNKNOWN
        if isinstance(owner, Outputs) and type(key) is int and 0 <= key < _MAX_ROUNDS:
            return self._tensors.nth(owner, key)
        return UNKNOWN

    def _called(self, expr: Expr, scope: Scope) -> Any:
        target, *rest = expr.parts
        kwargs = {part.text: self._value(part.parts[0], scope) for part in rest if part.form == "keyword"}
        args = [self._value(part, scope) for part in rest if part.form != "keyword"]
        if target.form == "attribute":
            owner = self._value(target.parts[0], scope)
            if isinstance(owner, Module):
                return self._method(owner.path, target.text, args, kwargs, scope)
            if isinstance(owner, Instance):
                return self._of_instance(owner, target.text, args, kwargs, scope)
            name = self._attributes.of(owner, target.text)
        else:
            name = self._value(target, scope)
        if not isinstance(name, Name):
            return UNKNOWN
        return self._named(name.text, args, kwargs, scope)

    def _named(self, name: str, args: list[Any], kwargs: dict[str, Any], scope: Scope) -> Any:
        space, _, short = name.rpartition(".")
        if name == "getattr" and len(args) == 2:
            return self._attributes.of(args[0], args[1]) if type(args[1]) is str else UNKNOWN
        if name in ("annotate", "unchecked_cast") and len(args) == 2:
            return args[1]
        if name in ("bool", "int", "float") and len(args) == 1:
            found = number(name, args, {})
            held = [self._tensors.plain(arg) for arg in args]
            return self._calls.contents.number(name, held) if found is UNKNOWN else found
        if name == "range" and args and all(type(arg) is int and abs(arg) < 2**31 for arg in args):
            return range(*args) if len(args) <= 3 and args[2:] != [0] else UNKNOWN
        if name == "torch.dict":
            return made(args)
        if name in ("ops.prim.min", "ops.prim.max"):
            return extreme(short, args)
        if name == "ops.prim.RaiseException":
            return RAISED
        if name == "ops.prim.NumToTensor" and len(args) == 1:
            return args[0] if isinstance(args[0], int | float | Length) else UNKNOWN
        if space == "torch" or (space.startswith("ops.") and space != "ops.prim"):
            return self._calls.op(name, short, args, kwargs, scope, python=False)
        if name.startswith("__torch__."):
            return self._written(name.removeprefix("__torch__."), args, kwargs, scope)
        return UNKNOWN

    def _written(self, inner: str, args: list[Any], kwargs: dict[str, Any], scope: Scope) -> Any:
        """Run a function of the archive, or make an object of one of its classes."""
        short = inner.rpartition(".")[2]
        if inner.startswith(_FUNCTIONAL):
            return self._calls.op(f"F.{short}", short, args, kwargs, scope, python=True)
        if self._code.text(inner).startswith("NamedTuple"):
            return tuple(args)
        home, _, own = inner.rpartition(".")
        if own == "__new__":
            return self._attributes.instance(home)
        function = self._functions.find(home, own, 0)
        if function is None:
            raise CodeError
        return self._run(function, args, kwargs, scope.module, scope.used)
