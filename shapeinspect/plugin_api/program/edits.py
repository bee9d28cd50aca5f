"""Edits of a program's source: what is written instead of what, and the file with it."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

from shapeinspect.plugin_api.program.replay import Program

#: A longer text is less clear than the call or the expression inside it.
_LONGEST = 110
#: So many ways to change the numbers of one statement are tried.
_WAYS = 6


@dataclass(frozen=True)
class SourceEdit:
    """One edit of a file.

    Args:
        text: ``new instead of old``.
        line: where it is.
        tree: the file with the edit; every line keeps its number.
        old: the text that is replaced.
    """

    text: str
    line: int
    tree: ast.Module
    old: str


def changed(program: Program, nodes: Mapping[ast.expr, str]) -> SourceEdit | None:
    """Return the edit that replaces expressions of one statement by others.

    Args:
        program: the program.
        nodes: the expressions of its tree, and what is written instead.
    """
    first = min(nodes, key=lambda node: (node.lineno, node.col_offset))
    holder = _holder(program, [*nodes])
    if holder is None:
        return None
    old = ast.get_source_segment(program.text, holder) or ""
    new = _spliced(program.text, holder, nodes)
    tree = _replaced(program.tree, nodes)
    if tree is None or not old:
        return None
    return SourceEdit(f"{_line(new)} instead of {_line(old)}", first.lineno, tree, _line(old))


def _line(text: str) -> str:
    return " ".join(text.split())


def _holder(program: Program, nodes: Sequence[ast.expr]) -> ast.AST | None:
    """Return the smallest statement around expressions, or where it is long, the smallest call or value."""
    wanted = set(map(id, nodes))
    around = [
        node
        for node in ast.walk(program.tree)
        if isinstance(node, ast.stmt | ast.expr) and wanted <= {id(part) for part in ast.walk(node)}
    ]
    around.sort(key=lambda node: sum(1 for _ in ast.walk(node)))
    simple = [node for node in around if isinstance(node, ast.stmt) and not hasattr(node, "body")]
    texts = {id(node): ast.get_source_segment(program.text, node) or "" for node in around}
    if simple and len(texts[id(simple[0])]) <= _LONGEST:
        return simple[0]
    calls = [node for node in around if isinstance(node, ast.Call) and len(texts[id(node)]) <= _LONGEST]
    plain = [node for node in around if not isinstance(node, ast.Constant | ast.Name)]
    return next(iter((*reversed(calls), *plain)), None)


def _spliced(text: str, holder: Any, nodes: Mapping[ast.expr, str]) -> str:
    """Return the text of a node with expressions inside it replaced."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))

    def span(node: Any) -> tuple[int, int]:
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    raw, (begin, end) = text.encode(), span(holder)
    for node, new in sorted(nodes.items(), key=lambda pair: -span(pair[0])[0]):
        a, b = span(node)
        raw, end = raw[:a] + new.encode() + raw[b:], end + len(new.encode()) - (b - a)
    return raw[begin:end].decode()


def _replaced(tree: ast.Module, nodes: Mapping[ast.expr, str]) -> ast.Module | None:
    """Return a copy of a tree with expressions replaced; each keeps its place in the file."""
    try:
        new = {id(node): ast.parse(text.strip(), mode="eval").body for node, text in nodes.items()}
    except SyntaxError:
        return None
    memo: dict[int, Any] = {}
    for node in nodes:
        stand_in = new[id(node)]
        for part in ast.walk(stand_in):
            if isinstance(part, ast.expr | ast.keyword | ast.comprehension):
                ast.copy_location(part, node)
        memo[id(node)] = stand_in
    result = copy.deepcopy(tree, memo)
    return ast.fix_missing_locations(result)


