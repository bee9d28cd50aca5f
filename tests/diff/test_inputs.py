"""The inputs of live models: with them a diff has a graph to go by."""

from __future__ import annotations

from torch import nn

import shapeinspect


def _net(space: int) -> nn.Module:
    layers = [nn.Conv2d(3, 5, (3, 2)), nn.Flatten(), nn.Linear(5 * space, 7)]
    return nn.Sequential(*layers)


def test_a_flattened_axis_is_known_where_an_input_is_given() -> None:
    net = _net(9 * 6)
    found = shapeinspect.diff(net, net, values=True, input_a=(2, 3, 11, 7), input_b=(2, 3, 11, 7))
    assert found.same
    assert not any("without an input" in note for note in found.to_dict()["notes"])
    blind = shapeinspect.diff(net, net)
    assert any("without an input" in note for note in blind.to_dict()["notes"])
