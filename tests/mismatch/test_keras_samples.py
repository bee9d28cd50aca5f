"""What counts the samples where it should not, and steps and places that are dropped or kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect_keras.debug.script.survey import survey

#: Makes a weight with the open number of samples in its shape.
WEIGHT = """
import keras


class Scaled(keras.layers.Layer):
    def build(self, input_shape):
        self.scale = self.add_weight(shape=input_shape, name="scale")

    def call(self, inputs):
        return inputs * self.scale


keras.Sequential([keras.Input((7,)), Scaled()])
"""
#: Declares the shape of the whole array.
WHOLE = """
import keras
import numpy as np

data = np.zeros((9, 6, 5), "float32")
model = keras.Sequential([keras.layers.LSTM(4, input_shape=data.shape)])
model.predict(data, verbose=0)
"""
#: Declares the shape of a table of rows for a layer that reads sequences.
ROWS = """
import keras
import numpy as np

rows, labels = np.zeros((9, 6), "float32"), np.zeros((9, 1), "float32")
model = keras.Sequential([keras.layers.GRU(4, input_shape=(9, 6)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(rows, labels, verbose=0)
"""
#: Multiplies the weights of each sample with the words of all.
PRODUCT = """
import keras
import numpy as np
from keras import ops


class Attended(keras.Model):
    def call(self, inputs):
        weights, words = inputs
        return ops.reshape(ops.dot(weights, words), (-1, 5)) + words[:, 0]


Attended()([np.zeros((3, 7), "float32"), np.zeros((3, 7, 5), "float32")])
"""
#: Sums over the samples, too.
SUMMED = """
import keras
from keras import layers, ops

left, right = keras.Input((7,)), keras.Input((7,))
distance = layers.Lambda(lambda pair: ops.sum(ops.square(pair[0] - pair[1])))([left, right])
layers.Dense(1)(distance)
"""
#: Flattens the maps of two classes where the places of one are weighed.
CLASSES = """
import keras
import numpy as np
import tensorflow as tf

places = tf.constant(np.arange(15), "float32")


def weighed(expected, found):
    return tf.reduce_sum(tf.reshape(expected * found, [-1]) * places)


maps = tf.zeros((3, 5, 2))
keras.ops.sum(weighed(maps, maps))
"""
#: Enlarges by another factor than the targets in two places.
FACTOR = """
import keras
import numpy as np
import tensorflow as tf

side = 6
small, large = tf.zeros((2, side, side, 1)), tf.zeros((2, 24, 24, 1))
one = tf.image.resize(small, (side * 3, side * 3))
loss = tf.abs(one + tf.image.resize(small, [side * 3, side * 3]) - large)
"""
#: Joins the last steps of two sentences of different lengths.
STEPS = """
import keras
from keras.layers import LSTM, Bidirectional, Conv1D, Input, concatenate

first, second = Input((6, 4)), Input((9, 4))
one = Bidirectional(LSTM(3))(first)
other = Bidirectional(LSTM(3))(second)
both = concatenate([one, other])
out = Conv1D(5, 2)(both)
"""
#: Keeps the places of the maps of a network without its head.
PLACES = """
import keras
import numpy as np

features = np.zeros((4, 3, 5, 8), "float32")
features = features.reshape((features.shape[0], 8))
keras.ops.sum(features)
"""
#: Keeps the steps of sequences.
OF_STEPS = """
import tensorflow as tf

kept = tf.zeros((4, 6, 8))
rows = tf.reshape(kept, [-1, 8])
kept = tf.reshape(kept, [4, 8])
"""
#: Joins a context of each sample with words that have an axis of steps.
CONTEXT = """
import keras
import tensorflow as tf

context, words = tf.zeros((4, 6)), tf.zeros((4, 1, 5))
both = tf.concat([context, words], axis=-1)
keras.ops.sum(both)
"""
#: Numbers the classes where the loss takes a number for each.
NUMBERED = """
import keras
import numpy as np

model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="softmax")])
model.compile("sgd", "binary_crossentropy")
model.fit(np.zeros((6, 3)), np.arange(6) % 4, batch_size=6, verbose=0)
"""
#: Has a loss of numbers beside the loss of classes that its targets do not fit.
TWO_LOSSES = """
import keras
import numpy as np

