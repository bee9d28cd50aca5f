"""Kinds from bare names and shapes: each class of torch.nn, proven or honestly ambiguous."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from shapeinspect.ir import Layer, Weight
from shapeinspect.layout import common_shape
from shapeinspect.sources.source import from_path
from shapeinspect_torch.adapters.checkpoint import ADAPTER
from shapeinspect_torch.recognition.state_dict import layers_of


def layers(module: nn.Module, prefix: str = "m") -> dict[str, Layer]:
    return from_shapes({f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()})


def from_shapes(tensors: dict[str, torch.Tensor]) -> dict[str, Layer]:
    made, _ = layers_of(
        Weight(name, "", tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in tensors.items()
    )
    return {layer.path: layer for layer in made}


PROVEN = [
    (nn.Conv1d(7, 5, 3), "unknown"),  # a Bilinear(7, 3, 5) has weights of the same names and shapes
    (nn.Conv2d(7, 5, (3, 2)), "conv"),
    (nn.Conv2d(6, 4, 3, groups=2), "conv"),
    (nn.Conv3d(7, 5, (3, 2, 4)), "conv"),
    (nn.ConvTranspose2d(7, 5, 3), "conv_transpose"),
    (nn.ConvTranspose2d(8, 6, 3, groups=2), "conv_transpose"),
    (nn.ConvTranspose1d(8, 6, 3), "conv_transpose"),
    (nn.Linear(7, 5), "linear"),
    (nn.Linear(7, 7), "linear"),
    (nn.BatchNorm1d(5), "batch_norm"),
    (nn.BatchNorm2d(5, affine=False), "batch_norm"),
    (nn.LayerNorm((3, 5)), "layer_norm"),
    (nn.LSTM(3, 5), "lstm"),
    (nn.LSTM(3, 5, num_layers=3, bidirectional=True, bias=False), "lstm"),
    (nn.LSTM(3, 7, num_layers=2, proj_size=2, bidirectional=True), "lstm"),
    (nn.GRU(3, 5, num_layers=2), "gru"),
    (nn.RNN(3, 5), "rnn"),
    (nn.LSTMCell(3, 5), "lstm_cell"),
    (nn.GRUCell(3, 5), "gru_cell"),
    (nn.RNNCell(3, 5), "rnn_cell"),
    (nn.MultiheadAttention(6, 2), "attention"),
    (nn.MultiheadAttention(6, 2, kdim=5, vdim=7, add_bias_kv=True), "attention"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "kind"), PROVEN, ids=lambda value: str(value)[:60].replace(" ", ""))
def test_kind(module: nn.Module, kind: str) -> None:
    layer = layers(module)["m"]
    assert layer.kind == kind
    for name, value in layer.attributes.items():
        own = getattr(module, name, value)
        assert own == value, f"{name} is {own}"


AMBIGUOUS = [
    (nn.Conv2d(7, 5, 3, bias=False), {"conv", "conv_transpose"}),
    (nn.ConvTranspose2d(7, 5, 3, bias=False), {"conv", "conv_transpose"}),
    (nn.Conv2d(5, 5, 3), {"conv", "conv_transpose"}),
    (nn.Conv2d(6, 6, 3, groups=3), {"conv", "conv_transpose"}),
    (nn.Conv1d(7, 5, 3), {"conv", "bilinear"}),
    (nn.Bilinear(7, 3, 5), {"conv", "bilinear"}),
    (nn.Linear(7, 5, bias=False), {"linear", "embedding"}),
    (nn.Embedding(7, 5), {"linear", "embedding"}),
    (nn.LayerNorm(5), {"layer_norm", "group_norm", "instance_norm"}),
    (nn.GroupNorm(2, 6), {"layer_norm", "group_norm", "instance_norm"}),
    (nn.RMSNorm(5), {"rms_norm", "layer_norm", "prelu"}),
    (nn.PReLU(5), {"rms_norm", "layer_norm", "prelu"}),
]


@pytest.mark.parametrize(("module", "kinds"), AMBIGUOUS, ids=[str(module) for module, _ in AMBIGUOUS])
def test_ambiguous(module: nn.Module, kinds: set[str]) -> None:
    layer = layers(module)["m"]
    assert (layer.kind, set(layer.candidates)) == ("unknown", kinds)
    assert next(w for w in layer.weights if w.role == "weight").layout is None
    assert dict(layer.attributes) == {}


COMMON = [
    (nn.Conv2d(7, 5, (3, 2)), {"weight": (5, 7, 3, 2), "bias": (5,)}),
    (nn.ConvTranspose2d(8, 6, 3, groups=2), {"weight": (6, 4, 3, 3), "bias": (6,)}),
    (nn.Linear(7, 5), {"weight": (5, 7), "bias": (5,)}),
    (nn.GRU(3, 5, bias=False), {"weight_ih_l0": (3, 5, 3), "weight_hh_l0": (3, 5, 5)}),
    (nn.LSTM(3, 7, proj_size=2, bias=False), {
        "weight_ih_l0": (4, 7, 3), "weight_hh_l0": (4, 7, 2), "weight_hr_l0": (2, 7)}),
    (nn.MultiheadAttention(6, 2, bias=False), {"in_proj_weight": (3, 6, 6)}),
]  # fmt: skip


@pytest.mark.parametrize(("module", "shapes"), COMMON, ids=lambda value: str(value)[:40].replace(" ", ""))
def test_layouts_of_what_is_proven(module: nn.Module, shapes: dict[str, tuple[int, ...]]) -> None:
    layer = layers(module)["m"]
    assert {w.role: common_shape(w.layout, w.shape) for w in layer.weights} == shapes


def test_the_bias_decides_between_conv_and_its_transpose() -> None:
    """Every weight (a, b, 3, 3) with every bias, against a search for the module that has them."""
    for a in range(1, 7):
        for b in range(1, 7):
            for bias in range(1, 9):
                possible = {"conv"} if bias == a else set()
                # ConvTranspose2d(a, b·g, groups=g) has a bias of b·g, and g divides a.
                possible |= {"conv_transpose" for g in range(1, a + 1) if a % g == 0 and bias == b * g}
                found = from_shapes({"m.weight": torch.empty(a, b, 3, 3), "m.bias": torch.empty(bias)})["m"]
                assert {found.kind, *found.candidates} - {"unknown"} == possible


def test_attention_needs_its_projection() -> None:
    state = nn.MultiheadAttention(6, 2).state_dict()
    alone = from_shapes({f"m.{name}": t for name, t in state.items() if name.startswith("in_")})
    assert alone["m"].kind == "unknown"


def test_a_stack_with_a_gap_is_no_lstm() -> None:
    state = nn.LSTM(3, 5, num_layers=3).state_dict()
    assert from_shapes({n: t for n, t in state.items() if "_l1" not in n})["(root)"].kind == "unknown"
    wrong = {name: torch.empty(20, 4) if name == "weight_ih_l2" else t for name, t in state.items()}
    assert from_shapes(wrong)["(root)"].kind == "unknown"


GUISES = [
    (lambda: parametrizations.weight_norm(nn.Conv2d(7, 5, 3)), "conv", "weight_norm", set()),
    (lambda: nn.utils.weight_norm(nn.Linear(7, 5)), "linear", "weight_norm", set()),
    (
        lambda: parametrizations.spectral_norm(nn.Linear(7, 5)),
        "linear",
        "spectral_norm",
        {"parametrizations.weight.0._u", "parametrizations.weight.0._v"},
    ),
    (lambda: nn.utils.spectral_norm(nn.Linear(7, 5)), "linear", "spectral_norm", {"weight_u", "weight_v"}),
    (lambda: prune.random_unstructured(nn.Linear(7, 5), "weight", 0.5), "linear", "pruned", {"weight_mask"}),
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(GUISES)))
@pytest.mark.filterwarnings("ignore")
def test_weights_under_other_names(at: int) -> None:
    make, kind, name, buffers = GUISES[at]
    module = make()
    (layer,) = layers(module).values()
    assert (layer.kind, layer.attributes["parametrization"]) == (kind, name)
    assert {weight.role for weight in layer.weights if weight.buffer} == buffers
    assert buffers == {role for role, _ in module.named_buffers()}
    weight = next(w for w in layer.weights if len(w.shape) > 1 and w.shape[:2] == (5, 7))
    assert weight.layout.common.startswith("o i")


def test_turned_linear_layers() -> None:
    """GPT-2's Conv1D keeps in × out: only a bias tells, and a square one stays open."""
    state = {
        "h.0.up.weight": torch.empty(6, 24), "h.0.up.bias": torch.empty(24),
        "h.0.proj.weight": torch.empty(6, 6), "h.0.proj.bias": torch.empty(6),
    }  # fmt: skip
    found = from_shapes(state)
    assert found["h.0.up"].attributes == {"in_features": 6, "out_features": 24}
    assert found["h.0.up"].weights[0].layout.common == "o i"
    assert found["h.0.proj"].kind == "linear"
    assert found["h.0.proj"].weights[0].layout is None
    straight = from_shapes({name: t for name, t in state.items() if "proj" in name})
    assert straight["h.0.proj"].weights[0].layout.native == "o i"


