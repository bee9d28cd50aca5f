"""Runs of a session on trial, of which onnxruntime prints nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The severity of messages that onnxruntime never gives.
_NOTHING = 4


def opened(content: bytes, plain: bool = False) -> Any:
    """Return a session on the CPU; None where onnxruntime refuses the graph.

    Args:
        content: the serialized model.
        plain: whether the nodes are run as they are, and none is joined with another one.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _NOTHING
    if plain:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001  # onnxruntime has many exceptions, each its own
        return None


def runs(session: Any, feed: Mapping[str, Any]) -> bool:
    """Tell whether a session takes what it is fed.

    Args:
        session: the session.
        feed: an array for each input.
    """
    return refusal(session, feed) is None


def refusal(session: Any, feed: Mapping[str, Any]) -> str | None:
    """Return what a session says to what it is fed; None where it takes it.

    Args:
        session: the session.
        feed: an array for each input.
    """
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = _NOTHING
    try:
        session.run(None, dict(feed), options)
    except Exception as error:  # noqa: BLE001  # onnxruntime has many exceptions, each its own
        return str(error)
    return None
