"""Edits of a program's source: other numbers where sizes are written, further arguments of calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, permutations, product
from typing import Any, TypeAlias

from shapeinspect.plugin_api.programs.failed import Program
from shapeinspect.plugin_api.suggestions import Replacement, Suggestion
from shapeinspect.plugin_api.user_code.source import callee_of, defaults_of

#: So many ways to change the numbers of one statement are suggested.
_WAYS = 6
#: Statements that are so many lines apart at most may belong together.
_NEAR = 3
#: What is written instead of expressions of the program's tree.
New: TypeAlias = "Mapping[ast.expr, str]"


#: The channels of gray and of colored pictures, without and with transparency.
_COLORS = frozenset({1, 3, 4})


def alters_colors(sizes: Sequence[tuple[int, int]]) -> str:
    """Return what is fed otherwise where other sizes are other colors, as a noun; empty where they are not.

    Args:
        sizes: each size that does not fit, and the one that does.

    Example:
        >>> alters_colors([(3, 1)]), alters_colors([(96, 160)])
        ('what is fed: pictures of 1 channel instead of 3', '')
    """
    for old, new in sizes:
        if {old, new} <= _COLORS:
            return f"what is fed: pictures of {new} {'channel' if new == 1 else 'channels'} instead of {old}"
    return ""


def suggestion(program: Program, new: New, rank: float, cause: str, why: str = "") -> Suggestion:
    """Suggest other texts for expressions.

    Args:
        program: the program.
        new: the expressions of its tree, and what is written instead.
        rank: as of the suggestion.
        cause: as of the suggestion.
        why: what is known then; by default where the first expression stands.
    """
    first = min(new, key=lambda node: (node.lineno, node.col_offset))
    line = program.text.split("\n")[first.lineno - 1].strip()
    told = why or f"{program.place(first.lineno)}  {_left_out(program, new) or line}"
    return Suggestion(program.file, replacements(program, new), rank, cause, told)


def _left_out(program: Program, new: New) -> str:
    """Say that a call leaves an argument at its default; empty where the edit is another one."""
    ((call, text),) = new.items() if len(new) == 1 else ((None, ""),)
    if not isinstance(call, ast.Call):
        return ""
    given = {word.arg for word in call.keywords}
    made = ast.parse(text, mode="eval").body
    added = [word.arg for word in getattr(made, "keywords", ()) if word.arg not in given]
    for function, owner in _functions(program.tree):
        name = owner if function.name == "__init__" else function.name
        default = defaults_of(function.args).get(added[0] or "") if len(added) == 1 else None
        if name == callee_of(call) and default is not None:
            return f"{added[0]} is not passed to {name}(…): it is {ast.unparse(default)} by default"
    return ""


def replacements(program: Program, new: New) -> tuple[Replacement, ...]:
    """Return the parts of the file that are replaced, in their order.

    Args:
        program: the program.
        new: the expressions of its tree, and what is written instead.
    """
    starts = [0]
    for line in program.text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return tuple(sorted((*_span(starts, node), text) for node, text in new.items()))


def _span(starts: Sequence[int], node: Any) -> tuple[int, int]:
    return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset


def resized(program: Program, sizes: Sequence[tuple[int, int]]) -> Iterator[dict[ast.expr, str]]:
    """Yield other numbers where the source writes sizes that do not fit.

    Args:
        program: the program.
        sizes: each size that does not fit, and the one that does.
    """
    ways = [*_of_statements(program, sizes)]
    if len(set(sizes)) == 1 < len(sizes):  # several axes, each of which may have a number of its own
        yield from _side_by_side(ways)
    yield from ways
    yield from _of_defaults(program, sizes)


def _of_statements(program: Program, sizes: Sequence[tuple[int, int]]) -> Iterator[dict[ast.expr, str]]:
    """Change all such numbers of one statement."""
    options: dict[int, list[int]] = {}
    for old, new in sizes:
        if new not in options.setdefault(old, []):
            options[old].append(new)
    for statement in ast.walk(program.tree):
        if not isinstance(statement, ast.stmt) or isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        found = [node for node in _own_constants(statement) if node.value in options]
        if not found or len(found) > 4:
            continue
        seen: list[list[int]] = []
        for way in _ways(found, options, sizes):
            if way not in seen and len(seen) < _WAYS:
                seen.append(way)
                pairs = zip(found, way, strict=True)
                nodes: dict[ast.expr, str] = {node: str(new) for node, new in pairs if new != node.value}
                if nodes:
                    yield nodes


def _side_by_side(ways: Sequence[dict[ast.expr, str]]) -> Iterator[dict[ast.expr, str]]:
    """Yield single changes of neighboring statements together, such as a height and a width."""
    single = [way for way in ways if len(way) == 1]
    for one, other in pairwise(sorted(single, key=lambda way: next(iter(way)).lineno)):
        a, b = next(iter(one)), next(iter(other))
        if 0 < b.lineno - a.lineno <= _NEAR:
            yield {**one, **other}


def _ways(
    found: Sequence[ast.Constant], options: Mapping[int, list[int]], sizes: Sequence[tuple[int, int]]
) -> Iterator[list[int]]:
    """Yield new numbers for those that are found: the same for the same, one for each axis, one alone."""
    for values in product(*options.values()):
        one = dict(zip(options, values, strict=True))
        yield [one[_number(node)] for node in found]
    if len(found) == len(sizes) > 1:
        for order in permutations(sizes):
            if all(old == node.value for (old, _), node in zip(order, found, strict=True)):
                yield [new for _, new in order]
    for alone in found if len(found) > 1 else ():
        for new in options[_number(alone)]:
            yield [new if node is alone else _number(node) for node in found]


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


def _number(node: ast.Constant) -> int:
    return node.value if isinstance(node.value, int) else 0


def _of_defaults(program: Program, sizes: Sequence[tuple[int, int]]) -> Iterator[dict[ast.expr, str]]:
    """Give an argument where a default of a function is the number, or a row of such numbers."""
    wanted = {old: new for old, new in sizes if old != new}
    for function, owner in _functions(program.tree):
        arguments = function.args.args
        given = arguments[len(arguments) - len(function.args.defaults) :]
        for argument, default in zip(given, function.args.defaults, strict=True):
            text = ast.unparse(_Renumbered(wanted).visit(ast.parse(ast.unparse(default), mode="eval")))
            name = owner if function.name == "__init__" else function.name
            calls = [
                one for one in ast.walk(program.tree) if isinstance(one, ast.Call) and callee_of(one) == name
            ]
            for new in dict.fromkeys((*_rows(default, sizes), text)):
                for call in calls if new != ast.unparse(default) else ():
                    nodes = with_argument(program, call, argument.arg, new)
                    if nodes:
                        yield nodes


def _rows(default: ast.expr, sizes: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Write a row of the numbers that do not fit, such as a height and a width, with those that do."""
    if isinstance(default, ast.Tuple | ast.List) and len(sizes) > 1:
        has = [getattr(one, "value", None) for one in default.elts]
        for order in (sizes, [*sizes][::-1]):
            if has == [old for old, _ in order]:
                row = ", ".join(str(new) for _, new in order)
                yield f"({row})" if isinstance(default, ast.Tuple) else f"[{row}]"


class _Renumbered(ast.NodeTransformer):
    """Puts other numbers in the place of those that do not fit."""

    def __init__(self, wanted: Mapping[int, int]) -> None:
        self._wanted = wanted

    def visit_Constant(self, node: ast.Constant) -> ast.AST:  # the name that ast asks for
        plain = type(node.value) is int and node.value in self._wanted
        return ast.Constant(self._wanted[_number(node)]) if plain else node


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, str]]:
    for node in ast.walk(tree):
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.FunctionDef):
                yield part, node.name if isinstance(node, ast.ClassDef) else ""


def with_argument(program: Program, call: ast.Call, name: str, value: str) -> dict[ast.expr, str]:
    """Give a call one more argument by name; nothing where it has it.

    Args:
        program: the program.
        call: the call.
        name: the argument.
        value: what is written for it.
    """
    if any(keyword.arg in (name, None) for keyword in call.keywords):
        return {}
    old = ast.get_source_segment(program.text, call) or ""
    inner = old.rstrip()[:-1].rstrip().rstrip(",")
    return {call: f"{inner}{'' if inner.endswith('(') else ', '}{name}={value})"}
