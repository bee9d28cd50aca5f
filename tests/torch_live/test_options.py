"""Every option of every public class of torch.nn is read, or listed with the reason why it changes nothing.

The options come from the signatures of the classes, so that a new one of torch fails here. An option counts
as read if the layers of the module, their settings or their weights change with it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

import shapeinspect
from shapeinspect.check.snapshot import text

_CONV = {"in_channels": 6, "out_channels": 9, "kernel_size": 5}
_ENCODER, _DECODER = nn.TransformerEncoderLayer(12, 2), nn.TransformerDecoderLayer(12, 2)
#: What classes are built with; the others take nothing. ``#`` stands for 1, 2 and 3 spatial axes.
_BUILT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Conv#d", _CONV),
    ("ConvTranspose#d", {**_CONV, "stride": 3}),
    ("BatchNorm#d InstanceNorm#d SyncBatchNorm", {"num_features": 6, "affine": True}),
    ("MaxPool#d MaxUnpool#d", {"kernel_size": 4}),
    ("AvgPool#d", {"kernel_size": 4, "padding": 1}),  # without a padding none is counted
    ("LPPool#d", {"norm_type": 2, "kernel_size": 4}),
    ("FractionalMaxPool2d FractionalMaxPool3d", {"kernel_size": 2, "output_size": 5}),
    ("AdaptiveAvgPool#d AdaptiveMaxPool#d", {"output_size": 5}),
    ("ZeroPad#d ReflectionPad#d ReplicationPad#d CircularPad#d", {"padding": 2}),
    ("ConstantPad#d", {"padding": 2, "value": 0.5}),
    ("RNN LSTM GRU RNNCell LSTMCell GRUCell", {"input_size": 5, "hidden_size": 7}),
    ("TransformerEncoderLayer TransformerDecoderLayer", {"d_model": 12, "nhead": 2}),
    ("Transformer", {"d_model": 12, "nhead": 2, "num_encoder_layers": 1, "num_decoder_layers": 1}),
    ("TransformerEncoder", {"encoder_layer": _ENCODER, "num_layers": 1}),
    ("TransformerDecoder", {"decoder_layer": _DECODER, "num_layers": 1}),
    ("AdaptiveLogSoftmaxWithLoss", {"in_features": 12, "n_classes": 30, "cutoffs": [5, 11]}),
    ("Bilinear", {"in1_features": 5, "in2_features": 6, "out_features": 7}),
    ("ChannelShuffle", {"groups": 3}),
    ("CrossMapLRN2d LocalResponseNorm", {"size": 5}),
    ("Embedding EmbeddingBag", {"num_embeddings": 11, "embedding_dim": 5, "max_norm": 2.0}),
    ("Fold", {"output_size": 9, "kernel_size": 2}),
    ("GroupNorm", {"num_groups": 2, "num_channels": 12}),
    ("LayerNorm RMSNorm", {"normalized_shape": 5}),
    ("Linear", {"in_features": 5, "out_features": 7}),
    ("LinearCrossEntropyLoss", {"in_features": 5, "num_classes": 7}),
    ("LogSoftmax Softmax Softmin", {"dim": 1}),
    ("MultiheadAttention", {"embed_dim": 12, "num_heads": 2}),
    ("PixelShuffle", {"upscale_factor": 2}),
    ("PixelUnshuffle", {"downscale_factor": 2}),
    ("Threshold", {"threshold": 0.5, "value": 3.0}),
    ("Unflatten", {"dim": 1, "unflattened_size": (3, 5)}),
    ("Unfold", {"kernel_size": 2}),
    ("Upsample", {"scale_factor": 2.0, "mode": "bilinear"}),
    ("UpsamplingBilinear2d UpsamplingNearest2d", {"scale_factor": 2.0}),
)
BUILT = {
    name.replace("#", axes): settings
    for names, settings in _BUILT
    for name in names.split()
    for axes in "123"
}

#: Another value of an option; of a number or a flag it is found below.
OTHER: dict[str, Any] = {
    "approximate": "tanh",
    "padding_mode": "reflect",
    "track_running_stats": False,
    "size_average": None,
    "weight": torch.ones(4),
    "pos_weight": torch.ones(4),
    "reduction": "sum",
    "size": 5,
    "divisor_override": 3,
    "output_ratio": 0.5,
    "max_norm": 3.0,
    "padding_idx": 3,
    "kdim": 5,
    "vdim": 5,
    "cutoffs": [5, 13],
    "normalized_shape": (3, 5),
    "unflattened_size": (5, 3),
    "nonlinearity": "relu",
    "dropout": 0.25,
    "activation": "gelu",
    "norm": nn.LayerNorm(12),
    "stride": 2,
    "distance_function": nn.CosineSimilarity(),
    "mode": "sum",
    "affine": False,
    "align_corners": True,
    "output_padding": 1,
    "_random_samples": torch.zeros(1, 1, 2),
    "encoder_layer": nn.TransformerEncoderLayer(12, 3),
    "decoder_layer": nn.TransformerDecoderLayer(12, 3),
    "custom_encoder": nn.Linear(3, 5),
    "custom_decoder": nn.Linear(3, 5),
    "ignore_index": 3,
    "groups": 3,
    "eps": 0.01,
    "padding": 1,
    "head_dim": 3,
    "num_groups": 3,
    "nhead": 3,
    "num_heads": 3,
    "proj_size": 3,
    "bias": False,
    "out_features": 8,
}
#: The same for one class.
OTHER_OF: dict[tuple[str, str], Any] = {
    ("GLU", "dim"): -2,
    ("Upsample", "mode"): "bicubic",
    ("Upsample", "recompute_scale_factor"): True,
    ("Upsample", "size"): (5, 7),
    ("UpsamplingBilinear2d", "size"): (5, 7),
    ("UpsamplingNearest2d", "size"): (5, 7),
    ("LocalResponseNorm", "size"): 3,
    ("CrossMapLRN2d", "size"): 3,
    ("MultiMarginLoss", "p"): 2,
    ("TripletMarginLoss", "p"): 3.0,
    ("LSTM", "proj_size"): 3,
    **{(f"{how}Pad{n}d", "padding"): 1 for how in ("Zero", "Reflection") for n in (1, 2, 3)},
    ("LinearCrossEntropyLoss", "weight"): torch.ones(7),
    ("LinearCrossEntropyLoss", "out_features"): (3,),
    **{
        (name, "track_running_stats"): True for name in ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")
    },
}
#: Options that another one excludes.
WITHOUT = {"size": "scale_factor", "output_ratio": "output_size"}
#: The bounds that go with an option.
WITH: dict[tuple[str, str], dict[str, Any]] = {
    ("MultiheadAttention", "kdim"): {"vdim": 7},
}

PLACE = "where its numbers are stored, and as what"
GRADIENT = "only the gradients change"
TRAINING = "only in training"
OLD = "an older way to give `reduction`"
START = "the numbers that a weight begins with"
IN_PLACE = "where the result is written"
FAST = "the way in which the same is computed"
NOTHING: dict[str, str] = {
    **dict.fromkeys(("device", "dtype"), PLACE),
    **dict.fromkeys(("scale_grad_by_freq", "sparse", "_freeze"), GRADIENT),
    **dict.fromkeys(("dropout",), TRAINING),
    **dict.fromkeys(("size_average", "reduce"), OLD),
    **dict.fromkeys(("init", "_weight"), START),
    **dict.fromkeys(("inplace",), IN_PLACE),
    **dict.fromkeys(("enable_nested_tensor", "mask_check", "process_group", "options"), FAST),
    "_random_samples": "it takes the place of numbers that are drawn",
    **dict.fromkeys(("min_value", "max_value"), "older names of `min_val` and `max_val`"),
    **dict.fromkeys(("args", "kwargs"), "no option of its own"),
}
NOTHING_OF: dict[tuple[str, str], str] = {
    ("Embedding", "padding_idx"): GRADIENT,
    **{(f"ConvTranspose{n}d", "padding_mode"): "only zeros are allowed" for n in (1, 2, 3)},
    **{
        (name, "p"): TRAINING
        for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")
    },
}
#: What holds modules or parameters and has nothing of its own.
CONTAINERS = frozenset(
    (
        *("Container", "DataParallel", "Module", "ModuleDict", "ModuleList", "ParameterDict"),
        *("ParameterList", "Sequential", "RNNBase", "RNNCellBase"),
    )
)


def _classes() -> dict[str, type[nn.Module]]:
    found = {name: value for name, value in vars(nn).items() if isinstance(value, type)}
    return {
        name: value
        for name, value in found.items()
        if issubclass(value, nn.Module) and not name.startswith(("_", "Lazy")) and name not in CONTAINERS
    }


def _options() -> list[tuple[str, str]]:
    pairs = []
    for name, kind in _classes().items():
        # What RNN, LSTM and GRU take stands in their base class.
        source = nn.RNNBase if issubclass(kind, nn.RNNBase) else kind
        options = [*inspect.signature(source.__init__).parameters][1:]
        options += ["nonlinearity"] if kind is nn.RNN else []
        for option in options:
            if source is nn.RNNBase and (option == "mode" or (option == "proj_size" and kind is not nn.LSTM)):
                continue
            if option in NOTHING or (name, option) in NOTHING_OF:
                continue
            pairs.append((name, option))
    return pairs


def _other(name: str, option: str, now: Any) -> Any:
    if (name, option) in OTHER_OF:
        return OTHER_OF[name, option]
    if isinstance(now, bool):
        return not now
    if option in OTHER and OTHER[option] != now:
        return OTHER[option]
    if isinstance(now, int):
        return now * 2 if now > 1 else now + 2
    if isinstance(now, float):
        return now + 0.25
    raise AssertionError(f"give another value of {option} of {name} (now {now!r})")


def _seen(report: shapeinspect.Report) -> Any:
    return [
        (
            layer.path,
            layer.kind,
            {key: repr(value) for key, value in layer.attributes.items()},
            [(weight.role, weight.shape) for weight in layer.weights],
        )
        for layer in report
    ]


def _built(name: str, settings: Mapping[str, Any]) -> nn.Module:
    return _classes()[name](**settings)


OPTIONS = _options()


def test_there_are_many() -> None:
    assert len(OPTIONS) > 300
    assert not {name for name, _ in NOTHING_OF} - set(_classes())


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=[f"{name}-{option}" for name, option in OPTIONS])
def test_an_option_is_read(name: str, option: str) -> None:
    kind = _classes()[name]
    source = nn.RNNBase if issubclass(kind, nn.RNNBase) else kind
    base = {**BUILT.get(name, {}), **WITH.get((name, option), {})}
    parameter = inspect.signature(source.__init__).parameters.get(option)
    now = base.get(option, None if parameter is None else parameter.default)
    changed = {**base, option: _other(name, option, now)}
    if option in WITHOUT and option not in base:
        changed.pop(WITHOUT[option], None)
    before, after = (
        shapeinspect.inspect(nn.Sequential(_built(name, settings)).eval()) for settings in (base, changed)
    )
    assert _seen(before) != _seen(after)
    if option != "return_indices":  # an output more, which a model without an input does not show
        assert text(before.model) != text(after.model)
    assert not shapeinspect.diff(before, after).same


@pytest.mark.parametrize(("axis", "same"), [(1, False), (2, True)])
def test_axes_counted_from_different_ends_are_compared_by_the_rank(axis: int, same: bool) -> None:
    before, after = (shapeinspect.inspect(nn.Sequential(nn.GLU(dim)), input=(4, 6, 8)) for dim in (-1, axis))
    assert shapeinspect.diff(before, after).same == same
