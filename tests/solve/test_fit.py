"""Which sizes fit, against the real thing on every size of a small grid."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import shapeinspect
from shapeinspect import UsageError
from shapeinspect.cli import main
from shapeinspect.solve import Program, Solver, variables

LENET = str(Path(__file__).parents[1] / "data" / "lenet.onnx")


class UNet(nn.Module):
    """Two pools down, two transposed convolutions up, skips joined."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.low = (nn.Conv2d(a, b, 3, padding=1) for a, b in ((1, 2), (2, 3), (3, 4)))
        self.up2, self.up1 = nn.ConvTranspose2d(4, 3, 2, 2), nn.ConvTranspose2d(6, 2, 2, 2)
        self.out = nn.Conv2d(4, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.one(x)
        b = self.two(F.max_pool2d(a, 2))
        c = self.low(F.max_pool2d(b, 2))
        b = torch.cat([self.up2(c), b], 1)
        return self.out(torch.cat([self.up1(b), a], 1))


class Resized(nn.Module):
    """The same idea, but everything is brought to a size that the code reads from a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 2, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.interpolate(self.down(x), size=x.shape[2:], mode="nearest")
        return torch.cat([x, y], 1)


class Classifier(nn.Module):
    """LeNet's front, and a view that fixes the product of the lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 2, 3), nn.Linear(2 * 4 * 4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.max_pool2d(self.conv(x), 3)
        return self.fc(y.view(y.size(0), -1))


class Pooled(nn.Module):
    """Strides without padding, then a global pool: anything large enough."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 2, (5, 3), 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        )
        self.norm, self.shuffle = nn.BatchNorm2d(2), nn.Conv2d(2, 3, (3, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shuffle(self.norm(self.body(x))).mean((2, 3))


def runs(model: nn.Module, *size: int) -> tuple[int, ...] | None:
    """Return the output's shape of a real forward, or None if torch refuses."""
    try:
        with torch.no_grad():
            return tuple(model(torch.zeros(1, 1, *size)).shape)
    except RuntimeError:
        return None


@pytest.mark.parametrize(
    ("make", "size", "said"),
    [
        (UNet, (16, 24), ("H, W divisible by 4",)),
        (Resized, (16, 24), ("H, W ≥ 3",)),
        (Pooled, (33, 41), ("H ≥ 11", "W ≥ 5")),
    ],
)
def test_torch_on_every_size_of_a_grid(
    make: Callable[[], nn.Module], size: tuple[int, int], said: tuple[str, ...]
) -> None:
    model = make().eval()
    fit = shapeinspect.fit(model, (1, 1, *size))
    assert fit.solved
    accepted = {
        axis: {n for low, high, step in answer.ranges for n in range(low, high + 1, step)}
        for answer in fit.solution.answers
        for axis in answer.axes
    }
    assert fit.solution.independent
    sizes = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 20, 23, 24]
    for height, width in itertools.product(sizes, sizes):
        fits = height in accepted["H"] and width in accepted["W"]
        assert (runs(model, height, width) is not None) == fits, (height, width)
    assert fit.answers == said


def test_a_view_ties_the_lengths_together() -> None:
    """conv 3, pool 3: h = (H - 2)//3, and h·w has to be 16."""
    model = Classifier().eval()
    fit = shapeinspect.fit(model, (1, 1, 14, 14))
    assert not fit.solution.independent
    assert fit.solution.together is not None
    assert fit.solution.together.sizes == "14 to 16"
    expected = {
        (h, w) for h, w in itertools.product(range(5, 60), repeat=2) if (h - 2) // 3 * ((w - 2) // 3) == 16
    }
    found = set()
    for answer in fit.solution.answers:
        first, second = answer.sizes.split(" with W ")
        found |= {(h, w) for h in _span(first) for w in _span(second)}
    assert found == expected
    for size in [(14, 14), (16, 15), (17, 14), (5, 50), (8, 26), (8, 29)]:
        assert (runs(model, *size) is not None) == (size in expected)
    refused = {one.layer: one for one in fit.solution.refusals}
    assert refused["fc"].expected == "i = 32"


def _span(text: str) -> range:
    low, _, high = text.partition(" to ")
    return range(int(low), int(high or low) + 1)


def test_a_size_that_the_code_computes_is_not_taken_as_fixed() -> None:
    """One trace alone would say that only 16×24 fits: the recorded size of the resize."""
    report = shapeinspect.inspect(Resized(), (1, 1, 16, 24))
    alone = Solver(Program(report.model), variables(report.model)).solve()
    assert [answer.sizes for answer in alone.answers] == ["16", "24"]
    assert shapeinspect.fit(Resized(), (1, 1, 16, 24)).answers == ("H, W ≥ 3",)


