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


def written(
    path: Path,
    changed: Mapping[str, tuple[int, ...]],
    arch: str = "llama",
    without: str = "",
    **facts: int,
) -> Path:
    writer = gguf.GGUFWriter(path, arch)
    stated = {
        "block_count": 1, "embedding_length": WIDTH, "feed_forward_length": INNER, "attention.head_count": 4,
        "attention.head_count_kv": 2,
    }  # fmt: skip
    for key, value in {**stated, **facts}.items():
        writer.add_uint32(f"{arch}.{key}", value)
    writer.add_layer_norm_rms_eps(1e-5)
    for name, shape in {**SHAPES, **changed}.items():
        if name not in without.split():
            writer.add_tensor(f"{name}.weight", np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("name", "shape", "expected", "origin"),
    [
        ("blk.0.attn_k", (16, WIDTH), (24, WIDTH), "attention.head_count_kv × head width 24"),
        ("blk.0.ffn_gate", (112, WIDTH), (INNER, WIDTH), "feed_forward_length 80"),
        ("blk.0.ffn_down", (WIDTH, 112), (WIDTH, INNER), "feed_forward_length 80"),
        ("blk.0.ffn_norm", (40,), (WIDTH,), "embedding_length 48"),
        ("blk.0.attn_q", (4 * HEAD, 32), (4 * HEAD, WIDTH), "embedding_length 48"),
        ("token_embd", (90, 32), (90, WIDTH), "embedding_length 48"),
    ],
)
def test_a_tensor_of_another_shape_is_a_fault(
    name: str, shape: tuple[int, ...], expected: tuple[int, ...], origin: str, tmp_path: Path, run: Run
) -> None:
    path = str(written(tmp_path / "m.gguf", {name: shape}))
    code, out, _ = run("check", path)
    assert code == 1
    lengths, stated = (", ".join(map(str, reversed(sizes))) for sizes in (shape, expected))
    message = f"tensor '{name}.weight' has wrong shape; expected {stated}, got {lengths}"
    assert message in " ".join(out.split())
    code, out, _ = run("check", path, "--format", "json")
    data = json.loads(out)
    assert (code, data["fits"], data["faults"][0]["layer"]) == (1, False, name)
    (row,) = data["faults"][0]["weights"]
    assert row["name"] == f"{name}.weight"
    assert [row["expected"], row["got"]] == [f"({', '.join(map(str, sizes))})" for sizes in (expected, shape)]
    assert origin in row["from"]


@pytest.mark.parametrize("name", ["output_norm", "blk.0.ffn_up", "blk.0.attn_norm", "blk.0.attn_v"])
def test_a_tensor_that_is_missing_is_a_fault(name: str, tmp_path: Path, run: Run) -> None:
    code, out, _ = run("check", str(written(tmp_path / "m.gguf", {}, without=name)))
    assert code == 1
    assert f"llama.cpp: missing tensor '{name}.weight'" in out


def test_fused_projections_stand_for_three(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "m.gguf"
    written(path, {"blk.0.attn_qkv": (8 * HEAD, WIDTH)}, without="blk.0.attn_q blk.0.attn_k blk.0.attn_v")
    assert run("check", str(path))[0] == 0


def test_a_block_too_few_is_a_fault(tmp_path: Path, run: Run) -> None:
    code, out, _ = run("check", str(written(tmp_path / "m.gguf", {}, block_count=2)))
    assert (code, "missing tensor 'blk.1.attn_norm.weight'" in out) == (1, True)


@pytest.mark.parametrize(
    ("facts", "row"),
    [
        (
            {"attention.head_count": 5, "attention.head_count_kv": 5},
            ("llama.attention.head_count", "a divisor of 48", "5"),
        ),
        ({"attention.head_count_kv": 3}, ("llama.attention.head_count_kv", "a divisor of 4", "3")),
    ],
)
def test_heads_that_do_not_divide(
    facts: dict[str, int], row: tuple[str, str, str], tmp_path: Path, run: Run
) -> None:
    code, out, _ = run("check", str(written(tmp_path / "m.gguf", {}, **facts)), "--format", "json")
    rows = [
        (item["name"], item["expected"], item["got"])
        for fault in json.loads(out)["faults"]
        for item in fault["weights"]
    ]
    assert code == 1
    assert row in rows


EXPERTS = {
    "blk.0.attn_q_norm": (HEAD,), "blk.0.attn_k_norm": (HEAD,), "blk.0.ffn_gate_inp": (6, WIDTH),
    "blk.0.ffn_gate_exps": (6, 20, WIDTH), "blk.0.ffn_up_exps": (6, 20, WIDTH),
    "blk.0.ffn_down_exps": (6, WIDTH, 20),
}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "name", "expected"),
    [
        ({}, "", ""),
        ({"expert_feed_forward_length": 24}, "blk.0.ffn_down_exps.weight", "(6, 48, 24)"),
        ({"expert_feed_forward_length": 24}, "blk.0.ffn_up_exps.weight", "(6, 24, 48)"),
        ({"expert_count": 9}, "blk.0.ffn_gate_exps.weight", "(9, 20, 48)"),
    ],
)
def test_experts(facts: dict[str, int], name: str, expected: str, tmp_path: Path, run: Run) -> None:
    stated = {"expert_count": 6, "expert_used_count": 2, "expert_feed_forward_length": 20, **facts}
    dense = "blk.0.ffn_gate blk.0.ffn_up blk.0.ffn_down"
    path = written(tmp_path / "m.gguf", EXPERTS, "qwen3moe", dense, **stated)
    code, out, _ = run("check", str(path), "--format", "json")
    rows = [
        (item["name"], item["expected"])
        for fault in json.loads(out).get("faults", ())
        for item in fault["weights"]
    ]
    assert code == bool(facts)
    assert (name, expected) in rows if facts else rows == []


def test_a_sound_file_has_no_fault(tmp_path: Path) -> None:
    path = written(tmp_path / "m.gguf", {})
    assert not any(note.fault for note in inspect(path).model.notes)
