"""GGUF files against the checkpoints that they were converted from: names, order of rows, rounding.

The names come from ``gguf.TensorNameMap``, the quantized bytes from ``gguf.quants``, both of llama.cpp's own
package; the order of the rows from the formula of ``LlamaModel.permute`` in its converter. Before the
table of names was read, the pairs were found by their numbers alone: of a file in Q8_0, none was.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

import shapeinspect
from shapeinspect.registry import name_table

Array = Any
RNG = np.random.default_rng(11)
HEADS, KEY_HEADS, WIDTH = 4, 2, 8


def decoder() -> dict[str, Array]:
    """Write the weights of two blocks under Hugging Face's names."""
    state = {"model.embed_tokens.weight": (50, 64), "lm_head.weight": (50, 64), "model.norm.weight": (64,)}
    for block in ("model.layers.0.", "model.layers.1."):
        state |= {
            f"{block}self_attn.q_proj.weight": (HEADS * WIDTH, 64),
            f"{block}self_attn.k_proj.weight": (KEY_HEADS * WIDTH, 64),
            f"{block}self_attn.v_proj.weight": (KEY_HEADS * WIDTH, 64),
            f"{block}self_attn.o_proj.weight": (64, HEADS * WIDTH),
            f"{block}mlp.gate_proj.weight": (96, 64),
            f"{block}mlp.up_proj.weight": (96, 64),
            f"{block}mlp.down_proj.weight": (64, 96),
            f"{block}input_layernorm.weight": (64,),
            f"{block}post_attention_layernorm.weight": (64,),
        }
    return {name: RNG.standard_normal(shape).astype(np.float32) for name, shape in state.items()}


def permuted(weight: Array, heads: int) -> Array:
    """Source: ``conversion/llama.py``, ``LlamaModel.permute``."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def converted(
    state: dict[str, Array],
    path: Path,
    arch: str = "llama",
    kind: str = "F32",
    *,
    turned: bool = True,
    shift: float = 0.0,
) -> str:
    """Convert a checkpoint as llama.cpp's converter does."""
    keys = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(keys[arch], 2)
    writer = gguf.GGUFWriter(path, arch)
    writer.add_block_count(2)
    writer.add_embedding_length(64)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_key_length(WIDTH)
    writer.add_value_length(WIDTH)
    writer.add_layer_norm_rms_eps(1e-5)
    quantized = gguf.GGMLQuantizationType[kind]
    for name, weight in state.items():
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert new is not None
        array = weight + np.float32(shift) if name.endswith("norm.weight") else weight
        if turned and name.endswith(("q_proj.weight", "k_proj.weight")):
            array = permuted(array, HEADS if "q_proj" in name else KEY_HEADS)
        if array.ndim > 1 and kind != "F32":
            writer.add_tensor(new, gguf.quantize(array, quantized), raw_dtype=quantized)
        else:
            writer.add_tensor(new, np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return str(path)


@pytest.fixture
def checkpoint(tmp_path: Path) -> tuple[dict[str, Array], str]:
    state = decoder()
    save_file(state, tmp_path / "hf.safetensors")
    return state, str(tmp_path / "hf.safetensors")


def test_every_name_that_the_converter_knows_is_known_here() -> None:
    table = name_table("ggml")
    assert table is not None
    families = ("attn", "ffn", "post", "layer_output")
    blocks = ("enc.blk", "dec.blk", "v.blk", *(f"blk.{{bid}}.{family}" for family in families))
    lost, found = [], 0
    for tensor, names in gguf.TensorNameMap.block_mappings_cfg.items():
        here = gguf.TENSOR_NAMES[tensor]
        for name in names if here.startswith(blocks) else ():
            if "{bid}." in name:
                there = name.removesuffix(".weight").replace("{bid}", "7")
                found += 1
                if here.replace("{bid}", "7") not in table.here(there):
                    lost.append(name)
    assert found > 500
    assert len(lost) < found / 20, lost


@pytest.mark.parametrize("arch", ["llama", "qwen2", "qwen3", "phi3", "gemma2", "gpt2", "bert", "gptneox"])
def test_the_names_of_an_architecture_are_the_converters(arch: str) -> None:
    """Each name that the converter takes for one tensor of an architecture leads to it among its tensors."""
    table, keys = name_table("ggml"), {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}
    assert table is not None
    key = keys[arch]
    known = {gguf.TENSOR_NAMES[tensor].format(bid=0) for tensor in gguf.MODEL_TENSORS[key]}
    mapping = gguf.get_tensor_name_map(key, 1).mapping
    for name, (_, here) in mapping.items():
        if here in known and name != here and "rotary" not in name and "rope" not in name:
            assert here in table.here(name.removesuffix(".weight"), known), name


@pytest.mark.parametrize("kind", ["F32", "Q8_0", "Q4_0", "Q5_1"])
def test_a_converted_checkpoint_is_the_same(
    kind: str, checkpoint: tuple[dict[str, Array], str], tmp_path: Path
) -> None:
    state, path = checkpoint
    file = converted(state, tmp_path / "m.gguf", kind=kind)
    for a, b in ((path, file), (file, path)):
        found = shapeinspect.diff(a, b, values=True)
        assert found.same, str(found)
        assert len(found.layers) == len(state)
        assert found.verdict.endswith("up to rounding") == (kind != "F32")


OTHERS = [
    ("qwen2", False, 0),
    ("gemma", False, 1),
    ("nemotron", False, 1),
    ("granite", True, 0),
    ("deepseek", True, 0),
]


@pytest.mark.parametrize(("arch", "turned", "shift"), OTHERS)
def test_other_architectures_are_converted_in_their_own_way(
    arch: str, turned: bool, shift: float, checkpoint: tuple[dict[str, Array], str], tmp_path: Path
) -> None:
    without = {"gemma": "lm_head", "nemotron": "gate_proj"}.get(arch, " ")
    state = {name: weight for name, weight in checkpoint[0].items() if without not in name}
    save_file(state, tmp_path / "hf.safetensors")
    file = converted(state, tmp_path / "m.gguf", arch, turned=turned, shift=shift)
    found = shapeinspect.diff(str(tmp_path / "hf.safetensors"), file, values=True)
    assert found.same, str(found)


_UP = "model.layers.1.mlp.up_proj.weight"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("F32", lambda w: w.T.copy().reshape(w.shape)),
        ("Q8_0", lambda w: RNG.standard_normal(w.shape).astype(np.float32)),
        ("Q4_0", lambda w: np.roll(w, 1, 0)),
        ("Q8_0", lambda w: w * np.float32(1.05)),
    ],
)
def test_one_other_tensor_is_found_in_its_layer(
    kind: str, change: Callable[[Array], Array], checkpoint: tuple[dict[str, Array], str], tmp_path: Path
) -> None:
    state, path = checkpoint
    file = converted({**state, _UP: change(state[_UP])}, tmp_path / "m.gguf", kind=kind)
    found = shapeinspect.diff(path, file, values=True)
    assert {layer.b for layer in found.layers if layer.status != "same"} == {"blk.1.ffn_up"}


