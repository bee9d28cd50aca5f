"""Where two sizes that differ come from, in the lines of the user's script."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from shapeinspect_keras.debug.script.candidate import Scene, called, default_of, show
from shapeinspect_keras.debug.script.running import Shaped

#: A smaller number stands for many things.
_SMALLEST = 4
#: More places than this tell nothing.
_PLACES = 2
_NO_SIZES = frozenset({
    "epochs", "verbose", "seed", "steps_per_epoch", "learning_rate", "validation_steps", "axis",
    "random_state",
})  # fmt: skip
_NO_CALLS = ("default_rng", "seed", "set_random_seed", "Dropout")


def origins(scene: Scene) -> tuple[str, ...]:
    """Say where the two sizes of a failure are written or first seen, a clause each.

    Args:
        scene: the failed run.
    """
    if not scene.clues.sure:
        return ()
    lines = []
    for size in scene.clues.sure[0]:
        told = next(_told(scene, size), None)
        if told is not None:
            lines.append(told)
    return tuple(dict.fromkeys(lines))


def _told(scene: Scene, size: int) -> Iterator[str]:
    if size < _SMALLEST:
        return
    numbers = [node for node in scene.near if isinstance(node, ast.Constant) and type(node.value) is int]
    written = [node for node in numbers if node.value == size and _is_size(scene, node)]
    if 1 <= len({node.lineno for node in written}) <= _PLACES:
        places = " and ".join(f"{scene.at(node)}, `{_context(scene, node)}`" for node in _one_a_line(written))
        yield f"{size} is written at {places}"
    computed = [
        node
        for node in scene.near
        if isinstance(node, ast.BinOp) and scene.values(node)[-1:] == [size] and _is_size(scene, node)
    ]
    if 1 <= len({node.lineno for node in computed}) <= _PLACES:
        node = computed[0]
        yield f"{size} = `{scene.text(node)}` at {scene.at(node)}"
    yield from _shaped(scene, size)


def _shaped(scene: Scene, size: int) -> Iterator[str]:
    """Name the array in the nearest statement that has this size."""
    found: list[tuple[int, int, int, str]] = []
    for node in scene.near:
        if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
            continue
        shapes = [item.shape for item in scene.values(node) if isinstance(item, Shaped)]
        if shapes and size in shapes[-1] and len(scene.text(node)) < 50:
            text = f"`{scene.text(node)}` at {scene.at(node)} is {show(shapes[-1])}"
            found.append((scene.reach.of(node), node.lineno, len(text), text))
    if found:
        yield f"{size}: {min(found)[3]}"


def _one_a_line(nodes: list[ast.Constant]) -> list[ast.Constant]:
    return [*{node.lineno: node for node in reversed(nodes)}.values()][::-1]


def _is_size(scene: Scene, node: ast.AST) -> bool:
    for outer in scene.program.around(node):
        if isinstance(outer, ast.keyword) and outer.arg in _NO_SIZES:
            return False
        if isinstance(outer, ast.List) and not isinstance(
            scene.program.parents.get(outer), ast.Call | ast.keyword
        ):
            return False  # an entry of the data
        if isinstance(outer, ast.Call) and called(outer) in _NO_CALLS:
            return False
        if isinstance(outer, ast.stmt):
            break
    return True


def _context(scene: Scene, node: ast.expr) -> str:
    outer_of = scene.program.parents.get(node)
    name = default_of(outer_of, node) if isinstance(outer_of, ast.arguments) else ""
    if name:
        return f"{name}={scene.text(node)}"
    inner: ast.AST = node
    for outer in scene.program.around(node):
        if isinstance(outer, ast.FunctionDef | ast.ClassDef | ast.For | ast.If | ast.With | ast.Return):
            break
        inner = outer
        if isinstance(outer, ast.Call | ast.stmt):
            break
    if isinstance(inner, ast.arguments):
        return scene.program.line(node)
    return scene.text(inner) if hasattr(inner, "lineno") else scene.text(node)
