"""Adapters against their base, merged ones, placeholders of sharded training, and tied weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

import shapeinspect

Array = Any
RNG = np.random.default_rng(3)


def drawn(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def base() -> dict[str, Array]:
    state: dict[str, Array] = {"model.embed_tokens.weight": drawn(30, 24)}
    for block in range(2):
        for name, shape in (("q_proj", (20, 24)), ("v_proj", (12, 24)), ("o_proj", (24, 20))):
            state[f"model.layers.{block}.self_attn.{name}.weight"] = drawn(*shape)
    return state


def adapter(state: dict[str, Array], names: tuple[str, ...] = ("q_proj", "v_proj")) -> dict[str, Array]:
    """Write the factors under PEFT's names. Source: ``peft.get_peft_model_state_dict``."""
    factors = {}
    for key, weight in state.items():
        if any(name in key for name in names):
            stem = f"base_model.model.{key.removesuffix('.weight')}"
            factors[f"{stem}.lora_A.weight"] = drawn(3, weight.shape[1])
            factors[f"{stem}.lora_B.weight"] = drawn(weight.shape[0], 3)
    return factors


def saved(folder: Path, name: str, state: dict[str, Array]) -> str:
    save_file(state, folder / name)
    return str(folder / name)


@pytest.mark.parametrize("first", [True, False])
def test_an_adapter_is_held_against_the_layers_that_it_changes(first: bool, tmp_path: Path) -> None:
    state = base()
    paths = (
        saved(tmp_path, "adapter_model.safetensors", adapter(state)),
        saved(tmp_path, "b.safetensors", state),
    )
    found = shapeinspect.diff(*(paths if first else paths[::-1]), values=True)
    assert found.same
    assert found.verdict == "the adapter fits all 4 layers that it changes"
    assert found.to_dict()["adapter"] == ("A" if first else "B")
    note = found.comparison.notes[0].text
    assert "of rank 3: it changes 4 of the 7 layers" in note
    assert "q_proj ×2, v_proj ×2" in note
    for layer in found.layers:
        ours, theirs = (layer.a, layer.b) if first else (layer.b, layer.a)
        assert ours is not None
        assert theirs is not None
        assert ours == f"base_model.model.{theirs}"


def test_a_factor_of_other_lengths_and_a_layer_that_is_missing_are_found(tmp_path: Path) -> None:
    state = base()
    factors = adapter(state)
    factors["base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight"] = drawn(3, 25)
    factors |= adapter({"model.layers.7.mlp.up_proj.weight": drawn(9, 24)}, names=("up_proj",))
    a, b = saved(tmp_path, "adapter_model.safetensors", factors), saved(tmp_path, "b.safetensors", state)
    found = shapeinspect.diff(a, b)
    assert found.verdict == "the adapter fits 3 of the 5 layers that it changes; 1 is not in B"
    different = {layer.b: layer for layer in found.layers if layer.status != "same"}
    assert set(different) == {"model.layers.1.self_attn.v_proj", None}
    why = [text for weight in different["model.layers.1.self_attn.v_proj"].weights for text in weight.why]
    assert why == ["reads 25 inputs, the layer has 24 in B"]


def test_a_merged_adapter_is_a_difference_of_its_rank(tmp_path: Path) -> None:
    state = base()
    factors, merged = adapter(state), dict(state)
    for key in state:
        stem = f"base_model.model.{key.removesuffix('.weight')}"
        if f"{stem}.lora_A.weight" in factors:
            merged[key] = state[key] + 2 * factors[f"{stem}.lora_B.weight"] @ factors[f"{stem}.lora_A.weight"]
    a, b = saved(tmp_path, "a.safetensors", state), saved(tmp_path, "b.safetensors", merged)
    different = {
        layer.a: layer for layer in shapeinspect.diff(a, b, values=True).layers if layer.status != "same"
    }
    assert set(different) == {
        f"model.layers.{block}.self_attn.{name}_proj" for block in (0, 1) for name in "qv"
    }
    assert all(
        "by a matrix of rank 3, as a merged" in layer.weights[0].why[0] for layer in different.values()
    )


def test_other_numbers_and_single_rows_are_no_merged_adapter(tmp_path: Path) -> None:
    state = {"a.weight": drawn(24, 20), "b.weight": drawn(24, 20)}
    other = {"a.weight": drawn(24, 20), "b.weight": state["b.weight"].copy()}
    other["b.weight"][3] += 1
    a, b = saved(tmp_path, "a.safetensors", state), saved(tmp_path, "b.safetensors", other)
    found = shapeinspect.diff(a, b, values=True)
    assert not any(
        "rank" in text for layer in found.layers for weight in layer.weights for text in weight.why
    )


def test_placeholders_of_sharded_training_are_paired_and_named(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), nn.Linear(7, 3))
    torch.save(net.state_dict(), tmp_path / "b.pt")
    torch.save({key: torch.empty(0) for key in net.state_dict()}, tmp_path / "a.pt")
    found = shapeinspect.diff(str(tmp_path / "a.pt"), str(tmp_path / "b.pt"), values=True)
    assert [(layer.a, layer.b, layer.status) for layer in found.layers] == [(n, n, "differs") for n in "012"]
    texts = {text for layer in found.layers for weight in layer.weights for text in weight.why}
    assert texts == {"A holds a placeholder of length 0: ZeRO-3 keeps the numbers in its own shards"}


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.fc = nn.Embedding(11, 6), nn.Linear(6, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight


def test_a_tied_layer_that_a_file_drops_is_there(tmp_path: Path) -> None:
    state = Tied().state_dict()
    torch.save(state, tmp_path / "a.pt")
    torch.save(
        {key: value.clone() for key, value in state.items() if key != "head.weight"}, tmp_path / "b.pt"
    )
    layers = shapeinspect.diff(str(tmp_path / "a.pt"), str(tmp_path / "b.pt"), values=True).layers
    head = next(layer for layer in layers if layer.a == "head")
    assert (head.b, head.status, head.why) == ("embed", "same", ("A ties it to embed, which B stores once",))
    assert all(layer.status == "same" for layer in layers)