class Odd(nn.Module):
    """The code rounds the length by itself: no axis has the number that is recorded."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, size=(x.shape[2] * 3 // 5, 7)) + 1


def test_a_length_that_the_code_rounds_by_itself_is_followed() -> None:
    fit = shapeinspect.fit(Odd(), (1, 1, 20, 30))
    assert (fit.answers, fit.solved) == (("H ≥ 2", "W any"), True)
    assert [runs(Odd(), n, 4) is not None for n in (1, 2, 3)] == [False, True, True]


def test_onnx_on_every_size(tmp_path: Path) -> None:
    """A graph that computes shapes (Shape, Gather, Concat, Resize), against onnxruntime."""
    import onnxruntime
    from onnx import TensorProto, helper, save

    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv", kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("Shape", ["x"], ["s"], "shape"),
        helper.make_node("Slice", ["s", "two", "four"], ["hw"], "cut"),
        helper.make_node("Shape", ["c"], ["t"], "shape_c"),
        helper.make_node("Slice", ["t", "zero", "two"], ["nc"], "cut_c"),
        helper.make_node("Concat", ["nc", "hw"], ["size"], "join", axis=0),
        helper.make_node("Resize", ["c", "", "", "size"], ["r"], "resize", mode="nearest"),
        helper.make_node("Concat", ["x", "r"], ["y"], "cat", axis=1),
        helper.make_node("MaxPool", ["y"], ["p"], "pool", kernel_shape=[4, 6]),
    ]
    weights = np.zeros((2, 1, 3, 3), np.float32)
    constants = [
        helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.ravel().tolist()),
        *(
            helper.make_tensor(name, TensorProto.INT64, [1], [n])
            for name, n in (("zero", 0), ("two", 2), ("four", 4))
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, "H", "W"])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, None)],
        constants,
    )
    path = tmp_path / "m.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    fit = shapeinspect.fit(path)
    assert fit.solved
    assert fit.answers == ("H ≥ 4", "W ≥ 6")
    session = onnxruntime.InferenceSession(str(path))
    for height, width in itertools.product(range(1, 10), range(1, 10)):
        try:
            found = session.run(None, {"x": np.zeros((1, 1, height, width), np.float32)})
            fits = found[0].size > 0  # onnxruntime takes a pool of no window as an empty result
        except Exception:  # noqa: BLE001  # onnxruntime's own exceptions derive from Exception alone
            fits = False
        assert fits == (height >= 4 and width >= 6), (height, width)


def test_keras_on_every_size() -> None:
    """Keras itself infers the shapes of the same layers, built once for every size."""
    import keras
    from keras import layers

    def build(height: int | None, width: int | None) -> Any:
        x = keras.Input((height, width, 3))
        a = layers.Conv2D(4, 3, strides=2, padding="same")(x)
        b = layers.UpSampling2D()(layers.MaxPooling2D()(a))
        return keras.Model(x, layers.GlobalMaxPooling2D()(layers.Conv2D(2, 3)(layers.Concatenate()([a, b]))))

    fit = shapeinspect.fit(build(None, None))
    assert fit.solved
    # a = ceil(n/2); a pool and an upsampling keep an even length; the last convolution needs 3
    assert fit.answers == ("H, W ≥ 7 and 0 or 3 more than a multiple of 4",)
    for height, width in itertools.product(range(1, 17), (7, 8, 9)):
        try:
            build(height, width)
            fits = True
        except ValueError:
            fits = False
        expected = [n >= 7 and n % 4 in (0, 3) for n in (height, width)]
        assert fits == all(expected), (height, width)


def test_one_dimension_and_text() -> None:
    model = nn.Sequential(nn.Conv1d(3, 4, 5), nn.MaxPool1d(2), nn.Conv1d(4, 5, 3, dilation=2))
    fit = shapeinspect.fit(model, (1, 3, 50))
    # (n - 4)//2 >= 5
    assert fit.answers == ("L ≥ 14",)
    for length in range(1, 30):
        try:
            model(torch.zeros(1, 3, length))
            fits = True
        except RuntimeError:
            fits = False
        assert fits == (length >= 14)


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        main(list(words))
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "fit", LENET, "--width", "80")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    # 32 -> 28 -> 14 -> 10 -> 5, and 35 -> 31 -> 15 -> 11 -> 5: 16·5·5 = 400
    for said in (
        "fits      H = 32, W = 32, as the file declares: what runs it refuses any other",
        "layers    would take H = W: 32 to 35",
        "H 16 to 19 with W 112 to 115",
        "H 32, W 32 → (1, 10)",
        "fc1    16 to 31, ≥ 36",
        "at 31: expects i = 400, got 256",
    ):
        assert said in out
    code, out, _ = run(capsys, "fit", LENET, "--format", "json")
    data: dict[str, Any] = json.loads(out)
    assert data["together"]["ranges"] == [[32, 35, 1]]
    assert data["tried"] == [1, 4096]


def test_what_cannot_be_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="no axis of an input is open"):
        shapeinspect.fit(shapeinspect.inspect(nn.Linear(3, 4), (2, 3)))
    with pytest.raises(UsageError, match="has no graph"):
        shapeinspect.fit(nn.Conv2d(1, 2, 3))
    code, _, err = run(capsys, "fit", "nothing.onnx")
    assert code == 2
    assert "nothing.onnx" in err


def test_a_report_is_one_trace_and_says_so() -> None:
    fit = shapeinspect.fit(shapeinspect.inspect(Resized(), (1, 1, 16, 24)))
    assert fit.answers == ("H 16", "W 24")
    assert "solved from one trace" in fit.solution.notes[0]
