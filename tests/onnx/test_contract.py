"""The public contract, for the readers of ``.onnx`` and ``.ort`` files and of live models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from shapeinspect.sources.source import from_object, from_path
from shapeinspect.testing import AdapterContract, Case

#: What ``_model`` stores: a kernel, its bias, and one matrix that two products read.
PARAMS = 5 * 3 * 2 * 3 + 5 + 7 * 7


class _Contract(AdapterContract):
    model: Any

    @pytest.fixture(autouse=True)
    def _give(self, build: Any) -> None:
        build.node("Conv", ["x", build.weight("k", 5, 3, 2, 3), build.weight("b", 5)], "c", name="conv")
        tied = build.weight("tied", 7, 7)
        build.node("MatMul", ["c", tied], "m", name="first")
        build.node("MatMul", ["m", tied], "y", name="second")
        self.model = build.model({"x": ("batch", 3, 11, 9)}, ["y"])


class TestOnnx(_Contract):
    def entry_point(self) -> str:
        return "onnx"

    def cases(self, folder: Path) -> Sequence[Case]:
        path = folder / "m.onnx"
        path.write_bytes(self.model.SerializeToString())
        live = Case(from_object(self.model), PARAMS, self.model.SerializeToString)
        return [Case(from_path(path), PARAMS), live]


class TestOrt(_Contract):
    def entry_point(self) -> str:
        return "onnx-ort"

    def cases(self, folder: Path) -> Sequence[Case]:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.save_model_format", "ORT")
        options.optimized_model_filepath = str(folder / "m.ort")
        content = self.model.SerializeToString()
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return [Case(from_path(folder / "m.ort"), PARAMS)]
