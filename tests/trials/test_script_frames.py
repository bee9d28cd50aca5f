"""What the frames of a failed script tell of its arrays."""

from __future__ import annotations

import sys

import torch
from torch import nn

from shapeinspect.api.script_frames import classes_of, shapes_of


class _Holder:
    """Holds an array, and a weight that has no shape before it is used first."""

    def __init__(self) -> None:
        self.mean = torch.zeros(3, 5)
        self.late = nn.LazyLinear(7).weight

    def told(self) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
        rows = torch.zeros(2, 9)
        frames = [(sys._getframe(), rows.dim())]
        return classes_of(frames), shapes_of(frames)


def test_arrays_are_told_by_name_and_a_weight_without_a_shape_is_left_out() -> None:
    classes, shapes = _Holder().told()
    assert classes["rows"] == classes["self.mean"] == "torch.Tensor"
    assert {name: shapes[name] for name in ("rows", "self.mean")} == {"rows": (2, 9), "self.mean": (3, 5)}
    assert "self.late" not in shapes
