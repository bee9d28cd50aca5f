"""The weights of a ``.keras`` archive where they are an ``.npz``: one pickled dict a layer.

Source: ``NpzIOStore`` and ``save_own_variables`` of keras/src/saving/saving_lib.py and
keras/src/layers/layer.py, 3.15: ``np.savez`` of a dict of each layer's variables by their numbers, which
numpy pickles; a variable is a pickled ``keras.Variable`` or, where it is converted first, an array.
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
#: What pickled weights name.
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
        value, found = _pickle(window, member)
        named |= found
        place = "vars" if path == _ROOT else f"{path}/vars"
        groups[place] = {}
        for number, one in value.items() if isinstance(value, dict) else ():
            if type(number) not in (str, int):
                continue
            full = f"{place}/{number}"
            dataset = _dataset(full, one)
            if dataset is None:
                skipped[full] = "its pickle tells no shape"
            else:
                datasets[full] = dataset
    return Tree(groups, datasets, skipped), frozenset(named)


def _pickle(window: Window, member: Member) -> tuple[Any, frozenset[Global]]:
    """Return the one object of an array of objects."""
    at = payload(window, member)
    end = at + member.size
    start = window.span(at, min(at + 12, end))
    found = _HEADER.match(start)
    if found is None:
        raise window.fail(f"{member.name!r} is no array", at)
    before = 10 if found["version"] == b"\x01" else 12
    length = int.from_bytes(start[8:before], "little")
    if length > min(_LONGEST_HEADER, member.size - before):
        raise window.fail(f"{member.name!r} is cut off", at)
    if _OBJECTS.fullmatch(window.span(at + before, at + before + length)) is None:
        raise window.fail(
            f"{member.name!r} is an array, and Keras stores a dict of each layer's variables", at
        )
    # The numbers are found by their place in the file, however few they are.
    pickle = read_pickle_at(window, at + before + length, end, keep=-1, opcodes=_OPCODES)
    array = pickle.value if isinstance(pickle.value, Reduce) else Reduce(None, ())
    state = array.state if isinstance(array.state, tuple) else ()
    items = state[4] if len(state) == 5 and isinstance(state[4], list) else []
    if len(items) != 1:
        raise window.fail(f"the pickle of {member.name!r} holds no array of one object", at)
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


def _value(held: Any) -> Any:
    """Find the array in what a variable holds: TensorFlow's are made anew from their initial value."""
    state = getattr(getattr(held, "func", None), "state", None)
    settings = state[2] if isinstance(state, tuple) and len(state) == 4 else None
    return settings.get("initial_value") if isinstance(settings, dict) else held


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
    found = Dataset(path, state[1], dtype, None, raw)
    plain = isinstance(state[4], Blob) and state[4].size == found.nbytes and state[3] is False
    return replace(found, offset=state[4].offset) if plain else found


def _type(dtype: Any) -> str | None:
    """Spell a pickled dtype as numpy does, such as ``<f4``; bfloat16 is two raw bytes."""
    told = (dtype.args, dtype.state) if isinstance(dtype, Reduce) else ()
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
