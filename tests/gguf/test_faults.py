"""What llama.cpp refuses is a fault that ``check`` reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import gguf
import numpy as np
import pytest

from shapeinspect import inspect

Run = Callable[..., tuple[int, str, str]]

WIDTH, INNER, HEAD = 48, 80, 12
SHAPES = {
    "token_embd": (90, WIDTH), "output_norm": (WIDTH,),
    "blk.0.attn_norm": (WIDTH,), "blk.0.ffn_norm": (WIDTH,),
    "blk.0.attn_q": (4 * HEAD, WIDTH), "blk.0.attn_k": (2 * HEAD, WIDTH), "blk.0.attn_v": (2 * HEAD, WIDTH),
    "blk.0.attn_output": (WIDTH, 4 * HEAD), "blk.0.ffn_gate": (INNER, WIDTH), "blk.0.ffn_up": (INNER, WIDTH),
    "blk.0.ffn_down": (WIDTH, INNER),
}  # fmt: skip


def written(path: Path, changed: Mapping[str, tuple[int, ...]]) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    for name, shape in {**SHAPES, **changed}.items():
        writer.add_tensor(f"{name}.weight", np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("name", "shape", "told"),
    [
        ("blk.0.attn_k", (16, WIDTH), "states 24 (llama.attention.head_count_kv"),
        ("blk.0.ffn_gate", (112, WIDTH), "states 80 (llama.feed_forward_length)"),
        ("blk.0.ffn_down", (WIDTH, 112), "states 80 (llama.feed_forward_length)"),
        ("blk.0.ffn_norm", (40,), "states 48 (llama.embedding_length), but the tensor has 40"),
        ("blk.0.attn_q", (4 * HEAD, 32), "states 48 (llama.embedding_length)"),
        ("token_embd", (90, 32), "states 48 (llama.embedding_length)"),
    ],
)
def test_a_tensor_of_another_shape_is_a_fault(
    name: str, shape: tuple[int, ...], told: str, tmp_path: Path, run: Run
) -> None:
    path = str(written(tmp_path / "m.gguf", {name: shape}))
    code, out, _ = run("check", path)
    assert code == 1
    assert f"{name}: the metadata {told}" in " ".join(out.split())
    code, out, _ = run("check", path, "--format", "json")
    data = json.loads(out)
    assert (code, data["fits"], data["faults"][0]["layer"]) == (1, False, name)


def test_a_sound_file_has_no_fault(tmp_path: Path) -> None:
    path = written(tmp_path / "m.gguf", {})
    assert not any(note.fault for note in inspect(path).model.notes)
