"""Edits of calls that leave a setting at its default where a dictionary beside them holds another value."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.script.running import Settings


def left_out(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that pass a setting which a call leaves at its default, from the dictionary that holds it.

    Args:
        scene: the failed run.
    """
    functions = {
        node.name: node for node in ast.walk(scene.program.tree) if isinstance(node, ast.FunctionDef)
    }
    for call in scene.near:
        if not isinstance(call, ast.Call) or any(one.arg is None for one in call.keywords):
            continue
        own = functions.get(callee_of(call)) or _told_by_keywords(call, functions.values())
        if own is None:
            continue
        given = {one.arg for one in call.keywords}
        for name, default in [*_defaults(own)][:_MOST]:
            place = [one.arg for one in own.args.args].index(name)
            if name in given or place < len(call.args):
                continue
            for text, values in _dictionaries(scene, call):
                value = values.get(name)
                if value is None or value == default:
                    continue
                why = f"`{name}` is left at its default, {default}, in the call at {scene.at(call)}, "
                why += f'and `{text}["{name}"]` is {value}'
                sure = "during loading" in scene.message or any(
                    {value, default} == set(pair) for pair in scene.clues.pairs
                )
                new = scene.extended(call, f'{name}={text}["{name}"]')
                yield Candidate((Replacement(call, new),), 0.3 + 0.3 * (not sure), "", why, fact=sure)


#: So many arguments of a function are looked at.
_MOST = 12


def _told_by_keywords(call: ast.Call, functions: Iterable[ast.FunctionDef]) -> ast.FunctionDef | None:
    """Return the one function that takes all arguments which a call names; it may come from a table."""
    names = {one.arg for one in call.keywords}
    if len(names) < 2 or not isinstance(call.func, ast.Subscript):
        return None
    fits = [function for function in functions if names <= {one.arg for one in function.args.args}]
    return fits[0] if len(fits) == 1 else None


def _defaults(function: ast.FunctionDef) -> Iterator[tuple[str, int]]:
    """Yield the arguments whose default is a written number."""
    names = function.args.args[len(function.args.args) - len(function.args.defaults) :]
    for name, default in zip(names, function.args.defaults, strict=True):
        if isinstance(default, ast.Constant) and type(default.value) is int:
            yield name.arg, default.value


def _dictionaries(scene: Scene, call: ast.Call) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the dictionaries that the function around a call has a name for, with their whole numbers."""
    found: dict[str, dict[str, int]] = {}
    for node in ast.walk(scene.program.scope(call)):
        if isinstance(node, ast.Name) and node.lineno <= (call.end_lineno or call.lineno):
            known = [value for value in scene.values(node) if isinstance(value, Settings)]
            if known:
                found[node.id] = dict(known[-1].numbers)
    yield from found.items()


OPERATORS = (left_out,)
