"""What a change gives up: a branch, a mark of what is left out, data, samples, the order of arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.user_code.source import callee_of, given_names
from shapeinspect.trials.source_file import MAKERS, Edit, File

#: No axis and no step is as small as a number that marks entries.
_MARK = -10
#: A list of so many numbers is data; that of widths or of sizes is shorter.
_LISTED = 7
#: An argument with which a loader leaves out an incomplete batch.
DROPPING = re.compile(r"\bdrop_\w+\s*=\s*True")
#: A smaller number than this counts layers, or steps.
_LENGTH = 8
#: Names of numbers that are no lengths.
_COUNTS = re.compile(
    r"group|head|stride|dilation|layer|step|epoch|factor|scale|patience|n_|num", re.IGNORECASE
)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)


def given_up(file: File, edits: Sequence[Edit], node: Any) -> str:
    """Return what edits give up of what a program does, as a noun; empty for nothing that can be told.

    Args:
        file: the file.
        edits: the parts that are replaced.
        node: the smallest expression or statement around them.
    """
    if len(edits) == 2 and isinstance(node, ast.Call):
        return _order(file, edits, node)
    if len(edits) != 1:
        return ""
    parts = (part for part in ast.walk(node) if isinstance(part, ast.expr))
    one = next((part for part in parts if _is(file, part, edits[0])), None)
    for part, new in _changed(one, edits[0].new) if one is not None else ():
        said = (
            _branch(file, part, new) or _mark(file, part, new) or _one(file, part, new) or _data(file, part)
        )
        if said:
            return said
    return _samples(file, edits[0], node)


def _changed(node: ast.expr, new: str) -> list[tuple[ast.expr, str]]:
    """Return the numbers and truth values that differ where an expression is written anew, else all of it."""
    try:
        other = ast.parse(new.strip(), mode="eval").body
    except SyntaxError:
        return [(node, new)]
    pairs = [*zip(ast.walk(node), ast.walk(other), strict=False)]
    alike = all(type(a) is type(b) for a, b in pairs) and ast.dump(_blank(node)) == ast.dump(_blank(other))
    found = [
        (a, str(b.value))
        for a, b in pairs
        if isinstance(a, ast.Constant) and isinstance(b, ast.Constant) and a.value != b.value
    ]
    return [*found] if alike and found else [(node, new)]


def _blank(node: ast.expr) -> ast.expr:
    """Return an expression with nothing in the place of its constants."""
    blank: ast.expr = ast.parse(ast.unparse(node), mode="eval").body
    for one in ast.walk(blank):
        if isinstance(one, ast.Constant):
            one.value = None
    return blank


def _is(file: File, node: ast.expr, edit: Edit) -> bool:
    return file.span(node) == (edit.first, edit.last)


def _branch(file: File, node: ast.expr, new: str) -> str:
    """Say that a branch of the program is not taken any more, which the script asks for."""
    if not isinstance(node, ast.Constant) or node.value is not True or new != "False":
        return ""
    names = given_names(node, file.parents) or file.parameters(node)
    for test in _tests(file):
        for part in ast.walk(test):
            if {*_named(part)} & {*names}:
                return f"what is done: {names[0]} is given up"
    return ""


def _tests(file: File) -> Iterator[ast.expr]:
    for node in file.parents:
        if isinstance(node, ast.If | ast.IfExp):
            yield node.test


def _named(node: ast.AST) -> Iterator[str]:
    """Yield the name, the attribute or the key that a node reads."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        yield str(node.slice.value)


def _mark(file: File, node: ast.expr, new: str) -> str:
    """Say that a number that marks entries becomes another one."""
    signed = file.parents.get(node)
    whole = signed if isinstance(signed, ast.UnaryOp) and isinstance(signed.op, ast.USub) else node
    old = _number(whole)
    if old is None or old > _MARK or isinstance(file.parents.get(whole), ast.Slice):
        return ""
    return f"what marks entries that are left out: {old}" if re.fullmatch(r"-?\d+", new) else ""


def _one(file: File, node: ast.expr, new: str) -> str:
    """Say that a length becomes 1, which fits beside any other."""
    old = _number(node)
    names = [*given_names(node, file.parents), *file.parameters(node)]
    if new != "1" or old is None or old < _LENGTH or not names:
        return ""
    return "" if any(_COUNTS.search(name) for name in names) else f"a length to 1: {names[0]}"


