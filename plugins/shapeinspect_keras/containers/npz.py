"""Reads the weights of a ``.keras`` archive that stores them as an ``.npz``: one pickled dict per layer.

Source: ``NpzIOStore`` and ``save_own_variables`` of keras/src/saving/saving_lib.py and
keras/src/layers/layer.py, 3.15: ``np.savez`` of a dict from numbers to variables for each layer, which
numpy pickles; a variable is a pickled ``keras.Variable`` or, if it was converted first, an array.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeGuard

from shapeinspect.binary.pickles.reader import read_pickle_at
from shapeinspect.binary.pickles.records import Blob, Global, Reduce
from shapeinspect.binary.window import Window
from shapeinspect.binary.zip_reader import Archive, Member, payload
from shapeinspect_keras.containers.hdf5 import Dataset, Tree, spelled

_ROOT = "__root__"
_HEADER = re.compile(rb"\x93NUMPY(?P<version>[\x01-\x03])\x00(?P<length>..)", re.DOTALL)
_OBJECTS = re.compile(rb"\{'descr': '\|O', 'fortran_order': (?:False|True), 'shape': \(\), \} *\n")
_LONGEST_HEADER = 1 << 16
_TYPE = re.compile(r"[biufc][0-9]{1,2}")
_DTYPE = re.compile(r"[a-z][a-z0-9_]{2,20}")
_RANK = 32
#: The most opcodes of one pickle: a layer's variables take a few hundred.
_OPCODES = 1_000_000
#: The globals that pickled weights name.
EXPECTED = frozenset({
    Global("numpy", "ndarray"), Global("numpy", "dtype"),
    Global("numpy._core.multiarray", "_reconstruct"), Global("numpy.core.multiarray", "_reconstruct"),
    Global("ml_dtypes", "bfloat16"), Global("keras.src.backend", "Variable"),
})  # fmt: skip


def listing(window: Window) -> tuple[Tree, frozenset[Global]]:
    """List the arrays of an ``.npz`` inside an archive; nothing of their pickles is executed.

    Args:
        window: the ``.npz``.

    Returns:
        The arrays, named as in an HDF5 file of weights, and what the pickles would have imported.

    Raises:
        UnreadableFileError: if it is cut off, corrupt or hostile.
    """
    groups: dict[str, Mapping[str, Any]] = {}
    datasets: dict[str, Dataset] = {}
    skipped: dict[str, str] = {}
    named: set[Global] = set()
    for name, member in Archive(window, keys=True).members.items():
        path = name.removesuffix(".npy")
        if path == name or path.partition("/")[0] == "optimizer":
            continue
        if member.deflated:
            skipped[path] = "it is compressed"
            continue
        value, listed_globals = _pickle(window, member)
        named |= listed_globals
        group = "vars" if path == _ROOT else f"{path}/vars"
        groups[group] = {}
        for number, variable in value.items() if isinstance(value, dict) else ():
            if type(number) not in (str, int):
                continue
            full = f"{group}/{number}"
            dataset = _dataset(full, variable)
            if dataset is None:
                skipped[full] = "its pickle does not state a shape"
            else:
                datasets[full] = dataset
    return Tree(groups, datasets, skipped), frozenset(named)


def _pickle(window: Window, member: Member) -> tuple[Any, frozenset[Global]]:
    """Return the object in an array of one object, and the globals that its pickle names."""
    offset = payload(window, member)
    end = offset + member.size
    start = window.span(offset, min(offset + 12, end))
    header = _HEADER.match(start)
    if header is None:
        raise window.fail(f"{member.name!r} is not an array", offset)
    prefix = 10 if header["version"] == b"\x01" else 12
    length = int.from_bytes(start[8:prefix], "little")
    if length > min(_LONGEST_HEADER, member.size - prefix):
        raise window.fail(f"{member.name!r} is cut off", offset)
    if _OBJECTS.fullmatch(window.span(offset + prefix, offset + prefix + length)) is None:
        raise window.fail(
            f"{member.name!r} is a plain array, but Keras stores a dict of each layer's variables", offset
        )
    # All values, even short ones, stay in the file and are located by their offset.
    pickle = read_pickle_at(window, offset + prefix + length, end, keep=-1, opcodes=_OPCODES)
    array = pickle.value if isinstance(pickle.value, Reduce) else Reduce(None, ())
    state = array.state if isinstance(array.state, tuple) else ()
    items = state[4] if len(state) == 5 and isinstance(state[4], list) else []
    if len(items) != 1:
        raise window.fail(f"the pickle of {member.name!r} is not an array of one object", offset)
    return items[0], frozenset(pickle.globals)


def _dataset(path: str, value: Any) -> Dataset | None:
    """Describe a pickled array or variable; None for anything else."""
    if not isinstance(value, Reduce):
        return None
    if not isinstance(value.state, dict):
        return _array(path, value)
    shape, dtype = value.state.get("_shape"), value.state.get("_dtype")
    if not _is_shape(shape):
        return None
    array = _array(path, _value(value.state.get("_value")))
    if array is not None and (array.shape, array.dtype) == (shape, dtype):
        return array
    return Dataset(
        path, shape, dtype if isinstance(dtype, str) and _DTYPE.fullmatch(dtype) else None, None, None
    )


def _value(content: Any) -> Any:
    """Return the array of a variable; one of TensorFlow's is rebuilt from its initial value."""
    state = getattr(getattr(content, "func", None), "state", None)
    settings = state[2] if isinstance(state, tuple) and len(state) == 4 else None
    return settings.get("initial_value") if isinstance(settings, dict) else content


def _array(path: str, value: Any) -> Dataset | None:
    """Describe a pickled array.

    Source: ``array_reduce`` of numpy/_core/src/multiarray/methods.c, 2.3: the state is a version, the
    shape, the dtype, whether the first axis runs fastest, and the bytes.
    """
    state = value.state if isinstance(value, Reduce) else None
    if not isinstance(state, tuple) or len(state) != 5 or not _is_shape(state[1]):
        return None
    raw = _type(state[2])
    dtype = spelled(raw) if raw != "|V2" else "bfloat16"
    dataset = Dataset(path, state[1], dtype, None, raw)
    plain = isinstance(state[4], Blob) and state[4].size == dataset.nbytes and state[3] is False
    return replace(dataset, offset=state[4].offset) if plain else dataset


def _type(dtype: Any) -> str | None:
    """Return numpy's spelling of a pickled dtype, such as ``<f4``; bfloat16 is two raw bytes."""
    facts = (dtype.args, dtype.state) if isinstance(dtype, Reduce) else ()
    if not all(isinstance(fact, tuple) and len(fact) > 1 for fact in facts) or not facts:
        return None
    code, order = facts[0][0], facts[1][1]
    if code == Global("ml_dtypes", "bfloat16"):
        return "|V2"
    valid = isinstance(code, str) and _TYPE.fullmatch(code) and order in ("<", ">", "|")
    return f"{order}{code}" if valid else None


def _is_shape(shape: Any) -> TypeGuard[tuple[int, ...]]:
    return (
        isinstance(shape, tuple)
        and len(shape) <= _RANK
        and all(type(length) is int and 0 <= length < 2**63 for length in shape)
    )
