"""The contract that every adapter passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shapeinspect.sources.source import from_path
from shapeinspect.testing import AdapterContract, Case


class TestKerasFiles(AdapterContract):
    def entry_point(self) -> str:
        return "keras"

    def cases(self, folder: Path) -> Sequence[Case]:
        import keras

        layers = keras.layers
        # "both" stands in the outer model and in the inner one: its weights are tied.
        both = layers.Dense(6, name="both\x1b[31m")
        start = keras.Input((6,), name="start")
        inner_in = keras.Input((6,), name="inner_in")
        inner = keras.Model(inner_in, layers.ReLU()(both(inner_in)), name="inner")
        tied = keras.Model(start, layers.Lambda(lambda x: x, name="code")(inner(both(start))))
        picture = keras.Input((None, None, 3), name="picture")
        x = layers.BatchNormalization()(layers.Conv2D(5, 3, name="conv")(picture))
        open_size = keras.Model(picture, layers.GlobalMaxPooling2D()(x))
        tied.save(folder / "tied.keras")
        open_size.save(folder / "open.keras")
        open_size.save(folder / "open.h5")
        sizes = {"tied.keras": tied, "open.keras": open_size, "open.h5": open_size}
        return [Case(from_path(folder / name), model.count_params()) for name, model in sizes.items()]
