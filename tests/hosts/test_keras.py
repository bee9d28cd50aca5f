"""The callback of Keras, in Keras's own loops."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import shapeinspect
from shapeinspect.api.debugging import diagnosis_of


def network(features: int = 7) -> Any:
    """A network whose last layer but one takes as many features as it is told."""
    image = keras.Input((9, 11, 3), name="image")
    x = layers.Conv2D(5, 3, name="conv")(image)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(features, name="head")(x))
    model.compile("sgd", "mse")
    return model


def pictures(targets: tuple[int, ...] = (7,), height: int = 9) -> tuple[Any, Any]:
    return np.zeros((4, height, 11, 3), "float32"), np.zeros((4, *targets), "float32")


def test_the_table_is_shown_once_at_the_start() -> None:
    shown: list[str] = []
    told = shapeinspect.callback("keras", write=shown.append)
    model = network()
    x, y = pictures()
    model.fit(x, y, validation_data=(x, y), callbacks=[told], verbose=0, epochs=2)
    model.evaluate(x, y, callbacks=[told], verbose=0)
    (text,) = shown
    assert "N H7 W9 C5" in text
    assert "parameters  182" in text.replace("  (", " (").replace("params", "parameters") or "182" in text
    assert shapeinspect.inspect(model).totals.params == model.count_params() == 182


def test_nothing_is_left_behind() -> None:
    model = network()
    x, y = pictures()
    remove = os.remove
    model.fit(x, y, verbose=0)
    step = model.train_function
    model.fit(
        x, y, validation_data=(x, y), callbacks=[shapeinspect.callback("keras", table=False)], verbose=0
    )
    assert model.train_function is step
    assert os.remove is remove


def test_no_table_where_none_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = pictures()
    network().fit(x, y, callbacks=[shapeinspect.callback("keras", table=False)], verbose=0)
    assert capsys.readouterr().out == ""


def test_a_step_that_fails_is_explained() -> None:
    model = network()
    x, y = pictures()
    model.fit(x, y, verbose=0)  # from here on Keras runs no model before it calls the callbacks
    told = shapeinspect.callback("keras", table=False)
    with pytest.raises(Exception, match=r"(?i)shape|dimension|incompatible") as caught:
        model.fit(*pictures(height=2), callbacks=[told], verbose=0)
    diagnosis = diagnosis_of(caught.value)
    assert diagnosis is not None
    assert diagnosis.layer.path == "conv"
    assert [str(fix) for fix in diagnosis.fixes], "the traceback names the data, outside of what is watched"
    with pytest.raises(type(caught.value)) as other, shapeinspect.debug(model):
        model.fit(*pictures(height=2), verbose=0)
    assert facts(caught.value) == facts(other.value)
    model.fit(x, y, callbacks=[told], verbose=0)
    assert not hasattr(model.train_function, "__shapeinspect_step__")


def facts(error: BaseException) -> list[str]:
    """What is said of an error, without where it stands in this file."""
    lines = "\n".join(error.__notes__).split("\n")  # type: ignore[attr-defined]  # since Python 3.11
    start = next(number for number, line in enumerate(lines) if line.startswith("  at "))
    end = next(number for number, line in enumerate(lines) if line.startswith("  via "))
    return lines[:start] + lines[end:]


def test_a_loss_that_does_not_fit_is_explained() -> None:
    told = shapeinspect.callback("keras", table=False)
    with pytest.raises(ValueError, match="Dimensions must be equal") as caught:
        network().fit(*pictures(targets=(6,)), callbacks=[told], verbose=0)
    assert "the targets do not fit what the loss expects" in "\n".join(caught.value.__notes__)


#: On these backends ``fit`` runs the model before it calls any callback.
EARLY = """
import keras, numpy, shapeinspect
from shapeinspect.api.debugging import is_explained
from keras import layers

class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.one, self.two = layers.Dense(5), layers.Dense(7)
        self.two.build((None, 6))
    def call(self, x):
        return self.two(self.one(x))

for given in (True, False):
    model = Net()
    model.compile("sgd", "mse")
    told = shapeinspect.callback("keras", model if given else None, table=False)
    try:
        model.fit(numpy.zeros((4, 3)), numpy.zeros((4, 7)), callbacks=[told], verbose=0)
    except Exception as error:
        print(is_explained(error))
"""


def test_a_run_before_any_callback_is_explained_where_the_model_is_given() -> None:
    env = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", EARLY], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"], done.stderr


def test_it_goes_to_another_process() -> None:
    told = pickle.loads(pickle.dumps(shapeinspect.callback("keras", table=False)))
    x, y = pictures()
    history = network().fit(x, y, callbacks=[told], verbose=0)
    assert len(history.epoch) == 1


def test_an_unknown_framework_is_refused() -> None:
    with pytest.raises(shapeinspect.UsageError, match="no callback for 'fastai'") as caught:
        shapeinspect.callback("fastai")
    assert caught.value.expected == "one of: keras, lightning, transformers"
