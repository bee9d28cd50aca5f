"""Every layer that owns a weight has rows, or stands on the lists below with the reason."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from types import CodeType

import keras
from torch import nn

from shapeinspect_keras.vocabulary.layouts import TABLE as KERAS
from shapeinspect_torch.vocabulary.kinds import native_name
from shapeinspect_torch.vocabulary.layouts import TABLE as TORCH

LOOKUP = "its table of tokens is no tensor that another framework has"
FOREIGN = "it holds a program of another framework with weights of any form"
KERAS_WITHOUT = {
    **dict.fromkeys(("IntegerLookup", "StringLookup"), LOOKUP),
    **dict.fromkeys(("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"), FOREIGN),
    "RNN": "its weights are those of the cells inside, which have rows",
}

CLASSES = "the weight of a loss is one number a class, the same everywhere and no part of a network"
ABSTRACT = "an abstract base that no model holds"
HOLDER = "it holds tensors of any form under names of the user's own"
SCALAR = "it holds the scale and zero point of an activation, or the random numbers of a pool"
WRAPPER = "it runs the layer inside it, whose weights they are"
TORCH_WITHOUT = {
    **dict.fromkeys(
        ("BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "LinearCrossEntropyLoss", "NLLLoss", "NLLLoss2d",
         "MultiLabelSoftMarginLoss", "MultiMarginLoss"), CLASSES
    ),
    **dict.fromkeys(("ParameterDict", "ParameterList", "ParametrizationList"), HOLDER),
    **dict.fromkeys(("Quantize", "Hardswish", "LeakyReLU"), SCALAR),
    **dict.fromkeys(("FractionalMaxPool2d", "FractionalMaxPool3d"), SCALAR),
    **dict.fromkeys(("RNNBase", "RNNCellBase", "ReferenceQuantizedModule"), ABSTRACT),
    **dict.fromkeys(("DistributedDataParallel", "DistributedDataParallelCPU"), WRAPPER),
}  # fmt: skip


def _owns(kind: type, base: type, marks: set[str]) -> bool:
    """Tell whether a class, or one that it is made from, registers a weight in its own code."""
    own = kind.__mro__[: kind.__mro__.index(base)]
    values = (inspect.unwrap(value) for one in own for value in vars(one).values() if callable(value))
    codes = (getattr(value, "__code__", None) for value in values)
    return any(marks & set(_names(code)) for code in codes if code is not None)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _types(table: object) -> set[str]:
    return {name for row in table.rows for name in row.types.split()}


def test_every_weighted_layer_of_keras() -> None:
    classes = {
        kind
        for name in dir(keras.layers)
        if inspect.isclass(kind := getattr(keras.layers, name)) and issubclass(kind, keras.Layer)
    }
    owners = {kind.__name__ for kind in classes if _owns(kind, keras.Layer, {"add_weight", "Variable"})}
    assert len(owners) >= 30
    assert owners - _types(KERAS) == set(KERAS_WITHOUT)


def _subclasses(base: type) -> set[type]:
    found = set(base.__subclasses__())
    return found.union(*(_subclasses(kind) for kind in found))


def test_every_weighted_layer_of_torch() -> None:
    for name in ("quantized", "quantized.dynamic", "quantized.reference", "quantizable", "qat", "intrinsic"):
        importlib.import_module(f"torch.ao.nn.{name}")
    classes = {
        kind
        for kind in _subclasses(nn.Module)
        if kind.__module__.startswith(("torch.nn.", "torch.ao.nn."))
        and not kind.__name__.startswith(("_", "Parametrized"))
    }
    marks = {"Parameter", "UninitializedParameter", "register_buffer", "register_parameter"}
    owners = {kind.__name__ for kind in classes if _owns(kind, nn.Module, marks)}
    assert len(owners) > 60
    assert {name for name in owners if native_name(name) not in _types(TORCH)} == set(TORCH_WITHOUT)
