"""What ``debug`` takes of a training step on which nothing fails, measured in turns in one process."""

from __future__ import annotations

import subprocess
import sys
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


#: A fresh process prints what importing torch takes, and what the first diagnosis takes: processor seconds.
FIRST = """
import time, warnings
warnings.simplefilter("ignore")
begin = time.process_time()
import torch
from torch import nn
torch.set_num_threads(1)
imported = time.process_time() - begin
import shapeinspect

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Embedding(50, 16), nn.LayerNorm(16)
        self.encode = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)
        self.down = nn.Conv1d(16, 12, 3, stride=2)
        self.head = nn.Linear(13, 5)

    def forward(self, x):
        x = self.norm(self.embed(x))
        if x.mean() > 10:
            return x
        x = self.down(self.encode(x).transpose(1, 2)).mean(2)
        return self.head(torch.cat([x[:, :6], x[:, 6:]], 1))

x = torch.randint(0, 50, (3, 17))
begin = time.process_time()
try:
    shapeinspect.debug(Net(), x)
except RuntimeError as error:
    assert "in_features=12" in error.__notes__[0]
print(imported, time.process_time() - begin)
"""


def test_first_diagnosis(capsys: pytest.CaptureFixture[str]) -> None:
    """What the first diagnosis takes, with all that it imports, as a part of what importing torch takes."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", FIRST], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(3)
    ]
    torch_seconds, diagnosis = (median(float(run[place]) for run in runs) for place in (0, 1))
    with capsys.disabled():
        print(
            f"\nfirst diagnosis: {diagnosis:.2f} s, {diagnosis / torch_seconds * 100:.0f} % of `import torch`"
        )
    assert diagnosis <= torch_seconds