def test_lora_pairs_are_one_layer() -> None:
    found = from_shapes({
        "q.lora_A.weight": torch.empty(4, 7), "q.lora_B.weight": torch.empty(9, 4),
        "c.lora_A.weight": torch.empty(4, 7, 3, 3), "c.lora_B.weight": torch.empty(9, 4, 1, 1),
        "k.lora_down.weight": torch.empty(4, 7), "k.lora_up.weight": torch.empty(9, 4),
        "k.alpha": torch.empty(()),
        "e.lora_embedding_A": torch.empty(4, 50), "e.lora_embedding_B": torch.empty(9, 4),
        "x.lora_A.weight": torch.empty(4, 7), "x.lora_B.weight": torch.empty(9, 5),
    })  # fmt: skip
    for path, inputs in (("q", 7), ("c", 7), ("k", 7), ("e", 50)):
        assert found[path].kind == "lora"
        assert found[path].attributes == {"in_features": inputs, "out_features": 9, "rank": 4}
    assert found["x"].kind == "unknown", "4 and 5 are no common rank"


def test_pairs_with_more_beside_them() -> None:
    """DoRA's lengths of weight vectors, AdaLoRA's singular values; named as saved and as in training."""
    found = from_shapes({
        "d.lora_A.weight": torch.empty(4, 7), "d.lora_B.weight": torch.empty(9, 4),
        "d.lora_magnitude_vector": torch.empty(9),
        "t.lora_A.default.weight": torch.empty(4, 7), "t.lora_B.default.weight": torch.empty(9, 4),
        "t.lora_magnitude_vector.default.weight": torch.empty(9),
        "c.lora_A.weight": torch.empty(4, 7, 3, 5), "c.lora_B.weight": torch.empty(9, 4, 1, 1),
        "c.lora_magnitude_vector": torch.empty(1, 9, 1, 1),
        "a.lora_A": torch.empty(4, 7), "a.lora_B": torch.empty(9, 4), "a.lora_E": torch.empty(4, 1),
        "b.lora_A.default": torch.empty(4, 7), "b.lora_B.default": torch.empty(9, 4),
        "b.lora_E.default": torch.empty(4, 1), "b.ranknum.default": torch.empty(1),
        "x.lora_A.weight": torch.empty(4, 7), "x.lora_B.weight": torch.empty(9, 4),
        "x.lora_magnitude_vector": torch.empty(7),
    })  # fmt: skip
    for path in "dtcab":
        assert found[path].kind == "lora", path
        assert found[path].attributes == {"in_features": 7, "out_features": 9, "rank": 4}
    for path in "dtc":
        (length,) = [weight for weight in found[path].weights if "magnitude" in weight.role]
        assert length.layout.common == "o"
    assert found["x"].kind == "unknown", "a length for each input is no DoRA"


