"""The table of element types against ggml's own."""

from __future__ import annotations

import gguf
import numpy as np

from shapeinspect_gguf.blocks import BLOCKS

PLAIN = {
    "float32": "F32",
    "float16": "F16",
    "float64": "F64",
    "bfloat16": "BF16",
    **{f"int{bits}": f"I{bits}" for bits in (8, 16, 32, 64)},
}


def test_every_type_is_the_size_that_ggml_says() -> None:
    ours = {code: (PLAIN.get(row.dtype, row.dtype), row.values, row.nbytes) for code, row in BLOCKS.items()}
    theirs = {int(kind): (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert ours == theirs


def test_plain_types_are_spelled_as_numpy_spells_them() -> None:
    plain = [row for row in BLOCKS.values() if row.dtype in PLAIN and row.dtype != "bfloat16"]
    assert [np.dtype(row.dtype).itemsize for row in plain] == [row.nbytes for row in plain]
