"""Where the sizes of a Keras failure come from, in the words of its script."""

from __future__ import annotations

from pathlib import Path

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis
from shapeinspect.plugin_api.programs.program import started

HEAD = """
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

rng = np.random.default_rng(0)
"""

#: Pictures are shrunk, and their masks are not; the loss flattens both.
MASKS = """
def shrunk(pictures):
    return pictures[:, ::3, ::3][..., np.newaxis]

def overlap(y_true, y_pred):
    flat_true, flat_pred = ops.reshape(y_true, (-1,)), ops.reshape(y_pred, (-1,))
    return 1 - ops.sum(flat_true * flat_pred)

pictures, masks = rng.random((4, 15, 21)), rng.random((4, 15, 21))
pictures = shrunk(pictures)
model = keras.Sequential([keras.Input((5, 7, 1)), layers.Conv2D(1, 1)])
model.compile("sgd", overlap)
model.fit(pictures, masks, batch_size=2, verbose=0)
"""

#: One model makes what another one is fed, in a loop of doublings.
DOUBLED = """
class Grow(keras.Model):
    def __init__(self):
        super().__init__()
        self.start = layers.Reshape((4, 4, 3))
        self.steps = [layers.Conv2DTranspose(3, 3, strides=2, padding="same") for _ in range(2)]

    def call(self, z):
        x = self.start(z)
        for step in self.steps:
            x = step(x)
        return x

grow = Grow()
judge = keras.Sequential([layers.Flatten(), layers.Dense(1)], name="judge")
true = rng.random((2, 8, 8, 3), dtype="float32")
judge(true)
made = grow(rng.random((2, 48), dtype="float32"))
judge(made)
"""

#: A length that two strides do not divide.
STRIDES = """
image = keras.Input((30, 28, 2))
x = layers.Conv2D(3, 3, strides=2, padding="same")(image)
x = layers.Conv2D(3, 3, strides=2, padding="same")(x)
x = layers.Conv2DTranspose(3, 3, strides=2, padding="same")(x)
x = layers.Conv2DTranspose(2, 3, strides=2, padding="same")(x)
there = keras.Model(image, x, name="there")
pictures = rng.random((2, 30, 28, 2), dtype="float32")
there(pictures)
moved = there(pictures)
there(moved) - pictures
"""

#: Data that a batch does not divide, for a loss of one batch size.
LAST = """
def weighted(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred) * tf.linspace([0.0], [1.0], 4))

series, values = rng.random((14, 5)), rng.random((14, 1))
model = keras.Sequential([keras.Input((5,)), layers.Dense(1)])
model.compile("sgd", weighted)
model.fit(series, values, batch_size=4, validation_split=0.25, shuffle=False, verbose=0)
"""

#: The targets are cut from the inputs.
SAME_ARRAY = """
data, labels = rng.random((12, 9)), keras.utils.to_categorical(np.arange(12) % 5)
data, labels = data[:10], labels[:10]

x_train = data[:8]
y_train = data[:8]
model = keras.Sequential([keras.Input((9,)), layers.Dense(5, activation="softmax")])
model.compile("sgd", "categorical_crossentropy")
model.fit(x_train, y_train, verbose=0)
"""

#: A list around a list adds an axis.
WINDOW = """
def recent(picture):
    return [picture]

def scores(states):
    return model.predict_on_batch(np.array(states))

model = keras.Sequential([keras.Input((6, 7, 2)), layers.Conv2D(3, 3)])
picture = rng.random((6, 7, 2))
state = recent(picture)
scores([state])
"""

#: Labels made for another size than the pictures have.
GRID = """
def grids(n, size):
    grid = size // 8
    made = []
    for _ in range(2):
        made.append(np.zeros((n, grid, grid, 3), "float32"))
        grid *= 2
    return made

def build(size):
    image = x = keras.Input((size, size, 3))
    outs = []
    for filters in (4, 3, 3):
        x = layers.Conv2D(filters, 3, strides=2, padding="same")(x)
        outs.append(layers.Conv2D(3, 1)(x))
    return keras.Model(image, [outs[2], outs[1]])

def main(size=40, image_size=56):
    model, pictures = build(image_size), rng.random((4, image_size, image_size, 3), dtype="float32")
    data = tf.data.Dataset.from_tensor_slices((pictures, tuple(grids(4, size)))).batch(2)
    for images, labels in data:
        outputs = model(images)
        return [tf.square(label - output) for label, output in zip(labels, outputs)]

main()
"""

#: A function is called with an argument in one place, and without it in another.
READERS = """
def read(name, gray=False):
    picture = np.ones((6, 7, 3), "float32") * len(name)
    return picture.mean(axis=-1, keepdims=True) if gray else picture

model = keras.Sequential([keras.Input((6, 7, 1)), layers.Conv2D(2, 3, name="first")])
model.predict(np.stack([read(name, gray=True) for name in "ab"]), verbose=0)
new = np.expand_dims(read("new"), 0)
model.predict(new, verbose=0)
"""

