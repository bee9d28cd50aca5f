"""Ports with one setting each that no shape and no weight shows: how numbers are rounded, resized, padded.

As in ``planted``, the weights of both sides are the same numbers, and what is expected is the changed op.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))  # pytest's import mode does not put this folder there
import planted  # found only now
from planted import Case, L, Two, edited, exported, filled, functional, made, picture, set_attribute
from torch import nn
from torch.nn import functional as F  # the field's name


def _between(function: Callable[[Any], Any], **parts: nn.Module) -> planted.Made:
    """C3 H9 W8: a convolution, something, a convolution of 1, and a head over the mean."""

    def run(self: Any, x: torch.Tensor) -> torch.Tensor:
        x = self.mid(self.first(x)) if parts else function(self.first(x))
        return self.head(self.last(x).mean((2, 3)))

    return made(
        run,
        first=nn.Conv2d(3, 6, 3, padding=1), **parts, last=nn.Conv2d(6, 5, (2, 3)), head=nn.Linear(5, 4),
    )  # fmt: skip


def _between_keras(module: nn.Module, layer: Any) -> Any:
    def layers(x: Any) -> Any:
        x = layer(L.Conv2D(6, 3, padding="same", name="first")(x))
        x = L.Conv2D(5, (2, 3), name="last")(x)
        return L.Dense(4, name="head")(L.GlobalAveragePooling2D()(x))

    return filled(functional((9, 8, 3), layers), module)


def _graph(function: Callable[[Any], Any], path: Path, op: str = "", **changed: Any) -> Two:
    """Return a module, and its export in which the attributes of one op are others."""
    module = _between(function)
    graph = exported(module, picture(3, 9, 8), path / "net.onnx", opset_version=20)
    for name, value in changed.items():
        edited(graph, set_attribute(op, name, value))
    return module, graph


def _mode(path: Path) -> Two:
    del path
    module = _between(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"))
    return module, _between_keras(module, L.UpSampling2D(2, interpolation="nearest"))


def _grid(x: torch.Tensor) -> torch.Tensor:
    turn = torch.tensor([[[0.8, -0.5, 0.1], [0.4, 0.9, -0.2]]]).expand(x.shape[0], 2, 3)
    return F.affine_grid(turn, [1, 6, 7, 5], align_corners=False)


def _sampled(path: Path, **changed: Any) -> Two:
    grid = _grid(torch.zeros(1, 6, 9, 8))
    return _graph(lambda x: F.grid_sample(x, grid, align_corners=False), path, "GridSample", **changed)


def _mirrored(path: Path) -> Two:
    """A convolution that pads by mirroring, against one that pads with zeros."""
    module = made(
        lambda self, x: self.head(torch.relu(self.conv(x)).mean((2, 3))),
        conv=nn.Conv2d(3, 6, 3, padding=1, padding_mode="reflect"), head=nn.Linear(6, 4),
    )  # fmt: skip

    def layers(x: Any) -> Any:
        x = L.Conv2D(6, 3, padding="same", activation="relu", name="conv")(x)
        return L.Dense(4, name="head")(L.GlobalAveragePooling2D()(x))

    return module, filled(functional((9, 8, 3), layers), module)


def _ceiling(path: Path) -> Two:
    return _graph(lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), path, "MaxPool", ceil_mode=0)


def _dilated(path: Path) -> Two:
    """A dilation that the padding makes up for: all shapes stay as they are."""
    del path
    module = made(
        lambda self, x: self.head(torch.relu(self.conv(x)).mean((2, 3))),
        conv=nn.Conv2d(3, 6, 3, padding=2, dilation=2), head=nn.Linear(6, 4),
    )  # fmt: skip

    def layers(x: Any) -> Any:
        x = L.Conv2D(6, 3, padding="same", activation="relu", name="conv")(x)
        return L.Dense(4, name="head")(L.GlobalAveragePooling2D()(x))

    return module, filled(functional((9, 8, 3), layers), module)


def _grouped(path: Path) -> Two:
    del path
    module = _between(lambda x: x, mid=nn.GroupNorm(2, 6, eps=1e-3))
    return module, _between_keras(module, L.GroupNormalization(3, epsilon=1e-3, name="mid"))


def _reset(path: Path) -> Two:
    module = made(
        lambda self, x: self.head(self.rnn(x)[0][:, -1]),
        rnn=nn.GRU(6, 5, batch_first=True), head=nn.Linear(5, 4),
    )  # fmt: skip
    graph = exported(module, torch.rand(1, 7, 6), path / "gru.onnx")
    return module, edited(graph, set_attribute("GRU", "linear_before_reset", 0))


def _softplus(path: Path) -> Two:
    del path
    module = _between(lambda x: F.softplus(x, beta=3.0))
    return module, _between_keras(module, L.Activation("softplus"))


def _flipped(path: Path) -> Two:
    def mirrored(x: torch.Tensor) -> torch.Tensor:
        return F.pad(x, (2, 1, 1, 2), mode="reflect")

    return _graph(mirrored, path, "Pad", mode="edge")


def _log(path: Path) -> Two:
    module = planted.small(F.relu)
    whole = planted.made(lambda self, x: F.log_softmax(self.body(x), -1), body=module)
    graph = exported(whole, picture(3, 9, 8), path / "log.onnx")

    def plain(proto: Any) -> None:
        for node in proto.graph.node:
            if node.op_type == "LogSoftmax":
                node.op_type = "Softmax"

    return whole, edited(graph, plain)


#: Faults in settings alone.
SETTINGS = (
    Case("nearest for bilinear", _mode, ("interpolate", "up_sampling"), "mode"),
    Case("rounding of nearest", lambda p: _graph(
        lambda x: F.interpolate(x, size=(13, 11), mode="nearest"), p, "Resize", nearest_mode="ceil"),
        ("interpolate", ""), "nearest_mode"),
    Case("corners of a grid", lambda p: _sampled(p, align_corners=1), ("grid_sample", ""), "align_corners"),
    Case("padding of a grid", lambda p: _sampled(p, padding_mode="border"), ("grid_sample", ""),
         "padding_mode"),
    Case("mirrored padding", _mirrored, ("conv", "conv"), "padding_mode"),
    Case("rounding up", _ceiling, ("max_pool", ""), "ceil_mode"),
    Case("dilation", _dilated, ("conv", "conv"), "dilation"),
    Case("groups of a norm", _grouped, ("mid", "mid"), "num_groups"),
    Case("where a GRU resets", _reset, ("rnn", ""), "reset_after"),
    Case("beta of a softplus", _softplus, ("softplus", ""), "beta"),
    Case("mode of a padding", _flipped, ("pad", ""), "mode"),
    Case("slope of an ELU", lambda p: _graph(lambda x: F.elu(x, 0.6), p, "Elu", alpha=1.0), ("elu", ""),
         "alpha"),
    Case("logarithm", _log, ("log_softmax", ""), "log"),
    Case("slope of a hard sigmoid", lambda p: _graph(F.hardsigmoid, p, "HardSigmoid", alpha=0.2),
         ("hardsigmoid", ""), "alpha"),
)  # fmt: skip
