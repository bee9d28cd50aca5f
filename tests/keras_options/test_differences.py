"""A setting that changes numbers is shown by ``diff``, in files and between live models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers as K

import shapeinspect

PAIRS: dict[str, tuple[tuple[int, ...], Callable[[], Any], Callable[[], Any], str]] = {
    "limit": ((5, 4), lambda: K.ReLU(max_value=3.0), K.ReLU, "function"),
    "slope": ((5, 4), lambda: K.LeakyReLU(negative_slope=0.1), K.LeakyReLU, "negative_slope"),
    "alpha": ((5, 4), lambda: K.ELU(alpha=0.5), K.ELU, "alpha"),
    "axis": ((5, 4), lambda: K.Softmax(axis=1), lambda: K.Softmax(axis=2), "axis"),
    "merging": (
        (5, 4),
        lambda: K.Bidirectional(K.GRU(3), merge_mode="sum"),
        lambda: K.Bidirectional(K.GRU(3), merge_mode="ave"),
        "merge_mode",
    ),
    "backwards": ((5, 4), lambda: K.LSTM(3, go_backwards=True), lambda: K.LSTM(3), "direction"),
    "eps": ((5, 4), lambda: K.LayerNormalization(epsilon=0.1), K.LayerNormalization, "eps"),
    "momentum": ((5, 4), lambda: K.BatchNormalization(momentum=0.5), K.BatchNormalization, "momentum"),
    "factor": ((5, 4), lambda: K.Rescaling(0.5), lambda: K.Rescaling(0.5, offset=1.0), "offset"),
    "mask": ((5, 4), lambda: K.Masking(1.0), K.Masking, "mask_value"),
    "masked": (
        (5, 4),
        lambda: K.LSTM(3, zero_output_for_mask=True),
        lambda: K.LSTM(3),
        "zero_output_for_mask",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_settings_are_compared(name: str, tmp_path: Path) -> None:
    shape, left, right, setting = PAIRS[name]
    sides = []
    for index, make in enumerate((left, right)):
        x = keras.Input(shape, name="x")
        layer = make()
        layer.name = "it"
        model = keras.Model(x, K.Dense(7, name="last")(layer(K.Dense(6, name="first")(x))))
        if name in ("limit", "backwards"):
            model.save(tmp_path / f"{index}.keras")
        sides.append((model, tmp_path / f"{index}.keras"))
    for a, b in list(zip(*sides, strict=True))[: 2 if name in ("limit", "backwards") else 1]:
        found = shapeinspect.diff(a, b)
        assert [pair.name for layer in found.layers for pair in layer.settings] == [setting], str(found)
        assert shapeinspect.diff(a, a).same