#: What is computed of one picture at a time keeps its batch of one.
VIDEO = """
def features(frame):
    return np.expand_dims(frame, axis=0).mean(axis=1)

clips = [np.array([features(frame) for frame in rng.random((4, 5, 6))]) for _ in range(3)]
model = keras.Sequential([keras.Input((4, 6), name="clip"), layers.LSTM(2)])
model.predict(np.array(clips), verbose=0)
"""

#: The last batch of a loop by hand is smaller, and the noise is not.
GAN = """
judge = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
data = rng.random((11, 6), dtype="float32")

def train(size=4):
    total = 0
    for i in range(0, 11, 4):
        real = judge(data[i:i + size])
        noise = tf.random.normal((size, 6))
        total += real + judge(noise)

train()
"""

#: A recurrent layer gives every step, and there is one label for each sample.
STEPS = """
words, labels = rng.random((6, 5, 3)), keras.utils.to_categorical(np.arange(6) % 2)
model = keras.Sequential([
    keras.Input((5, 3)), layers.LSTM(4, return_sequences=True, name="rnn"), layers.Dense(2, name="head"),
])
model.compile("sgd", "categorical_crossentropy")
model.fit(words, labels, verbose=0)
"""

#: One argument is passed on, and the other one is left at its default.
OMITTED = """
class Given:
    def __init__(self, sizes, ratios):
        self.sizes, self.ratios = sizes, ratios

def anchors(sizes, ratios=(1, 2, 3)):
    return tf.ones((len(sizes) * len(ratios), 5))

given = Given([7, 9], [1])
boxes = anchors(given.sizes)
scores = tf.zeros((len(given.sizes) * len(given.ratios), 5))
boxes + scores
"""

#: A comment says what the code should make; the axis that is averaged is another one.
COMMENT = """
def pooled(frames):
    clip = tf.reduce_mean(frames, axis=1)  # (batch, 7, 3)
    return clip

head = keras.Sequential([keras.Input((7, 3)), layers.Flatten(), layers.Dense(2)])
head(pooled(rng.random((2, 7, 5, 3), dtype="float32")))
"""

CASES = {
    "masks": (
        MASKS,
        "630 = 2·15·21: line 13 flattens `y_true`, (2, 15, 21)",
        "`shrunk(pictures)` at line 17 makes (4, 5, 7, 1) of (4, 15, 21)",
    ),
    "doubled": (
        DOUBLED,
        "`judge(true)` at line 24 took (2, 8, 8, 3); `made` at line 26 is (2, 16, 16, 3)",
        "`step(x)` at line 18 makes 4 → 8 → 16 in its loop",
    ),
    "strides": (STRIDES, '30 is no multiple of 4: "there" makes 30 → 15 → 8 → 16 → 32'),
    "last": (LAST, "`validation_split=0.25` leaves 10: 10 = 2·4 + 2, so the last batch has 2"),
    "same array": (
        SAME_ARRAY,
        "`y_train` is cut from `data` at line 13, as the inputs `x_train` are at line 12",
        "nothing is cut from `labels`, (10, 5)",
    ),
    "window": (
        WINDOW,
        "`[state]` at line 18 makes (1, 1, 6, 7, 2) of `state`, (1, 6, 7, 2)",
        "`recent(picture)` at line 17 makes (1, 6, 7, 2) of `picture`, (6, 7, 2)",
    ),
    "grid": (
        GRID,
        "5 is `size // 8` at line 10 for `grid` at line 13, and `size` is 40, the default of size at line 25",
        '"functional" makes 56 → 28 → 14 → 7',
    ),
    "comment": (COMMENT, "line 10 says (batch, 7, 3), and clip was (2, 5, 3)"),
    "video": (
        VIDEO,
        "axis 2 of (3, 4, 1, 6) is one too many",
        "1: `np.expand_dims(frame, axis=0)` at line 10 makes (1, 5, 6) of (5, 6)",
    ),
    "gan": (
        GAN,
        "3: `data[i:i + size]` at line 15 is a part of (11, 6), and 11 = 2·4 + 3",
        "4 is the default of size at line 12 for `size` at line 16",
    ),
    "steps": (
        STEPS,
        '"rnn", "head" keep 5 on axis 1',
        "the targets `labels`, (6, 2), are one for each sample",
    ),
    "omitted": (OMITTED, "`anchors(given.sizes)` at line 17 is not given `ratios`, which `given` has, too"),
    "readers": (
        READERS,
        '`read("new")` at line 15 makes (6, 7, 3); `read(name, gray=True)` at line 14 made (6, 7, 1)',
    ),
}


def explained(text: str, folder: Path) -> Diagnosis:
    """Run a script as ``python -m shapeinspect`` does, and return the diagnosis of its failure."""
    script = folder / "train.py"
    script.write_text(HEAD + text)
    space = {"__name__": "__main__", "__file__": str(script)}
    with started(str(script)):
        with pytest.raises(Exception) as caught:  # noqa: PT011  # each program raises an error of its own kind
            exec(compile(HEAD + text, str(script), "exec"), space)
        diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    return diagnosis


@pytest.mark.parametrize("name", CASES)
def test_sizes_are_followed_to_what_made_them(name: str, tmp_path: Path) -> None:
    text, *sentences = CASES[name]
    because = "\n".join(explained(text, tmp_path).because)
    for sentence in sentences:
        assert sentence in because
