"""What was wrong with a script: told by the edit with which it runs, and by what its expressions were."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any

from shapeinspect.plugin_api.evidence.differences import differences
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.user_code.source import callee_of

#: At most so many sentences.
_SENTENCES = 2
#: A longer piece of code is not repeated.
_LONGEST = 44
#: Smaller numbers are those of many things.
_TELLING = 8
#: Words of names and of sentences that say nothing of what a number is.
_COMMON = frozenset({
    "self", "in", "the", "number", "n", "num", "size", "args", "cfg", "config", "nn", "linear", "conv",
    "dim", "len", "hps", "opt", "params", "out", "channels", "features", "d", "model", "net",
})  # fmt: skip
_AXIS_WORDS = frozenset({"dim", "axis", "dims", "axes", "start_dim", "end_dim"})
#: Functions whose last number by place is an axis, if no other word is given.
_OF_AXES = frozenset({
    "cat", "concat", "concatenate", "stack", "softmax", "log_softmax", "sum", "mean", "max", "min", "argmax",
    "unsqueeze", "squeeze", "flatten", "expand_dims", "size", "chunk", "unbind", "amax", "amin", "cumsum",
    "split", "Concatenate", "repeat_interleave", "take", "roll",
})  # fmt: skip
#: What is missing where one of these is put around an expression.
_WRAPS = {
    "flatten": "it has to be flattened",
    "ravel": "it has to be flattened",
    "Flatten": "it has to be flattened",
    "unsqueeze": "an axis is missing",
    "expand_dims": "an axis is missing",
    "squeeze": "it has an axis too many",
    "t": "its axes are the other way round",
    "T": "its axes are the other way round",
    "mT": "its axes are the other way round",
    "transpose": "its axes are in another order",
    "swapaxes": "its axes are in another order",
    "permute": "its axes are in another order",
    "movedim": "its axes are in another order",
    "moveaxis": "its axes are in another order",
    "long": "its dtype is another one",
    "float": "its dtype is another one",
    "int": "its dtype is another one",
    "bool": "its dtype is another one",
    "to": "its dtype is another one",
    "astype": "its dtype is another one",
}


@dataclass(frozen=True, slots=True)
class _Edit:
    """One part of a script that was edited.

    Args:
        trace: the script, as it failed.
        old: the part, in the trace's own tree.
        new: what stands in its place.
        after: the script with all edits; None where it was not run.
    """

    trace: Trace
    old: Any
    new: Any
    after: Trace | None = None

    @property
    def line(self) -> str:
        """The line of the part, with its file where the script has several."""
        line = getattr(self.old, "lineno", 0)
        files = [*self.trace.texts]
        file = self.trace.homes[self.old]
        return f"line {line}" if file == files[0] else f"line {line} of {file.rpartition('/')[2]}"

    @property
    def place(self) -> tuple[int, ...]:
        """The place of what stands there now, in the edited script."""
        number = [*self.trace.texts].index(self.trace.homes[self.old])
        return (number, *(one or 0 for one in _place_of(self.new)))

    def makes(self) -> str:
        """Say what the call around the part makes after the edit."""
        around = self.trace.parents.get(self.old)
        while around is not None and not isinstance(around, ast.Call | ast.stmt):
            around = self.trace.parents.get(around)
        if self.after is None or not isinstance(around, ast.Call):
            return ""
        name, first = callee_of(around), self.place[1]
        for place, node in self.after.by_place.items():
            if isinstance(node, ast.Call) and callee_of(node) == name and place[0] == self.place[0]:
                inside = node.lineno <= first <= (node.end_lineno or 0)
                shape = self.after.shape(node) if inside else None
                if shape is not None:
                    return f"with {ast.unparse(self.new)}, {name} makes {_shown(shape)}"
        return ""

    def code(self, node: Any) -> str:
        """Return the source of a part of the script, or of what stands in its place.

        Args:
            node: the part.
        """
        text = " ".join((self.trace.source(node) if node in self.trace.homes else ast.unparse(node)).split())
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"

    def worth(self, node: Any) -> Any:
        """Return what an expression was worth last, the same one wherever it stands; None for unknown.

        Args:
            node: the expression.
        """
        if node in self.trace.homes:
            return (*self.trace.values(node)[-1:], None)[0]
        if isinstance(node, ast.Constant):
            return node.value if type(node.value) in (int, bool) else None
        if node is self.new and self.after is not None:
            return (*self.after.ended.values.get(self.place, ())[-1:], None)[0]
        text = ast.unparse(node)
        near = self.trace.function(self.old)
        same = [one for one in self.trace.by_text.get(text, ()) if self.trace.values(one)]
        same.sort(key=lambda one: self.trace.function(one) is not near)
        if not same and isinstance(node, ast.Name):
            same = [one for one in self._assigned(node.id) if self.trace.values(one)]
        return self.trace.values(same[0])[-1] if same else None

    def _assigned(self, name: str) -> Iterator[ast.expr]:
        """Yield what a name is set to, also as one of several."""
        tree = self.trace.tree(self.trace.homes[self.old])
        for node in (one for one in ast.walk(tree) if isinstance(one, ast.Assign)):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = [*zip(target.elts, node.value.elts, strict=False)]
                yield from (value for one, value in pairs if isinstance(one, ast.Name) and one.id == name)


def causes(trace: Trace, texts: Mapping[str, str], after: Trace | None = None) -> tuple[str, ...]:
    """Return what was wrong with a script, a sentence for each part of it that was edited.

    Args:
        trace: the script, as it failed.
        texts: the files with which it runs, by path.
        after: what the expressions of the edited script are worth; None where it is not known.
    """
    found: list[str] = []
    for file, text in texts.items():
        if trace.texts.get(file, text) == text:
            continue
        edits = [
            _Edit(trace, node, new, after)
            for old, new in differences(trace.texts[file], text)
            if (node := _in_tree(trace, file, old)) is not None
        ]
        found += (
            [_turned(*edits)]
            if len(edits) == 2 and _turned(*edits)
            else chain.from_iterable(map(_told, edits))
        )
    return tuple(dict.fromkeys(found))[:_SENTENCES]


def _turned(first: _Edit, second: _Edit) -> str:
    """Say that two expressions stand in each other's place; empty where they do not."""
    texts = [(ast.unparse(one.old), ast.unparse(one.new)) for one in (first, second)]
    if texts[0] != texts[1][::-1]:
        return ""
    around = first.trace.parents.get(first.old)
    around = first.trace.parents.get(around) if isinstance(around, ast.keyword) else around
    place = f" in {first.code(around.func)}(…)" if isinstance(around, ast.Call) else ""
    worth = [first.worth(one.old) for one in (first, second)]
    held = (
        f": {texts[0][0]} is {_value(worth[0])}, {texts[1][0]} is {_value(worth[1])}"
        if None not in worth
        else ""
    )
    return f"{texts[0][0]} and {texts[1][0]} are exchanged{place}, {first.line}" + (
        held if not texts[0][0].isdigit() else ""
    )


