"""What ``debug`` takes of a training step on which nothing fails, measured in turns in one process."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import pytest

import shapeinspect

pytestmark = pytest.mark.bench

#: Rounds; the first one is not counted.
ROUNDS = 25


def ratio(step: Callable[[], object], block: Callable[[], object]) -> tuple[float, float]:
    """Return what the block itself takes, as a part of a step, and the seconds of a step; in turns.

    A whole step with and without the block differs by several percent from one run to the next on a busy
    machine, a hundred times more than the block takes: so the block is timed alone, beside the step.
    """
    steps, blocks = [], []
    for _ in range(ROUNDS + 1):
        begin = time.perf_counter()
        step()
        middle = time.perf_counter()
        block()
        steps.append(middle - begin)
        blocks.append(time.perf_counter() - middle)
    seconds = median(steps[1:])
    return median(blocks[1:]) / seconds, seconds


def report(capsys: pytest.CaptureFixture[str], name: str, found: tuple[float, float]) -> None:
    with capsys.disabled():
        print(f"\n{name}: {found[0] * 100:.3f} % of a step of {found[1] * 1000:.0f} ms")


def residual():
    """Return a small residual network and one training step on it."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.one, self.two = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
            self.norm = nn.BatchNorm2d(channels)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(x + self.two(F.relu(self.norm(self.one(x)))))

    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=2, padding=1), *(Block(16) for _ in range(4)), nn.Flatten(2)
    )
    model.append(nn.AdaptiveAvgPool1d(1)).append(nn.Flatten()).append(nn.Linear(16, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    x, y = torch.randn(20, 3, 64, 64), torch.randint(10, (20,))

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    return model, step


def test_torch_block(capsys: pytest.CaptureFixture[str]) -> None:
    model, step = residual()

    def block() -> None:
        with shapeinspect.debug(model):
            for hook in list(model._forward_pre_hooks.values()):
                hook(model, (), {})

    found = ratio(step, block)
    report(capsys, "torch, with debug(model) and its hook", found)
    assert found[1] > 0.02
    assert found[0] <= 0.01


def test_torch_decorator(capsys: pytest.CaptureFixture[str]) -> None:
    _, step = residual()
    found = ratio(step, shapeinspect.debug(lambda: None))
    report(capsys, "torch, @debug", found)
    assert found[0] <= 0.01


def test_keras_block(capsys: pytest.CaptureFixture[str]) -> None:
    import keras
    import numpy as np
    from keras import layers

    picture = x = keras.Input((64, 64, 3))
    for _ in range(3):
        x = layers.Conv2D(16, 3, activation="relu")(x)
    model = keras.Model(picture, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data, labels = np.zeros((24, 64, 64, 3), "float32"), np.zeros((24,), "int64")

    def step() -> None:
        model.train_on_batch(data, labels)

    def block() -> None:
        with shapeinspect.debug(model):
            pass

    found = ratio(step, block)
    report(capsys, "keras, with debug(model)", found)
    assert found[1] > 0.02
    assert found[0] <= 0.01
