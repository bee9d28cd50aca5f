"""The copy for trials that is made before TensorFlow starts its threads."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from shapeinspect.trials.client import available
from shapeinspect_keras.debug.script import first_operation
from shapeinspect_keras.debug.script.first_operation import before_first_operation

MODULE = """
class Context:
    _physical_devices = None

    def ensure_initialized(self):
        print("threads start")
        return 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "started_threads.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(first_operation, "_MODULE", "started_threads")
    yield "started_threads"
    sys.modules.pop("started_threads", None)


def test_it_is_told_once_and_before_the_threads_start(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    finders = [*sys.meta_path]
    with before_first_operation(lambda: print("told")):
        context = import_module(module).Context()
        assert sys.meta_path == finders
        assert context.ensure_initialized() == context.ensure_initialized() == 3
    assert capsys.readouterr().out.split("\n")[:3] == ["told", "threads start", "threads start"]


def test_nothing_is_left_where_it_is_not_used(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    finders = [*sys.meta_path]
    with before_first_operation(lambda: print("told")):
        pass
    assert sys.meta_path == finders
    with before_first_operation(lambda: print("told")):
        context = import_module(module).Context
    context().ensure_initialized()
    assert capsys.readouterr().out == "threads start\n"


def test_a_device_in_use_is_not_copied(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    class Device:
        device_type = "GPU"

    with before_first_operation(lambda: print("told")):
        context = import_module(module).Context()
        context._physical_devices = [Device()]
        context.ensure_initialized()
    assert capsys.readouterr().out == "threads start\n"


def test_tensorflow_runs_in_the_copy_and_in_the_process_itself() -> None:
    script = """
import os, sys
from shapeinspect_keras.debug.script.first_operation import before_first_operation
def copy():
    from tensorflow.python.eager import context
    print("copied", context.context()._initialized, flush=True)
    if os.fork() == 0:
        import tensorflow as tf
        print(int(tf.reduce_sum(tf.random.uniform((3, 5)) * 0.0 + 2.0)), flush=True)
        os._exit(0)
    os.wait()
with before_first_operation(copy):
    import tensorflow as tf
    print(int(tf.reduce_sum(tf.ones((2, 7)))), int(tf.constant(1)))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    assert ended.stdout.split("\n")[:3] == ["copied False", "30", "14 1"]


@pytest.mark.skipif(not available(), reason="trials need Landlock")
def test_a_copy_that_was_made_in_the_middle_of_a_layer_trains(tmp_path: Path) -> None:
    """The first operation draws a weight, in a scope in which TensorFlow records no gradients."""
    (tmp_path / "program.py").write_text(
        "import numpy as np\n"
        "import keras\n"
        "model = keras.Sequential([keras.Input((15,)), keras.layers.Dense(5), keras.layers.Dense(3)])\n"
        'model.compile("sgd", "mse")\n'
        "samples = np.ones((20, 49)).reshape(20, 7, 7)[:, :4, :4].reshape(20, -1)\n"
        "model.fit(samples, np.ones((20, 3)), verbose=0)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "shapeinspect", "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = " ".join(ended.stderr.partition("shapeinspect:")[2].split())
    assert "the whole script runs to its end with it" in said
    assert "keras.Input((16,))" in said