def _in_tree(trace: Trace, file: str, node: Any) -> ast.AST | None:
    """Return the node of a trace's own tree that stands in the same place."""
    place = _place_of(node)
    same = (one for one in ast.walk(trace.tree(file)) if type(one) is type(node) and _place_of(one) == place)
    return None if None in place else next(same, None)


def _place_of(node: ast.AST) -> tuple[int | None, ...]:
    names = ("lineno", "col_offset", "end_lineno", "end_col_offset")
    return tuple(getattr(node, name, None) for name in names)


def _told(edit: _Edit) -> Iterator[str]:
    for rule in _RULES:
        said = rule(edit)
        if said:
            yield said
            return


def _argument_added(edit: _Edit) -> str:
    """Name an argument that a call lacks."""
    old, new = edit.old, edit.new
    if not (isinstance(old, ast.Call) and isinstance(new, ast.Call)):
        return ""
    given = {one.arg for one in old.keywords}
    added = [one for one in new.keywords if one.arg not in given]
    same = ast.unparse(old.func) == ast.unparse(new.func) and len(old.args) == len(new.args)
    if len(added) != 1 or not same or added[0].arg is None or len(new.keywords) != len(old.keywords) + 1:
        return ""
    name, value = added[0].arg, added[0].value
    text = f"{name} is not passed to {edit.code(old.func)}(…), {edit.line}"
    default = _default(edit, old, name)
    text += f": it is {default} by default" if default else ""
    worth = edit.worth(value)
    if not isinstance(value, ast.Constant) and worth is not None and not isinstance(worth, tuple):
        return f"{text}, and {ast.unparse(value)} is {worth}"
    passed = [word.value for one in _calls_like(edit, old) for word in one.keywords if word.arg == name]
    if passed:
        return f"{text}; line {passed[0].lineno} passes {ast.unparse(passed[0])}"
    return text + _naming(edit, value)


def _calls_like(edit: _Edit, call: ast.Call) -> Iterator[ast.Call]:
    """Yield the other calls of one of the script's own functions."""
    if edit.trace.definition(call)[0] is not None:
        for one in ast.walk(edit.trace.tree(edit.trace.homes[call])):
            if isinstance(one, ast.Call) and one is not call and callee_of(one) == callee_of(call):
                yield one


