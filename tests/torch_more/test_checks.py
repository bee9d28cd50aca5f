"""Weights held against what stands beside them: what breaks a directory is found where it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from shapeinspect.api.checking import Checked, check_model
from shapeinspect.errors import UsageError
from shapeinspect.sources.source import from_path

State = dict[str, torch.Tensor]
Row = tuple[str, str, str, str]


def checked(folder: Path) -> Checked:
    return check_model(from_path(folder), None, None)


def rows(folder: Path) -> list[Row]:
    """The rows of the table, as JSON has them."""
    return [
        (row["name"], row["expected"], row["got"], row["from"])
        for fault in checked(folder).data.get("faults", ())
        for row in fault.get("weights", ())
    ]


def save(state: State, path: Path) -> None:
    save_file({name: tensor.clone() for name, tensor in state.items()}, path, metadata={"format": "pt"})


def write(folder: Path, state: State, **files: object) -> Path:
    """Write a directory of weights, and JSON files beside them by their names without ending."""
    save(state, folder / "model.safetensors")
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def block(number: int, dtype: torch.dtype = torch.float32) -> State:
    path = f"model.layers.{number}.mlp.up_proj"
    return {f"{path}.weight": torch.zeros(40, 24, dtype=dtype), f"{path}.bias": torch.zeros(40)}


LLAMA = {
    "model_type": "llama",
    "hidden_size": 24,
    "intermediate_size": 40,
    "mlp_bias": True,
    "vocab_size": 50,
}
UP = "model.layers.{}.mlp.up_proj.weight"


def test_one_weight_of_another_type(tmp_path: Path) -> None:
    state = {name: item for number in range(3) for name, item in block(number).items()}
    write(tmp_path, state, config=LLAMA)
    assert rows(tmp_path) == []
    write(tmp_path, {**state, **block(1, torch.bfloat16)})
    row = (UP.format(1), "float32", "bfloat16", "2 of 3 weights of this name are float32")
    assert rows(tmp_path) == [row]


def test_norms_of_another_type_than_all_else_are_usual(tmp_path: Path) -> None:
    state = {name: item.bfloat16() for number in range(3) for name, item in block(number).items()}
    state |= {f"model.layers.{number}.input_layernorm.weight": torch.zeros(24) for number in range(3)}
    assert rows(write(tmp_path, state, config=LLAMA)) == []


def test_a_file_alone_is_held_against_the_configuration_beside_it(tmp_path: Path) -> None:
    write(tmp_path, {UP.format(0): torch.zeros(40, 25)}, config=LLAMA)
    assert rows(tmp_path / "model.safetensors") == rows(tmp_path)
    assert rows(tmp_path)[0][:3] == (UP.format(0), "(40, 24)", "(40, 25)")
    (tmp_path / "model.safetensors").rename(tmp_path / "part.safetensors")
    with pytest.raises(UsageError, match="no graph"):
        rows(tmp_path / "part.safetensors")


def gptq(number: int, bits: int) -> State:
    path, packed = f"model.layers.{number}.mlp.up_proj", 32 // bits
    return {
        f"{path}.qweight": torch.zeros(64 // packed, 96, dtype=torch.int32),
        f"{path}.qzeros": torch.zeros(2, 96 // packed, dtype=torch.int32),
        f"{path}.scales": torch.zeros(2, 96, dtype=torch.float16),
    }


WIDE = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 96}
HOW = {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 32}}


def test_a_quantizer_that_the_configuration_names(tmp_path: Path) -> None:
    state = {name: item for number in range(5) for name, item in gptq(number, 4).items()}
    path = "model.layers.3.mlp.up_proj"
    assert rows(write(tmp_path, state, config={**WIDE, **HOW})) == []
    write(tmp_path, state, config={**WIDE, "quantization_config": {**HOW["quantization_config"], "bits": 8}})
    assert (f"{path}.qweight", "8 bits", "4 bits", "quant_method gptq, bits 8") in rows(tmp_path)
    write(tmp_path, state, config=WIDE)
    stored = "stored: model.layers.0.mlp.up_proj.qweight and 4 more"
    assert rows(tmp_path) == [("quantization_config", "quant_method gptq", "missing", stored)]
    write(tmp_path, block(0), config={**LLAMA, **HOW})
    row = ("quantization_config", "qweight, qzeros, scales", "no quantized weight", "quant_method gptq")
    assert rows(tmp_path) == [row]
    del state[f"{path}.scales"]
    write(tmp_path, state, config={**WIDE, **HOW})
    row = (f"{path}.scales", "scales", "missing", "4 of 5 layers with a qweight (int32) have it")
    assert rows(tmp_path) == [row]


def test_a_scale_of_float8_that_is_missing(tmp_path: Path) -> None:
    state = {}
    for number in range(4):
        state[UP.format(number)] = torch.zeros(40, 24, dtype=torch.float8_e4m3fn)
        state[f"{UP.format(number)}_scale_inv"] = torch.ones(1, 1)
    config = {**LLAMA, "mlp_bias": False, "quantization_config": {"quant_method": "fp8"}}
    assert rows(write(tmp_path, state, config=config)) == []
    state[UP.format(4)] = torch.zeros(40, 24, dtype=torch.float8_e4m3fn)
    ((name, _, got, _),) = rows(write(tmp_path, state, config=config))
    assert (name, got) == (f"{UP.format(4)}_scale_inv", "missing")


WORDS = {f"w{number}": number for number in range(50)}


@pytest.mark.parametrize("name", [
    "tokenizer", "unigram", "added", "tokenizer_config", "added_tokens", "vocab", "vocab.txt", "padding",
])  # fmt: skip
@pytest.mark.parametrize("beyond", [0, 1])
def test_a_token_beyond_the_vocabulary(tmp_path: Path, name: str, beyond: int) -> None:
    """50 rows: the last token has the number 49, or 50."""
    last = 49 + beyond
    words = {f"w{number}": number for number in range(last + 1)}
    contents: dict[str, tuple[str, object]] = {
        "tokenizer": ("tokenizer.json", {"model": {"vocab": words}}),
        "unigram": ("tokenizer.json", {"model": {"vocab": [[word, -1.5] for word in words]}}),
        "added": ("tokenizer.json", {"model": {"vocab": {}}, "added_tokens": [{"id": last, "content": "x"}]}),
        "tokenizer_config": (
            "tokenizer_config.json",
            {"added_tokens_decoder": {str(last): {"content": "x"}}},
        ),
        "added_tokens": ("added_tokens.json", {"x": last}),
        "vocab": ("vocab.json", words),
        "vocab.txt": ("vocab.txt", None),
        "padding": ("generation_config.json", {}),
    }
    file, content = contents[name]
    (tmp_path / file).write_text(json.dumps(content) if content is not None else "\n".join(words) + "\n")
    write(tmp_path, block(0), config={**LLAMA, **({"pad_token_id": last} if name == "padding" else {})})
    found = [row[:3] for row in rows(tmp_path)]
    assert found == ([("vocab_size", "at least 51", "50")] if beyond else [])
    assert ("index out of range in self" in checked(tmp_path).text) == bool(beyond)


def test_the_message_is_that_of_torch() -> None:
    with pytest.raises(IndexError, match="index out of range in self"):
        torch.nn.Embedding(50, 3)(torch.tensor([50]))


def lora(folder: Path, config: dict[str, object], change: Callable[[State], object] = lambda _: None) -> Path:
    state = {}
    for layer in ("q_proj", "v_proj"):
        path = f"base_model.model.model.layers.1.self_attn.{layer}"
        state |= {f"{path}.lora_A.weight": torch.zeros(4, 24), f"{path}.lora_B.weight": torch.zeros(30, 4)}
    change(state)
    save(state, folder / "adapter_model.safetensors")
    stated = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], **config}
    (folder / "adapter_config.json").write_text(json.dumps(stated))
    return folder


QUERY = "base_model.model.model.layers.1.self_attn.q_proj"


@pytest.mark.parametrize(
    "targets", [["v_proj", "q_proj"], ["self_attn.v_proj", "q_proj"], "all-linear", r".*_proj"]
)
def test_an_adapter_that_is_as_its_configuration_says(tmp_path: Path, targets: object) -> None:
    answer = checked(lora(tmp_path, {"target_modules": targets}))
    assert (answer.exit_code, answer.findings) == (0, ())
    assert "its 2 low-rank pairs are whole" in answer.text


def test_an_adapter_of_another_rank(tmp_path: Path) -> None:
    found = rows(lora(tmp_path, {"r": 6}))
    assert (f"{QUERY}.lora_A.weight", "(6, 24)", "(4, 24)", "adapter_config.json: r 6") in found
    assert (f"{QUERY}.lora_B.weight", "(30, 6)", "(30, 4)", "adapter_config.json: r 6") in found


def test_a_layer_that_is_no_target(tmp_path: Path) -> None:
    found = rows(lora(tmp_path, {"target_modules": ["v_proj"]}))
    assert [row[:3] for row in found] == [
        (f"{QUERY}.lora_A.weight", "no such weight", "(4, 24)"),
        (f"{QUERY}.lora_B.weight", "no such weight", "(30, 4)"),
    ]


def test_half_a_pair(tmp_path: Path) -> None:
    found = rows(lora(tmp_path, {}, lambda state: state.pop(f"{QUERY}.lora_B.weight")))
    half = f"stored: {QUERY}.lora_A.weight"
    assert found == [(f"{QUERY}.lora_B.weight", "beside lora_A.weight", "missing", half)]


@pytest.fixture
def shards(tmp_path: Path) -> Callable[..., list[Row]]:
    """Write two files and their index, and return the rows; keywords change what is written."""

    def shards(first: State, second: State | None, weight_map: dict[str, str]) -> list[Row]:
        for number, state in ((1, first), (2, second)):
            if state is not None:
                save(state, tmp_path / f"model-0000{number}-of-00002.safetensors")
        index = {
            "weight_map": {
                name: f"model-0000{file}-of-00002.safetensors" for name, file in weight_map.items()
            }
        }
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
        (tmp_path / "config.json").write_text(json.dumps({**LLAMA, "mlp_bias": False}))
        return rows(tmp_path)

    return shards


def test_files_and_their_index(shards: Callable[..., list[Row]]) -> None:
    one, other, third = (UP.format(number) for number in range(3))
    tensor = torch.zeros(40, 24)
    both = {one: "1", other: "2"}
    assert shards({one: tensor}, {other: tensor}, both) == []
    found = shards({one: tensor, other: tensor}, {other: tensor}, both)
    files = "in model-00001-of-00002.safetensors and model-00002-of-00002.safetensors"
    assert found == [(other, "in one file", files, "the index: model-00002-of-00002.safetensors")]
    found = shards({one: tensor}, {other: tensor}, {**both, third: "2"})
    assert found == [(third, "in model-00002-of-00002.safetensors", "not in it", "the index: weight_map")]
    found = shards({one: tensor}, {other: tensor, third: tensor}, both)
    row = (third, "a file in the weight_map", "no entry", "stored: model-00002-of-00002.safetensors")
    assert found == [row]


def test_a_file_of_the_index_that_is_missing(shards: Callable[..., list[Row]]) -> None:
    one, other = UP.format(0), UP.format(1)
    found = shards({one: torch.zeros(40, 24)}, None, {one: "1", other: "2"})
    assert found == [("model-00002-of-00002.safetensors", "a file", "missing", "the index: 1 weight")]


def test_weights_of_another_head_are_no_fault_and_those_of_a_renamed_layer_are(tmp_path: Path) -> None:
    from shapeinspect_torch.recognition.families.family import family

    config = {
        "model_type": "bert", "architectures": ["BertForMaskedLM"], "vocab_size": 30, "hidden_size": 24,
        "num_hidden_layers": 1, "num_attention_heads": 3, "intermediate_size": 40, "type_vocab_size": 2,
        "max_position_embeddings": 20, "tie_word_embeddings": True,
    }  # fmt: skip
    rows_of = family("bert")
    assert rows_of is not None
    made = rows_of.expected(rows_of.settings(config))
    assert made is not None
    state = {item.name: torch.zeros([int(str(length)) for length in item.shape]) for item in made}
    others = {"qa_outputs.weight": torch.zeros(2, 24), "bert.dropped.norm.bias": torch.zeros(24)}
    found = checked(write(tmp_path, {**state, **others}, config=config))
    assert found.data.get("faults", []) == []
    said = " ".join(found.text.split())
    assert "does not load bert.dropped.norm.bias, qa_outputs.weight: it has no such layers" in said
    inside = "bert.encoder.layer.0.attention.gate.weight"
    assert [row[0] for row in rows(write(tmp_path, {**state, inside: torch.zeros(3)}, config=config))] == [
        inside
    ]
