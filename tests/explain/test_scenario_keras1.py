"""The old Convolution1D: (5, 1, 300, 111) in a file as Keras 1 wrote it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

import shapeinspect

Close = Callable[[Any, Any], None]

Run = Callable[..., tuple[int, str, str]]


def test_every_axis_of_the_weight_has_its_reason(run: Run, at_models: Path) -> None:
    code, out, _ = run("explain", "keras1.h5", "convolution1d_1")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    for said in (
        "convolution1d_1_W (5, 1, 300, 111)",
        "axis 0  kl    5   kernel length",
        "axis 1  1     1   a dummy axis of length 1",
        "axis 2  i   300   the layer's input channels",
        "axis 3  o   111   filters: one output channel each",
        "filter j is W[:, 0, :, j]",
        "One bias for each output channel: 111 in all.",
        "n − k + 1",
    ):
        assert said in out
    assert "111 filters and 111 output channels in all, not 300·111" in out


def test_both_readings_stand_side_by_side(run: Run, at_models: Path) -> None:
    _, out, _ = run("explain", "keras1.h5", "convolution1d_1")
    rows = {line.split("  ")[0]: line for line in out.splitlines()}
    assert "300 channels: this layer" in rows["two readings of 300"]
    assert "300 positions, 1 channel" in rows["two readings of 300"]
    # n - 5 + 1 places here; 300 - 5 + 1 = 296 places if 300 were the length
    assert "(n − 5 + 1, 111)" in rows["output"]
    assert "(296, 111)" in rows["output"]
    assert "(5, 1, 1, 111)" in rows["weights"]
    assert "5·300 = 1500" in rows["numbers in a filter"]
    given = shapeinspect.explain("keras1.h5", "convolution1d_1", input=(1, 40, 300))[0]
    formula = (given.calls[0].outputs[0].axes or ())[1].formula
    assert formula is not None
    assert formula.substituted == "40 − 5 + 1"


def test_filter_j_computes_feature_map_j(close: Close, at_models: Path) -> None:
    """A plain loop with ``W[:, 0, :, j]`` gives what torch computes with the transformed weight."""
    from einops import rearrange

    fact = shapeinspect.explain("keras1.h5", "convolution1d_1")[0].weights[0]
    with h5py.File("keras1.h5") as file:
        group = file["model_weights/convolution1d_1"]
        w, b = group["convolution1d_1_W"][...], group["convolution1d_1_b"][...]
    assert fact.transform is not None
    x = np.random.default_rng(2).normal(size=(9, 300)).astype("float32")
    moved = torch.tensor(rearrange(w, fact.transform))
    got = torch.nn.functional.conv1d(torch.tensor(x.T[None].copy()), moved, torch.tensor(b))[0].numpy()
    assert got.shape == (111, 5)
    for j in (0, 57, 110):
        kernel = w[:, 0, :, j]
        maps = [float((x[t : t + 5] * kernel).sum() + b[j]) for t in range(5)]
        close(maps, got[j])
