"""The classes of onnx's messages, without the rest of the package."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

_GENERATED = "onnx_ml_pb2"


@cache
def messages() -> Any:
    """Return the module that defines ``ModelProto``, ``TensorProto`` and the like.

    ``import onnx`` also imports numpy and more, which takes several times as long as reading a graph; the
    generated module needs only protobuf and is loaded by its path. protobuf keeps one class for each
    message, so these are the same classes as those of an earlier or later ``import onnx``.

    Raises:
        ImportError: if the generated module cannot be loaded.

    Source: google/protobuf/internal/python_message.py, ``GeneratedProtocolMessageType.__new__``,
        which returns the class that a descriptor already has; upb does the same.
    """
    path = folder() / f"{_GENERATED}.py"
    if "onnx" in sys.modules or not path.is_file():
        import onnx

        return onnx
    spec = importlib.util.spec_from_file_location(f"{__package__}.{_GENERATED}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}", name="onnx")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def folder() -> Path:
    """Return the directory of the package onnx.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    spec = importlib.util.find_spec("onnx")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'onnx'", name="onnx")
    return Path(next(iter(spec.submodule_search_locations)))
