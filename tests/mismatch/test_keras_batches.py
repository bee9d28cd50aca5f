"""Data without batches, lengths that are fixed or those before a network: what is suggested runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from shapeinspect_keras.debug.script.candidate import Candidate, Operator, Scene
from shapeinspect_keras.debug.script.clues import clues_of
from shapeinspect_keras.debug.script.operators import axes, batches, loops, multiples, settings, shortened
from shapeinspect_keras.debug.script.program import Program
from shapeinspect_keras.debug.script.reach import Reach
from shapeinspect_keras.debug.script.running import run as run_again
from shapeinspect_keras.debug.script.unexplained import said_by_keras

HEAD = "import keras\nimport numpy as np\nimport tensorflow as tf\nfrom keras import layers\n"
SERIES = """
ROWS = 5
net = keras.Sequential([keras.Input((9, 7)), layers.Conv1D(4, 3), layers.LSTM(6), layers.Dense(1)])
net.compile("sgd", "mse")
x, y = np.zeros((12, 9, 7), "float32"), np.zeros((12, 1), "float32")
tested = tf.data.Dataset.from_tensor_slices((x, y)).batch(ROWS)
trained = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(12)
"""
STATEFUL = """
piece = keras.Input(batch_shape=(3, 5, 7))
net = keras.Model(piece, layers.LSTM(4, return_sequences=True, stateful=True)(piece))
net.compile("sgd", "mse")
"""
SPEECH = """
net = keras.Sequential([keras.Input((None, 6)), layers.Conv1D(8, 5, strides=3), layers.Dense(11)])
sound = np.zeros((2, 40, 6), "float32")
frames = np.array([40, 34], "int32")
"""
CTC = """
labels = tf.SparseTensor([[0, 0], [1, 0]], [3, 4], (2, 1))
loss = tf.compat.v1.nn.ctc_loss(labels, tf.transpose(net(sound), (1, 0, 2)), frames)"""
AGENT = """
from keras.layers import Dense
shape = (7,)
seen = keras.Input(shape=shape)
net = keras.Model(seen, Dense(3)(Dense(4)(seen)))
"""
#: A script, the operators that know it, and what is written in the place of what; each is known to be right.
SCRIPTS: dict[str, tuple[str, Sequence[Operator], tuple[tuple[str, str], ...], str]] = {
    "a data set that is not batched": (
        SERIES + "net.fit(trained, validation_data=tested, verbose=0)",
        batches.OPERATORS,
        (("trained", "trained.batch(ROWS)"),),
        "no-batch",
    ),
    "a validation set that is not batched": (
        SERIES + "net.fit(tested, validation_data=trained, verbose=0)",
        batches.OPERATORS,
        (("trained", "trained.batch(ROWS)"),),
        "no-batch",
    ),
    "pieces of a sequence": (
        STATEFUL
        + "net.fit(np.zeros((3, 20, 7)), np.zeros((3, 20, 4)), batch_size=3, shuffle=False, verbose=0)",
        batches.OPERATORS,
        (("5", "None"),),
        "feed",
    ),
    "pictures of another size": (
        "image = keras.Input((24, 20, 3))\n"
        "net = keras.Model(image, layers.GlobalMaxPooling2D()(layers.Conv2D(4, 3)(image)))\n"
        "net.predict(np.zeros((2, 30, 28, 3)), verbose=0)",
        batches.OPERATORS,
        (("24", "None"), ("20", "None")),
        "feed",
    ),
    "lengths of the inputs": (
        SPEECH + CTC,
        shortened.OPERATORS,
        (("frames", "(frames - 2) // 3"),),
        "steps-before",
    ),
    "a matrix over all samples": (
        "a, b = keras.Input((41,)), keras.Input((5,))\n"
        "net = keras.Model([a, b], keras.ops.matmul(a, layers.Dense(3)(b)))\n"
        'net.compile("sgd", "mse")\n'
        "net.fit([np.eye(41), np.zeros((41, 5))], np.zeros((41, 3)), shuffle=False, verbose=0)",
        batches.OPERATORS,
        (
            (
                "net.fit([np.eye(41), np.zeros((41, 5))], np.zeros((41, 3)), shuffle=False, verbose=0)",
                "net.fit([np.eye(41), np.zeros((41, 5))], np.zeros((41, 3)), shuffle=False, verbose=0, "
                "batch_size=41)",
            ),
        ),
        "part-of-samples",
    ),
    "a size that comes back smaller": (
        "side = 27\n"
        "image = keras.Input((side, side, 1))\n"
        "small = layers.MaxPooling2D(4)(layers.Conv2D(3, 3, padding='same')(image))\n"
        "net = keras.Model(image, layers.Conv2D(1, 1)(layers.UpSampling2D(4)(small)))\n"
        'net.compile("sgd", "mse")\n'
        "net.fit(np.zeros((2, side, side, 1)), np.zeros((2, side, side, 1)), verbose=0)",
        multiples.OPERATORS,
        (("27", "28"),),
        "rounding",
    ),
    "a setting that a dictionary holds": (
        "config = dict(classes=4, width=9)\n"
        "def build(classes, width=7):\n"
        "    x = keras.Input((width,))\n"
        "    return keras.Model(x, layers.Dense(classes)(x))\n"
        'net = build(config["classes"])\n'
        "net.predict(np.zeros((2, 9)), verbose=0)",
        settings.OPERATORS,
        (('build(config["classes"])', 'build(config["classes"], width=config["width"])'),),
        "",
    ),
    "turns of a loop": (
        "class Settings:\n"
        "    turns = 6\n"
        "def decode(x):\n"
        "    steps = []\n"
        "    for step in range(Settings.turns):\n"
        "        steps.append(keras.ops.reshape(x, (2, 5, 3)))\n"
        "    return keras.ops.concatenate(steps, axis=1)\n"
        "apart = decode(np.ones((2, 15))) - np.ones((2, 40, 3))",
        loops.OPERATORS,
        (("6", "8"),),
        "",
    ),
    "a part that is larger than its array": (
        "H, W = 9, 13\n"
        "def part(index): return tf.image.random_crop(tf.zeros((W + 2, H + 2, 3)), (H, W, 3))\n"
        "first = next(iter(tf.data.Dataset.range(3).map(part)))",
        axes.OPERATORS,
        (("W + 2", "H + 2"), ("H + 2", "W + 2")),
        "swapped-axes",
    ),
    "an axis of one in each observation": (
        AGENT + "net.predict_on_batch(np.zeros((1, 1, 7)))",
        batches.OPERATORS,
        (("shape", "(1, *shape)"), ("seen", "seen[:, 0]")),
        "extra-axis",
    ),
}


def candidates(text: str, operators: Sequence[Operator]) -> tuple[Program, list[Candidate]]:
    program = Program("script.py", text)
    line = len(text.rstrip().splitlines())
    outcome = run_again(program, line, 60.0, eager=True)
    if outcome.error is None:  # it fails as a graph only
        outcome = run_again(program, line, 60.0, eager=False, noting=True)
    assert outcome.error is not None
    message = str(outcome.error)
    scene = Scene(program, outcome.seen, clues_of([message]), Reach(program, (line,)), message)
    found = (one for operator in operators for one in operator(scene))
    return program, sorted(found, key=lambda one: one.prior)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_edit_is_suggested_first_and_runs(name: str, run: Callable[[str], None]) -> None:
    text, operators, wanted, cause = SCRIPTS[name]
    program, found = candidates(HEAD + text, operators)
    edits = tuple((program.source(one.node), one.text) for one in found[0].replacements)
    assert (edits, found[0].cause) == (wanted, cause), found
    run(program.edited(found[0].replacements).text)


def test_features_are_not_left_open() -> None:
    text = "net = keras.Sequential([keras.Input((9, 7)), layers.LSTM(6)])\nnet.predict(np.zeros((2, 9, 5)))"
    assert candidates(HEAD + text, batches.OPERATORS)[1] == []


def test_lengths_that_the_network_keeps_are_left_alone() -> None:
    text = SPEECH.replace("strides=3", 'padding="same"').replace("34", "44")
    _, found = candidates(HEAD + text + CTC, shortened.OPERATORS)
    assert found == []


def test_what_an_assertion_inside_a_data_set_compares() -> None:
    text = "def cut(index): return tf.image.random_crop(tf.zeros((9, 7, 3)), (5, 8, 3))\n"
    text += "first = next(iter(tf.data.Dataset.range(3).map(cut)))"
    outcome = run_again(Program("script.py", HEAD + text), 6, 60.0, eager=True)
    assert clues_of([str(outcome.error)]).sure == ()  # two axes differ: it is not known which are meant
    assert clues_of([str(outcome.error)]).shapes == ((9, 7, 3), (5, 8, 3))
    least = "an array of at least (5, 8, 3), which is cut out of it"
    assert said_by_keras(str(outcome.error)) == ((least,), ("(9, 7, 3)",))


def test_weights_of_samples_and_values_of_a_loss_are_named(run: Callable[[str], None]) -> None:
    from shapeinspect.api.debugging import explain_error
    from shapeinspect.mismatch import describe

    text = (
        HEAD
        + """
def pairs(y_true, y_pred):
    return keras.ops.mean(keras.ops.reshape(y_true - y_pred, (-1, 2)) ** 2, axis=-1)

x = keras.Input((3,))
net = keras.Model(x, layers.Dense(1)(x))
net.compile("sgd", loss=pairs)
net.fit(np.zeros((10, 3)), np.zeros((10, 1)), sample_weight=np.ones(10), batch_size=10, verbose=0)
"""
    )
    with pytest.raises(Exception, match=r"compile_loss/pairs/mul") as caught:
        run(text)
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    assert diagnosis.cause == "sample-weights"
    assert "5 values: `pairs` of line 6 gives 5 for 10 samples" in describe(diagnosis)
    new, _, old = diagnosis.fixes[0].text.partition(" instead of ")
    run(text.replace(old, new))
