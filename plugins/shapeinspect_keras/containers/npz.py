"""The weights of a ``.keras`` archive where they are an ``.npz``: one pickled dict a layer.

Source: ``NpzIOStore`` and ``save_own_variables`` of keras/src/saving/saving_lib.py and
keras/src/layers/layer.py, 3.15: ``np.savez`` of a dict of each layer's variables by their numbers, which
numpy pickles; a variable is a pickled ``keras.Variable`` or, where it is converted first, an array.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, BinaryIO, TypeGuard

from shapeinspect.errors import UnreadableFileError
from shapeinspect.sources.source import Source
from shapeinspect_keras.containers import archive
from shapeinspect_keras.containers.hdf5 import Dataset, Tree, spelled
from shapeinspect_keras.containers.pickled import Blob, Global, Made, read
from shapeinspect_keras.containers.window import Window

_ROOT = "__root__"
_HEADER = re.compile(rb"\x93NUMPY(?P<version>[\x01-\x03])\x00(?P<length>..)", re.DOTALL)
_OBJECTS = re.compile(rb"\{'descr': '\|O', 'fortran_order': (?:False|True), 'shape': \(\), \} *\n")
_LONGEST_HEADER = 1 << 16
_TYPE = re.compile(r"[biufc][0-9]{1,2}")
_DTYPE = re.compile(r"[a-z][a-z0-9_]{2,20}")
_RANK = 32
#: What pickled weights name.
EXPECTED = frozenset({
    Global("numpy", "ndarray"), Global("numpy", "dtype"),
    Global("numpy._core.multiarray", "_reconstruct"), Global("numpy.core.multiarray", "_reconstruct"),
    Global("ml_dtypes", "bfloat16"), Global("keras.src.backend", "Variable"),
})  # fmt: skip


def listing(source: Source, file: BinaryIO, member: archive.Member) -> tuple[Tree, frozenset[Global]]:
    """List the arrays of an ``.npz`` inside an archive; nothing of their pickles is executed.

    Args:
        source: the request.
        file: the open archive.
        member: the ``.npz`` in it, not compressed.

    Returns:
        The arrays, named as in an HDF5 file of weights, and what the pickles would have imported.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    window = io.BufferedReader(Window(file, member.offset, member.size))
    groups: dict[str, Mapping[str, Any]] = {}
    datasets: dict[str, Dataset] = {}
    skipped: dict[str, str] = {}
    named: set[Global] = set()
    for name, inner in archive.members(source, window, member.size).items():
        path = name.removesuffix(".npy")
        if path == name or path.partition("/")[0] == "optimizer":
            continue
        if inner.deflated:
            skipped[path] = "it is compressed"
            continue
        value, found = _pickle(source, window, inner, path)
        named |= found
        place = "vars" if path == _ROOT else f"{path}/vars"
        groups[place] = {}
        for number, one in value.items() if isinstance(value, dict) else ():
            full = f"{place}/{number}"
            dataset = _dataset(full, one, member.offset)
            if dataset is None:
                skipped[full] = "its pickle tells no shape"
            else:
                datasets[full] = dataset
    return Tree(groups, datasets, skipped), frozenset(named)


def _pickle(
    source: Source, file: BinaryIO, member: archive.Member, path: str
) -> tuple[Any, frozenset[Global]]:
    """Return the one object of an array of objects."""
    file.seek(member.offset)
    start = file.read(min(member.size, 10))
    found = _HEADER.match(start)
    if found is None:
        raise UnreadableFileError(source.label, f"{member.name!r} is no array", offset=member.offset)
    length, before = int.from_bytes(found["length"], "little"), 10
    if found["version"] != b"\x01":
        length, before = length | int.from_bytes(file.read(2), "little") << 16, 12
    if length > min(_LONGEST_HEADER, member.size - before):
        raise UnreadableFileError(source.label, f"{member.name!r} is cut off", offset=member.offset)
    if _OBJECTS.fullmatch(file.read(length)) is None:
        reason = f"{member.name!r} is an array, and Keras stores a dict of each layer's variables"
        raise UnreadableFileError(source.label, reason, offset=member.offset)
    value, named = read(file, member.size - before - length, source.label, path)
    array = value if isinstance(value, Made) else Made(None, ())
    state = array.state if isinstance(array.state, tuple) else ()
    items = state[4] if len(state) == 5 and isinstance(state[4], list) else []
    return (items[0] if len(items) == 1 else None), named


def _dataset(path: str, value: Any, start: int) -> Dataset | None:
    """Describe a pickled array or variable; None for anything else."""
    if not isinstance(value, Made):
        return None
    if not isinstance(value.state, dict):
        return _array(path, value, start)
    shape, dtype = value.state.get("_shape"), value.state.get("_dtype")
    if not _is_shape(shape):
        return None
    array = _array(path, _value(value.state.get("_value")), start)
    if array is not None and (array.shape, array.dtype) == (shape, dtype):
        return array
    return Dataset(
        path, shape, dtype if isinstance(dtype, str) and _DTYPE.fullmatch(dtype) else None, None, None
    )


def _value(held: Any) -> Any:
    """Find the array in what a variable holds: TensorFlow's are made anew from their initial value."""
    state = getattr(getattr(held, "function", None), "state", None)
    settings = state[2] if isinstance(state, tuple) and len(state) == 4 else None
    return settings.get("initial_value") if isinstance(settings, dict) else held


def _array(path: str, value: Any, start: int) -> Dataset | None:
    """Describe a pickled array.

    Source: ``array_reduce`` of numpy/_core/src/multiarray/methods.c, 2.3: the state is a version, the
    shape, the dtype, whether the first axis runs fastest, and the bytes.
    """
    state = value.state if isinstance(value, Made) else None
    if not isinstance(state, tuple) or len(state) != 5 or not _is_shape(state[1]):
        return None
    raw = _type(state[2])
    dtype = spelled(raw) if raw != "|V2" else "bfloat16"
    found = Dataset(path, state[1], dtype, None, raw)
    plain = isinstance(state[4], Blob) and state[4].size == found.nbytes and state[3] is False
    return replace(found, offset=start + state[4].offset) if plain else found


def _type(dtype: Any) -> str | None:
    """Spell a pickled dtype as numpy does, such as ``<f4``; bfloat16 is two raw bytes."""
    told = (dtype.arguments, dtype.state) if isinstance(dtype, Made) else ()
    if not all(isinstance(one, tuple) and len(one) > 1 for one in told) or not told:
        return None
    code, order = told[0][0], told[1][1]
    if code == Global("ml_dtypes", "bfloat16"):
        return "|V2"
    known = isinstance(code, str) and _TYPE.fullmatch(code) and order in ("<", ">", "|")
    return f"{order}{code}" if known else None


def _is_shape(shape: Any) -> TypeGuard[tuple[int, ...]]:
    return (
        isinstance(shape, tuple)
        and len(shape) <= _RANK
        and all(type(length) is int and 0 <= length < 2**63 for length in shape)
    )
