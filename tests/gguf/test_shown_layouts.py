"""The layouts that are shown of GGUF files move numbers back to where llama.cpp's converter took them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from einops import rearrange

from shapeinspect.registry import native_tables, shown_tables

HEADS, WIDTH, INPUTS = 3, 4, 7
RNG = np.random.default_rng(2)


def moved(type_: str, weight: str, array: Any, **lengths: int) -> Any:
    """Apply what the row of a weight says."""
    table = next(table for table in shown_tables() if table.framework == "ggml")
    row = next(row for row in table.shown if (row.type, row.weight) == (type_, weight))
    return rearrange(array, row.transform, **lengths)


@pytest.mark.parametrize("name", ["attn_q", "attn_k"])
def test_rows_in_pairs_become_halves(name: str) -> None:
    """Source: ``conversion/llama.py``, ``LlamaModel.permute``."""
    there = RNG.standard_normal((HEADS * WIDTH, INPUTS))
    here = there.reshape(HEADS, 2, WIDTH // 2, INPUTS).swapaxes(1, 2).reshape(there.shape)
    assert np.array_equal(moved(name, "weight", here, head=HEADS, half=2), there)


@pytest.mark.parametrize("role", ["weight", "bias"])
def test_rows_by_kind_become_rows_by_head(role: str) -> None:
    """Source: ``conversion/bloom.py``, ``modify_tensors``."""
    shape = (3 * HEADS * WIDTH, INPUTS)[: 2 if role == "weight" else 1]
    there = RNG.standard_normal(shape)
    heads = there.reshape(HEADS, 3, WIDTH, *shape[1:])
    here = np.concatenate([heads[:, kind].reshape(-1, *shape[1:]) for kind in range(3)])
    assert np.array_equal(moved("attn_qkv", role, here, head=HEADS, qkv=3), there)


def test_the_lengths_stand_back_to_front(tmp_path: Path) -> None:
    """A linear layer is written as its checkpoint has it, and its lengths as ggml counts them."""
    weight = RNG.standard_normal((5, INPUTS)).astype(np.float32)
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_tensor("blk.0.ffn_up.weight", weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (tensor,) = gguf.GGUFReader(tmp_path / "m.gguf").tensors
    assert list(tensor.shape) == [INPUTS, 5]
    assert np.array_equal(moved("ffn_up", "weight", tensor.data), weight)


def test_no_file_is_written_by_a_table_that_is_shown() -> None:
    assert "ggml" not in native_tables()
