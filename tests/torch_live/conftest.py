"""The small networks and what a real forward says about them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from shapeinspect.infer import infer
from shapeinspect.ir import Model
from shapeinspect.sources.source import from_object, with_inputs
from shapeinspect_torch.adapters.live import ADAPTER
from shapeinspect_torch.tracing.pytree import tensors

Shapes = list[tuple[tuple[int, ...], ...]]


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("torch_live_nets", Path(__file__).with_name("nets.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


NETS = _load()


@pytest.fixture(scope="session")
def nets() -> ModuleType:
    return NETS


@pytest.fixture
def read() -> Callable[..., Model]:
    """Read a module, with shapes, a text, tensors, or nothing."""

    def read(model: nn.Module, inputs: Any = None) -> Model:
        return ADAPTER.read(with_inputs(from_object(model), inputs))

    return read


@pytest.fixture
def real() -> Callable[..., dict[str, Shapes]]:
    """Run a module for real; return the shapes of the outputs of every call of every module inside."""

    def run(model: nn.Module, *args: Any, **kwargs: Any) -> dict[str, Shapes]:
        found: dict[str, Shapes] = {}
        handles = []
        for name, module in model.named_modules():

            def hook(_module: nn.Module, _args: Any, out: Any, name: str = name) -> None:
                found.setdefault(name, []).append(tuple(tuple(t.shape) for _, t in tensors(out)))

            handles.append(module.register_forward_hook(hook))
        training = model.training
        model.eval()
        with torch.no_grad():
            model(*args, **kwargs)
        model.train(training)
        for handle in handles:
            handle.remove()
        return found

    return run


def shapes_by_layer(model: Model) -> dict[str, Shapes]:
    """Return the output shapes of every call of every layer."""
    found: dict[str, Shapes] = {}
    for call in model.calls:
        found.setdefault(call.layer, []).append(tuple(model.values[name].shape for name in call.outputs))
    return found


@pytest.fixture
def check(read: Callable[..., Model], real: Callable[..., dict[str, Shapes]]) -> Callable[..., Model]:
    """Compare every module's every call with a real forward; return what was read."""

    def check(model: nn.Module, *args: Any, skip: tuple[str, ...] = (), **kwargs: Any) -> Model:
        source = with_inputs(from_object(model), None)
        from dataclasses import replace

        found = ADAPTER.read(replace(source, example=(args, kwargs)))
        expected = real(model, *args, **kwargs)
        outputs = expected.pop("")
        for path in [path for path in expected if path.startswith(skip) and skip]:
            del expected[path]
        by_layer = shapes_by_layer(found)
        assert {path: by_layer.get(path) for path in expected} == expected
        assert tuple(found.values[name].shape for name in found.outputs) == outputs[0]
        # Whatever is read was made before: by the model's inputs, a weight, or an earlier call.
        known = {*found.inputs, *(weight.name for layer in found.layers for weight in layer.weights)}
        for call in found.calls:
            if next(layer for layer in found.layers if layer.path == call.layer).kind != "module":
                assert set(call.inputs) <= known, call
            known |= set(call.outputs)
        # The arithmetic of the core, told the attributes alone, agrees with every shape.
        assert infer(found).notes == found.notes
        return found

    return check
