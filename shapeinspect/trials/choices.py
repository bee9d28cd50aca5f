"""The words between which a program chooses, by what it compares them with."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shapeinspect.plugin_api.user_code.source import callee_of

#: A choice between more words than this is data.
_MOST = 8


def choices(tree: ast.Module) -> Mapping[str, tuple[str, ...]]:
    """Return the words that a program chooses between, each with the others of its choice.

    Such are the words that one expression is compared with, the keys of a dictionary from which an expression
    takes one, and the ``choices`` of an option.

    Args:
        tree: the program.

    Example:
        >>> text = 'n = 256 if kind == "byte" else 70 if kind == "pinyin" else {"a": 3, "b": 5}[split]'
        >>> choices(ast.parse(text))
        {'byte': ('pinyin',), 'pinyin': ('byte',), 'a': ('b',), 'b': ('a',)}
    """
    found: dict[str, tuple[str, ...]] = {}
    for group in _groups(tree):
        words = tuple(dict.fromkeys(group))
        if 2 <= len(words) <= _MOST:
            for word in words:
                others = (*found.get(word, ()), *(one for one in words if one != word))
                found[word] = tuple(dict.fromkeys(others))
    return found


def switches(tree: ast.Module) -> Mapping[str, tuple[int, ...]]:
    """Return the names that a program compares with whole numbers, and these numbers.

    Args:
        tree: the program.

    Example:
        >>> switches(ast.parse("rows = fine if self.partition == 1 else rough"))
        {'partition': (1,)}
    """
    found: dict[str, tuple[int, ...]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq):
            name = last_name(node.left)
            value = getattr(node.comparators[0], "value", None)
            if name and type(value) is int:
                found[name] = (*found.get(name, ()), value)
    return {name: tuple(dict.fromkeys(values)) for name, values in found.items()}


def chooses(parents: Mapping[ast.AST, ast.AST], node: ast.AST) -> bool:
    """Tell whether a word stands where the choice is made, and not where one of its words is given.

    Args:
        parents: the node around each node.
        node: the word.
    """
    around = parents.get(node)
    if isinstance(around, ast.Tuple | ast.List | ast.Set):
        around = parents.get(around)
    keyed = isinstance(around, ast.Dict) and node in around.keys
    listed = isinstance(around, ast.keyword) and around.arg == "choices"
    return keyed or listed or isinstance(around, ast.Compare | ast.MatchValue | ast.Subscript)


def _groups(tree: ast.Module) -> Iterator[list[str]]:
    yield from _compared(tree, tree, {})
    named = dict(tables(tree, (ast.Dict,)))
    for node in ast.walk(tree):
        table: Any = None
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant):
            table = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and callee_of(node) == "get":
            table = node.func.value if node.args and not isinstance(node.args[0], ast.Constant) else None
        elif isinstance(node, ast.keyword) and node.arg == "choices":
            yield _words(getattr(node.value, "elts", ()))
        elif isinstance(node, ast.Match):
            yield _words([getattr(one.pattern, "value", None) for one in node.cases])
        table = named.get(last_name(table), table)
        if isinstance(table, ast.Dict):
            yield _words(table.keys)


def _compared(
    tree: ast.AST, scope: ast.AST, found: dict[tuple[ast.AST, str], list[str]]
) -> Iterable[list[str]]:
    """Return the words that each expression of each function is compared with."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Compare) and len(node.comparators) == 1:
            other = node.comparators[0]
            words = _words(other.elts if isinstance(other, ast.Tuple | ast.List | ast.Set) else [other])
            if words and isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn):
                found.setdefault((scope, ast.unparse(node.left)), []).extend(words)
        _compared(node, node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else scope, found)
    return found.values()


def tables(tree: ast.Module, kinds: tuple[type[ast.expr], ...]) -> Iterator[tuple[str, ast.expr]]:
    """Yield what is written for a name or an attribute.

    Args:
        tree: the program.
        kinds: of which kinds.

    Example:
        >>> [name for name, _ in tables(ast.parse("self.widths = [3, 5]; n = 7"), (ast.List,))]
        ['widths']
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, kinds):
            yield from ((last_name(target), node.value) for target in node.targets if last_name(target))


def last_name(node: ast.AST | None) -> str:
    """Return a name or the last one of a chain of attributes; empty for anything else.

    Args:
        node: the expression.

    Example:
        >>> last_name(ast.parse("args.net.size", mode="eval").body)
        'size'
    """
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _words(nodes: Any) -> list[str]:
    """Return the texts among some expressions."""
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
