"""Places in a module's code where an export turns a length into a number, and what to write instead."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.programs.failed import Program
from shapeinspect.plugin_api.user_code.source import callee_of

#: Functions and methods whose arguments are lengths.
_LENGTHS = frozenset((
    "arange", "broadcast_to", "empty", "expand", "full", "interpolate", "linspace", "ones", "rand", "randn",
    "repeat", "reshape", "tile", "view", "zeros",
))  # fmt: skip


def unfixed(program: Program, sizes: Sequence[int]) -> Iterator[dict[ast.expr, str]]:
    """Yield edits that keep a length as what it is, the length of a tensor: what is written instead of what.

    Args:
        program: the program, with the code of the module.
        sizes: the lengths that may stand there as numbers.
    """
    methods = [*_methods(program.tree)]
    made = [new for function in methods for new in _made_numbers(function)]
    if len(made) > 1:
        yield _apart(made)
    yield from made
    for function in methods:
        yield from _constant_names(function)
        yield from _written_numbers(function, sizes)


def _apart(made: Sequence[dict[ast.expr, str]]) -> dict[ast.expr, str]:
    """Return all edits as one, of two that overlap the outer one."""
    found: dict[ast.expr, str] = {}
    inside: set[int] = set()
    for new in made:
        for node, text in new.items():
            if id(node) not in inside:
                found[node] = text
                inside |= {id(part) for part in ast.walk(node)}
    return found


def _constant_names(function: ast.FunctionDef) -> Iterator[dict[ast.expr, str]]:
    """Find a number that takes the place of a length: ``bs = 1`` after ``bs, c, h, w = x.shape``."""
    lengths: dict[str, str] = {}
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            continue
        target, value = node.targets[0], ast.unparse(node.value)
        if isinstance(target, ast.Tuple) and value.endswith((".shape", ".size()")):
            tensor = value.removesuffix(".shape").removesuffix(".size()")
            lengths |= {ast.unparse(part): f"{tensor}.shape[{n}]" for n, part in enumerate(target.elts)}
        elif isinstance(target, ast.Name) and target.id in lengths and _is_number(node.value):
            yield {node.value: lengths[target.id]}


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _methods(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Yield the methods of the user's modules, but for those that make them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            own = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            if any(part.name == "forward" for part in own):
                yield from (part for part in own if part.name != "__init__")


def _made_numbers(function: ast.FunctionDef) -> Iterator[dict[ast.expr, str]]:
    """Find ``int(x.shape[1])``, ``(int(s) for s in x.shape)``, ``len(x)``, ``x.data`` and their like."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and node.attr == "data" and not _is_own(node.value):
            yield {node: ast.unparse(node.value)}  # an export takes it for a constant
        if isinstance(node, ast.GeneratorExp | ast.ListComp) and _is_int_of_each(node):
            yield {node: ast.unparse(node.generators[0].iter)}
        if not isinstance(node, ast.Call):
            continue
        name, first = getattr(node.func, "id", ""), node.args[0] if node.args else None
        if name == "int" and first is not None and _reads_shape(first) and not _is_float(first):
            yield {node: ast.unparse(first)}
        elif name == "map" and len(node.args) == 2 and ast.unparse(node.args[0]) == "int":
            yield {node: ast.unparse(node.args[1])}
        elif name == "len" and first is not None:
            yield {node: f"{ast.unparse(first)}.shape[0]"}
        elif getattr(node.func, "attr", "") == "item" and _reads_shape(node):
            yield {node: ast.unparse(node.func.value)}  # type: ignore[attr-defined]  # a method


def _is_own(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _is_int_of_each(node: Any) -> bool:
    element, source = node.elt, node.generators[0].iter
    return (
        len(node.generators) == 1
        and isinstance(element, ast.Call)
        and ast.unparse(element.func) == "int"
        and _reads_shape(source)
    )


def _is_float(node: ast.expr) -> bool:
    return any(
        isinstance(part, ast.Div) or (isinstance(part, ast.Constant) and isinstance(part.value, float))
        for part in ast.walk(node)
    )


def _reads_shape(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr in ("shape", "size") for part in ast.walk(node))


def _written_numbers(function: ast.FunctionDef, sizes: Sequence[int]) -> Iterator[dict[ast.expr, str]]:
    """Find numbers, and attributes that hold them, where a length is asked for."""
    tensors = [argument.arg for argument in function.args.args if argument.arg != "self"]
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = callee_of(node)
            if name in _LENGTHS:
                yield from _in_call(node, tensors, sizes)
        elif isinstance(node, ast.Slice) and node.upper is not None and _may_be(node.upper, sizes):
            for tensor in tensors[:1]:
                for axis in (1, 0, 2):
                    yield {node.upper: f"{tensor}.shape[{axis}]"}


def _in_call(call: ast.Call, tensors: Sequence[str], sizes: Sequence[int]) -> Iterator[dict[ast.expr, str]]:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    own = ast.unparse(owner) if isinstance(owner, ast.Name) and owner.id not in ("torch", "F") else ""
    flat: list[ast.expr] = []
    for argument in (*call.args, *(word.value for word in call.keywords)):
        flat += argument.elts if isinstance(argument, ast.Tuple | ast.List) else [argument]
    names = list(dict.fromkeys((*([own] if own else []), *tensors[:1])))
    shaped = getattr(call.func, "attr", "") in ("view", "reshape")
    for position, argument in enumerate(flat):
        if not _may_be(argument, sizes):
            continue
        free = not any(ast.unparse(other) == "-1" for other in flat)
        if shaped and free:
            yield {argument: "-1"}
        for axis in dict.fromkeys((position, 0, 1)):
            for name in names:
                yield {argument: f"{name}.shape[{axis}]"}


def _may_be(node: ast.expr, sizes: Sequence[int]) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) is int and node.value in sizes
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
