"""Another input size: usual ones first, only the failing axis moves, and what was fed is never proposed."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

from shapeinspect.api.debugging import explain_error


class Windows(nn.Module):
    """Cuts the height into windows of 4 and the width into windows of 6, after a patch layer of stride 4."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 10, 4, stride=4)

    def forward(self, x: Any) -> Any:
        x = self.patches(x)
        n, c, h, w = x.shape
        return x.view(n, c, h // 4, 4, w // 6, 6).sum((3, 5))


class Latent(nn.Module):
    """Halves its pictures five times, for a layer that takes 2×2 of 8 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*(nn.Conv2d(3 if n == 0 else 8, 8, 3, 2, 1) for n in range(5)))
        self.latent = nn.Linear(32, 5)

    def forward(self, x: Any) -> Any:
        return self.latent(self.encoder(x).flatten(1))


def first_fix(model: Any, *inputs: Any) -> str:
    with pytest.raises(RuntimeError) as caught:
        model(*inputs)
    found = explain_error(caught.value)
    assert found is not None
    return found.fixes[0].text


def size_of(fix: str) -> tuple[int, ...]:
    words = re.match(r"feed ([\d×]+)", fix)
    assert words is not None, fix
    return tuple(map(int, words[1].split("×")))


@pytest.mark.parametrize("fed", [(64, 100), (100, 96), (48, 52)])
def test_only_the_axis_that_fails_moves(fed: tuple[int, int]) -> None:
    height, width = size_of(first_fix(Windows(), torch.zeros(2, 3, *fed)))
    assert (height, width) != fed
    assert (height == fed[0]) == (fed[0] % 16 == 0)
    assert (width == fed[1]) == (fed[1] % 24 == 0) or fed[0] % 16 != 0
    Windows()(torch.zeros(2, 3, height, width))


def test_of_all_lengths_that_fit_the_usual_one_is_proposed() -> None:
    assert first_fix(Latent(), torch.zeros(2, 3, 96, 96)) == "feed 64×64 (33 to 64 fit)"


def test_inputs_of_one_size_are_changed_together() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = Latent(), Latent()

        def forward(self, left: Any, right: Any) -> Any:
            return torch.cat([self.first(left), self.second(right)], 1)

    assert first_fix(Pair(), torch.zeros(2, 3, 96, 96), torch.zeros(2, 3, 96, 96)).startswith("feed 64×64")
