"""Live Keras models in processes of their own: another backend, and what is imported."""

from __future__ import annotations

import os
import subprocess
import sys

_TORCH = """
import keras, numpy as np
from keras import layers as K, ops
from shapeinspect.sources.source import from_object
from shapeinspect_keras.adapters.live import ADAPTER
class Sub(keras.Model):
    def __init__(self):
        super().__init__(); self.a = K.Dense(7, name="a"); self.b = K.LSTM(5, name="b")
    def call(self, x):
        return self.b(ops.relu(self.a(x)))
sub = Sub(); sub(np.zeros((2, 6, 4), "float32"))
x = keras.Input((None, None, 3), name="x")
plain = keras.Model(x, K.Conv2D(4, 3, name="c")(x) * 2)
def shot(model):
    return [(w.path, np.asarray(w.value.detach()).tobytes()) for w in model.variables], [
        (l.name, l.built, [(k, id(v)) for k, v in vars(l).items()]) for l in model._flatten_layers()]
for model in (sub, plain):
    before = shot(model)
    found = ADAPTER.read(from_object(model))
    assert shot(model) == before
    shapes = [found.values[name].shape for call in found.calls for name in call.outputs]
    print(keras.backend.backend(), shapes, found.notes)
"""


def test_torch_backend() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TORCH],
        env={**os.environ, "KERAS_BACKEND": "torch"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "torch [(2, 6, 7), (2, 6, 7), (2, 5)] ()",
        "torch [(N, H, W, 3), (N, ?, ?, 4), (N, ?, ?, 4)] ()",
    ]


def test_entry_point_imports_no_framework() -> None:
    code = (
        "import sys; from shapeinspect_keras.adapters.live import ADAPTER\n"
        "from shapeinspect.sources.source import Source\n"
        "ADAPTER.match(Source('x', target=object()));"
        "print([n for n in ('keras', 'tensorflow', 'torch', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
