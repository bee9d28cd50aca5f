"""The library's way in: one call for every kind of source, one object with everything in it."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import torch
from rich.console import Console
from torch import nn

import shapeinspect
from shapeinspect import LayerIndexError, Report, UnknownLayerError, UsageError
from shapeinspect.dims import symbol

LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"


@pytest.fixture(scope="module")
def report() -> Report:
    return shapeinspect.inspect(LENET)


def test_a_path_a_text_and_a_proto_give_the_same(report: Report) -> None:
    text, proto = shapeinspect.inspect(str(LENET)), shapeinspect.inspect(onnx.load(LENET))
    assert text.to_dict()["layers"] == report.to_dict()["layers"]
    for ours, theirs in zip(proto, report, strict=True):
        assert (ours.path, ours.kind, ours.output_shape) == (theirs.path, theirs.kind, theirs.output_shape)
    assert proto.totals.params == report.totals.params == 61706


def test_a_module_and_a_keras_model() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, (5, 7)), nn.Flatten(), nn.Linear(8 * 6 * 5, 11))
    inspected = shapeinspect.inspect(module, (2, 3, 10, 11))
    with torch.no_grad():
        assert inspected.outputs[0].shape == tuple(module(torch.zeros(2, 3, 10, 11)).shape)
    assert inspected["0"].kernel_size == (5, 7)
    assert inspected["0"].output_axes == ("N", "C", "H", "W")
    assert inspected["2"].weights[0].layout.native == "o (C H W)"

    layers = [keras.Input((10, 11, 3)), keras.layers.Conv2D(8, (5, 7)), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(13, name="head")])
    live = shapeinspect.inspect(model)
    assert live.totals.params == model.count_params()
    assert live["head"].weights[0].common_shape == (13, 8 * 6 * 5)
    assert live["head"].weights[0].layout.native == "(H W C) o"


def test_example_tensors_are_inputs_too() -> None:
    module = nn.LSTM(5, 7, batch_first=True)
    inspected = shapeinspect.inspect(module, torch.zeros(2, 3, 5))
    assert inspected.outputs[0].shape == (2, 3, 7)


def test_layers_are_found_listed_and_counted(report: Report) -> None:
    assert len(report) == 12
    assert [layer.path for layer in report][:3] == ["conv1", "relu1", "pool1"]
    assert "conv2" in report
    conv = report["conv2"]
    assert (conv.in_channels, conv.out_channels, conv.kernel_size) == (6, 16, (5, 5))
    assert conv.params == 5 * 5 * 6 * 16 + 16
    assert conv.input_shape == (symbol("N"), 6, 14, 14)
    assert conv.macs == 10 * 10 * 16 * 6 * 25 * symbol("N")
    assert repr(conv) == "<conv2: conv 6→16 k5, N C6 H14 W14 → N C16 H10 W10>"
    assert report.inputs[0].name == "image"
    assert report.outputs[0].axes == ("N", "C")


def test_a_layer_that_is_not_there_names_close_ones(report: Report) -> None:
    with pytest.raises(UnknownLayerError) as caught:
        report["conv3"]
    assert isinstance(caught.value, KeyError)
    assert caught.value.hint is not None
    assert '"conv2"' in caught.value.hint


def test_it_is_a_mapping_from_paths_to_layers(report: Report) -> None:
    paths = [layer.path for layer in report.model.layers]
    assert list(report.keys()) == paths
    assert [layer.path for layer in report.values()] == [layer.path for layer in report] == paths
    assert [(path, layer.path) for path, layer in report.items()] == [(path, path) for path in paths]
    assert dict(report) == dict(report.items())
    assert report.get("conv2") is report["conv2"]
    assert report.get("conv3") is None
    assert report.get("conv3", 7) == 7
    assert "conv3" not in report
    assert all(layer in report for layer in report)
    assert shapeinspect.inspect(nn.Conv2d(1, 6, 5))[0] not in report
    assert [layer.path for layer in reversed(report)] == paths[::-1]


@pytest.mark.parametrize("index", [0, 5, 11, -1, -12, np.int64(3)])
def test_an_integer_is_an_index_into_the_layers(report: Report, index: int) -> None:
    assert report[index] is list(report)[index]
    assert report.get(index) is report[index]


@pytest.mark.parametrize("index", [12, -13, 10**30])
def test_an_index_out_of_range(report: Report, index: int) -> None:
    for kind in (IndexError, KeyError, UnknownLayerError, LayerIndexError):
        with pytest.raises(kind) as caught:
            report[index]
        facts = f"no layer has the index {index}\n  expected  an index from -12 to 11\n  where     {LENET}"
        assert str(caught.value) == facts
    assert report.get(index) is None


@pytest.mark.parametrize("key", [None, 1.0, slice(1, 3), ("conv1",), b"conv1"])
def test_a_key_that_is_neither_a_path_nor_an_index(report: Report, key: Any) -> None:
    with pytest.raises(UsageError, match="not a layer's path or index") as caught:
        report[key]
    assert caught.value.got == repr(key)


def test_an_attribute_that_is_not_there_names_those_that_are(report: Report) -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'kernel'; it has: .*kernel_size"):
        _ = report["conv1"].kernel
    assert copy.copy(report["conv1"]) == report["conv1"]


def test_the_report_is_data_text_and_rich(report: Report) -> None:
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()
    assert "conv2" in str(report)
    colored = Console(width=80, color_system="truecolor", force_terminal=True, file=io.StringIO())
    plain = Console(width=80, color_system=None, file=io.StringIO())
    for console in (colored, plain):
        console.print(report)
    assert "\x1b[" in colored.file.getvalue()
    assert "N C16 H10 W10" in plain.file.getvalue()


@pytest.mark.parametrize("source", [None, 3.5, [1, 2], object()])
def test_what_is_no_model_is_refused(source: object) -> None:
    with pytest.raises(UsageError):
        shapeinspect.inspect(source)
