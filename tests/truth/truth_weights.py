"""What the cases of weight files share: a small decoder, and how its files are written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from truth_judge import Subject

RNG = np.random.default_rng(0)


def folder_of(
    folder: Path, name: str, tensors: Mapping[str, Any], config: Mapping[str, Any] | None, shards: int = 1
) -> Path:
    """A folder as the Hub has it: safetensors, an index where there is more than one, and `config.json`."""
    from safetensors.torch import save_file

    target = folder / name
    target.mkdir()
    names = list(tensors)
    if shards == 1:
        save_file(dict(tensors), target / "model.safetensors", metadata={"format": "pt"})
    else:
        where = {}
        for k in range(shards):
            part = names[k::shards]
            file = f"model-{k + 1:05}-of-{shards:05}.safetensors"
            save_file({n: tensors[n] for n in part}, target / file, metadata={"format": "pt"})
            where.update(dict.fromkeys(part, file))
        (target / "model.safetensors.index.json").write_text(
            json.dumps({"metadata": {"total_size": 0}, "weight_map": where})
        )
    if config is not None:
        (target / "config.json").write_text(json.dumps(config))
    return target


def read_from(target: Path) -> Path:
    """What a user names: the index of shards, or the only file."""
    index = target / "model.safetensors.index.json"
    return index if index.exists() else target / "model.safetensors"


def half(*shape: int) -> Any:
    import torch

    return torch.from_numpy(RNG.normal(size=shape).astype("float32")).half()


def words(*shape: int) -> Any:
    import torch

    return torch.from_numpy(RNG.integers(-(2**31), 2**31 - 1, shape).astype("int32"))


def bytes_of(*shape: int) -> Any:
    import torch

    return torch.from_numpy(RNG.integers(0, 255, shape).astype("uint8"))


LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 192,
    "num_hidden_layers": 2,
    "vocab_size": 320,
}
SHAPES = {
    "self_attn.q_proj": (64, 64),
    "self_attn.k_proj": (32, 64),
    "self_attn.v_proj": (32, 64),
    "self_attn.o_proj": (64, 64),
    "mlp.gate_proj": (192, 64),
    "mlp.up_proj": (192, 64),
    "mlp.down_proj": (64, 192),
}
LOGICAL = 2 * (sum(o * i for o, i in SHAPES.values()) + 2 * 64) + 320 * 64 * 2 + 64


def llama(pack: Any) -> dict[str, Any]:
    """All tensors of a small decoder, with every matrix packed by `pack(path, out, in)`."""
    told = {
        "model.embed_tokens.weight": half(320, 64),
        "model.norm.weight": half(64),
        "lm_head.weight": half(320, 64),
    }
    for k in range(2):
        for name, (o, i) in SHAPES.items():
            told.update(pack(f"model.layers.{k}.{name}", o, i))
        told[f"model.layers.{k}.input_layernorm.weight"] = half(64)
        told[f"model.layers.{k}.post_attention_layernorm.weight"] = half(64)
    return told


def both(label: str, target: Path, params: int, **more: Any) -> Iterator[Subject]:
    path = "model.layers.1.mlp.down_proj"
    sizes = {path: {"in_features": 192, "out_features": 64}} if params == LOGICAL else {}
    yield Subject(f"{label} (file)", read_from(target), params=params, settings=sizes, **more)
