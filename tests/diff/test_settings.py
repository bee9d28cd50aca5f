"""Settings that silently differ, and those that only look different."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import torch

import shapeinspect
from shapeinspect.compare.result import SettingPair


def _keras(*layers: Any, shape: tuple[int, ...]) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *layers])


def _settings(a: Any, b: Any) -> dict[str, SettingPair]:
    found = shapeinspect.diff(a, b)
    return {setting.name: setting for layer in found.layers for setting in layer.settings}


def _torch(layer: torch.nn.Module, *shape: int) -> Any:
    return shapeinspect.inspect(torch.nn.Sequential(layer), shape)


def test_momentum_is_one_minus_the_others() -> None:
    ours = _torch(torch.nn.BatchNorm2d(5, eps=1e-3, momentum=0.1), 1, 5, 8, 9)
    same = _keras(keras.layers.BatchNormalization(momentum=0.9), shape=(8, 9, 5))
    assert _settings(ours, same) == {}
    other = _keras(keras.layers.BatchNormalization(momentum=0.1, epsilon=1e-5), shape=(8, 9, 5))
    found = _settings(ours, other)
    assert (found["eps"].a, found["eps"].b) == ("0.001", "1e-05")
    assert "0.1 corresponds to 0.9 there, not 0.1" in found["momentum"].why
    assert "0.1 corresponds to 0.9 there, not 0.1" in _settings(other, ours)["momentum"].why


@pytest.mark.parametrize("size", range(5, 12))
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (2, 1, 1), (5, 3, 1), (3, 1, 2)]
)
def test_same_padding_is_a_difference_where_the_outputs_differ(
    size: int, kernel: int, stride: int, dilation: int
) -> None:
    pad = dilation * (kernel - 1) // 2
    module = torch.nn.Conv2d(3, 5, kernel, stride, pad, dilation, bias=False).eval()
    conv = keras.layers.Conv2D(5, kernel, stride, "same", dilation_rate=dilation, use_bias=False)
    model = _keras(conv, shape=(size, size, 3))
    conv.kernel.assign(module.weight.detach().permute(2, 3, 1, 0).numpy())
    x = torch.randn(1, 3, size, size)
    ours = module(x).detach().permute(0, 2, 3, 1).numpy()
    theirs = model(x.permute(0, 2, 3, 1).numpy()).numpy()
    equal = ours.shape == theirs.shape and bool(abs(ours - theirs).max() < 1e-4)
    found = _settings(_torch(module, 1, 3, size, size), model)
    assert ("padding" not in found) == equal
    if not equal:
        assert '"same" is asymmetric' in found["padding"].why or ours.shape != theirs.shape


def test_the_gru_that_resets_before_the_product() -> None:
    ours = shapeinspect.inspect(torch.nn.Sequential(torch.nn.GRU(3, 5, batch_first=True)), (2, 7, 3))
    after = _keras(keras.layers.GRU(5, return_sequences=True), shape=(7, 3))
    before = _keras(keras.layers.GRU(5, return_sequences=True, reset_after=False), shape=(7, 3))
    assert _settings(ours, after) == {}
    found = _settings(ours, before)["reset_after"]
    assert (found.a, found.b) == ("True", "False")


@pytest.mark.parametrize(
    ("a", "b", "name"),
    [
        (torch.nn.Conv2d(4, 6, 3, stride=2), torch.nn.Conv2d(4, 6, 3), "stride"),
        (torch.nn.Conv2d(4, 6, 3, dilation=2), torch.nn.Conv2d(4, 6, 3), "dilation"),
        (torch.nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), torch.nn.Conv2d(4, 6, 3, padding=1),
         "padding_mode"),
        (torch.nn.GroupNorm(2, 4), torch.nn.GroupNorm(4, 4), "num_groups"),
        (torch.nn.MultiheadAttention(12, 3), torch.nn.MultiheadAttention(12, 4), "num_heads"),
        (torch.nn.LayerNorm(5, eps=1e-5), torch.nn.LayerNorm(5, eps=1e-12), "eps"),
    ],
)  # fmt: skip
def test_a_setting_that_the_weights_do_not_tell(a: Any, b: Any, name: str) -> None:
    assert list(_settings(torch.nn.Sequential(a), torch.nn.Sequential(b))) == [name]
    assert _settings(torch.nn.Sequential(a), torch.nn.Sequential(a)) == {}


@pytest.mark.parametrize(
    ("a", "b", "name"),
    [
        (torch.nn.MaxPool2d(2), torch.nn.MaxPool2d(2, ceil_mode=True), "ceil_mode"),
        (torch.nn.AvgPool2d(3, padding=1), torch.nn.AvgPool2d(3, padding=1, count_include_pad=False),
         "count_include_pad"),
        (torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
         torch.nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), "align_corners"),
        (torch.nn.GELU(), torch.nn.GELU("tanh"), "approximate"),
        (torch.nn.ReLU(), torch.nn.SiLU(), "function"),
        (torch.nn.LeakyReLU(0.1), torch.nn.LeakyReLU(0.2), "negative_slope"),
    ],
)  # fmt: skip
def test_a_setting_behind_a_layer(a: Any, b: Any, name: str) -> None:
    def report(behind: torch.nn.Module) -> Any:
        return shapeinspect.inspect(torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), behind), (1, 3, 9, 8))

    assert list(_settings(report(a), report(b))) == [name]
    assert _settings(report(b), report(b)) == {}


def test_a_bias_that_only_one_side_has() -> None:
    one, other = torch.nn.Linear(3, 5), torch.nn.Linear(3, 5, bias=False)
    layer = shapeinspect.diff(torch.nn.Sequential(one), torch.nn.Sequential(other)).layers[0]
    assert layer.status == "differs"
    assert {w.slot: w.status for w in layer.weights} == {"weight": "same", "bias": "only_a"}


def test_another_dtype_is_told_and_only_counts_if_asked(saved: Callable[..., str]) -> None:
    state = torch.nn.Linear(3, 5).state_dict()
    a = saved(state, "a.pt")
    b = saved({key: value.half() for key, value in state.items()}, "b.pt")
    found = shapeinspect.diff(a, b)
    assert found.same
    assert "dtype float32 in A, float16 in B" in found.layers[0].weights[0].why
    assert not shapeinspect.diff(a, b, dtype=True).same


def test_a_function_written_into_a_layer_is_compared_with_one_behind_it() -> None:
    from shapeinspect.compare import compare
    from shapeinspect.frozen import Frozen
    from shapeinspect.ir import Call, Layer, Model, Weight

    def model(function: str, *, inside: bool) -> Model:
        settings = Frozen(activation=function) if inside else Frozen()
        layers = [Layer("fc", "linear", "", attributes=settings, weights=(Weight("w", "weight", (3, 5)),))]
        calls = [Call("fc", ("x",), ("y",))]
        if not inside:
            layers.append(Layer("act", "activation", "", attributes=Frozen(function=function)))
            calls.append(Call("act", ("y",), ("z",)))
        ends = (("x",), ("y" if inside else "z",))
        return Model("m", "test", "test", "test", tuple(layers), tuple(calls), Frozen(), *ends)

    assert compare(model("relu", inside=True), model("relu", inside=False)).same
    found = compare(model("relu", inside=True), model("tanh", inside=False)).layers[0]
    assert [(one.name, one.a, one.b) for one in found.settings] == [("function", "relu", "tanh")]


def _linear(*behind: Any) -> Any:
    from torch import nn

    torch.manual_seed(0)
    return shapeinspect.inspect(nn.Sequential(nn.Linear(5, 4), *behind, nn.Linear(4, 3)), (2, 5))


def _dense(behind: Any, **settings: Any) -> Any:
    import keras

    layers = [keras.layers.Dense(4, **settings), *behind, keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((5,)), *layers])


def _functions(a: Any, b: Any) -> list[tuple[str, str, str]]:
    found = shapeinspect.diff(a, b)
    return [(one.name, one.a, one.b) for pair in found.layers for one in pair.settings]


def test_activations_are_compared_across_frameworks_and_inside_of_layers() -> None:
    """What each default is stands in the signatures of keras.activations and torch.nn.functional."""
    from keras import layers
    from torch import nn

    rows: list[tuple[Any, Any, list[tuple[str, str, str]]]] = [
        (_linear(nn.ReLU()), _dense([], activation="relu"), []),
        (_linear(nn.ReLU6()), _dense([layers.ReLU(6.0)]), []),
        (_linear(nn.Hardtanh(0, 6)), _dense([], activation="relu6"), []),
        (_linear(nn.ReLU6()), _dense([], activation="relu"), [("function", "relu6", "relu")]),
        (_linear(), _dense([], activation="relu"), [("function", "none", "relu")]),
        (_linear(nn.ReLU()), _dense([]), [("function", "relu", "none")]),
        (_linear(nn.GELU()), _dense([], activation="gelu"), []),
        (
            _linear(nn.GELU(approximate="tanh")),
            _dense([], activation="gelu"),
            [("approximate", "tanh", "none")],
        ),
        (_linear(nn.LeakyReLU(0.2)), _dense([], activation="leaky_relu"), []),
        (_linear(nn.LeakyReLU()), _dense([], activation="leaky_relu"), [("negative_slope", "0.01", "0.2")]),
        (_linear(nn.SiLU()), _dense([], activation="swish"), []),
        (_linear(nn.ELU(0.5)), _dense([], activation="elu"), [("alpha", "0.5", "1")]),
        (
            _linear(nn.LogSoftmax(-1)),
            _dense([], activation="softmax"),
            [("function", "log_softmax", "softmax")],
        ),
        (_linear(nn.Softmax(0)), _dense([layers.Softmax()]), [("axis", "0", "-1")]),
        (_linear(nn.Softmax(1)), _dense([layers.Softmax()]), []),
    ]
    for a, b, expected in rows:
        assert _functions(a, b) == expected


def test_activations_of_onnx_keep_their_parameters(tmp_path: Any) -> None:
    from torch import nn

    for index, (ours, theirs, expected) in enumerate(
        (
            (nn.GELU(), nn.GELU(), []),
            (nn.GELU(approximate="tanh"), nn.GELU(), [("approximate", "tanh", "none")]),
            (nn.LeakyReLU(0.3), nn.LeakyReLU(0.3), []),
            (nn.LeakyReLU(0.3), nn.LeakyReLU(), [("negative_slope", "0.3", "0.01")]),
            (nn.ReLU6(), nn.ReLU6(), []),
            (nn.ReLU6(), nn.ReLU(), [("function", "relu6", "relu")]),
        )
    ):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(5, 4), theirs, nn.Linear(4, 3)).eval()
        path = str(tmp_path / f"{index}.onnx")
        torch.onnx.export(net, (torch.zeros(2, 5),), path, dynamo=False, opset_version=20)
        assert _functions(_linear(ours), path) == expected
