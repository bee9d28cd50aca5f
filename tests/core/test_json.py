"""The data that ``show --format json`` prints: written layer by layer, and the same as the report's."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from shapeinspect.api.report import inspect
from shapeinspect.cli import main
from shapeinspect.ir import Layer, Model, Weight
from shapeinspect.render.data import to_json

LENET = "tests/data/lenet.onnx"


def test_the_same_as_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    main_exits(["show", LENET, "--format", "json"])
    assert json.loads(capsys.readouterr().out) == inspect(LENET).to_dict()


def main_exits(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert not stopped.value.code


def test_a_layer_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main_exits(["show", LENET, "--format", "json"])
    lines = capsys.readouterr().out.splitlines()
    paths = [json.loads(line.strip().rstrip(","))["path"] for line in lines if line.startswith("  {")]
    assert paths == [layer.path for layer in inspect(LENET)]


def test_numbers_that_json_has_not() -> None:
    layer = Layer("a", "linear", "Linear", attributes={"eps": float("inf")})
    model = Model("m", "f", "f", "f", (layer,))
    assert json.loads("".join(to_json(model)))["layers"][0]["attributes"] == {"eps": "inf"}


def test_memory_does_not_grow_with_the_layers() -> None:
    weights = [Weight(f"{at}.weight", "weight", (3, 5), "float32", 60) for at in range(5000)]
    layers = tuple(Layer(w.name, "linear", "Linear", weights=(w,)) for w in weights)
    model = Model("m", "f", "f", "f", layers)
    list(to_json(Model("m", "f", "f", "f", layers[:1])))  # imports what it needs
    tracemalloc.start()
    total = sum(map(len, to_json(model)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 1_000_000
    assert peak < total / 5