def test_whole_numbers_are_buffers() -> None:
    """Positions, indices and masks: torch lets no integer require a gradient."""
    found = from_shapes({
        "index": torch.arange(6), "attn.mask": torch.ones(3, 5, dtype=torch.bool),
        "fc.weight": torch.empty(5, 7, dtype=torch.int8), "fc.bias": torch.empty(5),
    })  # fmt: skip
    assert {w.name for layer in found.values() for w in layer.weights if w.buffer} == {"index", "attn.mask"}


def test_a_quantized_linear_layer_of_torch(tmp_path: Path) -> None:
    net = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(5, 7)), {nn.Linear})
    torch.save(net.state_dict(), tmp_path / "q.pt")
    (layer,) = ADAPTER.read(from_path(tmp_path / "q.pt")).layers
    assert (layer.kind, layer.attributes) == ("linear", {"in_features": 5, "out_features": 7})
    assert {w.role.rpartition(".")[2]: w.layout.common for w in layer.weights if w.layout} == {
        "0": "o i", "1": "o",
    }  # fmt: skip


def test_packed_linear_layers() -> None:
    found = from_shapes({
        "g.qweight": torch.empty(16, 48, dtype=torch.int32), "g.qzeros": torch.empty(4, 6, dtype=torch.int32),
        "g.scales": torch.empty(4, 48), "g.g_idx": torch.empty(128, dtype=torch.int32),
        "a.qweight": torch.empty(128, 6, dtype=torch.int32), "a.qzeros": torch.empty(4, 6, dtype=torch.int32),
        "a.scales": torch.empty(4, 48),
        "b.weight": torch.empty(5, 7, dtype=torch.int8), "b.SCB": torch.empty(5),
        "f.weight": torch.empty(40, 1, dtype=torch.uint8), "f.weight.absmax": torch.empty(2),
        "f.weight.quant_map": torch.empty(16), "f.weight.quant_state.bitsandbytes__nf4": torch.empty(80),
    })  # fmt: skip
    sizes = {"in_features": 128, "out_features": 48}
    assert found["g"].attributes == {**sizes, "quantizer": "gptq 4-bit"}
    assert found["a"].attributes == {**sizes, "quantizer": "awq 4-bit"}
    assert [next(w for w in found[p].weights if w.role == "qweight").size for p in "ga"] == [128 * 48] * 2
    assert found["b"].attributes == {"in_features": 7, "out_features": 5, "quantizer": "bitsandbytes int8"}
    assert (found["f"].kind, set(found["f"].candidates)) == ("unknown", {"linear", "embedding"})
    assert found["f"].weights[0].size == 80


def test_other_frameworks_prove_nothing() -> None:
    made, _ = layers_of([Weight("m.weight", "", (3, 5)), Weight("m.bias", "", (3,))], rows=())
    assert (made[0].kind, made[0].candidates) == ("unknown", ())


def test_names_without_a_prefix() -> None:
    found = from_shapes(nn.Linear(3, 5).state_dict())
    assert found["(root)"].kind == "linear"
    assert [w.name for w in found["(root)"].weights] == ["weight", "bias"]
