"""Two tensors of files are compared as bytes only where these mean the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import shapeinspect
from shapeinspect.binary.stored_numbers import same_bytes


def _reader(path: Path, name: str) -> object:
    layers = shapeinspect.inspect(path).model.layers
    return next(weight.values for layer in layers for weight in layer.weights if weight.name == name)


def test_bytes_are_compared_where_they_mean_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    large = rng.standard_normal((700, 900)).astype(np.float32)
    other = large.copy()
    other[-1, -1] += 1
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({"x": large, "y": large, "flat": large.reshape(900, 700)}, a)
    save_file({"first": rng.standard_normal(3), "x": large, "y": other, "flat": large.view(np.int32)}, b)
    assert same_bytes(_reader(a, "x"), _reader(b, "x"))
    assert not same_bytes(_reader(a, "y"), _reader(b, "y"))
    assert not same_bytes(_reader(a, "x"), _reader(a, "flat")), "other lengths"
    assert not same_bytes(_reader(a, "x"), _reader(b, "flat")), "another element type"
    assert not same_bytes(None, _reader(a, "x"))
    found = shapeinspect.diff(a, b, values=True)
    statuses = {weight.slot: weight.status for layer in found.layers for weight in layer.weights}
    assert (statuses["x"], statuses["y"]) == ("same", "differs")