def _default(edit: _Edit, call: ast.Call, name: str) -> str:
    """Return the default of an argument of one of the script's own functions; empty for none."""
    function, _ = edit.trace.definition(call)
    if function is None:
        return ""
    plain = [*function.args.posonlyargs, *function.args.args]
    last = function.args.defaults
    named = dict(zip([one.arg for one in plain[len(plain) - len(last) :]], last, strict=True))
    named |= {
        one.arg: value
        for one, value in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if value is not None
    }
    return ast.unparse(named[name]) if name in named else ""


def _argument_left_out(edit: _Edit) -> str:
    """Name an argument that a call has and should not have."""
    old, new = edit.old, edit.new
    if not (isinstance(old, ast.Call) and isinstance(new, ast.Call)):
        return ""
    if ast.unparse(old.func) != ast.unparse(new.func):
        return ""
    given, left = ([*one.args, *(word.value for word in one.keywords)] for one in (old, new))
    texts = {ast.unparse(one) for one in left}
    gone = [one for one in given if ast.unparse(one) not in texts]
    fewer = len(new.args) + len(new.keywords) < len(old.args) + len(old.keywords)
    if len(gone) != 1 or not fewer:
        return ""
    shape = edit.trace.shape(gone[0])
    held = f", {_shown(shape)}," if shape is not None else ""
    return f"{edit.code(gone[0])}{held} is passed to {edit.code(old.func)}(…), {edit.line}"


def _axis(edit: _Edit) -> str:
    """Say along which axis a function works, and what it makes."""
    old, new = edit.old, edit.new
    numbers = [_number(one) for one in (old, new)]
    call = edit.trace.parents.get(old)
    word = call.arg if isinstance(call, ast.keyword) else None
    if isinstance(call, ast.keyword):
        call = edit.trace.parents.get(call)
    if None in numbers or not isinstance(call, ast.Call):
        return ""
    if word not in _AXIS_WORDS and (word is not None or callee_of(call) not in _OF_AXES):
        return ""
    shape = edit.trace.shape(call)
    makes = f" and makes {_shown(shape)}" if shape is not None else ""
    of = _operands(edit, call) if makes else ""
    name = callee_of(call)
    after = edit.makes()
    return f"{name} at {edit.line} works along axis {numbers[0]}{makes}{of}" + (f"; {after}" if after else "")


def _operands(edit: _Edit, call: ast.Call) -> str:
    """Write what the arrays are that a call joins or reads."""
    given: list[Any] = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    for one in call.args:
        given += one.elts if isinstance(one, ast.Tuple | ast.List) else [one]
    shapes = [shape for shape in map(edit.trace.shape, given) if shape is not None]
    if not shapes:
        return ""
    if len(shapes) > 2 and len(set(shapes)) == 1:
        return f" of {len(shapes)} times {_shown(shapes[0])}"
    return " of " + " and ".join(_shown(shape) for shape in shapes[:3])


def _size(edit: _Edit) -> str:
    """Say what a number is, and what else in the program is the number that takes its place."""
    named = _elsewhere(edit) or _naming(edit, edit.new)
    number = _number(edit.old)
    return f"{_place(edit)} is {number}{named}" if number is not None and named else ""


def _place(edit: _Edit) -> str:
    """Name the place of a number: its variable, its argument, or its line."""
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


def _elsewhere(edit: _Edit) -> str:
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


def _slot(edit: _Edit) -> tuple[ast.Call, str | int] | None:
    """Return the call that a part is an argument of, and its name or place there."""
    around = edit.trace.parents.get(edit.old)
    if isinstance(around, ast.keyword) and around.arg:
        call = edit.trace.parents.get(around)
        return (call, around.arg) if isinstance(call, ast.Call) else None
    if isinstance(around, ast.Call) and edit.old in around.args:
        return around, around.args.index(edit.old)
    return None


def _brothers(edit: _Edit, call: ast.Call, slot: str | int) -> Iterator[ast.expr]:
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


def _naming(edit: _Edit, node: Any) -> str:
    """Name what else in the program is a number: a name, a length, or the elements of an array."""
    value = _number(node)
    if value is None or abs(value) < _TELLING:
        return ""
    for rule in (_named, _long, _flat):
        said = rule(edit, value)
        if said:
            return f"; {said}"
    return ""


def _named(edit: _Edit, value: int) -> str:
    """Name a count, or a name that says the same as the place."""
    words = {*re.findall(r"[a-z]+", _place(edit).partition(", line")[0].lower())} - _COMMON
    for node, name in _titled(edit):
        alike = isinstance(node, ast.Call) or words & {*re.findall(r"[a-z]+", name.lower())}
        if alike and edit.trace.values(node)[-1:] == (value,):
            return f"{name} is {value}, line {node.lineno}"
    return ""


def _long(edit: _Edit, value: int) -> str:
    for node, name in _titled(edit):
        shape = edit.trace.shape(node)
        if shape and value in shape:
            return f"{name} is {_shown(shape)}, line {node.lineno}"
    return ""


