"""Numbers after the transform: figures against numpy's own, in little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import shapeinspect
from shapeinspect.compare.numbers.values import compare
from shapeinspect.compare.result import LayerPair


def test_the_figures_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((1200, 1100)).astype(np.float32)
    b = (a + rng.standard_normal(a.shape).astype(np.float32) * 1e-3).astype(np.float32)
    found = compare(a, b, 1e-5, 1e-8)
    gap = np.abs(a.astype(np.float64) - b)
    assert found.max_abs == gap.max()
    assert found.max_rel == pytest.approx((gap / np.maximum(np.abs(a), np.abs(b))).max())
    assert not found.close
    assert compare(a, b, 0, 1.0).close
    assert compare(a, a.copy(), 0, 0).close


def test_what_is_no_number_equals_itself_and_nothing_else() -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 0.0])
    assert compare(odd, np.array([np.nan, np.inf, -np.inf, -0.0]), 0, 0).close
    assert compare(odd, np.array([0.0, np.inf, -np.inf, 0.0]), 1, 1).max_abs == np.inf
    assert not compare(odd, np.array([np.nan, 1.0, -np.inf, 0.0]), 0.5, 1).close


def _linear(folder: Path, name: str, **weights: Any) -> str:
    save_file({key.replace("__", "."): value for key, value in weights.items()}, folder / name)
    return str(folder / name)


def test_a_tolerance_is_told_with_its_figure(tmp_path: Path) -> None:
    weight = np.linspace(1, 2, 15, dtype=np.float32).reshape(3, 5)
    bias = np.zeros(3, np.float32)
    a = _linear(tmp_path, "a.safetensors", fc__weight=weight, fc__bias=bias)
    b = _linear(tmp_path, "b.safetensors", fc__weight=weight * np.float32(1.000001), fc__bias=bias)
    found = shapeinspect.diff(a, b, values=True)
    slot = found.layers[0].weights[0]
    assert found.same
    assert slot.figures is not None
    assert 0 < slot.figures.max_rel < 1e-5
    assert "within" in slot.why[0]
    assert not shapeinspect.diff(a, b, values=True, rtol=1e-8, atol=0).same


def test_equal_numbers_decide_between_layers_that_nothing_else_tells_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    heads = [rng.standard_normal((2, 7)).astype(np.float32) for _ in range(3)]
    bias = np.zeros(2, np.float32)
    sides = []
    for file, names, order in (("a", "ant bee cat", (0, 1, 2)), ("b", "red tan blue", (2, 0, 1))):
        tensors = {f"{name}__weight": heads[at] for name, at in zip(names.split(), order, strict=True)}
        tensors |= {f"{name}__bias": bias for name in names.split()}
        sides.append(_linear(tmp_path, f"{file}.safetensors", **tensors))
    a, b = sides
    assert {layer.status for layer in shapeinspect.diff(a, b).layers} == {"ambiguous"}
    found = shapeinspect.diff(a, b, values=True)
    assert {layer.a: layer.b for layer in found.layers} == {"ant": "tan", "bee": "blue", "cat": "red"}
    assert {layer.evidence for layer in found.layers} == {"values"}
    assert all(layer.status == "same" for layer in found.layers)


def _last(a: Any, b: Any, **options: Any) -> LayerPair:
    return next(layer for layer in shapeinspect.diff(a, b, **options).layers if layer.a == "fc")


@pytest.mark.parametrize("native", [True, False])
def test_numbers_tell_the_order_of_a_flattened_axis(tmp_path: Path, native: bool) -> None:
    """A bare checkpoint does not say what its linear layer was flattened from; its numbers can."""
    import keras

    layers = keras.layers
    model = keras.Sequential([keras.Input((6, 5, 3)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(5)])
    kernel = np.random.default_rng(0).standard_normal((24, 5)).astype(np.float32)
    model.layers[-1].set_weights([kernel, np.zeros(5)])
    torch_weight = kernel.reshape(4, 3, 2, 5).transpose(3, 2, 0, 1).reshape(5, 24)
    stored = kernel.T if native else torch_weight
    bare = _linear(
        tmp_path, "a.safetensors", fc__weight=np.ascontiguousarray(stored), fc__bias=np.zeros(5, np.float32)
    )
    plain = _last(bare, model)
    assert plain.status == "ambiguous"
    assert plain.weights[0].why == ("B flattens (H W C); the order of A's input axis is not known",)
    decided = _last(bare, model, values=True)
    assert decided.status == ("differs" if native else "same"), "a flatten of torch's gives (C H W)"
    assert ("A's input axis is (H W C): a flatten there gives (C H W)" in decided.weights[0].why[0]) == native
    spoiled = _linear(
        tmp_path, "b.safetensors", fc__weight=torch_weight[::-1].copy(), fc__bias=np.zeros(5, np.float32)
    )
    assert _last(spoiled, model, values=True).status == "differs"


def test_bfloat16_and_float8_are_compared(saved: Callable[..., str]) -> None:
    weight = torch.linspace(-1, 1, 15).reshape(3, 5)
    for dtype in (torch.bfloat16, torch.float8_e4m3fn):
        a = saved({"fc.weight": weight.to(dtype), "fc.bias": torch.zeros(3)}, "a.pt")
        b = saved({"fc.weight": weight.to(dtype).float(), "fc.bias": torch.zeros(3)}, "b.pt")
        found = shapeinspect.diff(a, b, values=True)
        assert found.same, str(found)
        assert found.layers[0].weights[0].figures is not None


_PEAK = """
import json, sys, tracemalloc, shapeinspect
import numpy
tracemalloc.start()
found = shapeinspect.diff(sys.argv[1], sys.argv[2], values=True)
print(json.dumps([found.same, tracemalloc.get_traced_memory()[1]]))
"""


def _sparse(path: Path, layers: int) -> str:
    """Write the header of a file of zeros; the zeros themselves take no room on the disk."""
    side = 1280
    size = side * side * 4
    header: dict[str, Any] = {}
    for index in range(layers):
        offsets = [index * size, (index + 1) * size]
        header[f"layers.{index}.weight"] = {"dtype": "F32", "shape": [side, side], "data_offsets": offsets}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + layers * size)
    return str(path)


def test_a_large_pair_takes_the_memory_of_one_weight(tmp_path: Path) -> None:
    a, b = _sparse(tmp_path / "a.safetensors", 32), _sparse(tmp_path / "b.safetensors", 32)
    total = Path(a).stat().st_size
    done = subprocess.run([sys.executable, "-c", _PEAK, a, b], capture_output=True, text=True, check=True)
    same, peak = json.loads(done.stdout)
    print(f"two files of {total / 1e6:.0f} MB each: peak {peak / 1e6:.0f} MB")
    assert same
    assert total > 200e6
    assert peak < total / 2.5


def test_an_image_that_nothing_names_is_flattened_in_an_unknown_order() -> None:
    import keras

    model = keras.Sequential([keras.Input((4, 3, 2)), keras.layers.Flatten(), keras.layers.Dense(5)])
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 5))
    found = shapeinspect.diff(shapeinspect.inspect(module, (1, 2, 4, 3)), model)
    assert [layer.status for layer in found.layers] == ["ambiguous"]
    assert (
        "the flatten order of A and B is not known: the input axes may differ in order"
        in found.layers[0].weights[0].why[0]
    )
    twin = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 5))
    assert shapeinspect.diff(module, shapeinspect.inspect(twin, (1, 2, 4, 3))).same