@pytest.mark.parametrize("kind", ["F32", "Q8_0"])
def test_rows_that_were_not_permuted_are_found(
    kind: str, checkpoint: tuple[dict[str, Array], str], tmp_path: Path
) -> None:
    state, path = checkpoint
    file = converted(state, tmp_path / "m.gguf", kind=kind, turned=False)
    found = shapeinspect.diff(path, file, values=True)
    different = {layer.b: layer for layer in found.layers if layer.status != "same"}
    assert set(different) == {f"blk.{block}.attn_{name}" for block in (0, 1) for name in "qk"}
    for layer in different.values():
        assert "still in the order (head two pair), where B has (head pair two)" in layer.weights[0].why[0]


def test_experts_stored_one_by_one_are_the_stack_of_the_converted_file(tmp_path: Path) -> None:
    state = {name: weight for name, weight in decoder().items() if ".mlp." not in name}
    stacks: dict[str, Array] = {}
    for block in (0, 1):
        for name, shape in (("w1", (96, 64)), ("w2", (64, 96)), ("w3", (96, 64))):
            stem = f"model.layers.{block}.block_sparse_moe.experts"
            experts = RNG.standard_normal((3, *shape)).astype(np.float32)
            stacks[f"{stem}.{name}.weight"] = experts
            state |= {f"{stem}.{number}.{name}.weight": expert for number, expert in enumerate(experts)}
        state[f"model.layers.{block}.block_sparse_moe.gate.weight"] = RNG.standard_normal((3, 64)).astype(
            np.float32
        )
    save_file(state, tmp_path / "hf.safetensors")
    merged = {name: weight for name, weight in state.items() if ".experts." not in name} | stacks
    for kind in ("F32", "Q8_0"):
        file = converted(merged, tmp_path / "m.gguf", kind=kind)
        found = shapeinspect.diff(str(tmp_path / "hf.safetensors"), file, values=True)
        assert found.same, str(found)
        assert "model.layers.1.block_sparse_moe.experts.w3" in {layer.a for layer in found.layers}
    merged["model.layers.1.block_sparse_moe.experts.w3.weight"] = stacks[
        "model.layers.1.block_sparse_moe.experts.w3.weight"
    ][[1, 0, 2]]
    file = converted(merged, tmp_path / "n.gguf")
    found = shapeinspect.diff(str(tmp_path / "hf.safetensors"), file, values=True)
    assert {layer.b for layer in found.layers if layer.status != "same"} == {"blk.1.ffn_up_exps"}
