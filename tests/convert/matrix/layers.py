"""The layers of those networks of the matrix whose classes PyTorch and MLX call alike."""

from __future__ import annotations

from typing import Any

Layers = dict[str, Any]


def cnn(nn: Any) -> Layers:
    """Make convolutions and a flatten; C3 H8 W9."""
    return {
        "first": nn.Conv2d(3, 5, (3, 2)),
        "second": nn.Conv2d(5, 10, 3),
        "hidden": nn.Linear(10 * 4 * 6, 17),
        "out": nn.Linear(17, 7),
    }


def depthwise(nn: Any) -> Layers:
    """Make a depthwise convolution of multiplier 2, a separable one, a flatten; C3 H9 W8."""
    return {
        "depth": nn.Conv2d(3, 6, 3, groups=3),
        "stem": nn.Conv2d(6, 10, 1),
        "separate": nn.Conv2d(10, 10, (3, 2), groups=10, bias=False),
        "point": nn.Conv2d(10, 7, 1),
        "head": nn.Linear(7 * 5 * 5, 4),
    }


def norms(nn: Any, norm: Any) -> Layers:
    """Make batch norms after a convolution with a bias and one without; C3 H8 W9."""
    return {
        "first": nn.Conv2d(3, 5, (3, 2), bias=False),
        "first_norm": norm(5),
        "second": nn.Conv2d(5, 8, (2, 3)),
        "second_norm": norm(8),
        "out": nn.Linear(8, 6),
    }


def unet(nn: Any, norm: Any) -> Layers:
    """Make transposed convolutions of stride 2 and 1, and a skip; C2 H12 W8."""
    return {
        "down": nn.Conv2d(2, 6, 3, padding=1, bias=False),
        "norm": norm(6),
        "deep": nn.Conv2d(6, 9, 3, padding=1),
        "up": nn.ConvTranspose2d(9, 5, 2, stride=2),
        "mask": nn.Conv2d(11, 3, 1),
        "wide": nn.ConvTranspose2d(3, 4, (3, 2)),
    }


def grouped(nn: Any) -> Layers:
    """Make grouped convolutions in one axis; C6 L11."""
    return {
        "first": nn.Conv1d(6, 12, 3, groups=3),
        "second": nn.Conv1d(12, 8, 2, groups=4),
        "out": nn.Conv1d(8, 5, 1),
    }


def add(module: Any, layers: Layers) -> None:
    """Give a module its layers."""
    for name, layer in layers.items():
        setattr(module, name, layer)
