"""Checkpoints under the names of GGUF files, and back: the names are those of llama.cpp's own package.

``gguf.get_tensor_name_map`` says the names, the formula of ``LlamaModel.permute`` the order of the rows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import shapeinspect
from shapeinspect.errors import UsageError

Array = Any
HEADS, KEY_HEADS, WIDTH, MODEL = 6, 2, 4, 20

#: Source: ``conversion/gemma.py`` and ``conversion/nemotron.py``, ``modify_tensors``.
_PLUS_ONE = ("gemma", "nemotron")


def decoder(*, tied: bool = False) -> dict[str, Array]:
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (50, MODEL),
        "model.norm.weight": (MODEL,),
    }
    if not tied:
        shapes["lm_head.weight"] = (50, MODEL)
    for block in ("model.layers.0.", "model.layers.1."):
        shapes |= {
            f"{block}self_attn.q_proj.weight": (HEADS * WIDTH, MODEL),
            f"{block}self_attn.k_proj.weight": (KEY_HEADS * WIDTH, MODEL),
            f"{block}self_attn.v_proj.weight": (KEY_HEADS * WIDTH, MODEL),
            f"{block}self_attn.o_proj.weight": (MODEL, HEADS * WIDTH),
            f"{block}mlp.gate_proj.weight": (30, MODEL),
            f"{block}mlp.up_proj.weight": (30, MODEL),
            f"{block}mlp.down_proj.weight": (MODEL, 30),
            f"{block}input_layernorm.weight": (MODEL,),
            f"{block}post_attention_layernorm.weight": (MODEL,),
        }
    rng = np.random.default_rng(11)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def directory(path: Path, state: dict[str, Array], model_type: str = "llama") -> Path:
    path.mkdir()
    save_file(state, path / "model.safetensors", {"format": "pt"})
    config = {
        "model_type": model_type, "hidden_size": MODEL, "num_hidden_layers": 2, "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS, "head_dim": WIDTH, "vocab_size": 50, "intermediate_size": 30,
    }  # fmt: skip
    (path / "config.json").write_text(json.dumps(config))
    return path


def converted(state: dict[str, Array], arch: str, *, turned: bool) -> dict[str, Array]:
    """Convert a checkpoint as llama.cpp's converter does."""
    keys = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(keys[arch], 2)
    found = {}
    for name, weight in state.items():
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert new is not None
        heads = HEADS if "q_proj" in name else KEY_HEADS if "k_proj" in name else 0
        if heads and turned:
            halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
            found[new] = halves.swapaxes(1, 2).reshape(weight.shape)
        else:
            found[new] = weight + np.float32(1) if arch in _PLUS_ONE and "norm" in name else weight
    return found


@pytest.mark.parametrize(
    ("arch", "model_type", "turned"),
    [
        ("llama", "llama", True),
        ("llama", "mistral", True),
        ("deepseek", "deepseek", True),
        ("granite", "granite", True),
        ("nemotron", "nemotron", False),
        ("qwen2", "qwen2", False),
        ("gemma", "gemma", False),
    ],
)
def test_into_the_names_of_gguf(arch: str, model_type: str, turned: bool, tmp_path: Path) -> None:
    state = decoder(tied=arch == "gemma")
    if arch == "nemotron":  # it has no gate
        state = {name: weight for name, weight in state.items() if "gate_proj" not in name}
    source = directory(tmp_path / "model", state, model_type)
    shapeinspect.normalize(source, tmp_path / "out", to="gguf")
    wanted, got = converted(state, arch, turned=turned), load_file(tmp_path / "out")
    assert set(got) == set(wanted)
    for name, array in wanted.items():
        assert np.array_equal(got[name], array), name


@pytest.mark.parametrize(("arch", "turned"), [("llama", True), ("qwen2", False), ("gemma", False)])
def test_back_into_the_names_of_checkpoints(arch: str, turned: bool, tmp_path: Path) -> None:
    state = decoder(tied=arch == "gemma")
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", arch)
    writer.add_block_count(2)
    writer.add_embedding_length(MODEL)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_key_length(WIDTH)
    writer.add_value_length(WIDTH)
    writer.add_layer_norm_rms_eps(1e-5)
    for name, array in converted(state, arch, turned=turned).items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    shapeinspect.normalize(tmp_path / "m.gguf", tmp_path / "out", to="hf")
    got = load_file(tmp_path / "out")
    assert set(got) == set(state)
    for name, array in state.items():
        assert np.allclose(got[name], array, atol=1e-6 if arch == "gemma" else 0), name


def test_without_a_configuration_the_order_of_q_and_k_is_not_guessed(tmp_path: Path) -> None:
    save_file(decoder(), tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError) as caught:
        shapeinspect.normalize(tmp_path / "model.safetensors", tmp_path / "out", to="gguf")
    assert "self_attn.q_proj.weight: the order of its rows depends on the architecture" in str(caught.value)
    assert "4 weights" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_names_that_no_table_has_are_listed(tmp_path: Path) -> None:
    save_file({"mine.weight": np.zeros((3, 5), np.float32)}, tmp_path / "m.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match="no gguf name for it"):
        shapeinspect.normalize(tmp_path / "m.safetensors", tmp_path / "out", to="gguf")
    with pytest.raises(UsageError, match="--to hf does not go with"):
        shapeinspect.normalize(tmp_path / "m.safetensors", tmp_path / "out", to="hf")


def test_the_class_that_a_configuration_names_says_what_is_converted(tmp_path: Path) -> None:
    state = decoder()
    source = directory(tmp_path / "model", state, "mine")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "architectures": ["LlamaForCausalLM"]}))
    shapeinspect.normalize(source, tmp_path / "out", to="gguf")
    wanted, got = converted(state, "llama", turned=True), load_file(tmp_path / "out")
    assert all(np.array_equal(got[name], array) for name, array in wanted.items())


@pytest.mark.parametrize("model_type", ["codeshell", "qwen3_next"])
def test_what_is_done_to_numbers_is_not_guessed(model_type: str, tmp_path: Path) -> None:
    """Of these no class is known here, or the converter adds 1 to some norms alone."""
    source = directory(tmp_path / "model", decoder(), model_type)
    with pytest.raises(UsageError, match=f"what the converter does to the numbers of {model_type} is not"):
        shapeinspect.normalize(source, tmp_path / "out", to="gguf")
    assert not (tmp_path / "out").exists()
