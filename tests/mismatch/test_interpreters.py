"""What a TFLite interpreter refuses, followed back through the program: sizes, batches, added axes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shapeinspect.api.debugging import explain_error
from shapeinspect.mismatch import Diagnosis
from shapeinspect.plugin_api.programs.source_edit import edited
from shapeinspect_tensorflow.debug.debugger import DEBUGGER

Run = Callable[[str], None]


@pytest.fixture(scope="module")
def content() -> bytes:
    import keras
    import tensorflow as tf
    from keras import layers

    inputs = keras.Input((6,), name="rows")
    model = keras.Model(inputs, layers.Dense(2)(layers.Dense(5, activation="relu")(inputs)))
    made: bytes = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    return made


START = """
import numpy as np
import tensorflow as tf

LENGTH = {length}
interpreter = tf.lite.Interpreter({model})
interpreter.allocate_tensors()
index = interpreter.get_input_details()[0]["index"]

def answer(rows):
    interpreter.set_tensor(index, rows)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

"""


def diagnosed(run: Run, text: str, **parts: object) -> Diagnosis:
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", str(part))
    with pytest.raises(ValueError, match="Cannot set tensor") as caught:
        run(text)
    found = explain_error(caught.value)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["bytes", "file"])
def test_the_size_is_changed_where_the_program_writes_it(
    run: Run, content: bytes, tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    path = tmp_path_factory.mktemp("model") / "m.tflite"
    path.write_bytes(content)
    model = f"model_content={content!r}" if kind == "bytes" else f"model_path={str(path)!r}"
    call = "got = answer(np.zeros((1, LENGTH), np.float32))\nassert got.shape == (1, 2)\n"
    text = START.replace("{length}", "9").replace("{model}", model) + call
    with pytest.raises(ValueError, match="Cannot set tensor") as caught:
        run(text)
    first = DEBUGGER.suggestions(caught.value)[0]
    assert (first.why, first.cause) == ("train.py:5  LENGTH = 9", "feed")
    run(edited(text, first.edits))


def test_many_samples_with_an_axis_too_many_are_one_batch(run: Run, content: bytes) -> None:
    call = "many = np.ones((7, LENGTH), np.float32)\nrows = np.expand_dims(many, 0)\ngot = answer(rows)\n"
    found = diagnosed(run, START + call, length=6, model=f"model_content={content!r}")
    assert found.cause == "allocated"
    assert "train.py:16  np.expand_dims(many, 0) adds an axis" in found.because
    assert found.fixes[0].text == (
        "(interpreter.resize_tensor_input(index, rows.reshape(-1, 6).shape), interpreter.allocate_tensors(), "
        "interpreter.set_tensor(index, rows.reshape(-1, 6))) instead of interpreter.set_tensor(index, rows)"
    )


def test_axes_in_another_order_are_no_other_sizes(run: Run) -> None:
    text = """
import keras
import numpy as np
import tensorflow as tf

ROWS, COLUMNS = 12, 18
inputs = keras.Input((12, 18, 3))
model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 5)(inputs)))
content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
interpreter = tf.lite.Interpreter(model_content=content)
interpreter.allocate_tensors()
index = interpreter.get_input_details()[0]["index"]
colors = np.ones((1, 3, ROWS, COLUMNS), "float32")
interpreter.set_tensor(index, colors)
interpreter.invoke()
"""
    with pytest.raises(ValueError, match="Cannot set tensor") as caught:
        run(text)
    found = explain_error(caught.value)
    assert found is not None
    assert (found.cause, found.fixes[0].text) == ("channels-last", "feed colors.transpose(0, 2, 3, 1)")
    assert not [*DEBUGGER.suggestions(caught.value)]
    run(text.replace("(index, colors)", "(index, colors.transpose(0, 2, 3, 1))"))
