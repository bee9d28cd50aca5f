"""The loading scripts for Keras weights files and SavedModels, run; the outputs are those of the source."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from torch import nn

import shapeinspect
from shapeinspect.errors import UsageError

L: Any = keras.layers


class Net(nn.Module):
    """C3 H9 W8: a convolution, a batch norm, a flattened picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, (3, 2)), nn.BatchNorm2d(6, eps=1e-3)
        self.head = nn.Linear(6 * 7 * 7, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(torch.relu(self.conv(x))).flatten(1))


def keras_net() -> keras.Model:
    x = inputs = keras.Input((9, 8, 3))
    x = L.BatchNormalization(name="norm")(L.Conv2D(6, (3, 2), activation="relu", name="conv")(x))
    return keras.Model(inputs, L.Dense(4, name="head")(L.Flatten()(x)))


@pytest.fixture
def module() -> Net:
    torch.manual_seed(4)
    made = Net().eval()
    with torch.no_grad():
        made.norm.running_mean.uniform_(-0.3, 0.3)
        made.norm.running_var.uniform_(0.4, 0.9)
    return made


@pytest.fixture
def expected(module: Net) -> tuple[Any, Any]:
    """A picture with its channels last, and what the module makes of it."""
    x = torch.rand(2, 3, 9, 8)
    with torch.no_grad():
        return x.permute(0, 2, 3, 1).numpy(), module(x).numpy()


def _run(script: str, folder: Path) -> dict[str, Any]:
    """Run a loading script as a user does, in a process of its own."""
    (folder / "load.py").write_text(script)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    subprocess.run([sys.executable, "load.py"], cwd=folder, check=True, env=environment, capture_output=True)
    return {path.name: path for path in folder.iterdir()}


def test_a_weights_file_is_written_that_load_weights_takes(
    module: Net, expected: tuple[Any, Any], tmp_path: Path
) -> None:
    model = keras_net()
    target = tmp_path / "net.weights.h5"
    model.save_weights(target)
    written = shapeinspect.normalize(
        module, tmp_path / "port.safetensors", like=target, input=(1, 3, 9, 8), script=True
    )
    assert written.script is not None
    made = _run(written.script, tmp_path)
    fresh = keras_net()
    fresh.load_weights(made["ported.weights.h5"])
    x, y = expected
    np.testing.assert_allclose(fresh(x).numpy(), y, rtol=0, atol=1e-5 * np.abs(y).max())
    space: dict[str, Any] = {"__name__": "load"}
    exec(compile(written.script, "load.py", "exec"), space)  # the script that a user imports
    space["OUT"] = str(tmp_path / "again.weights.h5")
    loaded = space["load"](model)
    np.testing.assert_allclose(loaded(x).numpy(), y, rtol=0, atol=1e-5 * np.abs(y).max())


def test_the_variables_of_a_saved_model_are_assigned(
    module: Net, expected: tuple[Any, Any], tmp_path: Path
) -> None:
    target = tmp_path / "saved"
    keras_net().export(target, verbose=False)
    written = shapeinspect.normalize(module, tmp_path / "port.safetensors", like=target, script=True)
    assert written.script is not None
    made = _run(written.script, tmp_path)
    call = tf.saved_model.load(str(made["ported"])).signatures["serving_default"]
    x, y = expected
    (found,) = call(tf.constant(x)).values()
    np.testing.assert_allclose(found.numpy(), y, rtol=0, atol=1e-5 * np.abs(y).max())


def test_tflite_takes_no_weights_and_the_way_around_is_said(module: Net, tmp_path: Path) -> None:
    target, output = tmp_path / "net.tflite", tmp_path / "port.safetensors"
    target.write_bytes(tf.lite.TFLiteConverter.from_keras_model(keras_net()).convert())
    with pytest.raises(UsageError) as caught:
        shapeinspect.normalize(module, output, like=target, input=(1, 3, 9, 8), script=True)
    assert "nothing loads weights into a TFLite file" in str(caught.value)
    assert "from_keras_model" in str(caught.value)
    assert not output.exists()
