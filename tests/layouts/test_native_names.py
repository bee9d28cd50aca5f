"""Names that ``layouts`` and ``explain`` answer, held against what the frameworks themselves list."""

from __future__ import annotations

import inspect

import keras
import pytest
from tensorflow.lite.python import schema_py_generated as lite
from torch import nn

from shapeinspect.api.layout_rows import layouts_of
from shapeinspect.errors import UsageError
from shapeinspect.registry import shown_tables

#: What no model has as a layer.
ABSTRACT = {"Layer", "InputSpec", "MaxNumBoundingBoxes", "Module", "RNNBase", "RNNCellBase", "NLLLoss2d"}


@pytest.mark.parametrize(("module", "base"), [(keras.layers, keras.Layer), (nn, nn.Module)])
def test_every_class_of_a_framework_is_known_by_its_name(module: object, base: type) -> None:
    names = {
        name for name, value in vars(module).items() if inspect.isclass(value) and issubclass(value, base)
    }
    assert len(names) > 100
    known = {name for table in shown_tables() for name in (*table.classes, *table.holds)}
    assert names - known == ABSTRACT & names


def test_every_operator_of_tflite_with_a_filter_has_its_row_first() -> None:
    stored = {
        "FULLY_CONNECTED": "o i", "CONV_2D": "o kh kw i", "DEPTHWISE_CONV_2D": "1 kh kw (c m)",
        "CONV_3D": "kd kh kw i o", "TRANSPOSE_CONV": "o kh kw i", "CONV_3D_TRANSPOSE": "kd kh kw o i",
    }  # fmt: skip
    listed = {name for name in vars(lite.BuiltinOperator) if "CONV_" in name or name in stored}
    assert listed - {"STABLEHLO_CONVOLUTION"} <= {*stored, "STABLEHLO_CONVOLUTION"}
    assert {name: layouts_of(name)[0]["native"] for name in stored} == stored


@pytest.mark.parametrize(
    ("name", "type_", "native"),
    [
        ("MatMulNBits", "MatMulNBits", "o i"),
        ("MatMul", "MatMul", "i o"),
        ("mlx.nn.QuantizedEmbedding", "QuantizedEmbedding", "V E"),
        ("nnx.LinearGeneral", "LinearGeneral", "i o p"),
        ("keras.layers.Bidirectional", "LSTM", "i (gate o)"),
        ("nn.TransformerEncoderLayer", "MultiheadAttention", "(qkv o) i"),
        ("nn.LazyConv1d", "Conv1d", "o i kl"),
    ],
)
def test_a_native_name_is_answered(name: str, type_: str, native: str) -> None:
    assert native in {row["native"] for row in layouts_of(name) if row["type"] == type_}


def test_rare_forms_are_left_out_where_a_kind_is_asked_for() -> None:
    assert "MatMulNBits" not in {row["type"] for row in layouts_of("linear")}
    assert "CONV_2D" not in {row["type"] for row in layouts_of("Conv1d")}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nn.Sequential", "nn.Sequential stores what the layers in it store"),
        ("ReLU", "no framework's table has a weight of ReLU, whose kind is activation"),
    ],
)
def test_a_name_without_weights_is_not_called_unknown(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        layouts_of(name)