def _number(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if type(value) is int else None


def _data(file: File, node: ast.expr) -> str:
    """Say that there is more or less data, or another number in it."""
    outer = file.parents.get(node)
    if _number(node) is None:
        return ""
    listed = outer.elts if isinstance(outer, ast.List | ast.Tuple) else []
    if len(listed) >= _LISTED and all(_number(one) is not None for one in listed):
        return "what is fed: one of the numbers in a list of data"
    for function, name in _parameters(file, node):
        if _counts_data(function, name):
            owner = file.parents.get(function)
            return f"how much data {owner.name if isinstance(owner, ast.ClassDef) else function.name} makes"
    return ""


def _parameters(file: File, node: ast.expr) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Yield the functions outside of networks that a number is given to, each with the parameter."""
    outer = file.parents.get(node)
    if isinstance(outer, ast.arguments):
        function = file.parents.get(outer)
        if isinstance(function, ast.FunctionDef) and not file.is_in_class(function):
            yield from ((function, name) for name in given_names(node, file.parents))
        return
    passed: list[ast.AST] = [node]
    if isinstance(outer, ast.Tuple):
        passed += _unpacked(file, outer, outer.elts.index(node))
    for one in passed:
        place = file.parents.get(one)
        call = file.parents.get(place) if isinstance(place, ast.keyword) else place
        function = _called(file, call) if isinstance(call, ast.Call) else None
        if function is not None:
            names = [place.arg] if isinstance(place, ast.keyword) else file.parameters(one)
            yield from ((function, name) for name in names if name)


def _called(file: File, call: ast.Call) -> ast.FunctionDef | None:
    """Return the function that a call runs, or what makes a data set; None for a network and others."""
    name = callee_of(call)
    function = file.functions.get(name)
    if function is not None:
        return None if file.is_in_class(function) else function
    for owner in file.tree.body:
        if isinstance(owner, ast.ClassDef) and owner.name == name:
            methods = {one.name: one for one in owner.body if isinstance(one, ast.FunctionDef)}
            return methods.get("__init__") if "__getitem__" in methods else None
    return None


def _unpacked(file: File, row: ast.Tuple, place: int) -> Iterator[ast.AST]:
    """Yield where the entries of rows are read that a loop takes apart into names."""
    rows = file.parents.get(row)
    around = file.parents.get(rows) if isinstance(rows, ast.Tuple | ast.List) else None
    loop: Any = file.parents.get(around) if isinstance(around, ast.comprehension) else around
    target = getattr(around, "target", None)
    if not isinstance(loop, (*_COMPREHENSIONS, ast.For)) or not isinstance(target, ast.Tuple):
        return
    name = target.elts[place] if place < len(target.elts) else None
    for one in ast.walk(loop):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load) and one.id == getattr(name, "id", ""):
            yield one


def _counts_data(function: ast.FunctionDef, name: str) -> bool:
    """Tell whether a parameter says how many numbers a function draws or makes, or how often."""
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or callee_of(node) not in MAKERS:
            continue
        for shape in (*node.args, *(word.value for word in node.keywords)):
            first = shape.elts[:1] if isinstance(shape, ast.Tuple | ast.List) else [shape]
            if any(isinstance(one, ast.Name) and one.id == name for one in first):
                return True
    return False


def _order(file: File, edits: Sequence[Edit], call: ast.Call) -> str:
    """Say that two arguments are exchanged of which one has the name of its parameter."""
    olds = [file.raw[edit.first : edit.last].decode() for edit in edits]
    if olds != [edit.new for edit in edits][::-1]:
        return ""
    for one in call.args:
        for edit, old in zip(edits, olds, strict=True):
            names = file.parameters(one) if _is(file, one, edit) else []
            if names and _last(old) == names[0]:
                return f"which argument is which: {edit.new} is given for {names[0]}"
    return ""


def _last(text: str) -> str:
    """Return the last name or key of an expression."""
    found = re.findall(r"\w+", text)
    return found[-1] if found else ""


def _samples(file: File, edit: Edit, node: Any) -> str:
    """Say that an evaluation leaves out the samples of an incomplete batch."""
    old = file.raw[edit.first : edit.last].decode()
    if not DROPPING.search(edit.new) or DROPPING.search(old):
        return ""
    while node is not None and not isinstance(node, ast.Call):
        node = file.parents.get(node)
    words = {word.arg: word.value for word in node.keywords} if node is not None else {}
    shuffled = getattr(words.get("shuffle"), "value", False) is True or "sampler" in words
    return "" if shuffled else "what is read: the samples of an incomplete last batch are left out"
