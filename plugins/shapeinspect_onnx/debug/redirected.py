"""A place of its own for the models that a program writes and reads while it is run again."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from shapeinspect_onnx.debug.quiet import quiet


@contextmanager
def redirected() -> Iterator[None]:
    """Let exports write into a temporary folder, and sessions read what was written there."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        written: dict[str, str] = {}

        def place(path: Any) -> Any:
            if not isinstance(path, str | os.PathLike):
                return path
            full = os.path.abspath(os.fspath(path))
            written.setdefault(full, os.path.join(folder, f"{len(written)}.onnx"))
            return written[full]

        def found(path: Any) -> Any:
            if not isinstance(path, str | os.PathLike):
                return path
            return written.get(os.path.abspath(os.fspath(path)), path)

        _patch(stack, "torch.onnx", "export", 2, "f", place)
        _patch(stack, "onnx", "save", 1, "f", place)
        _patch(stack, "onnx", "save_model", 1, "f", place)
        _patch(stack, "onnx", "load", 0, "f", found)
        _patch(stack, "onnx", "load_model", 0, "f", found)
        session = getattr(sys.modules.get("onnxruntime"), "InferenceSession", None)
        if session is not None:
            make = session.__init__

            def made(self: Any, path_or_bytes: Any, *args: Any, **kwargs: Any) -> None:
                make(self, found(path_or_bytes), *args, **kwargs)

            stack.enter_context(mock.patch.object(session, "__init__", made))
        stack.enter_context(quiet())
        yield


def _patch(stack: ExitStack, module: str, name: str, position: int, keyword: str, place: Any) -> None:
    """Let a function of a library have another path as one of its arguments."""
    home = sys.modules.get(module)
    function = getattr(home, name, None)
    if home is None or function is None:
        return

    def elsewhere(*args: Any, **kwargs: Any) -> Any:
        if keyword in kwargs:
            kwargs[keyword] = place(kwargs[keyword])
        elif len(args) > position:
            args = (*args[:position], place(args[position]), *args[position + 1 :])
        return function(*args, **kwargs)

    stack.enter_context(mock.patch.object(home, name, elsewhere))
