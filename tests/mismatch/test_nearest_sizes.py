"""The nearest sizes that run stand in the diagnosis with the rule behind them; the framework takes them."""

from __future__ import annotations

import importlib
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis, describe


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found does not depend on how busy the machine is."""
    for room in ("shapeinspect.mismatch.diagnose", "shapeinspect.mismatch.repairs.input_sizes.fitting"):
        monkeypatch.setattr(importlib.import_module(room), "_SECONDS", 120.0)


class AudioUNet(nn.Module):
    """Every level divides the length; the sums take equal lengths only."""

    def __init__(self, factors: tuple[int, ...] = (2, 4, 5)) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv1d(3, 3, n, n) for n in factors)
        self.up = nn.ModuleList(nn.ConvTranspose1d(3, 3, n, n) for n in reversed(factors))

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for layer in self.down:
            kept.append(x)
            x = layer(x)
        for layer in self.up:
            x = layer(x) + kept.pop()
        return x


class Windows(nn.Module):
    """Splits a map into windows of 7 by 7."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        return x.view(batch, channels, height // 7, 7, width // 7, 7)


def explained(call: Any, *args: Any) -> Diagnosis:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # onnxruntime has exceptions of its own
        call(*args)
    found = explain_error(caught.value)
    assert found is not None
    return found


def fed(diagnosis: Diagnosis) -> tuple[int, ...]:
    """Return the shape that the first fix feeds."""
    shape = re.search(r"of \(([\d, ]*)\)", diagnosis.fixes[0].text)
    assert shape is not None, diagnosis.fixes[0].text
    return tuple(map(int, shape[1].split(",")))


def session(folder: Path, net: nn.Module, example: tuple[int, ...], free: dict[int, str]) -> Any:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = str(folder / "m.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axes = {"x": free}
        torch.onnx.export(
            net, (torch.zeros(example),), path, input_names=["x"], dynamic_axes=axes, dynamo=False
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options)


def test_a_length_is_a_multiple_of_the_strides() -> None:
    net = AudioUNet()
    found = explained(net, torch.zeros(2, 3, 130))
    shape = fed(found)
    assert shape in ((2, 3, 120), (2, 3, 160))
    net(torch.zeros(shape))
    text = " ".join(describe(found).split())
    assert "130 is no multiple of " in text
    assert "feed x of (2, 3, 160), or of length 120 (on axis 2 multiples of 40 fit)" in text


def test_both_axes_of_windows_are_moved_to_their_own_nearest() -> None:
    found = explained(Windows(), torch.zeros(1, 2, 48, 64))
    Windows()(torch.zeros(fed(found)))
    assert fed(found)[2:] in ((49, 63), (56, 63), (49, 70), (56, 56))


def test_a_graph_s_sizes_are_those_that_its_session_takes(tmp_path: Path) -> None:
    run = session(tmp_path, Windows(), (1, 2, 14, 21), {2: "h", 3: "w"})
    found = explained(run.run, None, {"x": np.zeros((1, 2, 48, 65), np.float32)})
    shape = fed(found)
    assert "multiples of 7 fit" in found.fixes[0].text
    run.run(None, {"x": np.zeros(shape, np.float32)})
    found = explained(
        session(tmp_path, AudioUNet(), (1, 3, 80), {2: "samples"}).run,
        None,
        {"x": np.zeros((1, 3, 130), np.float32)},
    )
    assert fed(found) == (1, 3, 160)
    assert "multiples of 40 fit" in found.fixes[0].text
