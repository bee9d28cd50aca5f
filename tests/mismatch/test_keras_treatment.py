"""Edits of a Keras script by which arrays are treated alike, and sizes divided without a rest."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect_keras.debug.debugger import DEBUGGER

#: Prepares the pictures, and forgets the masks.
PREPARED = """
import keras
import numpy as np


def prepare(arrays):
    return arrays[:, ::2, ::3]


pictures = np.zeros((9, 12, 15, 1), "float32")
masks = np.zeros((9, 12, 15, 1), "float32")
pictures = prepare(pictures)
masks = masks.astype("float32")
model = keras.Sequential([keras.Input((6, 5, 1)), keras.layers.Conv2D(1, 1)])
model.compile("sgd", "mse")
model.fit(pictures, masks, batch_size=4, verbose=0)
"""
#: Codes the targets of the one set, and not those of the other.
CODED = """
import keras
import numpy as np

x_train, y_train = np.zeros((8, 5), "float32"), np.arange(8) % 3
x_test, y_test = np.zeros((6, 5), "float32"), np.arange(6) % 3
y_train = keras.utils.to_categorical(y_train, 3)
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation="softmax")])
model.compile("sgd", "categorical_crossentropy")
model.fit(x_train, y_train, verbose=0)
model.evaluate(x_test, y_test, verbose=0)
"""
#: Takes the targets from the inputs.
SLICED = """
import keras
import numpy as np

rows = np.zeros((14, 11), "float32")
labels = np.zeros((14, 4), "float32")
held = 5
x_train, x_val = rows[:-held], rows[-held:]
y_train = rows[:-held]
y_val = rows[-held:]
model = keras.Sequential([keras.Input((11,)), keras.layers.Dense(4, activation="softmax")])
model.compile("sgd", "categorical_crossentropy")
model.fit(x_train, y_train, validation_data=(x_val, y_val), verbose=0)
"""
#: Halves 36 three times, doubles it, and joins the two.
HALVED = """
import keras
from keras import layers


def picture(shape=(48, 36, 3)):
    return keras.Input(shape)


x = inputs = picture()
kept = []
for _ in range(3):
    kept.append(x)
    x = layers.Conv2D(4, 3, strides=2, padding="same")(x)
for skip in reversed(kept):
    x = layers.UpSampling2D()(x)
    x = layers.Concatenate()([x, skip])
keras.Model(inputs, x)
"""
#: Takes batches of 4, and is left with one of 2.
LEFT = """
import keras
import numpy as np

x, y = np.zeros((20, 3, 7), "float32"), np.zeros((20, 1), "float32")
model = keras.Sequential(
    [keras.Input(batch_shape=(4, 3, 7)), keras.layers.LSTM(5, stateful=True), keras.layers.Dense(1)]
)
model.compile("sgd", "mse")
model.fit(x, y, batch_size=4, validation_split=0.1, shuffle=False, verbose=0)
"""
#: Hands over a window of one picture.
WINDOW = """
import keras
import numpy as np


def window(pictures):
    states = [[picture] for picture in pictures]
    return np.array(states) / 255.0


model = keras.Sequential([keras.Input((6, 5, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
model.predict_on_batch(window(np.zeros((2, 6, 5, 3), "float32")))
"""
#: Joins along another axis than the one on which the two differ.
JOINED = """
import keras
from keras import layers

inputs = keras.Input((8, 6, 3))
wide = layers.Conv2D(5, 1)(inputs)
layers.concatenate([inputs, wide], axis=2)
"""
#: Yields pictures on their side.
TURNED = """
import keras
import numpy as np
import tensorflow as tf

HEIGHT, WIDTH = 6, 9


def pictures():
    yield np.zeros((WIDTH, HEIGHT, 3), "float32"), 0.0


signature = tf.TensorSpec((HEIGHT, WIDTH, 3)), tf.TensorSpec(())
data = tf.data.Dataset.from_generator(pictures, output_signature=signature).batch(1)
model = keras.Sequential([keras.Input((HEIGHT, WIDTH, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(data, verbose=0)
"""
#: Learns classes with a loss of numbers.
CLASSES = """
import keras
import numpy as np

x, y = np.zeros((7, 4), "float32"), np.arange(7) % 3
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
model.compile("sgd", "mse")
model.fit(x, y, batch_size=7, verbose=0)
"""


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (PREPARED, "masks = prepare(masks).astype("),
        (CODED, "model.evaluate(x_test, keras.utils.to_categorical(y_test, 3), verbose=0)"),
        (SLICED, "y_train = labels[:-held]\ny_val = labels[-held:]"),
        (HALVED, "def picture(shape=(48, 40, 3)):"),
        (LEFT, "validation_split=0.2"),
        (JOINED, "axis=-1"),
        (TURNED, "yield np.zeros((HEIGHT, WIDTH, 3)"),
        (CLASSES, 'compile("sgd", "sparse_categorical_crossentropy")'),
        (WINDOW, "return (np.array(states) / 255.0)[:, 0]"),
    ],
)
def test_an_edit_that_keeps_the_meaning_is_among_the_first_three(
    run: Callable[[str], None], text: str, written: str
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each program raises an error of its own kind
        run(text)
    edited = []
    for one in DEBUGGER.suggestions(caught.value)[:3]:
        raw = text.encode()
        for first, last, new in sorted(one.edits, reverse=True):
            raw = raw[:first] + new.encode() + raw[last:]
        edited.append(raw.decode())
    run(next(one for one in edited if written in one))
