"""The first line of a table: what the model is, in plain words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import shapeinspect
from shapeinspect.ir import Layer, Model
from shapeinspect.render.grid import as_text
from shapeinspect.render.table import View, table


def _title(source: Any) -> str:
    return shapeinspect.inspect(source).to_text().splitlines()[0].partition("  ")[2]


def _onnx(path: Path) -> str:
    from onnx import TensorProto, helper, save

    node = helper.make_node("Relu", ["x"], ["y"], name="relu")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (2, 3)) for name in "xy"]
    model = helper.make_model(
        helper.make_graph([node], "g", ends[:1], ends[1:]),
        producer_name="pytorch",
        producer_version="2.9.0",
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    save(model, path / "m.onnx")
    return f"ONNX opset {model.opset_import[0].version} · exported by pytorch 2.9.0 · 1 layer"


def _safetensors(path: Path) -> str:
    from safetensors.numpy import save_file

    save_file({"fc.weight": np.zeros((3, 5), np.float32)}, path / "m.safetensors", {"format": "pt"})
    return "safetensors · format pt · 1 layer"


def _torch(path: Path) -> str:
    import torch

    torch.save(torch.nn.Linear(3, 5).state_dict(), path / "m.pt")
    return "PyTorch checkpoint · 1 layer"


def _legacy(path: Path) -> str:
    import torch

    torch.save(torch.nn.Linear(3, 5).state_dict(), path / "m.pth", _use_new_zipfile_serialization=False)
    return "PyTorch checkpoint, as before 1.6 · 1 layer"


def _npz(path: Path) -> str:
    np.savez(path / "m.npz", **{"fc/weight": np.zeros((3, 5))})
    return "NumPy archive · 1 layer"


def _keras(path: Path) -> str:
    import keras

    keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]).save(path / "m.keras")
    return f"Keras archive · saved by keras {keras.__version__} · 2 layers"  # with its input


def _keras_weights(path: Path) -> str:
    import keras

    keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]).save_weights(path / "m.weights.h5")
    return "HDF5 file of Keras, weights only · 1 layer"


@pytest.mark.parametrize("write", [_onnx, _safetensors, _torch, _legacy, _npz, _keras, _keras_weights])
def test_a_file_is_named_with_its_version_and_what_wrote_it(
    tmp_path: Path, write: Callable[[Path], str]
) -> None:
    told = write(tmp_path)
    (file,) = tmp_path.iterdir()
    assert _title(file) == told


def test_a_live_model_is_said_to_be_live() -> None:
    import torch

    assert _title(torch.nn.Linear(3, 5)) == "live PyTorch module · 1 layer"
    assert _title({"fc.weight": np.zeros((3, 5))}) == "state dict · 1 layer"


def test_an_adapter_without_words_of_its_own_gives_its_names() -> None:
    def first(model: Model) -> str:
        return as_text(table(model, View())).splitlines()[0]

    layers = (Layer("fc", "linear", "Linear"),)
    assert first(Model("m", "shapes", "other", "a", layers)) == "m  shapes · other · 1 layer"
    assert first(Model("m", "same", "same", "a", layers)) == "m  same · 1 layer"


def test_what_a_file_says_of_its_writer_stays_on_the_line() -> None:
    model = Model("m", "f", "f", "a", described=("F 1", "exported by \x1b[31mx\n" + "y" * 99))
    title = as_text(table(model, View())).splitlines()[0]
    assert "\\x1b[31mx\\x0a" in title
    assert len(title) < 99
