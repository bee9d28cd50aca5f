"""Ways in which a person types one layer for the calculator, against the shape of the framework's layer.

Of the first 32 of these, 4 had the right shape when an input was always read as lengths, or as a batch with
channels, and few options had other names.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from shapeinspect.explanation.input_reading import LayerName, read_input

L: Any = keras.layers
Run = Callable[..., tuple[int, str, str]]


def of_torch(layer: nn.Module, *shape: int) -> tuple[int, ...]:
    with torch.no_grad():
        return tuple(layer(torch.zeros(shape)).shape)


def of_keras(layer: Any, *shape: int) -> tuple[int, ...]:
    """Return the shape for one sample without its batch axis."""
    return tuple(layer(np.zeros((1, *shape), "float32")).shape[1:])


WAYS: dict[str, Callable[[], tuple[int, ...]]] = {
    "Conv2d --input 3,224,224 --kernel 7 --in 3 --out 5": lambda: of_torch(nn.Conv2d(3, 5, 7), 3, 224, 224),
    "conv --input 3,224,224 --kernel 7 --in 3 --out 5": lambda: of_torch(nn.Conv2d(3, 5, 7), 3, 224, 224),
    "conv2d --input 3x22x24 --kernel 7 --stride 2 --padding 3 --out 5": lambda: of_torch(
        nn.Conv2d(3, 5, 7, 2, 3), 3, 22, 24
    ),
    "nn.Conv2d --input 2,3,22,24 --kernel 3 --out 5": lambda: of_torch(nn.Conv2d(3, 5, 3), 2, 3, 22, 24),
    "Conv2d --input 22,24,3 --kernel 7 --in 3 --out 5": lambda: of_keras(L.Conv2D(5, 7), 22, 24, 3),
    "Conv2D --input 22,24,3 --kernel 7 --filters 5 --strides 2 --padding same": lambda: of_keras(
        L.Conv2D(5, 7, 2, "same"), 22, 24, 3
    ),
    "Conv2D --input 2,22,24,3 --kernel-size 3 --out 5": lambda: (2, *of_keras(L.Conv2D(5, 3), 22, 24, 3)),
    "Conv2d --input 8,22,24 --kernel 3x5 --dilation 2,1 --out 6 --groups 2": lambda: of_torch(
        nn.Conv2d(8, 6, (3, 5), dilation=(2, 1), groups=2), 8, 22, 24
    ),
    "Conv2d --input 8,22,24 --kernel (3,5) --out 6": lambda: of_torch(nn.Conv2d(8, 6, (3, 5)), 8, 22, 24),
    "Conv1d --input 16,100 --kernel 5 --in 16 --out 7": lambda: of_torch(nn.Conv1d(16, 7, 5), 16, 100),
    "Conv1d --input 16,100 --kernel 5 --out 7": lambda: of_torch(nn.Conv1d(16, 7, 5), 16, 100),
    "Conv1d --input 4,16,100 --kernel 5 --out 7": lambda: of_torch(nn.Conv1d(16, 7, 5), 4, 16, 100),
    "Conv1D --input 100,16 --kernel 5 --out 7 --padding causal": lambda: of_keras(
        L.Conv1D(7, 5, padding="causal"), 100, 16
    ),
    "conv --input 16,100 --kernel 5 --in 16 --out 7": lambda: of_torch(nn.Conv1d(16, 7, 5), 16, 100),
    "conv --input 2,6,15 --kernel 3 --stride 2 --in 6 --out 8": lambda: of_torch(
        nn.Conv1d(6, 8, 3, 2), 2, 6, 15
    ),
    "Conv3d --input 3,16,22,24 --kernel 3 --in 3 --out 5": lambda: of_torch(
        nn.Conv3d(3, 5, 3), 3, 16, 22, 24
    ),
    "Conv3d --input 2,3,16,22,24 --kernel 3 --out 5": lambda: of_torch(nn.Conv3d(3, 5, 3), 2, 3, 16, 22, 24),
    "Conv3D --input 16,22,24,3 --kernel 3 --out 5": lambda: of_keras(L.Conv3D(5, 3), 16, 22, 24, 3),
    "ConvTranspose2d --input 8,7,9 --kernel 4 --stride 2 --padding 1 --out 5": lambda: of_torch(
        nn.ConvTranspose2d(8, 5, 4, 2, 1), 8, 7, 9
    ),
    "ConvTranspose2d --input 8,7,9 --kernel 3 --stride 2 --padding 1 --output-padding 1 --out 5": lambda: (
        of_torch(nn.ConvTranspose2d(8, 5, 3, 2, 1, 1), 8, 7, 9)
    ),
    "ConvTranspose1d --input 8,7 --kernel 4 --stride 2 --out 5": lambda: of_torch(
        nn.ConvTranspose1d(8, 5, 4, 2), 8, 7
    ),
    "Conv2DTranspose --input 7,9,8 --kernel 4 --stride 2 --padding same --out 5": lambda: of_keras(
        L.Conv2DTranspose(5, 4, 2, "same"), 7, 9, 8
    ),
    "DepthwiseConv2D --input 22,24,8 --kernel 3 --stride 2 --padding same": lambda: of_keras(
        L.DepthwiseConv2D(3, 2, "same"), 22, 24, 8
    ),
    "SeparableConv2D --input 22,24,8 --kernel 3 --out 5": lambda: of_keras(
        L.SeparableConv2D(5, 3), 22, 24, 8
    ),
    "MaxPool2d --input 64,23,25 --kernel 3 --stride 2 --padding 1": lambda: of_torch(
        nn.MaxPool2d(3, 2, 1), 64, 23, 25
    ),
    "MaxPool2d --input 64,23,25 --kernel 2 --set ceil_mode=true": lambda: of_torch(
        nn.MaxPool2d(2, ceil_mode=True), 64, 23, 25
    ),
    "MaxPooling2D --input 23,25,64 --kernel 2": lambda: of_keras(L.MaxPooling2D(2), 23, 25, 64),
    "AveragePooling1D --input 101,16 --kernel 2 --padding same": lambda: of_keras(
        L.AveragePooling1D(2, padding="same"), 101, 16
    ),
    "AvgPool1d --input 16,101 --kernel 2": lambda: of_torch(nn.AvgPool1d(2), 16, 101),
    "AdaptiveAvgPool2d --input 64,23,25 --output-size 7": lambda: of_torch(
        nn.AdaptiveAvgPool2d(7), 64, 23, 25
    ),
    "GlobalAveragePooling2D --input 23,25,64 --set keepdims=false": lambda: of_keras(
        L.GlobalAveragePooling2D(), 23, 25, 64
    ),
    "Dense --input 300 --out 10": lambda: of_keras(L.Dense(10), 300),
    "nn.Linear --input 4,300 --out 10": lambda: of_torch(nn.Linear(300, 10), 4, 300),
}


@pytest.mark.parametrize("words", WAYS)
def test_a_typed_layer_has_the_frameworks_shape(words: str, run: Run) -> None:
    code, out, err = run("explain", *shlex.split(words.replace("(", "'(").replace(")", ")'")), "-f", "json")
    assert code == 0, err
    axes = json.loads(out)["layers"][0]["calls"][0]["outputs"][0]["axes"]
    assert tuple(axis["length"] for axis in axes if axis["length"] != "N") == WAYS[words]()


@pytest.mark.parametrize(
    ("shape", "name", "channels", "words"),
    [
        ((3, 224, 224), LayerName(), 3, "C H W, a picture with 3 channels and no batch"),
        ((3, 22, 24), LayerName(2, False), None, "read as C H W, a picture with 3 channels and no batch"),
        ((22, 24, 3), LayerName(2, False), 3, "read as H W C, a picture with 3 channels and no batch"),
        ((2, 16, 100), LayerName(1, False), None, ""),
        (
            (16, 100),
            LayerName(),
            None,
            "the lengths of a picture. It could also be C L, a sequence with 16",
        ),
        (
            (5, 16, 22, 24),
            LayerName(),
            None,
            "It could also be C D H W, a volume with 5 channels",
        ),
        ((3, 22, 24), LayerName(), None, "C H W, a picture with 3 channels"),
    ],
)
def test_how_an_input_was_read_is_said(
    shape: tuple[int, ...], name: LayerName, channels: int | None, words: str
) -> None:
    read = read_input(shape, name, channels)
    assert read is not None
    assert words in read[1]
    assert bool(words) == bool(read[1])


def test_the_reading_is_printed_and_a_wrong_number_of_lengths_refused(run: Run) -> None:
    _, out, _ = run("explain", "Conv2d", "--input", "3,224,224", "--kernel", "7", "--in", "3")
    assert "the input is read as C H W, a picture with 3 channels and no batch" in " ".join(out.split())
    code, _, err = run("explain", "Conv2d", "--input", "7", "--kernel", "3")
    assert code == 2
    assert "2 lengths, with the channels 3, with a batch 4" in " ".join(err.split())
