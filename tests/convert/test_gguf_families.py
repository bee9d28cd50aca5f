"""Checkpoints of GPT-2, BLOOM, GPT-NeoX, Falcon and Mamba as GGUF files, back, and compared.

The names are those of ``gguf.get_tensor_name_map``, the numbers the formulas of the classes' own
``modify_tensors`` in llama.cpp. For GPT-2 and BLOOM the same files were also read by the GGUF reader of
``transformers`` 5.24: random models of both gave logits that are 0.0 apart.
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
HEADS, KEY_HEADS, HEAD, WIDTH, WIDE, WORDS = 6, 2, 4, 24, 40, 50

#: The names of what is in a block, and the shapes of the weights in GGUF's order.
_LAYERS = {
    "gpt2": ("transformer.h", "ln_1 attn.c_attn attn.c_proj ln_2 mlp.c_fc mlp.c_proj"),
    "bloom": (
        "transformer.h",
        "input_layernorm self_attention.query_key_value self_attention.dense post_attention_layernorm "
        "mlp.dense_h_to_4h mlp.dense_4h_to_h",
    ),
    "gptneox": (
        "gpt_neox.layers",
        "input_layernorm attention.query_key_value attention.dense post_attention_layernorm "
        "mlp.dense_h_to_4h mlp.dense_4h_to_h",
    ),
    "falcon": (
        "transformer.h",
        "ln_attn self_attention.query_key_value self_attention.dense ln_mlp mlp.dense_h_to_4h "
        "mlp.dense_4h_to_h",
    ),
}
_OUTSIDE = {
    "gpt2": {"transformer.wte.weight": (WORDS, WIDTH), "transformer.wpe.weight": (17, WIDTH)},
    "bloom": {"transformer.word_embeddings.weight": (WORDS, WIDTH)},
    "gptneox": {"gpt_neox.embed_in.weight": (WORDS, WIDTH), "embed_out.weight": (WORDS, WIDTH)},
    "falcon": {"transformer.word_embeddings.weight": (WORDS, WIDTH)},
}
_CONFIG = {
    "gpt2": {"architectures": ["GPT2LMHeadModel"], "n_embd": WIDTH, "n_head": HEADS, "n_layer": 2},
    "bloom": {"architectures": ["BloomForCausalLM"], "hidden_size": WIDTH, "n_head": HEADS, "n_layer": 2},
    "gptneox": {
        "architectures": ["GPTNeoXForCausalLM"], "hidden_size": WIDTH, "num_attention_heads": HEADS,
        "num_hidden_layers": 2, "intermediate_size": WIDE,
    },
    "falcon": {
        "architectures": ["FalconForCausalLM"], "hidden_size": WIDTH, "num_attention_heads": HEADS,
        "num_kv_heads": KEY_HEADS, "num_hidden_layers": 2, "new_decoder_architecture": True,
    },
}  # fmt: skip
_TYPES = {"gpt2": "gpt2", "bloom": "bloom", "gptneox": "gpt_neox", "falcon": "falcon"}


def checkpoint(arch: str) -> dict[str, Array]:
    """Return random weights under the names of an architecture's class."""
    rows = (HEADS + 2 * KEY_HEADS) * HEAD if arch == "falcon" else 3 * WIDTH
    ends = [(), (rows, WIDTH), (WIDTH, WIDTH), (), (WIDE, WIDTH), (WIDTH, WIDE)]
    container, words = _LAYERS[arch]
    shapes: dict[str, tuple[int, ...]] = dict(_OUTSIDE[arch])
    for block in (0, 1):
        for name, shape in zip(words.split(), ends, strict=True):
            path = f"{container}.{block}.{name}"
            if not shape:
                shapes |= {f"{path}.weight": (WIDTH,), f"{path}.bias": (WIDTH,)}
                continue
            shapes[f"{path}.weight"] = shape[::-1] if arch == "gpt2" else shape
            if arch != "falcon":
                shapes[f"{path}.bias"] = shape[:1]
    rng = np.random.default_rng(7)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def converted(state: dict[str, Array], arch: str) -> dict[str, Array]:
    """Convert a checkpoint as llama.cpp's converter does."""
    keys = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(keys[arch], 2)
    found = {}
    for name, weight in state.items():
        plain = name.removeprefix("transformer.") if arch == "bloom" else name
        new = names.get_name(plain, try_suffixes=(".weight", ".bias"))
        assert new is not None, name
        if arch == "gpt2" and weight.ndim > 1 and ".h." in name:
            found[new] = weight.T
        elif "query_key_value" in name and arch == "falcon":
            groups = weight.reshape(KEY_HEADS, HEADS // KEY_HEADS + 2, HEAD, WIDTH)
            parts = groups[:, :-2], groups[:, [-2]], groups[:, [-1]]
            found[new] = np.concatenate([part.reshape(-1, WIDTH) for part in parts])
        elif "query_key_value" in name:
            heads = weight.reshape(HEADS, 3, HEAD, *weight.shape[1:])
            found[new] = np.concatenate([heads[:, at].reshape(-1, *weight.shape[1:]) for at in range(3)])
        else:
            found[new] = weight
    return found


def folder(path: Path, arch: str, **changed: Any) -> Path:
    path.mkdir()
    save_file(checkpoint(arch), path / "model.safetensors", {"format": "pt"})
    config = {"model_type": _TYPES[arch], "vocab_size": WORDS, **_CONFIG[arch], **changed}
    (path / "config.json").write_text(json.dumps(config))
    return path


def written(path: Path, arch: str) -> Path:
    writer = gguf.GGUFWriter(path, arch)
    writer.add_block_count(2)
    writer.add_embedding_length(WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS if arch == "falcon" else HEADS)
    writer.add_layer_norm_eps(1e-5)
    for name, array in converted(checkpoint(arch), arch).items():
        writer.add_tensor(name, np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("arch", sorted(_LAYERS))
def test_into_gguf_back_and_compared(arch: str, tmp_path: Path) -> None:
    source = folder(tmp_path / "model", arch)
    shapeinspect.normalize(source, tmp_path / "out", to="gguf")
    got, wanted = load_file(tmp_path / "out"), converted(checkpoint(arch), arch)
    assert got.keys() == wanted.keys()
    for name, array in wanted.items():
        assert np.array_equal(got[name], array), name

    file = written(tmp_path / "m.gguf", arch)
    shapeinspect.normalize(file, tmp_path / "back", to="hf")
    back, state = load_file(tmp_path / "back"), checkpoint(arch)
    assert back.keys() == state.keys()
    for name, array in state.items():
        assert np.array_equal(back[name], array), name

    for a, b in ((source, file), (file, source)):
        found = shapeinspect.diff(a, b, values=True)
        assert found.same, str(found)
        assert found.verdict.startswith("all ")


def test_rows_that_are_not_those_of_the_heads_are_not_moved(tmp_path: Path) -> None:
    """Falcon with one head of keys says so in another place than the one that the converter reads."""
    source = folder(tmp_path / "model", "falcon", num_kv_heads=HEADS)
    with pytest.raises(UsageError, match="40 rows are not those of 6 heads and 6 of keys and values"):
        shapeinspect.normalize(source, tmp_path / "out", to="gguf")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arch", ["bloom", "falcon"])
def test_rows_in_another_order_are_a_difference(arch: str, tmp_path: Path) -> None:
    """The file has the rows as the checkpoint has them: the converter's step was left out."""
    source, file = folder(tmp_path / "model", arch), tmp_path / "m.gguf"
    keys = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(keys[arch], 2)
    writer = gguf.GGUFWriter(file, arch)
    writer.add_block_count(2)
    writer.add_embedding_length(WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS if arch == "falcon" else HEADS)
    writer.add_layer_norm_eps(1e-5)
    for name, array in checkpoint(arch).items():
        plain = name.removeprefix("transformer.") if arch == "bloom" else name
        writer.add_tensor(names.get_name(plain, try_suffixes=(".weight", ".bias")), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = shapeinspect.diff(source, file, values=True)
    wrong = {str(pair.b) for pair in found.layers if pair.status != "same"}
    assert wrong == {"blk.0.attn_qkv", "blk.1.attn_qkv"}, str(found)


def test_key_heads_that_nothing_states_are_not_guessed(tmp_path: Path) -> None:
    """The converter then takes one, which the rows have to prove: 40 could be those of 6 heads, 5 wide."""
    source = folder(tmp_path / "model", "falcon")
    config = json.loads((source / "config.json").read_text())
    del config["num_kv_heads"]
    (source / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match="40 rows are not those of 6 heads and 1 of keys and values"):
        shapeinspect.normalize(source, tmp_path / "out", to="gguf")


INNER, STATE, STEPS, TAPS = 48, 5, 3, 4


def mamba() -> dict[str, Array]:
    """Return random weights of two blocks of Mamba, under the names of its class."""
    shapes: dict[str, tuple[int, ...]] = {
        "backbone.embeddings.weight": (WORDS, WIDTH), "backbone.norm_f.weight": (WIDTH,),
    }  # fmt: skip
    for block in (0, 1):
        path = f"backbone.layers.{block}"
        shapes |= {
            f"{path}.norm.weight": (WIDTH,), f"{path}.mixer.in_proj.weight": (2 * INNER, WIDTH),
            f"{path}.mixer.conv1d.weight": (INNER, 1, TAPS), f"{path}.mixer.conv1d.bias": (INNER,),
            f"{path}.mixer.x_proj.weight": (STEPS + 2 * STATE, INNER), f"{path}.mixer.A_log": (INNER, STATE),
            f"{path}.mixer.dt_proj.weight": (INNER, STEPS), f"{path}.mixer.dt_proj.bias": (INNER,),
            f"{path}.mixer.D": (INNER,), f"{path}.mixer.out_proj.weight": (WIDTH, INNER),
        }  # fmt: skip
    rng = np.random.default_rng(7)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def test_a_model_of_state_spaces(tmp_path: Path) -> None:
    """The converter stores A and no logarithm, and the kernel without its one input."""
    state = mamba()
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MAMBA, 2)
    wanted = {}
    for name, weight in state.items():
        new = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert new is not None, name
        wanted[new] = -np.exp(weight) if name.endswith("A_log") else weight
        if name.endswith("conv1d.weight"):
            wanted[new] = weight.squeeze()
    source = tmp_path / "model"
    source.mkdir()
    save_file(state, source / "model.safetensors", {"format": "pt"})
    (source / "config.json").write_text(
        json.dumps({"architectures": ["MambaForCausalLM"], "model_type": "mamba", "hidden_size": WIDTH})
    )
    shapeinspect.normalize(source, tmp_path / "out", to="gguf")
    got = load_file(tmp_path / "out")
    assert got.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(got[name], array, rtol=1e-6, err_msg=name)

    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "mamba")
    writer.add_block_count(2)
    writer.add_embedding_length(WIDTH)
    writer.add_layer_norm_rms_eps(1e-5)
    for name, array in wanted.items():
        writer.add_tensor(name, np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    shapeinspect.normalize(tmp_path / "m.gguf", tmp_path / "back", to="hf", keep_unknown=True)
    back = load_file(tmp_path / "back")
    assert back.keys() == state.keys()
    for name, array in state.items():
        np.testing.assert_allclose(back[name], array, rtol=1e-5, atol=1e-6, err_msg=name)

    for a, b in ((source, tmp_path / "m.gguf"), (tmp_path / "m.gguf", source)):
        found = shapeinspect.diff(a, b, values=True)
        assert found.same, str(found)
    state["backbone.layers.1.mixer.A_log"][3, 2] += 0.5
    save_file(state, source / "model.safetensors", {"format": "pt"})
    found = shapeinspect.diff(source, tmp_path / "m.gguf", values=True)
    assert [str(pair.b) for pair in found.layers if pair.status != "same"] == ["blk.1.ssm_a"], str(found)
