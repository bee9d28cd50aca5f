"""What config.json proves, by rows that were found by asking a library, and other models of it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from shapeinspect.api.checking import check_model
from shapeinspect.errors import UsageError
from shapeinspect.ir import Model
from shapeinspect.registry import choose
from shapeinspect.render.results.contradictions import folded
from shapeinspect.sources.source import from_path
from shapeinspect_torch.recognition.families.family import Family, family, model_types

#: What files of models with random settings hold, as the library wrote them (``tests/families/write.py``).
ANSWERS = Path(__file__).parents[1] / "data/families"
TYPES = model_types()


def known(model_type: str) -> Family:
    found = family(model_type)
    assert found is not None
    return found


def read(folder: Path, state: dict[str, tuple[int, ...]], config: dict[str, object]) -> Model:
    save_file({name: torch.zeros(shape) for name, shape in state.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return choose(source := from_path(folder)).read(source)


@pytest.mark.parametrize("model_type", TYPES)
def test_a_family_has_the_weights_that_its_library_writes(model_type: str) -> None:
    """By number, names and shapes, from a ``config.json`` that the rows were not found from."""
    rows = known(model_type)
    lines = (ANSWERS / f"{model_type}.json").read_text().splitlines()
    assert len(lines) == 2
    for line in map(json.loads, lines):
        settings = rows.settings(line["config"])
        expected = rows.expected(settings)
        assert expected is not None
        assert len(expected) == line["tensors"]
        if all(None not in item.shape for item in expected):
            shapes = "\n".join(sorted(f"{item.name} {list(item.shape)}" for item in expected))
            assert hashlib.sha256(shapes.encode()).hexdigest()[:16] == line["digest"]


def test_nearly_all_shapes_are_known() -> None:
    """All but those of the rows whose lengths no short expression gives."""
    rows = [row for name in TYPES for row in known(name).rows]
    unknown = [row.name for row in rows if "unknown" in (*row.shape, row.condition)]
    assert len(TYPES) > 100
    assert len(unknown) < 0.01 * len(rows)


State = dict[str, tuple[int, ...]]
#: A small Llama: no two of its lengths are equal.
LLAMA = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 24, "head_dim": 5,
    "num_attention_heads": 6, "num_key_value_heads": 2, "intermediate_size": 40, "vocab_size": 50,
    "num_hidden_layers": 3,
}  # fmt: skip


def llama() -> State:
    """What the file of such a model holds: counted by hand."""
    state: State = {
        "model.embed_tokens.weight": (50, 24),
        "model.norm.weight": (24,),
        "lm_head.weight": (50, 24),
    }
    for number in range(3):
        block = f"model.layers.{number}"
        state |= {
            f"{block}.input_layernorm.weight": (24,), f"{block}.post_attention_layernorm.weight": (24,),
            f"{block}.self_attn.q_proj.weight": (30, 24), f"{block}.self_attn.k_proj.weight": (10, 24),
            f"{block}.self_attn.v_proj.weight": (10, 24), f"{block}.self_attn.o_proj.weight": (24, 30),
            f"{block}.mlp.gate_proj.weight": (40, 24), f"{block}.mlp.up_proj.weight": (40, 24),
            f"{block}.mlp.down_proj.weight": (24, 40),
        }  # fmt: skip
    return state


def test_a_whole_model_is_held_against_its_configuration(tmp_path: Path) -> None:
    read(tmp_path, llama(), LLAMA)
    answer = check_model(from_path(tmp_path), None, None)
    assert (answer.exit_code, answer.findings) == (0, ())
    assert (
        "its 30 weights have the names and shapes that config.json makes of a LlamaForCausalLM"
        in " ".join(answer.text.split())
    )


UP = "model.layers.1.mlp.up_proj.weight"
FULL = "(40, 24)"
#: What is done to the file or its configuration, and the row that is then shown: name, expected, got, from.
BROKEN: dict[str, tuple[Callable[[State], object], dict[str, object], tuple[str, str, str, str]]] = {
    "cut": (
        lambda state: state.update({UP: (37, 24)}), {},
        (UP, FULL, "(37, 24)", "config.json: intermediate_size 40, hidden_size 24"),
    ),
    "turned": (
        lambda state: state.update({UP: (24, 40)}), {},
        (UP, FULL, "(24, 40)", "config.json: intermediate_size 40, hidden_size 24"),
    ),
    "missing": (lambda state: state.pop(UP), {}, (UP, FULL, "missing", "config.json: num_hidden_layers 3")),
    "renamed": (
        lambda state: state.update({f"{UP}s": state.pop(UP)}), {},
        (f"{UP}s", "no such weight", FULL, "config.json: architectures LlamaForCausalLM"),
    ),
    "one block more": (
        lambda state: state.update({UP.replace(".1.", ".3."): (40, 24)}), {},
        (UP.replace(".1.", ".3."), "no such weight", FULL, "config.json: num_hidden_layers 3"),
    ),
    "key heads": (
        lambda state: None, {"num_key_value_heads": 3},
        ("model.layers.{0-2}.self_attn.k_proj.weight", "(15, 24)", "(10, 24)",
         "config.json: num_key_value_heads 3 × head_dim 5 = 15, hidden_size 24"),
    ),
    "groups of heads": (
        lambda state: None, {"num_attention_heads": 5, "head_dim": 6, "num_key_value_heads": 2},
        ("num_key_value_heads", "a divisor of 5", "2", "config.json: num_attention_heads 5"),
    ),
    "tied": (
        lambda state: state.pop("lm_head.weight"), {},
        ("lm_head.weight", "(50, 24)", "missing",
         "config.json: a LlamaForCausalLM, not(tie_word_embeddings)"),
    ),
    "wrapped": (
        lambda state: [state.update({f"module.{name}": state.pop(name)}) for name in [*state]], {},
        ("module.lm_head.weight", "no such weight", "(50, 24)",
         "config.json: architectures LlamaForCausalLM"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_model_is_found_where_it_is(tmp_path: Path, name: str) -> None:
    change, settings, row = BROKEN[name]
    state = llama()
    change(state)
    read(tmp_path, state, {**LLAMA, **settings})
    answer = check_model(from_path(tmp_path), None, None)
    assert answer.exit_code == 1
    rows = [(item.about, item.expected, item.got, item.origin) for item in folded(model_of(tmp_path).notes)]
    assert row in rows
    shown = answer.text.split()
    assert all(word in shown for text in row for word in text.split())
    assert max(map(len, answer.text.split("\n")[1:])) <= 80


def model_of(folder: Path) -> Model:
    return choose(source := from_path(folder)).read(source)


@pytest.mark.parametrize(("change", "message"), [
    ((UP, (37, 24)), f"size mismatch for {UP}: copying a param with shape torch.Size([37, 24]) from "
     "checkpoint, the shape in current model is torch.Size([40, 24])."),
    ((UP, None), f'Missing key(s) in state_dict: "{UP}".'),
    ((f"{UP}s", (3, 7)), f'Unexpected key(s) in state_dict: "{UP}s".'),
])  # fmt: skip
def test_what_torch_prints_can_be_found(
    tmp_path: Path, change: tuple[str, tuple[int, ...] | None], message: str
) -> None:
    """The message is that of torch itself, for a module that has the same parameters."""
    state = llama()
    module = torch.nn.Module()
    for name, shape in state.items():
        *path, role = name.split(".")
        inner = module
        for part in path:
            if not hasattr(inner, part):
                inner.add_module(part, torch.nn.Module())
            inner = inner.get_submodule(part)
        inner.register_parameter(role, torch.nn.Parameter(torch.zeros(shape)))
    name, other = change
    if other is None:
        del state[name]
    else:
        state[name] = other
    with pytest.raises(RuntimeError) as refused:
        module.load_state_dict({name: torch.zeros(shape) for name, shape in state.items()})
    assert message in " ".join(str(refused.value).split())
    read(tmp_path, state, LLAMA)
    assert message in " ".join(check_model(from_path(tmp_path), None, None).text.split())


def test_heads_that_do_not_divide(tmp_path: Path) -> None:
    """BERT's shapes do not depend on the number of heads."""
    query = "bert.encoder.layer.0.attention.self.query.weight"
    config = {"model_type": "bert", "hidden_size": 24, "num_attention_heads": 5, "num_hidden_layers": 1}
    model = read(tmp_path, {query: (24, 24), query.replace("query", "key"): (24, 24)}, config)
    found = [item for note in model.notes if note.fault for item in note.contradictions]
    assert {(item.about, item.expected, item.got) for item in found} == {
        (query, "a multiple of 5", "24"), (query.replace("query", "key"), "a multiple of 5", "24"),
    }  # fmt: skip
    assert not any(
        note.fault for note in read(tmp_path, {query: (24, 24)}, {**config, "num_attention_heads": 4}).notes
    )


