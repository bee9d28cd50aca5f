"""Keras scripts that give something in the place of another: each edit is suggested first, and runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect_keras.debug.script.candidate import Candidate, Operator, Scene
from shapeinspect_keras.debug.script.clues import clues_of
from shapeinspect_keras.debug.script.operators import (
    adapted,
    batches,
    exact,
    grouped,
    labels,
    painted,
    pictures,
    regrouped,
    structure,
    uncalled,
    weighted_axes,
)
from shapeinspect_keras.debug.script.program import Program
from shapeinspect_keras.debug.script.reach import Reach
from shapeinspect_keras.debug.script.running import run as run_again

HEAD = "import keras\nimport numpy as np\nfrom keras import layers\n"
GATE = """
class Gate(layers.Layer):
    def build(self, input_shape):
        self.w = self.add_weight(shape=(8, 1))
        self.b = self.add_weight(shape=({}, 1))

    def call(self, x):
        return keras.ops.matmul(x, self.w) + self.b

Gate()(np.zeros((3, 15, 8), "float32"))
"""
SEGMENTED = """
COLORS = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [0, 0, 128]], "uint8")
masks = COLORS[np.arange(2 * 6 * 5).reshape(2, 6, 5) % 4]
net = keras.Sequential([keras.Input((6, 5, 1)), layers.Conv2D(4, 1, activation="softmax")])
net.compile("sgd", "{}")
net.fit(np.zeros((2, 6, 5, 1)), masks, verbose=0)
"""
RESIZED = """
import tensorflow as tf
pictures = [np.zeros((7 + n, 9, 3), "float32") for n in range(2)]
data = tf.data.Dataset.from_generator(lambda: iter(pictures), output_signature=tf.TensorSpec((None, 9, 3)))
data = data.batch(2).map(lambda x: tf.image.resize(x, (5, 6)))
list(data)
"""
TWO = """
a, b = keras.Input((6,)), keras.Input((3,))
net = keras.Model([a, b], layers.Dense(4)(layers.concatenate([a, b])))
net.compile("sgd", "mse")

def samples():
    while True:
        yield {}

net.fit(samples(), steps_per_epoch=2, verbose=0)
"""
NAMED = """
x = keras.Input((6,))
net = keras.Model(x, [layers.Dense(1, name="age")(x), layers.Dense(2, name="size")(x)])
net.compile("sgd", {"age": "mse", "size": "mse"})
targets = {"age": np.zeros((5, 1)), "height": np.zeros((5, 2))}
net.fit(np.zeros((5, 6)), targets, verbose=0)
"""
CUT = """
class Mix(layers.Layer):
    def build(self, input_shape):
        self.w = self.add_weight(shape=(12, 7))

    def call(self, x):
        return keras.ops.matmul(x, self.w)

