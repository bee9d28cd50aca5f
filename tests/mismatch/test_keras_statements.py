"""Keras's errors are explained by the user's own statement; what tries an edit leaves the objects alone.

Twenty-nine programs of these kinds were written before any change: the layer was named in 24, the cause in
11, a first fix that works when pasted stood in 5, and 7 had a false claim.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import describe
from shapeinspect.mismatch.diagnosis import Diagnosis
from shapeinspect.plugin_api.claims import Level

keras = pytest.importorskip("keras")

HEAD = "import keras\nimport numpy as np\nimport tensorflow as tf\nfrom keras import layers\n"


def diagnosed(folder: Path, body: str) -> tuple[Diagnosis | None, dict[str, Any]]:
    """Run a program that fails, and return its diagnosis and its names."""
    path = folder / "program.py"
    path.write_text(HEAD + body)
    space: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    try:
        exec(compile(path.read_text(), str(path), "exec"), space)
    except Exception as error:  # noqa: BLE001  # any exception is what the program is for
        return explain_error(error), space
    raise AssertionError("the program runs")


def found(folder: Path, body: str) -> Diagnosis:
    """Return the diagnosis of a program that has one."""
    diagnosis = diagnosed(folder, body)[0]
    assert diagnosis is not None
    return diagnosis


FITTED = (
    "model = keras.Sequential([keras.Input((7,)), layers.Dense(11), layers.Dense(5, activation='softmax')])\n"
    "model.compile('sgd', loss='categorical_crossentropy')\n"
    "before = [weight.copy() for weight in model.get_weights()]\n"
    "labels = np.arange(24) % 5\n"
    "model.fit(np.ones((24, 7)), labels, verbose=0)\n"
)


def test_a_step_on_a_copy_leaves_the_model_alone(tmp_path: Path) -> None:
    diagnosis, space = diagnosed(tmp_path, FITTED)
    assert diagnosis is not None
    assert [tried.text for tried in diagnosis.fixes] == [
        'loss="sparse_categorical_crossentropy"',
        "pass keras.utils.to_categorical(labels, 5)",
    ]
    assert {tried.claim.level for tried in diagnosis.fixes} == {Level.PART}
    after = space["model"].get_weights()
    assert len(after) == 4
    assert all(np.array_equal(a, b) for a, b in zip(space["before"], after, strict=True))
    assert space["model"].loss == "categorical_crossentropy"


@pytest.mark.parametrize(
    ("call", "operation", "text"),
    [
        ("(tf.ones((4, 3)) - y)", "sub", "two equal lengths, or 1, on axis -1; 3 and 5 do not fit"),
        ("(tf.ones((4, 3)) * y)", "mul", "two equal lengths, or 1, on axis -1; 3 and 5 do not fit"),
    ],
)
def test_an_operation_is_called_what_it_is(tmp_path: Path, call: str, operation: str, text: str) -> None:
    from shapeinspect.mismatch.words import fact_text

    diagnosis = found(tmp_path, f"y = tf.ones((4, 5))\nloss = tf.reduce_mean{call}\n")
    assert diagnosis.layer.path == operation
    assert fact_text.expected(diagnosis.failure) == [text]


def test_the_array_in_a_call_has_the_name_that_the_user_gives_it(tmp_path: Path) -> None:
    body = (
        "model = keras.Sequential([keras.Input((44, 13, 1)), layers.Conv2D(6, 3)])\n"
        "model.add(layers.Flatten())\n"
        "model.add(layers.Dense(2))\n"
        "frames = np.ones((3, 39, 13, 1))\n"
        "model.predict(frames, verbose=0)\n"
    )
    assert found(tmp_path, body).fixes[0].text == "feed np.pad(frames, ((0, 0), (0, 5), (0, 0), (0, 0)))"


def test_a_dictionary_is_read_by_its_names(tmp_path: Path) -> None:
    body = (
        "title, body = keras.Input((9,), name='title'), keras.Input((4,), name='body')\n"
        "model = keras.Model([title, body], layers.Dense(3)(layers.Concatenate()([title, body])))\n"
        "model.predict({'title': np.ones((6, 9)), 'body': np.ones((6, 5))}, verbose=0)\n"
    )
    values = found(tmp_path, body).model.values
    assert values["title"].shape == (6, 9)
    assert values["body"].shape == (6, 5)


def test_weights_of_classes_do_not_change_the_network(tmp_path: Path) -> None:
    body = (
        "model = keras.Sequential([keras.Input((9,)), layers.Dense(4, activation='softmax')])\n"
        "weights = tf.constant([1.0, 2.0, 4.0])\n"
        "loss = tf.reduce_sum(weights * model(tf.ones((8, 9))))\n"
    )
    diagnosis = found(tmp_path, body)
    assert (diagnosis.cause, diagnosis.fixes) == ("class-weights", ())


def test_a_generator_is_not_run_again(tmp_path: Path) -> None:
    body = (
        "batches = []\n"
        "def give():\n"
        "    while True:\n"
        "        batches.append(1)\n"
        "        yield np.ones((4, 6)), np.ones((1, 4))[None, :][0]\n"
        "model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])\n"
        "model.compile('sgd', 'binary_crossentropy')\n"
        "data = give()\n"
        "try:\n"
        "    model.fit(data, steps_per_epoch=1, verbose=0)\n"
        "finally:\n"
        "    count = len(batches)\n"
    )
    diagnosis, space = diagnosed(tmp_path, body)
    assert diagnosis is not None
    assert diagnosis.layer.path == "loss"
    assert len(space["batches"]) == space["count"]


BETWEEN = (
    "model = keras.Sequential([layers.Input((15,)), layers.Embedding(9, 11)])\n"
    "model.add({first})\n"
    "model.add(layers.Dropout(0.2))\n"
    "model.add(layers.LSTM(6))\n"
)


@pytest.mark.parametrize("first", ["layers.Bidirectional(layers.LSTM(8))", "layers.GRU(8)"])
def test_a_layer_that_is_built_claims_no_call_of_the_model(tmp_path: Path, first: str) -> None:
    diagnosis = found(tmp_path, BETWEEN.format(first=first))
    assert "return_sequences=True" in diagnosis.fixes[0].text
    assert diagnosis.cause == "return-sequences"
    assert {(tried.claim.level, tried.claim.what) for tried in diagnosis.fixes} == {(Level.PART, "the layer")}


COUNTED = (
    "one, other = keras.Input((5,)), keras.Input((7,))\n"
    "model = keras.Model([one, other], layers.Dense(3)(layers.Concatenate()([one, other])))\n"
    "model.compile('sgd', loss='mse')\n"
    "first, second = np.ones((12, 5)), np.ones((12, 8))\n"
    "cut = second[:-1]\n"
    "model.fit([first, cut], np.ones((12, 3)), verbose=0)\n"
)


def test_inputs_of_unequal_counts_are_named(tmp_path: Path) -> None:
    diagnosis = found(tmp_path, COUNTED)
    text = describe(diagnosis)
    assert diagnosis.cause == "unequal-samples"
    assert "first of (12, 5)" in text
    assert "cut of (11, 8)" in text
