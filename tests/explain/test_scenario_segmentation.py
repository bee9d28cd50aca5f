"""A segmentation head in torch: scores, shares, labels, a picture; and the softmax over a wrong axis."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import shapeinspect

Run = Callable[..., tuple[int, str, str]]
INPUT = ("--input", "1,3,20,24")


def test_the_head_has_one_weight_a_channel_and_class(run: Run, at_models: Path) -> None:
    code, out, _ = run("explain", "networks:Segmentation", "head", *INPUT)
    assert code == 0
    assert "32·21 = 672 weights" in out
    assert "shared by all\npositions; not one set for each position." in out
    # 20·24 positions, each 32 products for each of 21 classes
    assert f"= {20 * 24}·32·21 = {20 * 24 * 32 * 21:,} multiplications" in out


def test_the_softmax_runs_over_the_classes(run: Run, at_models: Path) -> None:
    code, out, _ = run("explain", "networks:Segmentation", "softmax", *INPUT)
    assert code == 0
    assert "axis 1 = C = 21" in out
    assert "1·20·24 such positions" in out
    assert "1·21·20·24" in out
    from networks import Segmentation  # type: ignore[import-not-found]  # written by the fixture

    model = Segmentation().eval()
    shares = model.shares(torch.randn(1, 3, 20, 24))
    assert tuple(shares.shape) == (1, 21, 20, 24)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(1, 20, 24), rtol=0, atol=1e-6)
    code, out, _ = run("explain", "networks:Segmentation", "argmax", *INPUT)
    assert "one label, 0 to 20, for each of 1·20·24 positions" in out.replace("\n", " ")
    labels = shares[0].argmax(0)
    assert np.array_equal(shapeinspect.label_image(shares), shapeinspect.label_image(labels))
    assert shapeinspect.label_image(shares, image=torch.rand(3, 20, 24)).shape == (20, 24, 3)


def test_a_softmax_over_a_spatial_axis_is_a_finding(run: Run, at_models: Path) -> None:
    code, out, _ = run("explain", "networks:SpatialSoftmax", "softmax", *INPUT)
    assert code == 1
    assert "finding   the softmax runs over axis 3 = W, a spatial axis" in out
    assert "the channels are axis 1" in out.replace("\n          ", " ")
    code, out, _ = run("explain", "networks:SpatialSoftmax", *INPUT)
    assert code == 1
    assert "finding" in out


def test_an_implicit_axis_is_a_finding(run: Run, at_models: Path) -> None:
    code, out, _ = run("explain", "networks:ImplicitSoftmax", "1", *INPUT)
    assert code == 1
    assert "the softmax names no axis (axis 1 of 4 is taken)" in out.replace("\n          ", " ")
    # What torch really takes: the shares of axis 1 sum to 1 for 4 axes, those of axis 0 for 3.
    for shape, axis in (((2, 3, 4, 5), 1), ((3, 4, 5), 0), ((3, 4), 1)):
        chosen = torch.nn.functional._get_softmax_dim("softmax", len(shape), 0)
        assert chosen == axis
