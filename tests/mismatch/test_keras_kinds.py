"""Mistakes that are often made with Keras: each is told by its rule, and the first edit mends the script."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect_keras.debug.script.survey import survey

#: A data set that gives batches is put into batches once more.
TWICE = """
import keras
import numpy as np
from keras import layers

rows = np.zeros((90, 4), "float32")
windows = keras.utils.timeseries_dataset_from_array(rows[:-12], rows[12:, 0], 12, batch_size=16)
windows = windows.map(lambda x, y: (x - 0.5, y)).batch(16).prefetch(2)
model = keras.Sequential([keras.Input((12, 4)), layers.GRU(9), layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(windows, verbose=0)
"""
#: The two states of a bidirectional layer are joined for a layer of the width of one.
WIDE_STATE = """
import keras
import numpy as np
from keras.layers import GRU, Bidirectional, Concatenate, Embedding, Input

words, answer = Input((11,)), Input((6,))
_, forward, backward = Bidirectional(GRU(13, return_state=True))(Embedding(40, 8)(words))
state = Concatenate()([forward, backward])
steps = GRU(13, return_sequences=True)(Embedding(30, 8)(answer), initial_state=state)
keras.Model([words, answer], steps).predict([np.zeros((3, 11)), np.zeros((3, 6))], verbose=0)
"""
#: The outputs of all steps are given for a state.
ALL_STEPS = """
import keras
import numpy as np
from keras.layers import LSTM, Input

heard, said = Input((9, 4)), Input((5, 7))
heard_states = LSTM(6, return_sequences=True)(heard)
spoken = LSTM(6)(said, initial_state=[heard_states, heard_states])
keras.Model([heard, said], spoken).predict([np.zeros((3, 9, 4)), np.zeros((3, 5, 7))], verbose=0)
"""
#: The same, where the outputs are read elsewhere, too.
READ_TWICE = ALL_STEPS.replace("said], spoken)", "said], [spoken, heard_states])")
#: A function of TensorFlow's is called while a model is built.
SYMBOLIC = """
import keras
import tensorflow as tf
from keras.layers import Dense, Input

age, place = Input((3,)), Input((5,))
both = tf.concat([Dense(7)(age), Dense(4)(place)], axis=1)
keras.Model([age, place], Dense(2)(both))
"""
#: One that Keras has under no name.
NORMALIZED = SYMBOLIC.replace(
    "tf.concat([Dense(7)(age), Dense(4)(place)], axis=1)", "tf.nn.l2_normalize(age, 1)"
)
#: A picture of three colors is read for a model of gray ones.
DECODED = """
import keras
import numpy as np
import tensorflow as tf
from keras import layers

scan = tf.io.encode_png(np.zeros((30, 26, 3), "uint8"))
model = keras.Sequential([keras.Input((30, 26, 1)), layers.Conv2D(5, 3)])
picture = tf.io.decode_png(scan)
model.predict(np.asarray(picture)[None] / 255.0, verbose=0)
"""
#: Labels have weights of their own, and the loss is one number for each sample.
PER_LABEL = """
import keras
import numpy as np
from keras import layers

tags, known = np.zeros((44, 6), "float32"), np.ones((44, 6), "float32")
model = keras.Sequential([keras.Input((8,)), layers.Dense(6, activation="sigmoid")])
model.compile("sgd", loss="binary_crossentropy")
model.fit(np.zeros((44, 8)), tags, sample_weight=known, batch_size=11, verbose=0)
"""
#: The weights of all steps are given with the targets of the last one.
LAST_STEP = """
import keras
import numpy as np
from keras import layers

kinds = np.arange(70).reshape(10, 7) % 3
weights = np.where(kinds == 0, 0.5, 1.0)
model = keras.Sequential([keras.Input((7, 2)), layers.GRU(5), layers.Dense(3, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy")
model.fit(np.zeros((10, 7, 2)), kinds[:, -1], sample_weight=weights, verbose=0)
"""
#: Classes are weighed, and each place of a map has one.
OF_PLACES = """
import keras
import numpy as np
from keras import layers

maps = keras.utils.to_categorical(np.arange(14 * 8 * 6).reshape(14, 8, 6) % 5, 5)
model = keras.Sequential([keras.Input((8, 6, 3)), layers.Conv2D(5, 1, activation="softmax")])
model.compile("sgd", loss="categorical_crossentropy")
weights = {0: 0.1, 1: 1.0, 2: 1.0, 3: 2.0, 4: 4.0}
model.fit(np.zeros((14, 8, 6, 3)), maps, class_weight=weights, batch_size=7, verbose=0)
"""
#: The map of each step is not flattened.
MAPS = """
import numpy as np
from keras.layers import GRU, Bidirectional, Conv2D, Input, TimeDistributed
from keras.models import Sequential

model = Sequential([Input((5, 9, 8, 3)), TimeDistributed(Conv2D(6, 3)), Bidirectional(GRU(7))])
model.predict(np.zeros((2, 5, 9, 8, 3)), verbose=0)
"""
#: Targets stand in another order than the outputs.
ORDER = """
import keras
import numpy as np
from keras import layers

face = keras.Input((12,))
outputs = [layers.Dense(size, name=name)(face) for size, name in ((1, "age"), (7, "mood"), (10, "nose"))]
model = keras.Model(face, outputs)
model.compile("sgd", loss=["mae", "categorical_crossentropy", "mse"])
moods, ages, noses = np.zeros((18, 7)), np.zeros((18, 1)), np.zeros((18, 10))
model.fit(np.zeros((18, 12)), [moods, ages, noses], verbose=0)
"""
#: A metric compares rows with class indices.
RECALL = """
import keras
import numpy as np
from keras import layers
from keras.metrics import Recall

kinds, tested = np.arange(60) % 3, np.arange(20) % 3
model = keras.Sequential([keras.Input((12,)), layers.Dense(3, activation="softmax")])
model.compile("sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy", Recall()])
model.fit(np.zeros((60, 12)), kinds, validation_data=(np.zeros((20, 12)), tested), batch_size=15, verbose=0)
"""
#: Each word has a tag, and the network gives one for the whole sentence.
TAGS = """
import keras
import numpy as np
from keras.layers import GRU, Dense, Embedding, Input

sentence = Input((15,))
tags = Dense(8, activation="softmax")(GRU(12)(Embedding(50, 9)(sentence)))
model = keras.Model(sentence, tags)
model.compile("sgd", "sparse_categorical_crossentropy")
model.fit(np.zeros((22, 15)), np.zeros((22, 15)), verbose=0)
"""
#: A layer makes the values of another map than the one that they are put into.
OTHER_MAP = """
import keras
import numpy as np
from keras import layers

decoder = keras.Sequential([keras.Input((24,)), layers.Dense(5 * 6 * 12), layers.Reshape((7, 6, 12))])
decoder.predict(np.zeros((8, 24)), verbose=0)
"""
#: A layer is made for another number of patches.
PATCHES = """
import keras
import numpy as np
from keras import layers, ops


class Tokens(layers.Layer):
    def __init__(self, tokens=44):
        super().__init__()
        self.tokens = tokens
        self.place = layers.Embedding(tokens, 10)

    def call(self, x):
        x = ops.reshape(x, (-1, self.tokens, x.shape[-1]))
        return x + self.place(ops.arange(self.tokens))


picture = keras.Input((40, 48, 3))
model = keras.Model(picture, Tokens()(layers.Conv2D(10, 8, strides=8)(picture)))
model.predict(np.zeros((7, 40, 48, 3)), verbose=0)
"""
#: A generator yields one sample at a time, and a number for its target.
ONE_BY_ONE = """
import keras
import numpy as np
from keras import layers


def readings():
    for size in range(30):
        trace = np.full((25, 2), size, "float32")
        yield trace, float(trace.mean())


model = keras.Sequential([keras.Input((25, 2)), layers.GlobalMaxPooling1D(), layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(readings(), steps_per_epoch=5, verbose=0)
"""

#: An autoencoder rounds up where it halves, with padding, and doubles that.
GROWN = """
import keras
import numpy as np
from keras.layers import Conv2D, Input, MaxPooling2D, UpSampling2D

given = Input((22, 18, 1))
small = MaxPooling2D(2, padding="same")(MaxPooling2D(2, padding="same")(given))
made = Conv2D(1, 3, padding="same")(UpSampling2D(2)(UpSampling2D(2)(small)))
coder = keras.Model(given, made)
coder.compile("sgd", "mse")
pictures = np.zeros((5, 22, 18, 1))
coder.fit(pictures, pictures, verbose=0)
"""
#: Targets are rows, and the loss takes indices.
ROWS = """
import keras
import numpy as np
from keras.utils import to_categorical

kinds = to_categorical(np.arange(21) % 4, 4)
model = keras.Sequential([keras.Input((9,)), keras.layers.Dense(4, activation="softmax")])
model.compile("sgd", loss="sparse_categorical_crossentropy")
model.fit(np.zeros((21, 9)), kinds, verbose=0)
"""
#: The table is made for the words, and its numbers for the words and the padding.
PADDED_TABLE = """
import keras
import numpy as np

words = {word: at + 1 for at, word in enumerate("a few words of a text that is read".split())}
settings = {"size": len(words)}
table = keras.layers.Embedding(settings["size"], 5)
table.build((None, 7))
table.set_weights([np.zeros((len(words) + 1, 5), "float32")])
"""

#: One table is given to a model of two inputs.
COLUMNS = """
import keras
import numpy as np
from keras import layers

person, place = keras.Input((7,)), keras.Input((4,))
model = keras.Model([person, place], layers.Dense(2)(layers.Concatenate()([person, place])))
table = np.zeros((23, 11))
model.predict(table, verbose=0)
"""
#: A loss of one value for each sample is multiplied with the weights of the classes.
CLASS_WEIGHTS = """
import keras
import numpy as np
from keras import layers

rare = np.array([0.5, 1.0, 3.0, 6.0], "float32")


def weighed(expected, found):
    return rare * keras.losses.sparse_categorical_crossentropy(expected, found)


model = keras.Sequential([keras.Input((6,)), layers.Dense(4, activation="softmax")])
model.compile("sgd", weighed)
model.fit(np.zeros((30, 6)), np.arange(30) % 4, batch_size=10, verbose=0)
"""
#: Gray pictures are given to a network for colors.
GRAY = """
import numpy as np
from keras import Input, Sequential
from keras.layers import Conv2D, GlobalMaxPooling2D

network = Sequential([Input((14, 12, 3)), Conv2D(5, 3), GlobalMaxPooling2D()])
model = Sequential([Input((14, 12, 1)), network])
scans = np.zeros((6, 14, 12, 1))
model.predict(scans, verbose=0)
"""


@pytest.mark.parametrize(
    ("text", "written", "told"),
    [
        (
            TWICE,
            "(x - 0.5, y)).prefetch(2)",
            "makes batches of batches: the data set gives (?, ?, 4) already",
        ),
        (WIDE_STATE, "GRU(26, return_sequences=True)", "are (?, 26), and"),
        (
            ALL_STEPS,
            "return_sequences=False",
            "has the outputs of all 9 steps, and a first state is one vector",
        ),
        (READ_TWICE, "[heard_states[:, -1], heard_states[:, -1]]", "one vector of 6 values for each sample"),
        (SYMBOLIC, "keras.ops.concatenate([Dense(7)(age), Dense(4)(place)], axis=1)", "needs numbers"),
        (
            NORMALIZED,
            "Lambda(lambda t: tf.nn.l2_normalize(t, 1))(age)",
            "`age`, (?, 3), is a symbolic tensor",
        ),
        (DECODED, "decode_png(scan, channels=1)", "reads 3 channels (`channels` is left at its default"),
        (PER_LABEL, "loss=keras.ops.binary_crossentropy)", "takes the mean over the last axis, 6 values"),
        (LAST_STEP, "sample_weight=weights[:, -1]", "(10, 7), has a weight for each step"),
        (OF_PLACES, "sample_weight=np.vectorize(weights.get)(maps.argmax(-1))", "each of 8·6 places"),
        (MAPS, "import GRU, Bidirectional, Conv2D, Input, TimeDistributed, Flatten", "an array of 7 x 6 x 6"),
        (ORDER, "[ages, moods, noses]", "age (?, 1), mood (?, 7), nose (?, 10) in this order"),
        (
            RECALL,
            "(np.zeros((20, 12)), keras.utils.to_categorical(tested, 3))",
            "the 3 numbers of each output",
        ),
        (TAGS, "GRU(12, return_sequences=True)", "are one for each of 15 steps"),
        (OTHER_MAP, "Dense(7 * 6 * 12)", "7·6·12 = 504: they differ in 5 and 7"),
        (PATCHES, "tokens=30", "has 5·6 = 30 places, and 44 is written at line 8"),
        (
            GROWN,
            "Cropping2D(((1, 1), (1, 1)))(made)",
            "are no multiples of 4: divided by it, padded, and multiplied again they are 24 and 20",
        ),
        (ROWS, 'loss="categorical_crossentropy"', "a number for each of 4 classes, by `to_categorical("),
        (PADDED_TABLE, '{"size": len(words) + 1}', "8 is `len(words)` at line 6, and 9 is `len(words) + 1`"),
        (COLUMNS, "model.predict([table[:, :7], table[:, 7:]]", "has 2 inputs: 7 + 4 = 11 columns"),
        (
            CLASS_WEIGHTS,
            'keras.ops.take(rare, keras.ops.cast(expected, "int32"))',
            "(4,), has a weight for",
        ),
        (ONE_BY_ONE, "yield trace[None], np.array([float(trace.mean())])", "one sample without a batch axis"),
    ],
)
def test_the_rule_is_told_and_the_first_edit_mends_the_script(
    run: Callable[[str], None], text: str, written: str, told: str
) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each program raises an error of its own kind
        run(text)
    found = survey(caught.value)
    assert found is not None
    first = found.candidates()[0]
    edited = found.program.edited(first.replacements).text
    assert first.fact
    assert told in first.why
    assert written in edited
    run(edited)


def test_gray_pictures_get_three_channels(run: Callable[[str], None]) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        run(GRAY)
    found = survey(caught.value)
    assert found is not None
    first = next(one for one in found.candidates()[:3] if one.cause == "color")
    edited = found.program.edited(first.replacements).text
    assert "Sequential([Input((14, 12, 3)), network])" in edited
    assert "model.predict(np.repeat(scans, 3, -1)" in edited
    run(edited)


def test_a_table_for_two_inputs_is_explained(run: Callable[[str], None]) -> None:
    with pytest.raises(ValueError, match="expects 2") as caught:
        run(COLUMNS)
    found = explain_error(caught.value)
    assert found is not None
    assert found.cause == "several-inputs"


def test_a_layer_does_not_get_as_many_units_as_there_are_samples(run: Callable[[str], None]) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # NumPy or TensorFlow refuses it
        run(CLASS_WEIGHTS)
    found = explain_error(caught.value)
    assert found is not None
    assert [fix.text for fix in found.fixes if "Dense(10" in fix.text or "units=10" in fix.text] == []


#: The steps of the validation are others than those of the training.
VALIDATION = """
import keras
import numpy as np
from keras import layers

x, y, x_held, y_held = np.zeros((50, 24, 2)), np.zeros((50, 3)), np.zeros((12, 30, 2)), np.zeros((12, 3))
model = keras.Sequential([keras.Input((24, 2)), layers.Conv1D(8, 3), layers.Flatten(), layers.Dense(3)])
model.compile("sgd", "mse")
model.fit(x, y, validation_data=(x_held, y_held), verbose=0)
"""


def test_the_data_of_the_validation_are_named(run: Callable[[str], None]) -> None:
    with pytest.raises(ValueError, match="224") as caught:
        run(VALIDATION)
    found = explain_error(caught.value)
    assert found is not None
    texts = [fix.text for fix in found.fixes]
    assert "feed x_held[:, :24]" in texts
    assert "feed x[:, :24]" not in texts
    run(VALIDATION.replace("(x_held, y_held)", "(x_held[:, :24], y_held)"))


#: The mask of the words has two axes behind them.
MASK = """
import keras
import numpy as np

words = np.ones((4, 9, 6), "float32")
kept = np.ones((4, 9), "bool")[:, :, None, None]
asked, read = words[:, :7], keras.layers.MultiHeadAttention(2, 5, name="read")
read(asked, words, attention_mask=kept)
"""


@pytest.mark.parametrize(
    ("axes", "index"), [("[:, :, None, None]", "[:, None, :, 0, 0]"), ("[..., None]", "[:, None, :, 0]")]
)
def test_a_mask_of_steps_gets_the_axis_of_the_query(
    run: Callable[[str], None], axes: str, index: str
) -> None:
    text = MASK.replace("[:, :, None, None]", axes)
    with pytest.raises(Exception, match="shape") as caught:
        run(text)
    found = explain_error(caught.value)
    assert found is not None
    assert found.cause == "mask"
    assert found.fixes[0].text == f'kept{index} for "read"'
    run(text.replace("attention_mask=kept", f"attention_mask=kept{index}"))


#: Writes pictures with TensorFlow and reads them as Keras does, in threads, before it fails.
FOLDER = """
import os
import tempfile

import keras
import numpy as np
import tensorflow as tf

folder = tempfile.mkdtemp()
for kind in ("round", "square"):
    os.makedirs(os.path.join(folder, kind))
    for at in range(3):
        picture = tf.io.encode_png(np.full((9, 12, 3), at, "uint8"))
        tf.io.write_file(os.path.join(folder, kind, f"{at}.png"), picture)
pictures = keras.utils.image_dataset_from_directory(folder, image_size=(9, 12), batch_size=3, verbose=False)
model = keras.Sequential([keras.Input((9, 12, 1)), keras.layers.Conv2D(4, 3)])
model.predict(pictures, verbose=0)
"""


def test_a_script_that_makes_its_own_pictures_is_run_again(run: Callable[[str], None]) -> None:
    with pytest.raises(ValueError, match="expected axis -1") as caught:
        run(FOLDER)
    found = survey(caught.value)
    assert found is not None
    first = found.candidates()[0]
    assert 'reads 3 channels (`color_mode` is left at its default, "rgb"), and 1 is taken' in first.why
    run(found.program.edited(first.replacements).text)
