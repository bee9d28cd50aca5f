"""The public contract, for each of the four readers."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from shapeinspect.sources.source import from_path
from shapeinspect.testing import AdapterContract, Case


class _Contract(AdapterContract):
    files: Any

    @pytest.fixture(autouse=True)
    def _give(self, files: Any) -> None:
        self.files = files

    def copy(self, name: str, folder: Path) -> Path:
        target = folder / Path(name).name
        source = self.files / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        return target


class TestCheckpoint(_Contract):
    def entry_point(self) -> str:
        return "tensorflow-checkpoint"

    def cases(self, folder: Path) -> Sequence[Case]:
        trained, plain = self.copy("trained", folder), self.copy("plain", folder)
        # In `plain` one variable is tracked under two names and stored once.
        return [
            Case(from_path(trained), self.files.counts["network"]),
            Case(from_path(plain / "one.index"), self.files.counts["module"]),
        ]


class TestSavedModel(_Contract):
    def entry_point(self) -> str:
        return "tensorflow-saved-model"

    def cases(self, folder: Path) -> Sequence[Case]:
        export, module = self.copy("export", folder), self.copy("module", folder)
        # In `module` a gather and a product read the same variable.
        return [
            Case(from_path(export), self.files.counts["network"]),
            Case(from_path(module / "saved_model.pb"), self.files.counts["module"]),
        ]


class TestGraph(_Contract):
    def entry_point(self) -> str:
        return "tensorflow-graph"

    def cases(self, folder: Path) -> Sequence[Case]:
        network, module = self.copy("network.pb", folder), self.copy("module.pb", folder)
        unused = 2 * 29
        return [
            Case(from_path(network), self.files.counts["network"]),
            Case(from_path(module), self.files.counts["module"] - unused),
        ]


class TestTFLite(_Contract):
    def entry_point(self) -> str:
        return "tflite"

    def cases(self, folder: Path) -> Sequence[Case]:
        # Every float constant that some operator reads is a parameter, but for single numbers, and for zeros:
        # the networks hold none, the converter adds them to convolutions without a bias.
        float_file, module = self.copy("float.tflite", folder), self.copy("module.tflite", folder)
        return [Case(from_path(path), self.stored(path)) for path in (float_file, module)]

    def stored(self, path: Path) -> int:
        import numpy as np
        import tensorflow as tf

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = tf.lite.experimental.OpResolverType.BUILTIN_REF
            interpreter = tf.lite.Interpreter(str(path), experimental_op_resolver_type=kind)
        interpreter.allocate_tensors()
        made = {i for op in interpreter._get_ops_details() for i in op["outputs"]}
        inputs = {row["index"] for row in interpreter.get_input_details()}
        read = {i for op in interpreter._get_ops_details() for i in op["inputs"]}
        return sum(
            int(np.prod(row["shape"]))
            for row in interpreter.get_tensor_details()
            if row["index"] in read - made - inputs
            and row["dtype"] == np.float32
            and np.prod(row["shape"]) > 1
            and np.any(interpreter.get_tensor(row["index"]))
        )