def test_the_setting_is_named_without_which_nothing_is_known(tmp_path: Path) -> None:
    read(tmp_path, llama(), {name: item for name, item in LLAMA.items() if name != "num_hidden_layers"})
    with pytest.raises(UsageError, match=r"config\.json has no num_hidden_layers"):
        check_model(from_path(tmp_path), None, None)


def test_a_parameter_without_a_layer_of_its_own_is_held_against_its_shape(tmp_path: Path) -> None:
    """ViT: 6 × 6 patches and one token more."""
    config = {"model_type": "vit", "hidden_size": 24, "image_size": 12, "patch_size": 2}
    name = "vit.embeddings.position_embeddings"
    assert not any(note.fault for note in read(tmp_path, {name: (1, 37, 24)}, config).notes)
    (fault,) = [note for note in read(tmp_path, {name: (1, 50, 24)}, config).notes if note.fault]
    assert [(item.about, item.expected) for item in fault.contradictions] == [(name, "(1, 37, 24)")]


def test_a_tied_head_is_not_missing(tmp_path: Path) -> None:
    state = llama()
    del state["lm_head.weight"]
    read(tmp_path, state, {**LLAMA, "tie_word_embeddings": True})
    assert check_model(from_path(tmp_path), None, None).exit_code == 0


def test_nothing_is_claimed_for_a_setting_that_was_not_asked(tmp_path: Path) -> None:
    """T5's library ties the head whatever the configuration says, so that another file is not refused."""
    config = {"model_type": "t5", "d_model": 24, "tie_word_embeddings": False, "vocab_size": 50}
    model = read(tmp_path, {"shared.weight": (50, 23)}, config)
    assert not any(note.fault for note in model.notes)
    assert any("tie_word_embeddings False, for which" in note.text for note in model.notes)


