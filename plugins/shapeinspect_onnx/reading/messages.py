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
    """Return the module that holds ``ModelProto``, ``TensorProto`` and the like.

    ``import onnx`` brings numpy and more, several times what reading a graph takes; the generated
    module needs protobuf alone and is loaded by its path. protobuf keeps one class for each message,
    so these are the very classes that a later ``import onnx`` gives, and those of an earlier one.

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
    """Return where the package onnx is installed.

    Raises:
        ModuleNotFoundError: if it is not.
    """
    spec = importlib.util.find_spec("onnx")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'onnx'", name="onnx")
    return Path(next(iter(spec.submodule_search_locations)))
