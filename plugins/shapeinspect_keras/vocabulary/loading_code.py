"""The code that loads a file of weights into a Keras model, and sets what else has to be the same."""

from __future__ import annotations

from shapeinspect.errors import UsageError
from shapeinspect.plugin_api.loading_script import (
    Loading,
    LoadingScript,
    Setting,
    literal,
    module_text,
    open_setting,
)

#: What Keras calls the settings that its layers read at every call.
READ_AT_CALLS = {
    "eps": "epsilon",
    "momentum": "momentum",
    "negative_slope": "negative_slope",
    "alpha": "alpha",
}


class VariablesScript(LoadingScript):
    """Assigns each variable by its path; in a model that was made anew, by its place among the weights.

    Example:
        >>> loading = Loading("a.safetensors", "", False, {"fc/kernel": (3, 5)}, ("fc/kernel",), {}, {})
        >>> "variable.assign(value)" in SCRIPT.text(loading)
        True
    """

    def text(self, loading: Loading) -> str:
        """Return a Python module with a function ``load(model)``.

        Args:
            loading: what is loaded.

        Raises:
            UsageError: if the model is a file that only numbers its weights.
        """
        if any(name.rpartition("/")[2].isdecimal() for name in loading.shapes):
            raise UsageError(
                "there is no loading script for a file that only numbers its weights",
                where=loading.model,
                hint="name the model itself with --like, live or as a .keras file",
            )
        body = [
            "values = load_file(FILE)",
            "variables = {variable.path: variable for variable in model.weights}",
            "if not set(values) <= set(variables):  # made anew or read from a file, it has other paths",
            "    if len(model.weights) != len(ORDER):",
            '        raise ValueError(f"the model has {len(model.weights)} weights, not {len(ORDER)}")',
            "    variables = dict(zip(ORDER, model.weights))",
            "for name, value in values.items():",
            "    variable = variables[name]",
            '    if variable.name != name.split("/")[-1] or tuple(variable.shape) != value.shape:',
            '        raise ValueError(f"{name}: {value.shape}; {variable.path}: {variable.shape}")',
            "    variable.assign(value)",
        ]
        order = ["#: All weights of the model, in the order of model.weights.", "ORDER = ["]
        order += [f"    {name!r}," for name in loading.order]
        settings = [_line(setting) for setting in loading.settings]
        imports = ["from safetensors.numpy import load_file"]
        main = None
        if loading.is_file:
            imports.insert(0, "import keras")
            main = [f"model = load(keras.models.load_model({loading.model!r}))", 'model.save("ported.keras")']
        return module_text(loading, "a Keras model", imports, body, settings, main, (*order, "]"))


def _line(setting: Setting) -> str:
    name = READ_AT_CALLS.get(setting.name)
    value = literal(setting.value)
    if name is None or setting.value is None or value is None:
        return open_setting(setting)
    layers = "".join(f".get_layer({part!r})" for part in setting.layer.split("/"))
    return f"model{layers}.{name} = {value}"


SCRIPT = VariablesScript()
