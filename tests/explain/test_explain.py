"""Explanations of whole layers, with numbers derived by hand from LeNet-5 and from settings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

import shapeinspect
from shapeinspect import UnknownLayerError, UsageError

LENET = str(Path(__file__).parents[1] / "data" / "lenet.onnx")

Run = Callable[..., tuple[int, str, str]]


def test_a_convolution_of_lenet() -> None:
    layer = shapeinspect.explain(LENET, "conv2")[0]
    call = layer.calls[0]
    # 32 -5+1-> 28 /2-> 14 -5+1-> 10
    assert [axis.length for axis in call.outputs[0].axes or ()][1:] == [16, 10, 10]
    formula = (call.outputs[0].axes or ())[2].formula
    assert formula is not None
    assert (formula.written, formula.substituted, formula.result) == ("n − k + 1", "14 − 5 + 1", 10)
    kernel, bias = layer.weights
    assert [(axis.name, axis.length) for axis in kernel.axes] == [("o", 16), ("i", 6), ("kh", 5), ("kw", 5)]
    assert kernel.axes[1].meaning == 'the layer\'s input channels, the 6 filters of "conv1"'
    assert [axis.length for axis in bias.axes] == [16]
    assert call.work is not None
    assert str(call.work.total) == f"{10 * 10 * 25 * 6 * 16}*N"
    # conv1 sees 5; pool1 sees 6 with jump 2; conv2 sees 6 + 4·2
    assert [(one.axis, one.size, one.jump, one.start) for one in call.field] == [
        ("H", 14, "2", 0),
        ("W", 14, "2", 0),
    ]


def test_a_flattened_input_is_taken_apart() -> None:
    layer = shapeinspect.explain(LENET, "fc1")[0]
    axis = layer.weights[0].axes[1]
    assert (axis.name, axis.length) == ("(C H W)", 400)
    assert "16·5·5" in axis.meaning
    assert '"flatten"' in axis.meaning
    # behind a flatten every output sees the whole input
    assert [(one.axis, one.size, one.length) for one in layer.calls[0].field] == [
        ("H", None, 32),
        ("W", None, 32),
    ]


def test_every_layer_that_changes_a_shape_has_one_line(run: Run) -> None:
    code, out, _ = run("explain", LENET, "--width", "80")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines() if not line.startswith(" ")}
    assert list(rows) == ["conv1", "pool1", "conv2", "pool2", "flatten", "fc1", "fc2", "fc3"]
    assert "C6 H28 W28 → C6 H14 W14" in rows["pool1"]
    assert "⌊(n − k) / s⌋ + 1" in rows["pool1"]


def test_the_screen_is_at_most_80_columns_and_says_it_all(run: Run) -> None:
    code, out, _ = run("explain", LENET, "conv2", "--width", "80")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert len(out.splitlines()) <= 45
    for said in (
        'axis 1  i    6   the layer\'s input channels, the 6 filters of "conv1"',
        "n − k + 1 = 14 − 5 + 1 = 10",
        "= N·100·25·6·16 = 240000*N multiplications",
        "One bias for each output channel: 16 in all.",
        'H of "image": 14 of 32; jump 2, start 0',
        "out 0    ■   ■   ■   ■   ■   ·",
    ):
        assert said in out


def test_json_is_the_same_derivation(run: Run) -> None:
    code, out, _ = run("explain", LENET, "conv2", "--format", "json")
    data = json.loads(out)
    assert (code, data["schema"]) == (0, 1)
    assert data == shapeinspect.explain(LENET, "conv2").to_dict()
    axis = data["layers"][0]["calls"][0]["outputs"][0]["axes"][2]
    assert axis["formula"]["values"] == {"n": 14, "k": 5}
    assert axis["formula"]["result"] == 10


def test_an_unknown_layer_names_close_ones(run: Run) -> None:
    code, _, err = run("explain", LENET, "conv9")
    assert code == 2
    assert 'no layer is named "conv9"' in err
    assert '"conv2"' in err
    with pytest.raises(UnknownLayerError):
        shapeinspect.explain(LENET, "nope")


def test_a_calculator_without_a_model(run: Run) -> None:
    code, out, _ = run("explain", "conv", "--input", "300", "--kernel", "5", "--width", "80")
    assert code == 0
    assert "n − k + 1 = 300 − 5 + 1 = 296" in out
    assert "296·5·i·o = 1480*i*o multiplications" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        # floor((224 + 6 - 7)/2) + 1 = 112
        (("conv", "-i", "224,224", "-k", "7", "-s", "2", "-p", "3"), "⌊(224 + 2·3 − 7) / 2⌋ + 1 = 112"),
        # a kernel of 3 with dilation 4 spans 9
        (("conv", "-i", "20", "-k", "3", "--dilation", "4"), "n − d·(k − 1) = 20 − 4·(3 − 1) = 12"),
        (("conv", "-i", "15", "-k", "3", "-s", "2", "-p", "same"), "⌈n / s⌉ = ⌈15 / 2⌉ = 8"),
        (("conv", "-i", "9", "-k", "4", "-p", "1+2"), "n + before + after − k + 1 = 9 + 1 + 2 − 4 + 1 = 9"),
        (("conv_transpose", "-i", "7", "-k", "4", "-s", "2", "-p", "1"), "(7 − 1)·2 − 2·1 + 4 = 14"),
        # (6 - 3)/2 rounded up is 2, and the third window begins at 4, inside 6
        (("max_pool", "-i", "6", "-k", "3", "-s", "2", "--set", "ceil_mode=true"), "= 3"),
        (("resize", "-i", "1,3,15,17", "--set", "scale_factor=0.5"), "⌊n·scale⌋ = ⌊15·0.5⌋ = 7"),
        (("pixel_shuffle", "-i", "1,12,5,7", "--set", "factor=2"), "C / (r·r) = 12 / (2·2) = 3"),
        (("concat", "-i", "1,4", "-i", "1,5", "--set", "axis=1"), "a + b = 4 + 5 = 9"),
        (("adaptive_avg_pool", "-i", "5", "--set", "output_size=3"), "L 5 → 3   0 [0,2)   1 [1,4)   2 [3,5)"),
        (("linear", "-i", "2,300", "--out", "7"), "= 2·300·7 = 4,200 multiplications"),
        (("matmul", "-i", "3,4", "-i", "4,7"), "= 21·4 = 84 multiplications"),
    ],
)
def test_the_calculator_knows_the_formula(run: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = run("explain", *words, "--width", "80")
    assert (code, err) == (0, "")
    assert said in out
    assert max(map(len, out.splitlines())) <= 80


def test_what_the_calculator_refuses(run: Run) -> None:
    code, _, err = run("explain", "conv")
    assert code == 2
    assert "conv needs an input" in err
    code, _, err = run("explain", "conv", "--input", "300")
    assert code == 2
    assert "conv needs kernel_size" in err
    code, _, err = run("explain", "conv", "--input", "3", "--kernel", "5")
    assert code == 1
    assert "L of at least 5" in err
    with pytest.raises(UsageError, match="settings apply to a kind of layer"):
        shapeinspect.explain(LENET, "conv1", kernel_size=3)


def test_a_drawing_as_svg(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "conv.svg"
    code, _, _ = run("explain", "conv", "-i", "9", "-k", "3", "-s", "2", "-p", "1", "--svg", str(path))
    assert code == 0
    root = ElementTree.parse(path).getroot()
    boxes = [one.get("class") for one in root.iter("{http://www.w3.org/2000/svg}rect")]
    # 9 inputs, 1 of padding at each end; floor((9 + 2 - 3)/2) + 1 = 5 windows of 3 taps, each a row; above
    # them the volume in its frame, one window and its output; below them what that one sees
    assert (boxes.count("input"), boxes.count("padding"), boxes.count("window")) == (
        9 + 1,
        2 + 1,
        15 + 3 + 1 + 2,
    )
    elsewhere = tmp_path / "no folder" / "conv.svg"
    code, _, err = run("explain", "conv", "-i", "9", "-k", "3", "--svg", str(elsewhere))
    assert code == 2
    assert "cannot write" in err
    assert "No such file or directory" in err
    code, _, err = run("explain", "conv", "-i", "9", "-k", "3", "--svg", "/dev/null")
    assert code == 2
    assert "a device" in err
    code, _, err = run("explain", "tests/data/lenet.onnx", "--svg", str(path))
    assert code == 2
    assert "nothing to draw" in err
    assert "expected  one layer whose lengths are known" in err


def test_long_names_stay_on_the_screen() -> None:
    from torch import nn

    model = nn.Sequential()
    name = "a_rather_long_name_of_a_block_that_somebody_has_given_to_a_layer_of_their_network"[:70]
    model.add_module(name, nn.AdaptiveAvgPool2d(2))
    text = shapeinspect.explain(model, name, (1, 3, 5, 7)).to_text(80)
    assert text.splitlines()[:2] == [name, "adaptive_avg_pool (AdaptiveAvgPool2d)"]
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("groups", "out", "said"),
    [
        # 12 channels in 4 groups of 3; 8 filters, 2 a group, of 9·3 numbers
        (4, 8, "4 groups: every 2 filters share 3 of the 12 input channels and see no others, so a filter "
               "has 9·3 = 27 numbers."),
        (12, 12, "Depthwise, groups = 12: each input channel has one filter of its own, of 9 numbers, and no "
                 "filter sees a second channel."),
        (12, 24, "Depthwise, groups = 12: each input channel has 2 filters of its own, of 9 numbers, and no "
                 "filter sees a second channel."),
    ],
)  # fmt: skip
def test_groups_are_explained(groups: int, out: int, said: str) -> None:
    conv = torch.nn.Conv2d(12, out, 3, groups=groups)
    found = shapeinspect.explain(torch.nn.Sequential(conv), "0", input=(1, 12, 7, 8))[0]
    assert said in found.remarks
    assert conv.weight[0].numel() == int(re.findall(r"(\d+) numbers", said)[0])


def test_an_input_that_is_read_several_times_is_written_once() -> None:
    class Attends(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.MultiheadAttention(12, 3, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x, x, x)[0]

    text = shapeinspect.explain(Attends(), "inner", input=(2, 7, 12)).to_text()
    assert text.count("goes in   x (2, 7, 12)") == 1
    assert text.count("goes in   x again") == 2


@pytest.mark.parametrize(
    ("settings", "texts"),
    [
        (
            {"in_channels": 1, "out_channels": 4},
            ("4 filters of 5 slide over 1 channel\n", "the one input channel"),
        ),
        (
            {"in_channels": 3, "out_channels": 1},
            ("1 filter of 5 slides over 3 channels\n", "there is 1 filter and 1 "),
        ),
    ],
)
def test_one_is_singular(settings: dict[str, int], texts: tuple[str, ...]) -> None:
    text = shapeinspect.explain("conv", input=30, kernel_size=5, **settings).to_text(400)
    assert [part for part in texts if part not in text] == []
    assert re.search(r"\b1 (?:channels|filters|numbers|inputs|outputs|positions|taps)\b", text) is None


def test_a_summary_keeps_to_the_width_whatever_the_names_are() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a_name_that_is_long_enough_for_any_screen_of_a_terminal = torch.nn.Conv2d(3, 5, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.a_name_that_is_long_enough_for_any_screen_of_a_terminal(x)
            return torch.cat([y, y.flip(2), y], 1).sum() * 2 + y.mean()

    text = shapeinspect.explain(Net(), input=(2, 3, 31, 33)).to_text(80)
    assert max(map(len, text.splitlines())) <= 80
    assert "→ scalar" in text
    assert "reads ," not in text
