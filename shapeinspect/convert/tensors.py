"""Writes a safetensors file one tensor at a time: the header first, then the values.

Source: https://github.com/huggingface/safetensors#format : eight bytes of length, a JSON header, the data.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shapeinspect.errors import UsageError
from shapeinspect.new_file import writable
from shapeinspect.progress import counted

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

#: The format's names of element types, and the bytes that one element takes.
DTYPES: dict[str, tuple[str, int]] = {
    "float64": ("F64", 8), "float32": ("F32", 4), "float16": ("F16", 2), "bfloat16": ("BF16", 2),
    "float8_e4m3fn": ("F8_E4M3", 1), "float8_e5m2": ("F8_E5M2", 1), "float8_e8m0fnu": ("F8_E8M0", 1),
    "int64": ("I64", 8), "int32": ("I32", 4), "int16": ("I16", 2), "int8": ("I8", 1),
    "uint64": ("U64", 8), "uint32": ("U32", 4), "uint16": ("U16", 2), "uint8": ("U8", 1),
    "bool": ("BOOL", 1), "complex64": ("C64", 8),
}  # fmt: skip

_ALIGNMENT = 8
_AT_ONCE = 1 << 24


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor to be written.

    Args:
        name: its name.
        dtype: its element type, one of :data:`DTYPES`.
        shape: its lengths.
        read: returns its values; called when the tensor is written.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], Array]

    @property
    def nbytes(self) -> int:
        """The bytes that its values take."""
        total = DTYPES[self.dtype][1]
        for length in self.shape:
            total *= length
        return total


def write(output: str | os.PathLike[str], tensors: Sequence[Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors into a file that appears only when it is complete.

    Args:
        output: the file; an existing one is replaced at the end.
        tensors: what to write, under unique names; each is read when its turn comes.
        metadata: entries for the header.

    Raises:
        UsageError: if the path is no place for a file, it cannot be written, or a tensor has another shape or
            size than declared.
    """
    if os.fspath(output).endswith(os.sep):
        raise UsageError(f'cannot write "{output}"', expected="the name of a file", got="a directory")
    path = Path(output)
    mode = writable(path)
    header = _header(tensors, metadata)
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with open(partial, "xb") as file:
            if mode is not None:
                os.chmod(partial, mode)
            file.write(len(header).to_bytes(8, "little"))
            file.write(header)
            for tensor in counted(tensors, "writing weights"):
                _write_values(file, tensor)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise UsageError(f'cannot write "{path}"', got=error.strerror or str(error)) from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _header(tensors: Sequence[Tensor], metadata: Mapping[str, str]) -> bytes:
    entries: dict[str, Any] = {"__metadata__": {key: _spelled(text) for key, text in metadata.items()}}
    offset = 0
    for tensor in tensors:
        if _spelled(tensor.name) != tensor.name:
            reason = "safetensors has no halves of characters in names"
            raise UsageError(f"the weight {tensor.name!r} cannot be written", got=reason)
        end = offset + tensor.nbytes
        entries[tensor.name] = {
            "dtype": DTYPES[tensor.dtype][0],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    return text + b" " * (-len(text) % _ALIGNMENT)


def _spelled(text: str) -> str:
    """Spell what no UTF-8 holds as escapes: halves of characters, and bytes of a path that are no text."""
    return text.encode("utf-8", "backslashreplace").decode()


def _write_values(file: Any, tensor: Tensor) -> None:
    array = tensor.read()
    if tuple(array.shape) != tensor.shape:
        raise UsageError(
            f'weight "{tensor.name}" has a shape that differs from the one its source declares',
            expected=str(tensor.shape),
            got=str(tuple(array.shape)),
        )
    flat = array.reshape(-1)
    step = max(_AT_ONCE // max(array.dtype.itemsize, 1), 1)
    written = 0
    for start in range(0, flat.size, step):
        part = encode(flat[start : start + step], tensor.dtype)
        written += len(part)
        file.write(part)
    if written != tensor.nbytes:
        raise UsageError(f'weight "{tensor.name}" has {written} bytes', expected=str(tensor.nbytes))


def encode(array: Array, dtype: str) -> bytes:
    """Return the bytes of an array, little-endian, in a given element type.

    Args:
        array: the values; a reader may have widened bfloat16 to float32.
        dtype: the element type to write.

    Example:
        >>> import numpy as np
        >>> encode(np.array([1.0], np.float32), "bfloat16").hex()
        '803f'
    """
    import numpy as np

    if dtype == "bfloat16" and array.dtype == np.float32:
        # The upper half of the bits, rounded to even: exact for values that were widened.
        bits = array.astype("<f4").view("<u4")
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
        return bytes(np.where(np.isnan(array), (bits >> 16) | 0x40, rounded).astype("<u2").tobytes())
    if (
        array.dtype.name != dtype
        and array.dtype.kind in "fiub"
        and dtype in ("float64", "float32", "float16")
    ):
        array = array.astype(dtype)
    if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and not np.little_endian):
        array = array.astype(array.dtype.newbyteorder("<"))
    return array.tobytes()