x = keras.Input((5, 3, 12))
flat = layers.Reshape((30, 6))(x)
net = keras.Model(x, Mix()(flat))
net.predict(np.zeros((2, 5, 3, 12)), verbose=0)
"""
GRAY = """
net = keras.Sequential([keras.Input((7, 5, 3)), layers.Conv2D(4, 1)])
pictures = np.zeros((2, 7, 5, 3))
gray = np.mean(pictures, axis=3)
fed = gray[..., np.newaxis]
net.predict(fed, verbose=0)
"""
ENCODED = """
x = keras.Input((6,))
encoder = keras.Model(x, [layers.Dense(4)(x), layers.Dense(4)(x)])
decoder = keras.Sequential([keras.Input((4,)), layers.Dense(6)])
decoder(encoder(x))
"""
#: Of each kind the operators, a script that fails on its last line, what is written and what belongs there.
SCRIPTS: dict[str, tuple[tuple[Operator, ...], str, str, str]] = {
    "a layer that is not called": (
        uncalled.OPERATORS,
        "x = keras.Input((7,))\nh = layers.Dense(5)\ny = layers.Dropout(0.2)(h)",
        "layers.Dense(5)",
        "layers.Dense(5)(x)",
    ),
    "a new layer as an argument": (
        uncalled.OPERATORS,
        "x = keras.Input((7,))\nh = layers.Dense(4)(x)\nh = layers.Dropout(0.2)(layers.Dense(5))",
        "layers.Dense(5)",
        "layers.Dense(5)(h)",
    ),
    "a tensor among settings": (
        uncalled.OPERATORS,
        "x = keras.Input((7, 5))\ny = layers.BatchNormalization(x, axis=1)",
        "layers.BatchNormalization(x, axis=1)",
        "layers.BatchNormalization(axis=1)(x)",
    ),
    "a class among layers": (
        uncalled.OPERATORS,
        "net = keras.Sequential([keras.Input((7, 5))])\nnet.add(layers.Flatten)",
        "layers.Flatten",
        "layers.Flatten()",
    ),
    "an output among layers": (
        uncalled.OPERATORS,
        "x = keras.Input((7, 5))\ny = layers.Dense(3)(x)\nkeras.Sequential([keras.Input((7, 5)), y])",
        "layers.Dense(3)(x)",
        "layers.Dense(3)",
    ),
    "statistics of other features": (
        adapted.OPERATORS,
        "table = np.ones((6, 4))\nfed = table[:, :-1]\nnorm = layers.Normalization()\nnorm.adapt(table)\n"
        "net = keras.Sequential([keras.Input((3,)), norm])\nnet.predict(fed, verbose=0)",
        "table",
        "fed",
    ),
    "another axis of a weight": (
        weighted_axes.OPERATORS, GATE.format("input_shape[-1]"), "-1", "1",
    ),
    "a mask without the steps that ask": (
        weighted_axes.OPERATORS,
        "x, pad = np.zeros((3, 5, 8), 'float32'), np.ones((3, 5), bool)\n"
        "look = layers.MultiHeadAttention(2, 4)\nlook(x, x, attention_mask=pad)",
        "pad",
        "pad[:, None, :]",
    ),
    "painted targets": (
        painted.OPERATORS,
        SEGMENTED.format("sparse_categorical_crossentropy"),
        "masks",
        "(masks[..., None, :] == COLORS).all(-1).argmax(-1)",
    ),
    "painted targets for a number a class": (
        painted.OPERATORS,
        SEGMENTED.format("categorical_crossentropy"),
        "masks",
        '(masks[..., None, :] == COLORS).all(-1).astype("float32")',
    ),
    "samples that are resized too late": (
        batches.OPERATORS,
        RESIZED,
        "data.batch(2).map(lambda x: tf.image.resize(x, (5, 6)))",
        "data.map(lambda x: tf.image.resize(x, (5, 6))).batch(2)",
    ),
    "a classifier that is kept": (
        structure.OPERATORS,
        "base = keras.applications.MobileNet(input_shape=(32, 32, 3), weights=None, include_top=True)\n"
        "layers.GlobalAveragePooling2D()(base.output)",
        "True",
        "False",
    ),
    "steps that are kept": (
        (*labels.OPERATORS, *exact.OPERATORS),
        "net = keras.Sequential([keras.Input((7, 3)), layers.GRU(5, return_sequences=True)])\n"
        "net.add(layers.Dense(4))\n"
        'net.compile("sgd", "categorical_crossentropy")\n'
        "net.fit(np.zeros((6, 7, 3)), np.zeros((6, 4)), verbose=0)",
        "True",
        "False",
    ),
    "inputs in a row with the targets": (
        grouped.OPERATORS,
        TWO.format("np.zeros((5, 6)), np.zeros((5, 3)), np.zeros((5, 4))"),
        "np.zeros((5, 6)), np.zeros((5, 3)), np.zeros((5, 4))",
        "(np.zeros((5, 6)), np.zeros((5, 3))), np.zeros((5, 4))",
    ),
    "a list of inputs from a generator": (
        grouped.OPERATORS,
        TWO.format("[np.zeros((5, 6)), np.zeros((5, 3))], np.zeros((5, 4))"),
        "[np.zeros((5, 6)), np.zeros((5, 3))]",
        "(np.zeros((5, 6)), np.zeros((5, 3)))",
    ),
    "states among the outputs": (
        grouped.OPERATORS,
        "x = keras.Input((7, 3))\nh = layers.GRU(5, return_state=True)(x)\ny = layers.Dense(4)(h)",
        "True",
        "False",
    ),
    "outputs of an encoder": (grouped.OPERATORS, ENCODED, "encoder(x)", "encoder(x)[0]"),
    "a name of targets": (labels.OPERATORS, NAMED, '"height"', '"size"'),
}  # fmt: skip


def first(text: str, operators: tuple[Operator, ...]) -> tuple[Program, Candidate]:
    program = Program("script.py", text)
    line = len(text.rstrip().splitlines())
    outcome = run_again(program, line, 60.0, eager=True)
    assert outcome.error is not None
    message = str(outcome.error)
    reach = Reach(program, outcome.lines)
    scene = Scene(program, outcome.seen, clues_of([message]), reach, message)
    found = sorted((one for operator in operators for one in operator(scene)), key=lambda one: one.prior)
    return program, found[0]


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_stands_in_the_place_of_another_is_replaced(name: str, run: Callable[[str], None]) -> None:
    operators, text, old, new = SCRIPTS[name]
    program, found = first(HEAD + text, operators)
    (edit,) = found.replacements
    assert (program.source(edit.node), edit.text) == (old, new)
    assert found.fact
    run(program.edited(found.replacements).text)


def test_outputs_of_a_picture_are_not_called_painted() -> None:
    text = SEGMENTED.format("mse").replace("COLORS[", "np.zeros((4, 3))[")
    program = Program("script.py", HEAD + text)
    outcome = run_again(program, len(program.text.rstrip().splitlines()), 60.0, eager=True)
    message = str(outcome.error)
    scene = Scene(program, outcome.seen, clues_of([message]), Reach(program, outcome.lines), message)
    assert "shape" in message
    assert painted.told(scene) == ""


def test_channels_that_a_reshape_takes_apart_are_kept(run: Callable[[str], None]) -> None:
    program, found = first(HEAD + CUT, regrouped.OPERATORS)
    assert (found.cause, [one.text for one in found.replacements]) == ("cut-channels", ["15", "12"])
    run(program.edited(found.replacements).text)


def test_channels_that_a_mean_takes_away_are_kept(run: Callable[[str], None]) -> None:
    program, found = first(HEAD + GRAY, pictures.OPERATORS)
    edits = [(program.source(one.node), one.text) for one in found.replacements]
    assert edits == [("np.mean(pictures, axis=3)", "pictures"), ("gray[..., np.newaxis]", "gray")]
    run(program.edited(found.replacements).text)
