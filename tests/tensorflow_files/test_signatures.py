"""A model with several signatures: the default is read, the others are named, each can be asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect
from shapeinspect.cli import main
from shapeinspect.errors import UsageError


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel and a TFLite file with the signatures ``encode`` and ``decode``."""
    import tensorflow as tf

    class Module(tf.Module):  # type: ignore[misc]  # tensorflow has no types
        def __init__(self) -> None:
            super().__init__()
            self.narrow = tf.Variable(tf.random.stateless_uniform((9, 4), (1, 2)), name="narrow")
            self.wide = tf.Variable(tf.random.stateless_uniform((4, 7), (3, 4)), name="wide")

        @tf.function(input_signature=[tf.TensorSpec((None, 9), tf.float32)])  # type: ignore[misc]  # the same
        def encode(self, picture: Any) -> Any:
            return {"code": picture @ self.narrow}

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])  # type: ignore[misc]  # the same
        def decode(self, code: Any) -> Any:
            return {"picture": code @ self.wide}

    module, folder = Module(), tmp_path_factory.mktemp("signatures")
    signatures = {"serving_default": module.encode, "decode": module.decode}
    tf.saved_model.save(module, str(folder / "module"), signatures=signatures)
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(folder / "module"), signature_keys=list(signatures)
    )
    (folder / "module.tflite").write_bytes(converter.convert())
    return folder


@pytest.mark.parametrize("name", ["module", "module.tflite"])
def test_each_signature_is_a_network_of_its_own(both: Path, name: str) -> None:
    for asked, other, (rows, columns) in (
        ("serving_default", "decode", (9, 4)),
        ("decode", "serving_default", (4, 7)),
    ):
        report = inspect(str(both / name), signature=asked)
        (product,) = [layer for layer in report.model.layers if layer.kind == "linear"]
        assert (product.attributes["in_features"], product.attributes["out_features"]) == (rows, columns)
        output = report.model.values[report.model.outputs[0]].shape or ()
        assert output[1:] == (columns,)
        assert any("--signature" in note.text and other in note.text for note in report.model.notes)


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
def test_without_a_name_it_is_the_one_that_tensorflow_serves_first(both: Path) -> None:
    import tensorflow as tf

    runner = tf.lite.Interpreter(str(both / "module.tflite"))
    model = inspect(str(both / "module.tflite")).model
    shape = model.values[model.inputs[0]].shape or ()
    assert list(shape[1:]) == runner.get_input_details()[0]["shape"].tolist()[1:]
    assert "serving_default" in str(inspect(str(both / "module")).model.notes)


def _exit(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


@pytest.mark.parametrize("name", ["module", "module.tflite"])
def test_the_commands_take_it(both: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(both / name)
    for words in (["show"], ["explain"]):
        assert _exit(*words, path, "--signature", "decode") == 0, words
        assert "decode" not in capsys.readouterr().err
    assert _exit("check", path, "--signature", "decode", "--input", "3,4") == 0
    assert _exit("check", path, "--signature", "decode", "--input", "3,5") == 1
    capsys.readouterr()
    assert _exit("show", path, "--signature", "encrypt") == 2
    error = capsys.readouterr().err
    assert "encrypt" in error
    assert "decode" in error


def test_a_format_without_signatures_says_so() -> None:
    path = Path(__file__).parents[1] / "data" / "lenet.onnx"
    with pytest.raises(UsageError, match="no signature"):
        inspect(str(path), signature="decode")
