"""Failures that only one more run of the user's script explains: the layer or line, its sizes, and edits."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis, describe
from shapeinspect.plugin_api.programs.program import started
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect_keras.debug.debugger import DEBUGGER

Run = Callable[[str], None]

FIXED_BATCH = """
import keras
import numpy as np
import tensorflow as tf

BATCH = 7


class Noise(keras.layers.Layer):
    def call(self, inputs):
        scale = tf.random.uniform((BATCH, 1))
        return inputs * scale


class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.noise, self.head = Noise(name="noise"), keras.layers.Dense(3)

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self.head(self.noise(data)))
        tape.gradient(loss, self.head.trainable_variables)
        return {"loss": loss}


net = Net()
net.compile("sgd")
net.fit(np.zeros((18, 5), "float32"), batch_size=BATCH, verbose=0)
"""

TURNED_PICTURES = """
import keras
import numpy as np


class Pictures(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        pictures = np.zeros((4, 11, 13, 3), "float32")
        return pictures.transpose(0, 3, 1, 2), np.zeros((4, 1))


pictures = keras.Input((11, 13, 3), name="pictures")
model = keras.Model(pictures, keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(pictures)))
model.compile("sgd", "mse")
model.fit(Pictures(), verbose=0)
"""

JOINED = """
import keras

tokens = keras.Input((6, 5), name="tokens")
steps = keras.layers.LSTM(8, return_sequences=True)(tokens)
last = keras.layers.LSTM(9)(tokens)
both = keras.layers.Concatenate(axis=-1, name="both")([steps, last])
"""

ONE_BY_ONE = """
import keras
import numpy as np


def samples():
    while True:
        yield np.zeros(9, "float32"), np.zeros(1, "float32")


