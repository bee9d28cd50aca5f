"""The element types of GGUF tensors: values per block and bytes per block.

Source: ``enum ggml_type`` and the ``block_*`` structures of ``ggml/src/ggml-common.h``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """One element type.

    Args:
        dtype: its name: numpy's spelling for plain types, ggml's own for quantized ones.
        values: the number of values in a block.
        nbytes: the size of a block in bytes.

    Example:
        >>> BLOCKS[2].nbytes
        18
    """

    dtype: str
    values: int
    nbytes: int


#: The code in the file, the type's name, values per block, bytes per block.
_ROWS = (
    (0, "float32", 1, 4),
    (1, "float16", 1, 2),
    (2, "Q4_0", 32, 2 + 16),
    (3, "Q4_1", 32, 2 + 2 + 16),
    (6, "Q5_0", 32, 2 + 4 + 16),
    (7, "Q5_1", 32, 2 + 2 + 4 + 16),
    (8, "Q8_0", 32, 2 + 32),
    (9, "Q8_1", 32, 2 + 2 + 32 + 4),
    (10, "Q2_K", 256, 16 + 64 + 2 + 2),
    (11, "Q3_K", 256, 32 + 64 + 12 + 2),
    (12, "Q4_K", 256, 2 + 2 + 12 + 128),
    (13, "Q5_K", 256, 2 + 2 + 12 + 32 + 128),
    (14, "Q6_K", 256, 128 + 64 + 16 + 2),
    (15, "Q8_K", 256, 4 + 256 + 32),
    (16, "IQ2_XXS", 256, 2 + 64),
    (17, "IQ2_XS", 256, 2 + 64 + 8),
    (18, "IQ3_XXS", 256, 2 + 64 + 32),
    (19, "IQ1_S", 256, 2 + 32 + 16),
    (20, "IQ4_NL", 32, 2 + 16),
    (21, "IQ3_S", 256, 2 + 64 + 8 + 32 + 4),
    (22, "IQ2_S", 256, 2 + 64 + 16),
    (23, "IQ4_XS", 256, 2 + 2 + 4 + 128),
    (24, "int8", 1, 1),
    (25, "int16", 1, 2),
    (26, "int32", 1, 4),
    (27, "int64", 1, 8),
    (28, "float64", 1, 8),
    (29, "IQ1_M", 256, 32 + 16 + 8),
    (30, "bfloat16", 1, 2),
    (34, "TQ1_0", 256, 48 + 4 + 2),
    (35, "TQ2_0", 256, 64 + 2),
    (39, "MXFP4", 32, 1 + 16),
    (40, "NVFP4", 64, 4 + 32),
    (41, "Q1_0", 128, 2 + 16),
)

#: Every type that files may hold, by its code.
BLOCKS: dict[int, Block] = {code: Block(dtype, values, nbytes) for code, dtype, values, nbytes in _ROWS}

#: The one whose block ggml itself writes with two numbers of 16 bits, where its package of Python has two
#: of 32. The distance to the next tensor tells which of them wrote a file.
#: Source: ``block_q8_1`` in ``ggml/src/ggml-common.h``; ``GGML_QUANT_SIZES`` in ``gguf/constants.py``.
NARROW: dict[int, Block] = {9: Block("Q8_1", 32, 2 + 2 + 32)}
