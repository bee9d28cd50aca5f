"""The code that assigns a file of weights to the variables of a SavedModel; of TFLite, why there is none."""

from __future__ import annotations

from pathlib import Path

from shapeinspect.errors import UsageError
from shapeinspect.plugin_api.loading_script import (
    Loading,
    LoadingScript,
    check_lines,
    module_text,
    open_setting,
)

_FILE = "saved_model.pb"


class SavedModelScript(LoadingScript):
    """Assigns each variable that the signatures read by its name, and saves the model anew.

    Example:
        >>> SAVED_MODEL.text(Loading("a.safetensors", "weights.ckpt", True, {}, (), {}, {}))
        Traceback (most recent call last):
        ...
        shapeinspect.errors.UsageError: a loading script takes a SavedModel: this has no graph that its ...
    """

    def text(self, loading: Loading) -> str:
        """Return a Python module with a function ``load(model)``.

        Args:
            loading: what is loaded.

        Raises:
            UsageError: if the model is a checkpoint or a graph by itself.
        """
        path = Path(loading.model)
        folder = path.parent if path.name == _FILE else path
        if not (folder / _FILE).exists():
            raise UsageError(
                "a loading script takes a SavedModel: this has no graph that its variables belong to",
                where=loading.model,
                hint="name the directory of the SavedModel, or leave out --loader",
            )
        body = [
            "found = [variable for call in model.signatures.values() for variable in call.variables]",
            'variables = {variable.name.removesuffix(":0"): variable for variable in found}',
            *check_lines("variables"),
            "    variables[name].assign(value)",
        ]
        main = [
            f"model = load(tf.saved_model.load({str(folder)!r}))",
            'tf.saved_model.save(model, "ported", signatures=dict(model.signatures))',
        ]
        imports = ["import tensorflow as tf", "from safetensors.numpy import load_file"]
        settings = [open_setting(setting) for setting in loading.settings]
        return module_text(loading, "a SavedModel", imports, body, settings, main)


class TFLiteScript(LoadingScript):
    """Refuses: a TFLite file has no variables, only constants that its converter has folded and reordered.

    Example:
        >>> TFLITE.text(Loading("a.safetensors", "b.tflite", True, {}, (), {}, {}))
        Traceback (most recent call last):
        ...
        shapeinspect.errors.UsageError: nothing loads weights into a TFLite file
        ...
    """

    def text(self, loading: Loading) -> str:
        """Refuse, and say what to do instead.

        Args:
            loading: what would be loaded.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "nothing loads weights into a TFLite file",
            got="constants that its converter has folded, reordered and maybe quantized",
            where=loading.model,
            hint=(
                "convert the Keras model that it came from again:",
                "shapeinspect normalize A --like model.keras -o port.safetensors --loader load.py",
                "python load.py",
                'model = keras.models.load_model("ported.keras")',
                "tf.lite.TFLiteConverter.from_keras_model(model).convert()",
            ),
        )


SAVED_MODEL = SavedModelScript()
TFLITE = TFLiteScript()
