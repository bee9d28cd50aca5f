"""The program of the child process that runs onnx's shape inference.

It is started by its path with ``-I -S``: only the interpreter's own modules can be imported, and of
onnx only the compiled module is loaded, by its path, which takes a fraction of ``import onnx``.
"""

from __future__ import annotations

import importlib.util
import runpy
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from struct import Struct
from typing import Any

_NAME = "onnx_cpp2py_export"
#: Seconds of computing for a small model, bytes of a longer one for each further second, and the most in
#: all: an honest graph of 6.7 MB takes 0.8 s and 270 MB.
_SECONDS, _BYTES_A_SECOND, _LONGEST = 1.2, 8_000_000, 5.0


#: How the seconds that a model may take stand before it.
SECONDS = Struct("<d")


def main(folder: str, limits: str, parent: str) -> None:
    """Read seconds and a model from stdin, infer, and write it to stdout after a status byte.

    Args:
        folder: the folder of the package onnx.
        limits: the path of ``shapeinspect/binary/child_limits.py``.
        parent: the number of the process that starts it.
    """
    infer = _load(Path(folder))
    bounds = runpy.run_path(limits)
    (most,) = SECONDS.unpack(sys.stdin.buffer.read(SECONDS.size))
    data = sys.stdin.buffer.read()
    bounds["limit"](bounds["MEMORY"], most, int(parent))
    try:
        answer = b"+" + infer(data, False, False, True)
    except MemoryError:
        answer = b"-it takes too much memory"
    except Exception as error:  # noqa: BLE001  # a C++ library on a stranger's graph; the parent makes it a note
        answer = b"-" + str(error).encode("utf-8", "replace")[:10_000]
    sys.stdout.buffer.write(answer)


def seconds(size: int) -> float:
    """Return the seconds of computing that a model of some size may take.

    Args:
        size: the bytes of the model that inference computes with.

    Example:
        >>> seconds(0), seconds(8_000_000), seconds(80_000_000)
        (1.2, 2.2, 5.0)
    """
    return min(_SECONDS + size / _BYTES_A_SECOND, _LONGEST)


def _load(folder: Path) -> Any:
    for suffix in EXTENSION_SUFFIXES:
        path = folder / (_NAME + suffix)
        if path.is_file():
            loader = ExtensionFileLoader(_NAME, str(path))
            spec = importlib.util.spec_from_file_location(_NAME, path, loader=loader)
            if spec is not None:
                module = importlib.util.module_from_spec(spec)
                loader.exec_module(module)
                return module.shape_inference.infer_shapes
    sys.path.append(str(folder.parent))
    from onnx import shape_inference

    return lambda data, *flags: shape_inference.infer_shapes(data, *flags).SerializeToString()


if __name__ == "__main__":
    main(*sys.argv[1:])
