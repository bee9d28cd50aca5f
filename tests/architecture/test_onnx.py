"""LeNet-5 as a file, and written in torch."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any


def test_file(shapes: Any, lenet: Any) -> None:
    r = shapes(lenet)
    with shapes.block():
        assert r.input.matches("n 1 h w")
        assert r["conv1"].output.matches("n 6 h-4 w-4")
        assert r["pool1"].output.matches("n 6 (h-4)/2 (w-4)/2")
        assert r["conv2"].output.matches("n 16 h/2-6 w/2-6")
        assert r["pool2"].output.matches("n c y x")
        assert r["flatten"].output.matches("n (c y x)")
        assert r["fc1"].in_features == 16 * 5 * 5
        assert r.output.matches("n 10")
    shapes.snapshot(r, name="lenet")


def test_torch(shapes: Any) -> None:
    from torch import nn

    layers = OrderedDict(
        conv1=nn.Conv2d(1, 6, 5),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, 5),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        fc1=nn.Linear(400, 120),
        relu3=nn.ReLU(),
        fc2=nn.Linear(120, 84),
        relu4=nn.ReLU(),
        fc3=nn.Linear(84, 10),
    )
    shapes.snapshot(nn.Sequential(layers), (1, 1, 32, 32), name="lenet")
