"""The adapter of live Keras models keeps the contract of every adapter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers as K

from shapeinspect.sources.source import from_object
from shapeinspect.testing import AdapterContract, Case


def _state(model: keras.Model) -> object:
    return [(one.path, one.trainable, np.asarray(one).tobytes()) for one in model.variables], str(
        model.get_config()
    )


class TestContract(AdapterContract):
    def entry_point(self) -> str:
        return "keras-live"

    def cases(self, folder: Path) -> Sequence[Case]:
        shared = K.Dense(6, name="shared")
        a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
        twins = keras.Model([a, b], K.Subtract()([shared(a), shared(b)]), name="twins")
        picture = keras.Input((None, None, 3), name="picture")
        x = K.BatchNormalization()(K.Conv2D(5, 3, strides=2)(picture))
        body = keras.Model(picture, K.GlobalAveragePooling2D()(K.ReLU()(x)), name="body")
        rows = keras.Input((9, 7), name="rows")
        x = K.Bidirectional(K.LSTM(3, return_sequences=True))(rows)
        sequence = keras.Model(rows, K.MultiHeadAttention(2, 4)(x, x)[:, 0] * 2.0, name="sequence")
        table = K.ReversibleEmbedding(11, 4, name="table")
        ids = keras.Input((5,), dtype="int32", name="ids")
        language = keras.Model(ids, table(K.Dense(4)(table(ids)), reverse=True), name="language")
        return [
            Case(from_object(model), model.count_params(), lambda model=model: _state(model))
            for model in (twins, body, sequence, language)
        ]
