"""The user's own call that feeds a session: its dictionary, or the arrays that were bound before."""

from __future__ import annotations

import ast
from typing import Any

from shapeinspect.plugin_api.arrays.feeds import FeedSource
from shapeinspect.plugin_api.rerun import Rerun
from shapeinspect.plugin_api.user_code.source import UserSource, calls_of


def written_feed(site: UserSource, feed: dict[str, Any]) -> FeedSource | None:
    """Return the dictionary that the user's call feeds; None where the line does not hold it.

    Args:
        site: the user's line.
        feed: what was fed, by name.
    """
    for call in calls_of(site, ("run", "run_async", "run_with_ort_values")):
        argument = call.args[1] if len(call.args) > 1 else None
        for keyword in call.keywords:
            argument = keyword.value if keyword.arg == "input_feed" else argument
        if argument is not None and not isinstance(argument, ast.Starred):
            return FeedSource(site, call, argument, tuple(feed))
    return None


def bound(
    session: Any, binding: Any, message: str, where: str | None, site: UserSource | None
) -> Rerun | None:
    """Find the array that is bound and does not fit; None where the arrays are not NumPy's.

    Args:
        session: the session.
        binding: its binding of inputs and outputs.
        message: onnxruntime's words.
        where: the user's source line.
        site: the user's line.
    """
    from shapeinspect_onnx.debug.feeding import Fed

    held = getattr(binding, "_numpy_obj_references", {})
    arrays = {name: value if hasattr(value, "dtype") else value.numpy() for name, value in held.items()}
    if not arrays:
        return None
    source = None if site is None else _binding_call(session, arrays, site)
    return Fed(session, arrays, source, message, where, "session.run on what is bound").refused()


def _binding_call(session: Any, arrays: dict[str, Any], site: UserSource) -> FeedSource | None:
    """Return the call that binds the first array that does not fit."""
    from shapeinspect_onnx.debug.feeding import inputs_of

    wrong = [one.name for one in inputs_of(session) if one.name in arrays and not one.takes(arrays[one.name])]
    for call in ast.walk(site.tree):
        if not isinstance(call, ast.Call) or getattr(call.func, "attr", "") != "bind_cpu_input":
            continue
        name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        if len(call.args) == 2 and (name in wrong[:1] or (name is None and len(arrays) == 1)):
            return FeedSource(site, call, None, tuple(arrays), {wrong[0]: call.args[1]}, here=False)
    return None