def test_a_configuration_cannot_ask_for_too_much(tmp_path: Path) -> None:
    for number in (10**18, 90_000, -3, 2.5, "7", None):
        model = read(tmp_path, llama(), {**LLAMA, "num_hidden_layers": number})
        assert math.prod(model.layers[0].weights[0].shape) > 0
        assert not any("missing" in note.text for note in model.notes)


def test_a_part_that_is_stored_alone_is_known(tmp_path: Path) -> None:
    """The base model's file has no prefix before its names."""
    state = {
        name.removeprefix("model."): shape for name, shape in llama().items() if name.startswith("model.")
    }
    model = read(tmp_path, state, {**LLAMA, "architectures": ["LlamaModel"]})
    assert {layer.kind for layer in model.layers if layer.weights} == {"embedding", "linear", "rms_norm"}
    assert not any(note.fault for note in model.notes)


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
    assert not any("config.json makes its" in note.text for note in model.notes)


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


def test_norms_of_the_first_files_have_other_names(tmp_path: Path) -> None:
    """BERT as TensorFlow's names it: gamma and beta are the weight and the bias."""
    rows = known("bert")
    config = {
        "model_type": "bert", "architectures": [rows.architecture], "hidden_size": 24, "num_hidden_layers": 1,
        "num_attention_heads": 4, "intermediate_size": 40, "vocab_size": 50, "max_position_embeddings": 11,
    }  # fmt: skip
    expected = rows.expected(rows.settings(config))
    assert expected is not None
    state = {item.name: tuple(length or 2 for length in item.shape) for item in expected}
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): shape
        for name, shape in state.items()
    }
    assert set(old) != set(state)
    assert not any(note.fault for note in read(tmp_path, old, config).notes)


def test_a_word_that_decides_which_weights_there_are(tmp_path: Path) -> None:
    """T5's gated feed-forward layer has two projections in."""
    layer = "encoder.block.0.layer.1.DenseReluDense"
    config = {"model_type": "t5", "d_model": 24, "d_ff": 40, "num_layers": 1, "vocab_size": 50}
    gated = {f"{layer}.wi_0.weight": (40, 24), f"{layer}.wi_1.weight": (40, 24)}
    names = {"gated-gelu": {"wi_0", "wi_1"}, "relu": {"wi"}}
    rows = known("t5")
    for word, inner in names.items():
        expected = rows.expected(
            rows.settings({**config, "feed_forward_proj": word, "num_decoder_layers": 1})
        )
        assert expected is not None
        found = {item.name.split(".")[-2] for item in expected if item.name.startswith(f"{layer}.wi")}
        assert found == inner
    assert not any(
        note.fault for note in read(tmp_path, gated, {**config, "feed_forward_proj": "gated-gelu"}).notes
    )
