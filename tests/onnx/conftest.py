"""Builds small ONNX models and reads them through the adapter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from shapeinspect.ir import Model
from shapeinspect.sources.source import from_path, with_inputs
from shapeinspect_onnx.adapters.adapter import ADAPTER

FLOAT = TensorProto.FLOAT


class Build:
    """A small model in the making: ``build.weight``, ``build.node``, then ``build.model``."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.random = np.random.default_rng(7)

    def weight(self, name: str, *dims: int) -> str:
        return self.tensor(name, self.random.standard_normal(dims).astype(np.float32))

    def tensor(self, name: str, array: Any) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op: str, inputs: list[str], *outputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, list(outputs) or [f"{op}_out"], **attributes))
        return self.nodes[-1].output[0]

    def model(
        self,
        inputs: dict[str, tuple[Any, ...]],
        outputs: list[str],
        *,
        opset: int = 17,
        ir: int = 8,
        functions: list[Any] | None = None,
        dtypes: dict[str, int] | None = None,
        domains: dict[str, int] | None = None,
    ) -> onnx.ModelProto:
        values = [
            helper.make_tensor_value_info(name, (dtypes or {}).get(name, FLOAT), dims)
            for name, dims in inputs.items()
        ]
        if ir < 4:
            values += [
                helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
                for tensor in self.weights
            ]
        results = [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "g", values, results, initializer=self.weights)
        opsets = [helper.make_opsetid("", opset)]
        opsets += [helper.make_opsetid(domain, version) for domain, version in (domains or {}).items()]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=ir, functions=functions or [], producer_name="tests"
        )


@pytest.fixture
def build() -> Build:
    return Build()


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Model]:
    """Save a model (or take bytes) and read the file."""

    def run(model: onnx.ModelProto | bytes, inputs: Any = None) -> Model:
        path = tmp_path / "model.onnx"
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return ADAPTER.read(with_inputs(from_path(path), inputs))

    return run