def constants(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield the whole numbers of a source.

    Args:
        tree: the source.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            yield node


def _number(node: ast.Constant) -> int:
    return node.value if isinstance(node.value, int) else 0


def resized(program: Program, sizes: Sequence[tuple[int, int]]) -> Iterator[SourceEdit]:
    """Yield the edits that write other sizes where the source has those that do not fit.

    Args:
        program: the program.
        sizes: each size that does not fit, and the one that does.
    """
    wanted = {old: new for old, new in sizes if old != new}
    yield from _of_statements(program, sizes)
    yield from _of_defaults(program, wanted)


def _of_statements(program: Program, sizes: Sequence[tuple[int, int]]) -> Iterator[SourceEdit]:
    """Change all such numbers of one statement."""
    options: dict[int, list[int]] = {}
    for old, new in sizes:
        if new not in options.setdefault(old, []):
            options[old].append(new)
    for statement in _outermost(program.tree):
        found = [node for node in _own_constants(statement) if node.value in options]
        if not found or len(found) > 4:
            continue
        same = [dict(zip(options, values, strict=True)) for values in product(*options.values())]
        ways = [[one[_number(node)] for node in found] for one in same]
        if len(found) == len(sizes) > 1:
            ways += [
                [new for _, new in order]
                for order in permutations(sizes)
                if all(old == node.value for (old, _), node in zip(order, found, strict=True))
            ]
        ways += [
            [new if node is one else _number(node) for node in found]
            for one in (found if len(found) > 1 else ())
            for new in options[_number(one)]
        ]
        seen: list[list[int]] = []
        for way in ways:
            if way not in seen and len(seen) < _WAYS:
                seen.append(way)
                nodes: dict[ast.expr, str] = {
                    node: str(new) for node, new in zip(found, way, strict=True) if new != node.value
                }
                edit = changed(program, nodes) if nodes else None
                if edit is not None:
                    yield edit


def _outermost(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def _own_constants(statement: ast.stmt) -> list[ast.Constant]:
    """Return the whole numbers of a statement, without those of the statements inside it and of defaults."""
    found: list[ast.Constant] = []
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Constant) and type(node.value) is int:
            found.append(node)
        todo += [
            part for part in ast.iter_child_nodes(node) if not isinstance(part, ast.stmt | ast.arguments)
        ]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _of_defaults(program: Program, wanted: Mapping[int, int]) -> Iterator[SourceEdit]:
    """Give an argument where a default of a function is the number."""
    for function, owner in _functions(program.tree):
        arguments = function.args.args
        for argument, default in zip(arguments[len(arguments) - len(function.args.defaults) :],
                                     function.args.defaults, strict=True):  # fmt: skip
            values = [node for node in ast.walk(default) if isinstance(node, ast.Constant)]
            if not any(type(node.value) is int and node.value in wanted for node in values):
                continue
            text = _renumbered(program, default, wanted)
            name = owner if function.name == "__init__" else function.name
            for call in ast.walk(program.tree):
                if isinstance(call, ast.Call) and _last(call.func) == name:
                    edit = with_argument(program, call, argument.arg, text)
                    if edit is not None:
                        yield edit


def _renumbered(program: Program, node: ast.expr, wanted: Mapping[int, int]) -> str:
    nodes: dict[ast.expr, str] = {
        part: str(wanted[_number(part)]) for part in constants(node) if part.value in wanted
    }
    return _spliced(program.text, node, nodes)


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, str]]:
    for node in ast.walk(tree):
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.FunctionDef):
                yield part, node.name if isinstance(node, ast.ClassDef) else ""


def _last(function: ast.expr) -> str:
    return str(getattr(function, "attr", getattr(function, "id", "")))


def with_argument(program: Program, call: ast.Call, name: str, value: str) -> SourceEdit | None:
    """Return the edit that gives a call one more argument by name; None where it has it.

    Args:
        program: the program.
        call: the call.
        name: the argument.
        value: what is written for it.
    """
    if any(keyword.arg in (name, None) for keyword in call.keywords):
        return None
    old = ast.get_source_segment(program.text, call) or ""
    inner = old.rstrip()[:-1].rstrip().rstrip(",")
    new = f"{inner}{'' if inner.endswith('(') else ', '}{name}={value})"
    return changed(program, {call: new})