def _flat(edit: _Edit, value: int) -> str:
    for node, name in _titled(edit):
        shape = edit.trace.shape(node)
        if shape is not None and len(shape) > 2 and prod(shape[1:]) == value:
            factors = "·".join(map(str, shape[1:]))
            return f"{factors} = {value} are the elements of {name}, {_shown(shape)}, line {node.lineno}"
    return ""


def _titled(edit: _Edit) -> Iterator[tuple[ast.expr, str]]:
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


def _wrapped(edit: _Edit) -> str:
    """Say what an expression lacks that has to be put into something."""
    old, new = edit.old, edit.new
    inner = ast.unparse(old)
    if inner == ast.unparse(new) or not isinstance(old, ast.expr):
        return ""
    holds = [one for one in ast.walk(new) if ast.unparse(one) == inner and isinstance(one, ast.expr)]
    shape = edit.trace.shape(old)
    if not holds or shape is None:
        return ""
    got = f"{edit.code(old)} is {_shown(shape)}, {edit.line}"
    if isinstance(new, ast.Subscript):
        return f"{got}: {_part(edit, shape, ast.unparse(new.slice))}"
    word = new.attr if isinstance(new, ast.Attribute) else callee_of(new)
    if "dtype" in _WRAPS.get(word, ""):
        got = f"{edit.code(old)} is of {edit.trace.dtype(old)}, {edit.line}"
    return f"{got}: {_WRAPS[word]}" if word in _WRAPS else ""


def _part(edit: _Edit, shape: tuple[int, ...], index: str) -> str:
    if "None" in index or "newaxis" in index:
        return "an axis is missing"
    if index in (":-1", "1:"):
        which = "last" if index == ":-1" else "first"
        return f"the {which} of the {shape[0]} does not belong to it"
    return f"[{index}] of it is what fits"


def _unwrapped(edit: _Edit) -> str:
    """Say what a call makes that is left out."""
    old, new = edit.old, edit.new
    inner = [one for one in ast.walk(old) if one is not old and ast.unparse(one) == ast.unparse(new)]
    if not inner or not isinstance(old, ast.Call | ast.Attribute | ast.Subscript):
        return ""
    shapes = [edit.trace.shape(one) for one in (inner[0], old)]
    if None in shapes or shapes[0] == shapes[1]:
        return ""
    made = " ".join((callee_of(old) or edit.code(old)).split())
    return f"{made} at {edit.line} makes {_shown(shapes[1])} of {_shown(shapes[0])}"


def _exchanged(edit: _Edit) -> str:
    """Say what an expression was, and what the one in its place is."""
    old, new = edit.old, edit.new
    if not isinstance(old, ast.expr) or not isinstance(new, ast.expr):
        return ""
    if _number(old) is not None or _holds(old, new) or _holds(new, old):
        return ""
    before, after = edit.worth(old), edit.worth(new)
    if before is None or before == after:
        return ""
    text = f"{edit.code(old)}{_given_to(edit)}, {edit.line}, is {_value(before)}"
    if after is not None and after != -1:
        return f"{text}; {edit.code(new)} is {_value(after)}"
    makes = edit.makes()
    return f"{text}; {makes}" if makes else text


def _holds(outer: ast.AST, inner: ast.AST) -> bool:
    """Tell whether an expression stands in another one."""
    text = ast.unparse(inner)
    return any(isinstance(one, ast.expr) and ast.unparse(one) == text for one in ast.walk(outer))


def _given_to(edit: _Edit) -> str:
    """Say for which argument of which call an expression is passed."""
    around = edit.trace.parents.get(edit.old)
    if isinstance(around, ast.keyword):
        call = edit.trace.parents.get(around)
        return f", {around.arg} of {edit.code(call.func)}(…)" if isinstance(call, ast.Call) else ""
    passed = isinstance(around, ast.Call) and edit.old in around.args
    return f" in {edit.code(around.func)}(…)" if passed and isinstance(around, ast.Call) else ""


def _value(value: Any) -> str:
    kind = value[0] if isinstance(value, tuple) and value and isinstance(value[0], str) else ""
    if kind == "sized":
        return f"{value[1]} long"
    return _shown(value[1]) if kind == "tensor" else str(value)


def _shown(shape: Any) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _number(node: Any) -> int | None:
    """Return a whole number that is written, with its sign."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    plain = isinstance(node, ast.Constant) and type(node.value) is int
    return sign * node.value if plain else None


_RULES: tuple[Callable[[_Edit], str], ...] = (
    _argument_added,
    _argument_left_out,
    _axis,
    _size,
    _wrapped,
    _unwrapped,
    _exchanged,
)
