"""Weights of samples that are not as many as the values of the loss."""

from __future__ import annotations

import ast
from typing import Any

from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.rewriting import Rewriting
from shapeinspect_keras.debug.script.candidate import Scene, show
from shapeinspect_keras.debug.script.survey import is_the_same, survey
from shapeinspect_keras.debug.statements.explained import alone, own_frames
from shapeinspect_keras.debug.statements.names import COMPARES
from shapeinspect_keras.debug.statements.site import Site, site_of


def explanation(error: BaseException, packages: tuple[str, ...]) -> Rewriting | None:
    """Explain a run whose loss and weights of samples do not fit each other.

    Args:
        error: the exception, with its traceback.
        packages: the packages whose lines are not the user's.
    """
    frames = own_frames(error)
    handled = (frame.f_locals for frame, _ in frames if frame.f_code.co_name == "error_handler")
    local = next((item for item in handled if getattr(item.get("fn"), "__name__", "") in COMPARES), None)
    if local is None or not local.get("args"):
        return None
    given = local.get("kwargs", {}).keys() & {"sample_weight", "class_weight"}
    site = site_of(frames, packages) if given or len(local["args"]) > 3 else None
    told = None if site is None else survey(error)
    if site is None or told is None or told.weighted is None or not is_the_same(told, error):
        return None
    fact = explained(local["args"][0], *told.weighted, site, told.scene)
    if fact is None:
        return None
    shapes = dict(zip(("values", "sample_weight"), told.weighted, strict=True))
    return alone("loss", "loss", shapes, fact, str(error), site.where)


def explained(
    owner: Any, values: tuple[int | None, ...], weights: tuple[int | None, ...], site: Site, scene: Scene
) -> Explained | None:
    """Explain a loss of the user's that gives another number of values than there are samples.

    Args:
        owner: the model that is fitted.
        values: the shape of the loss's values for one batch.
        weights: that of the weights of its samples.
        site: the user's statement.
        scene: the second run of the script.
    """
    if len(values) != len(weights):
        return Explained(
            "sample-weights",
            (f"sample weights of {show(values)}, one for each value of the loss",),
            (f"sample weights of {show(weights)}",),
        )
    count, samples = (shape[0] if len(shape) == 1 else None for shape in (values, weights))
    if not count or not samples or count == samples:
        return None
    name = getattr(getattr(owner, "loss", None), "__name__", "")
    functions = [
        item for item in ast.walk(site.tree) if isinstance(item, ast.FunctionDef) and item.name == name
    ]
    told = f"`{name}` of line {functions[0].lineno}" if len(functions) == 1 else "the loss"
    return Explained(
        "sample-weights",
        (f"a value of the loss for each of the {samples} sample weights of a batch",),
        (f"{count} values: {told} gives {count} for {samples} samples",),
        tuple(_repeated(functions, samples, count, site, scene)),
    )


def _repeated(
    functions: list[ast.FunctionDef], samples: int, count: int, site: Site, scene: Scene
) -> list[Edit]:
    """Give the value of a group of samples to each of them."""
    if len(functions) != 1 or samples % count:
        return []
    returns = [
        node for node in ast.walk(functions[0]) if isinstance(node, ast.Return) and node.value is not None
    ]
    if len(returns) != 1 or returns[0].value is None:
        return []
    text = site.text(returns[0].value)
    repeat, imported = scene.function("keras", "repeat")
    if imported:
        return []
    new = f"return {repeat}({text}, {samples // count}, axis=0)"
    claim = Claim(Level.UNTRIED, rest="the loss gives as many values as there are weights with it")
    return [Edit("sample-weights", f"{new} instead of return {text}", claim)]