model = keras.Sequential([keras.Input((9,), name="row"), keras.layers.Dense(4), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(samples(), steps_per_epoch=2, verbose=0)
"""


def explained(run: Run, text: str) -> tuple[Exception, Diagnosis]:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each program raises an error of its own kind
        run(text)
    diagnosis = explain_error(caught.value)
    assert diagnosis is not None
    return caught.value, diagnosis


def with_edit(text: str, suggestion: Suggestion) -> str:
    raw = text.encode()
    for first, last, new in sorted(suggestion.edits, reverse=True):
        raw = raw[:first] + new.encode() + raw[last:]
    return raw.decode()


def test_a_fixed_batch_in_a_step_of_ones_own_is_named_with_its_number(run: Run) -> None:
    error, diagnosis = explained(run, FIXED_BATCH)
    assert (diagnosis.layer.path, diagnosis.cause) == ("noise", "fixed-batch")
    text = describe(diagnosis)
    assert "inputs = (4, 5)" in text
    assert "scale = (7, 1)" in text
    assert "train.py:12  return inputs * scale" in text
    assert not any("is written" in text for text in diagnosis.because)  # an equal number proves nothing
    first = DEBUGGER.suggestions(error)[0]
    assert first.cause == "fixed-batch"
    run(with_edit(FIXED_BATCH, first))


def test_a_data_set_of_another_layout_is_compared_with_the_input(run: Run) -> None:
    error, diagnosis = explained(run, TURNED_PICTURES)
    assert (diagnosis.layer.path, diagnosis.cause) == ("pictures", "channels-last")
    assert "(4, 3, 11, 13)" in describe(diagnosis)
    edited = [with_edit(TURNED_PICTURES, one) for one in DEBUGGER.suggestions(error)[:6]]
    run(next(text for text in edited if "return pictures, np.zeros" in text))


def test_a_layer_that_joins_is_named_while_a_model_is_built(run: Run) -> None:
    error, diagnosis = explained(run, JOINED)
    assert diagnosis.layer.path == "both"
    edited = [with_edit(JOINED, one) for one in DEBUGGER.suggestions(error)[:8]]
    assert any("LSTM(9, return_sequences=True)" in text for text in edited)


def test_a_generator_of_single_samples_gets_a_batch_axis(run: Run) -> None:
    error, diagnosis = explained(run, ONE_BY_ONE)
    assert (diagnosis.layer.path, diagnosis.cause) == ("row", "no-batch")
    edited = next(with_edit(ONE_BY_ONE, one) for one in DEBUGGER.suggestions(error))
    assert 'np.zeros(9, "float32")[None], np.zeros(1, "float32")[None]' in edited
    run(edited)


def test_the_second_run_changes_nothing_outside(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "written.txt"
    text = f"open({str(target)!r}, 'a').write('x')\n" + JOINED
    run_of_state: dict[str, Any] = {}

    def state() -> tuple[Any, ...]:
        return (
            sys.modules["__main__"],
            keras.config.floatx(),
            "fit" in vars(keras.Model),
            keras.config.is_traceback_filtering_enabled(),
            random.getstate(),
            np.random.get_state()[1].tolist(),
        )

    with pytest.raises(ValueError, match="Concatenate") as caught:
        run("import keras\nkeras.config.set_floatx('float32')\n" + text)
    run_of_state["before"] = state()
    lines = [frame.lineno for frame in caught.traceback]
    try:
        raise caught.value
    except ValueError as error:  # as in the block of debug(), where the second run's error gets this context
        explain_error(error)
    assert [frame.lineno for frame in caught.traceback][-len(lines) :] == lines
    assert caught.value.__traceback__ is not None
    assert state() == run_of_state["before"]
    assert target.read_text() == "x"


MODEL = """
import keras
import numpy as np


class Check(keras.layers.Layer):
    def call(self, x):
        CHECK
        return x


model = keras.Sequential([keras.Input((5,)), Check(), keras.layers.Dense(3)])
"""


@pytest.mark.parametrize(
    "line",
    [
        'raise ValueError("the shape (3, 4) is not one of ours")',
        "return keras.activations.get('sigmoit')(x)",
        "return keras.layers.Dense(3, kernel_initializer='no such size')(x)",
    ],
)
def test_what_is_not_about_shapes_stays_without_a_diagnosis(run: Run, line: str) -> None:
    with pytest.raises(ValueError, match=r"ours|sigmoit|size") as caught:
        run(MODEL.replace("CHECK", line))
    assert explain_error(caught.value) is None


@pytest.mark.parametrize(
    ("said", "cause", "got"),
    [
        ("(None, 54, 45, 1), found shape=(2, 56, 48)", "feed", "(2, 56, 48), without a last axis of 1"),
        ("(None, 54, 45, 1), found shape=(54, 45, 1)", "no-batch", "(54, 45, 1)"),
        ("(None, 54, 45, 3), found shape=(2, 54, 45)", "missing-axis", "(2, 54, 45)"),
    ],
)
def test_a_last_axis_of_one_that_the_message_leaves_out_is_not_missed(
    said: str, cause: str, got: str
) -> None:
    from shapeinspect_keras.debug.script.clues import clues_of
    from shapeinspect_keras.debug.script.unexplained import cause_of, said_by_keras

    words = f"Input 0 of layer is incompatible: expected shape={said}"
    assert cause_of(words, clues_of([words]), None) == cause
    assert said_by_keras(words)[1][0].startswith(got)


def test_a_script_that_writes_beside_itself_before_it_fails_is_followed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # it is put back
    text = """
import os
import keras

os.chdir(os.path.dirname(__file__))

os.makedirs("runs", exist_ok=True)
with open("runs/log.txt", "a") as log:
    log.write("begun")
net = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
net.save("net.keras")
net.save_weights("net.weights.h5")
print(open("runs/log.txt").read())
"""
    with started(str(tmp_path / "0" / "train.py")):  # as the fixture calls its first script
        error, diagnosis = explained(run, text + JOINED)
    assert any("`last` is (?, 9)" in sentence for sentence in diagnosis.because)
    assert DEBUGGER.suggestions(error)
    folder = tmp_path / "0"
    assert (folder / "runs" / "log.txt").read_text() == "begun"
    assert sorted(path.name for path in folder.iterdir()) == [
        "net.keras", "net.weights.h5", "runs", "train.py",
    ]  # fmt: skip
    assert Path.cwd() == folder
