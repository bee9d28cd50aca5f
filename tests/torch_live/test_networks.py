"""Whole networks: every module's every call gives what a real forward gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

NAMES = {
    "ResNet": (torch.randn(2, 3, 37, 45),),
    "DenseNet": (torch.randn(2, 3, 17, 21),),
    "UNet": (torch.randn(1, 2, 23, 29),),
    "MobileNet": (torch.randn(2, 3, 33, 41),),
    "ViT": (torch.randn(2, 3, 8, 15),),
    "Tagger": (torch.randint(0, 31, (2, 9)),),
    "Recurrent": (torch.randn(11, 2, 4),),
    "Shared": (torch.randn(2, 3, 19, 25),),
    "Functional": (torch.randint(0, 13, (2, 7)),),
}


@pytest.mark.parametrize("name", NAMES)
def test_every_call_has_the_shapes_of_a_real_forward(name: str, nets: Any, check: Any) -> None:
    check(getattr(nets, name)(), *NAMES[name])


def test_layers_stand_in_the_order_of_execution_after_their_containers(nets: Any, check: Any) -> None:
    found = check(nets.DenseNet(), *NAMES["DenseNet"])
    assert [layer.path for layer in found.layers if layer.kind != "activation"] == [
        "stem",
        "dense",
        "dense.cat",
        "dense.convs",
        "dense.convs.layer0",
        "dense.convs.layer0.0",
        "dense.convs.layer0.2",
        "dense.cat_1",
        "dense.convs.layer1",
        "dense.convs.layer1.0",
        "dense.convs.layer1.2",
        "dense.cat_2",
        "dense.convs.layer2",
        "dense.convs.layer2.0",
        "dense.convs.layer2.2",
        "dense.cat_3",
        "avg_pool2d",
        "mean",
        "head",
    ]
    by_path = {layer.path: layer for layer in found.layers}
    assert (by_path["dense.cat"].type, by_path["dense.cat"].depth) == ("torch.cat", 1)
    assert by_path["relu"].type == "F.relu"
    assert by_path["avg_pool2d"].attributes["stride"] == (2, 2)
    assert dict(by_path["mean"].attributes) == {"op": "mean", "axes": (2, 3), "keepdims": False}


def test_residual_additions_join_both_branches(nets: Any, check: Any) -> None:
    found = check(nets.ResNet(), *NAMES["ResNet"])
    makers = {name: call.layer for call in found.calls for name in call.outputs}
    joins = {
        call.layer: {makers[name] for name in call.inputs} for call in found.calls if ".add" in call.layer
    }
    # Of the containers and the layers inside them that give a value, the container was entered first.
    assert joins == {
        f"layers.{at}.add": {f"layers.{at}.bn3", shortcut}
        for at, shortcut in (
            ("0.0", "layers.0.0.shortcut.1"),
            ("1.0", "layers.1.0.shortcut.1"),
            ("1.1", "layers.1.1.shortcut"),
        )
    }
    reads = next(call.inputs for call in found.calls if call.layer == "layers.1.1.conv1")
    assert makers[reads[0]] != "layers.1.1.shortcut"


def test_a_layer_called_twice_is_one_layer_and_two_calls(nets: Any, check: Any) -> None:
    found = check(nets.Shared(), *NAMES["Shared"])
    assert len([call for call in found.calls if call.layer == "conv"]) == 2
    weights = {weight.name: weight.storage for layer in found.layers for weight in layer.weights}
    assert weights == {
        "conv.weight": "conv.weight",
        "conv.bias": "conv.bias",
        "again.weight": "conv.weight",
        "again.bias": "conv.bias",
    }
    assert 'it is the same module as "conv"' in [note.text for note in found.notes if note.about == "again"]


def test_tied_weights_keep_their_names_and_share_a_key(nets: Any, check: Any) -> None:
    model = nets.Tagger()
    found = check(model, *NAMES["Tagger"])
    weights = {weight.name: weight for layer in found.layers for weight in layer.weights}
    assert set(weights) == {name for name, _ in model.named_parameters(remove_duplicate=False)}
    assert weights["out.weight"].storage == weights["embed.weight"].storage is not None
    assert weights["back.weight"].storage is None
    assert sum(w.size for w in weights.values()) - weights["out.weight"].size == sum(
        p.numel() for p in model.parameters()
    )


def test_functions_that_use_parameters_prove_their_layout(nets: Any, check: Any) -> None:
    found = check(nets.Functional(), *NAMES["Functional"])
    own = {weight.role: weight for weight in found.layers[0].weights}
    assert found.layers[0].type == "Functional"
    assert {role: weight.layout.native if weight.layout else None for role, weight in own.items()} == {
        "table": "V E",
        "kernel": "o i kl",
        "weight": "o i",
        "mask": None,
    }
    by_path = {layer.path: layer for layer in found.layers}
    assert by_path["conv1d"].attributes["in_channels"] == 6
    assert by_path["conv1d"].attributes["groups"] == 2
    assert by_path["einsum"].attributes["equation"] == "ntc,nsc->nts"
    assert by_path["linear"].attributes["out_features"] == 5
    assert next(call.inputs for call in found.calls if call.layer == "mul")[1] == "mask"


def test_weights_read_as_the_numbers_they_are(nets: Any, read: Any) -> None:
    model = nets.ViT().to(torch.bfloat16)
    found = read(model)
    weights = {weight.name: weight for layer in found.layers for weight in layer.weights}
    assert weights["patch.weight"].dtype == "bfloat16"
    assert weights["patch.weight"].nbytes == 2 * model.patch.weight.numel()
    expected = model.patch.weight.detach().float().numpy()
    assert (weights["patch.weight"].values().astype("float32") == expected).all()


def test_a_lazy_model_is_shown_and_stays_lazy(nets: Any, read: Any, real: Any) -> None:
    model, inputs = nets.Lazy(), torch.randn(2, 3, 13, 19)
    found = read(model, (inputs,))
    assert model.conv.has_uninitialized_params()
    assert type(model.fc) is nn.LazyLinear
    before = read(model)
    shapes = {weight.name: weight.shape for layer in before.layers for weight in layer.weights}
    assert str(shapes["conv.weight"]) == "(7, ?, 3, 5)"
    assert str(shapes["fc.weight"]) == "(6, ?)"
    expected = real(model, inputs)
    expected.pop("")
    assert {
        call.layer: [tuple(found.values[name].shape for name in call.outputs)]
        for call in found.calls
        if call.layer in expected
    } == expected
    weights = {weight.name: weight.shape for layer in found.layers for weight in layer.weights}
    assert weights == {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    attributes = {layer.path: layer.attributes for layer in found.layers}
    assert (attributes["conv"]["in_channels"], attributes["fc"]["in_features"]) == (3, model.fc.in_features)


@pytest.mark.parametrize("norm_first", [False, True])
def test_torchs_transformer_is_looked_into(norm_first: bool, check: Any) -> None:
    model = nn.Transformer(12, 3, 2, 1, 20, batch_first=True, norm_first=norm_first)
    source, target = torch.randn(2, 7, 12), torch.randn(2, 5, 12)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    found = check(model, source, target, tgt_mask=mask)
    assert len([layer for layer in found.layers if layer.kind == "attention"]) == 4


def test_attention_lists_its_output_projection(check: Any) -> None:
    class Cross(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = nn.MultiheadAttention(12, 3, kdim=5, vdim=7)

        def forward(self, query: torch.Tensor, memory: tuple[torch.Tensor, torch.Tensor]) -> Any:
            return self.attend(query, key=memory[0], value=memory[1])

    found = check(Cross(), torch.randn(4, 2, 12), (torch.randn(9, 2, 5), torch.randn(9, 2, 7)))
    (layer,) = found.layers
    assert {weight.role: weight.shape for weight in layer.weights} == {
        "q_proj_weight": (12, 12),
        "k_proj_weight": (12, 5),
        "v_proj_weight": (12, 7),
        "in_proj_bias": (36,),
        "out_proj.weight": (12, 12),
        "out_proj.bias": (12,),
    }
    assert found.inputs == ("query", "memory.0", "memory.1")
    assert found.calls[0].inputs == ("query", "memory.0", "memory.1")


LEAVES = [
    (nn.Conv1d(4, 6, 3, 2, padding=1, groups=2), (2, 4, 17)),
    (nn.Conv3d(2, 3, (1, 2, 3), padding="same"), (1, 2, 5, 6, 7)),
    (nn.Conv2d(3, 5, 3, padding=2, padding_mode="reflect"), (2, 3, 8, 11)),
    (nn.ConvTranspose1d(4, 6, 5, 3, 2, 1, groups=2), (2, 4, 9)),
    (nn.ConvTranspose3d(2, 3, 2, 2, dilation=2), (1, 2, 3, 4, 5)),
    (nn.EmbeddingBag(9, 4), "ids"),
    (nn.GroupNorm(2, 6), (2, 6, 5, 7)),
    (nn.InstanceNorm1d(3, affine=True), (2, 3, 8)),
    (nn.RMSNorm((5, 7)), (2, 3, 5, 7)),
    (nn.LocalResponseNorm(3), (2, 5, 7, 4)),
    (nn.CrossMapLRN2d(3), (2, 5, 7, 4)),
    (nn.MaxPool1d(3, 2, ceil_mode=True), (2, 3, 10)),
    (nn.MaxPool2d(3, 2, return_indices=True), (2, 3, 11, 13)),
    (nn.AvgPool3d((1, 2, 3)), (1, 2, 4, 6, 9)),
    (nn.LPPool2d(2, 3, 2), (1, 2, 9, 12)),
    (nn.FractionalMaxPool2d(2, output_size=(4, 5)), (1, 2, 9, 12)),
    (nn.AdaptiveMaxPool2d((None, 4)), (1, 2, 9, 12)),
    (nn.AdaptiveAvgPool1d(5), (1, 2, 9)),
    (nn.Upsample(scale_factor=(1.5, 2), mode="nearest"), (1, 2, 5, 7)),
    (nn.PixelShuffle(2), (1, 8, 3, 5)),
    (nn.PixelUnshuffle(3), (1, 2, 6, 9)),
    (nn.Unfold((2, 3), padding=1, stride=2), (1, 2, 7, 9)),
    (nn.Fold((6, 9), (2, 3), stride=(2, 3)), (1, 24, 9)),
    (nn.ZeroPad2d((1, 2, 3, 4)), (1, 2, 5, 7)),
    (nn.ReplicationPad3d(1), (1, 2, 4, 5, 6)),
    (nn.CircularPad1d((2, 1)), (1, 2, 5)),
    (nn.Unflatten(1, (2, 3)), (4, 6, 5)),
    (nn.GLU(1), (2, 6, 5)),
    (nn.PReLU(3), (2, 3, 5)),
    (nn.Softmax2d(), (2, 3, 5, 7)),
    (nn.LSTM(4, 6, batch_first=True), (3, 9, 4)),
    (nn.GRU(4, 6, 2), (9, 4)),
    (nn.RNN(4, 6, bidirectional=True), (9, 3, 4)),
    (nn.RNNCell(4, 6), (3, 4)),
    (nn.BatchNorm1d(3), (1, 3)),
    (nn.FeatureAlphaDropout(), (2, 3, 5)),
    (nn.Threshold(0.1, 20), (2, 3)),
]


@pytest.mark.parametrize(("leaf", "shape"), LEAVES, ids=lambda value: type(value).__name__)
def test_a_layer_alone(leaf: nn.Module, shape: Any, check: Any) -> None:
    value = torch.randint(0, 9, (3, 5)) if shape == "ids" else torch.randn(*shape)
    found = check(leaf, value)
    assert [layer.type for layer in found.layers] == [type(leaf).__name__]
    assert {weight.name for weight in found.layers[0].weights} == set(leaf.state_dict())
