"""The nine networks that ship inside the onnx wheel, against onnx's own inference."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import onnx
import pytest

from shapeinspect.sources.source import from_object, from_path
from shapeinspect_onnx.adapters.adapter import ADAPTER

FILES = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("light_*.onnx"))

#: Sizes known from elsewhere: torchvision's ResNet-50 has 25,557,032 parameters, beside them it
#: keeps a running mean and variance for each of its 26,560 normalized channels; BVLC's AlexNet has
#: 60,965,224 and VGG-19 143,667,240 parameters.
PUBLISHED = {"resnet50": 25_557_032 + 2 * 26_560, "bvlc_alexnet": 60_965_224, "vgg19": 143_667_240}


def test_all_nine_are_there():
    assert len(FILES) == 9


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shape_is_what_onnx_infers(path):
    inferred = onnx.shape_inference.infer_shapes(onnx.load(path), data_prop=True)
    graph = inferred.graph
    expected = {
        entry.name: tuple(dim.dim_value for dim in entry.type.tensor_type.shape.dim)
        for entry in (*graph.value_info, *graph.output)
        if entry.type.tensor_type.HasField("shape")
    }
    model = ADAPTER.read(from_path(path))
    weights = {weight.name: weight.shape for layer in model.layers for weight in layer.weights}
    seen = 0
    for node in graph.node:
        for name in filter(None, node.output):
            if name in model.values:
                assert model.values[name].shape == expected.get(name), name
            else:  # a weight that ConstantOfShape makes belongs to its user
                assert node.op_type == "ConstantOfShape"
                assert weights[name] == expected[name]
            seen += name in expected
    assert seen >= len(graph.node)
    shown = [name for call in model.calls for name in call.outputs]
    assert len(shown) == len(set(shown))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parameters_add_up(path):
    full = onnx.load(path)
    floats = {
        t.name: math.prod(t.dims) for t in full.graph.initializer if t.data_type == onnx.TensorProto.FLOAT
    }
    read = {name for node in full.graph.node for name in node.input}
    model = ADAPTER.read(from_path(path))
    counted = {weight.name: weight.size for layer in model.layers for weight in layer.weights}
    assert {name: size for name, size in counted.items() if name in floats} == {
        name: size for name, size in floats.items() if name in read
    }
    short = path.stem.removeprefix("light_")
    if short in PUBLISHED:
        assert sum(counted.values()) == PUBLISHED[short]


@pytest.mark.parametrize("path", FILES[:2] + FILES[4:6], ids=lambda path: path.stem)
def test_a_live_model_reads_like_its_file_and_is_left_alone(path):
    live = onnx.load(path)
    before = live.SerializeToString(deterministic=True)
    source = from_object(live, str(path))
    assert ADAPTER.match(source) == 2
    assert dataclasses.replace(ADAPTER.read(source), format="onnx") == ADAPTER.read(from_path(path))
    assert live.SerializeToString(deterministic=True) == before


def test_reading_twice_gives_the_same():
    assert ADAPTER.read(from_path(FILES[4])) == ADAPTER.read(from_path(FILES[4]))
