"""Runs of a session on trial, of which onnxruntime prints nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

#: The severity of messages that onnxruntime never gives.
_NOTHING = 4


def runs(session: Any, feed: Mapping[str, Any]) -> bool:
    """Tell whether a session takes what it is fed.

    Args:
        session: the session.
        feed: an array for each input.
    """
    try:
        session.run(None, dict(feed), _options())
    except Exception:  # noqa: BLE001  # onnxruntime has many exceptions, each its own
        return False
    return True


def _options() -> Any:
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = _NOTHING
    return options


@contextmanager
def quiet() -> Iterator[None]:
    """Let sessions print nothing while a program is run again, and torch draw the same numbers afterwards."""
    with ExitStack() as stack:
        torch: Any = sys.modules.get("torch")
        if hasattr(torch, "get_rng_state"):
            stack.callback(torch.set_rng_state, torch.get_rng_state())
        _silence(stack)
        yield


def _silence(stack: ExitStack) -> None:
    session = getattr(sys.modules.get("onnxruntime"), "InferenceSession", None)
    if session is None:
        return
    run = session.run

    def silent(self: Any, output_names: Any, input_feed: Any, run_options: Any = None) -> Any:
        return run(self, output_names, input_feed, run_options or _options())

    stack.enter_context(mock.patch.object(session, "run", silent))
