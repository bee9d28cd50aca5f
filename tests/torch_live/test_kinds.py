"""Every class of torch.nn has a kind, or stands on the list below with the reason."""

from __future__ import annotations

import importlib

import pytest
import torch
from torch import nn

from shapeinspect_torch.vocabulary.kinds import describe, is_known

ABSTRACT = "an abstract base that no model holds"
PACKED = "the packed weights of a quantized layer, shown with that layer"
WITHOUT_KIND = {
    **dict.fromkeys(
        ("_ConvNd", "_ConvTransposeNd", "_ConvTransposeMixin", "_NormBase", "_BatchNorm"), ABSTRACT
    ),
    **dict.fromkeys(("_LazyNormBase", "_InstanceNorm", "_DropoutNd", "_Loss", "_WeightedLoss"), ABSTRACT),
    **dict.fromkeys(("_CircularPadNd", "_ConstantPadNd", "_ReflectionPadNd", "_ReplicationPadNd"), ABSTRACT),
    **dict.fromkeys(("_AdaptiveAvgPoolNd", "_AdaptiveMaxPoolNd", "_AvgPoolNd", "_LPPoolNd"), ABSTRACT),
    **dict.fromkeys(("_MaxPoolNd", "_MaxUnpoolNd", "RNNBase", "RNNCellBase", "_ConvBnNd"), ABSTRACT),
    **dict.fromkeys(("_FusedModule", "WeightedQuantizedModule", "ReferenceQuantizedModule"), ABSTRACT),
    **dict.fromkeys(("LinearPackedParams", "EmbeddingPackedParams", "PackedParameter"), PACKED),
    **dict.fromkeys(("_LSTMLayer", "_LSTMSingleLayer"), "a step of the quantizable LSTM, shown as one layer"),
    **dict.fromkeys(("_Orthogonal", "_SpectralNorm", "_WeightNorm"), "makes the weight of a layer"),
}


def _subclasses(base: type) -> set[type]:
    found = set(base.__subclasses__())
    return found.union(*(_subclasses(kind) for kind in found))


def _torch_classes() -> set[type]:
    for name in ("quantized", "quantized.dynamic", "quantized.reference", "quantizable", "qat", "intrinsic"):
        importlib.import_module(f"torch.ao.nn.{name}")
    homes = ("torch.nn.", "torch.ao.nn.")
    # A parametrized module's class is made when a model is built, under torch's own module name.
    return {
        kind
        for kind in _subclasses(nn.Module)
        if kind.__module__.startswith(homes) and not kind.__name__.startswith("Parametrized")
    }


def test_every_class_of_torch_has_a_kind_or_a_reason() -> None:
    classes = _torch_classes()
    assert len(classes) > 200
    unknown = {kind.__name__ for kind in classes if not is_known(kind.__name__)}
    assert unknown == set(WITHOUT_KIND)


@pytest.mark.parametrize(
    ("module", "kind", "attributes"),
    [
        (
            nn.Conv2d(6, 8, (3, 5), (2, 1), (1, 2), (1, 3), groups=2),
            "conv",
            {
                "in_channels": 6,
                "out_channels": 8,
                "kernel_size": (3, 5),
                "stride": (2, 1),
                "dilation": (1, 3),
                "groups": 2,
                "padding": ((1, 1), (2, 2)),
                "padding_mode": "zeros",
            },
        ),
        (nn.Conv1d(2, 3, 4, padding="same"), "conv", {"padding": "same", "kernel_size": (4,)}),
        (
            nn.ConvTranspose3d(2, 3, (4, 5, 6), 2, output_padding=(0, 1, 1)),
            "conv_transpose",
            {"output_padding": (0, 1, 1), "stride": (2, 2, 2), "padding": ((0, 0),) * 3},
        ),
        (nn.LazyConv2d(7, 3), "conv", {"in_channels": None, "out_channels": 7}),
        (nn.MaxPool2d(3), "max_pool", {"kernel_size": (3, 3), "stride": (3, 3), "padding": ((0, 0), (0, 0))}),
        (
            nn.AvgPool1d(3, 2, 1),
            "avg_pool",
            {"stride": (2,), "padding": ((1, 1),), "count_include_pad": True},
        ),
        (nn.LPPool2d(2, (3, 5)), "lp_pool", {"stride": (3, 5), "norm_type": 2.0}),
        (nn.AdaptiveAvgPool2d((None, 7)), "adaptive_avg_pool", {"output_size": (None, 7)}),
        (nn.AdaptiveMaxPool3d(4), "adaptive_max_pool", {"output_size": (4, 4, 4)}),
        (nn.ZeroPad2d((1, 2, 3, 4)), "pad", {"padding": ((3, 4), (1, 2)), "mode": "constant"}),
        (nn.ReflectionPad1d(2), "pad", {"padding": ((2, 2),), "mode": "reflect"}),
        (nn.UpsamplingBilinear2d(scale_factor=2), "resize", {"scale_factor": (2.0, 2.0), "mode": "bilinear"}),
        (nn.PixelUnshuffle(3), "pixel_unshuffle", {"factor": 3}),
        (nn.Unfold(3, padding=(1, 2)), "unfold", {"kernel_size": (3, 3), "padding": ((1, 1), (2, 2))}),
        (nn.Flatten(2), "flatten", {"start_axis": 2, "end_axis": -1}),
        (nn.Unflatten(1, (3, 5)), "unflatten", {"axis": 1, "sizes": (3, 5)}),
        (nn.LayerNorm((4, 6)), "layer_norm", {"normalized_shape": (4, 6), "axis": (-2, -1)}),
        (nn.GroupNorm(3, 9), "group_norm", {"num_groups": 3, "num_channels": 9}),
        (
            nn.LSTM(5, 8, 2, bidirectional=True, proj_size=3, batch_first=True),
            "lstm",
            {"input_size": 5, "hidden_size": 8, "num_layers": 2, "bidirectional": True, "proj_size": 3},
        ),
        (
            nn.MultiheadAttention(12, 3, kdim=5, vdim=7),
            "attention",
            {"embed_dim": 12, "num_heads": 3, "head_dim": 4, "kdim": 5, "vdim": 7, "out_features": 12},
        ),
        (nn.LogSoftmax(1), "softmax", {"axis": 1, "log": True}),
        (nn.SiLU(), "activation", {"function": "silu"}),
        (nn.GLU(1), "glu", {"axis": 1}),
        (nn.EmbeddingBag(11, 5, mode="sum"), "embedding_bag", {"num_embeddings": 11, "mode": "sum"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_attributes_take_the_vocabularys_form(
    module: nn.Module, kind: str, attributes: dict[str, object]
) -> None:
    found, read = describe(type(module).__name__, module.__dict__)
    assert found == kind
    assert {name: read.get(name) for name in attributes} == attributes


def test_every_activation_names_a_function_of_torch() -> None:
    described = {name: describe(name, {}) for name in nn.modules.activation.__all__}
    named = {name: read["function"] for name, (kind, read) in described.items() if kind == "activation"}
    assert {"ReLU", "GELU", "LogSigmoid", "Hardswish"} <= named.keys()
    for name, function in named.items():
        assert hasattr(torch.nn.functional, function.replace("log_sigmoid", "logsigmoid")), name
