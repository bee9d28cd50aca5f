"""Where a value of the user's program was made: the assignments behind a name, and calls that passed it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from shapeinspect.plugin_api.programs.failed import Program
from shapeinspect.plugin_api.user_code.frames import Place, place_of
from shapeinspect.plugin_api.user_code.source import callee_of

#: Names are followed through so many assignments.
_STEPS = 6
#: What adds an axis to an array.
_ADDING = frozenset({"expand_dims", "unsqueeze", "stack"})


def added_axis(program: Program, name: str) -> str:
    """Return the place in the program that adds an axis to what a name holds; empty where none is found.

    Args:
        program: the program.
        name: a name in its innermost frame.
    """
    for node, place in _made(program, name):
        for part in ast.walk(node):
            if isinstance(part, ast.Call) and callee_of(part) in _ADDING:
                return f"{place}  {_line(program, part)} adds an axis"
            if isinstance(part, ast.Subscript) and _adds(part.slice):
                return f"{place}  {_line(program, part)} adds an axis"
    return ""


def _adds(index: ast.expr) -> bool:
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return any(ast.unparse(part) in ("None", "np.newaxis", "numpy.newaxis") for part in parts)


def _line(program: Program, node: ast.AST) -> str:
    return " ".join((ast.get_source_segment(program.text, node) or "").split())


def _made(program: Program, name: str) -> Iterator[tuple[ast.expr, str]]:
    """Yield what a name was set to, the nearest first, also in the functions that passed it on."""
    frames = list(program.frames)
    for _ in range(_STEPS):
        if not frames:
            return
        found = _assigned(program, frames[-1], name)
        if found is not None:
            yield found.value, f"{place_of(frames[-1][0], found.lineno).partition(':')[0]}:{found.lineno}"
            names = [part.id for part in ast.walk(found.value) if isinstance(part, ast.Name)]
            plain = [one for one in names if one != name and one in _held(frames[-1])]
            if len(plain) != 1:
                return
            name = plain[0]
            continue
        passed = _passed(program, frames, name)
        frames.pop()
        if passed is None:
            return
        yield passed, place_of(*frames[-1])
        if not isinstance(passed, ast.Name):
            return
        name = passed.id


def _held(place: Place) -> set[str]:
    names = {**place[0].f_globals, **place[0].f_locals}
    return {
        name for name, value in names.items() if hasattr(value, "shape") or isinstance(value, list | tuple)
    }


def _assigned(program: Program, place: Place, name: str) -> ast.Assign | None:
    """Return the last assignment of a name before the line of a frame, in the frame's own function."""
    frame, line = place
    body: ast.AST = program.tree
    for node in ast.walk(program.tree):
        inside = isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
        if inside and node.name == frame.f_code.co_name:  # type: ignore[attr-defined]  # a function
            body = node
    found = [
        node
        for node in ast.walk(body)
        if isinstance(node, ast.Assign)
        and node.lineno < line
        and [ast.unparse(target) for target in node.targets] == [name]
    ]
    return max(found, key=lambda node: node.lineno, default=None)


def _passed(program: Program, frames: list[Place], name: str) -> ast.expr | None:
    """Return the argument that the calling frame gave for a parameter."""
    if len(frames) < 2:
        return None
    code, (_, line) = frames[-1][0].f_code, frames[-2]
    parameters = list(code.co_varnames[: code.co_argcount])
    if name not in parameters:
        return None
    for node in ast.walk(program.tree):
        if not isinstance(node, ast.Call) or callee_of(node) != code.co_name:
            continue
        if not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        given = next((word.value for word in node.keywords if word.arg == name), None)
        bound = parameters[:1] == ["self"] and isinstance(node.func, ast.Attribute)
        position = parameters.index(name) - bound
        if given is None and 0 <= position < len(node.args):
            given = node.args[position]
        return given
    return None