inputs = keras.Input((3,))
kind = keras.layers.Dense(4, activation="softmax")(inputs)
model = keras.Model(inputs, [kind, keras.layers.Dense(5)(inputs)])
model.compile("sgd", ["binary_crossentropy", "mae"])
model.fit(np.zeros((6, 3)), [np.arange(6) % 4, np.zeros((6, 5))], batch_size=6, verbose=0)
"""
#: Gives an output for each step where there is one target for each sample.
EACH = """
import keras
import numpy as np
from keras.layers import Dense, LSTM

model = keras.Sequential()
model.add(keras.Input((7, 3)))
model.add(LSTM(4, return_sequences=True))
model.add(Dense(1, activation="sigmoid"))
model.compile("sgd", "binary_crossentropy")
model.fit(np.zeros((6, 7, 3)), np.zeros(6), verbose=0)
"""
#: The same, with all names imported one by one.
EACH_BY_NAME = (
    EACH.replace("import keras\n", "from keras import Input, Sequential\n")
    .replace("keras.", "")
    .replace("from layers", "from keras.layers")
)
#: Joins maps of unpadded convolutions with maps from before them.
UNPADDED = """
import keras
from keras.layers import Conv2D, Conv2DTranspose, Input, MaxPooling2D, concatenate

pictures = Input((12, 16, 1))
wide = Conv2D(4, (3, 3), activation="relu")(pictures)
small = Conv2D(5, (3, 3))(MaxPooling2D()(wide))
both = concatenate([wide, Conv2DTranspose(6, (2, 2), strides=(2, 2))(small)])
out = Conv2D(2, 1)(both)
"""
#: Numbers from one what a table numbers from zero, in two tables.
TABLES = """
import keras
import numpy as np
from keras import layers

users, books = 5, 8
user, book = keras.Input((1,)), keras.Input((1,))
both = [layers.Embedding(users, 3)(user), layers.Embedding(books, 3)(book)]
model = keras.Model([user, book], layers.Dense(1)(layers.Concatenate()(both)))
model.compile("sgd", "mse")
model.fit([np.arange(1, 6)[:, None], np.arange(4, 9)[:, None]], np.zeros((5, 1, 1)), verbose=0)
"""
#: Gives the weights of each layer to the one before it.
MOVED = """
import keras
from keras import layers

model = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Dense(6), layers.Dense(7)])
for name, place in (("second", 1), ("third", 2)):
    target = place - 1
    model.layers[target].set_weights(model.layers[place].get_weights())
"""
#: Gives them to the one behind it.
MOVED_ON = """
import keras
from keras import layers

model = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.Dense(6), layers.Dense(7)])
for place in range(2):
    model.layers[place + 1].set_weights(model.layers[place].get_weights())
"""
#: A loss is made for whole batches, and the last one is smaller.
LAST = """
import keras
import numpy as np

batch = 8


def loss(expected, found):
    return keras.ops.sum(found * np.ones((batch, 1), "float32") * expected)


