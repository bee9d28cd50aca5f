"""GGUF files written by ggml's own package, and by hand where it refuses to."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np
import pytest

#: A decoder in which no two lengths are the same: 6 heads and 2 kv-heads of 8.
LLAMA: dict[str, tuple[int, ...]] = {
    "token_embd.weight": (101, 40),
    "output_norm.weight": (40,),
    "blk.0.attn_norm.weight": (40,),
    "blk.0.attn_q.weight": (48, 40),
    "blk.0.attn_k.weight": (16, 40),
    "blk.0.attn_v.weight": (18, 40),
    "blk.0.attn_output.weight": (40, 54),
    "blk.0.ffn_norm.weight": (40,),
    "blk.0.ffn_gate.weight": (80, 40),
    "blk.0.ffn_up.weight": (80, 40),
    "blk.0.ffn_down.weight": (40, 80),
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file with ggml's writer: tensors of zeros by name and shape, then what ``more`` adds."""

    def write(
        shapes: dict[str, tuple[int, ...]],
        arch: str = "llama",
        more: Callable[[gguf.GGUFWriter], None] = lambda _: None,
        name: str = "m.gguf",
        **options: object,
    ) -> Path:
        path = tmp_path / name
        writer = gguf.GGUFWriter(path, arch, **options)
        more(writer)
        for tensor, shape in shapes.items():
            writer.add_tensor(tensor, np.zeros(shape, np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return write


@pytest.fixture
def llama(write: Write) -> Callable[..., Path]:
    """Write the small decoder; keywords replace what its metadata states."""

    def llama(
        shapes: dict[str, tuple[int, ...]] | None = None, name: str = "m.gguf", **stated: object
    ) -> Path:
        facts: dict[str, object] = {
            "block_count": 1,
            "embedding_length": 40,
            "feed_forward_length": 80,
            "attention.head_count": 6,
            "attention.head_count_kv": 2,
            "attention.key_length": 8,
            "attention.value_length": 9,
            **{key.replace("__", "."): value for key, value in stated.items()},
        }

        def more(writer: gguf.GGUFWriter) -> None:
            for key, value in facts.items():
                if isinstance(value, list):
                    writer.add_array(f"llama.{key}", value)
                elif value is not None:
                    writer.add_uint32(f"llama.{key}", value)
            writer.add_layer_norm_rms_eps(1e-5)

        return write(LLAMA if shapes is None else shapes, "llama", more, name)

    return llama


@dataclass
class Raw:
    """A GGUF file put together by hand; it remembers where each integer of its header stands."""

    order: str = "<"
    data: bytearray = field(default_factory=bytearray)
    numbers: dict[str, tuple[int, str]] = field(default_factory=dict)

    def number(self, name: str, code: str, value: float) -> Raw:
        self.numbers[name] = (len(self.data), code)
        self.data += struct.pack(self.order + code, value)
        return self

    def text(self, name: str, value: bytes) -> Raw:
        self.number(f"{name} length", "Q", len(value))
        self.data += value
        return self

    def head(self, tensors: int, fields: int, version: int = 3) -> Raw:
        self.data += b"GGUF"
        self.number("version", "I", version)
        return self.number("tensor count", "Q", tensors).number("field count", "Q", fields)

    def tensor(self, name: bytes, dims: Sequence[int], code: int, offset: int) -> Raw:
        shown = name.decode(errors="replace")
        self.text(f"name of {shown}", name).number(f"rank of {shown}", "I", len(dims))
        for index, dim in enumerate(dims):
            self.number(f"dim {index} of {shown}", "Q", dim)
        return self.number(f"type of {shown}", "I", code).number(f"offset of {shown}", "Q", offset)

    def pad(self, nbytes: int, alignment: int = 32) -> bytes:
        return bytes(self.data) + bytes(-len(self.data) % alignment + nbytes)

    def changed(self, whole: bytes, name: str, value: int) -> bytes:
        at, code = self.numbers[name]
        packed = struct.pack(self.order + code, value)
        return whole[:at] + packed + whole[at + len(packed) :]


@pytest.fixture
def raw() -> type[Raw]:
    """The builder of files by hand."""
    return Raw


@pytest.fixture
def small() -> tuple[Raw, bytes]:
    """A valid file with a field of every form and two tensors, and where its integers stand."""
    made = Raw().head(2, 5)
    made.text("key of architecture", b"general.architecture").number("type of architecture", "I", 8)
    made.text("architecture", b"llama")
    made.text("key of alignment", b"general.alignment").number("type of alignment", "I", 4)
    made.number("alignment", "I", 64)
    made.text("key of words", b"tokenizer.ggml.tokens").number("type of words", "I", 9)
    made.number("item type of words", "I", 8).number("count of words", "Q", 3)
    for word in (b"a", b"bc", b"def"):
        made.text(f"word {word.decode()}", word)
    made.text("key of nested", b"x.nested").number("type of nested", "I", 9)
    made.number("item type of nested", "I", 9).number("count of nested", "Q", 2)
    for index in range(2):
        made.number(f"item type of inner {index}", "I", 5).number(f"count of inner {index}", "Q", 1)
        made.number(f"inner {index}", "i", -7)
    made.text("key of scores", b"tokenizer.ggml.scores").number("type of scores", "I", 9)
    made.number("item type of scores", "I", 6).number("count of scores", "Q", 2000)
    made.data += bytes(8000)
    made.tensor(b"blk.0.attn_q.weight", (32, 3), 2, 0).tensor(b"norm.weight", (5,), 0, 64)
    return made, made.pad(64 + 20, 64)
