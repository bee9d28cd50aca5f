"""Entries of a table that a program takes by their place or key, and those that have the wanted size."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shapeinspect.plugin_api.user_code.source import arguments_in, callee_of, given_names
from shapeinspect.trials.alterations import altered
from shapeinspect.trials.candidates import Candidate
from shapeinspect.trials.choices import last_name, tables
from shapeinspect.trials.source_file import Edit, File

#: A longer table is called by its name.
_LONGEST = 40
#: Through so many functions at most an argument is handed on.
_HANDED_ON = 3
#: How far one stands behind the one before it.
_BEHIND = 0.01


@dataclass(frozen=True, slots=True)
class Row:
    """A row or table that a program writes, and takes one entry of.

    Args:
        entries: the whole numbers of each entry, by its place or key.
        code: the row, as it is written.
        line: where an entry is taken.
        by: what says which one.
    """

    entries: Mapping[Any, tuple[int, ...]] = field(hash=False)
    code: str
    line: int
    by: str

    def wanted(self, taken: Any, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[Any, str]]:
        """Yield the places at which a size stands that is wanted instead of one at the place that is taken.

        Args:
            taken: the place or key that is taken.
            pairs: sizes that differ, the one that is there and the one that is wanted.

        Returns: each place or key, and what stands there, in words.

        Example:
            >>> row = Row({0: (16,), 1: (22,), 2: (28,)}, "[16, 22, 28]", 3, "size")
            >>> [*row.wanted(0, [(16, 28)])]
            [(2, 'size = 0 takes 16 of [16, 22, 28], line 3; 28 stands at 2')]
        """
        for had, size in pairs:
            for other, entry in self.entries.items():
                if other != taken and had in self.entries.get(taken, ()) and size in entry:
                    what = f"{self.by} = {taken!r} takes {had} of {self.code}, line {self.line}"
                    yield other, f"{what}; {size} stands at {other!r}"


#: A name and the function that it stands in, or the class that this makes; of an attribute it is empty.
Place: TypeAlias = tuple[str, str]


def rows(tree: ast.Module) -> Mapping[Place, tuple[Row, ...]]:
    """Return the rows and tables that one entry is taken of, by what says which one.

    Such is the name in the index, and each that is passed on to it as an argument.

    Args:
        tree: the program.

    Example:
        >>> text = 'WIDTHS = {"s": 16, "l": dict(width=28)}; net(WIDTHS[kind], [3, 5][args.size])'
        >>> {name: dict(row.entries) for name, (row,) in rows(ast.parse(text)).items()}
        {('', 'kind'): {'s': (16,), 'l': (28,)}, ('', 'size'): {0: (3,), 1: (5,)}}
    """
    written = dict(tables(tree, (ast.List, ast.Tuple, ast.Dict)))
    known = dict(arguments_in(tree))
    found: dict[Place, tuple[Row, ...]] = {}
    calls: list[tuple[str, ast.Call]] = []
    for node, owner in _with_owners(tree, ""):
        if isinstance(node, ast.Call):
            calls.append((owner, node))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            place, table = _place(owner, node.slice, known), written.get(last_name(node.value), node.value)
            entries = {key: tuple(_integers(entry)) for key, entry in _entries(table)}
            if place[1] and len(entries) > 1:
                codes = (ast.unparse(table), ast.unparse(node.value), "a table")
                code = next(code for code in codes if len(code) <= _LONGEST)
                row = Row(entries, code, node.lineno, ast.unparse(node.slice))
                found[place] = (*found.get(place, ()), row)
    for _ in range(_HANDED_ON):
        for owner, call in calls:
            for name, value in passed(call, known):
                given, place = _place(owner, value, known), (callee_of(call), name)
                if given[1] and place in found:
                    found[given] = tuple(dict.fromkeys((*found.get(given, ()), *found[place])))
    return found


def other_rows(files: Sequence[File], pairs: Iterable[tuple[int, int]]) -> Iterator[Candidate]:
    r"""Yield the changes with which a table's entry of the wanted size is taken, and what is known then.

    Args:
        files: the user's files.
        pairs: sizes that differ, the one that is there and the one that is wanted.

    Example:
        >>> file = File.parsed("net.py", "def net(size):\n    return [16, 22, 28][size]\nnet(0)\n")
        >>> [(one.edits[0].new, one.why) for one in other_rows([file], [(16, 28)])]
        [('2', 'size = 0 takes 16 of [16, 22, 28], line 2; 28 stands at 2')]
    """
    found: list[tuple[File, ast.Constant, Any, str]] = []
    for file in files:
        known = rows(file.tree)
        for node, owner in _with_owners(file.tree, "") if known else ():
            if not isinstance(node, ast.Constant) or type(node.value) not in (int, str):
                continue
            for place in _given(file, node, owner):
                for row in known.get(place, ()):
                    found += ((file, node, other, why) for other, why in row.wanted(node.value, pairs))
    for at, (file, node, other, why) in enumerate(found):
        for edit, around in _edits(file, node, other):
            # it says which entry is taken: it is no size that may fit by chance
            alters = altered(file, (edit,), around)
            yield Candidate((edit,), _BEHIND * at, around, file.path, alters=alters, why=why)


def _edits(file: File, node: ast.Constant, other: Any) -> Iterator[tuple[Edit, ast.expr]]:
    """Yield the edits that give another value: at the calls that leave a default, or where it stands."""
    source = file.source(node)
    quoted = source.replace(str(node.value), other) if isinstance(other, str) else repr(other)
    calls = file.left(node) if isinstance(file.parents.get(node), ast.arguments) else []
    for call, name in calls:
        yield file.edit(call, file.extended(call, f"{name}={quoted}")), call
    if not calls:
        yield file.edit(node, quoted), node


def passed(call: ast.Call, known: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, ast.expr]]:
    """Yield the arguments of a call with the names that they have in the function.

    Args:
        call: the call.
        known: the names of the arguments that each function takes by place.

    Example:
        >>> call = ast.parse("net(3, width=5)", mode="eval").body
        >>> [(name, value.value) for name, value in passed(call, {"net": ("depth", "width")})]
        [('depth', 3), ('width', 5)]
    """
    yield from zip(known.get(callee_of(call), ()), call.args, strict=False)
    yield from ((word.arg, word.value) for word in call.keywords if word.arg)


def _with_owners(node: ast.AST, owner: str) -> Iterator[tuple[ast.AST, str]]:
    """Yield what is written, each with the function that it stands in, or the class that this makes."""
    for one in ast.iter_child_nodes(node):
        inner = owner
        if isinstance(one, ast.FunctionDef):
            builds = isinstance(node, ast.ClassDef) and one.name == "__init__"
            inner = node.name if isinstance(node, ast.ClassDef) and builds else one.name
        yield one, inner
        yield from _with_owners(one, inner)


def _place(owner: str, node: ast.expr, known: Mapping[str, tuple[str, ...]]) -> Place:
    name = last_name(node)
    return (owner if isinstance(node, ast.Name) and name in known.get(owner, ()) else ""), name


def _entries(table: ast.expr) -> Iterator[tuple[Any, ast.expr]]:
    """Yield the entries of what is written as a row or table, by their places or keys."""
    if isinstance(table, ast.List | ast.Tuple):
        yield from enumerate(table.elts)
    elif isinstance(table, ast.Dict):
        for key, entry in zip(table.keys, table.values, strict=True):
            if isinstance(key, ast.Constant):
                yield key.value, entry


def _integers(node: ast.expr) -> Iterator[int]:
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and type(one.value) is int:
            yield one.value


def _given(file: File, node: ast.Constant, owner: str) -> Iterator[Place]:
    """Yield what a value is given to: names, arguments, the option that it is the default of."""
    word = file.parents.get(node)
    call = file.parents.get(word) if isinstance(word, ast.keyword) else word
    if isinstance(call, ast.Call) and callee_of(call) == "add_argument":
        texts = [one.value for one in call.args if isinstance(one, ast.Constant)]
        yield from (("", str(text).lstrip("-").replace("-", "_")) for text in texts)
    elif isinstance(call, ast.Call):
        yield from ((callee_of(call), name) for name, one in passed(call, file.arguments) if one is node)
    else:
        default = isinstance(word, ast.arguments)
        for name in given_names(node, file.parents):
            yield (owner if default else ""), name.rpartition(".")[2]
