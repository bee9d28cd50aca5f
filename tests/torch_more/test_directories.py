"""Model directories as they are published: the choice of the file, its config.json, adapters."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from shapeinspect.errors import UnreadableFileError, UsageError
from shapeinspect.ir import Layer, Model
from shapeinspect.registry import choose
from shapeinspect.sources.source import from_path

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 24, "num_attention_heads": 6,
    "num_key_value_heads": 2, "intermediate_size": 40, "vocab_size": 50, "num_hidden_layers": 2,
    "tie_word_embeddings": True,
}  # fmt: skip


def llama() -> dict[str, torch.Tensor]:
    """The weights of a Llama of these sizes, by hand: 6 heads of 4, 2 of them for keys and values."""
    state = {"model.embed_tokens.weight": torch.zeros(50, 24), "model.norm.weight": torch.zeros(24)}
    for at in range(2):
        state.update({
            f"model.layers.{at}.{name}.weight": torch.zeros(shape)
            for name, shape in {
                "self_attn.q_proj": (24, 24), "self_attn.k_proj": (8, 24), "self_attn.v_proj": (8, 24),
                "self_attn.o_proj": (24, 24), "mlp.gate_proj": (40, 24), "mlp.up_proj": (40, 24),
                "mlp.down_proj": (24, 40), "input_layernorm": (24,), "post_attention_layernorm": (24,),
            }.items()
        })  # fmt: skip
    return state


def write(folder: Path, config: dict | None = None, state: dict | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    save_file(state or llama(), folder / "model.safetensors", metadata={"format": "pt"})
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def read(path: Path) -> Model:
    source = from_path(path)
    return choose(source).read(source)


def texts(model: Model) -> list[str]:
    return [note.text for note in model.notes]


def by_path(model: Model) -> dict[str, Layer]:
    return {layer.path: layer for layer in model.layers}


def test_the_config_proves_what_the_weights_leave_open(tmp_path: Path) -> None:
    bare, told = by_path(read(write(tmp_path / "a"))), by_path(read(write(tmp_path / "b", LLAMA)))
    assert bare["model.embed_tokens"].kind == "unknown"
    assert told["model.embed_tokens"].kind == "embedding"
    assert told["model.embed_tokens"].attributes["num_embeddings"] == 50
    assert bare["model.norm"].kind == "unknown"
    assert told["model.norm"].kind == "rms_norm"
    query, key = told["model.layers.1.self_attn.q_proj"], told["model.layers.1.self_attn.k_proj"]
    assert dict(query.attributes) == {"in_features": 24, "out_features": 24, "num_heads": 6, "head_dim": 4}
    assert dict(key.attributes) == {"in_features": 24, "out_features": 8, "num_kv_heads": 2, "head_dim": 4}
    assert {layer.kind for layer in told.values()} == {"embedding", "linear", "rms_norm"}
    assert all(weight.layout is not None for layer in told.values() for weight in layer.weights)


def test_facts_and_the_tied_head(tmp_path: Path) -> None:
    model = read(write(tmp_path / "a", LLAMA))
    assert model.metadata["config.architectures"] == "LlamaForCausalLM"
    assert model.metadata["config.num_key_value_heads"] == "2"
    tied = "lm_head is not in the file: config.json ties its weight to model.embed_tokens.weight"
    assert tied in texts(model)
    untied = read(write(tmp_path / "b", {**LLAMA, "tie_word_embeddings": False}))
    assert "missing of what config.json makes: lm_head.weight (50, 24)" in texts(untied)
    assert not any("lm_head is not" in text for text in texts(untied))
    quiet = {name: value for name, value in LLAMA.items() if name != "tie_word_embeddings"}
    quiet["model_type"] = "mystery"
    assert any(
        "does not say whether it is tied" in text for text in texts(read(write(tmp_path / "c", quiet)))
    )
    whole = read(write(tmp_path / "d", LLAMA, {**llama(), "lm_head.weight": torch.zeros(50, 24)}))
    assert not any("lm_head is not" in text for text in texts(whole))


@pytest.mark.parametrize(("setting", "value", "path", "said"), [
    ("vocab_size", 51, "model.embed_tokens", "(vocab_size 51, hidden_size 24), the file has (50, 24)"),
    ("num_key_value_heads", 3, "model.layers.0.self_attn.k_proj",
     "(num_key_value_heads 3 × head_dim 4 = 12, hidden_size 24), the file has (8, "),
    ("intermediate_size", 41, "model.layers.1.mlp.down_proj", "(hidden_size 24, intermediate_size 41)"),
])  # fmt: skip
def test_a_contradiction_is_a_finding(tmp_path: Path, setting: str, value: int, path: str, said: str) -> None:
    model = read(write(tmp_path / "a", {**LLAMA, setting: value}))
    found = {note.about: note.text for note in model.notes if note.about}
    assert said in found[path]
    layer = by_path(model)[path]
    assert "num_heads" not in layer.attributes
    assert "num_kv_heads" not in layer.attributes


def test_the_number_of_blocks(tmp_path: Path) -> None:
    model = read(write(tmp_path / "a", {**LLAMA, "num_hidden_layers": 3}))
    assert "config.json has num_hidden_layers 3, the file has 2 blocks" in texts(model)


def test_a_family_that_is_not_known_adds_facts_alone(tmp_path: Path) -> None:
    model = read(write(tmp_path / "a", {**LLAMA, "model_type": "mystery"}))
    assert by_path(model)["model.embed_tokens"].kind == "unknown"
    assert model.metadata["config.model_type"] == "mystery"


def gpt2(n: int = 12) -> dict[str, torch.Tensor]:
    return {
        "wte.weight": torch.zeros(31, n), "wpe.weight": torch.zeros(17, n),
        "h.0.attn.c_attn.weight": torch.zeros(n, 3 * n), "h.0.attn.c_attn.bias": torch.zeros(3 * n),
        "h.0.attn.c_proj.weight": torch.zeros(n, n), "h.0.attn.c_proj.bias": torch.zeros(n),
        "h.0.ln_1.weight": torch.zeros(n), "h.0.ln_1.bias": torch.zeros(n),
    }  # fmt: skip


def test_gpt2_is_turned(tmp_path: Path) -> None:
    config = {
        "model_type": "gpt2",
        "n_embd": 12,
        "n_head": 3,
        "n_layer": 1,
        "vocab_size": 31,
        "n_positions": 17,
    }
    layers = by_path(read(write(tmp_path / "a", config, gpt2())))
    square = layers["h.0.attn.c_proj"]
    assert (square.kind, square.weights[0].layout.native) == ("linear", "i o")
    assert layers["h.0.attn.c_attn"].attributes["out_features"] == 36
    assert layers["h.0.ln_1"].kind == "layer_norm"
    assert layers["wpe"].attributes["num_embeddings"] == 17


def bert() -> dict[str, torch.Tensor]:
    base = "bert.encoder.layer.0"
    return {
        "bert.embeddings.word_embeddings.weight": torch.zeros(31, 12),
        "bert.embeddings.position_embeddings.weight": torch.zeros(17, 12),
        "bert.embeddings.LayerNorm.weight": torch.zeros(12),
        "bert.embeddings.LayerNorm.bias": torch.zeros(12),
        **{f"{base}.attention.self.{n}.weight": torch.zeros(12, 12) for n in ("query", "key", "value")},
        f"{base}.attention.output.dense.weight": torch.zeros(12, 12),
        f"{base}.intermediate.dense.weight": torch.zeros(20, 12),
        f"{base}.output.dense.weight": torch.zeros(12, 20),
    }  # fmt: skip


def test_bert(tmp_path: Path) -> None:
    config = {"model_type": "bert", "hidden_size": 12, "num_attention_heads": 3, "intermediate_size": 20,
              "vocab_size": 31, "max_position_embeddings": 17, "num_hidden_layers": 1}  # fmt: skip
    model = read(write(tmp_path / "a", config, bert()))
    layers = by_path(model)
    assert not [note for note in model.notes if note.about]
    assert layers["bert.encoder.layer.0.attention.self.key"].attributes["num_kv_heads"] == 3
    assert layers["bert.encoder.layer.0.output.dense"].attributes["in_features"] == 20
    assert layers["bert.embeddings.position_embeddings"].kind == "embedding"


def shard(folder: Path, save: Callable, ending: str, index: str) -> Path:
    state = llama()
    folder.mkdir()
    names = sorted(state)
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    where = {}
    for at, half in enumerate(halves):
        file = f"part-0000{at + 1}-of-00002{ending}"
        save({name: state[name] for name in half}, folder / file)
        where.update(dict.fromkeys(half, file))
    total = sum(tensor.nbytes for tensor in state.values())
    (folder / index).write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": where}))
    (folder / "config.json").write_text(json.dumps(LLAMA))
    return folder


@pytest.mark.parametrize(("save", "ending", "index"), [
    (save_file, ".safetensors", "model.safetensors.index.json"),
    (torch.save, ".bin", "pytorch_model.bin.index.json"),
])  # fmt: skip
def test_shards(tmp_path: Path, save: Callable, ending: str, index: str) -> None:
    folder = shard(tmp_path / "set", save, ending, index)
    (folder / "tokenizer.json").write_text("{}")
    model = read(folder)
    weights = {weight.name: weight for layer in model.layers for weight in layer.weights}
    assert {name: weight.shape for name, weight in weights.items()} == {
        name: tuple(tensor.shape) for name, tensor in llama().items()
    }
    where = json.loads((folder / index).read_text())["weight_map"]
    assert {name: weight.where for name, weight in weights.items()} == where
    assert f"read from {index} in the directory" in texts(model)
    assert not any("not read" in text for text in texts(model))
    assert by_path(model)["model.layers.0.self_attn.q_proj"].attributes["num_heads"] == 6


def test_what_else_is_there_is_said(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", LLAMA)
    torch.save(llama(), folder / "pytorch_model.bin")
    (folder / "training_args.bin").write_bytes(b"never read")
    (folder / "tf_model.h5").write_bytes(b"never read")
    model = read(folder)
    assert "read from model.safetensors in the directory" in texts(model)
    assert "not read: pytorch_model.bin, tf_model.h5" in texts(model)


@pytest.mark.parametrize("name", ["../x.bin", "/etc/passwd", "a\\b.bin", "a//b.bin", "x\0.bin", "C:x.bin"])
def test_a_shard_outside_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"w": name}}))
    with pytest.raises(UnreadableFileError, match="outside"):
        read(folder)


@pytest.mark.parametrize("text", [
    "", "[]", "{", "nonsense", '{"a": 1, "a": 2}', '{"vocab_size": 1e999, "model_type": ["llama"]}',
    json.dumps({**LLAMA, "hidden_size": True, "num_attention_heads": 0, "vocab_size": -3}),
    json.dumps({**LLAMA, "architectures": [3], "intermediate_size": 10**40, "num_hidden_layers": "2"}),
    "[" * 100_000, '{"a":' * 100_000, '{"hidden_size": ' + "9" * 6000 + "}",
])  # fmt: skip
def test_a_broken_config_is_refused_or_ignored(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "a")
    (folder / "config.json").write_text(text)
    said = ""
    try:
        model = read(folder)
    except UnreadableFileError as error:
        said = str(error)
    assert "config.json" in said if said else len(model.layers) == 20


def test_a_config_that_leads_outside_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    (tmp_path / "secret.json").write_text(json.dumps(LLAMA))
    (folder / "config.json").symlink_to("../secret.json")
    with pytest.raises(UnreadableFileError, match="leads outside"):
        read(folder)


def adapter(folder: Path, config: dict, ending: str = ".safetensors") -> Path:
    """An adapter as PEFT saves it: pairs of a (rank × in) and a (out × rank) matrix."""
    folder.mkdir()
    base = "base_model.model.model.layers.0.self_attn"
    state = {
        f"{base}.{name}.lora_{part}.weight": torch.zeros(shape)
        for name, out in (("q_proj", 30), ("v_proj", 8))
        for part, shape in (("A", (4, 24)), ("B", (out, 4)))
    }
    path = folder / f"adapter_model{ending}"
    save_file(state, path) if ending == ".safetensors" else torch.save(state, path)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


LORA = {
    "peft_type": "LORA",
    "r": 4,
    "lora_alpha": 16,
    "base_model_name_or_path": "me/llama",
    "task_type": None,
}


@pytest.mark.parametrize("ending", [".safetensors", ".bin"])
def test_lora(tmp_path: Path, ending: str) -> None:
    model = read(adapter(tmp_path / "a", LORA, ending))
    layers = by_path(model)
    assert list(layers) == [
        "base_model.model.model.layers.0.self_attn.q_proj",
        "base_model.model.model.layers.0.self_attn.v_proj",
    ]
    first, second = layers.values()
    assert (first.kind, dict(first.attributes)) == (
        "lora", {"in_features": 24, "out_features": 30, "rank": 4, "alpha": 16})  # fmt: skip
    assert second.attributes["out_features"] == 8
    assert model.metadata["adapter.scaling"] == "4.0"
    assert "2 low-rank updates of layers of me/llama, whose own weights are not in the file" in texts(model)


def test_lora_by_layer(tmp_path: Path) -> None:
    """``use_rslora`` scales by alpha/sqrt(r): 16/2 = 8; a pattern names a layer by the end of its path."""
    config = {**LORA, "use_rslora": True, "alpha_pattern": {"v_proj": 64}}
    model = read(adapter(tmp_path / "a", config))
    assert [layer.attributes["alpha"] for layer in model.layers] == [16, 64]
    assert model.metadata["adapter.scaling"] == "8.0"


def test_lora_of_another_rank_is_a_finding(tmp_path: Path) -> None:
    model = read(adapter(tmp_path / "a", {**LORA, "r": 8}))
    found = [note for note in model.notes if note.about]
    assert [note.text for note in found] == ["adapter_config.json says rank 8, the file has 4"] * 2


@pytest.mark.parametrize("config", [
    {"r": "4", "lora_alpha": [16]}, {"alpha_pattern": 3, "rank_pattern": []}, {"r": 0, "lora_alpha": 1e308},
    {"peft_type": 3, "alpha_pattern": {"(a+)+$": 3}}, {"peft_type": "IA3"},
])  # fmt: skip
def test_a_strange_adapter_config(tmp_path: Path, config: dict) -> None:
    model = read(adapter(tmp_path / "a", config))
    assert [layer.attributes["rank"] for layer in model.layers] == [4, 4]


def test_a_whole_model_without_config(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    torch.save(nn.Linear(3, 5).state_dict(), folder / "pytorch_model.bin")
    assert read(folder).layers[0].attributes["out_features"] == 5


def test_shards_without_their_index(tmp_path: Path) -> None:
    for at in (1, 3):
        save_file({f"fc{at}.weight": torch.zeros(3, 5)}, tmp_path / f"model-{at:05}-of-00003.safetensors")
    with pytest.raises(UsageError, match="2 of the 3 files of one model") as caught:
        choose(source := from_path(tmp_path)).read(source)
    assert "model.safetensors.index.json" in str(caught.value)


def test_a_pointer_in_a_directory(tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n"
    (tmp_path / "model.safetensors").write_bytes(pointer)
    with pytest.raises(UnreadableFileError, match="Git LFS pointer"):
        choose(source := from_path(tmp_path)).read(source)


def test_the_rank_of_adalora(tmp_path: Path) -> None:
    """Ranks are taken away from init_r; "r" keeps a default that nothing reads."""
    held = {"q.lora_A": torch.zeros(5, 7), "q.lora_B": torch.zeros(9, 5), "q.lora_E": torch.zeros(5, 1)}
    save_file(
        {f"base_model.model.{name}": tensor for name, tensor in held.items()},
        tmp_path / "adapter_model.safetensors",
    )
    config = {"peft_type": "ADALORA", "r": 8, "init_r": 6, "lora_alpha": 8}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    model = choose(source := from_path(tmp_path)).read(source)
    assert (model.layers[0].kind, model.layers[0].attributes["rank"]) == ("lora", 5)
    assert not any("says rank" in note.text for note in model.notes)
    assert model.metadata["adapter.init_r"] == "6"
    assert "adapter.scaling" not in model.metadata


def test_a_count_of_what_is_left_open(tmp_path: Path) -> None:
    """The note counts after the configuration was heard, not before."""
    state = {**llama(), "model.mystery.weight": torch.zeros(13)}
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    model = choose(source := from_path(tmp_path)).read(source)
    unproven = [layer.path for layer in model.layers if layer.kind == "unknown"]
    assert unproven == ["model.mystery"]
    (note,) = [note.text for note in model.notes if "do not prove" in note.text]
    assert f"kind of 1 of {len(model.layers)} layers" in note
