"""Real networks: every shape that onnx.shape_inference recorded, worked out anew by the arithmetic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from shapeinspect import registry
from shapeinspect.frozen import Frozen
from shapeinspect.infer import infer
from shapeinspect.ir import Model
from shapeinspect.sources import source

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def read(name: str) -> Model:
    asked = source.from_path(LIGHT / f"light_{name}.onnx")
    return registry.choose(asked).read(asked)


@pytest.mark.parametrize("name", ["densenet121", "inception_v2", "resnet50", "shufflenet"])
def test_forgotten_shapes_come_back(name: str) -> None:
    model = read(name)
    made = {output for call in model.calls for output in call.outputs}
    assert len(made) > 150
    bare = {key: replace(value, shape=None) if key in made else value for key, value in model.values.items()}
    found = infer(replace(model, values=Frozen(bare)))
    assert {key: found.values[key].shape for key in made} == {key: model.values[key].shape for key in made}


def test_work_of_a_known_network() -> None:
    # Each convolution takes out elements x inputs per group x taps, each linear layer its matrix's size.
    # He et al. 2015 give 3.8e9 for the network; with the stride in the 3x3 convolutions it is 4.1e9.
    model = infer(read("resnet50"))
    layers = {layer.path: layer for layer in model.layers}
    total = 0
    for call in model.calls:
        layer = layers[call.layer]
        kernels = [weight.shape for weight in layer.weights if len(weight.shape) > 1]
        if layer.kind == "conv":
            (out, per_group, *taps), (_, _, height, width) = (
                kernels[0],
                model.values[call.outputs[0]].shape or (),
            )
            total += out * per_group * taps[0] * taps[1] * int(height) * int(width)
        elif layer.kind == "linear":
            total += kernels[0][0] * kernels[0][1]
    assert sum(call.macs or 0 for call in model.calls) == total
    assert 3.8e9 < total < 4.2e9