model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("sgd", loss)
model.fit(np.zeros((36, 3)), np.zeros((36, 1)), batch_size=batch, verbose=0)
"""


@pytest.mark.parametrize(
    ("text", "written", "told"),
    [
        (WEIGHT, "shape=input_shape[1:]", "its open axis is the number of samples"),
        (WHOLE, "input_shape=data.shape[1:]", "is the shape of all 9 samples, (9, 6, 5)"),
        (ROWS, "model.fit(rows[..., None], labels", "its 9 samples included"),
        (PRODUCT, 'ops.einsum("bi,bij->bj", weights, words)', "(3, 7) and (3, 7, 5) make (3, 3, 5)"),
        (SUMMED, "axis=-1, keepdims=True", "(?, 7) becomes a single number"),
        (CLASSES, "sum(weighed(maps[..., i], maps[..., i]) for i in range(2))", "one map of 3·5 = 15 values"),
        (FACTOR, "[side * 4, side * 4]", "18 = 6·3 at lines 8 and 9"),
        (STEPS, "concatenate([one, other], axis=1)", "of lines 6, 7 return their last step only"),
        (PLACES, "features.mean((1, 2))", "its 3·5 places are not pooled"),
        (PLACES.replace("(features.shape[0], 8)", "4, 8"), "features.mean((1, 2))", "its 3·5 places"),
        (PLACES.replace("features.reshape(", "np.reshape(features, "), "features.mean((1, 2))", "3·5 places"),
        (OF_STEPS, "tf.reduce_mean(kept, (1,))", "`kept` at line 6 is (4, 6, 8): its 6 steps are not pooled"),
        (CONTEXT, "[tf.expand_dims(context, 1), words]", "`context` is (4, 6) at line 6, an axis less than"),
        (NUMBERED, '"sgd", "sparse_categorical_crossentropy"', "(6,) are one number for each sample"),
        (EACH, "model.add(keras.layers.GlobalAveragePooling1D()); model.add(Dense(", "each of its steps"),
        (EACH_BY_NAME, "import Dense, LSTM, GlobalAveragePooling1D\n", "each of its steps"),
        (
            CONTEXT.replace("import tensorflow as tf", "from tensorflow import concat, zeros").replace(
                "tf.", ""
            ),
            "import concat, zeros, expand_dims\n",
            "`context` is (4, 6)",
        ),
        (UNPADDED, 'activation="relu", padding="same")(pictures)', "of lines 6, 7 are not padded"),
        (TABLES, "Embedding(books + 1, 3)", "the 5 entries are numbered from 0 to 4"),
        (MOVED, "target = place\n", "`place - 1` at line 7 is the place of another layer"),
        (MOVED_ON, "model.layers[place].set_weights", "`place + 1` at line 7 is the place of another layer"),
        (LAST, "batch = 9", "36 samples = 4·8 + 4"),
        (LAST.replace("36, 3)), np", "36, 3)), y=np").replace("fit(", "fit(x="), "batch = 9", "= 4·8 + 4"),
    ],
)
def test_the_mistake_is_told_and_an_edit_mends_it(
    run: Callable[[str], None], text: str, written: str, told: str
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each program raises an error of its own kind
        run(text)
    found = survey(caught.value)
    assert found is not None
    edits = [(one, found.program.edited(one.replacements).text) for one in found.candidates()[:4]]
    one, edited = next((one, new) for one, new in edits if written in new)
    assert told in one.why
    run(edited)


def test_a_loss_of_numbers_is_not_told_to_be_the_one_that_reads_classes(run: Callable[[str], None]) -> None:
    with pytest.raises(ValueError, match="must have the same rank") as caught:
        run(TWO_LOSSES)
    found = survey(caught.value)
    assert found is not None
    told = [one.why for one in found.candidates() if one.cause == "labels-for-classes"]
    assert len(told) == 1
    assert told[0].startswith('"binary_crossentropy" at line 8 takes targets like the outputs, (6, 4)')


def test_what_a_convolution_takes_is_not_told_where_it_has_strides(run: Callable[[str], None]) -> None:
    with pytest.raises(ValueError, match="Concatenate") as caught:
        run(UNPADDED.replace("Conv2D(5, (3, 3))", "Conv2D(5, (3, 3), 2)"))
    found = survey(caught.value)
    assert found is not None
    told = {one.why for one in found.candidates() if "are not padded" in one.why}
    assert told == {"the convolutions of lines 6, 7 are not padded"}


def test_one_sequence_without_targets_is_not_told_to_be_samples(run: Callable[[str], None]) -> None:
    with pytest.raises(ValueError, match="has incompatible shape") as caught:
        run(f"{ROWS.partition('model.compile')[0]}model.predict(rows, verbose=0)\n")
    found = survey(caught.value)
    assert found is not None
    told = [one for one in found.candidates() if one.cause == "samples-in-shape"]
    assert [one.fact for one in told] == [False]
    assert "samples included" not in told[0].why
