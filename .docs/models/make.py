"""Writes the small models that the pages show, with random weights, into a folder: ``make.py FOLDER``."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main(folder: Path) -> None:
    """Write all models.

    Args:
        folder: an empty directory.
    """
    shutil.copy(ROOT / "tests" / "data" / "lenet.onnx", folder)
    _questions(folder)
    _classifier(folder / "classifier.keras")
    _checkpoint(folder / "stranger.safetensors")


def _questions(folder: Path) -> None:
    """Write the models of the questions, which their test has."""
    spec = importlib.util.spec_from_file_location("questions", ROOT / "tests" / "explain" / "conftest.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError("the models of the questions")
    questions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(questions)
    questions.write_models(folder)


def _classifier(path: Path) -> None:
    """A convolution, a batch norm, a flatten and a dense layer, with the channels last."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image = keras.Input((12, 10, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", name="conv")(image)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(2, name="pool")(x))
    model = keras.Model(image, layers.Dense(5, name="classes")(x))
    # Statistics as training leaves them: the usual ones would hide what is exchanged.
    norm = model.get_layer("norm")
    for number, weight in enumerate(norm.weights):
        weight.assign(keras.random.uniform(weight.shape, 0.5, 1.5, seed=number))
    model.save(path)


def _checkpoint(path: Path) -> None:
    """The weights of two blocks of a transformer, without a word on what they belong to."""
    import torch
    from safetensors.torch import save_file
    from torch import nn

    torch.manual_seed(3)
    block = nn.TransformerEncoderLayer(48, 4, 96, batch_first=True)
    model = nn.ModuleDict({"embed": nn.Embedding(101, 48), "encoder": nn.TransformerEncoder(block, 2)})
    model["head"] = nn.Linear(48, 7)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
