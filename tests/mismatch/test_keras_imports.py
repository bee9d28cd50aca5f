"""What an edit of a Keras script writes for a layer or a function, by what the script imports."""

from __future__ import annotations

import pytest

from shapeinspect_keras.debug.script.imports import Imports
from shapeinspect_keras.debug.script.program import Program


@pytest.mark.parametrize(
    ("imported", "module", "name"),
    [
        ("from keras.layers import GRU", "keras.layers", "Flatten"),
        ("from keras.layers import (\n    GRU,\n    Dense as D,\n)", "keras.layers", "Flatten"),
        ("from keras.layers import Flatten as F", "keras.layers", "Flatten"),
        ("from tensorflow.keras.layers import GRU", "keras.layers", "Flatten"),
        ("from keras.layers import *", "keras.layers", "Flatten"),
        ("from keras import layers as L", "keras.layers", "Flatten"),
        ("import keras.layers", "keras.layers", "Flatten"),
        ("import keras", "keras.ops", "expand_dims"),
        ("from keras.ops import matmul", "keras.ops", "expand_dims"),
        ("import tensorflow as tf", "keras.layers", "Flatten"),
        ("import tensorflow as tf", "keras.ops", "expand_dims"),
        ("from tensorflow import keras", "keras.ops", "expand_dims"),
        ("from __future__ import annotations\nimport os", "keras.ops", "expand_dims"),
        ("from keras.layers import GRU", "numpy", "concatenate"),
        ("from keras.layers import GRU", "tensorflow", "transpose"),
    ],
)
def test_what_is_written_is_there_when_the_script_has_run(imported: str, module: str, name: str) -> None:
    import importlib

    program = Program("script.py", f'"""A script."""\n{imported}\nGIVEN = None\n')
    text, edits = Imports(program).name(module, name)
    edited = program.edited(edits)
    space: dict[str, object] = {}
    exec(compile(edited.text, "script.py", "exec"), space)
    assert eval(text, space) is getattr(importlib.import_module(module), name)
    assert edited.text.splitlines().index("GIVEN = None") == program.text.splitlines().index("GIVEN = None")


def test_a_name_that_is_there_needs_no_edit() -> None:
    program = Program("script.py", "from keras.layers import Dense, Flatten as F\nimport numpy as np\n")
    assert Imports(program).name("keras.layers", "Flatten") == ("F", ())
    assert Imports(program).name("numpy", "concatenate") == ("np.concatenate", ())
    assert Imports(program).prefix("keras.layers") is None


@pytest.mark.parametrize(
    ("imported", "written"),
    [
        ("import keras", "keras.layers"),
        ("import keras.layers", "keras.layers"),
        ("from keras import layers as kl", "kl"),
        ("import tensorflow as tf", "tf.keras.layers"),
        ("from tensorflow import keras", "keras.layers"),
        ("import numpy as np\nimport tensorflow.keras.layers as L", "L"),
    ],
)
def test_a_module_is_written_as_the_script_imports_it(imported: str, written: str) -> None:
    assert Imports(Program("script.py", imported)).prefix("keras.layers") == written
