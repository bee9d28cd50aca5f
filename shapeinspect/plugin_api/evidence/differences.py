"""Where two versions of a file differ: pairs of expressions, as small as they can be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, TypeAlias

from shapeinspect.plugin_api.programs.span import tree_of

#: An expression or statement, and what stands in its place.
Pair: TypeAlias = "tuple[ast.AST, ast.AST]"


def differences(before: str, after: str) -> list[Pair]:
    """Return the smallest parts in which two versions of a file differ, with what they have become.

    The parts are nodes of :func:`tree_of`'s trees, which a trace reads, too.

    A call that is given one more argument is such a part as a whole, and so is an expression that is wrapped,
    or computed with another operator.

    Args:
        before: one version.
        after: the other one.

    Example:
        >>> [(ast.unparse(a), ast.unparse(b)) for a, b in differences("y = f(x, 3)", "y = f(x, 5)")]
        [('3', '5')]
        >>> [(ast.unparse(a), ast.unparse(b)) for a, b in differences("y = f(x) + 1", "y = f(x, dim=1) + 1")]
        [('f(x)', 'f(x, dim=1)')]
        >>> [(ast.unparse(a), ast.unparse(b)) for a, b in differences("y = 3 * n", "y = 3 * n + 1")]
        [('3 * n', '3 * n + 1')]
    """
    try:
        return [*_differing(tree_of(before), tree_of(after))]
    except SyntaxError:
        return []


def _differing(old: Any, new: Any) -> Iterator[Pair]:
    if type(old) is not type(new):
        yield old, new
        return
    found: list[Pair] = []
    for name in old._fields:
        first, second = getattr(old, name, None), getattr(new, name, None)
        if name == "ctx":
            continue
        if isinstance(first, list) and isinstance(second, list):
            if len(first) != len(second):
                yield old, new
                return
            for a, b in zip(first, second, strict=True):
                if isinstance(a, ast.AST):
                    found += _differing(a, b)
                elif a != b:
                    yield old, new
                    return
        elif isinstance(first, ast.AST) and isinstance(second, ast.AST):
            if type(first) is not type(second) and not hasattr(first, "lineno"):  # another operator
                yield old, new
                return
            found += _differing(first, second)
        elif first != second:
            yield old, new
            return
    yield from found
