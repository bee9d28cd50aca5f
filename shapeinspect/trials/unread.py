"""Values that a change leaves without a reader: what was computed of them is not computed any more."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from shapeinspect.trials.source_file import Edit, File

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def left_unread(file: File, edits: Sequence[Edit], node: Any) -> str:
    """Return the name that nothing reads any more since another one stands in its place; empty for none.

    The other one has to be read elsewhere in the function, too: a value that nobody had read may be the one
    that was meant.

    Args:
        file: the file.
        edits: the parts that are replaced.
        node: the smallest expression or statement around them.
    """
    if len(edits) == 1 and edits[0].new.replace(".", "").isidentifier() and "." in edits[0].new:
        return _attribute(file, edits[0], node)
    if len(edits) != 1 or not edits[0].new.isidentifier():
        return ""
    replaced = next((one for one in ast.walk(node) if _is(file, one, edits[0])), None)
    if not isinstance(replaced, ast.Name) or replaced.id == edits[0].new:
        return ""
    scope: Any = replaced
    while scope in file.parents and not isinstance(scope, _FUNCTIONS):
        scope = file.parents[scope]
    names = [one for one in ast.walk(scope) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)]
    other = any(one.id == edits[0].new for one in names)
    return replaced.id if other and not _other_readers(file, scope, names, replaced) else ""


def _attribute(file: File, edit: Edit, node: Any) -> str:
    """Return the attribute that nothing reads any more since one that is read elsewhere replaces it."""
    read = [one for one in file.parents if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Load)]
    own = next((one for one in read if file.span(one) == (edit.first, edit.last)), None)
    name = edit.new.rpartition(".")[2]
    if own is None or not isinstance(own.value, ast.Name) or own.attr == name or own not in ast.walk(node):
        return ""
    others = [one.attr for one in read if one is not own]
    return file.source(own) if name in others and own.attr not in others else ""


def _is(file: File, node: Any, edit: Edit) -> bool:
    return isinstance(node, ast.Name) and file.span(node) == (edit.first, edit.last)


def _other_readers(file: File, scope: ast.AST, names: Sequence[ast.Name], read: ast.Name) -> bool:
    """Tell whether something else reads the value that a name has at a place."""
    loops = isinstance(scope, ast.Module) or any(
        isinstance(one, ast.For | ast.While) and read in {*ast.walk(one)} for one in ast.walk(scope)
    )
    stores = sorted(
        _end(file, one)
        for one in ast.walk(scope)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store) and one.id == read.id
    )
    here = file.span(read)[0]
    since = max((end for end in stores if end <= here), default=-1)
    until = min((end for end in stores if end > here), default=None)
    for one in names:
        place = file.span(one)[0]
        if (
            one is not read
            and one.id == read.id
            and since <= place
            and (until is None or place < until or loops)
        ):
            return True
    return False


def _end(file: File, name: ast.Name) -> int:
    """Return where the statement ends that sets a name."""
    node: Any = name
    while not isinstance(node, ast.stmt):
        node = file.parents[node]
    return file.span(node)[1] if not hasattr(node, "body") else file.span(name)[1]
