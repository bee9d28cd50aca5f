"""The adapter of NumPy's archives of arrays (.npz) and single arrays (.npy)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from shapeinspect.binary.zip_reader import MAGIC, first_name
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Model, Note
from shapeinspect.plugin_api.adapter import Adapter
from shapeinspect.sources.source import Source
from shapeinspect.text import many

if TYPE_CHECKING:
    from shapeinspect.ir import Layer, Weight

_ARRAY = b"\x93NUMPY"
#: The path of weights whose names have no prefix.
_ROOT = "(root)"
_SHOWN = 8


class NumpyAdapter(Adapter):
    """Reads the headers of arrays; objects are never unpickled and no values are loaded."""

    name = "numpy"
    framework = "numpy"
    debugger = "shapeinspect_numpy.debug:DEBUGGER"
    formats = ("NumPy archive of arrays (.npz)", "NumPy array (.npy)")

    def match(self, source: Source) -> int:
        """Look for an array, or for an archive whose first file is one.

        Args:
            source: the request.
        """
        head = source.head
        if head[:6] == _ARRAY:
            return 2
        if head[:4] == MAGIC:
            return 2 if first_name(head).endswith(b".npy") else int(source.suffix == ".npz")
        return int(source.suffix in (".npz", ".npy")) if source.size is not None else 0

    def read(self, source: Source) -> Model:
        """Read the header of every array.

        Args:
            source: the file.

        Raises:
            UnreadableFileError: if it is cut off, corrupt or hostile.
        """
        from shapeinspect_numpy.arrays import read_archive, read_single
        from shapeinspect_numpy.words import settings_beside, unpacked

        single = source.head[:6] == _ARRAY or (source.suffix == ".npy" and source.head[:4] != MAGIC)
        if single:
            weight, named = read_single(source)
            weights, others = [weight], 0
        else:
            weights, others, named = read_archive(source)
            weights = unpacked(weights, partial(settings_beside, source))
        return Model(
            source.label,
            "npy" if single else "npz",
            "unknown",
            self.name,
            _layers(weights),
            notes=_notes(weights, others, named),
            metadata=Frozen({"globals": ", ".join(named)} if named else {}),
            described=("NumPy array" if single else "NumPy archive",),
        )


def _layers(weights: Sequence[Weight]) -> tuple[Layer, ...]:
    from shapeinspect.layout.bare import counters_aside, groups, judge, layer

    # Names are paths with slashes, or with dots; one that has both is a path with slashes.
    separator = "/" if any("/" in weight.name for weight in weights) else "."
    grouped = groups([_texts_aside(counters_aside(weight)) for weight in weights], separator)
    root = "" if any(group.path == _ROOT for group in grouped) else _ROOT
    return tuple(
        layer(group, judge(group.shapes, (), lambda *_: None), path=group.path or root) for group in grouped
    )


def _texts_aside(weight: Weight) -> Weight:
    text = (weight.dtype or "").startswith(("str", "bytes", "object", "datetime", "timedelta"))
    return replace(weight, buffer=True, trainable=False) if text else weight


def _notes(weights: Sequence[Weight], others: int, named: Sequence[str]) -> tuple[Note, ...]:
    notes = []
    if weights:
        notes.append(Note("names and shapes alone prove no kinds: the file does not name a framework"))
    else:
        notes.append(Note("the archive holds no arrays"))
    objects = [weight.name for weight in weights if weight.dtype == "object"]
    if objects:
        listed = ", ".join(objects[:3]) + (" …" if len(objects) > 3 else "")
        notes.append(Note(f"arrays of Python objects are pickled and were not read: {listed}"))
    if named:
        more = f" and {len(named) - _SHOWN:,} more" if len(named) > _SHOWN else ""
        notes.append(Note(f"not executed; globals referenced: {', '.join(named[:_SHOWN])}{more}"))
    packed = sum(weight.quantization is not None and weight.quantization.bits is None for weight in weights)
    if packed:
        text = "packed by MLX, and the archive does not state how many values a word holds"
        notes.append(Note(f"{text}: {many(packed, 'weight')}"))
    raw = sum(weight.dtype == "void16" for weight in weights)
    if raw:
        notes.append(Note(f"raw pairs of bytes (void16), as bfloat16 is saved: {many(raw, 'array')}"))
    if others:
        notes.append(Note(f"besides arrays, the archive holds {many(others, 'file')}"))
    return tuple(notes)


ADAPTER = NumpyAdapter()
