"""A gradient that is passed to ``backward`` and does not have the shape of the tensor."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

from shapeinspect.ir import Layer, Value
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.plugin_api.user_code.frames import Place
from shapeinspect.plugin_api.user_code.source import UserSource, calls_of
from shapeinspect.rules.rule import show

#: What torch says of it.
_WORDS = "grad_output["


def gradient(
    message: str, where: str | None, frames: Sequence[Place], source: UserSource | None
) -> Rewriting | None:
    """Explain a ``backward`` that refuses the gradient it is given; None for another failure.

    Args:
        message: torch's message.
        where: the user's source line.
        frames: the frames of the traceback, the outermost first.
        source: the user's line, with its source.
    """
    call = next((frame for frame, _ in frames if _is_backward(frame)), None)
    if _WORDS not in message or call is None or source is None:
        return None
    tensor, given = call.f_locals["self"], call.f_locals["gradient"]
    wanted, has = tuple(tensor.shape), tuple(given.shape)
    if wanted == has:
        return None
    node = next(iter(calls_of(source, ("backward",))), None)
    names = ("self", "gradient")
    if node is not None and isinstance(node.func, ast.Attribute):
        names = (
            source.source(node.func.value),
            source.source(_passed(node)) if _passed(node) else "gradient",
        )
    values = [Value(names[0], wanted), Value(names[1], has)]
    written = "" if node is None else next(_edits(node, source, has, wanted), "")
    claim = Claim(Level.UNTRIED, rest=f"it makes {show(wanted)} of {show(has)}")
    fact = Explained(
        "gradient",
        (f"a gradient of {show(wanted)}, the shape of {names[0]}",),
        (f"{show(has)} in {names[1]}",),
        (Edit("gradient", written, claim),) if written else (),
    )
    return Rewriting(outside(Layer("backward", "unknown", "backward"), values, "torch", message, where, fact))


def _is_backward(frame: FrameType) -> bool:
    import torch

    names = frame.f_locals
    tensors = (names.get("self"), names.get("gradient"))
    return frame.f_code.co_name == "backward" and all(isinstance(one, torch.Tensor) for one in tensors)


def _passed(node: ast.Call) -> Any:
    """Return the expression of the gradient; None where it is not written."""
    return next(
        (word.value for word in node.keywords if word.arg == "gradient"), node.args[0] if node.args else None
    )


def _adds(passed: Any, axis: int, axes: int) -> bool:
    """Tell whether an expression is a call ``x.unsqueeze(n)`` that adds this axis of so many."""
    if not isinstance(passed, ast.Call) or getattr(passed.func, "attr", "") != "unsqueeze":
        return False
    try:
        given = [ast.literal_eval(one) for one in (*passed.args, *(word.value for word in passed.keywords))]
    except ValueError:
        return False
    return len(given) == 1 and isinstance(given[0], int) and given[0] % axes == axis


def _edits(
    node: ast.Call, source: UserSource, has: tuple[int, ...], wanted: tuple[int, ...]
) -> Iterator[str]:
    """Yield the call with a gradient of the right shape, instead of the call."""
    passed = _passed(node)
    if passed is None:
        return
    whole = source.source(node)
    for axis in range(len(has)):
        if has[axis] != 1 or (*has[:axis], *has[axis + 1 :]) != wanted:
            continue
        inner = passed.func.value if _adds(passed, axis, len(has)) else None
        new = f"{source.source(passed)}.squeeze({axis})" if inner is None else source.source(inner)
        yield f"{source.edited(node, [(passed, new)])} instead of {whole}"
    for axis in range(len(wanted)):
        if wanted[axis] == 1 and (*wanted[:axis], *wanted[axis + 1 :]) == has:
            new = f"{source.source(passed)}.unsqueeze({axis})"
            yield f"{source.edited(node, [(passed, new)])} instead of {whole}"
