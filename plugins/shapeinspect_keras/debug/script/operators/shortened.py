"""Edits of the lengths of sequences that a network shortens before a loss reads them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from shapeinspect_keras.debug.script.candidate import Candidate, Scene
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.script.running import Shaped

#: A network makes at most so few steps of one.
_STRIDES = 64
#: So many lengths have to follow the formula.
_CHECKED = 48
#: What the lengths of sequences are called, and those of other things.
_LENGTHS = re.compile(r"len|frame|step|size|dur", re.IGNORECASE)
_OTHERS = re.compile(r"label|target|text|token|word|char|y_|[(]", re.IGNORECASE)


def shortened(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that compute the lengths of a network's outputs where those of its inputs are passed.

    Args:
        scene: the failed run.
    """
    for limit in scene.clues.limits[:2]:
        for model, name, steps, features in _networks(scene):
            formula = _formula(model, steps, features, limit)
            if formula is None:
                continue
            for node in _lengths(scene):
                text = scene.program.source(node)
                plain = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
                new = formula.format(text if plain else f"({text})")
                why = (
                    f"`{scene.text(node)}` at {scene.at(node)} are lengths up to {steps}, and `{name}` makes "
                )
                why += f"{limit} steps of {steps}: {formula.format('n')}"
                prior = 0.4 + 0.1 * scene.far(node) + 0.1 * (len(scene.shape(node) or ()) - 1)
                named = _LENGTHS.search(text) is not None and _OTHERS.search(text) is None
                yield Candidate((Replacement(node, new),), prior, "steps-before", why, fact=named)


def _networks(scene: Scene) -> Iterator[tuple[Any, str, int, tuple[int | None, ...]]]:
    """Yield the networks that are called on sequences, with their steps and the shape of a step."""
    known = set()
    for node in ast.walk(scene.program.tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        model = scene.seen.layers.get(scene.numbers.get(node.func, -1))
        shapes = [item.shape for item in scene.values(node.args[0]) if isinstance(item, Shaped)]
        if model is None or id(model) in known:
            continue
        for shape in reversed(shapes):
            if len(shape) > 2 and shape[1] is not None:
                known.add(id(model))
                yield model, scene.text(node.func), shape[1], shape[2:]
                break


def _lengths(scene: Scene) -> Iterator[ast.expr]:
    """Yield the arguments that are one whole number for each sample."""
    for node in scene.near:
        outer = scene.program.parents.get(node)
        if not isinstance(node, ast.expr) or not isinstance(outer, ast.Call) or node not in outer.args:
            continue
        arrays = [item for item in scene.values(node) if isinstance(item, Shaped)]
        if not arrays or "int" not in arrays[-1].dtype:
            continue
        shape = arrays[-1].shape
        if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
            yield node


def _formula(model: Any, steps: int, features: tuple[int | None, ...], limit: int) -> str | None:
    """Write how many steps a network makes of so many, for ``format``; None where it is no division."""
    results: dict[int, int] = {}
    for length in range(steps, max(steps - _CHECKED, 0), -1):
        try:
            shape = model.compute_output_shape((1, length, *features))
            results[length] = int(shape[1])
        except Exception:  # noqa: BLE001  # shorter ones are refused
            break
    if limit >= steps or results.get(steps) != limit or len(results) < 2 * steps // limit:
        return None
    for stride in range(1, _STRIDES + 1):
        for offset in range(stride):
            # (n + more) // stride, with more such that the longest sequence fits
            more = limit * stride - steps + offset
            if all(result == (length + more) // stride for length, result in results.items()):
                inner = f"({{}} {'+' if more > 0 else '-'} {abs(more)})" if more else "{}"
                return f"{inner} // {stride}" if stride > 1 else inner
    return None


OPERATORS = (shortened,)
