"""What a callback takes of a training step on which nothing fails: processor time, in turns in a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest

import shapeinspect

pytestmark = pytest.mark.bench

#: Rounds; the first ones are not counted.
ROUNDS, WARM = 45, 5


def ratio(step: Callable[[], object], more: Callable[[], object]) -> tuple[float, float]:
    """What a callback adds, as a part of a step's processor time, and that time in seconds; in turns."""
    steps, additions = [], []
    for _ in range(ROUNDS + WARM):
        begin = time.process_time()
        step()
        middle = time.process_time()
        more()
        steps.append(middle - begin)
        additions.append(time.process_time() - middle)
    seconds = median(steps[WARM:])
    # The clock of a process is coarse: what is added is far below a tick, so the mean counts.
    return sum(additions[WARM:]) / ROUNDS / seconds, seconds


def report(capsys: pytest.CaptureFixture[str], name: str, found: tuple[float, float]) -> None:
    with capsys.disabled():
        print(f"\n{name}: {found[0] * 100:.3f} % of a step of {found[1] * 1000:.0f} ms")


def nothing() -> None:
    """What a watched step calls, so that only what watches it is measured."""


def torch_step() -> tuple[Any, Callable[[], object]]:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    x, y = torch.randn(20, 3, 64, 63), torch.randint(10, (20,))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return model, step


def hooks(model: Any) -> None:
    for hook in list(model._forward_pre_hooks.values()):
        hook(model, (), {})


def test_lightning(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lightning.pytorch")
    model, step = torch_step()
    told = shapeinspect.callback("lightning", table=False)

    class Trainer:
        is_global_zero = True

    told.setup(Trainer, model, "fit")  # from here to its end Lightning calls no method of the callback's own
    assert model._forward_pre_hooks
    found = ratio(step, lambda: hooks(model))
    told.teardown(Trainer, model, "fit")
    report(capsys, "the callback of Lightning", found)
    assert found[0] <= 0.01


def test_transformers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model, step = torch_step()
    told = shapeinspect.callback("transformers", table=False)

    class Trainer(transformers.Trainer):  # type: ignore[name-defined,misc]  # known at run time
        def __init__(self) -> None:
            self.is_world_process_zero = True

        def training_step(self) -> None:
            """No step: what watches it is measured."""

        def train(self) -> tuple[float, float]:
            told.on_train_begin(None, self, None, model=model)
            found = ratio(step, lambda: (hooks(model), self.training_step()))
            told.on_train_end(None, self, None)
            return found

    del tmp_path
    trainer = Trainer()
    found = trainer.train()
    assert "training_step" not in vars(trainer)
    report(capsys, "the callback of transformers", found)
    assert found[0] <= 0.01


def test_keras(capsys: pytest.CaptureFixture[str]) -> None:
    import keras
    import numpy as np
    from keras import layers

    picture = x = keras.Input((64, 63, 3))
    for _ in range(3):
        x = layers.Conv2D(16, 3, activation="relu")(x)
    model = keras.Model(picture, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    data, labels = np.zeros((24, 64, 63, 3), "float32"), np.zeros((24,), "int64")
    told = shapeinspect.callback("keras", table=False)
    told.set_model(model)
    own, model.train_function = model.train_function, nothing
    told.on_train_begin()
    watched = model.train_function
    assert watched is not nothing
    model.train_function = own
    found = ratio(lambda: model.train_on_batch(data, labels), watched)
    told.on_train_end()
    report(capsys, "the callback of Keras", found)
    assert found[0] <= 0.01
