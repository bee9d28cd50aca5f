"""What config.json proves: rows that are sound, and models of some families by hand."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from shapeinspect.ir import Model
from shapeinspect.registry import choose
from shapeinspect.sources.source import from_path
from shapeinspect_torch.recognition.families import FAMILIES, Family


def read(folder: Path, state: dict[str, tuple[int, ...]], config: dict[str, object]) -> Model:
    save_file({name: torch.zeros(shape) for name, shape in state.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return choose(source := from_path(folder)).read(source)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.types.partition(" ")[0])
def test_rows_are_sound(family: Family) -> None:
    """Every letter is a setting, and no fact stands behind a shorter one that would take its layers."""
    for at, fact in enumerate(family.facts):
        letters = chain.from_iterable(axis.split("*") for axis in fact.axes.split())
        assert {letter for letter in letters if not letter.isdigit()} <= set(family.settings)
        assert set(fact.letters.values()) <= set(family.settings)
        assert not any(f".{fact.ending}".endswith(f".{before.ending}") for before in family.facts[:at])


def test_a_type_is_of_one_family() -> None:
    types = [name for family in FAMILIES for name in family.types.split()]
    assert len(types) == len(set(types))


def test_norms_of_queries_and_keys(tmp_path: Path) -> None:
    """Qwen3: 6 heads of 5, 2 for keys and values; its norms go over one head."""
    config = {
        "model_type": "qwen3", "hidden_size": 24, "num_attention_heads": 6, "num_key_value_heads": 2,
        "head_dim": 5, "intermediate_size": 40, "vocab_size": 50, "num_hidden_layers": 1,
    }  # fmt: skip
    block = "model.layers.0.self_attn"
    state = {
        "model.embed_tokens.weight": (50, 24), f"{block}.q_proj.weight": (30, 24),
        f"{block}.k_proj.weight": (10, 24), f"{block}.q_norm.weight": (5,), f"{block}.k_norm.weight": (5,),
        "model.norm.weight": (24,),
    }  # fmt: skip
    model = read(tmp_path, state, config)
    found = {layer.path: layer for layer in model.layers}
    assert {layer.kind for layer in found.values()} == {"embedding", "linear", "rms_norm"}
    assert found[f"{block}.q_norm"].attributes["normalized_shape"] == (5,)
    assert found[f"{block}.k_proj"].attributes["num_kv_heads"] == 2
    assert not any("config.json makes" in note.text for note in model.notes)


def test_norms_over_all_heads(tmp_path: Path) -> None:
    """OLMo 2's go over all heads, 6·4 and 2·4; a file that has others is contradicted."""
    config = {
        "model_type": "olmo2", "hidden_size": 24, "num_attention_heads": 6, "num_key_value_heads": 2,
        "num_hidden_layers": 1,
    }  # fmt: skip
    block = "model.layers.0.self_attn"
    model = read(tmp_path, {f"{block}.q_norm.weight": (24,), f"{block}.k_norm.weight": (8,)}, config)
    assert [layer.kind for layer in model.layers] == ["rms_norm", "rms_norm"]
    model = read(tmp_path, {f"{block}.q_norm.weight": (24,), f"{block}.k_norm.weight": (24,)}, config)
    assert [layer.kind for layer in model.layers] == ["unknown", "rms_norm"]
    assert any("num_key_value_heads 2 × " in note.text for note in model.notes)


def test_an_encoder_of_sound(tmp_path: Path) -> None:
    """Whisper: what is a convolution, which table is whose, and a key projection without bias."""
    config = {
        "model_type": "whisper", "d_model": 24, "vocab_size": 50, "num_mel_bins": 20,
        "max_source_positions": 15, "max_target_positions": 11, "encoder_layers": 1,
    }  # fmt: skip
    state = {
        "model.encoder.conv1.weight": (24, 20, 3), "model.encoder.conv1.bias": (24,),
        "model.encoder.embed_positions.weight": (15, 24), "model.decoder.embed_positions.weight": (11, 24),
        "model.encoder.layers.0.self_attn.k_proj.weight": (24, 24),
        "model.encoder.layer_norm.weight": (24,), "model.encoder.layer_norm.bias": (24,),
    }  # fmt: skip
    kinds = {layer.path.removeprefix("model."): layer.kind for layer in read(tmp_path, state, config).layers}
    assert kinds == {
        "encoder.conv1": "conv", "encoder.embed_positions": "embedding", "encoder.layer_norm": "layer_norm",
        "encoder.layers.0.self_attn.k_proj": "linear", "decoder.embed_positions": "embedding",
    }  # fmt: skip
