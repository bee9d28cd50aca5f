"""Reads the header of a safetensors file, with the checks of the reference reader; refuses duplicates.

Source: https://huggingface.co/docs/safetensors/index#format and ``safetensors/src/tensor.rs``
(``Metadata::validate``): an 8-byte little-endian length, a JSON object of at most 100,000,000 bytes,
then tensors that follow each other without gaps or overlaps, up to the end of the file.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from sys import intern
from typing import TYPE_CHECKING, Any, NoReturn

from shapeinspect.binary import json_text
from shapeinspect.binary.names import Names
from shapeinspect.binary.stored_numbers import StoredNumbers
from shapeinspect.errors import UnreadableFileError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Model, Note, Weight
from shapeinspect.progress import counted
from shapeinspect.sources.source import Source
from shapeinspect_torch.checkpoints.configurations import beside, with_beside
from shapeinspect_torch.checkpoints.shards import BARE, Shard, is_index, read_index
from shapeinspect_torch.file_names import MAX_HEADER
from shapeinspect_torch.mlx import layouts as mlx
from shapeinspect_torch.pickles.tensors import Tensor, contiguous
from shapeinspect_torch.pickles.values import Extent, read
from shapeinspect_torch.quantized.declared import Declared, declared
from shapeinspect_torch.quantized.fold import quantized
from shapeinspect_torch.recognition.evidence import EVIDENCE
from shapeinspect_torch.recognition.state_dict import layers_of
from shapeinspect_torch.vocabulary.layouts import bind

if TYPE_CHECKING:
    import numpy as np

#: The format's element types: numpy's (or ml_dtypes') spelling and bits of one element.
DTYPES = {
    "BOOL": ("bool", 8),
    "F4": ("float4_e2m1fn", 4),
    "F6_E2M3": ("float6_e2m3fn", 6),
    "F6_E3M2": ("float6_e3m2fn", 6),
    "U8": ("uint8", 8),
    "I8": ("int8", 8),
    "F8_E5M2": ("float8_e5m2", 8),
    "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E8M0": ("float8_e8m0fnu", 8),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 8),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 8),
    "I16": ("int16", 16),
    "U16": ("uint16", 16),
    "F16": ("float16", 16),
    "BF16": ("bfloat16", 16),
    "I32": ("int32", 32),
    "U32": ("uint32", 32),
    "F32": ("float32", 32),
    "C64": ("complex64", 64),
    "F64": ("float64", 64),
    "I64": ("int64", 64),
    "U64": ("uint64", 64),
}
_MAX_NUMBER = 2**64 - 1
_MAX_NAME = 4096
_MAX_RANK = 64
_DIGITS = re.compile(r"\d+")
_MAX_KEYS = 100_000
_WHOLE = frozenset({int})
_FACTS = frozenset({"dtype", "shape", "data_offsets"})
#: The value of the metadata key "format" where the names follow PyTorch's conventions.
_TORCH, _MLX = "pt", "mlx"
#: What names and shapes prove, and how it is stored, by framework.
_EVIDENT = {None: (EVIDENCE, bind), _TORCH: (EVIDENCE, bind), _MLX: (mlx.EVIDENCE, mlx.bind)}
_NULL = (Note("the header's metadata is null, as MLX writes it: names and axes are read as MLX's"),)
_FRAMEWORKS = {"pt": "torch", "tf": "tensorflow", "flax": "flax", "mlx": "mlx", "np": "numpy"}


def read_safetensors(source: Source, stated: Declared | None = None) -> Model:
    """Read a safetensors file, or the index of a sharded set.

    Args:
        source: the file.
        stated: what a configuration says about quantization; None to look for one beside the file.

    Raises:
        UnreadableFileError: if a header is malformed or wrong, or a shard is missing.
    """
    label = source.label
    shard = read_index(source, load) if is_index(source) else load(source)
    named = shard.metadata.get("format")
    weights = sorted(shard.weights, key=_reading_order)
    configs = beside(source) if stated is None and quantized(weights) else {}
    known = replace(declared(configs) if stated is None else stated, metadata=shard.metadata)
    rows, binder = _EVIDENT.get(named, ((), bind))
    layers, recognized = layers_of(weights, rows=rows, declared=known, binder=binder)
    notes = shard.notes + _about_framework(named) + ((Note(BARE),) if layers else ()) + recognized
    framework = "torch" if named is None else _FRAMEWORKS.get(named, "unknown")
    model = Model(
        label, "safetensors", framework, "safetensors", layers, notes=notes, metadata=shard.metadata,
        described=("safetensors", *([f"format {named}"] if named else [])),
    )  # fmt: skip
    return with_beside(model, configs)


def _reading_order(weight: Weight) -> tuple[object, ...]:
    # The weights of a layer stay together; "weight" comes before "bias".
    path, _, role = weight.name.rpartition(".")
    return natural(path), "weight" not in role, _KEYS[role]


def _about_framework(named: str | None) -> tuple[Note, ...]:
    if named is None:
        return (Note("the file names no framework; names and axes are read as PyTorch's"),)
    if named not in _EVIDENT:
        return (
            Note(f'the weights belong to the framework "{named}", whose axis order the file does not state'),
        )
    return ()


def natural(name: str) -> str:
    """Return a key that sorts numbers in names by value; a header's own order has no meaning.

    Args:
        name: a weight's name.

    Example:
        >>> sorted(["h.10.w", "h.9.w"], key=natural)
        ['h.9.w', 'h.10.w']
    """
    return ".".join([_KEYS[part] for part in name.split(".")])


class _Keys(dict[str, str]):
    """Caches the sort keys of parts of names; even a file with many names has few distinct parts."""

    def __missing__(self, part: str) -> str:
        # A number sorts before every letter, and by its length first: shorter ones are smaller.
        key = self[part] = _DIGITS.sub(_number, part)
        if len(self) > _MAX_KEYS:
            self.clear()
        return key


def _number(match: re.Match[str]) -> str:
    digits = match.group().lstrip("0")
    return f"\0{chr(len(digits))}{digits}"


_KEYS = _Keys()


def load(source: Source, where: str | None = None) -> Shard:
    """Read the header of one file.

    Args:
        source: the file.
        where: its name in the index.

    Raises:
        UnreadableFileError: if the header is malformed, or does not describe the file.
    """
    size = source.size or 0
    if size < 8:
        raise UnreadableFileError(source.label, "it is too short for a safetensors header", offset=size)
    length = int.from_bytes(source.head[:8], "little")
    if size - 8 < length <= MAX_HEADER and source.head[8:9] == b"{":
        raise UnreadableFileError(
            source.label,
            f"the file is cut off: it has {size - 8:,} of its header's {length:,} bytes",
            offset=size,
            hint="copy or download it again",
        )
    if length > MAX_HEADER or length > size - 8:
        raise UnreadableFileError(
            source.label,
            f"the header claims {length:,} bytes, but the file has {size - 8:,} and at most {MAX_HEADER:,}"
            " are allowed",
            offset=0,
        )
    with source.open() as file:
        file.seek(8)
        header = _Header(source, file.read(length), where)  # of which nothing else keeps the text
    return header.shard()


class _Header:
    def __init__(self, source: Source, raw: bytes, where: str | None) -> None:
        self._source = source
        self._where = where
        self._shapes: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._start = 8 + len(raw)
        if len(raw) != int.from_bytes(source.head[:8], "little"):
            self._fail("the header is cut off")
        entries = json_text.parse(raw, source.label, "the header", offset=8, strict=True)
        if not isinstance(entries, dict):
            self._fail("the header is not a JSON object")
        self._entries: dict[str, Any] = entries

    def shard(self) -> Shard:
        """Check every entry and turn it into a weight."""
        empty = self._entries.get("__metadata__", {}) is None
        metadata = self._entries.pop("__metadata__", None) or {}
        if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
            self._fail("its metadata does not map strings to strings")
        names = Names(self._source.label)
        for name in self._entries:
            names.count(name)
        entries = counted(list(self._entries.items()), "tensors")
        spans = [(*self._span(name, entry), name) for name, entry in entries]
        position = 0
        for start, end, name in sorted(spans):
            if start != position:
                problem = "overlaps the previous one" if start < position else "leaves a gap before it"
                self._fail(f"tensor {name!r} {problem} (bytes {start:,} to {end:,})", self._start + start)
            position = end
        available = (self._source.size or 0) - self._start
        if available < position:
            raise UnreadableFileError(
                self._source.label,
                f"the file is cut off: it has {available:,} of {position:,} bytes of weights",
                offset=self._source.size,
                hint="copy or download it again",
            )
        if self._start + position != self._source.size:
            self._fail(
                f"the header describes {position:,} bytes of weights, but the file holds {available:,}",
                self._start,
            )
        weights = tuple([self._weight(name, entry) for name, entry in self._entries.items()])
        # MLX alone writes no metadata as null; torch's and the others' writers leave the key out.
        return Shard(
            "safetensors", weights, _NULL if empty else (), Frozen({"format": _MLX} if empty else metadata)
        )

    def _span(self, name: str, entry: Any) -> tuple[int, int]:
        """Check everything in a tensor's entry, and return the range of its bytes."""
        if len(name) > _MAX_NAME:
            self._fail(f"a tensor's name has {len(name):,} characters")
        if not isinstance(entry, dict) or not entry.keys() >= _FACTS:
            self._fail(f"the entry of tensor {name!r} lacks its dtype, shape or data_offsets")
        kind = entry["dtype"]
        if not isinstance(kind, str) or kind not in DTYPES:
            self._fail(f"tensor {name!r} has an unknown dtype {kind!r}")
        shape = self._numbers(name, "shape", entry["shape"])
        offsets = self._numbers(name, "data_offsets", entry["data_offsets"])
        if len(offsets) != 2 or offsets[0] > offsets[1]:
            self._fail(f"the data_offsets of tensor {name!r} are not a start and an end")
        bits = DTYPES[kind][1]
        for length in shape:
            bits *= length
            if bits > 8 * _MAX_NUMBER:
                self._fail(f"the shape of tensor {name!r} overflows: {shape}")
        if bits % 8 or offsets[1] - offsets[0] != bits // 8:
            self._fail(
                f"tensor {name!r} of dtype {kind} and shape {tuple(shape)} takes {bits:,} bits, but its "
                f"data_offsets span {offsets[1] - offsets[0]:,} bytes"
            )
        return offsets[0], offsets[1]

    def _numbers(self, name: str, field: str, value: Any) -> list[int]:
        if (
            not isinstance(value, list)
            or len(value) > _MAX_RANK
            or not _WHOLE.issuperset(map(type, value))
            or (value and not (min(value) >= 0 and max(value) <= _MAX_NUMBER))
        ):
            self._fail(f"the {field} of tensor {name!r} is not a list of lengths")
        return value

    def _weight(self, name: str, entry: dict[str, Any]) -> Weight:
        dtype, bits = DTYPES[entry["dtype"]]
        shape = tuple(entry["shape"])
        shape = self._shapes.setdefault(shape, shape)  # a file has few distinct shapes
        start, end = entry["data_offsets"]
        values = None
        if bits % 8 == 0:
            place = (self._source, self._start + start, end - start)
            values = StoredNumbers(*place, (dtype, shape), partial(_values, *place, shape, dtype))
        # Grouping leaves the role as it is, unless it has several parts.
        role = intern(name.rpartition(".")[2])
        return Weight(name, role, shape, dtype, end - start, where=self._where, values=values)

    def _fail(self, reason: str, offset: int = 8) -> NoReturn:
        raise UnreadableFileError(self._source.label, reason, offset=offset)


def _values(
    source: Source, offset: int, size: int, shape: tuple[int, ...], dtype: str
) -> np.ndarray[Any, Any]:
    return read(source, Extent(offset, size), Tensor(shape, dtype, contiguous(shape)))
