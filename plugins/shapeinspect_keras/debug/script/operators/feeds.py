"""Edits of how many arrays are fed, and of the signature that a generator declares."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene, show
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.names import RUNS

_INPUTS = re.compile(r"expects (\d+) (?:named )?input\(?s?\)?[^.]*?, but (?:it )?received (\d+) input")
_STRUCTURE = re.compile(r"structure of `?inputs`? doesn't match|different structures")
_YIELDED = re.compile(
    r"yielded an element of shape (\([\d, ]*\)) where an element of shape (\([^)]*\)) was expected"
)


def inputs(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that feed the number of arrays that a model takes.

    Args:
        scene: the failed run.
    """
    match = _INPUTS.search(scene.message)
    if match is None and _STRUCTURE.search(scene.message) is None:
        return
    wanted, given = (int(match[1]), int(match[2])) if match is not None else (0, 0)
    for node in scene.near:
        outer = scene.program.parents.get(node)
        if not isinstance(outer, ast.Call) or outer.args[:1] != [node] or callee_of(outer) not in RUNS:
            continue
        text, prior = scene.program.source(node), 1.1 + scene.far(node)
        listed = (
            node.args[0] if isinstance(node, ast.Call) and callee_of(node) in ("array", "stack") else None
        )
        while isinstance(listed, ast.List) and len(listed.elts) == 1:
            listed = listed.elts[0]
        if isinstance(listed, ast.List) and wanted in (0, len(listed.elts)):
            why = f"`{scene.text(node)}` at {scene.at(node)} is one array, not {len(listed.elts)}"
            inner = scene.program.source(listed)
            yield Candidate((Replacement(node, inner),), prior, "several-inputs", why)
        shape = scene.shape(node)
        if shape is not None and given < wanted and wanted in shape[1:3]:
            axis = shape.index(wanted, 1)
            parts = [f"{text}[{':, ' * axis}{index}]" for index in range(wanted)]
            why = f"`{scene.text(node)}` at {scene.at(node)} is one array of {show(shape)}, not {wanted}"
            yield Candidate((Replacement(node, f"[{', '.join(parts)}]"),), prior, "several-inputs", why)
        yield from _columns(scene, outer, outer.args[0]) if given == 1 else ()
        if isinstance(node, ast.List) and wanted <= 1 and len(node.elts) > 1:
            why = f"`{scene.text(node)}` at {scene.at(node)} are {len(node.elts)} arrays, and one is taken"
            join, imported = scene.function("numpy", "concatenate")
            edits = (Replacement(node, f"{join}({text}, axis=-1)"), *imported)
            yield Candidate(edits, prior, "one-input", why)


def _columns(scene: Scene, run: ast.Call, node: ast.expr) -> Iterator[Candidate]:
    """Give each input of a model its columns of one table."""
    owner, shape = getattr(run.func, "value", None), scene.shape(node)
    model = None if owner is None else scene.seen.layers.get(scene.numbers.get(owner, -1))
    shapes = [tuple(item.shape) for item in getattr(model, "inputs", None) or ()]
    widths = [one[1] for one in shapes if len(one) == 2 and one[1] is not None]
    if not shape or len(shape) != 2 or len(widths) != len(shapes) or sum(widths) != shape[1]:
        return
    text, parts, start = scene.program.source(node), [], 0
    for width in widths:
        end = start + width
        parts.append(f"{text}[:, {start or ''}:{end if end < sum(widths) else ''}]")
        start = end
    why = f"`{scene.text(node)}` at {scene.at(node)} is one array of {show(shape)}, and the model has "
    why += f"{len(widths)} inputs: {' + '.join(map(str, widths))} = {shape[1]} columns"
    yield Candidate((Replacement(node, f"[{', '.join(parts)}]"),), 0.4, "several-inputs", why, fact=True)


def signatures(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a declared signature whose number of axes is not that of what a generator yields.

    Args:
        scene: the failed run.
    """
    match = _YIELDED.search(scene.message)
    if match is None:
        return
    rank = len(re.findall(r"\d+", match[1]))
    new = f"({', '.join(['None'] * rank)}{',' if rank == 1 else ''})"
    wanted = len(re.findall(r"\d+|None|\?", match[2]))
    for node in ast.walk(scene.program.tree):
        if not isinstance(node, ast.Call) or callee_of(node) != "TensorSpec":
            continue
        given = next((item.value for item in node.keywords if item.arg == "shape"), None)
        given = node.args[0] if given is None and node.args else given
        if isinstance(given, ast.Tuple) and len(given.elts) == wanted != rank:
            why = (
                f"`{scene.text(node)}` at {scene.at(node)} declares {wanted} axes, and {match[1]} is yielded"
            )
            yield Candidate((Replacement(given, new),), 1.0, "rank", why)


OPERATORS = (inputs, signatures)
